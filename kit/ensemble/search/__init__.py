"""Scorers: they judge all the candidates of one round of an ensemble search, quickly and as exactly as the metric."""

from kit.ensemble.search.base import Plain, Scorer, near
from kit.ensemble.search.choose import scorer_for

__all__ = ["Plain", "Scorer", "near", "scorer_for"]
