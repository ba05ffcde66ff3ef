"""The training loop, on one screen."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kit.core.allocator import freed_memory_kept
from kit.core.errors import KitError
from kit.train.anneal import annealed
from kit.train.average import averaged
from kit.train.best_epoch import BestEpoch
from kit.train.checkpoint import Checkpointer
from kit.train.device import device_of, scaler_for
from kit.train.fixed import with_fixed_features
from kit.train.meter import Meter
from kit.train.objective import Batch, Objective
from kit.train.optim import parameter_groups, set_rates
from kit.train.perturb.hook_point import HookPoint
from kit.train.prefetch import prefetched
from kit.train.stage import LoopStage
from kit.train.step import GradientStep
from kit.train.step_plan import Batches, step_plans
from kit.train.stop import ShouldStop, TrainingStopped
from kit.train.trainable import check_layers, restore_dropout, set_trainable


def train(
    model: nn.Module,
    objective: Objective | Sequence[Objective],
    batches: Batches | Sequence[Batches],
    stages: LoopStage | Sequence[LoopStage],
    work: Path | None = None,
    evaluate: Callable[[nn.Module], float] | None = None,
    patience: int | None = None,
    should_stop: ShouldStop | None = None,
    on_log: Callable[[dict[str, Any]], None] = lambda line: None,
    save_every: float = 120.0,
    workers: int | None = None,
) -> BestEpoch:
    """Trains `model` in place, in eval mode afterwards.

    A run that was killed at any step and is started again ends with the same weights, bit for bit on a CPU.

    Args:
        model: a module on the device where it shall learn. For layers, rates, embeddings and classes the loop uses its
            optional methods and attributes, see `kit.train.model`.
        objective: (model, batch) → `Step` with the summed loss of the batch's rows; one, or one for each stage.
        batches: gives the plan of each epoch and the tensors of a batch; one, or one for each stage.
        stages: epochs, rates, schedule and techniques; one stage follows the other.
        work: folder for `last.pt` and `log.jsonl`; None: nothing is saved.
        evaluate: gives the validation score of the model after each epoch, higher is better. With it, training ends
            with the weights of the best epoch.
        patience: epochs of a stage without a better score in it after which the stage ends early, at least 1.
        should_stop: called after each validated epoch, once its state is saved; see `kit.train.stop`.
        on_log: called with every logged line.
        save_every: seconds between two saves of the state.
        workers: number of processes or threads that make batches ahead of the step, see `kit.train.prefetch`; no
            result depends on it.

    Returns:
        The validation score of each epoch, and the snapshots, if any.

    Raises:
        KitError: a stage cannot run (raised before the first step), or the loss is not finite.
        TrainingStopped: `should_stop` returned True.
    """
    device, checkpointer, best = device_of(model), Checkpointer(work, save_every), BestEpoch(patience)
    stages = _loop_stages(stages)
    objectives = list(objective) if isinstance(objective, Sequence) else [objective] * len(stages)
    given = list(batches) if isinstance(batches, Sequence) else [batches] * len(stages)
    free = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    run = list(zip(stages, objectives, given, step_plans(given, stages), strict=True))
    with freed_memory_kept(), _hook_point(model, stages) as point:
        for stage, goal, _, _ in run:  # a stage that cannot run is refused before the first step of the first stage
            set_trainable(model, stage, 1, free)
            check_layers(model, stage)
            GradientStep(model, goal, stage, scaler_for(device, stage.precision), point)
        state = checkpointer.restore()
        for number, (stage, goal, rows, plan) in enumerate(run):
            if number < state.get("stage", 0):
                continue
            for weight in free.values():
                weight.requires_grad_(True)
            optimizer = stage.optimizer.build(parameter_groups(model, stage))
            scaler = scaler_for(device, stage.precision)
            parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "scaler": scaler, "best": best}
            if stage.average:
                parts["average"] = stage.average.start(model, stage.warmup)
            done = state.get("step", 0)
            for name, part in parts.items() if state else ():
                part.load_state_dict(state[name])
            if not state:
                best.begin_stage()
            state = {}

            add_gradients = GradientStep(model, goal, stage, scaler, point)
            meter = Meter(number, len(plan.steps), done, device)
            set_trainable(model, stage, plan.steps[max(done - 1, 0)][0], free)
            made_ahead = prefetched(rows, plan.after(done), device, workers)
            with made_ahead as made, annealed(model, stage.anneal) as anneal:
                source = with_fixed_features(meter.watched(made), model, stage, plan.order)
                for step in range(done, len(plan.steps)):
                    if best.out_of_patience:
                        break
                    epoch, together = plan.steps[step]
                    # a score leaves the model in eval mode; otherwise an epoch changes nothing but unfrozen layers
                    if step == done or (plan.begins(step) and (evaluate or stage.gradual)):
                        set_trainable(model, stage, epoch, free)
                    rate = set_rates(optimizer, stage, step, len(plan.steps), best.of_stage)
                    anneal(optimizer, step, len(plan.steps))
                    loss = add_gradients(source, together, plan.rows_a_step, plan.trained[step], best.last)
                    scaler.unscale_(optimizer)
                    if stage.clip:
                        nn.utils.clip_grad_norm_(free.values(), stage.clip)
                    scaler.step(optimizer)
                    scaler.update()
                    optimizer.zero_grad()
                    if stage.average:
                        parts["average"].update(model, step, len(plan.steps))
                    meter.add(loss, sum(map(len, together)))
                    if meter.due(step):
                        line = meter.line(step, epoch, stage.lr * rate)
                        checkpointer.log(line)
                        on_log(line)
                    if evaluate and plan.ends(step):
                        with averaged(model, parts.get("average"), _epoch(rows, plan.before + epoch, device, workers)):
                            best.update(evaluate(model.eval()), model)
                        score = {"stage": number, "step": step + 1, "steps": len(plan.steps), "score": best.scores[-1]}
                        checkpointer.log(score)
                    checkpointer.save(number, step + 1, parts, now=step + 1 == len(plan.steps))
                    if should_stop and evaluate and plan.ends(step) and should_stop(len(best.scores), best.scores[-1]):
                        raise TrainingStopped
            if stage.average:
                parts["average"].finish(model, _epoch(rows, plan.before + plan.epochs, device, workers))
                best.snapshots += getattr(parts["average"], "states", [])
    if evaluate:
        model.load_state_dict(best.weights)
    for weight in free.values():
        weight.requires_grad_(True)
    restore_dropout(model)
    model.eval()
    return best


def _loop_stages(stages: LoopStage | Sequence[LoopStage]) -> list[LoopStage]:
    found = list(stages) if isinstance(stages, Sequence) else [stages]
    for stage in found:
        if not isinstance(stage, LoopStage):
            name = type(stage).__name__
            raise KitError(f"train takes a LoopStage, not a {name}: objective and batches are arguments of train")
    return found


@contextlib.contextmanager
def _hook_point(model: Any, stages: Sequence[LoopStage]) -> Iterator[HookPoint | None]:
    """The hook where inputs are shifted or mixed; None if no stage does that, or if the model has no `embeddings`."""
    at = getattr(model, "embeddings", None) if any(stage.needs_hook_point for stage in stages) else None
    with HookPoint(model, at) if at is not None else contextlib.nullcontext() as point:
        yield point


def _epoch(batches: Batches, epoch: int, device: torch.device, workers: int | None) -> Iterator[Batch]:
    """The batches of an epoch; the plan is made only when the first one is needed."""
    plan = batches.plan(epoch)
    with prefetched(batches, plan, device, workers) as made:
        for rows in plan:
            yield made[rows]
