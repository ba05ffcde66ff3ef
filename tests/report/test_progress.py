"""Progress: what is under way and what has ended is shown, from the first step on, also without a terminal."""

import io
import json
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from rich.console import Console

from kit.folds import Folds, KFold
from kit.members import Boost, Encoder, Linear, Seeds
from kit.metrics import roc_auc
from kit.recipe import Recipe
from kit.report import Progress
from kit.report.step_log import LoggedStep, last_step
from kit.run.events import FoldEnded, FoldStarted, PrepareEnded, PrepareStarted
from kit.run.jobs import Job, fit_jobs, jobs_of
from kit.run.outcome import Outcome
from kit.run.run import Run
from kit.task import Task
from tests.helpers.house import wait_until, write_csvs

LINE = {"stage": 0, "step": 20, "steps": 100, "epoch": 1, "loss": 0.25, "lr": 1e-3}
SPEED = {"rows_per_second": 31.2, "steps_per_second": 0.5}
LINE |= SPEED


class Three(Recipe):
    task = Task(name="three", kind="binary", targets=("y",), text=("words",), metric=roc_auc)
    folds: Folds = KFold(n=3)
    linear: Linear = Linear(char=None)
    boost: Boost = Boost(trees=3, num_leaves=4, min_leaf=5)
    encoder: Encoder = Encoder()
    twins: Seeds = Seeds(member=Encoder())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    write_csvs(tmp_path / "data")
    recipe = Three()
    return Run(recipe, recipe.load(tmp_path / "data"), tmp_path / "runs")


class Screen:
    """A console, without a terminal by default, and what was printed on it."""

    def __init__(self, force_terminal: bool = False) -> None:
        self.file = io.StringIO()
        self.console = Console(file=self.file, width=140, force_terminal=force_terminal, color_system=None)

    def lines(self) -> list[str]:
        return self.file.getvalue().splitlines()

    def wait_for(self, line: str) -> None:
        """Waits until this was printed; the watching thread looks every now and then."""
        wait_until(lambda: any(line in printed for printed in self.lines()))


@pytest.fixture
def screen() -> Iterator[Screen]:
    yield Screen()


def log(job: Job, **changes: object) -> None:
    folder = job.store.part(job.fold)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "log.jsonl", "a") as file:
        file.write(json.dumps(LINE | changes) + "\n")


def test_every_fold_has_a_line_with_its_score_and_the_mean_so_far(run: Run, screen: Screen) -> None:
    jobs = jobs_of(run, "linear boost")
    with Progress(jobs, screen.console) as progress:
        fit_jobs(jobs, on_event=progress.on_event)
    scores = [job.read().score["score"] for job in jobs if job.member == "linear"]  # type: ignore[union-attr]
    first, second, third = (line for line in screen.lines() if line.startswith("linear fold"))
    assert first.startswith(f"linear fold 0: roc_auc {scores[0]:.5f} in ") and "mean" not in first
    assert second.endswith(f"(mean of 2 folds {sum(scores[:2]) / 2:.5f})")
    assert third.endswith(f"(mean of 3 folds {sum(scores) / 3:.5f})")
    assert sum(line.startswith("boost fold") for line in screen.lines()) == 3


def test_a_fold_under_way_shows_its_step_and_loss_and_an_honest_time(run: Run, screen: Screen) -> None:
    jobs = jobs_of(run, "encoder")
    with Progress(jobs, screen.console, every=0.05) as progress:
        progress.on_event(FoldStarted(jobs[0]))
        screen.wait_for("time left unknown until encoder has one fold")
        assert any(line.startswith("encoder fold 0: under way, for ") for line in screen.lines())
        log(jobs[0])
        screen.wait_for("encoder fold 0: step 20 of 100, epoch 1, loss 0.2500, 31 rows/s, for ")
        screen.wait_for(" left")
        assert screen.lines()[-1].startswith("about ")


def test_folds_that_are_not_known_before_are_counted_as_they_begin(run: Run, screen: Screen) -> None:
    """compare, ablate and curve choose their folds themselves."""
    fit_jobs(jobs_of(run, "linear", [0]))
    with Progress(None, screen.console, every=0.05) as progress:
        fit_jobs(jobs_of(run, "linear"), on_event=progress.on_event)
        job = jobs_of(run, "encoder")[0]
        progress.on_event(FoldStarted(job))
        log(job)
        screen.wait_for(" left for the folds under way")
        screen.wait_for("encoder fold 0: step 20 of 100, epoch 1, loss 0.2500, 31 rows/s, for ")
    ended = [line for line in screen.lines() if line.startswith("linear fold") and "roc_auc" in line]
    assert [line[:13] for line in ended] == ["linear fold 1", "linear fold 2"]  # fold 0 was finished before


def test_steps_of_a_part_say_nothing_of_the_whole(run: Run, screen: Screen) -> None:
    """A member made of members logs one part after another: how many come is not in the log."""
    (job, *_) = jobs = jobs_of(run, "twins")
    log(job, step=100)
    with Progress(jobs, screen.console, every=0.05) as progress:
        progress.on_event(FoldStarted(job))
        screen.wait_for("twins fold 0: step 100 of 100")
        screen.wait_for("time left unknown until twins has one fold")
    assert not any("about" in line for line in screen.lines())


def test_folds_of_an_earlier_run_are_known(run: Run, screen: Screen) -> None:
    assert run.store("linear").state(0) == "absent"
    fit_jobs(jobs_of(run, "linear", [0]))
    jobs = jobs_of(run, "linear", [1, 2])
    with Progress(jobs, screen.console, every=0.05) as progress:
        progress.on_event(FoldStarted(jobs[0]))
        screen.wait_for(" left")
    assert not any("unknown" in line for line in screen.lines())


def test_what_is_prepared_before_the_folds_is_named(run: Run, screen: Screen) -> None:
    (job, *_) = jobs = jobs_of(run, "boost")
    with Progress(jobs, screen.console, every=0.05) as progress:
        progress.on_event(PrepareStarted(job))
        screen.wait_for("boost: preparing features, for ")
        progress.on_event(PrepareEnded(job, seconds=31.0))
    assert "boost: preparing features: 31.0 s" in screen.lines()


def test_on_a_terminal_bars_show_the_same(run: Run) -> None:
    screen, jobs = Screen(force_terminal=True), jobs_of(run, "encoder")
    with Progress(jobs, screen.console) as progress:
        progress.on_event(PrepareStarted(jobs[0]))
        progress.on_event(PrepareEnded(jobs[0], seconds=2.0))
        progress.on_event(FoldStarted(jobs[0]))
        screen.wait_for("time left unknown until encoder has one fold")
        log(jobs[0])
        screen.wait_for("epoch 1 · loss 0.2500 · 31 rows/s")
        progress.on_event(FoldEnded(jobs[0], Outcome("done"), score=0.9, metric="roc_auc", seconds=60.0))
    shown = screen.file.getvalue()
    assert "encoder: preparing tokens" in shown
    assert "encoder fold 0: roc_auc " in shown and " in 1 min 00 s" in shown


def test_what_went_wrong_is_said(run: Run, screen: Screen) -> None:
    one, two, _ = jobs = jobs_of(run, "boost")
    with Progress(jobs, screen.console) as progress:
        progress.on_event(FoldEnded(one, Outcome("failed", "a bad day")))
        progress.on_event(FoldEnded(two, Outcome("busy", "another process is fitting it")))
    first, second = screen.lines()
    assert first.startswith("boost fold 0: failed: a bad day (all of it in ") and first.endswith(
        "fold0.part/error.txt)"
    )
    assert second == "boost fold 1: busy: another process is fitting it"


def test_the_newest_step_of_all_logs_is_taken(tmp_path: Path) -> None:
    assert last_step(tmp_path) is None
    lines = [
        json.dumps(LINE),
        json.dumps(LINE | {"step": 40}),
        json.dumps({"epoch": 1, "score": 0.9}),
        '{"stage": 0, "st',
    ]
    (tmp_path / "part1").mkdir()
    (tmp_path / "part1" / "log.jsonl").write_text("\n".join(lines))
    assert last_step(tmp_path) == LoggedStep(stage=0, step=40, steps=100, epoch=1, loss=0.25, **SPEED)


def test_stages_share_the_training() -> None:
    step = LoggedStep(stage=1, step=50, steps=100, epoch=1, loss=0.1, **SPEED)
    assert step.share(stages=2) == 0.75 and step.share(stages=1) == 1.0
    assert step.seconds_left(stages=2) == 100.0  # 50 steps, two seconds each


@pytest.mark.parametrize("installed", [True, False])
def test_a_notebook_has_bars_where_widgets_are_installed(
    run: Run, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ModuleSpec("ipywidgets", None) if installed else None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found)
    notebook = Console(file=io.StringIO(), force_jupyter=True)
    assert Progress(jobs_of(run, "boost"), notebook).has_bars == installed
    assert not Progress(jobs_of(run, "boost"), Screen().console).has_bars
