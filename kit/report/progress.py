"""Progress over members, folds and epochs, read from the bank: so it sees the work of every process."""

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from kit.report.leaderboard import duration
from kit.run import Outcome, Run

SHOWN = {"step", "steps", "epoch", "rows_per_second", "steps_per_second"}  # of a logged line


class Progress:
    """Shows the folds that are fitted: bars on a terminal, elsewhere a line when a fold ends and now and then between.

    Args:
        run: whose folds are fitted.
        missing: the (member, fold) pairs to come.
        console: where to show.
        every: seconds between lines where there is no terminal.
    """

    def __init__(self, run: Run, missing: Sequence[tuple[str, int]], console: Console, every: float = 30.0) -> None:
        self.run, self.console, self.every = run, console, every
        # shelves are found once, here: the watching thread should only look at files
        self.shelves = {name: run.shelf(name) for name, _ in missing}
        self.waiting = list(missing)
        self.bars = Bars(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self.total = self.bars.add_task("folds", total=len(missing), rate="")
        self.tasks: dict[tuple[str, int], TaskID] = {}
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

    def told(self, name: str, fold: int, outcome: Outcome) -> None:
        """A fold has ended: says how."""
        self.waiting.remove((name, fold))
        if (task := self.tasks.pop((name, fold), None)) is not None:
            self.bars.remove_task(task)
        self.bars.advance(self.total)
        shelf = self.shelves[name]
        if outcome in ("done", "kept") and (kept := shelf.read(fold)):
            seconds = duration(sum(kept.score["seconds"].values()))
            said = f"{kept.score['metric']} {kept.score['score']:.5f} in {seconds}"
        elif outcome == "failed":
            said = f"failed: {last_line(shelf.part(fold) / 'error.txt')} (all of it in {shelf.part(fold)}/error.txt)"
        else:
            said = "busy: another process is at work on it"
        self.console.print(f"{name} fold {fold}: {said}", highlight=False, soft_wrap=True)

    def _watch(self) -> None:
        spoken = time.monotonic()
        said: dict[tuple[str, int], dict[str, Any]] = {}
        while not self.ended.wait(0.5 if self.console.is_terminal else 2.0):
            lines = {pair: line for pair in tuple(self.waiting) if (line := self._line(*pair))}
            for (name, fold), line in lines.items():
                self._show(name, fold, line)
            if not self.console.is_terminal and lines != said and time.monotonic() - spoken >= self.every:
                spoken, said = time.monotonic(), lines
                for (name, fold), line in lines.items():
                    left = (line["steps"] - line["step"]) / line["steps_per_second"]
                    self.console.print(
                        f"{name} fold {fold}: step {line['step']} of {line['steps']}, {line['rows_per_second']:.0f} "
                        f"rows/s, {duration(left)} left", highlight=False, soft_wrap=True)  # fmt: skip

    def _show(self, name: str, fold: int, line: dict[str, Any]) -> None:
        if (name, fold) not in self.tasks:
            self.tasks[name, fold] = self.bars.add_task(f"{name} fold {fold}", total=line["steps"], rate="")
        rate = f"epoch {line['epoch']} · {line['rows_per_second']:.0f} rows/s"
        self.bars.update(self.tasks[name, fold], completed=line["step"], rate=rate)

    def _line(self, name: str, fold: int) -> dict[str, Any] | None:
        for text in last_lines(newest(self.shelves[name].part(fold), "log.jsonl")):
            try:
                line = json.loads(text)
            except ValueError:  # the line is being written
                continue
            if isinstance(line, dict) and line.keys() >= SHOWN:  # a member may log what it likes
                return line
        return None


def newest(folder: Path, name: str) -> Path:
    """The file of this name that was written last; members made of members have one for each part."""
    try:
        return max(folder.rglob(name), key=lambda path: path.stat().st_mtime, default=folder / name)
    except OSError:  # the fold ended meanwhile
        return folder / name


def last_line(path: Path) -> str:
    """The last line of a text file that says anything; empty where there is none."""
    return next(iter(last_lines(path)), "")


def last_lines(path: Path) -> list[str]:
    """The lines of a text file that say anything, the last one first; none where the file is not there."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError:
        return []
    return [line for line in reversed(lines) if line.strip()]
