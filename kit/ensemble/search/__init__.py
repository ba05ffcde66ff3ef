"""Scorers: fast and exact scores of all candidate blends in one round of an ensemble search."""

from kit.ensemble.search.base import Plain, Scorer, near
from kit.ensemble.search.choose import scorer_for

__all__ = ["Plain", "Scorer", "near", "scorer_for"]
