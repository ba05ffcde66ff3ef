"""Augmentation of texts and pictures. Each augment is a class of settings and a function: `EDA(alpha=0.1)(text, rng)`.

Importing this package does not import torch.
"""

from kit.augment.base import Augment, Chain, OneOf, Sometimes, augmented
from kit.augment.chinese import ClauseSwap, HanDelete, HanSimilar, HanSwap, HanWords
from kit.augment.contextual import ContextualWords
from kit.augment.eda import EDA, RandomDeletion, RandomInsertion, RandomSwap, SynonymReplacement
from kit.augment.image import Albumentations, ImageAugment, RandAugment
from kit.augment.lexicon import write_neighbours
from kit.augment.nlp import (
    CharacterNoise,
    KeyboardErrors,
    OCRErrors,
    SpellingErrors,
    WordNoise,
    WordSplit,
)
from kit.augment.sentences import SentenceDelete, SentenceShuffle
from kit.augment.text import AEDA, CaseNoise, Crop
from kit.augment.translate import BackTranslation

__all__ = [
    "AEDA", "EDA", "Albumentations", "Augment", "BackTranslation", "CaseNoise", "Chain", "CharacterNoise",
    "ClauseSwap", "ContextualWords", "Crop", "HanDelete", "HanSimilar", "HanSwap", "HanWords", "ImageAugment",
    "KeyboardErrors", "OCRErrors", "OneOf", "RandAugment", "RandomDeletion", "RandomInsertion", "RandomSwap",
    "SentenceDelete", "SentenceShuffle", "Sometimes", "SpellingErrors", "SynonymReplacement", "WordNoise",
    "WordSplit", "augmented", "write_neighbours",
]  # fmt: skip
