"""What gives away an article that a machine has tampered with; no label is read."""

from competitions.chinese360.features.tampered import Tampered

__all__ = ["Tampered"]
