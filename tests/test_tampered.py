"""Tampered: wired to the columns of a task, and worth something on the contest's sample."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competitions.chinese360.recipe import Chinese360
from kit.data import Rows, Source
from kit.features import Tampered
from kit.features.tampering import GROUPS, tampering_features
from kit.metrics import roc_auc
from kit.spec import KitError
from kit.text.segment import Words


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("sample")
    recipe = Chinese360()
    recipe.write_sample(folder)
    table = recipe.load(folder).subset(240)
    return table.rows(np.arange(len(table.train)))


def test_it_is_the_features_of_these_columns(rows: Rows) -> None:
    frame = rows.source.frame
    groups = [group for group in GROUPS if group != "surprisal"]
    names, expected = tampering_features(frame["content"].tolist(), frame["title"].tolist(), groups=groups)
    found = Tampered().of(rows)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (len(frame), len(names)) and np.isfinite(found).all()
    untitled = Tampered(title=None).of(rows)
    assert untitled.shape[1] < found.shape[1]
    worded = Tampered(segmenter=Words()).of(rows)
    assert worded.shape[1] > found.shape[1] and np.isfinite(worded).all()


def test_trees_tell_the_samples_tampering_by_it(rows: Rows, tmp_path: Path) -> None:
    boost = Chinese360().boost.override("trees=60", "patience=none", "features=Tampered")
    half = np.arange(len(rows)) % 2 == 0
    train, test = (rows.take(np.flatnonzero(side)) for side in (half, ~half))
    plain, told = (
        roc_auc(test.labels, member.fit(train, test, tmp_path).predict(test))
        for member in (boost.override("features=TextStatistics", "text=false"), boost)
    )
    assert told > 0.75 and told > plain + 0.05


def test_a_column_that_is_not_there_is_named() -> None:
    from kit.data import Task

    task = Task(name="t", kind="binary", targets=("y",), text=("text",), metric=roc_auc)
    rows = Rows(task, Source(pd.DataFrame({"text": ["a"]})), np.arange(1))
    with pytest.raises(KitError, match="Tampered: there is no column 'content'; there are: text"):
        Tampered().of(rows)
