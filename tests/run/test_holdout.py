"""Rows held out: drawn as the folds are, learnt from by nobody, predicted by every fold's model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.folds import Grouped, KFold, Predefined, Stratified, TimeSeries
from kit.run.fold import fit_fold
from kit.run.holdout import HELD, held_out, planned
from kit.run.run import run_of
from tests.helpers.tuning import Bench, bench  # noqa: F401

N = 120
FRAME = pd.DataFrame({"group": np.repeat(np.arange(24), 5), "time": np.arange(N)[::-1], "own": np.arange(N) % 3})
Y = (np.arange(N) % 6 == 0).astype(float)[:, None]


def test_groups_duplicates_and_shares_of_classes_are_kept() -> None:
    grouped = held_out(Grouped(group="group"), 0.25, FRAME, Y)
    assert 20 <= grouped.sum() <= 40 and not set(FRAME["group"][grouped]) & set(FRAME["group"][~grouped])
    twins = np.arange(N) // 2
    held = held_out(KFold(), 0.2, FRAME, Y, twins)
    assert held.sum() == 24 and (held[::2] == held[1::2]).all()
    held = held_out(Stratified(), 0.2, FRAME, Y)
    assert Y[held].sum() == Y.sum() / 5 and held.sum() == 24


def test_of_folds_in_time_the_latest_rows_are_held_out() -> None:
    held = held_out(TimeSeries(n=3, time="time"), 0.2, FRAME, Y)
    assert held.sum() == 24 and FRAME["time"][held].min() > FRAME["time"][~held].max()


def test_the_folds_of_the_rest_are_drawn_from_the_rest() -> None:
    for folds in (KFold(n=3), Grouped(n=3, group="group"), TimeSeries(n=3, time="time")):
        plan = planned(folds, 0.2, FRAME, Y, np.arange(N))
        held = held_out(folds, 0.2, FRAME, Y, np.arange(N))
        assert (plan[held] == HELD).all() and set(plan[~held].tolist()) <= {-1, 0, 1, 2}
        assert min(np.bincount(plan[plan >= 0])) >= 20


def test_what_cannot_be_held_out_is_refused() -> None:
    with pytest.raises(
        KitError, match=r"^holdout=0.2: Predefined folds are your own, so no rows can be drawn to hold out$"
    ):
        held_out(Predefined(column="own"), 0.2, FRAME, Y)
    with pytest.raises(KitError, match=r"^holdout=0.05: column 'group' has 2 groups, fewer than 20 folds$"):
        held_out(Grouped(group="group"), 0.05, FRAME.assign(group=FRAME["group"] % 2), Y)


def test_no_fold_sees_a_row_that_is_held_out(bench: Bench, tmp_path: Path) -> None:
    plain = bench.run(tmp_path)
    run = plain.with_holdout(0.2)
    held = set(run.held.tolist())
    assert len(held) == 12 and run.store("bowl").folder != plain.store("bowl").folder
    judged = [set(run.split(fold)[1].tolist()) for fold in run.folds]
    assert set.union(*judged) == set(range(60)) - held
    for fold in run.folds:
        train, valid = map(set, run.split(fold))
        assert train | valid == set(range(60)) - held and not train & valid
    assert fit_fold(run, "bowl", 0).state == "done"
    off = run.gathered("bowl")[0]
    x = plain.table.train["x"].to_numpy()[run.held]
    np.testing.assert_allclose(off.test[:, 0], x + (0.3**2 + 1 + 0.05), atol=1e-6)  # in place of the test rows
    assert run.predicted_rows.y is None
    # the same rows in another process, and under other fold plans
    assert run.opened is not None
    far = run_of(run.opened)
    assert far.store("bowl").folder == run.store("bowl").folder
    assert set(run.with_settings("folds.seed=7").held.tolist()) == held
