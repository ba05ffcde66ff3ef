"""Features that read no labels."""

from kit.features.base import Features, TextStatistics
from kit.features.tampered import Tampered
from kit.features.text_statistics import text_statistics

__all__ = ["Features", "Tampered", "TextStatistics", "text_statistics"]
