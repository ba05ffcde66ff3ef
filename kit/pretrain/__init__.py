"""Pretraining of a network before the folds, on texts without labels."""

from kit.pretrain.language import LanguageModelling

__all__ = ["LanguageModelling"]
