"""The training engine: loop, stages, and every technique that a stage can be told to use; knows tensors, not tasks.

What settings name imports no torch, so that recipes that name them stay light.
"""

from typing import TYPE_CHECKING

from kit.lazy import lazy
from kit.train.average import EMA, SWA, Average, Snapshots, greedy_soup
from kit.train.mix import CutMix, EmbeddingMixup, Mix, Mixup
from kit.train.optimizers import SGD, Adam, AdamW, Lamb, Lars, Lookahead, Optimizer, RAdam
from kit.train.perturb import (
    AWP,
    FGM,
    FGSM,
    PGD,
    VAT,
    FreeLB,
    GaussianNoise,
    GradientPenalty,
    NEFTune,
    Noise,
    Perturb,
    UniformNoise,
)  # fmt: skip
from kit.train.schedule import (
    Constant,
    Cosine,
    CosineRestarts,
    Linear,
    OneCycle,
    Plateau,
    Schedule,
    SlantedTriangular,
    curve,
)  # fmt: skip
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.train.batches import ArrayBatches
    from kit.train.loop import train
    from kit.train.objective import Objective, Step, Supervised
    from kit.train.objectives import Each, NegativeCorrelation, Penalised, RDrop
    from kit.train.optim import parameter_groups
    from kit.train.perturb.point import Point

__all__ = [
    "AWP", "EMA", "FGM", "FGSM", "PGD", "SGD", "SWA", "VAT", "Adam", "AdamW", "ArrayBatches", "Average", "Constant",
    "Cosine", "CosineRestarts", "CutMix", "Each", "EmbeddingMixup", "FreeLB", "GaussianNoise", "GradientPenalty",
    "Lamb", "Lars", "Linear", "Lookahead", "Mix", "Mixup", "NEFTune", "NegativeCorrelation", "Noise", "Objective",
    "OneCycle", "Optimizer", "Penalised", "Perturb", "Plateau", "Point", "RAdam", "RDrop", "Schedule",
    "SlantedTriangular", "Snapshots", "Stage", "Step", "Supervised", "UniformNoise", "curve", "greedy_soup",
    "parameter_groups", "train",
]  # fmt: skip

__getattr__ = lazy(
    __name__,
    {"Objective": "objective", "Step": "objective", "Supervised": "objective", "parameter_groups": "optim"}
    | dict.fromkeys(("Each", "NegativeCorrelation", "Penalised", "RDrop"), "objectives")
    | {"ArrayBatches": "batches", "Point": "perturb.point", "train": "loop"},
)
