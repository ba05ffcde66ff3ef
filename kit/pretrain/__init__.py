"""What happens to a network before the folds; it reads no labels."""

from kit.pretrain.language import LanguageModelling

__all__ = ["LanguageModelling"]
