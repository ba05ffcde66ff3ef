"""One type a column over all files: the same value however it is spelled, and what does not fit is said."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.members import Boost, Estimator, Linear, Perceptron
from kit.metrics import roc_auc
from kit.rows import Rows
from kit.schema.schema import Schema
from kit.table import Table
from kit.task import Task
from kit.train import Stage

TASK = Task(name="t", kind="binary", targets="y", metric=roc_auc)


def table_of(train: Any, test: Any, task: Task = TASK) -> Table:
    frames = [pd.DataFrame({"x": pd.Series(list(values), dtype=object)}) for values in (train, test)]
    frames[0]["y"] = np.arange(len(frames[0])) % 2
    for start, frame in zip((0, 1000), frames, strict=True):
        frame.insert(0, "id", [str(start + i) for i in range(len(frame))])
    return Table(task, frames[0], frames[1])


def both(train: Any, test: Any, task: Task = TASK) -> tuple[list[Any], list[Any]]:
    table = table_of(train, test, task)
    return table.train["x"].tolist(), table.test["x"].tolist()


@pytest.mark.parametrize(
    "train, test, wanted",
    [
        ([7.0, 8.0, 9.0], ["7", "8.0", " 9 "], [7.0, 8.0, 9.0]),
        (["TRUE", "False", "true"], [True, False, True], [1.0, 0.0, 1.0]),
        (["True", "False", "True"], [1, 0, "1"], [1.0, 0.0, 1.0]),
        (["Yes", "no", "YES"], ["yes", "No", "yes"], [1.0, 0.0, 1.0]),
        ([1, "1", "a"], ["1", 1.0, "a"], ["1", "1", "a"]),
        (["TRUE", "maybe", "FALSE"], ["True", "maybe", False], ["True", "maybe", "False"]),
        (["007", "012", "100"], ["007", "012", 100], ["007", "012", "100"]),
        (["-1", "+2", "1e3"], [-1, 2, 1000], [-1.0, 2.0, 1000.0]),
    ],
)
def test_one_value_has_one_spelling_in_both_files(train: list[Any], test: list[Any], wanted: list[Any]) -> None:
    assert both(train, test) == (wanted, wanted)


@pytest.mark.parametrize("bad", ["?", "unknown", "oops"])
def test_one_word_among_numbers_is_missing_and_said_with_its_id(bad: str) -> None:
    table = table_of(range(50), [*map(str, range(29)), bad])
    assert table.train["x"].tolist() == list(range(50)) and np.isnan(table.test["x"].iloc[-1])
    assert table.notes == (f"test.csv: column 'x': 1 value is no number and counts as missing: '{bad}' at id 1029",)
    assert table.test["x"].notna().sum() == 29


def test_signs_for_nothing_may_be_many_and_words_not() -> None:
    assert both(["?"] * 8 + ["1", "2"], ["3"])[1] == [3.0]
    assert both(["low"] * 8 + ["1", "2"], ["3"])[1] == ["3"]


def test_files_that_disagree_are_said() -> None:
    table = table_of(range(40), ["low", "high"] * 5)
    assert table.notes == (
        "test.csv: column 'x' holds numbers in train.csv but words here: 'low' at id 1000; it is read as a category",
    )
    (note,) = table_of(["TRUE", "FALSE", "maybe"], ["True", "False"]).notes
    assert note.startswith("train.csv: column 'x' holds yes and no in test.csv but words here: 'maybe' at id 2")
    (note,) = table_of(["a", "b"], ["c", "d"]).notes
    assert note == "test.csv: column 'x': none of its values is in train.csv, such as 'c'"


def test_a_category_of_nearly_as_many_values_as_rows_is_said() -> None:
    (note,) = table_of([f"w{i}" for i in range(30)], ["w1"]).notes
    assert note.startswith("column 'x' has 30 different values in 31 rows and is taken for a category")
    assert table_of(["a", "b", "c"] * 10, ["a"]).notes == ()


def test_what_the_task_states_is_not_decided() -> None:
    task = TASK.model_copy(update={"types": (("x", "category"),)})
    assert both([1, 2.0], ["1"], task) == (["1", "2"], ["1"])
    assert Task(name="t", kind="binary", targets="y", metric=roc_auc, types={"x": "category"}).types == task.types  # type: ignore[arg-type]
    with pytest.raises(KitError, match="types"):
        Task(name="t", kind="binary", targets="y", metric=roc_auc, types={"x": "word"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values, wanted",
    [
        (["1,5", "0,126", "-3,25"], [1.5, 0.126, -3.25]),
        (["1,234.5", "12,345", "7"], [1234.5, 12345.0, 7.0]),
        (["1.234,5", "12.345", "7"], [1234.5, 12345.0, 7.0]),
        (["1 234", "1\u00a0234,5", "1'000"], [1234.0, 1234.5, 1000.0]),
    ],
)
def test_signs_of_numbers_are_those_of_the_column(values: list[str], wanted: list[float]) -> None:
    assert both(values, values) == (wanted, wanted)


def test_decimal_commas_are_noted() -> None:
    assert table_of(["1,5", "2,5"], ["3,25"]).notes == ("columns read as numbers with decimal commas (x)",)


@pytest.mark.parametrize(
    "values",
    [
        ["2020-03-31", "2020-04-01", "2021-01-05"],
        ["31/03/2020", "01/04/2020", "05/01/2021"],
        ["03/31/2020", "04/01/2020", "01/05/2021"],
        ["31.03.20", "01.04.20", "05.01.21"],
        ["31 Mar 2020", "1 April 2020", "5 January 2021"],
        ["Mar 31, 2020", "Apr 1, 2020", "Jan 5, 2021"],
        ["2020年3月31日", "2020年4月1日", "2021年1月5日"],
        [pd.Timestamp("2020-03-31"), pd.Timestamp("2020-04-01"), "2021-01-05"],
    ],
)
def test_dates_are_days_since_the_first_in_the_order_of_the_column(values: list[Any]) -> None:
    table = table_of(values, values[1:2])  # the test row alone could be read either way
    assert table.train["x"].tolist() == [0.0, 1.0, 280.0] and table.test["x"].tolist() == [1.0]
    assert table.train["x month"].tolist() == [3.0, 4.0, 1.0] and table.test["x day"].tolist() == [1.0]
    assert (
        "x hour" not in table.train
        and table.notes == ("columns read as dates (x)",)
        and table.inputs == list(table.source.frame.columns)
    )


def test_times_have_hours_and_zones() -> None:
    table = table_of(["2020-01-01T12:00:00Z", "2020-01-02 00:00:00+02:00"], ["2020-01-01 06:30 PM"])
    assert table.train["x"].tolist() == [0.0, pytest.approx(10 / 24)] and table.test["x hour"].tolist() == [18.0]
    assert both(["08:30", "09:00", "10:15"], ["08:30"])[1] == [8.5 / 24 - 8.5 / 24]


def test_an_order_that_nothing_shows_is_said() -> None:
    _, note = table_of(["03/04/2020", "05/06/2020"], ["01/02/2020"]).notes
    assert note == "column 'x': its dates are read as the month, then the day; they could be the day, then the month"


def test_new_rows_are_read_as_the_rows_that_a_member_was_fitted_on() -> None:
    from kit import Boost

    frame = pd.DataFrame({"shop": [1.0, 2.0, np.nan] * 20, "kind": [1, "1", "b"] * 20, "day": ["31/01/2020"] * 60})
    fitted = Boost(trees=3, min_leaf=2, patience=None).fit(frame, [0, 1, 1] * 20)
    new = pd.DataFrame({"shop": ["1", "unknown"], "kind": ["1", 1], "day": ["01/02/2020", "02/01/2020"]})
    as_fitted = pd.DataFrame({"shop": [1.0, np.nan], "kind": ["1", "1"], "day": ["2020-02-01", "2020-01-02"]})
    assert fitted.schema is not None and fitted.schema.columns["day"].order == "day"
    with pytest.warns(UserWarning, match="^frame: column 'shop': 1 value is no number .*: 'unknown' at row 1$"):
        predicted = fitted.predict(new)
    np.testing.assert_array_equal(predicted, fitted.predict(as_fitted))


def test_a_schema_is_saved_and_read_back_and_applies_without_a_whole_frame() -> None:
    table = table_of(["31/03/2020", "01/04/2020"], ["02/04/2020"])
    again = Schema.from_dict(table.schema.to_dict())
    assert again == table.schema
    typed, notes = again.apply(pd.DataFrame({"x": ["05/04/2020", "?"]}))
    assert typed["x"].tolist()[0] == 5.0 and notes == [
        "frame: column 'x': 1 value is no date and counts as missing: '?' at row 1"
    ]
    assert Rows.of(TASK, pd.DataFrame({"x": ["04/04/2020"]}), schema=again).frame["x"].tolist() == [4.0]


def test_a_part_of_the_rows_keeps_the_types_of_all() -> None:
    table = table_of([*map(str, range(50)), "?"], ["3"])
    assert table.subset(5).schema is table.schema and table.subset(5).train["x"].dtype == np.float64


def test_a_categorical_column_of_a_frame_stays_a_category() -> None:
    frame = pd.DataFrame({"x": pd.Categorical([1, 2, 1]), "n": ["1", "2", "1"]})
    _, frames, notes = Schema.of({"frame": frame}, ["x", "n"])
    typed = frames["frame"]
    assert typed["x"].tolist() == ["1", "2", "1"] and typed["n"].tolist() == [1.0, 2.0, 1.0] and notes == []


@pytest.mark.filterwarnings("error")
def test_infinities_and_gaps_among_numbers_move_no_other_row() -> None:
    """Infinities lie farthest, gaps are missing: in every member that reads columns, without a warning."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(0, 1000, 300), rng.normal(size=300)
    y = (x + 500 * z > 0).astype(int)
    frame = pd.DataFrame({"x": x, "z": z, "same": 7.0, "none": np.nan})
    odd = frame.copy()
    odd.loc[[0, 1, 2, 3], "x"] = [np.inf, -np.inf, np.nan, 1e308]
    odd["x"] = [str(value) for value in odd["x"]]  # as a file spells them
    members = [
        Boost(trees=30, min_leaf=5, patience=None), Linear(), Perceptron(hidden=(8,), stage=Stage(epochs=10, lr=0.01)),
        Estimator("sklearn.linear_model.LogisticRegression"),
    ]  # fmt: skip
    for member in members:
        plain, found = (roc_auc(y[4:], member.fit(rows, y).predict(rows)[4:]) for rows in (frame, odd))
        assert found > 0.9 and abs(found - plain) < 0.03, type(member).__name__
