"""Shows a run in other tools (MLflow, TensorBoard), from the bank."""

from kit.report.track.tools import tracker

__all__ = ["tracker"]
