"""Losses: each with its settings, row by row; usable alone, `Focal(gamma=2)(logits, y)`. Naming one imports no torch."""

from kit.losses.base import Loss

__all__ = ["Loss"]
