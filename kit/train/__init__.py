"""The training engine: loop, stage, objective, optimizer groups and schedules; knows tensors, not tasks or paths.

`Stage` alone imports no torch, so that recipes that name one stay light.
"""

from typing import TYPE_CHECKING

from kit.lazy import lazy

if TYPE_CHECKING:
    from kit.train.loop import train
    from kit.train.objective import Objective, Step, Supervised
    from kit.train.optim import parameter_groups
    from kit.train.schedule import factor
    from kit.train.stage import Stage

__all__ = ["Objective", "Stage", "Step", "Supervised", "factor", "parameter_groups", "train"]

__getattr__ = lazy(
    __name__,
    {"Objective": "objective", "Stage": "stage", "Step": "objective", "Supervised": "objective",
     "factor": "schedule", "parameter_groups": "optim", "train": "loop"},
)  # fmt: skip
