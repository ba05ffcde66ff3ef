"""Test-time augmentation: views of a row, which show it in another way and keep its label."""

from kit.tta.base import View, with_views
from kit.tta.image import FiveCrops, Flips, Rotations, Scales
from kit.tta.text import Augmented, Window, Windows

__all__ = ["Augmented", "FiveCrops", "Flips", "Rotations", "Scales", "View", "Window", "Windows", "with_views"]
