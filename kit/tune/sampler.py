"""The sampler and the pruners of a search; imports Optuna."""

from copy import copy
from typing import Any
from zlib import crc32

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner, WilcoxonPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

LEAST = 5  # complete trials, and trials with a score at a step, that the median rule needs


class Repeatable(BaseSampler):
    """Multivariate TPE (Bergstra et al. 2011; Falkner et al. 2018) with draws that depend only on trial and setting.

    So an interrupted search, even between two draws of a trial, continues with the same trials as without the stop.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tpe = self._seeded(0)

    def _seeded(self, number: int, knob: str = "") -> TPESampler:
        word = np.random.SeedSequence([self._seed, number, crc32(knob.encode())]).generate_state(1)[0]
        # constant liar: with several workers, unfinished trials count as bad, so no two workers draw the same
        return TPESampler(multivariate=True, constant_liar=True, seed=int(word))

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._tpe = self._seeded(trial.number)
        self._tpe.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        alone = self._seeded(trial.number, param_name)
        return alone.sample_independent(study, trial, param_name, param_distribution)


class AtStep(BasePruner):
    """Optuna's median rule, applied to the newest value only.

    Optuna takes the best value of a trial so far. But some folds are easier than others: after an easy first fold, a
    trial would never be pruned.
    """

    def __init__(self, rule: BasePruner) -> None:
        self._rule = rule

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        if trial.last_step is None:
            return False
        newest = copy(trial)
        newest.intermediate_values = {trial.last_step: trial.intermediate_values[trial.last_step]}
        return self._rule.prune(study, newest)


def pruner_named(name: str) -> BasePruner:
    """The pruner `median`, `wilcoxon` or `none`."""
    if name == "median":
        return AtStep(MedianPruner(n_startup_trials=LEAST, n_min_trials=LEAST))
    return WilcoxonPruner(p_threshold=0.15) if name == "wilcoxon" else NopPruner()
