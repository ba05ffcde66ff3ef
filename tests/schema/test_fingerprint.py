"""Fingerprints of columns, and halves of surrogate pairs."""

import numpy as np
import pandas as pd
import pytest

from kit.metrics import roc_auc
from kit.schema.cells import well_formed
from kit.schema.fingerprint import fingerprint
from kit.table import Table
from kit.task import Task

SAME = {
    "strings": [pd.Series(["a", None, "b", "a"], dtype=kind) for kind in (object, "str")],
    "gaps": [pd.Series([1.0, np.nan]), pd.Series([1.0, -np.float64("nan")]), pd.Series([1, None], dtype="Int64")],
    "dates": [pd.Series(np.array(["2020-01-01", "NaT"], f"datetime64[{unit}]")) for unit in ("s", "us", "ns")],
}


@pytest.mark.parametrize("kind", SAME)
def test_what_holds_values_changes_nothing(kind: str) -> None:
    assert len({fingerprint(column) for column in SAME[kind]}) == 1


def test_any_other_value_or_order_changes_it() -> None:
    columns = [["a", "b"], ["b", "a"], ["ab", ""], ["a", None], ["a", "a"], [1, 2], [1, 3], [1.0, 2.0], [True, False],
               ["1", "2"], [1, "2"], [True, "2"], ["\ud800", "b"], [1, True], [True, 1]]  # fmt: skip
    made = [fingerprint(pd.Series(c, dtype=object if i > 9 else None)) for i, c in enumerate(columns)]
    assert len(set(made)) == len(columns)


def test_halves_of_surrogate_pairs_become_the_replacement_character() -> None:
    odd = pd.Series(["a\ud800", None, "\ud83d\ude00 b", 7], dtype=object)
    assert well_formed(odd).tolist() == ["a\ufffd", None, "😀 b", 7]
    plain = pd.Series(["a", None], dtype=object)
    assert well_formed(plain) is plain
    train = pd.DataFrame({c: pd.Series(["x\udfff", "y"], dtype=object) for c in ("id", "words", "kind", "y")})
    task = Task(name="t", kind="binary", targets="y", text="words", metric=roc_auc)
    table = Table(task, train, train.drop(columns="y"))
    for column in ("id", "words", "kind"):
        assert table.train[column].tolist() == table.test[column].tolist() == ["x\ufffd", "y"]
    assert (
        table.task.classes == ("x\ufffd", "y") and len(table.digest) > 8 and table.test_rows.texts() == ["x\ufffd", "y"]
    )
