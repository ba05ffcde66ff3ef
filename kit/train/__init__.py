"""Training: the loop, its stages, and the techniques that a stage can use. It works on tensors, not on tasks.

The classes of settings (optimizers, schedules, perturbations, …) do not import torch, so a recipe that names them
starts fast.
"""

from typing import TYPE_CHECKING

from kit.core.lazy import lazy
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
    CosineLog,
    CosineRestarts,
    FlatCosine,
    LinearDecay,
    OneCycle,
    Plateau,
    Schedule,
    SlantedTriangular,
    rate_curve,
)  # fmt: skip
from kit.train.stage import LoopStage, Stage

if TYPE_CHECKING:
    from kit.train.batches import ArrayBatches
    from kit.train.loop import train
    from kit.train.objective import Objective, Step, Supervised
    from kit.train.objectives import MeanOfOutputs, NegativeCorrelation, RDrop, WithPenalty
    from kit.train.optim import parameter_groups
    from kit.train.perturb.hook_point import HookPoint

__all__ = [
    "AWP", "EMA", "FGM", "FGSM", "PGD", "SGD", "SWA", "VAT", "Adam", "AdamW", "ArrayBatches", "Average", "Constant",
    "Cosine", "CosineLog", "CosineRestarts", "CutMix", "EmbeddingMixup", "FlatCosine", "FreeLB", "GaussianNoise",
    "GradientPenalty", "HookPoint", "Lamb", "Lars", "LinearDecay", "Lookahead", "LoopStage", "MeanOfOutputs", "Mix",
    "Mixup", "NEFTune", "NegativeCorrelation", "Noise", "Objective", "OneCycle", "Optimizer", "Perturb", "Plateau",
    "RAdam", "RDrop", "Schedule", "SlantedTriangular", "Snapshots", "Stage", "Step", "Supervised", "UniformNoise",
    "WithPenalty", "greedy_soup", "parameter_groups", "rate_curve", "train",
]  # fmt: skip

__getattr__ = lazy(__name__, __file__)
