"""Features that read no labels."""

from kit.features.text_statistics import text_statistics

__all__ = ["text_statistics"]
