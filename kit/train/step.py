"""GradientStep: the gradients of one step, with mixing, noise, perturbation and precision of its stage."""

import contextlib
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.train.device import autocast, device_of
from kit.train.kernels import training_kernels
from kit.train.model import class_name
from kit.train.objective import Batch, Objective, is_flooded, to_device
from kit.train.perturb.base import Replay
from kit.train.perturb.hook_point import HookPoint, Transform
from kit.train.perturb.vat import NO_LINK, VAT
from kit.train.stage import LoopStage
from kit.train.step_plan import Batches


class GradientStep:
    """Adds the gradients of some batches to those of the model's parameters.

    Args:
        model: the model to train. If it has `num_classes`, the mean label of mixed rows is shares of classes.
        objective: (model, batch) → `Step` with the summed loss of the rows.
        stage: mixing, noise, perturbation, precision.
        scaler: gradient scaler for fp16; with other precisions it does nothing.
        point: where inputs are shifted. Needed for noise, EmbeddingMixup and all perturbations but AWP.

    Raises:
        KitError: the stage needs a hook point and there is none, or its VAT has no link.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        stage: LoopStage,
        scaler: torch.amp.GradScaler,
        point: HookPoint | None = None,
    ) -> None:
        self.model, self.objective, self.stage, self.scaler, self.point = model, objective, stage, scaler, point
        self.device, self.parts = device_of(model), 1
        for name, done in {"perturb": "shifted", "noise": "shifted", "mix": "mixed"}.items():
            if point is None and getattr(getattr(stage, name), "needs_point", False):
                raise KitError(
                    f"Stage.{name} needs to know where inputs are {done}: give the {class_name(model)} an attribute "
                    f"'embeddings', one of its modules or the name of a float input"
                )
        if isinstance(stage.perturb, VAT) and stage.perturb.link is None:
            raise KitError(NO_LINK)

    def __call__(
        self, batches: Batches, together: list[np.ndarray], divisor: float, epoch: float, score: float | None
    ) -> Tensor:
        """Adds the gradients of the summed loss of several batches, divided by `divisor`.

        If the GPU runs out of memory, batches are split in two, four, …, also in later steps. For losses of single rows
        the gradients stay the same, up to rounding and dropout masks. Batch norm, mixing and losses of whole batches
        (SoftF1, SoftAUC, Flooding) then see the smaller parts.

        Args:
            batches: gives the tensors of a batch.
            together: the rows of each batch of the step.
            divisor: divisor of the sum over rows.
            epoch: epochs trained so far, as a fraction.
            score: last validation score, None before the first.

        Returns:
            The summed loss, a scalar, not divided and detached.
        """
        stage, point = self.stage, self.point
        perturb = stage.perturb if stage.perturb is not None and stage.perturb.active(epoch, score) else None
        plain = perturb is None or not perturb.replaces_plain
        scale: float | Tensor = 1 / divisor
        if self.scaler.is_enabled():  # kept as a tensor: reading it as a number would wait for the GPU
            scale = self.scaler.scale(torch.ones((), device=self.device)) / divisor
        while True:
            parts = [rows[i :: self.parts] for rows in together for i in range(min(self.parts, len(rows)))]
            losses: list[Tensor] = []
            try:
                for rows in parts:
                    batch, transform = to_device(batches[rows], self.device), None
                    if stage.mix:
                        batch, transform = stage.mix.batch(batch, getattr(self.model, "num_classes", None))
                    with training_kernels(self.device), self._transformed(transform):
                        if plain:
                            if point is not None:
                                point.wanted = perturb is not None
                            with autocast(self.device, stage.precision):
                                loss = self.objective(self.model, batch).loss
                            loss.backward(torch.ones_like(loss) * scale)  # one graph node less than loss * scale
                            losses.append(loss.detach())
                        if perturb is not None:
                            added = perturb.add(self.model, point, self._replay(batch, scale))
                            if not plain:
                                losses.append(added / scale)
                return sum(losses[1:], losses[0])
            except torch.cuda.OutOfMemoryError:
                if self.parts >= max(map(len, together)):
                    raise
                self.parts *= 2
            self.model.zero_grad()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            warnings.warn(f"out of memory: batches are now split in {self.parts}", stacklevel=2)

    def _replay(self, batch: Batch, scale: float | Tensor) -> Replay:
        """Further forward passes of the batch, with new dropout masks and noise."""

        def loss() -> Tensor:
            with autocast(self.device, self.stage.precision):
                return self.objective(self.model, batch).loss * scale

        def unflooded() -> Tensor:
            with autocast(self.device, self.stage.precision):
                loss = self.objective(self.model, batch).unflooded
                assert loss is not None
                return loss * scale

        def output() -> Tensor:
            with autocast(self.device, self.stage.precision):
                return self.model(**batch["inputs"])

        return Replay(loss, output, 1 / scale, unflooded if is_flooded(self.objective) else None)

    def _transformed(self, mixing: Transform | None) -> Any:
        """Context in which rows get noise, and are then mixed, at the hook point."""
        noise, point = self.stage.noise, self.point
        if point is None or (noise is None and mixing is None):
            return contextlib.nullcontext()
        stack = contextlib.ExitStack()
        if noise is not None:
            stack.enter_context(noise.at(point))
        if mixing is not None:
            stack.enter_context(point.applied(mixing, training_only=True))
        return stack
