"""The table of members × folds: what it shows, and footnotes of that alone."""

from pathlib import Path

from rich.console import Console

from kit.folds import Folds, KFold
from kit.members import Boost, Linear
from kit.metrics import roc_auc
from kit.recipe import Recipe
from kit.report import leaderboard
from kit.run.blend import blend
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from kit.task import Task
from tests.helpers.house import write_csvs


class Two(Recipe):
    task = Task(name="two", kind="binary", targets=("y",), text=("words",), metric=roc_auc)
    folds: Folds = KFold(n=3)
    linear: Linear = Linear(char=None)
    boost: Boost = Boost(trees=3, num_leaves=4, min_leaf=5)


def test_footnotes_are_of_what_the_table_shows(tmp_path: Path) -> None:
    write_csvs(tmp_path / "data")
    recipe = Two()
    run = Run(recipe, recipe.load(tmp_path / "data"), tmp_path / "runs")

    def shown(*names: str) -> str:
        console = Console(width=140)
        with console.capture() as said:
            console.print(leaderboard(run, list(names), None))
        return said.get()

    stopped = "* boost: early stopping uses the validation fold, so the score is slightly optimistic"
    assert "*" not in shown("linear", "boost")  # a member without a score has no footnote
    fit_jobs(jobs_of(run, "linear", [0]))
    assert "*" not in shown("linear", "boost")
    fit_jobs(jobs_of(run, "boost", [1]))
    assert stopped in shown("linear", "boost") and "│ boost* " in shown("boost")
    assert "*" not in shown("linear")


def test_the_blend_line_names_its_members_where_the_table_shows_others(tmp_path: Path) -> None:
    write_csvs(tmp_path / "data")
    recipe = Two()
    run = Run(recipe, recipe.load(tmp_path / "data"), tmp_path / "runs")
    fit_jobs(jobs_of(run, ["linear", "boost"], [0, 1, 2]))

    def line(blended: list[str], names: list[str]) -> str:
        console = Console(width=300)
        with console.capture() as said:
            console.print(leaderboard(run, names, blend(run, blended)))
        return next(line for line in said.get().splitlines() if line.startswith("blend"))

    assert line(["linear"], ["linear"]).endswith(", the score of its only member")
    assert line(["linear"], ["boost"]).startswith("blend of linear: roc_auc ")
    both = line(["linear", "boost"], ["linear", "boost"])
    assert both.startswith("blend: nested roc_auc ") and "best single member" in both and "gain" in both
