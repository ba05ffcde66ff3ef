"""Tuning: searches settings with Optuna, scored out of fold. The spaces that recipes name import little."""

from typing import TYPE_CHECKING

from kit.core.lazy import lazy
from kit.tune.space import Choice, Numbers, Space, choice, integer, log_float, log_int, number

if TYPE_CHECKING:
    from kit.tune.search import tune
    from kit.tune.trials import tuned_members, with_trials
    from kit.tune.tuning import Tuned, Tuning

__all__ = [
    "Choice", "Numbers", "Space", "Tuned", "Tuning", "choice", "integer", "log_float", "log_int", "number", "tune",
    "tuned_members", "with_trials",
]  # fmt: skip

__getattr__ = lazy(__name__, __file__)
