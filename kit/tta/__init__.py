"""Views of a row for test-time augmentation: the same row seen another way, its label unchanged."""

from kit.tta.base import View, with_views
from kit.tta.text import Augmented, Window, Windows

__all__ = ["Augmented", "View", "Window", "Windows", "with_views"]
