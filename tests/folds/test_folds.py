"""Folds: what every plan promises, and what each way of splitting adds."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.folds import (
    Folds,
    Grouped,
    KFold,
    Multilabel,
    Predefined,
    RandomFolds,
    Stratified,
    StratifiedGrouped,
    TimeSeries,
    fold_numbers,
    plan_digest,
)
from kit.run.duplicates import duplicate_groups

ROWS = 400
rng = np.random.default_rng(0)
FRAME = pd.DataFrame({"site": rng.integers(0, 60, ROWS), "day": rng.permutation(ROWS), "x": rng.normal(size=ROWS)})
CLASSES = rng.choice(3, ROWS, p=[0.1, 0.3, 0.6]).astype(float)
TWINS = np.where(np.arange(ROWS) < 370, np.arange(ROWS), np.arange(ROWS) - 370)  # 30 pairs, most in two sites
LABELS = (rng.random((ROWS, 4)) < [0.5, 0.2, 0.05, 0.03]).astype(float)
DRAWN: list[tuple[RandomFolds, np.ndarray]] = [
    (KFold(), CLASSES),
    (Stratified(), CLASSES),
    (Stratified(bins=8), FRAME["x"].to_numpy()),
    (Multilabel(), LABELS),
    (Grouped(group="site"), CLASSES),
    (StratifiedGrouped(group="site"), CLASSES),
    (StratifiedGrouped(group="site", bins=4), FRAME["x"].to_numpy()),
]
drawn = pytest.mark.parametrize(("folds", "y"), DRAWN, ids=lambda v: type(v).__name__ if isinstance(v, Folds) else "")


def straddling(plan: np.ndarray, groups: np.ndarray) -> int:
    """How many groups are in more than one fold."""
    return int((pd.Series(plan).groupby(groups).nunique() > 1).sum())


def unevenness(plan: np.ndarray, flags: np.ndarray) -> float:
    """The widest gap between the folds' shares of a label, (n, labels) → number."""
    shares = np.array([flags[plan == fold].mean(axis=0) for fold in fold_numbers(plan)])
    return float((shares.max(axis=0) - shares.min(axis=0)).max())


# ---- what every drawn plan promises ------------------------------------------------------------


@drawn
def test_every_row_is_validated_once_and_not_trained_on_there(folds: RandomFolds, y: np.ndarray) -> None:
    plan = folds.plan(FRAME, y)
    assert plan.shape == (ROWS,) and plan.dtype == np.int16 and fold_numbers(plan) == [0, 1, 2, 3, 4]
    judged = []
    for fold in fold_numbers(plan):
        train, valid = folds.split(plan, fold)
        assert sorted([*train, *valid]) == list(range(ROWS)), "train and valid are all the rows, each once"
        judged.extend(valid.tolist())
    assert sorted(judged) == list(range(ROWS))
    assert np.ptp(np.bincount(plan)) <= (40 if isinstance(folds, StratifiedGrouped) else 7), (
        "folds are of near equal size"
    )


@drawn
def test_a_seed_repeats_and_another_differs(folds: RandomFolds, y: np.ndarray) -> None:
    plan = folds.plan(FRAME, y)
    state = np.random.get_state(legacy=False)["state"]["key"].copy()
    assert (folds.plan(FRAME.copy(), y.copy()) == plan).all()
    assert (np.random.get_state(legacy=False)["state"]["key"] == state).all(), "the global generator is left alone"
    other = folds.override("seed=1").plan(FRAME, y)
    assert (other != plan).mean() > 0.5 and plan_digest(other) != plan_digest(plan)


@drawn
def test_duplicates_never_straddle(folds: RandomFolds, y: np.ndarray) -> None:
    assert straddling(folds.plan(FRAME, y, TWINS), TWINS) == 0
    apart = folds.override("keep_duplicates_together=false")
    assert (apart.plan(FRAME, y, TWINS) == folds.plan(FRAME, y)).all()
    assert straddling(apart.plan(FRAME, y, TWINS), TWINS) > 10
    assert (folds.plan(FRAME, y, np.arange(ROWS)) == folds.plan(FRAME, y)).all(), "no twins: the plan is the plain one"


@drawn
def test_a_spec_survives_the_disk_and_the_index_does_not_matter(folds: RandomFolds, y: np.ndarray) -> None:
    again = Spec.from_dict(folds.to_dict())
    assert again == folds and isinstance(again, Folds)
    assert (again.plan(FRAME.set_index(np.zeros(ROWS)), y[:, None] if y.ndim == 1 else y) == folds.plan(FRAME, y)).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.lists(st.integers(0, 8), min_size=2, max_size=60), st.integers(0, 9))
def test_folds_are_as_even_as_duplicates_let_them_be(n: int, twins: list[int], seed: int) -> None:
    frame, same = pd.DataFrame(index=range(len(twins))), np.array(twins)
    labels = np.random.default_rng(seed).random((len(twins), 2)) < 0.3
    if len(set(twins)) < n:
        with pytest.raises(KitError, match=f"{n} folds need at least {n} .*rows; there are {len(set(twins))}(: |$)"):
            KFold(n=n).plan(frame, np.zeros(len(twins)), same)
        return
    plan = KFold(n=n, seed=seed).plan(frame, np.zeros(len(twins)), same)
    assert straddling(plan, same) == 0 and np.ptp(np.bincount(plan, minlength=n)) <= np.bincount(same).max()
    for folds in (Stratified(n=n, seed=seed), Stratified(n=n, bins=3), Multilabel(n=n, seed=seed)):
        y = labels[:, 0] if isinstance(folds, Stratified) else labels
        plan = folds.plan(frame, y.astype(float), same)
        assert straddling(plan, same) == 0 and fold_numbers(plan) == list(range(n)), "none is empty"


@pytest.mark.parametrize(
    "folds", [KFold(), Stratified(), Multilabel(), Grouped(group="g"), StratifiedGrouped(group="g")]
)
def test_a_large_cluster_counts_by_its_rows(folds: RandomFolds) -> None:
    same = np.maximum(np.arange(600) - 199, 0)  # 200 duplicates, as a text "n/a", and 400 different rows
    labels = np.random.default_rng(0).random(600) < 0.4
    plan = folds.plan(pd.DataFrame({"g": np.arange(600)}), labels.astype(float), same)
    sizes = np.bincount(plan)
    assert sizes.max() == sizes[plan[0]] and np.ptp(np.delete(sizes, plan[0])) <= 2
    assert sizes.max() <= 204, "the fold that has the 200 gets hardly any other row"


# ---- stratification ----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(5, 23), min_size=1, max_size=5), st.integers(0, 9))
def test_each_class_is_spread_to_one_row(sizes: list[int], seed: int) -> None:
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    plan = Stratified(seed=seed).plan(pd.DataFrame(index=range(len(y))), y)
    assert all(np.ptp(np.bincount(plan[y == c], minlength=5)) <= 1 for c in range(len(sizes)))
    assert np.ptp(np.bincount(plan, minlength=5)) <= 1


def test_a_class_rarer_than_folds_is_spread_as_far_as_it_goes() -> None:
    y = np.repeat([0.0, 1.0, 2.0], [1, 3, 96])
    for seed in range(5):
        plan = Stratified(seed=seed).plan(pd.DataFrame(index=range(100)), y)
        assert len(set(plan[y == 1])) == 3 and np.bincount(plan).tolist() == [20] * 5
        groups = StratifiedGrouped(group="g", seed=seed).plan(pd.DataFrame({"g": np.arange(100) // 2}), y)
        assert len(set(groups[y == 1])) == 2 and np.bincount(groups).tolist() == [20] * 5


def test_several_continuous_targets_are_even_in_every_one() -> None:
    source = np.random.default_rng(2)
    frame, y = pd.DataFrame({"g": np.arange(ROWS)}), np.exp(source.normal(0, 1.5, (ROWS, 3)))
    y[:, 1] = np.where(source.random(ROWS) < 0.5, y[:, 0], y[:, 1])  # targets that hang together
    means: dict[str, list[float]] = {}
    for folds in (KFold(), Stratified(bins=10), StratifiedGrouped(group="g", bins=10)):
        for seed in range(5):
            plan = folds.override(f"seed={seed}").plan(frame, y)
            assert np.ptp(np.bincount(plan)) <= 12
            spread = np.std([np.log(y)[plan == f].mean(axis=0) for f in range(5)], axis=0)
            means.setdefault(type(folds).__name__, []).append(float(spread.max()))
    plain = np.mean(means.pop("KFold"))
    assert all(np.mean(others) < plain / 2 for others in means.values()), "the worst of the three targets"


def test_quantile_bins_even_out_a_skewed_target() -> None:
    y = np.random.default_rng(3).lognormal(0, 2, ROWS)
    spread = {}
    for folds in (KFold(), Stratified(bins=20)):
        plans = [folds.override(f"seed={s}").plan(FRAME, y) for s in range(10)]
        spread[type(folds)] = np.mean([np.std([np.log(y)[p == f].mean() for f in range(5)]) for p in plans])
    assert spread[Stratified] < spread[KFold] / 3


@pytest.mark.parametrize(
    "y", [np.zeros(20), np.arange(20.0), np.repeat([0.0, 5.0], [18, 2])], ids=["same", "few", "tied"]
)
def test_bins_that_cannot_be_filled_are_fewer(y: np.ndarray) -> None:
    frame = pd.DataFrame({"g": range(20)})
    for folds in (Stratified(bins=10), StratifiedGrouped(bins=10, group="g")):
        assert np.bincount(folds.plan(frame, y)).tolist() == [4] * 5


def test_multilabel_evens_out_every_label_and_misses_no_rare_one() -> None:
    source, n = np.random.default_rng(1), 3000
    y = (source.random((n, 6)) < [0.1, 0.01, 0.05, 0.003, 0.05, 0.01]).astype(float)
    y[:, 3] *= y[:, 0]  # as in the toxic comments: a rare label comes with the common one
    y[:6, 3] = y[:6, 0] = 1
    frame = pd.DataFrame(index=range(n))
    for seed in range(3):
        plan, naive = (f(seed=seed).plan(frame, y) for f in (Multilabel, KFold))
        counts = np.array([y[plan == fold].sum(axis=0) for fold in range(5)])
        assert (counts.min(axis=0) >= np.floor(y.sum(axis=0) / 5) - 1).all() and (counts > 0).all()
        assert unevenness(plan, y) < 0.005 < unevenness(naive, y)
        assert np.ptp(np.bincount(plan)) <= 6


def test_multilabel_of_one_column_and_of_soft_labels() -> None:
    y = LABELS[:, 1]
    plan = Multilabel().plan(FRAME, y)
    assert np.ptp([y[plan == f].sum() for f in range(5)]) <= 1
    soft = np.where(LABELS == 1, 0.7, 0.2)  # all of them are true as booleans
    assert (Multilabel().plan(FRAME, soft) == Multilabel().plan(FRAME, LABELS)).all()
    assert fold_numbers(Multilabel().plan(FRAME, LABELS * 0)) == [0, 1, 2, 3, 4], "no label at all is no error"


# ---- groups ------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 40)), min_size=2, max_size=30), st.integers(0, 5))
def test_neither_groups_nor_duplicates_straddle(rows: list[tuple[int, int]], seed: int) -> None:
    groups, twins = (np.array(column) for column in zip(*rows, strict=True))
    frame = pd.DataFrame({"g": [f"g{g}" for g in groups]})
    for folds in (Grouped(group="g", n=2, seed=seed), StratifiedGrouped(group="g", n=2, seed=seed, bins=2)):
        try:
            plan = folds.plan(frame, np.arange(len(rows)), twins)
        except KitError as error:
            assert "column 'g' has 1 group" in str(error)
            continue
        assert straddling(plan, groups) == 0 == straddling(plan, twins)
        assert fold_numbers(plan) == [0, 1]


def test_groups_are_merged_along_chains_of_duplicates() -> None:
    frame = pd.DataFrame({"g": list("aabbccddee")})
    twins = np.array([0, 1, 1, 2, 2, 3, 4, 5, 6, 7])  # a~b by 1, b~c by 2
    plan = Grouped(group="g", n=3).plan(frame, np.zeros(10), twins)
    assert len(set(plan[:6])) == 1 and len({plan[0], plan[6], plan[8]}) == 3
    with pytest.raises(KitError) as error:
        Grouped(group="g", n=4).plan(frame, np.zeros(10), twins)
    assert str(error.value) == "column 'g' has 3 groups once those that share duplicates are merged, fewer than 4 folds"
    # they are also what an interval draws together
    clusters = Grouped(group="g", n=3).clusters(frame, twins)
    assert clusters is not None and clusters.tolist() == [0] * 6 + [1, 1, 2, 2]


def test_clusters_are_the_rows_that_a_plan_keeps_together() -> None:
    frame, twins = pd.DataFrame({"g": list("aabbc"), "f": [0, 1] * 2 + [0]}), np.array([0, 1, 2, 1, 3])
    for folds in (KFold(n=2), Stratified(n=2), Multilabel(n=2)):
        found = folds.clusters(frame, twins)
        assert found is not None and found.tolist() == [0, 1, 2, 1, 3]
        assert folds.clusters(frame, np.arange(5)) is None and folds.clusters(frame) is None
        assert folds.override("keep_duplicates_together=false").clusters(frame, twins) is None
    groups = StratifiedGrouped(group="g", n=2).clusters(frame)
    assert groups is not None and groups.tolist() == [0, 0, 1, 1, 2]
    assert Grouped(group="g", n=2).clusters(frame.assign(g=range(5))) is None  # each group is one row
    assert Predefined(column="f").clusters(frame, twins) is None


def test_large_groups_do_not_unbalance_the_folds() -> None:
    sizes = [50, 30, 20, 20, 20, 10, 10, 10, 10, 10, 5, 5]
    frame = pd.DataFrame({"g": np.repeat(np.arange(len(sizes)), sizes)})
    for seed in range(5):
        assert sorted(np.bincount(Grouped(group="g", n=4, seed=seed).plan(frame, np.zeros(200)))) == [50] * 4


def test_stratified_groups_beat_groups_in_evenness() -> None:
    source = np.random.default_rng(5)
    groups = source.integers(0, 100, 2000)
    y = (source.random(2000) < source.beta(0.5, 2, 100)[groups]).astype(float)  # some groups are nearly all positive
    frame = pd.DataFrame({"g": groups})
    plain, even = (
        np.mean([unevenness(f(group="g", seed=s).plan(frame, y), y[:, None]) for s in range(3)])
        for f in (Grouped, StratifiedGrouped)
    )
    assert even < plain / 3


# ---- time --------------------------------------------------------------------------------------


def test_blocks_follow_in_time_and_are_even() -> None:
    plan = TimeSeries(time="day", n=4).plan(FRAME, CLASSES)
    day = FRAME["day"].to_numpy()
    assert np.bincount(plan + 1).tolist() == [80] * 5
    for fold in range(4):
        train, valid = TimeSeries(time="day", n=4).split(plan, fold)
        assert day[train].max() < day[valid].min() and len(train) == 80 * (fold + 1)
    twins = np.repeat(np.arange(ROWS // 2), 2)
    assert (TimeSeries(time="day", n=4).plan(FRAME, CLASSES, twins) == plan).all(), "time decides, not the duplicates"


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(2, 6), st.integers(0, 4))
def test_forward_only_with_a_gap_whatever_the_crowding(times: list[int], n: int, gap: int) -> None:
    frame, at, folds = pd.DataFrame({"t": times}), np.array(times), TimeSeries(time="t", n=n, gap=gap)
    try:
        plan = folds.plan(frame, at)
    except KitError as error:
        first = TimeSeries(time="t", n=n).plan(frame, at) if len(set(times)) > n else None
        assert ("different times" in str(error)) == (first is None)
        assert first is None or at.min() >= at[first == 0].min() - gap
        return
    assert fold_numbers(plan) == list(range(n)) and straddling(plan, at) == 0
    for fold in range(n):
        train, valid = folds.split(plan, fold, frame)
        assert train.tolist() == np.flatnonzero(at < at[valid].min() - gap).tolist()
        assert fold == 0 or at[plan == fold - 1].max() < at[valid].min()


@pytest.mark.parametrize("kind", ["dates", "iso", "zoned", "numbers"])
def test_a_gap_in_days_and_in_numbers(kind: str) -> None:
    days = pd.Series(pd.date_range("2024-02-20", periods=30, freq="D"))
    column = {"dates": days, "iso": days.dt.strftime("%Y-%m-%d"), "zoned": days.dt.tz_localize("Asia/Tokyo"),
              "numbers": pd.Series(range(30))}[kind]  # fmt: skip
    frame = pd.DataFrame({"when": column}).sample(frac=1, random_state=0)
    folds = TimeSeries(time="when", n=2, gap=7 if kind == "numbers" else "7D")
    plan = folds.plan(frame, np.zeros(30))
    at = frame.index.to_numpy()
    train, valid = folds.split(plan, 0, frame)
    assert sorted(at[valid]) == list(range(10, 20)) and sorted(at[train]) == [0, 1, 2], "day 3 lies just 7 days before"
    assert sorted(at[folds.split(plan, 1, frame)[0]]) == list(range(13))
    with pytest.raises(KitError, match="split needs the frame with column 'when'"):
        folds.split(plan, 0)


def test_times_keep_their_precision() -> None:
    frame = pd.DataFrame({"t": 1_700_000_000_000_000_000 + np.arange(6)})  # nanoseconds that floats cannot tell apart
    folds = TimeSeries(time="t", n=2, gap=1)
    plan = folds.plan(frame, np.zeros(6))
    assert plan.tolist() == [-1, -1, 0, 0, 1, 1] and folds.split(plan, 1, frame)[0].tolist() == [0, 1, 2]
    small = pd.DataFrame({"t": np.arange(6, dtype=np.uint8)})
    with pytest.raises(KitError, match="gap=200 leaves no rows before fold 0 to train on"):
        TimeSeries(time="t", n=2, gap=200).plan(small, np.zeros(6))


# ---- a column ----------------------------------------------------------------------------------


def test_ones_own_folds() -> None:
    frame = pd.DataFrame({"fold": [3, 1, -1, 3.0, 1, 7]})
    folds = Predefined(column="fold")
    plan = folds.plan(frame, np.zeros(6), np.zeros(6, dtype=int))
    assert plan.tolist() == [3, 1, -1, 3, 1, 7] and plan.dtype == np.int16 and fold_numbers(plan) == [1, 3, 7]
    train, valid = folds.split(plan, 3)
    assert (train.tolist(), valid.tolist()) == ([1, 2, 4, 5], [0, 3])
    with pytest.raises(KitError, match="fold 2 does not exist; there are: 1, 3, 7"):
        folds.split(plan, 2)
    with pytest.raises(KitError, match="fold -1 does not exist"):
        folds.split(plan, -1)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([0, 1.5], "column 'c' must hold whole numbers from -1 to 32767; found 1.5 at position 1"),
        ([0, -2], "column 'c' must hold whole numbers from -1 to 32767; found -2 at position 1"),
        ([0, 32768], "column 'c' must hold whole numbers from -1 to 32767; found 32768 at position 1"),
        (["0", "b"], "column 'c' must hold whole numbers from -1 to 32767; found b at position 1"),
        ([True, False], "column 'c' must hold whole numbers from -1 to 32767; found True at position 0"),
        ([0, None], "folds: column 'c' is empty in 1 rows, the first at position 1"),
        ([2, 2], "column 'c' must hold at least two different numbers: a fold, and another fold or -1"),
        ([-1, -1], "column 'c' must hold at least two different numbers: a fold, and another fold or -1"),
    ],
)
def test_fold_columns_that_are_none(values: list[object], sentence: str) -> None:
    with pytest.raises(KitError) as error:
        Predefined(column="c").plan(pd.DataFrame({"c": values}), np.zeros(2))
    assert str(error.value) == sentence


# ---- duplicates --------------------------------------------------------------------------------


def test_text_is_compared_as_a_reader_sees_it() -> None:
    texts = [
        "Hello  World",
        "hello world ",
        "ｈｅｌｌｏ\u00a0world",
        "hello\n\tWORLD",
        "helloworld",
        "",
        None,
        " ",
        "STRASSE",
        "straße",
    ]
    frame = pd.DataFrame({"t": texts})
    assert duplicate_groups(frame, [], text=["t"]).tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 5]
    assert duplicate_groups(frame, ["t"]).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], (
        "other columns are taken as they are"
    )


def test_rows_without_any_value_are_no_duplicates() -> None:
    frame = pd.DataFrame({"t": ["", None, " ", "", "a"], "x": [None, None, None, 1, None]})
    assert duplicate_groups(frame, ["x"], text=["t"]).tolist() == [0, 1, 2, 3, 4]
    assert duplicate_groups(frame, ["x"]).tolist() == [0, 1, 2, 3, 4]
    assert duplicate_groups(frame.assign(y=0), ["y"], text=["t"]).tolist() == [0, 0, 0, 0, 1], "they have a value: 0"


def test_rows_are_duplicates_where_all_columns_agree() -> None:
    frame = pd.DataFrame({"a": [1, 1, 2, 1, 2], "b": ["x", "y", "x", "x", "X"], "c": [None, 0.5, None, None, None]})
    assert duplicate_groups(frame, ["a", "b", "c"]).tolist() == [0, 1, 2, 0, 3]
    assert duplicate_groups(frame, ["a", "b", "c"], text=["b"]).tolist() == [0, 1, 2, 0, 2]
    assert duplicate_groups(frame, ["a"]).tolist() == [0, 0, 1, 0, 1]
    assert duplicate_groups(frame.iloc[:0], ["a"], text=["b"]).tolist() == []
    with pytest.raises(KitError, match="there is no column to find duplicates by"):
        duplicate_groups(frame, [])
    with pytest.raises(KitError, match="column 'bb' is missing"):
        duplicate_groups(frame, ["bb"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("aAbß "), st.integers(0, 2), st.sampled_from([None, 0.0, 1.0])), min_size=1))
def test_duplicates_are_those_of_a_plain_comparison(rows: list[tuple[str, int, float | None]]) -> None:
    groups = duplicate_groups(pd.DataFrame(rows, columns=["t", "i", "f"]), ["t", "i", "f"], text=["t"])
    plain = [(t.casefold().strip(), i, f) for t, i, f in rows]
    for i, row in enumerate(plain):
        assert groups.tolist().index(groups[i]) == plain.index(row)


def test_of_many_long_texts_not_every_pair_is_compared() -> None:
    texts = [f"Comment number {i // 2}, with  some words. " * 6 for i in range(40_000)]
    groups = duplicate_groups(pd.DataFrame({"t": texts}), [], text=["t"])
    assert groups.max() == 19_999  # 800 million comparisons would not end


# ---- sentences ---------------------------------------------------------------------------------

SMALL = pd.DataFrame({"site": ["a", "a", "b", "b", "c", "c"], "t": range(6), "gap": [1, None, 2, None, 3, 4], "when": ["01/02/2020"] * 6})  # fmt: skip
Y = np.array([0, 0, 0, 0, 1, 1.0])


@pytest.mark.parametrize(
    ("folds", "y", "sentence"),
    [
        (KFold(n=7), Y, "7 folds need at least 7 rows; there are 6"),
        (KFold(n=2), Y[:5], "folds: labels have shape (5,) but there are 6 rows"),
        (
            Stratified(n=3),
            Y / 3,
            "stratified folds of a continuous target need bins, as in bins=10: the value 0.333333 has 2 rows for 3 folds",
        ),
        (Stratified(n=2), np.where(Y == 1, np.nan, Y), "folds: 2 rows have no label, the first at position 4"),
        (Multilabel(n=2), np.where(Y == 1, np.nan, Y), "folds: 2 rows have no label, the first at position 4"),
        (Multilabel(n=2), Y * 2, "Multilabel folds need labels between 0 and 1; Stratified takes classes and numbers"),
        (Grouped(n=4, group="site"), Y, "column 'site' has 3 groups, fewer than 4 folds"),
        (Grouped(n=2, group="sit"), Y, "folds: column 'sit' is missing; did you mean 'site'?"),
        (Grouped(n=2, group="gap"), Y, "folds: column 'gap' is empty in 2 rows, the first at position 1"),
        (TimeSeries(n=6, time="t"), Y, "column 't' has 6 different times; 6 folds need 7"),
        (TimeSeries(n=2, time="gap"), Y, "folds: column 'gap' is empty in 2 rows, the first at position 1"),
        (TimeSeries(n=2, time="t", gap="7D"), Y, "gap=7D: column 't' holds numbers; give the gap as a number"),
        (TimeSeries(n=2, time="t", gap=2), Y, "gap=2 leaves no rows before fold 0 to train on"),
        (Predefined(column="fold"), Y, "folds: column 'fold' is missing; there are: site, t, gap, when"),
    ],
)
def test_bad_input_is_one_sentence(folds: Folds, y: np.ndarray, sentence: str) -> None:
    with pytest.raises(KitError) as error:
        folds.plan(SMALL, y)
    assert str(error.value) == sentence


def test_dates_are_not_guessed() -> None:
    with pytest.raises(KitError, match="column 'when' holds neither numbers nor ISO 8601 dates"):
        TimeSeries(n=2, time="when").plan(SMALL, Y)
    dated = SMALL.assign(when=pd.date_range("2020-01-01", periods=6))
    with pytest.raises(KitError, match="gap=1: column 'when' holds dates; give a duration such as '7D'"):
        TimeSeries(n=2, time="when", gap=1).plan(dated, Y)


@pytest.mark.parametrize("gap", [-1, "-1D", "week", "7", float("nan"), "NaT", ""])
def test_a_gap_is_a_length_of_time(gap: float | str) -> None:
    with pytest.raises(KitError, match="is neither a number from 0 on nor a duration such as '7D' or '12h'"):
        TimeSeries(time="t", gap=gap)
    assert TimeSeries(time="t").override("gap=7D").gap == "7D" and TimeSeries(time="t").override("gap=7").gap == 7


def test_no_rows_and_duplicates_of_the_wrong_length() -> None:
    empty = pd.DataFrame({"site": [], "t": [], "fold": []})
    for folds in (KFold(), Stratified(), Multilabel()):
        with pytest.raises(KitError, match="5 folds need at least 5 rows; there are 0"):
            folds.plan(empty, np.empty(0))
    with pytest.raises(KitError, match="column 'site' has 0 groups, fewer than 5 folds"):
        Grouped(group="site").plan(empty, np.empty((0, 1)))
    with pytest.raises(KitError, match="column 't' has 0 different times; 5 folds need 6"):
        TimeSeries(time="t").plan(empty, np.empty(0))
    with pytest.raises(KitError, match="column 'fold' must hold at least two different numbers"):
        Predefined(column="fold").plan(empty, np.empty(0))
    with pytest.raises(KitError, match=r"duplicates have shape \(5,\) but there are 6 rows"):
        KFold(n=2).plan(SMALL, Y, np.arange(5))
    sentence = (
        "2 folds need at least 2 different rows; there are 1: keep_duplicates_together=false splits equal rows as well"
    )
    with pytest.raises(KitError, match=f"^{sentence}$"):
        KFold(n=2).plan(SMALL, Y, np.zeros(6, dtype=int))
    with pytest.raises(KitError, match="KFold.n = 1: input should be greater than or equal to 2"):
        KFold(n=1)


def test_a_digest_names_the_numbers_not_their_type() -> None:
    plan = np.array([0, 1, -1], dtype=np.int16)
    assert plan_digest(plan) == plan_digest(plan.astype(np.int64)) == plan_digest(np.repeat(plan, 2)[::2])
    assert plan_digest(plan) != plan_digest(plan[::-1]) and len(plan_digest(plan)) == 64


def test_plans_are_the_same_on_every_machine() -> None:
    """Banked predictions belong to a plan: a library that draws other folds must not go unnoticed."""
    plan = Stratified(n=3, seed=7).plan(pd.DataFrame(index=range(12)), np.tile([0, 0, 1], 4))
    assert plan.tolist() == [0, 1, 0, 2, 0, 1, 1, 0, 2, 1, 2, 2]
    plan = Stratified(n=3, seed=7).plan(pd.DataFrame(index=range(999)), np.tile([0, 0, 1], 333))
    assert plan_digest(plan).startswith("09ab48015a3e0bdd"), "no unstable sort"


def test_the_import_is_light() -> None:
    code = "import sys, kit.folds; sys.exit(bool({'sklearn', 'torch', 'iterstrat', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
