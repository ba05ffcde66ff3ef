"""float32 predictions stay as they are through every blend that can bear them, and give what float64 ones give."""

import tracemalloc
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy.special import expit, logsumexp

from kit.ensemble import (
    Auto,
    Blend,
    Calibrated,
    FittedBlend,
    Geometric,
    Greedy,
    Mean,
    MultiLayerStack,
    PerColumn,
    Power,
    PriorShift,
    Stack,
    diversity,
    nested,
)
from kit.ensemble.oof import OutOfFold
from kit.metrics import log_loss, mean_roc_auc, rmse


def bank(members: int, n: int, outputs: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = (rng.random((n, outputs)) < 0.4).astype(float)
    p = expit(2 * y - 1 + rng.normal(0, 1.5, (members, n, outputs))).astype(np.float32)
    return y, p, np.arange(n) % 5


COMPACT: list[Blend] = [
    Geometric(), Power(), PerColumn(), PerColumn(blend=Stack()), Calibrated(blend=Greedy()), MultiLayerStack(last=Mean()),
    Auto(choices=(Mean(), Stack(), PerColumn(blend=Greedy()))), PriorShift(blend=Calibrated(blend=Stack())),
]  # fmt: skip


@pytest.mark.parametrize("blend", COMPACT, ids=lambda blend: str(blend)[:60])
def test_float32_gives_what_float64_gives(blend: Blend) -> None:
    assert blend.compact
    y, p, plan = bank(3, 200)
    narrow, wide = (blend.fit(q, y, log_loss, plan=plan) for q in (p, p.astype(np.float64)))
    assert narrow.compact
    np.testing.assert_allclose(narrow.predict(p), wide.predict(p.astype(np.float64)), rtol=1e-5)


class Picky(Mean):
    """Takes float64 alone, and notes what it was given."""

    compact = False
    given: ClassVar[list[np.dtype]] = []

    def learn(self, oof: OutOfFold) -> FittedBlend:
        self.given.append(oof.predictions.dtype)
        return super().learn(oof)


@pytest.mark.parametrize("around", [PerColumn, Calibrated, PriorShift, lambda blend: MultiLayerStack(first=(blend,)),
                                    lambda blend: Auto(choices=(blend,))])  # fmt: skip
def test_what_takes_float64_gets_it_within_others(around: Callable[..., Blend]) -> None:
    Picky.given.clear()
    y, p, plan = bank(2, 100)
    assert p.dtype == np.float32
    around(blend=Picky()).fit(p, y, log_loss, plan=plan).predict(p)
    assert set(Picky.given) == {np.dtype(np.float64)}


@pytest.mark.parametrize("exponent", [-3.0, -1.0, 0.0, 0.5, 1.0, 3.0])
def test_power_means_member_by_member_are_the_textbooks(exponent: float) -> None:
    rng = np.random.default_rng(0)
    p = rng.gamma(2, 1, (4, 50, 1)) + 0.01
    said = Power(exponent=exponent).fit(p, p[0], rmse).predict(p)
    logs = np.log(p)
    naive = logs.mean(axis=0) if not exponent else (logsumexp(exponent * logs, axis=0) - np.log(4)) / exponent
    np.testing.assert_allclose(said, np.exp(naive), rtol=1e-12)


def peak(work: Callable[[], Any]) -> int:
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_memory_beside_the_bank() -> None:
    y, p, plan = bank(200, 600, 4)
    wide = 2 * p.nbytes  # what the same numbers take as float64
    assert peak(lambda: Geometric().fit(p, y, mean_roc_auc).predict(p)) < 0.5 * wide
    assert peak(lambda: diversity(Mean(), OutOfFold(p, y, mean_roc_auc, plan=np.zeros(len(y), dtype=int)))) < wide
    auto = Auto(choices=(Mean(), Geometric()))
    assert peak(lambda: nested(auto, OutOfFold(p, y, mean_roc_auc, plan=plan), rounds=0)) < wide
