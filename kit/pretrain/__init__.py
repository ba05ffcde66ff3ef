"""Pretraining of a network before the folds, without labels: of texts, and of tables."""

from kit.pretrain.autoencoders import DAE, VAE, TransformerDAE
from kit.pretrain.language import LanguageModelling
from kit.pretrain.language_models import CausalLM, MaskedLM
from kit.pretrain.pretraining import Pretraining
from kit.pretrain.simcse import SimCSE

__all__ = [
    "DAE", "VAE", "CausalLM", "LanguageModelling", "MaskedLM", "Pretraining", "SimCSE", "TransformerDAE",
]  # fmt: skip
