"""Cuts between grades: the best of all by kappa, chosen without the rows that they judge, and written as grades."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from kit.core.errors import KitError
from kit.core.files import read_json
from kit.ensemble import (
    Auto,
    FittedBlend,
    Greedy,
    Mean,
    OutOfFold,
    Simplex,
    Stack,
    best_threshold,
    fit_thresholded,
    nested,
)
from kit.ensemble.decide.grades import best_grades
from kit.ensemble.decide.threshold import (
    decide,
    named_thresholds,
    out_of_fold_thresholds,
    score_at,
    surrogate_metric,
    takes_threshold,
)
from kit.metrics import Metric, mean_roc_auc, pearson, quadratic_kappa, rmse
from kit.report.leaderboard import leaderboard
from kit.run.blend import last_blend
from tests.helpers.reporting import fitted, made


def timid(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Five grades, and three members that stay near the middle one: rounded they hardly ever say the outer ones."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, (n, 1)).astype(float)
    return y, np.stack([2 + 0.35 * (y - 2) + rng.normal(0, 0.25, y.shape) for _ in range(3)])


@pytest.mark.parametrize("digits", [0, 1, 9])  # 0: many ties
@pytest.mark.parametrize("seed", range(6))
def test_the_best_cuts_against_all_there_are(seed: int, digits: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.choice([-1, 0, 2], (11, 1)).astype(float)  # a grade may be absent, and the lowest need not be 0
    p = (y * 0.4 + rng.normal(0, 1, y.shape)).round(digits)
    lowest, *cuts = found = best_grades(y, p)
    assert lowest == y.min() and len(cuts) == np.ptp(y) and cuts == sorted(cuts)
    values = np.unique(p)
    every = [values[0] - 1, *(values[1:] + values[:-1]) / 2, values[-1] + 1]
    tried = itertools.combinations_with_replacement(every, len(cuts))
    best = max(quadratic_kappa(y, lowest + np.searchsorted(some, p, side="right")) for some in tried)
    assert score_at(quadratic_kappa, y, p, found) == pytest.approx(best, abs=1e-12)
    assert found == best_grades(y[::-1], p[::-1])


def test_many_rows_and_grades_are_no_worse_than_rounding_or_equal_shares() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 30, (20_000, 1)).astype(float)
    p = (y * 0.5 + rng.normal(0, 2, y.shape)).astype(np.float32)
    best = score_at(quadratic_kappa, y, p, best_threshold(quadratic_kappa, y, p))
    shares = np.quantile(p, np.cumsum(np.bincount(y.ravel().astype(int))[:-1]) / len(y))
    assert best > max(quadratic_kappa(y, p), score_at(quadratic_kappa, y, p, (0.0, *shares)))


def test_of_equal_cuts_the_one_nearest_to_rounding() -> None:
    y, p = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [3.0]])
    assert best_grades(y, p) == (1, 1.5, 2.5)
    low = np.float64(0.3)  # neighbouring floats are parted
    y, p = np.array([[0.0], [1.0]]), np.array([[low], [np.nextafter(low, 1)]])
    assert score_at(quadratic_kappa, y, p, best_grades(y, p)) == 1


def test_what_is_graded_and_what_cannot_be() -> None:
    y, p = timid(20)
    assert takes_threshold(quadratic_kappa, y, p[0]) and not takes_threshold(quadratic_kappa, y, np.zeros((20, 5)))
    assert best_grades(np.full((3, 1), 2.0), p[0, :3]) == ()
    with pytest.raises(KitError, match="labels must be whole numbers"):
        best_grades(y + 0.5, p[0])
    assert out_of_fold_thresholds(quadratic_kappa, y, p[0], np.zeros(20)) == {0: ()}  # no other fold: rounded
    assert (
        surrogate_metric(quadratic_kappa, y) is pearson
        and surrogate_metric(quadratic_kappa, y.clip(0, 1)) is mean_roc_auc
    )
    assert named_thresholds(["y"], (1, 1.4, 2.6)) == [("2", 1.4), ("3", 2.6)] and named_thresholds(["a"], (0.3,)) == [
        ("a", 0.3)
    ]


def test_two_grades_are_a_yes_and_a_no() -> None:
    y, p = timid(60)
    y = (y > 2).astype(float)
    fitted = fit_thresholded(Mean(), OutOfFold(p, y, quadratic_kappa))
    assert fitted.thresholds[0] == 0 and len(fitted.thresholds) == 2
    assert set(np.unique(decide(fitted.predict(p), fitted.thresholds))) == {0, 1}
    assert score_at(quadratic_kappa, y, fitted.predict(p), fitted.thresholds) > 0.8


def test_the_correlation_is_numpys_and_blind_to_the_scale() -> None:
    y, p = timid(50)
    assert pearson(y, p[0]) == pytest.approx(np.corrcoef(y.T, p[0].T)[0, 1])
    assert pearson(y, p[0]) == pytest.approx(pearson(y, 9 * p[0] - 4))
    assert pearson(y, np.ones_like(y)) == 0 and np.isnan(pearson(np.ones_like(y), y))


@pytest.mark.parametrize("blend", [Mean(), Greedy(), Simplex(), Stack(), Auto(choices=(Mean(), Stack()))], ids=str)
def test_timid_members_lose_by_rounding_and_not_by_cuts(blend: Mean, tmp_path: Path) -> None:
    y, p = timid(1000)
    plan = np.arange(1000) % 5
    found = nested(blend, OutOfFold(p, y, quadratic_kappa, plan=plan), rounds=50)
    assert found is not None and found.interval is not None
    rounded = quadratic_kappa(y, p.mean(axis=0))
    assert rounded < 0.7 < 0.94 < found.score
    # a single member is cut as honestly
    cuts = out_of_fold_thresholds(quadratic_kappa, y, p[int(found.best)], plan)
    said = np.concatenate([decide(p[int(found.best)][plan == fold], cuts[fold]) for fold in range(5)])
    truth = np.concatenate([y[plan == fold] for fold in range(5)])
    assert found.best_score == pytest.approx(quadratic_kappa(truth, said))
    fitted = fit_thresholded(blend, OutOfFold(p, y, quadratic_kappa, plan=plan))
    fitted.save(tmp_path / "weights.json")
    assert FittedBlend.load(tmp_path / "weights.json") == fitted


def test_a_folds_cuts_do_not_know_its_labels() -> None:
    y, p = timid(300)
    plan = np.arange(300) % 3
    other = np.where(plan[:, None] == 1, 4 - y, y)
    one, two = (nested(Greedy(), OutOfFold(p, labels, quadratic_kappa, plan=plan), rounds=0) for labels in (y, other))
    assert one is not None and two is not None
    assert one.thresholds[1] == two.thresholds[1] and one.thresholds[0] != two.thresholds[0]


def test_weights_are_sought_by_what_cuts_cannot_mend() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, (4000, 1)).astype(float)
    # the timid one is right, the bold one is noisy: both alone would be taken for their scale by kappa or by RMSE
    p = np.stack([2 + 0.3 * (y - 2) + rng.normal(0, 0.1, y.shape), y + rng.normal(0, 1, y.shape)])
    learnt, fresh = slice(0, 2000), slice(2000, 4000)

    def scored(metric: Metric) -> float:
        fitted = Greedy().fit(p[:, learnt], y[learnt], metric)
        cuts = best_grades(y[learnt], fitted.predict(p[:, learnt]))
        return score_at(quadratic_kappa, y[fresh], fitted.predict(p[:, fresh]), cuts)

    assert scored(pearson) > max(scored(quadratic_kappa), scored(rmse)) + 0.02


def test_a_run_writes_whole_grades_and_its_leaderboard_names_the_cuts(tmp_path: Path) -> None:
    run = fitted(made("graded", tmp_path))
    facts = read_json(tmp_path / "blend" / "report.json")
    assert facts["thresholds"][0] == 1 and len(facts["thresholds"]) == 4 and facts["auc"] is None
    lines = (tmp_path / "submission.csv").read_text().splitlines()[1:]
    test = np.load(tmp_path / "blend" / "test.npy")
    said = [int(line.split(",")[1]) for line in lines]
    assert said == decide(test, facts["thresholds"]).ravel().astype(int).tolist() and set(said) <= {1, 2, 3, 4}
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(leaderboard(run, ["good", "bad"], last_blend(run)))
    text = console.export_text()
    named = ", ".join(f"{grade} {cut:.5f}" for grade, cut in zip((2, 3, 4), facts["thresholds"][1:], strict=True))
    assert f"threshold of the submission: {named}" in " ".join(text.split()) and "ROC AUC" not in text
