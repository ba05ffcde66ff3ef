"""What an editor knows of a notebook: what `open` gives, and its options; read by mypy."""

import inspect
import re
from pathlib import Path

import pytest
from mypy import api

import kit
from kit.recipe import Recipe
from kit.session import open_recipe
from tests.helpers.house import ROOT

NOTEBOOK = """
from kit import Boost, Recipe, Task, roc_auc

class Mine(Recipe):
    task = Task(name="mine", kind="binary", targets=("sold",), metric=roc_auc)
    boost: Boost = Boost()

run = Mine().open("data/mine", rows=100)
reveal_type(run)
reveal_type(run.fit)
reveal_type(run.blend())
reveal_type(run.oof("boost"))
reveal_type(run.predict)
Mine().open("data/mine", row=100)
"""


@pytest.mark.slow
def test_editors_complete_what_open_gives(tmp_path: Path) -> None:
    (tmp_path / "notebook.py").write_text(NOTEBOOK)
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    found, problems, _ = api.run([*options, str(tmp_path / "notebook.py")])
    revealed = re.findall(r'Revealed type is "(.*)"', found)
    assert not problems and len(revealed) == 5 and not [one for one in revealed if one == "Any"]
    assert revealed[0] == "kit.session.session.Session" and revealed[2] == "kit.session.results.Blending"
    assert revealed[1].startswith("def ") and revealed[3].startswith("pandas.") and revealed[4].startswith("def ")
    assert len(re.findall("error:", found)) == 1 and 'Unexpected keyword argument "row"' in found


def test_a_notebook_shows_the_options_of_open() -> None:
    assert kit.Recipe is Recipe and kit.Recipe.open is open_recipe
    assert {"data", "test", "runs", "settings", "preset", "rows"} <= set(inspect.signature(kit.Recipe.open).parameters)
