"""The training loop, on one screen."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from kit.train.average import averaged
from kit.train.course import Batches, Course
from kit.train.device import device_of, scaler_for
from kit.train.fixed import with_fixed_features
from kit.train.judged import Judged
from kit.train.learn import Depth, let_learn
from kit.train.meter import Meter
from kit.train.objective import Objective
from kit.train.optim import parameter_groups, set_rates
from kit.train.perturb.point import Point
from kit.train.stage import Stage
from kit.train.state import Keeper
from kit.train.step import Gradients
from kit.train.watch import tell

Watch = Callable[[dict[str, Any]], None]


def train(
    model: nn.Module,
    objective: Objective | Sequence[Objective],
    batches: Batches | Sequence[Batches],
    stages: Stage | Sequence[Stage],
    work: Path | None = None,
    depth: Depth | None = None,
    point: Point | None = None,
    classes: int | None = None,
    judge: Callable[[nn.Module], float] | None = None,
    patience: int | None = None,
    factor: Callable[[str], float] | None = None,
    watch: Watch = lambda line: None,
    save_every: float = 120.0,
) -> Judged:
    """Trains `model` in place; a run killed at any step and started again ends in the same weights, bit for bit on CPU.

    Args:
        model: on the device where it is to learn.
        objective: (model, batch) → Step with the summed loss of the batch's rows; one, or one for each stage.
        batches: plan of each epoch, and the tensors of a batch; one, or one for each stage.
        stages: epochs, rates, schedule and techniques; one after the other.
        work: folder for `last.pt` and `log.jsonl`; None keeps nothing.
        depth: parameter name → encoder layers above it, None for the head; see `parameter_groups`.
        point: where inputs are shifted by perturbations and noise, or mixed.
        classes: of a multiclass task; labels of mixed rows become shares of them.
        judge: score of the model after each epoch, higher is better; training ends with the best epoch's weights.
        patience: epochs without a better score after which training ends early.
        factor: parameter name → factor on its learning rate; see `parameter_groups`.
        watch: told every logged line, read-only.
        save_every: seconds between two saves of the state.

    Returns:
        The scores of the judged epochs, and the snapshots that were taken.
    """
    device, keeper, judged, before = device_of(model), Keeper(work, save_every), Judged(patience), 0
    stages = [stages] if isinstance(stages, Stage) else list(stages)
    objectives = list(objective) if isinstance(objective, Sequence) else [objective] * len(stages)
    given = list(batches) if isinstance(batches, Sequence) else [batches] * len(stages)
    free = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    state = keeper.restore()
    for number, (stage, goal, rows) in enumerate(zip(stages, objectives, given, strict=True)):
        course = Course.of(rows, stage, before)
        before += course.epochs
        if number < state.get("stage", 0):
            continue
        for weight in free.values():
            weight.requires_grad_(True)
        optimizer = stage.optimizer.build(parameter_groups(model, stage, depth, factor))
        scaler = scaler_for(device, stage.precision)
        parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "scaler": scaler, "judged": judged}
        if stage.average:
            parts["average"] = stage.average.start(model, stage.warmup)
        done = state.get("step", 0)
        for name, part in parts.items() if state else ():
            part.load_state_dict(state[name])
        state = {}

        gradients = Gradients(model, goal, stage, point, classes, scaler, device)
        meter = Meter(number, len(course.steps), done, device)
        let_learn(model, stage, 1, depth, set(free))
        source = with_fixed_features(rows, model, stage)
        for step in range(done, len(course.steps)):
            if judged.over:
                break
            epoch, together = course.steps[step]
            if course.begins(step) or step == done:
                let_learn(model, stage, epoch, depth, set(free))
            rate = set_rates(optimizer, stage, step, len(course.steps), judged.scores)
            loss = gradients.add_all(source, together, course.rows_a_step, course.trained[step], judged.last)
            scaler.unscale_(optimizer)
            if stage.clip:
                nn.utils.clip_grad_norm_(free.values(), stage.clip)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if stage.average:
                parts["average"].update(model, step, len(course.steps))
            meter.add(loss, sum(map(len, together)))
            if meter.due(step):
                line = meter.line(step, epoch, stage.lr * rate)
                keeper.log(line)
                watch(line)
            if judge and course.ends(step):
                with averaged(model, parts.get("average")):
                    judged.take(judge(model.eval()), model)
            keeper.save(number, step + 1, parts, now=step + 1 == len(course.steps))
            if judge and course.ends(step):
                tell(len(judged.scores), judged.scores[-1])
        if stage.average:
            parts["average"].finish(model, (rows[batch] for batch in rows.plan(before)))
            judged.snapshots += getattr(parts["average"], "states", [])
    if judge:
        model.load_state_dict(judged.best)
    for weight in free.values():
        weight.requires_grad_(True)
    model.eval()
    return judged
