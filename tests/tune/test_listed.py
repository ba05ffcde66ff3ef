"""A database of trials that says another thing than their list is refused."""

import sqlite3
from pathlib import Path

import pytest

from kit.core.errors import KitError
from tests.helpers.tuning import Bench, bench, searched  # noqa: F401


def test_a_database_that_was_changed_is_refused_and_made_again_once_it_is_removed(bench: Bench, tmp_path: Path) -> None:
    whole = searched(bench, tmp_path, "bowl.a=0.3", trials=3)
    (path,) = tmp_path.rglob("bowl.db")
    with sqlite3.connect(path) as table:
        table.execute("UPDATE trial_values SET value = value - 1 WHERE trial_id = 2")
    with pytest.raises(KitError) as error:
        searched(bench, tmp_path, "bowl.a=0.3", trials=3)
    assert f"{path} is damaged: trial 1 is not what " in str(error.value)
    path.unlink()
    again = searched(bench, tmp_path, "bowl.a=0.3", trials=3)
    assert [t["score"] for t in again.trials] == [t["score"] for t in whole.trials]
