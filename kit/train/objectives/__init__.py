"""More objectives. Each one wraps another, so they can be combined: `RDrop(WithPenalty(Supervised(loss), …))`."""

from kit.train.objectives.contrast import DropoutContrast
from kit.train.objectives.language import WithLanguageModel, causal
from kit.train.objectives.mean_of_outputs import MeanOfOutputs
from kit.train.objectives.negative_correlation import NegativeCorrelation
from kit.train.objectives.penalty import WithPenalty
from kit.train.objectives.rdrop import RDrop
from kit.train.objectives.reconstruction import LayerReconstruction, Reconstruction, balanced_weights, cell_losses
from kit.train.objectives.tokens import PredictedTokens

__all__ = [
    "DropoutContrast",
    "LayerReconstruction",
    "MeanOfOutputs",
    "NegativeCorrelation",
    "PredictedTokens",
    "RDrop",
    "Reconstruction",
    "WithLanguageModel",
    "WithPenalty",
    "balanced_weights",
    "causal",
    "cell_losses",
]  # fmt: skip
