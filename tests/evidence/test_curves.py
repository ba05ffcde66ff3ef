"""Curves: nested rows, a planted learner, folds, averaged seeds; what is fitted again and what is not."""

from pathlib import Path

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.core.files import read_json
from kit.evidence.curves import curve
from kit.evidence.overrides import overridden
from kit.folds import Folds, Predefined
from kit.metrics import roc_auc
from kit.metrics.intervals import bootstrap
from kit.run.jobs import fit_jobs, jobs_of, unfinished
from kit.run.oof import out_of_fold
from kit.run.run import Run
from tests.helpers.evidence import Dated, Evident, Planted, lines, run_in, sited_in, table


def test_fewer_rows_are_a_part_of_more_and_the_validation_rows_stay(tmp_path: Path) -> None:
    whole = run_in(tmp_path)
    for fold in whole.folds:
        train, valid = whole.split(fold)
        before: set[int] = set()
        for n in (20, 50, 319):
            fewer, same = Run(whole.recipe, whole.table, tmp_path, fewer=n).split(fold)
            assert len(fewer) == n and before < set(fewer.tolist()) < set(train.tolist())
            np.testing.assert_array_equal(same, valid)
            assert (np.diff(fewer) > 0).all()
            before = set(fewer.tolist())
        np.testing.assert_array_equal(Run(whole.recipe, whole.table, tmp_path, fewer=320).split(fold)[0], train)


def test_fewer_rows_have_a_store_of_their_own(tmp_path: Path) -> None:
    whole = run_in(tmp_path)
    names = {Run(whole.recipe, whole.table, tmp_path, fewer=n).store("m").folder.name for n in (None, 20, 50)}
    assert len(names) == 3 and whole.store("m").folder.name in names


def test_the_curve_of_a_learner_rises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITS", str(tmp_path / "fits"))
    run = run_in(tmp_path / "run", "m.learns=true", "folds.n=3")
    fit_jobs(jobs_of(run, ["m"]))
    whole = len(run.split(0)[0])
    found = curve(run, "m", "rows", [10, 40, whole + 1])  # folds of 266 and 267 rows to learn from
    scores = [point.score.value for point in found.points]
    assert scores == sorted(scores) and scores[-1] - scores[0] > 0.1
    assert all(point.score.low < point.score.value < point.score.high for point in found.points)
    fits = lines(tmp_path / "fits")
    assert [int(line.split()[-1]) for line in fits] == [266, 267, 267, *[10] * 3, *[40] * 3]  # the whole was there
    written = read_json(found.path)
    assert [p["at"] for p in written["points"]] == [10, 40, 267] and written["points"][0]["score"]["value"] == scores[0]
    assert found.path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    curve(run, "m", "rows", [10, 40, 267])
    assert lines(tmp_path / "fits") == fits


def test_more_folds_leave_more_rows_to_learn_from(tmp_path: Path) -> None:
    found = curve(run_in(tmp_path, "m.learns=true", n=60), "m", "folds", [2, 6])
    two, six = found.points
    assert six.score.value > two.score.value and six.spread is not None
    single = run_in(tmp_path, "m.learns=true", "folds.n=2", n=60)
    assert unfinished(jobs_of(single, ["m"])) == []  # the very folds of that plan


def test_averaging_seeds_lifts_the_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITS", str(tmp_path / "fits"))
    run = run_in(tmp_path / "run", "m.noise=2", "folds.n=2")
    found = curve(run, "m", "seeds", [1, 2, 4])
    scores = [point.score.value for point in found.points]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 0.05
    assert found.points[0].spread is not None and found.points[-1].spread is None  # four draws of one, one of four
    assert len(lines(tmp_path / "fits")) == 8
    # the score of one is the mean over the four, not the luck of the first
    metric, y = run.table.task.metric, run.table.y
    alone = []
    for seed in range(4):
        one = run_in(tmp_path / "run", "m.noise=2", "folds.n=2", *([f"m.seed={seed}"] if seed else []))
        oof = np.full(len(y), np.nan)
        for fold, kept in one.gathered("m").items():
            oof[one.plan == fold] = kept.valid[:, 0]
        alone.append(metric(y, oof))
    assert scores[0] == pytest.approx(np.mean(alone))


def test_the_spread_of_seeds_is_that_of_draws_that_share_none(tmp_path: Path) -> None:
    run = run_in(tmp_path, "m.noise=2", "folds.n=2")
    found = {point.at: point.spread for point in curve(run, "m", "seeds", [1, 2, 3, 5]).points}
    metric, y, rows = run.table.task.metric, run.table.y, np.arange(400)
    oof = np.stack([out_of_fold(run, overridden(run, "m", seed=seed).gathered("m"))[rows] for seed in range(5)])
    for at, draws in ((1, [[0], [1], [2], [3], [4]]), (2, [[0, 1], [2, 3]])):
        assert found[at] == pytest.approx(np.std([metric(y, oof[d].mean(axis=0)) for d in draws], ddof=1), rel=1e-3)
    assert found[3] is None and found[5] is None  # of five seeds no two draws of three share none


def test_no_point_lies_beyond_the_smallest_fold(tmp_path: Path) -> None:
    run = Run(Dated(), table(), tmp_path)
    assert [len(run.split(fold)[0]) for fold in run.folds] == [80, 160, 240, 320]
    found = curve(run, "m", "rows")
    assert [point.at for point in found.points] == [10, 20, 40, 80]
    for point in found.points:
        fewer = Run(run.recipe, run.table, tmp_path, fewer=point.at)
        assert {kept.score["rows"]["train"] for kept in fewer.gathered("m").values()} == {point.at}
    with pytest.raises(
        KitError, match="^points=100: the smallest fold learns from 80 rows, the largest from 320; with"
    ):
        curve(run, "m", "rows", [20, 100])


def test_rows_of_a_group_are_drawn_together(tmp_path: Path) -> None:
    run = sited_in(tmp_path)
    (point,) = curve(run, "m", "folds", [3]).points
    other = sited_in(tmp_path, "folds.n=3")
    oof = out_of_fold(other, other.gathered("m"))
    whole = bootstrap(roc_auc, run.table.y, oof.astype(float), groups=run.clusters)
    assert (point.score.low, point.score.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


def test_seeds_of_what_uses_none_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Planted, "is_random", False)
    with pytest.raises(KitError, match="^over=seeds: 'm' gives the same result with every seed$"):
        curve(run_in(tmp_path), "m", "seeds")


@pytest.mark.parametrize(
    "over, points, folds, said",
    [
        ("row", [], None, "^over=row: no such curve; did you mean 'rows'"),
        ("rows", [500], None, "^points=500: a fold learns from 320 rows, no more$"),
        ("folds", [1, 2], None, "^points=1: a plan has at least 2 folds$"),
        ("folds", [], [0], "^over=folds always uses all folds; leave out folds=$"),
    ],
)
def test_what_is_refused(tmp_path: Path, over: str, points: list[int], folds: list[int] | None, said: str) -> None:
    with pytest.raises(KitError, match=said):
        curve(run_in(tmp_path), "m", over, points, folds)
    assert not list(tmp_path.glob("*"))


def test_folds_without_a_number(tmp_path: Path) -> None:
    class Own(Evident):
        folds: Folds = Predefined(column="x")

    run = run_in(tmp_path)
    with pytest.raises(KitError, match="^folds of kind Predefined have no number of folds that can be changed$"):
        curve(Run(Own(), run.table, tmp_path), "m", "folds")
