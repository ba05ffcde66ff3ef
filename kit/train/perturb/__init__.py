"""Perturbations: what shifts inputs or weights while a model learns. Naming one imports no torch."""

from typing import TYPE_CHECKING

from kit.lazy import lazy
from kit.train.perturb.awp import AWP
from kit.train.perturb.base import Again, Perturb
from kit.train.perturb.fgm import FGM
from kit.train.perturb.fgsm import FGSM
from kit.train.perturb.freelb import FreeLB
from kit.train.perturb.noise import GaussianNoise, NEFTune, Noise, UniformNoise
from kit.train.perturb.penalty import GradientPenalty
from kit.train.perturb.pgd import PGD
from kit.train.perturb.vat import VAT

if TYPE_CHECKING:
    from kit.train.perturb.point import Point

__all__ = [
    "AWP", "FGM", "FGSM", "PGD", "VAT", "Again", "FreeLB", "GaussianNoise", "GradientPenalty", "NEFTune", "Noise",
    "Perturb", "Point", "UniformNoise",
]  # fmt: skip

__getattr__ = lazy(__name__, {"Point": "point"})
