"""Compare: the corrected t-test against its formula and its promise, equal sides, planted differences, refusals."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from kit.core.errors import KitError
from kit.core.files import read_json
from kit.evidence.compare import ComparedSide, compare, verdict
from kit.evidence.significance import corrected_t, seeds_difference
from kit.members import Views
from kit.metrics import Metric, f1, log_loss, mean_roc_auc, quadratic_kappa, roc_auc
from kit.metrics.intervals import Difference, bootstrap, difference, paired, resampled
from kit.run.blend import blend
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from tests.helpers.evidence import Dated, Evident, Planted, lines, run_in, sited_in, table


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
    for equal in (np.full((5, 2), 0.1), np.full(3, 0.01), np.array([0.83, 0.71, 0.77]) - np.array([0.82, 0.70, 0.76])):
        found = corrected_t(equal, 0.25)  # no spread is no certainty
        assert found.value == pytest.approx(equal.mean()) and np.isinf([found.low, found.high]).all() and found.p == 1
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


def sides(metric: Metric) -> tuple[np.ndarray, list[np.ndarray]]:
    """Labels and predictions under four seeds."""
    rng = np.random.default_rng(2)
    if metric is quadratic_kappa:
        return rng.integers(0, 3, (80, 1)), [rng.random((80, 3)) for _ in range(4)]
    y, p = (rng.random((80, 3)) < 0.4).astype(float), [rng.random((80, 3)) for _ in range(4)]
    return y, [(q > 0.5).astype(float) for q in p] if metric.threshold else p


@pytest.mark.parametrize("metric", [mean_roc_auc, log_loss, f1, quadratic_kappa], ids=str)
def test_several_seeds_are_compared_by_their_mean_on_the_same_rows(metric: Metric) -> None:
    y, p = sides(metric)
    found = seeds_difference(metric, y, p[:2], p[2:], 50, groups=np.arange(80) // 2)
    at = metric.at(0.5) if metric.threshold else metric
    expected = [np.mean([at(y, q) for q in side]) for side in (p[:2], p[2:])]
    assert found.value == pytest.approx((expected[0] - expected[1]) * (1 if metric.greater_is_better else -1))
    draws = [resampled(at, y, [p[i], p[i + 2]], 50, groups=np.arange(80) // 2) for i in range(2)]
    assert found == difference(at, tuple(expected), np.mean(draws, axis=0))
    assert seeds_difference(metric, y, p[:1], p[1:2], 50) == paired(at, y, p[0], p[1], 50)  # one seed is the plain test


def test_several_seeds_take_as_long_as_that_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """No metric that has a fast way is asked about the rows of a resample."""
    y, p = sides(quadratic_kappa)
    asked, ask = list[int](), Metric.__call__
    monkeypatch.setattr(Metric, "__call__", lambda *given: asked.append(0) or ask(*given))
    seeds_difference(quadratic_kappa, y, p[:2], p[2:], 200)
    assert len(asked) <= 12


def test_equal_sides_do_not_differ(tmp_path: Path) -> None:
    found = compare(run_in(tmp_path), "m", "m m.name=other", seeds=2)
    assert found.verdict == "No difference: both sides predict the same numbers."
    assert found.t.value == found.rows.value == 0 and found.t.p == found.rows.p == 1


def test_a_planted_better_member_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITS", str(tmp_path / "fits"))
    found = compare(run_in(tmp_path), "m m.noise=2", "m", seeds=2)
    assert found.verdict.startswith("b is better by 0.") and found.t.high < 0 and found.rows.high < 0
    assert found.t.p < 0.05 and found.a.scores.shape == (5, 2)
    assert "the bootstrap over rows agrees" in found.verdict
    written = read_json(found.path)
    assert written["bootstrap"]["value"] == found.rows.value and written["b"]["side"] == "m"
    assert len(lines(tmp_path / "fits")) == 20
    compare(run_in(tmp_path), "m m.noise=2", "m", seeds=2)  # all of it is in the bank
    assert len(lines(tmp_path / "fits")) == 20


def test_random_differences_are_not_significant(tmp_path: Path) -> None:
    found = compare(run_in(tmp_path, n=120), "m m.noise=0.50", "m m.noise=0.52 m.seed=7", seeds=2)
    assert found.verdict.startswith("No difference shown:") and found.t.low < 0 < found.t.high


def test_finished_runs_and_blends(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    fit_jobs(jobs_of(run, ["m", "twin"]))
    blend(run, ["m", "twin"])
    found = compare(run, run.store("twin").folder.name, "blend", seeds=1)
    assert found.verdict == "No difference: both sides predict the same numbers."  # the twin is the same member
    better = compare(run, "twin-", "m m.noise=3", seeds=1)
    assert better.verdict.startswith("a ")
    with pytest.raises(KitError, match="^seeds=3: 'blend' is a finished run of one seed; take seeds=1, or name its"):
        compare(run, "m", "blend")
    with pytest.raises(KitError, match="^'blend' is a finished run and takes no settings: m.noise=1; name its member"):
        compare(run, "m", "blend m.noise=1", seeds=1)
    other = run_in(tmp_path, "folds.seed=1")
    with pytest.raises(KitError, match="^'twin-.*' was fitted with another fold plan; a comparison needs the same$"):
        compare(other, "m", "twin-", seeds=1)
    with pytest.raises(KitError, match="^'blend' was made of other members, settings or rows; run make blend$"):
        compare(other, "m", "blend", seeds=1)


def test_a_run_with_another_gap_or_fewer_rows_is_refused(tmp_path: Path) -> None:
    def run(gap: float) -> Run:
        return Run(Dated().override(f"folds.gap={gap}"), table(), tmp_path)

    none, some = run(0.0), run(0.3)
    np.testing.assert_array_equal(none.plan, some.plan)  # the gap is no part of the plan, but of what is learnt from
    fit_jobs(jobs_of(none, ["m"]))
    with pytest.raises(KitError, match="^'m-.*' was fitted with another gap; a comparison needs the same$"):
        compare(some, none.store("m").folder.name, "m", seeds=1)
    fewer = Run(none.recipe, none.table, tmp_path, fewer=20)
    with pytest.raises(KitError, match="^'m-.*' was fitted with another number of train rows; a comparison needs the"):
        compare(fewer, none.store("m").folder.name, "m", seeds=1)


def test_a_finished_run_of_a_member_that_chooses_by_the_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Planted, "uses_metric", True)
    run = run_in(tmp_path)
    fit_jobs(jobs_of(run, ["m"]))
    folder = run.store("m").folder.name
    assert compare(run, folder, "twin", seeds=1).verdict == "No difference: both sides predict the same numbers."
    other = Run(run.recipe, replace(run.table, task=run.table.task.model_copy(update={"metric": log_loss})), tmp_path)
    with pytest.raises(KitError, match=f"^'{folder}' was fitted with another metric; a comparison needs the same$"):
        compare(other, folder, "twin", seeds=1)


def test_rows_of_a_group_are_drawn_together(tmp_path: Path) -> None:
    run = sited_in(tmp_path)
    found = compare(run, "m", "m m.noise=1", seeds=1)
    assert run.clusters is not None and len(np.unique(run.clusters)) == 16
    a, b = found.a.predictions[0], found.b.predictions[0]
    assert found.rows == paired(roc_auc, run.table.y, a, b, groups=run.clusters)
    assert found.rows != paired(roc_auc, run.table.y, a, b)
    fit_jobs(jobs_of(run, ["m", "twin"]))
    report = blend(run, ["m", "twin"])
    assert report is not None and report.summary is not None
    oof = np.load(tmp_path / "blend" / "oof.npy")
    whole = bootstrap(roc_auc, run.table.y, oof, groups=run.clusters)
    assert report.summary["interval"] == [whole.low, whole.high]


def test_another_seed_reaches_the_member_inside(tmp_path: Path) -> None:
    class Seen(Evident):
        v: Views = Views(member=Planted())

    run = Run(Seen(), table(), tmp_path)
    found = compare(run, "v", "m", seeds=3)
    assert len({fold.tobytes() for fold in found.a.predictions}) == 3
    np.testing.assert_allclose(found.a.scores, found.b.scores)  # without views it is the member under the same seeds


def test_what_uses_no_seed_is_fitted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fixed(Planted):
        @property
        def is_random(self) -> bool:
            return False

    class Mixed(Evident):
        fixed: Fixed = Fixed()

    monkeypatch.setenv("FITS", str(tmp_path / "fits"))
    run = Run(Mixed(), table(), tmp_path / "run")
    both = compare(run, "fixed", "fixed fixed.noise=3", seeds=3)
    assert both.a.scores.shape == (5, 1) and len(lines(tmp_path / "fits")) == 10
    assert both.note == "no seed changes fixed nor fixed fixed.noise=3: fitted once a fold"
    one = compare(run, "fixed", "m m.noise=2", seeds=3)
    assert one.a.scores.shape == one.b.scores.shape == (5, 3) and len(lines(tmp_path / "fits")) == 10 + 15
    assert (one.a.scores == one.a.scores[:, :1]).all() and one.note == "no seed changes fixed: fitted once a fold"
    assert compare(run, "m", "m m.noise=2", seeds=2).note == ""


NONE = Difference(np.nan, np.nan, np.nan, np.nan)


@pytest.mark.parametrize(
    "gains, rows, said",
    [
        ([np.nan, np.nan], NONE, "^Nothing is known: auc can score no fold, and all rows together cannot be scored either.$"),
        ([np.nan, np.nan], Difference(-0.1, -0.2, -0.05, 0.01), "^Only the test over rows has a result, because auc can score no "
         r"fold: b is ahead by 0.10000 when all rows are scored together \(95 % from \+0.05000 to \+0.20000, p = 0.01\).$"),
        ([0.1, np.nan], Difference(0.1, 0, 0.2, 0.1), "has a result, because auc can score only 1 fold: a is ahead by 0.1"),
        ([0.1, 0.1], Difference(0.1, 0, 0.2, 0.1), "because all folds and seeds gain the same: a is ahead by"),
    ],
)  # fmt: skip
def test_the_verdict_says_why_folds_tell_nothing(gains: list[float], rows: Difference, said: str) -> None:
    a, b = (
        ComparedSide(k, np.array(g)[:, None], [np.zeros(3) + i], [])
        for i, (k, g) in enumerate([("a", gains), ("b", [0, 0])])
    )
    sentence = verdict(a, b, corrected_t(a.scores - b.scores, 0.25), rows, "auc")
    assert re.search(said, sentence) and "nan" not in sentence


@pytest.mark.parametrize(
    "a, b, folds, said",
    [
        ("m", "n", None, "^'n' is no member and no run; "),
        ("m", "", None, "^'' is no member and no run"),
        ("m", "m folds.n=3", None, "^setting 'folds.n=3' changes 'folds.n'; only settings of 'm' may differ$"),
        ("m", "m twin.noise=1", None, "^setting 'twin.noise=1' changes 'twin.noise'; only settings of 'm' may differ$"),
        ("m", "m m.nose=1", None, "^unknown setting 'm.nose'; did you mean 'm.noise'"),
        ("m", "m m.noise=1", [2], "^compare needs at least 2 folds to tell a gain from random variation; it got 1$"),
        (
            "m",
            "m m.broken=true",
            None,
            "^m m.broken=true, seed 0 fold 0: it does not work here; what is finished is kept$",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, a: str, b: str, folds: list[int] | None, said: str) -> None:
    with pytest.raises(KitError, match=said):
        compare(run_in(tmp_path), a, b, folds=folds)
    assert not (tmp_path / "compare").exists()
