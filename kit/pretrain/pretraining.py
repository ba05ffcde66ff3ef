"""Pretraining: what a body learns before the task; one step of `pretrain=(…)`."""

import tempfile
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from kit.core.spec import Spec, validator
from kit.source import Arrays
from kit.train.stage import LoopStage

if TYPE_CHECKING:
    import torch

    from kit.text.tokens import TokenPieces
    from kit.train.lengths import Inputs
    from kit.train.objective import Objective
    from kit.train.step_plan import Batches
else:
    from kit.core.lazy import later

    torch = later("torch")

SAVE_EVERY = 60.0  # seconds
MOST_HELD = 1000  # rows
HELD = int.from_bytes(b"held")  # part of the seed, so these random numbers differ from others


@dataclass(frozen=True)
class Given:
    """What there is to learn from.

    Attributes:
        inputs: all rows known, as the body reads them.
        at: (n,) the rows that it may learn from.
        folder: where the tokenizer and the configuration of a pretrained model lie; None: there is none.
        windows: longest window → all rows' whole texts in windows of so many tokens; None: the body reads no tokens.
        length: tokens that the body reads of a row at most.
    """

    inputs: "Inputs"
    at: np.ndarray
    folder: Path | None = None
    windows: "Callable[[int], TokenPieces] | None" = None
    length: int = 0


@dataclass(frozen=True)
class Goal:
    """What is trained.

    Attributes:
        model: holds the body.
        objectives: one for each stage.
        batches: to learn from.
        stages: how it learns.
        held: what the loss of held-out rows is measured on; None: it is not measured.
        measured: the objective whose loss is divided by the number of labels of `held`.
        with_dropout: whether the loss is measured with dropout, where it needs that.
    """

    model: Any
    objectives: "list[Objective]"
    batches: "Batches"
    stages: list[LoopStage]
    held: "Batches | None"
    measured: "Objective"
    with_dropout: bool = False


class Pretraining(Spec):
    """Settings of a step that trains a body before the task.

    A step that reads no label learns from the texts of all rows (train, test and extra), once before the folds. What it
    learnt is kept beside the rows. After each epoch the loss of some held-out rows is measured; the best epoch counts.
    """

    whole_body: ClassVar[bool] = True  # False: the backbone alone learns, whatever pools its states

    seed: int = Field(0, ge=0, lt=2**32, description="seed of everything random in it; other than the member's seed")
    held: float = Field(0.05, ge=0, lt=1, description="share of the rows that its loss is measured on, at most 1000")
    batch_tokens: int = Field(4096, ge=64, description="largest number of tokens in a batch, with padding")
    batch_rows: int = Field(64, ge=2, description="largest number of rows, or of windows, in a batch")
    stage: LoopStage = Field(LoopStage(), description="how it learns")

    @validator(mode="after")
    def _check_stage(self) -> Self:
        if self.stage.mix:
            raise ValueError("stage.mix mixes labels, and this pretraining has none; leave it out")
        if getattr(self.stage.average, "cycles", 0):
            raise ValueError("stage.average=Snapshots keeps several networks, and the task begins with one; take EMA")
        return self

    @abstractmethod
    def goal(self, body: Any, given: Given, learnt: np.ndarray, held: np.ndarray) -> Goal:
        """What is trained, around the body.

        Args:
            body: see `kit.models.body`.
            given: all rows.
            learnt: the rows to learn from.
            held: the rows to measure the loss on; there may be none.

        Raises:
            KitError: this body cannot learn so.
        """

    def learn(self, body: Any, given: Given, work: Path | None = None) -> Arrays:
        """Trains the body in place.

        Args:
            body: on any device; it lies on the best one afterwards.
            given: what it learns from.
            work: folder that a killed run goes on from.

        Returns:
            The weights that it changed, `body.<name>`; the log of the training as bytes, `log`; the mean loss of the
            held-out rows before and after it, `held`, in nats, for each token that is predicted, or for each row.
        """
        from kit.train.device import best_device
        from kit.train.loop import train

        before = {name: value.detach().to("cpu", copy=True) for name, value in body.state_dict().items()}
        with ExitStack() as stack, torch.random.fork_rng():
            folder = work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            torch.manual_seed(self.seed)
            goal = self.goal(body, given, *split(given, self.held, self.seed))
            model = goal.model.to(best_device())
            loss = None if goal.held is None else lambda model: -mean_loss(model, goal, self.stage.precision)
            first = -loss(model.eval()) if loss else np.nan
            best = train(
                model, goal.objectives, [goal.batches] * len(goal.stages), goal.stages, folder, loss,
                save_every=SAVE_EVERY,
            )  # fmt: skip
            log = np.frombuffer((folder / "log.jsonl").read_bytes(), dtype=np.uint8)
        last = -max(best.scores) if best.scores else np.nan
        if loss:
            print(f"{type(self).__name__}: loss of held-out rows {first:.3f} before, {last:.3f} after")
        now = {name: value.detach().cpu() for name, value in body.state_dict().items()}
        changed = {f"body.{name}": value.numpy() for name, value in now.items() if not value.equal(before[name])}
        return changed | {"log": log, "held": np.array([first, last])}


def split(given: Given, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and rows to measure the loss on; of equal rows all are here or all there."""
    from kit.train.lengths import distinct

    _, group = distinct(given.inputs, given.at)
    groups = int(group.max()) + 1 if len(group) else 0
    count = min(MOST_HELD, round(share * groups))
    drawn = np.random.default_rng([HELD, seed]).permutation(groups)[:count]
    held = np.isin(group, drawn)
    return given.at[~held], given.at[held]


def mean_loss(model: Any, goal: Goal, precision: str) -> float:
    """Mean loss of the held-out batches for each of their labels, with the same random numbers each time."""
    from kit.train.device import autocast, device_of
    from kit.train.objective import to_device

    assert goal.held is not None
    device, total, labels = device_of(model), 0.0, 0
    if goal.with_dropout:
        model.train()
    with torch.random.fork_rng(), torch.no_grad(), autocast(device, precision):
        torch.manual_seed(0)
        for rows in goal.held.plan(0):
            batch = to_device(goal.held[rows], device)
            total += goal.measured(model, batch).loss.double().item()
            labels += len(batch["y"])
    return total / max(1, labels)


def load_pretrained(body: Any, arrays: Sequence[Arrays]) -> None:
    """Gives a body the weights that steps of pretraining have changed, one after another."""
    for found in arrays:
        weights = {n.removeprefix("body."): torch.tensor(v) for n, v in found.items() if n.startswith("body.")}
        body.load_state_dict(weights, strict=False)
