"""Compare: the corrected t-test against its formula and its promise, equal sides, planted differences, refusals."""

from pathlib import Path

import numpy as np
import pytest
from evidence import lines, run_in
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from kit.blending import blend
from kit.compare import compare
from kit.cv import fit_missing, todo
from kit.files import read_json
from kit.gains import corrected_t, side_by_side
from kit.metrics import Metric, f1, log_loss, mean_roc_auc, quadratic_kappa, roc_auc
from kit.spec import KitError


def test_corrected_t_is_the_formula() -> None:
    gains = np.array([0.1, 0.3, -0.05, 0.2, 0.15])
    found = corrected_t(gains, 0.25)
    error = np.sqrt((1 / 5 + 0.25) * gains.var(ddof=1))
    assert found.value == pytest.approx(gains.mean())
    assert found.p == pytest.approx(2 * student.sf(gains.mean() / error, 4))
    assert (found.low, found.high) == pytest.approx(student.interval(0.95, 4, gains.mean(), error))
    plain = corrected_t(gains, 0.0)  # without correction: the textbook's test
    assert plain.p == pytest.approx(ttest_1samp(gains, 0).pvalue)


def test_seeds_count_for_what_they_add() -> None:
    rng = np.random.default_rng(0)
    folds = rng.normal(0.1, 1, 5)
    once, same = corrected_t(folds, 0.25), corrected_t(np.tile(folds[:, None], 8), 0.25)
    assert (same.low, same.high, same.p) == pytest.approx((once.low, once.high, once.p))  # the seed changed nothing
    # where folds have nothing in common, each fit counts: the formula over folds × seeds
    free = np.array([[1.0, -1.0, 0.5], [-1.0, 0.5, 1.0], [0.5, 1.0, -1.0], [1.0, 0.5, -1.0]]) + 0.3
    error = np.sqrt((1 / 12 + 0.25) * free.var(ddof=1))
    assert corrected_t(free, 0.25).p == pytest.approx(2 * student.sf(free.mean() / error, 11))
    # what has not been fitted yet is left out
    part = np.column_stack([folds, np.full(5, np.nan)])
    assert corrected_t(part, 0.25).p == pytest.approx(once.p)
    half = part.copy()
    half[:2, 1] = folds[:2] + 0.01
    assert once.low - 0.5 < corrected_t(half, 0.25).low < corrected_t(half, 0.25).high < once.high + 0.5


def test_edges_of_the_corrected_t() -> None:
    assert corrected_t(np.zeros((5, 2)), 0.25).p == 1.0
    sure = corrected_t(np.full((5, 2), 0.1), 0.25)
    assert (sure.low, sure.high, sure.p) == (pytest.approx(0.1), pytest.approx(0.1), pytest.approx(0.0))
    alone = corrected_t(np.array([[0.3, 0.4]]), 0.25)
    assert np.isinf(alone.high) and alone.p == 1.0


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_false_alarms_are_as_rare_as_promised(noise: float) -> None:
    """Two equally good learners of noise, cross-validated: the plain t-test cries wolf, the corrected one does not."""
    rng = np.random.default_rng(1)
    n, folds, seeds, alarms, plain = 60, 5, 4, 0, 0
    plan = np.arange(n) % folds
    for _ in range(400):
        x, y = rng.normal(size=(2, n)), rng.normal(size=n)
        gains = np.empty((folds, seeds))
        for f in range(folds):
            train, valid = plan != f, plan == f
            lines_ = [np.polyfit(side[train], y[train], 1) for side in x]
            errors = [((np.polyval(w, side[valid]) - y[valid]) ** 2).mean() for w, side in zip(lines_, x, strict=True)]
            gains[f] = errors[0] - errors[1] + rng.normal(0, noise / folds, seeds)
        alarms += corrected_t(gains, 0.25).p < 0.05
        plain += ttest_1samp(gains.ravel(), 0).pvalue < 0.05
    assert alarms <= 0.05 * 400 + 2 * np.sqrt(400 * 0.05 * 0.95)
    assert plain > (0.15 if noise == 0 else 0.05) * 400


@pytest.mark.parametrize("metric", [mean_roc_auc, log_loss, f1.at(0.5)])
def test_side_by_side_is_the_mean_over_seeds(metric: Metric) -> None:
    rng = np.random.default_rng(2)
    y, p = (rng.random((80, 3)) < 0.4).astype(float), [rng.random((80, 3)) for _ in range(4)]
    if metric.threshold:
        p = [(q > 0.5).astype(float) for q in p]
    many, labels, one, two = side_by_side(metric, y, p, p[::-1])
    expected = np.mean([metric(y, q) for q in p])
    assert many(labels, one) == pytest.approx(expected) == pytest.approx(many(labels, two))


def test_side_by_side_of_other_metrics() -> None:
    rng = np.random.default_rng(2)
    y = (rng.random((80, 1)) < 0.4).astype(float)
    p = [rng.random((80, 1)) for _ in range(3)]
    many, labels, one, _ = side_by_side(roc_auc, y, p, p)
    assert many(labels, one) == pytest.approx(np.mean([roc_auc(y, q) for q in p]))
    grades, q = rng.integers(0, 3, (80, 1)), [rng.random((80, 3)) for _ in range(3)]
    for metric in (quadratic_kappa, log_loss):
        many, labels, one, _ = side_by_side(metric, grades, q, q)
        assert many(labels, one) == pytest.approx(np.mean([metric(grades, part) for part in q]))


def test_equal_sides_do_not_differ(tmp_path: Path) -> None:
    found = compare(run_in(tmp_path), None, "m", "m m.name=other", seeds=2)
    assert found.verdict == "No difference: both sides predict the same numbers."
    assert found.t.value == found.rows.value == 0 and found.t.p == found.rows.p == 1


def test_a_planted_better_member_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITS", str(tmp_path / "fits"))
    found = compare(run_in(tmp_path), None, "m m.noise=2", "m", seeds=2)
    assert found.verdict.startswith("b is better by 0.") and found.t.high < 0 and found.rows.high < 0
    assert found.t.p < 0.05 and found.a.scores.shape == (5, 2)
    assert "the bootstrap over rows agrees" in found.verdict
    written = read_json(found.path)
    assert written["bootstrap"]["value"] == found.rows.value and written["b"]["asked"] == "m"
    assert len(lines(tmp_path / "fits")) == 20
    compare(run_in(tmp_path), None, "m m.noise=2", "m", seeds=2)  # all of it is in the bank
    assert len(lines(tmp_path / "fits")) == 20


def test_chance_is_called_chance(tmp_path: Path) -> None:
    found = compare(run_in(tmp_path, n=120), None, "m m.noise=0.50", "m m.noise=0.52 m.seed=7", seeds=2)
    assert found.verdict.startswith("No difference shown:") and found.t.low < 0 < found.t.high


def test_finished_runs_and_blends(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    fit_missing(run, todo(run, ["m", "twin"], run.folds).missing)
    blend(run, ["m", "twin"])
    found = compare(run, None, run.shelf("twin").folder.name, "blend", seeds=1)
    assert found.verdict == "No difference: both sides predict the same numbers."  # the twin is the same member
    better = compare(run, None, "twin-", "m m.noise=3", seeds=1)
    assert better.verdict.startswith("a ")
    with pytest.raises(KitError, match="^seeds=3: 'blend' is a finished run of one seed; take seeds=1, or name its"):
        compare(run, None, "m", "blend")
    with pytest.raises(KitError, match="^'blend' is a finished run and takes no settings: m.noise=1; name its member"):
        compare(run, None, "m", "blend m.noise=1", seeds=1)
    other = run_in(tmp_path, "folds.seed=1")
    with pytest.raises(KitError, match="^'twin-.*' was fitted on other rows or folds; a comparison needs the same"):
        compare(other, None, "m", "twin-", seeds=1)
    with pytest.raises(KitError, match="^'blend' was made of other members, settings or rows; run make blend again$"):
        compare(other, None, "m", "blend", seeds=1)


@pytest.mark.parametrize(
    "a, b, folds, said",
    [
        ("m", "n", None, "^'n' is no member and no run; "),
        ("m", "", None, "^'' is no member and no run"),
        ("m", "m folds.n=3", None, "^setting 'folds.n=3' changes 'folds.n'; only 'm' is varied here$"),
        ("m", "m twin.noise=1", None, "^setting 'twin.noise=1' changes 'twin.noise'; only 'm' is varied here$"),
        ("m", "m m.nose=1", None, "^unknown setting 'm.nose'; did you mean 'm.noise'"),
        ("m", "m m.noise=1", [2], "^compare needs 2 folds at least to tell a gain from chance; asked for 1$"),
        ("m", "m m.broken=true", None, "fold 0: it does not work here; what is finished is kept$"),
    ],
)
def test_what_is_refused(tmp_path: Path, a: str, b: str, folds: list[int] | None, said: str) -> None:
    with pytest.raises(KitError, match=said):
        compare(run_in(tmp_path), None, a, b, folds=folds)
    assert not (tmp_path / "compare").exists()
