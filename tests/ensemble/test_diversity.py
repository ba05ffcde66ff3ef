"""Diversity against closed forms, and what a member adds against a blend made without it."""

import json

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import spearmanr

from kit.ensemble import Greedy, Mean, OutOfFold, diversity, nested
from kit.metrics import accuracy, f1, log_loss, mean_roc_auc, rmse
from kit.metrics.intervals import paired


def bank(
    noise: list[float], n: int = 150, targets: int = 2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random((n, targets)) < 0.4).astype(float)
    return y, np.stack([expit(2 * y - 1 + rng.normal(0, size, y.shape)) for size in noise]), np.arange(n) % 3


def test_correlation_is_spearmans_of_the_errors() -> None:
    y, p, plan = bank([1, 2, 3])
    p[2, :, 0] = p[2, :, 0].round(1)  # ties
    found = diversity(Mean(), OutOfFold(p, y, mean_roc_auc, ["a", "b", "c"], plan))
    for i in range(3):
        for j in range(3):
            naive = np.mean([spearmanr((p[i] - y)[:, k], (p[j] - y)[:, k]).statistic for k in range(2)])
            assert found.correlation[i][j] == pytest.approx(naive)
    assert found.members == ("a", "b", "c")


def test_errors_of_classes_and_constant_errors() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, (60, 1)).astype(float)
    p = rng.dirichlet([1, 1, 1], (2, 60))
    p = np.concatenate([p, (y == np.arange(3)).astype(float)[None]])  # a member that is always right
    found = diversity(Mean(), OutOfFold(p, y, accuracy, plan=np.arange(60) % 3))
    errors = p[:2] - (y == np.arange(3))
    naive = np.mean([spearmanr(errors[0, :, k], errors[1, :, k]).statistic for k in range(3)])
    assert found.correlation[0][1] == pytest.approx(naive)
    assert found.correlation[0][2] == 0 and found.correlation[2][2] == 1


def test_error_less_ambiguity_is_the_error_of_the_mean() -> None:
    y, p, plan = bank([1, 2, 3])
    found = diversity(Mean(), OutOfFold(p, y, log_loss, plan=plan))
    assert found.error - found.ambiguity == pytest.approx(((p.mean(axis=0) - y) ** 2).mean())
    assert found.ambiguity > 0


@pytest.mark.parametrize("metric", [log_loss, mean_roc_auc, f1], ids=str)
def test_what_a_member_adds_is_the_nested_score_with_and_without(metric) -> None:  # type: ignore[no-untyped-def]
    y, p, plan = bank([0.6, 2, 4])
    found = diversity(Greedy(), OutOfFold(p, y, metric, ["a", "b", "c"], plan))
    whole = nested(Greedy(), OutOfFold(p, y, metric, ["a", "b", "c"], plan))
    assert whole is not None
    for i, name in enumerate("abc"):
        rest = [j for j in range(3) if j != i]
        without = nested(Greedy(), OutOfFold(p[rest], y, metric, [n for n in "abc" if n != name], plan))
        assert without is not None
        sign = 1 if metric.greater_is_better else -1
        assert found.adds[name].value == pytest.approx(sign * (whole.score - without.score))
        if metric is not f1:
            assert found.adds[name] == paired(metric, y, whole.predictions, without.predictions)
    assert found.adds["a"].low > 0 and found.adds["a"].value > found.adds["c"].value


def test_a_copy_adds_nothing_and_one_member_has_no_others() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=(90, 1))
    p = y + rng.normal(size=(2, 90, 1))
    plan = np.arange(90) % 3
    found = diversity(Greedy(), OutOfFold(np.stack([p[0], p[1], p[1]]), y, rmse, ["a", "b", "copy"], plan))
    assert found.correlation[1][2] == pytest.approx(1) and found.adds["copy"].value == pytest.approx(0, abs=1e-9)
    assert found.adds["copy"].p == 1 and found.adds["a"].low > 0
    assert diversity(Greedy(), OutOfFold(p[:1], y, rmse, plan=plan)).adds == {}
    assert diversity(Greedy(), OutOfFold(p, y, rmse, plan=np.zeros(90, dtype=int))).adds == {}
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["adds"][0] == {"member": "a", "adds": found.adds["a"].value,
                                "interval": [found.adds["a"].low, found.adds["a"].high], "p": found.adds["a"].p}  # fmt: skip
