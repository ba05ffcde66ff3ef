"""Curves: nested rows, a planted learner, folds, averaged seeds; what is fitted again and what is not."""

from pathlib import Path

import numpy as np
import pytest
from evidence import Evident, lines, run_in

from kit.curves import curve
from kit.cv import fit_missing, todo
from kit.files import read_json
from kit.folds import Column, Folds
from kit.run import Run
from kit.spec import KitError


def test_fewer_rows_are_a_part_of_more_and_the_judged_ones_stay(tmp_path: Path) -> None:
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


def test_fewer_rows_have_a_shelf_of_their_own(tmp_path: Path) -> None:
    whole = run_in(tmp_path)
    names = {Run(whole.recipe, whole.table, tmp_path, fewer=n).shelf("m").folder.name for n in (None, 20, 50)}
    assert len(names) == 3 and whole.shelf("m").folder.name in names


def test_the_curve_of_a_learner_rises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITS", str(tmp_path / "fits"))
    run = run_in(tmp_path / "run", "m.learns=true", "folds.n=3")
    fit_missing(run, todo(run, ["m"], run.folds).missing)
    whole = len(run.split(0)[0])
    found = curve(run, None, "m", "rows", [10, 40, whole + 1])  # folds of 266 and 267 rows to learn from
    scores = [point.score.value for point in found.points]
    assert scores == sorted(scores) and scores[-1] - scores[0] > 0.1
    assert all(point.score.low < point.score.value < point.score.high for point in found.points)
    fits = lines(tmp_path / "fits")
    assert [int(line.split()[-1]) for line in fits] == [266, 267, 267, *[10] * 3, *[40] * 3]  # the whole was there
    written = read_json(found.path)
    assert [p["at"] for p in written["points"]] == [10, 40, 267] and written["points"][0]["score"]["value"] == scores[0]
    assert found.path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    curve(run, None, "m", "rows", [10, 40, 267])
    assert lines(tmp_path / "fits") == fits


def test_more_folds_leave_more_rows_to_learn_from(tmp_path: Path) -> None:
    found = curve(run_in(tmp_path, "m.learns=true", n=60), None, "m", "folds", [2, 6])
    two, six = found.points
    assert six.score.value > two.score.value and six.spread is not None
    single = run_in(tmp_path, "m.learns=true", "folds.n=2", n=60)
    assert todo(single, ["m"], single.folds).missing == []  # the very folds of that plan


def test_averaging_seeds_lifts_the_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITS", str(tmp_path / "fits"))
    run = run_in(tmp_path / "run", "m.noise=2", "folds.n=2")
    found = curve(run, None, "m", "seeds", [1, 2, 4])
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


@pytest.mark.parametrize(
    "over, points, folds, said",
    [
        ("row", [], None, "^over=row: no such curve; did you mean 'rows'"),
        ("rows", [500], None, "^points=500: a fold has 320 rows to learn from, no more$"),
        ("folds", [1, 2], None, "^points=1: a plan has 2 folds at least$"),
        ("folds", [], [0], "^over=folds judges all folds of each plan; leave out folds=$"),
    ],
)
def test_what_is_refused(tmp_path: Path, over: str, points: list[int], folds: list[int] | None, said: str) -> None:
    with pytest.raises(KitError, match=said):
        curve(run_in(tmp_path), None, "m", over, points, folds)
    assert not list(tmp_path.glob("*"))


def test_folds_without_a_number(tmp_path: Path) -> None:
    class Own(Evident):
        folds: Folds = Column(column="x")

    run = run_in(tmp_path)
    with pytest.raises(KitError, match="^folds of kind Column have no number that could be varied$"):
        curve(Run(Own(), run.table, tmp_path), None, "m", "folds")
