"""A recipe's file that cannot be run: one sentence with file, line and the nearest right thing."""

from pathlib import Path

import pytest

from kit.cli.recipe_file import import_recipe
from kit.core.errors import KitError

HEAD = "from kit import Boost, KFold, Linear, Metric, Recipe, Task, roc_auc\n"
BODY = (
    "class Mine(Recipe):\n    task = Task(name='m', kind='binary', targets='y', metric=roc_auc)\n    boost = Boost()\n"
)


def refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The sentence about a recipe of this text, without the name of its file."""
    name = f"recipe_{abs(hash((text, tmp_path)))}"
    folder = tmp_path / "competitions"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    with pytest.raises(KitError) as error:
        import_recipe(name, folder)
    assert error.value.__cause__ is not None, "debug=1 shows its traceback"
    file, _, sentence = str(error.value).partition(", ")
    assert file == f"competitions/{name}.py"
    return sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("from kit.data import Task\n", "line 1: kit has no module 'data'; from kit import Task"),
        ("\nfrom kit.data import (\n    Task,\n    Table,\n)\n", "line 2: kit has no module 'data'; from kit import Task, Table"),
        ("from kit.old import Task, take_rows, file_checksum\n", "line 1: kit has no module 'old'; from kit import Task"),
        ("import kit.fold\n", "line 1: kit has no module 'fold'; did you mean 'folds'?"),
        ("import no_such_package\n", "line 1: there is no module 'no_such_package'; is its package installed?"),
        ("from kit import Stratifed\n", "line 1: kit has no 'Stratifed'; did you mean 'Stratified'? from kit import Stratified"),
        ("from kit.task import roc_auc\n", "line 1: kit.task has no 'roc_auc'; from kit import roc_auc"),
        ("from kit.members import plan_digest\n", "line 1: kit.members has no 'plan_digest'; from kit.folds.base import plan_digest"),
        (HEAD + "folds = Stratified(n=5)\n", "line 2: 'Stratified' is not defined; from kit import Stratified"),
        ("x = log_los\n", "line 1: 'log_los' is not defined; did you mean 'log_loss'? from kit import log_loss"),
        (HEAD + "x = roc_aux\n", "line 2: 'roc_aux' is not defined; did you mean 'roc_auc'?"),
        ("data_folder = 1\nx = data_foldr\n", "line 2: 'data_foldr' is not defined; did you mean 'data_folder'?"),
        ("import kit\nx = kit.Stratfied()\n", "line 2: kit has no 'Stratfied'; did you mean 'Stratified'? from kit import Stratified"),
        ("def f(:\n", "line 1: invalid syntax: def f(:"),
        ("def f():\nreturn 1\n", "line 2: expected an indented block after function definition on line 1: return 1"),
        ("x = 1\n1 / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("raise ValueError\n", "line 1: ValueError"),
        ("def scored(y, p):\n    return 0\nscored(1, 2, 3)\n", "line 3: scored() takes 2 positional arguments but 3 were given; it is called as scored(y, p)"),
        (HEAD + "Boost(5)\n", "line 2: Boost takes settings by name only: trees=5, …"),
        (HEAD + BODY + "    nb = Linear(CC=1)\n", "line 5: Linear has no setting 'CC'; did you mean 'C'?"),
        (HEAD + BODY + "    steps = 5\n", "line 2: Mine.steps: 5 is no member, folds or blend"),
        (HEAD + BODY.replace("metric=roc_auc", "metric=max"), "line 3: 'max' is a function; write Metric(max, greater_is_better=True), or False for a loss"),
    ],
)  # fmt: skip
def test_what_a_recipe_raises_is_one_sentence(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refused(text, tmp_path, monkeypatch).startswith(sentence)


def test_a_wrong_call_is_shown_with_the_right_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(HEAD + 'Metric("rmsle", max, False, "value")\n', tmp_path, monkeypatch)
    assert said.startswith("line 2: Metric takes a function and a name, then settings by name, not False: Metric(my_fu")
    said = refused("from kit import Medals\nMedals()\n", tmp_path, monkeypatch)
    assert said.startswith("line 2: ") and "it is called as Medals(" in said and "\n" not in said


def test_the_line_is_that_of_a_person_s_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "competitions").mkdir()
    (tmp_path / "competitions" / "helping_mine.py").write_text("\n\nimport pandas\npandas.DataFrame(columns=3)\n")
    with pytest.raises(AssertionError):  # the helper is named, not the recipe that imports it
        refused("import helping_mine\n", tmp_path, monkeypatch)
    monkeypatch.syspath_prepend(str(tmp_path / "competitions"))
    with pytest.raises(KitError, match=r"^competitions/helping_mine.py, line 4: TypeError: "):
        import_recipe("helping_mine", tmp_path / "competitions")
