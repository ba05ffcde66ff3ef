"""The last training step that a fold under way has logged."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NEEDED = {
    "stage",
    "step",
    "steps",
    "epoch",
    "loss",
    "rows_per_second",
    "steps_per_second",
}  # a member may log other lines


@dataclass(frozen=True)
class LoggedStep:
    """A line of `log.jsonl`.

    Attributes:
        stage: number of the training stage, from 0.
        step: number of finished steps of the stage.
        steps: number of steps of the stage.
        epoch: number of the epoch, from 1.
        loss: mean loss since the last line.
        rows_per_second: speed since the last line.
        steps_per_second: the same in steps.
    """

    stage: int
    step: int
    steps: int
    epoch: int
    loss: float
    rows_per_second: float
    steps_per_second: float

    def share(self, stages: int) -> float:
        """Part of the training that is done, if all stages take equally long."""
        return min(1.0, (self.stage + self.step / self.steps) / max(1, stages))

    def seconds_left(self, stages: int) -> float:
        """Seconds until the last stage ends, at the speed of this line, if all stages take equally long."""
        return (1 - self.share(stages)) * max(1, stages) * self.steps / self.steps_per_second

    def __str__(self) -> str:
        speed = f"{self.rows_per_second:.0f} rows/s"
        return f"step {self.step} of {self.steps}, epoch {self.epoch}, loss {self.loss:.4f}, {speed}"


def last_step(folder: Path) -> LoggedStep | None:
    """The newest step below a fold's folder; members made of members have a log for each part."""
    try:
        logs = sorted(folder.rglob("log.jsonl"), key=lambda path: path.stat().st_mtime)
        lines = logs[-1].read_text(encoding="utf-8", errors="replace").splitlines() if logs else []
    except OSError:  # the fold ended meanwhile
        return None
    for text in reversed(lines):
        try:
            line: Any = json.loads(text)
        except ValueError:  # the line is being written
            continue
        if isinstance(line, dict) and line.keys() >= NEEDED:
            return LoggedStep(**{name: line[name] for name in NEEDED})
    return None
