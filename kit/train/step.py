"""One batch's gradients, with all that a stage does to them."""

import contextlib
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kit.spec import KitError
from kit.train.course import Batches
from kit.train.device import autocast
from kit.train.kernels import training_kernels
from kit.train.objective import Batch, Objective, to_device
from kit.train.perturb.base import Again
from kit.train.perturb.point import Point
from kit.train.perturb.vat import NO_LINK, VAT
from kit.train.stage import Stage


@dataclass
class Gradients:
    """Adds a batch's gradients to those of the model's parameters.

    Attributes:
        model: learns.
        objective: (model, batch) → summed loss of the rows.
        stage: mixing, noise, perturbation, precision.
        point: where inputs are shifted; needed by perturbations but AWP, by noise and embedding mixup.
        classes: of a multiclass task, for mixed labels.
        scaler: of fp16 losses; else it does nothing.
    """

    model: nn.Module
    objective: Objective
    stage: Stage
    point: Point | None
    classes: int | None
    scaler: torch.amp.GradScaler
    device: torch.device

    def __post_init__(self) -> None:
        self.parts = 1
        for name, done in {"perturb": "shifted", "noise": "shifted", "mix": "mixed"}.items():
            if self.point is None and getattr(getattr(self.stage, name), "needs_point", False):
                raise KitError(f"Stage.{name} needs to know where inputs are {done}: give train a point")
        if isinstance(self.stage.perturb, VAT) and self.stage.perturb.link is None:
            raise KitError(NO_LINK)

    def add_all(
        self, batches: Batches, together: list[np.ndarray], divisor: float, epoch: float, score: float | None
    ) -> Tensor:
        """Gradients of several batches, each cut in two, and again, while the device's memory cannot hold it.

        Once cut, batches stay so. Where each row has a loss of its own the gradients are the same, up to rounding and
        what dropout draws; batch norm, mixing and losses of whole batches (SoftF1, SoftAUC, Flooding) see the parts.
        """
        while True:
            try:
                parts = [rows[i :: self.parts] for rows in together for i in range(min(self.parts, len(rows)))]
                first, *more = [self.add(to_device(batches[p], self.device), divisor, epoch, score) for p in parts]
                return sum(more, first)
            except torch.cuda.OutOfMemoryError:
                if self.parts >= max(map(len, together)):
                    raise
                self.parts *= 2
            self.model.zero_grad()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            warnings.warn(f"out of memory: batches are now cut in {self.parts}", stacklevel=2)

    def add(self, batch: Batch, divisor: float, epoch: float, score: float | None) -> Tensor:
        """The batch's loss summed over rows, detached; gradients are those of the loss divided by `divisor`.

        Args:
            batch: on the model's device.
            divisor: what the sum over rows is divided by.
            epoch: epochs trained so far, with their fraction.
            score: last judged score, None before the first.
        """
        stage, perturb = self.stage, self.stage.perturb
        batch, transform = stage.mix.batch(batch, self.classes) if stage.mix else (batch, None)
        if perturb is not None and not perturb.active(epoch, score):
            perturb = None
        scale: float | Tensor = 1 / divisor
        if self.scaler.is_enabled():  # asked for as a number, the scale would have to be waited for
            scale = self.scaler.scale(torch.ones((), device=self.device)) / divisor
        with training_kernels(self.device), self._at_the_point(transform):
            if perturb is None or not perturb.replaces_plain:
                if self.point is not None:
                    self.point.wanted = perturb is not None
                loss = self._forward(self.objective, batch).loss
                loss.backward(torch.ones_like(loss) * scale)  # as (loss * scale).backward(), less a node of the graph
                total = loss.detach()
            if perturb is not None:
                again = Again(
                    loss=lambda: self._forward(self.objective, batch).loss * scale,
                    output=lambda: self._forward(_answer, batch),
                    divisor=1 / scale,
                )
                added = perturb.add(self.model, self.point, again)
                if perturb.replaces_plain:
                    total = added / scale
        return total

    def _forward(self, call: Any, batch: Batch) -> Any:
        with autocast(self.device, self.stage.precision):
            return call(self.model, batch)

    @contextlib.contextmanager
    def _at_the_point(self, transform: Any) -> Any:
        with contextlib.ExitStack() as stack:
            if self.stage.noise and self.point is not None:
                stack.enter_context(self.stage.noise.at(self.point))
            if transform is not None:
                assert self.point is not None
                stack.enter_context(self.point.applied(transform, training_only=True))
            yield


def _answer(model: nn.Module, batch: Batch) -> Tensor:
    return model(**batch["inputs"])
