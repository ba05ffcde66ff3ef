"""Pretraining of a network before the folds, without labels: of texts, and of tables."""

from kit.pretrain.autoencoders import DAE, VAE, TransformerDAE
from kit.pretrain.language import LanguageModelling

__all__ = ["DAE", "VAE", "LanguageModelling", "TransformerDAE"]
