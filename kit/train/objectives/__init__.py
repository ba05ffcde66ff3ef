"""Objectives beyond the plain one; each wraps another, so they combine: `RDrop(Penalised(Supervised(loss), …))`."""

from kit.train.objectives.each import Each
from kit.train.objectives.language import WithLanguageModel, causal
from kit.train.objectives.negative_correlation import NegativeCorrelation
from kit.train.objectives.penalised import Penalised
from kit.train.objectives.rdrop import RDrop

__all__ = ["Each", "NegativeCorrelation", "Penalised", "RDrop", "WithLanguageModel", "causal"]
