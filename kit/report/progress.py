"""Progress over members and folds: bars in a terminal and in a notebook; elsewhere lines every half minute."""

import importlib.util
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from kit.core.units import duration
from kit.report.step_log import LoggedStep, last_step
from kit.report.time_left import Pace, TimeLeft, UnderWay, time_left
from kit.run.events import Event, FoldEnded, FoldStarted, PrepareEnded, PrepareStarted
from kit.run.jobs import Job


class Progress:
    """Shows which folds are fitted, how fast, what they score, and how long the rest will take.

    Args:
        jobs: the folds that will be fitted; None: folds are counted as they begin, and the time left is that of the
            folds under way.
        console: the console for bars or lines.
        every: seconds between two lines, if no bars can be shown.
    """

    def __init__(self, jobs: Sequence[Job] | None, console: Console, every: float = 30.0) -> None:
        self.console, self.every = console, every
        # rich draws bars in a notebook by ipywidgets
        widgets = console.is_jupyter and importlib.util.find_spec("ipywidgets") is not None
        self.has_bars = console.is_terminal or widgets
        self.all_known = jobs is not None
        self.parts: dict[Job, Path] = {}
        self.waiting: Counter[str] = Counter()
        self.finished: dict[str, list[float]] = {}
        for job in jobs or ():
            self._add(job)
        self.scores: dict[str, list[float]] = {}
        self.started: dict[Job, float] = {}
        self.steps: dict[Job, LoggedStep] = {}
        self.paces: dict[Job, Pace] = {}
        self.preparing: dict[Job, float] = {}
        self.lock = threading.Lock()  # events come from one thread; another thread watches the logs
        self.bars = Bars(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"), console=console, disable=not self.has_bars,
        )  # fmt: skip
        self.total = self.bars.add_task("folds", total=None if jobs is None else len(jobs), note="")
        self.tasks: dict[Job, TaskID] = {}
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self.bars.start()
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.ended.set()
        self.thread.join()
        self.bars.stop()

    def on_event(self, event: Event) -> None:
        """Shows an event; pass this method to `kit.run.jobs.fit_jobs`."""
        job, name, line = event.job, _name(event.job), ""
        if isinstance(event, FoldEnded) and event.outcome.state == "kept" and job not in self.parts:
            return  # it was finished before
        with self.lock:
            self._add(job)
            if isinstance(event, PrepareStarted):
                self.preparing[job] = time.monotonic()
                self._begin(job, _preparing(job))
            elif isinstance(event, PrepareEnded):
                self._end(job)
                self.preparing.pop(job, None)
                line = f"{_preparing(job)}: {duration(event.seconds)}" if event.seconds >= 1 else ""
            elif isinstance(event, FoldStarted):
                self.started[job] = time.monotonic()
                self.paces[job] = Pace()
                self.waiting[name] -= 1
                self._begin(job, str(job))
            else:
                self._end(job)
                if self.started.pop(job, None) is None:
                    self.waiting[name] -= 1
                self.steps.pop(job, None)
                self.bars.advance(self.total)
                line = self._result(event)
        if line:
            self.console.print(line, highlight=False, soft_wrap=True)

    def _add(self, job: Job) -> None:
        """Counts a fold that will be fitted. Its folder is computed here: the watching thread only reads files."""
        if job in self.parts:
            return
        self.parts[job] = job.store.part(job.fold)
        self.waiting[_name(job)] += 1
        if _name(job) not in self.finished:
            self.finished[_name(job)] = _earlier(job)

    def _begin(self, job: Job, description: str) -> None:
        self._end(job)
        self.tasks[job] = self.bars.add_task(description, total=None, note="")

    def _end(self, job: Job) -> None:
        if (task := self.tasks.pop(job, None)) is not None:
            self.bars.remove_task(task)

    def _result(self, event: FoldEnded) -> str:
        job, name, outcome = event.job, _name(event.job), event.outcome
        if outcome.state == "failed":
            return f"{job}: failed: {outcome.sentence} (all of it in {self.parts[job]}/error.txt)"
        if not outcome.finished or event.score is None or event.seconds is None:
            return f"{job}: {outcome.state}: {outcome.sentence}"
        self.finished[name].append(event.seconds)
        if event.fault:
            return f"{job}: no score in {duration(event.seconds)}; the predictions are kept: {event.fault}"
        scores = self.scores.setdefault(name, [])
        scores.append(event.score)
        mean = f" (mean of {len(scores)} folds {sum(scores) / len(scores):.5f})" if len(scores) > 1 else ""
        return f"{job}: {event.metric} {event.score:.5f} in {duration(event.seconds)}{mean}"

    def _left(self) -> str:
        left = self._time_left()
        return f"{left} for the folds under way" if not self.all_known and left.seconds is not None else str(left)

    def _time_left(self) -> TimeLeft:
        now = time.monotonic()
        under_way = [
            UnderWay(_name(job), now - began, self.paces[job].left(now)) for job, began in self.started.items()
        ]
        return time_left(self.waiting, under_way, self.finished)

    def _see(self, job: Job, step: LoggedStep) -> None:
        self.steps[job], member = step, job.run.recipe.members[job.member]
        if getattr(member, "stage", None) is not None:  # a member made of members logs its parts one after another
            stages = 1 + len(getattr(member, "then", ()))
            self.paces[job].see(time.monotonic(), step.share(stages), step.seconds_left(stages))

    def _watch(self) -> None:
        spoken = time.monotonic()
        while not self.ended.wait(0.5 if self.has_bars else min(2.0, self.every)):
            read = {job: step for job in list(self.started) if (step := last_step(self.parts[job]))}
            with self.lock:
                for job, step in read.items():
                    if job in self.started:
                        self._see(job, step)
                self._show()
                lines = self._lines() if time.monotonic() - spoken >= self.every else []
            if lines and not self.has_bars:
                spoken = time.monotonic()
                for line in lines:
                    self.console.print(line, highlight=False, soft_wrap=True)

    def _show(self) -> None:
        for job, step in self.steps.items():
            if (task := self.tasks.get(job)) is not None:
                note = f"epoch {step.epoch} · loss {step.loss:.4f} · {step.rows_per_second:.0f} rows/s"
                self.bars.update(task, completed=step.step, total=step.steps, note=note)
        self.bars.update(self.total, note=self._left())

    def _lines(self) -> list[str]:
        """The folds that are being fitted, and the time left."""
        now, lines = time.monotonic(), []
        for job, began in self.preparing.items():
            lines.append(f"{_preparing(job)}, for {duration(now - began)}")
        for job, began in self.started.items():
            step = self.steps.get(job)
            lines.append(f"{job}: {step or 'under way'}, for {duration(now - began)}")
        return [*lines, self._left()] if lines else []


def _name(job: Job) -> str:
    """The name of a group of folds that take about equally long."""
    return job.label or job.member


def _preparing(job: Job) -> str:
    return f"{_name(job)}: preparing {job.run.recipe.members[job.member].prepares}"


def _earlier(job: Job) -> list[float]:
    """Seconds of earlier finished folds of the same member with the same settings."""
    kept = [job.store.read(fold, test=False) for fold in job.run.folds]
    return [sum(fold.score["seconds"].values()) for fold in kept if fold is not None]
