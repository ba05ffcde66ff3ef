"""The training loop, on one screen."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from kit.spec import KitError
from kit.train.device import autocast, device_of
from kit.train.kernels import training_kernels
from kit.train.objective import Batch, Objective, to_device
from kit.train.optim import adamw, parameter_groups
from kit.train.schedule import factor
from kit.train.stage import Stage
from kit.train.state import Keeper

Watch = Callable[[dict[str, Any]], None]


class Batches(Protocol):
    """Rows cut into batches: `plan(epoch)` lists their positions, the same ones each time it is asked."""

    def plan(self, epoch: int) -> list[np.ndarray]: ...
    def __getitem__(self, rows: np.ndarray) -> Batch: ...


def train(
    model: nn.Module,
    objective: Objective,
    batches: Batches,
    stage: Stage,
    work: Path | None = None,
    depth: Callable[[str], int | None] | None = None,
    watch: Watch = lambda line: None,
    save_every: float = 120.0,
) -> None:
    """Trains `model` in place; a run killed at any step and started again ends in the same weights, bit for bit on CPU.

    Args:
        model: on the device where it is to learn.
        objective: (model, batch) → Step with the summed loss of the batch's rows.
        batches: plan of each epoch, and the tensors of a batch.
        stage: epochs, rates, schedule, precision.
        work: folder for `last.pt` and `log.jsonl`; None keeps nothing.
        depth: parameter name → encoder layers above it, None for the head; see `parameter_groups`.
        watch: told every logged line, read-only.
        save_every: seconds between two saves of the state.
    """
    device = device_of(model)
    optimizer = adamw(parameter_groups(model, stage, depth), stage)
    keeper = Keeper(work, save_every)
    plans = [batches.plan(epoch) for epoch in range(stage.epochs)]
    steps = [
        (epoch, plan[i : i + stage.accumulate])
        for epoch, plan in enumerate(plans, 1)
        for i in range(0, len(plan), stage.accumulate)
    ]
    # Token budgets make batches of unequal row counts. Dividing by the mean count, not by a batch's own,
    # gives each row the same weight in an epoch, however long its neighbours are.
    rows_a_step = sum(len(rows) for plan in plans for rows in plan) / len(steps)
    done = keeper.restore(model, optimizer)
    started, since, seen, total_loss = time.monotonic(), done, 0, torch.zeros((), device=device)
    model.train()
    for step in range(done, len(steps)):
        rate = factor(stage.schedule, step, len(steps), stage.warmup)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        epoch, together = steps[step]
        for rows in together:
            batch = to_device(batches[rows], device)
            with autocast(device, stage.precision), training_kernels(device):
                loss = objective(model, batch).loss
            (loss / rows_a_step).backward()
            total_loss += loss.detach()
            seen += len(rows)
        if stage.clip:
            nn.utils.clip_grad_norm_(model.parameters(), stage.clip)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 20 == 0 or step + 1 == len(steps):  # reading the loss waits for the device: not at each step
            seconds = time.monotonic() - started
            line = {
                "step": step + 1,
                "steps": len(steps),
                "epoch": epoch,
                "loss": total_loss.item() / seen,
                "lr": stage.lr * rate,
                "rows_per_second": seen / seconds,
                "steps_per_second": (step + 1 - since) / seconds,
            }
            if not math.isfinite(line["loss"]):
                raise KitError(f"the loss is {line['loss']} by step {step + 1} of {len(steps)}; lower lr or set clip")
            keeper.log(line)
            watch(line)
            started, since, seen, total_loss = time.monotonic(), step + 1, 0, torch.zeros((), device=device)
        keeper.save(step + 1, model, optimizer, now=step + 1 == len(steps))
    model.eval()
