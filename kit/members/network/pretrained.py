"""PretrainedNetwork: a network whose body learns something before the task."""

from abc import abstractmethod
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from kit.core.files import write_bytes
from kit.core.spec import digest
from kit.members.network.network import Network
from kit.pretrain.pretraining import Pretraining
from kit.rows import Rows
from kit.source import Arrays

if TYPE_CHECKING:
    from kit.pretrain.pretraining import Given


class PretrainedNetwork(Network):
    """A network with `pretrain=(…)`: its body learns from all rows, step by step, once before the folds.

    The result of each step is kept beside the rows, under a key of the rows and of the settings so far: another step at
    the end finds it there. One that was killed goes on where it was, and ends in the same bits on a CPU.
    """

    body_settings: ClassVar[tuple[str, ...]]  # settings that say what the body is and how it reads rows

    pretrain: tuple[Pretraining, ...] = Field(
        (), description="what the body learns from all rows before the task, one step after another; empty: nothing"
    )

    def identity(self) -> dict[str, Any]:
        """As of any spec; without steps as before there were any, so that folds of that time are found."""
        found = super().identity()
        return found if self.pretrain else {name: value for name, value in found.items() if name != "pretrain"}

    def and_pretraining(self, what: str) -> str:
        """What `prepare` computes, in words: this, and the steps of pretraining."""
        return ", ".join([what, *(type(step).__name__ for step in self.pretrain)])

    def prepare(self, rows: Rows) -> None:
        super().prepare(rows)
        if self.pretrain:
            self.pretrained(self.make_dataset(rows), rows)

    @abstractmethod
    def first_body(self, dataset: Any, blank: bool = False) -> Any:
        """The body before any pretraining of ours; blank: one of the same shape, whose weights come from a file."""

    @abstractmethod
    def given(self, dataset: Any, rows: Rows) -> "Given":
        """What a step of pretraining learns from: all of these rows."""

    def pretrained(self, dataset: Any, rows: Rows) -> list[Arrays]:
        """What each step has changed, see `Pretraining.learn`; learnt now, or kept from an earlier time."""
        source = rows.source.original
        every = Rows(rows.task, source, np.arange(source.originals))
        done: list[Arrays] = []
        for step in self.pretrain:
            name = f"pretrained-{self._key(rows, len(done) + 1)}"
            done.append(source.learnt(name, partial(self._learnt, step, dataset, every, list(done))))
        return done

    def _learnt(self, step: Pretraining, dataset: Any, rows: Rows, before: list[Arrays], work: Path | None) -> Arrays:
        import torch

        from kit.pretrain.pretraining import load_pretrained

        with torch.random.fork_rng():
            torch.manual_seed(step.seed)  # of what pools states, where that has weights
            body = self.first_body(dataset)
        load_pretrained(body, before)
        return step.learn(body, self.given(dataset, rows), work)

    def _key(self, rows: Rows, count: int) -> str:
        """Of all that the first steps depend on, but the rows."""
        steps, settings = self.pretrain[:count], self.identity()
        names = self.body_settings if any(step.whole_body for step in steps) else ("weights", "length")
        columns = [list(rows.task.text), list(rows.task.images)]
        own = [type(self).__name__, self.version, settings.get("files"), *(settings[name] for name in names)]
        return digest([own, columns, [step.identity() for step in steps]])[:16]

    def pretrained_body(self, dataset: Any, rows: Rows, work: Path) -> Any:
        """The body with what it has learnt before the task; each step's log is written into `work`. None: no steps."""
        if not self.pretrain:
            return None
        for i, (step, found) in enumerate(zip(self.pretrain, self.pretrained(dataset, rows), strict=True), 1):
            folder = work / f"pretrain{i}-{type(step).__name__}"
            folder.mkdir(parents=True, exist_ok=True)
            write_bytes(folder / "log.jsonl", found["log"].tobytes())
        return self.make_body(dataset, rows)
