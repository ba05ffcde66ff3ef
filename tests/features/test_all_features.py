"""What every class of features keeps: the same values for the same row, saved or not, alone or among others."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit import (
    Arithmetic,
    Boost,
    Crosses,
    DateFeatures,
    Features,
    FrequencyEncoding,
    GroupStatistics,
    KitError,
    MissingPatterns,
    NeighbourTargets,
    NumbersAsCategories,
    RareLevels,
    Rows,
    RowStatistics,
    TargetEncoding,
    Task,
    roc_auc,
)
from kit.core.spec import choices

pytestmark = pytest.mark.filterwarnings("ignore:columns read as dates", "ignore:.*:UserWarning")
TASK = Task(name="t", kind="binary", targets="y", metric=roc_auc)
EVERY = ("mean", "std", "min", "max", "median", "count", "share", "rank", "ratio", "difference")
CASES: list[Features] = [
    GroupStatistics(by=("city", ("city", "trade"), "rooms"), statistics=EVERY),
    FrequencyEncoding(keys=("city", ("city", "rooms"))),
    RareLevels(least=30),
    Crosses(least=5),
    NumbersAsCategories(columns=("rooms", "x")),
    NumbersAsCategories(columns=("x", "nothing"), bins=4),
    RowStatistics(columns=("x", "z", "rooms")),
    RowStatistics(standardised=True),
    MissingPatterns(),
    DateFeatures(),
    Arithmetic(operations=("sum", "difference", "product", "ratio"), most=3, keep=5),
    TargetEncoding(keys=("city", ("city", "trade"), "nothing"), statistics=("mean", "std", "count", "q10", "q90")),
    NeighbourTargets(columns=("x", "z", "nothing"), k=7),
]
IDS = [f"{type(case).__name__}{i}" for i, case in enumerate(CASES)]
# of other inputs, and those that train (tests/pretrain/test_autoencoders.py)
ELSEWHERE = {
    "PictureStatistics",
    "SideAggregates",
    "DeepFeatures",
    "Embedding",
    "TextStatistics",
    "DAE",
    "TransformerDAE",
    "VAE",
}


def frame_of(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, n))
    day = np.datetime64("2020-03-01") + rng.integers(0, 900, n).astype("timedelta64[D]")
    later = day + rng.integers(0, 90, n).astype("timedelta64[D]")
    return pd.DataFrame({
        "city": rng.choice(np.array(["Rome", "Oslo", "Lima", None], object), n, p=[0.5, 0.3, 0.1, 0.1]),
        "trade": rng.choice(np.array(["baker", "smith"], object), n),
        "rooms": rng.integers(1, 5, n).astype(float),
        "x": np.where(rng.random(n) < 0.1, np.nan, x),
        "z": z,
        "nothing": np.full(n, np.nan),
        "day": day.astype(str),
        "later": later.astype(str),
    })  # fmt: skip


def rows_of(n: int = 240) -> Rows:
    frame = frame_of(n)
    y = (frame.z - frame.x.fillna(0) + (frame.city == "Rome") > 0).astype(float)
    return Rows.of(TASK, frame, y.to_numpy())


def others(like: Rows, n: int, **changed: Any) -> Rows:
    return Rows.of(TASK, frame_of(n, seed=9).assign(**changed), schema=like.source.schema)


def plain(column: pd.Series) -> list[str | None]:
    return [None if value is None or value != value else value for value in column]


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True), check_exact=True)


def test_every_class_is_here() -> None:
    of_kit = {name for name, cls in choices(Features).items() if cls.__module__.startswith("kit.")}
    assert {type(case).__name__ for case in CASES} | ELSEWHERE >= of_kit - {"Features", "Learnt", "SideFeatures"}


@pytest.mark.parametrize("features", CASES, ids=IDS)
def test_values_belong_to_a_row_and_survive_saving(features: Features, tmp_path: Path) -> None:
    rows = rows_of()
    train = rows.take(np.random.default_rng(1).permutation(160))
    before = rows.source.frame.copy(deep=True)
    features.check(rows.task)
    features.prepare(rows)
    fitted, mine = features.fit_transform(train)
    pd.testing.assert_frame_equal(rows.source.frame, before)
    assert len(mine) == 160 and len({*map(str, mine.columns)}) == len(mine.columns) and len(mine.columns) > 0
    new = others(rows, 60, city=["Atlantis", *["Rome"] * 58, None])  # a value that nobody knows
    found = fitted.transform(new)
    assert list(found.columns) == list(mine.columns) and len(found) == 60
    fitted.save(tmp_path)
    again = type(fitted).load(tmp_path)
    same(again.transform(new), found)
    order = np.random.default_rng(2).permutation(60)
    same(fitted.transform(new.take(order)), found.iloc[order])
    same(fitted.transform(new.take([0])), found.iloc[[0]])
    empty = others(rows, 5, **{name: [None] * 5 for name in ("city", "x", "rooms", "day")})
    assert list(fitted.transform(empty).columns) == list(found.columns)


@pytest.mark.parametrize("features", CASES, ids=IDS)
def test_the_order_of_train_rows_does_not_matter(features: Features) -> None:
    rows = rows_of()
    straight, mixed = np.arange(160), np.random.default_rng(3).permutation(160)
    (fitted, mine), (other, theirs) = (features.fit_transform(rows.take(order)) for order in (straight, mixed))
    pd.testing.assert_frame_equal(theirs, mine.iloc[mixed].reset_index(drop=True), rtol=1e-12)
    new = rows.take(np.arange(160, 240))
    pd.testing.assert_frame_equal(other.transform(new), fitted.transform(new), rtol=1e-12)


def test_a_member_reads_all_of_them(tmp_path: Path) -> None:
    rows = rows_of()
    train, valid = rows.take(np.arange(160)), rows.take(np.arange(160, 240))
    member = Boost(features=tuple(CASES), trees=20, patience=None, min_leaf=5)
    fitted = member.learn(train, valid, tmp_path)
    assert roc_auc(valid.labels, fitted.predict(valid)) > 0.8
    assert "rank of z by city × trade" in fitted.columns.names


def test_group_statistics_are_those_of_pandas() -> None:
    rows = rows_of()
    spec = GroupStatistics(by=(("city", "trade"),), columns=("x",), statistics=EVERY)
    _, found = spec.fit_transform(rows)
    x = rows.frame.x
    grouped = x.groupby([rows.frame.city, rows.frame.trade], dropna=False)
    for how in ("mean", "std", "min", "max", "median"):
        np.testing.assert_allclose(found[f"{how} of x by city × trade"], grouped.transform(how))
    np.testing.assert_array_equal(found["count by city × trade"], grouped.transform("size"))
    np.testing.assert_allclose(found["share by city × trade"], grouped.transform("size") / 240)
    np.testing.assert_allclose(found["rank of x by city × trade"], grouped.rank(pct=True))
    np.testing.assert_allclose(found["difference of x to its mean by city × trade"], x - grouped.transform("mean"))
    np.testing.assert_allclose(found["ratio of x to its mean by city × trade"], x / grouped.transform("mean"))


def test_groups_know_rows_that_are_not_train_rows() -> None:
    rows = rows_of()
    _, found = GroupStatistics(by="city", statistics="count").fit_transform(rows.take(np.arange(10)))
    sizes = rows.frame.city.groupby(rows.frame.city, dropna=False).transform("size")
    np.testing.assert_array_equal(found["count by city"], sizes[:10])


def test_categories_are_those_that_settings_ask_for() -> None:
    frame = pd.DataFrame({"a": [*"uuuvw", None], "b": [*"ppqqpp"], "n": [1, 1, 2, 2.5, np.nan, 9]})
    rows = Rows.of(TASK, frame)
    rare = RareLevels(columns="a", least=2).fit_transform(rows)[1].iloc[:, 0]
    assert plain(rare) == ["u", "u", "u", "rare", "rare", None]
    cross = Crosses(pairs=(("a", "b"),), least=1).fit_transform(rows)[1]["a × b"]
    assert cross.tolist() == ["u × p", "u × p", "u × q", "v × q", "w × p", "missing × p"]
    assert Crosses(least=2).fit_transform(rows)[1]["a × b"].tolist() == ["u × p", "u × p", *["rare"] * 4]
    numbers = NumbersAsCategories().fit_transform(rows)[1]["n as category"]
    assert plain(numbers) == ["1", "1", "2", "2.5", None, "9"]
    halves = NumbersAsCategories(bins=2).fit_transform(rows)[1]["n as category"]
    assert plain(halves) == ["range 1", "range 1", "range 2", "range 2", None, "range 2"]
    shares = FrequencyEncoding(keys="a").fit_transform(rows)[1]["frequency of a"]
    np.testing.assert_allclose(shares, [0.5, 0.5, 0.5, 1 / 6, 1 / 6, 1 / 6])


def test_rows_and_gaps_are_described() -> None:
    frame = pd.DataFrame({"a": [1.0, 0, np.nan], "b": [3.0, 0, 5], "c": [np.nan, 1, 1], "d": [np.nan, 1, 1.0]})
    found = RowStatistics(columns=("a", "b")).fit_transform(Rows.of(TASK, frame))[1]
    np.testing.assert_allclose(found["mean of the row's numbers"], [2, 0, 5])
    np.testing.assert_allclose(found["sum of the row's numbers"], [4, 0, 5])
    np.testing.assert_allclose(found["zeros in the row"], [0, 2, 0])
    gaps = MissingPatterns().fit_transform(Rows.of(TASK, frame))[1]
    assert gaps["missing cells"].tolist() == [2, 0, 1]
    assert gaps["a missing"].tolist() == [0, 0, 1] and gaps["c, d missing"].tolist() == [1, 0, 0]
    assert gaps["pattern of missing cells"].nunique() == 3


def test_dates_have_differences_and_circles() -> None:
    frame = pd.DataFrame(
        {"day": ["2020-12-31", "2021-01-01", "2021-06-30"], "later": ["2021-01-01", None, "2021-07-10"]}
    )
    found = DateFeatures().fit_transform(Rows.of(TASK, frame))[1]
    np.testing.assert_allclose(found["days from day to later"], [1, np.nan, 10])
    points = found[["day month, sine", "day month, cosine"]].to_numpy()
    near, far = np.linalg.norm(points[0] - points[1]), np.linalg.norm(points[0] - points[2])
    assert near < 0.6 < 1.9 < far


def test_arithmetic_keeps_the_pair_that_tells_the_label() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(1, 9, (800, 5)), columns=[*"abcde"])
    rows = Rows.of(TASK, frame, (frame.b / frame.d > 1).astype(float).to_numpy())
    _, found = Arithmetic(keep=2).fit_transform(rows)
    assert {"b / d", "b − d"} & {*found.columns} and len(found.columns) == 2
    name = next(c for c in found.columns if c in ("b / d", "b − d"))
    theirs = frame.b / frame.d if "/" in name else frame.b - frame.d
    np.testing.assert_allclose(found[name], theirs)


def test_neighbours_are_those_of_a_naive_search_and_never_the_row_itself() -> None:
    rows = rows_of()
    from kit.features.targets import inner_folds

    spec = NeighbourTargets(columns=("x", "z"), k=9)
    fitted, mine = spec.fit_transform(rows)
    points = rows.frame[["x", "z"]]
    points = ((points - points.median()) / points.std(ddof=0)).fillna(0).to_numpy()
    away = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    plan = inner_folds(rows, 5, 0)
    for at in range(0, 240, 17):
        near = [i for i in np.argsort(away[at]) if plan[i] != plan[at]][:9]
        np.testing.assert_allclose(mine.iloc[at, 0], rows.labels[near].mean())
        np.testing.assert_allclose(
            fitted.transform(rows.take([at])).iloc[0, 0], rows.labels[np.argsort(away[at])[:9]].mean()
        )
    pure = np.random.default_rng(5).random(240) < 0.5
    noise = Rows(rows.task, rows.source, rows.at, pure[:, None].astype(float))
    fitted, crossed = NeighbourTargets(columns=("x", "z"), k=1).fit_transform(noise)
    assert (
        roc_auc(noise.labels, fitted.transform(noise).to_numpy())
        > 0.9
        > 0.65
        > roc_auc(noise.labels, crossed.to_numpy())
    )


def test_what_makes_no_sense_is_refused() -> None:
    rows = rows_of()
    for features, said in [
        (GroupStatistics(by="city", columns=("trade",)), "GroupStatistics: column 'trade' holds no numbers"),
        (NeighbourTargets(columns=("city",)), "NeighbourTargets: column 'city' holds no numbers"),
        (DateFeatures(columns=("x",)), "DateFeatures: 'x' is no column of dates; there are: day, later"),
        (Arithmetic(columns=("xx", "z")), "Arithmetic: there is no column 'xx'"),
    ]:
        with pytest.raises(KitError, match=said):
            features.fit_transform(rows)
