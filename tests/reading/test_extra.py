"""Rows without labels beside train and test: what decides types by them, what learns from them, what does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit import Linear, Recipe, Stratified, Task, TextNet, roc_auc
from kit.core.errors import KitError
from kit.rows import Rows
from kit.table import Table
from kit.tta.base import NewColumns, View, with_views

TASK = Task(name="t", kind="binary", targets="y", text="words", inputs=("words", "x"), metric=roc_auc)
TRAIN = pd.DataFrame({"id": range(8), "words": ["red one", "blue two"] * 4, "x": [*"12345678"], "y": [0, 1] * 4})
TEST = pd.DataFrame({"id": [90, 91], "words": ["red", "green"], "x": [1, 2]})
EXTRA = pd.DataFrame({"id": ["a", "a", "b"], "words": ["violet sky", None, "violet sea"], "x": ["7", "?", "9"]})


def table_of(*extra: pd.DataFrame, task: Task = TASK) -> Table:
    return Table(task, TRAIN, TEST, extra={f"extra{i}.csv": frame for i, frame in enumerate(extra)})


def test_extra_rows_follow_those_of_test_without_labels_and_ids() -> None:
    table = table_of(EXTRA, EXTRA[["words"]].iloc[:1])
    rows = table.extra_rows
    assert rows.y is None and rows.at.tolist() == [10, 11, 12, 13] and list(rows.frame.columns) == ["words", "x"]
    assert rows.texts() == ["violet sky", "", "violet sea", "violet sky"]
    np.testing.assert_array_equal(rows.frame["x"], [7, np.nan, 9, np.nan])
    assert table.rows(np.arange(3)).extra.at.tolist() == rows.at.tolist()  # as a member reaches them
    assert table.test_rows.at.tolist() == [8, 9] and len(table_of().extra_rows) == 0
    assert table.notes[-3:] == (
        "extra1.csv: column 'x' is missing, and empty in its rows",
        "extra0.csv: column 'x': 1 value is no number and counts as missing: '?' at id a",
        "extra0.csv: 1 missing texts in 'words' count as empty",
    )


def test_types_are_decided_by_extra_rows_too() -> None:
    wordy = table_of(EXTRA.assign(x=["low", "high", "low"]))
    assert table_of(EXTRA).train["x"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert wordy.train["x"].tolist() == [*"12345678"] and wordy.extra["extra0.csv"]["x"].tolist() == [
        "low",
        "high",
        "low",
    ]
    assert any(
        "extra0.csv: column 'x' holds numbers in train.csv but words here: 'low'" in note for note in wordy.notes
    )


def test_digests_change_with_any_extra_cell_and_not_with_ids() -> None:
    tables = [table_of(), table_of(EXTRA), table_of(EXTRA.assign(x=["7", "?", "8"])), table_of(EXTRA, EXTRA)]
    assert len({t.digest for t in tables}) == len({t.source.digest for t in tables}) == 4
    assert table_of(EXTRA.assign(id=[*"xyz"])).digest == table_of(EXTRA.drop(columns="id")).digest == tables[1].digest


def test_a_part_of_the_rows_has_a_part_of_the_extra_ones() -> None:
    part = table_of(pd.concat([EXTRA] * 5)).subset(4)
    assert len(part.train) == len(part.extra_rows) == 4 and part.schema.columns["x"].type == "number"


@pytest.mark.parametrize(
    "extra, said",
    [
        (EXTRA[["id"]], "extra0.csv: has no column that members read: words, x; it has: id"),
        (
            EXTRA.rename(columns={"words": "Words"}),
            "extra0.csv: column 'words' is missing, which train.csv has; did you mean 'Words'?",
        ),
        (EXTRA.set_axis(["id", "words", "words"], axis=1), "extra0.csv: column 'words' occurs twice"),
    ],
)
def test_what_cannot_be_meant_is_refused(extra: pd.DataFrame, said: str) -> None:
    with pytest.raises(KitError) as error:
        table_of(extra)
    assert str(error.value) == said


def test_labels_and_further_columns_are_left_out_and_said() -> None:
    table = table_of(EXTRA.assign(y=1, source="blog"))
    assert table.digest == table_of(EXTRA).digest
    assert {
        "extra0.csv: 'y' is left out: extra rows have no labels",
        "extra0.csv: column 'source' is in no other file and left out",
    } < {*table.notes}


def test_vocabularies_of_all_texts_read_extra_rows() -> None:
    net = TextNet(vocabulary="all", min_count=1)  # as word vectors and language models do
    known = {
        n: net.make_dataset(table_of(*e).rows(np.arange(8))).vocabulary["words"]
        for n, e in (("no", ()), ("yes", (EXTRA,)))
    }
    assert {*known["yes"]} - {*known["no"]} == {"violet", "sky", "sea"}


class Louder(View):
    def see(self, frame: pd.DataFrame, task: Task, seed: int) -> Iterator[NewColumns]:
        yield {"words": [text.upper() for text in frame["words"]]}


def test_views_keep_extra_rows_apart() -> None:
    seen = with_views(table_of(EXTRA).rows(np.arange(8)), [Louder()], 0)
    assert seen.extra.at.tolist() == [10, 11, 12] and len(seen.source.frame) == 26


class Mine(Recipe):
    task = TASK
    extra = "more.csv"
    folds = Stratified(n=2)
    linear = Linear()


def test_a_recipe_names_its_file_and_open_takes_frames(tmp_path: Path) -> None:
    for name, frame in (("train.csv", TRAIN), ("test.csv", TEST)):
        frame.to_csv(tmp_path / name, index=False)
    with pytest.raises(
        KitError, match="more.csv is missing, which the recipe names in extra; it holds test.csv, train.csv$"
    ):
        Mine().load(tmp_path)
    EXTRA.to_csv(tmp_path / "more.csv.gz", index=False)
    read = Mine().load(tmp_path)
    assert read.extra_rows.texts() == ["violet sky", "", "violet sea"] and [*read.extra] == ["more.csv.gz"]
    frames: Any = Mine().open(TRAIN, TEST, extra=[EXTRA, EXTRA], runs=tmp_path / "runs").table
    assert (
        [*frames.extra] == ["extra 1", "extra 2"]
        and isinstance(frames.extra_rows, Rows)
        and len(frames.extra_rows) == 6
    )
    assert Mine().open(TRAIN, TEST, extra=EXTRA, runs=tmp_path / "runs").table.digest == read.digest
    with pytest.raises(KitError, match="^test, sample, extra and sides are frames that go with a train frame"):
        Mine().open(tmp_path, extra=EXTRA, runs=tmp_path / "runs")
