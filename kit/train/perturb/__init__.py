"""Perturbations: adversarial training and noise shift inputs or weights while a model learns.

The classes are settings: importing them does not import torch.
"""

from typing import TYPE_CHECKING

from kit.core.lazy import lazy
from kit.train.perturb.awp import AWP
from kit.train.perturb.base import Perturb, Replay
from kit.train.perturb.fgm import FGM
from kit.train.perturb.fgsm import FGSM
from kit.train.perturb.freelb import FreeLB
from kit.train.perturb.noise import GaussianNoise, NEFTune, Noise, UniformNoise
from kit.train.perturb.penalty import GradientPenalty
from kit.train.perturb.pgd import PGD
from kit.train.perturb.vat import VAT

if TYPE_CHECKING:
    from kit.train.perturb.hook_point import HookPoint

__all__ = [
    "AWP",
    "FGM",
    "FGSM",
    "PGD",
    "VAT",
    "FreeLB",
    "GaussianNoise",
    "GradientPenalty",
    "HookPoint",
    "NEFTune",
    "Noise",
    "Perturb",
    "Replay",
    "UniformNoise",
]  # fmt: skip

__getattr__ = lazy(__name__, __file__)
