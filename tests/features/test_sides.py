"""Features of side tables: each aggregate against a pandas one-liner, nested ones, windows, row times, DeepFeatures."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit import DeepFeatures, Rows, Side, SideAggregates, Task, roc_auc
from kit.core.classes import class_named
from kit.core.errors import KitError
from kit.features.base import FittedFeatures
from kit.features.sides import base as side_features
from kit.sides.sides import Sides
from kit.source import Source

TASK = Task(name="loans", kind="binary", id="client", inputs=("income",), targets="late", metric=roc_auc)
SIDES = (
    Side(file="loans.csv", key="client", time="day", missing=(365243, "XNA")),
    Side(file="payments.csv", key="loan", of="loans", time="month"),
    Side(file="calls.csv", key="payment", of="payments"),
)
RNG = np.random.default_rng(5)
LOANS = pd.DataFrame(
    {
        "client": RNG.integers(0, 30, 220),
        "loan": RNG.permutation(220),
        "day": -RNG.integers(1, 40, 220),  # several of a day
        "sum": np.where(RNG.random(220) < 0.2, np.nan, RNG.normal(1000, 300, 220).round(2)),
        "due": np.where(RNG.random(220) < 0.3, 365243, RNG.integers(0, 90, 220)),
        "state": RNG.choice(["open", "closed", "sold", "XNA"], 220),
    }
)
PAYMENTS = pd.DataFrame(
    {
        "loan": RNG.integers(0, 190, 1500),
        "payment": np.arange(1500),
        "month": -RNG.integers(0, 30, 1500),
        "paid": RNG.normal(50, 9, 1500),
    }
)
CALLS = pd.DataFrame({"payment": RNG.integers(0, 1500, 700), "length": RNG.normal(3, 1, 700)})
CLIENTS = pd.DataFrame(
    {"client": [str(i) for i in range(40)], "income": np.where(np.arange(40) % 7, 100.0 * np.arange(40), 0.0)}
)
KNOWN = LOANS.assign(
    due=LOANS["due"].where(LOANS["due"] != 365243), state=LOANS["state"].where(LOANS["state"] != "XNA"), client=LOANS["client"].astype(str)
)  # fmt: skip
GROUPS = KNOWN.groupby("client")


def rows(
    loans: pd.DataFrame = LOANS, cache: Path | None = None, sides: Any = SIDES, clients: pd.DataFrame = CLIENTS
) -> Rows:
    frames = {"loans": loans, "payments": PAYMENTS, "calls": CALLS}
    related, _ = Sides.of_frames(
        sides, {side.name: frames[side.name] for side in (sides if isinstance(sides, tuple) else (sides,))}
    )
    found = Rows.of(TASK, clients, sides=related)
    if cache is None:
        return found
    return dataclasses.replace(found, source=Source(found.source.frame, cache, sides=found.source.sides))


def made(features: Any, **given: Any) -> pd.DataFrame:
    return features.fit_transform(rows(**given))[1].set_index(CLIENTS["client"])


def slope(group: pd.DataFrame) -> float:
    known = group.dropna(subset=["sum"])
    return np.polyfit(known["day"], known["sum"], 1)[0] if known["day"].nunique() > 1 else np.nan


def at_the_end(group: pd.DataFrame) -> float:
    return group.loc[group["day"] == group["day"].max(), "sum"].mean()


ONE_LINERS: dict[str, Callable[[], pd.Series]] = {
    "count": lambda: GROUPS.size(),
    "mean": lambda: GROUPS["sum"].mean(),
    "min": lambda: GROUPS["sum"].min(),
    "max": lambda: GROUPS["sum"].max(),
    "sum": lambda: GROUPS["sum"].sum(min_count=1),
    "std": lambda: GROUPS["sum"].std(),
    "nunique": lambda: GROUPS["sum"].nunique().replace(0, np.nan),
    "last": lambda: GROUPS[["day", "sum"]].apply(at_the_end),
    "trend": lambda: GROUPS[["day", "sum"]].apply(slope),
}


def same(found: pd.Series, expected: pd.Series, absent: float = np.nan) -> None:
    wanted = expected.reindex(CLIENTS["client"])
    wanted[~wanted.index.isin(KNOWN["client"])] = absent
    assert wanted.notna().sum() > 15
    np.testing.assert_allclose(found.to_numpy(), wanted.to_numpy(dtype=float), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("statistic", ONE_LINERS)
def test_each_statistic_is_that_of_pandas(statistic: str) -> None:
    features = SideAggregates(side="loans", columns="sum", statistics=() if statistic == "count" else statistic)
    name = "count in loans" if statistic == "count" else f"{statistic} of sum in loans"
    same(made(features)[name], ONE_LINERS[statistic](), 0.0 if statistic == "count" else np.nan)


def test_declared_oddities_are_missing() -> None:
    found = made(SideAggregates(side="loans", columns="due", statistics=("max", "mean")))
    assert found["max of due in loans"].max() < 100
    same(found["mean of due in loans"], GROUPS["due"].mean())


def test_values_of_categories() -> None:
    found = made(
        SideAggregates(
            side="loans", columns="sum", statistics="nunique", categories="state", by=("count", "share", "mean")
        )
    )
    for state in ("open", "closed", "sold"):
        where = KNOWN[KNOWN["state"] == state]
        count = where.groupby("client").size().reindex(GROUPS.size().index, fill_value=0)
        same(found[f"count in loans where state = {state}"], count, 0.0)
        same(found[f"share in loans where state = {state}"], count / GROUPS.size())
        same(found[f"mean of sum in loans where state = {state}"], where.groupby("client")["sum"].mean())
    same(found["nunique of state in loans"], GROUPS["state"].nunique().replace(0, np.nan))
    assert not [name for name in found if "XNA" in name]


def test_only_the_most_frequent_values() -> None:
    found = made(SideAggregates(side="loans", columns="sum", categories="state", levels=2))
    most = KNOWN["state"].value_counts().index[:2]
    assert {name.rpartition(" ")[2] for name in found if "state" in name} == {*most}


def test_the_last_rows_by_time() -> None:
    found = made(SideAggregates(side="loans", columns="sum", statistics="sum", last=3))
    late = KNOWN[GROUPS["day"].rank(method="min", ascending=False) <= 3]
    same(found["sum of sum in loans, last 3"], late.groupby("client")["sum"].sum(min_count=1))
    same(found["count in loans, last 3"], late.groupby("client").size(), 0.0)


def test_a_window_before_the_row() -> None:
    found = made(SideAggregates(side="loans", columns="sum", statistics="mean", window=10))
    late = KNOWN[KNOWN["day"] > -10]
    same(found["mean of sum in loans, window 10"], late.groupby("client")["sum"].mean())
    same(
        found["count in loans, window 10"],
        late.groupby("client").size().reindex(GROUPS.size().index, fill_value=0),
        0.0,
    )
    after = LOANS.assign(day=LOANS["day"] + 20)  # some are later than the row
    late = KNOWN[(KNOWN["day"] + 20 <= 0) & (KNOWN["day"] + 20 > -10)]
    found = made(SideAggregates(side="loans", columns="sum", statistics="mean", window=10), loans=after)
    same(found["mean of sum in loans, window 10"], late.groupby("client")["sum"].mean())


def test_ratios_to_a_column_of_the_row() -> None:
    found = made(SideAggregates(side="loans", columns="sum", statistics=("mean", "max"), ratios={"sum": "income"}))
    income = CLIENTS.set_index("client")["income"].replace(0, np.nan)
    same(found["max of sum in loans / income"], GROUPS["sum"].max() / income)
    with pytest.raises(KitError, match="rows have no column 'incomes'; they have: income"):
        made(SideAggregates(side="loans", columns="sum", ratios={"sum": "incomes"}))


def test_nested_sides_go_over_their_parent() -> None:
    found = made(SideAggregates(side="payments", columns="paid", statistics=("mean", "last"), then=("mean", "max")))
    paid = PAYMENTS.groupby("loan")["paid"].mean()
    loans = KNOWN.assign(paid=KNOWN["loan"].map(paid), n=KNOWN["loan"].map(PAYMENTS.groupby("loan").size()).fillna(0))
    same(found["max of (mean of paid in payments) in loans"], loans.groupby("client")["paid"].max())
    same(found["mean of (mean of paid in payments) in loans"], loans.groupby("client")["paid"].mean())
    same(found["sum of (count in payments) in loans"], loans.groupby("client")["n"].sum(), 0.0)
    same(found["mean of (count in payments) in loans"], loans.groupby("client")["n"].mean())


def test_sides_of_sides_of_sides() -> None:
    found = made(SideAggregates(side="calls", columns="length", statistics="sum", then="sum"))
    payments = PAYMENTS.assign(length=PAYMENTS["payment"].map(CALLS.groupby("payment")["length"].sum()))
    loans = KNOWN.assign(length=KNOWN["loan"].map(payments.groupby("loan")["length"].sum(min_count=1)))
    same(
        found["sum of (sum of (sum of length in calls) in payments) in loans"],
        loans.groupby("client")["length"].sum(min_count=1),
    )


def test_no_row_sees_what_is_later_than_itself() -> None:
    clients = CLIENTS.assign(income=[*([-20.0] * 20), *([-5.0] * 20)])
    side = SIDES[0].model_copy(update={"row_time": "income"})
    features = SideAggregates(side="loans", columns="sum", statistics=("sum", "last"))
    found = made(features, sides=(side, *SIDES[1:]), clients=clients)
    own = KNOWN["client"].map(clients.set_index("client")["income"])
    past = KNOWN[KNOWN["day"] <= own].groupby("client")
    same(found["sum of sum in loans"], past["sum"].sum(min_count=1))
    same(found["count in loans"], past.size().reindex(GROUPS.size().index, fill_value=0), 0.0)
    windowed = made(
        SideAggregates(side="loans", columns="sum", statistics="sum", window=10), sides=side, clients=clients
    )
    last = KNOWN[(KNOWN["day"] <= own) & (KNOWN["day"] > own - 10)].groupby("client")
    same(windowed["sum of sum in loans, window 10"], last["sum"].sum(min_count=1))
    nested = made(
        SideAggregates(side="payments", columns="paid", statistics="sum"), sides=(side, *SIDES[1:]), clients=clients
    )
    joined = PAYMENTS.merge(KNOWN[KNOWN["day"] <= own], on="loan")
    joined = joined[joined["month"] <= joined["client"].map(clients.set_index("client")["income"])]
    inner = joined.groupby(["client", "loan"])["paid"].sum().groupby("client").max()
    same(nested["max of (sum of paid in payments) in loans"], inner)


def test_dates_are_compared_with_the_rows_own_date() -> None:
    start = pd.Timestamp("2024-06-01")
    loans = LOANS.assign(day=[(start + pd.Timedelta(days=int(d))).strftime("%Y-%m-%d") for d in LOANS["day"]])
    clients = CLIENTS.assign(asked="2024-05-20")
    task = TASK.model_copy(update={"inputs": ("income", "asked")})
    side = SIDES[0].model_copy(update={"row_time": "asked"})
    related, _ = Sides.of_frames(side, {"loans": loans})
    found = SideAggregates(side="loans", columns="sum", statistics="sum", window=10).fit_transform(
        Rows.of(task, clients, sides=related)
    )[1]
    past = KNOWN[(KNOWN["day"] <= -12) & (KNOWN["day"] > -22)].groupby("client")
    same(found["sum of sum in loans, window 10"], past["sum"].sum(min_count=1))
    with pytest.raises(KitError, match="a window of dates ends at the row's own time; name its column"):
        made(SideAggregates(side="loans", columns="sum", window=10), loans=loans)


def test_what_needs_a_time_says_so() -> None:
    with pytest.raises(KitError, match="side 'calls' has no time: name its column"):
        made(SideAggregates(side="calls", columns="length", statistics="last"))


def test_values_do_not_read_other_rows_or_labels() -> None:
    features = DeepFeatures()
    whole = features.of(rows())
    part = features.of(rows(clients=CLIENTS.iloc[5:9]))
    np.testing.assert_array_equal(part, whole[5:9])


# ---- DeepFeatures ---------------------------------------------------------------------------------


def test_deep_features_take_all_tables_in_turns() -> None:
    names = list(made(DeepFeatures(depth=3)))
    assert names[:3] == [
        "count in loans",
        "sum of (count in payments) in loans",
        "sum of (sum of (count in calls) in payments) in loans",
    ]
    assert {"mean of sum in loans", "last of sum in loans", "trend of sum in loans", "nunique of state in loans"} <= {
        *names
    }
    assert len(names) == len({*names}) and not [name for name in names if "of loan " in name or "of client" in name]


def test_deep_features_are_bounded() -> None:
    assert len(list(made(DeepFeatures(most=7)))) == 7
    assert not [name for name in made(DeepFeatures(depth=1)) if "payments" in name]
    assert not [name for name in made(DeepFeatures(sides=("payments",))) if "(" not in name]
    assert not [name for name in made(DeepFeatures(ignore=("sum",))) if "sum in loans" in name]
    with pytest.raises(KitError, match="there is no side table 'payment'; did you mean 'payments'"):
        made(DeepFeatures(sides=("payment",)))


def test_deep_features_are_those_that_are_declared() -> None:
    deep, declared = made(DeepFeatures()), made(SideAggregates(side="loans", columns="sum", categories="state"))
    for name in {*deep} & {*declared}:
        np.testing.assert_array_equal(deep[name], declared[name])
    assert len({*deep} & {*declared}) > 6


# ---- kept -----------------------------------------------------------------------------------------


def test_saved_features_give_the_same_columns_to_other_sides(tmp_path: Path) -> None:
    fitted, values = SideAggregates(side="loans", categories="state", by=("share", "mean")).fit_transform(rows())
    fitted.save(tmp_path)
    back = class_named(type(fitted).__name__, FittedFeatures).load(tmp_path)
    pd.testing.assert_frame_equal(back.transform(rows()), values)
    other = back.transform(rows(LOANS.assign(state="new")))  # no value of it is known
    assert list(other) == list(values) and not other["share in loans where state = open"].any()
    with pytest.raises(KitError, match="side table 'loans' is missing, of which 'count in loans' is made"):
        back.transform(_without_loans())


def _without_loans() -> Rows:
    related = Sides.of_frames(SIDES, {})[0]
    return Rows.of(TASK, CLIENTS, sides=related)


def test_after_a_kill_finished_tables_are_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = (SIDES[0], Side(file="calls.csv", key="payment", of_key="client", name="calls"))
    features, asked, real = DeepFeatures(), list[str](), side_features.values_of

    def killed(sides: Any, side: str, *given: Any) -> Any:
        asked.append(side)
        if side == "calls" and len(asked) == 2:
            raise KeyboardInterrupt
        return real(sides, side, *given)

    monkeypatch.setattr(side_features, "values_of", killed)
    with pytest.raises(KeyboardInterrupt):
        features.prepare(rows(cache=tmp_path, sides=sides))
    features.prepare(rows(cache=tmp_path, sides=sides))
    assert asked == ["loans", "calls", "calls"]
    np.testing.assert_array_equal(features.of(rows(cache=tmp_path, sides=sides)), features.of(rows(sides=sides)))
    assert asked[3:] == ["loans", "calls"]  # of the rows without a cache


def test_values_are_the_same_bits_each_time() -> None:
    times = np.tile(np.arange(40), 500)
    loans = pd.DataFrame({"client": np.repeat(np.arange(500), 40) % 40, "day": -times})
    loans["sum"] = np.where(times % 2, 0.1, 0.3) * (1 + loans["client"])  # as many of each: hardly any trend
    loans["due"] = 0.1  # all equal: no spread
    features = SideAggregates(side="loans", columns=("sum", "due"), statistics=("mean", "sum", "std", "trend"))
    first = made(features, loans=loans, sides=SIDES[0])
    assert (first["std of due in loans"].dropna() == 0).all() and (first["trend of due in loans"].dropna() == 0).all()
    for _ in range(5):
        pd.testing.assert_frame_equal(made(features, loans=loans, sides=SIDES[0]), first, check_exact=True)
