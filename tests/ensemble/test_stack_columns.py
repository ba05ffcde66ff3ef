"""Original columns beside the predictions: what of them is learnt, and how other files spell the same."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kit.ensemble
from kit.core.errors import KitError
from kit.ensemble import (
    OutOfFold,
    Stack,
    Trees,
)
from kit.ensemble.stack.encoding import ColumnEncoding
from kit.metrics import rmse, roc_auc
from tests.helpers.blends import SMALL, data, frame

nested = partial(kit.ensemble.nested, rounds=0)  # no intervals


def test_trees_with_columns_find_where_a_member_is_to_be_trusted() -> None:
    rng = np.random.default_rng(0)
    n = 1200
    y, place = (rng.random((n, 1)) < 0.5).astype(float), rng.choice(["north", "south"], n)
    right, wrong = (1 / (1 + np.exp(-(s * (2 * y - 1) + rng.normal(0, 1, (n, 1))))) for s in (1.5, 0))
    north = (place == "north")[:, None]
    p = np.stack([np.where(north, right, wrong), np.where(north, wrong, right)])
    columns, plan = pd.DataFrame({"place": place}), np.arange(n) % 4
    with_it, without = (
        nested(Stack(model=Trees(min_leaf=10), columns=names), OutOfFold(p, y, roc_auc, plan=plan, columns=columns))
        for names in (("place",), ())
    )
    assert with_it is not None and without is not None and with_it.score > without.score + 0.02
    assert sum(with_it.weights[0].values()) < 0.9 < sum(without.weights[0].values())  # the rest is the column's


def test_columns_are_filled_and_coded_by_the_learnt_rows_alone() -> None:
    p, y, _ = data("values")
    columns = frame(240)
    columns["price"] += 5 * y[:, 0]
    fitted: Any = Stack(columns=("price", "category")).fit(p, y, rmse, columns=columns)
    assert fitted.columns.inputs == (
        "price",
        "price missing",
        *(f"category={c}" for c in by_count(columns["category"])),
    )
    strange = pd.DataFrame({"category": [None, "mauve", "red"], "price": [np.nan, np.inf, 50.0]})
    seen = fitted.columns.encode(strange, 3)
    median = columns["price"].median()
    assert seen[:, :2].tolist() == [[median, 1], [median, 1], [50, 0]]
    assert seen[:2, 2:].sum() == 0 and seen[2, 2:].sum() == 1  # what was not seen is no category
    coded: Any = Stack(model=SMALL, columns=("price", "category")).fit(p, y, rmse, columns=columns)
    seen = coded.columns.encode(strange, 3)
    assert np.isnan(seen[:2]).all() and seen[2].tolist() == [50, by_count(columns["category"]).index("red")]
    plain = Stack().fit(p, y, rmse)
    assert rmse(y[:, 0], fitted.predict(p, columns)[:, 0]) < rmse(y[:, 0], plain.predict(p)[:, 0])


def test_numbers_that_name_a_category_are_written_alike_in_all_files() -> None:
    learnt = ColumnEncoding.of(pd.Series(["1", "2", "A", "1"], name="code"))
    test = pd.Series([1.0, np.nan, 2.0], name="code")  # no letter in this file, but a gap: read as floats
    assert learnt.encode(test, False).tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    mixed = ColumnEncoding.of(pd.Series([1.0, "A", None, 2, 1], dtype=object, name="code"))
    assert mixed.values == ("1", "2", "A")
    assert learnt.encode(pd.Series(["1", "2"], dtype="string", name="code"), False).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert mixed.encode(pd.Series([2, 1], name="code"), True).tolist() == [[1], [0]]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_times_are_numbers(zone: str | None) -> None:
    days = pd.Series(pd.to_datetime(["2020-01-01 06:00", None, "2020-01-04 18:00"]).tz_localize(zone), name="t")
    learnt = ColumnEncoding.of(days)
    assert learnt.values is None and learnt.gaps and learnt.inputs(False) == ("t", "t missing")
    seen = learnt.encode(days, False)
    assert seen[2, 0] - seen[0, 0] == 3.5 and seen[:, 1].tolist() == [0, 1, 0]
    assert seen[1, 0] == pytest.approx(learnt.median) == pytest.approx(seen[[0, 2], 0].mean())
    assert ColumnEncoding.of(days.dropna().diff()).encode(days.dropna().diff(), False)[1, 0] == 3.5  # spans of time


@pytest.mark.parametrize("coded", [False, True])
def test_a_column_of_which_nothing_is_known_is_named(coded: bool) -> None:
    words = ColumnEncoding.of(pd.Series(["red", "blue"] * 80, name="color"))
    numbers = ColumnEncoding.of(pd.Series(np.arange(5.0), name="price"))
    with pytest.raises(KitError, match="^Stack: column 'color' was learnt as categories such as 'blue', but none of "
                                       "these 101 values is known, such as 'Red'; write it the same way"):  # fmt: skip
        words.encode(pd.Series(["Red"] * 101), coded)
    with pytest.raises(KitError, match="'price' was learnt as numbers, but .*such as '1,5'"):
        numbers.encode(pd.Series(["1,5"] * 101), coded)
    for column in (words, numbers):  # a column may lack in a whole fold
        assert len(column.encode(pd.Series([None] * 101, dtype=object), coded)) == 101
    assert len(words.encode(pd.Series(["Red"] * 100), coded)) == 100  # few rows may all be strange
    assert len(words.encode(pd.Series([*["Red"] * 100, "red"]), coded)) == 101


def by_count(column: pd.Series) -> list[str]:
    counts = column.value_counts()
    return sorted(counts.index, key=lambda value: (-counts[value], value))
