"""Numbers as files have them, of any length."""

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.metrics import rmse
from kit.reading.labels import read_labels
from kit.reading.numbers import as_numbers
from kit.task import Task


def test_a_number_of_any_length_is_a_number() -> None:
    column = pd.Series(["1", "9" * 400, "-" + "9" * 400, "x", None, "2.5"], dtype=object)
    np.testing.assert_array_equal(as_numbers(column), [1, np.inf, -np.inf, np.nan, np.nan, 2.5])
    np.testing.assert_array_equal(as_numbers(pd.Series(["1", "x"])), [1, np.nan])


def test_a_label_of_400_digits_is_refused_in_a_short_sentence() -> None:
    task = Task(name="long", kind="regression", targets=("y",), inputs=("x",), metric=rmse)
    train = pd.DataFrame({"id": ["a", "b"], "x": [1, 2], "y": ["1", "9" * 400]})
    with pytest.raises(KitError) as error:
        read_labels(task, "train.csv", train)
    said = str(error.value)
    assert said.startswith("train.csv: 1 label of 'y' is not a finite number, as a regression task needs: 999")
    assert said.endswith(" at id b") and len(said) < 600
