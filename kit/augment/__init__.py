"""Changed texts to learn from, each way with its settings: `EDA(alpha=0.1)(text, rng)`. Naming one imports no torch."""

from kit.augment.base import Augment, Chain, OneOf, Sometimes, augmented
from kit.augment.chinese import ClauseSwap, HanDelete, HanSimilar, HanSwap, HanWords
from kit.augment.contextual import ContextualWords
from kit.augment.eda import EDA, RandomDeletion, RandomInsertion, RandomSwap, SynonymReplacement
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
    "AEDA", "EDA", "Augment", "BackTranslation", "CaseNoise", "Chain", "CharacterNoise", "ClauseSwap",
    "ContextualWords", "Crop", "HanDelete", "HanSimilar", "HanSwap", "HanWords", "KeyboardErrors", "OCRErrors", "OneOf",
    "RandomDeletion", "RandomInsertion", "RandomSwap", "SentenceDelete", "SentenceShuffle", "Sometimes",
    "SpellingErrors", "SynonymReplacement", "WordNoise", "WordSplit", "augmented", "write_neighbours",
]  # fmt: skip
