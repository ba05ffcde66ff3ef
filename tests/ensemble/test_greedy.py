"""Greedy selection and hill climbing choose what naive loops choose, to the last tie."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.errors import KitError
from kit.ensemble import FittedBlend, Greedy, HillClimb, scaled_ranks
from kit.ensemble.oof import OutOfFold
from kit.ensemble.predictions import weighted_mean
from kit.ensemble.search import scorer_for
from kit.metrics import Metric, accuracy, f1, log_loss, mae, mean_roc_auc, quadratic_kappa, rmse, roc_auc
from tests.helpers.search import bank, labels_for


@pytest.fixture(params=["quick", "plain"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here runs with the quick scorers and with the metric itself."""
    small = 0 if request.param == "quick" else 10**9
    for module in ("greedy", "hill"):
        monkeypatch.setattr(f"kit.ensemble.blends.{module}.scorer_for", partial(_scorer_for, small))


def _scorer_for(least: int, metric: Metric, y: np.ndarray, p: np.ndarray, clip: bool = False, small: int = 0):  # type: ignore[no-untyped-def]
    return scorer_for(metric, y, p, clip, small=least)


def naive_greedy(p: np.ndarray, y: np.ndarray, metric: Metric, rounds: int, patience: int = 99) -> list[float]:
    """Adds, each time by asking the metric of every candidate; equal scores are those of equal 12 digits."""
    sign, known = (1 if metric.greater_is_better else -1), {}

    def score(chosen: list[int]) -> float:
        counts = np.bincount(chosen, minlength=len(p))
        key = tuple(counts // np.gcd.reduce(counts))
        if key not in known:
            total = sum((p[i].astype(float) for i in chosen[:-1]), np.zeros(p.shape[1:]))
            part = 1 / len(chosen)
            known[key] = float(f"{sign * metric(y, part * total + part * p[chosen[-1]].astype(float)):.12g}")
        return known[key]

    chosen: list[int] = []
    path = []
    for _ in range(rounds + 1):
        candidates = sorted(range(len(p)), key=lambda i: (i not in chosen, i))
        chosen = [*chosen, max(candidates, key=lambda i: score([*chosen, i]))]
        path.append(chosen)
        best = max(path, key=score)
        if len(path) - 1 - path.index(best) >= patience:
            break
    return list(np.bincount(best, minlength=len(p)) / len(best))


CASES = [
    (roc_auc, 1),
    (mean_roc_auc, 2),
    (log_loss, 2),
    (rmse, 2),
    (f1, 2),
    (accuracy, 1),
    (quadratic_kappa, 1),
    (mae, 1),
]


@pytest.mark.parametrize(("metric", "outputs"), CASES, ids=str)
@settings(max_examples=20, deadline=None)
@given(
    shape=st.sampled_from(["continuous", "tied", "skewed", "constant", "saturated"]),
    copies=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
    n=st.integers(12, 60),
    seed=st.integers(0, 10_000),
)
def test_greedy_chooses_what_the_naive_loop_chooses(
    metric: Metric, outputs: int, shape: str, copies: bool, dtype: type, n: int, seed: int
) -> None:
    p, y = bank(shape, 5, n, outputs, seed).astype(dtype), labels_for(metric, n, outputs, seed)
    y[0], y[1] = 0, 1
    if metric is not quadratic_kappa and metric is not rmse:
        p = (p * 0.7 + 0.3 * y * bank(shape, 5, n, outputs, seed + 1)).astype(dtype)
    else:
        p *= 3
    if copies:
        p[1], p[4] = p[2], p[0]
    weights = Greedy(rounds=8).fit(p, y, metric).shares
    wanted = naive_greedy(p, y, metric, 8)
    single = max(range(5), key=lambda i: (metric(y, p[i].astype(float)) * (1 if metric.greater_is_better else -1), -i))
    # ties that are parted by the order in which the weighted mean is summed may send it back to the best single member
    if list(weights) != list(np.eye(5)[single]):
        assert list(weights) == wanted
    else:
        alone, blend = metric(y, p[single].astype(float)), metric(y, weighted_mean(p, np.array(wanted)))
        assert wanted == list(weights) or metric.better(alone, blend)


def test_patience_stops_and_keeps_the_best_prefix() -> None:
    judged = []

    def spied(y: np.ndarray, p: np.ndarray) -> float:
        judged.append(1)
        return round(float(np.sqrt(((y - p) ** 2).mean())), 3)  # gains come to an end

    rng = np.random.default_rng(0)
    y = rng.normal(size=(200, 1))
    p = np.stack([y + rng.normal(0, size, y.shape) for size in (0.5, 0.55, 0.6, 3, 3)])
    metric = Metric(spied, greater_is_better=False)
    shares, asked = {}, {}
    for patience in (0, 1, 2, 5, 12):
        judged.clear()
        shares[patience] = list(Greedy(rounds=60, patience=patience).fit(p, y, metric).shares)
        asked[patience] = len(judged)
        assert shares[patience] == naive_greedy(p, y, metric, 60, patience or 99)
    assert asked[1] < asked[5] < asked[12] < asked[0] and shares[1] != shares[12] != shares[0]


def test_patience_does_not_count_the_sorted_start() -> None:
    y = labels_for(log_loss, 100, 1, 0)
    p = np.stack([np.clip(y * 0.8 + 0.1, 0, 1), *bank("continuous", 3, 100, 1, 0)])
    assert Greedy(start=4, rounds=3, patience=1).fit(p, y, log_loss).shares == (1, 0, 0, 0)


def test_selection_says_where_a_metric_has_no_score() -> None:
    p, y = bank("continuous", 3, 40, 1, 0), np.ones((40, 1))
    for blend in (Greedy(), HillClimb()):
        for metric in (roc_auc, quadratic_kappa):
            with pytest.raises(KitError) as error:
                blend.fit(p, y, metric)
            name = type(blend).__name__
            assert (
                str(error.value)
                == f"{name}: {metric} is undefined on these rows, for example because all labels are equal"
            )


def test_a_mapped_bank_is_not_copied_and_gives_the_same(tmp_path: Path) -> None:
    y = labels_for(log_loss, 300, 2, 0)
    p = bank("continuous", 5, 300, 2, 0).astype(np.float32)
    np.save(tmp_path / "bank.npy", p)
    mapped = np.load(tmp_path / "bank.npy", mmap_mode="r")
    oof = OutOfFold(mapped, y, rmse, "abcde")
    assert np.shares_memory(oof.predictions, mapped) and np.shares_memory(
        oof.as_float(compact=True).predictions, mapped
    )
    assert oof.as_float(compact=False).predictions.dtype == np.float64
    for blend in (Greedy(), HillClimb(grid=0.1)):
        for metric in (mean_roc_auc, log_loss):
            fitted = blend.fit(mapped, y, metric)
            assert fitted == blend.fit(p, y, metric) == blend.fit(p.astype(float), y, metric)
            assert (fitted.predict(mapped) == fitted.predict(p.astype(float))).all()


@pytest.mark.parametrize("way", ["quick"], indirect=True)
def test_peak_memory_is_a_fraction_of_the_bank() -> None:
    import tracemalloc

    y = labels_for(mean_roc_auc, 20_000, 3, 0)
    p = bank("continuous", 30, 20_000, 3, 0).astype(np.float32)
    for blend in (Greedy(rounds=3), HillClimb(grid=0.25, rounds=2)):
        for metric in (mean_roc_auc, log_loss, rmse, f1):
            blend.fit(p[:, :200], y[:200], metric)  # compiles
            tracemalloc.start()
            blend.fit(p, y, metric)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < p.nbytes, f"{metric}: {peak / p.nbytes:.2f} times the bank, beside it"


# ---- hill climbing -----------------------------------------------------------------------------


def naive_climb(p: np.ndarray, y: np.ndarray, metric: Metric, weights: np.ndarray) -> np.ndarray:
    """The package's loop: strictly better steps, each member once."""
    sign = 1 if metric.greater_is_better else -1
    order = sorted(range(len(p)), key=lambda i: -sign * metric(y, p[i]))
    current, shares, pool = p[order[0]], np.eye(len(p))[order[0]], order[1:]
    top = round(sign * metric(y, current), 12)
    while pool:
        found = None
        for i in pool:
            for w in weights:
                score = round(sign * metric(y, (1 - w) * current + w * p[i]), 12)
                if score > top:
                    top, found = score, (i, w)
        if found is None:
            break
        i, w = found
        current, shares = (1 - w) * current + w * p[i], (1 - w) * shares + w * np.eye(len(p))[i]
        pool.remove(i)
    return shares


@pytest.mark.parametrize(("metric", "outputs"), [case for case in CASES if case[0] is not log_loss], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_hill_climbing_does_what_the_package_does(metric: Metric, outputs: int, seed: int) -> None:
    p, y = bank("continuous", 4, 120, outputs, seed), labels_for(metric, 120, outputs, seed)
    p = p * 3 if metric is quadratic_kappa else p + 0.5 * y
    climb = HillClimb(lowest=-0.4, highest=0.5, grid=0.1)
    assert climb.steps().tolist() == [-0.4, -0.3, -0.2, -0.1, 0.1, 0.2, 0.3, 0.4, 0.5]
    fitted = climb.fit(p, y, metric)
    np.testing.assert_allclose(fitted.shares, naive_climb(p, y, metric, climb.steps()), atol=1e-12)
    assert sum(fitted.shares) == pytest.approx(1)


def test_hill_climbing_finds_the_planted_negative_weight() -> None:
    rng = np.random.default_rng(0)
    y, error = rng.normal(size=(2, 400, 1))
    p = np.stack([y + 2 * error, rng.normal(size=y.shape), y + error])  # twice the last less the first is the truth
    names = ["double", "noise", "single"]
    planted = {"double": -1, "noise": 0, "single": 2}
    fitted = HillClimb(lowest=-1, grid=0.25).fit(p, y, rmse, names)
    assert fitted.weights == pytest.approx(planted) and rmse(y, fitted.predict(p)) < 1e-12
    smaller_steps = HillClimb(repeat=True, grid=0.01).fit(p, y, rmse, names)
    assert smaller_steps.weights == pytest.approx(planted, abs=0.02)
    greedy = Greedy().fit(p, y, rmse, names)
    assert greedy.weights["double"] == 0 and rmse(y, greedy.predict(p)) > 0.5
    positive = HillClimb(lowest=0.01).fit(p, y, rmse, names)
    assert min(positive.shares) >= 0


def test_hill_climbing_keeps_probabilities_where_the_metric_needs_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = labels_for(log_loss, 300, 1, 0)
    shared = rng.normal(size=y.shape)
    p = np.stack([1 / (1 + np.exp(-(3 * (2 * y - 1) + 4 * shared))), 1 / (1 + np.exp(-4 * shared))])
    fitted = HillClimb().fit(p, y, log_loss)
    blend = fitted.predict(p)
    assert min(fitted.shares) < 0 and blend.min() == p.min() > 0 and blend.max() <= p.max() < 1
    assert log_loss(y, blend) < log_loss(y, p[0])
    raw = fitted.shares[0] * p[0] + fitted.shares[1] * p[1]
    assert raw.min() < 0
    np.testing.assert_allclose(blend, raw.clip(p.min(), p.max()), atol=1e-15)  # no surer than the surest member
    fitted.save(tmp_path / "blend.json")
    again = FittedBlend.load(tmp_path / "blend.json")
    assert again == fitted and (again.predict(p) == blend).all()
    assert HillClimb().fit(p, y, roc_auc).predict(p).min() < 0  # order alone counts: nothing is cut


def test_hill_climbing_stops_at_the_tolerance() -> None:
    y = labels_for(log_loss, 300, 1, 0)
    p = bank("continuous", 6, 300, 1, 0) * 0.5 + 0.25 * y
    path = [HillClimb(grid=0.1, rounds=rounds).fit(p, y, log_loss) for rounds in range(1, 6)]
    scores = [min(log_loss(y, member) for member in p), *(log_loss(y, blend.predict(p)) for blend in path)]
    gains = -np.diff(scores)
    assert gains[0] > 0.005 > max(gains[1:]) and min(gains[1:3]) > 0.002 and path[2] == path[3] == path[4]
    for tolerance, wanted in ((0, path[2]), (0.002, path[2]), (0.005, path[0])):
        assert HillClimb(grid=0.1, tolerance=tolerance).fit(p, y, log_loss) == wanted
    assert sorted(HillClimb(grid=0.1, tolerance=1).fit(p, y, log_loss).shares) == [0, 0, 0, 0, 0, 1]
    steps = [HillClimb(grid=0.1, rounds=r).fit(p, y, log_loss).shares for r in (1, 2)]
    assert [sum(s != 0 for s in shares) for shares in steps] == [2, 3]


def test_a_climb_scores_no_more_blends_of_many_members_than_it_promises() -> None:
    calls: list[int] = []

    def counting(y: np.ndarray, p: np.ndarray) -> float:
        calls.append(len(p))
        return float(np.sqrt(((y - p) ** 2).mean()))

    rng = np.random.default_rng(0)
    y = rng.normal(size=(300, 1))
    p = np.stack([y + rng.normal(size=y.shape) * (1 + i / 50) for i in range(50)])
    best, fitted = (
        min(rmse(y, member) for member in p),
        HillClimb().fit(p, y, Metric(counting, greater_is_better=False, needs="value")),
    )
    assert rmse(y, fitted.predict(p)) < best
    assert len(calls) <= 51 + 50 * 20 * 20  # with the grid of 0.01 it was 120,000


def test_a_copy_gains_nothing() -> None:
    y = labels_for(roc_auc, 200, 1, 0)
    good = scaled_ranks(y + np.random.default_rng(0).normal(size=y.shape))
    assert HillClimb(grid=0.1).fit(np.stack([good, good]), y, roc_auc).shares == (1, 0)


def test_a_climb_needs_a_weight_to_try() -> None:
    with pytest.raises(KitError, match="HillClimb: 0 is the only weight between lowest = -0.1 and highest = 0.1"):
        HillClimb(lowest=-0.1, highest=0.1, grid=0.25)
