"""The training loop, on one screen."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from kit.train.average import averaged
from kit.train.course import Batches, courses_of
from kit.train.device import device_of, scaler_for
from kit.train.fixed import with_fixed_features
from kit.train.judged import Judged
from kit.train.learn import Depth, let_learn
from kit.train.meter import Meter
from kit.train.objective import Batch, Objective
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
        patience: epochs without a better score after which training ends early, at least 1.
        factor: parameter name → factor on its learning rate; see `parameter_groups`.
        watch: told every logged line, read-only.
        save_every: seconds between two saves of the state.

    Returns:
        The scores of the judged epochs, and the snapshots that were taken.

    Raises:
        KitError: a stage cannot run, said before the first one begins; or the loss is no number.
    """
    device, keeper, judged = device_of(model), Keeper(work, save_every), Judged(patience)
    stages = [stages] if isinstance(stages, Stage) else list(stages)
    objectives = list(objective) if isinstance(objective, Sequence) else [objective] * len(stages)
    given = list(batches) if isinstance(batches, Sequence) else [batches] * len(stages)
    free = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    run = list(zip(stages, objectives, given, courses_of(given, stages), strict=True))
    for stage, goal, _, _ in run:  # what cannot work is said before the first step of the first stage
        let_learn(model, stage, 1, depth, set(free))
        Gradients(model, goal, stage, point, classes, scaler_for(device, stage.precision), device)
    state = keeper.restore()
    for number, (stage, goal, rows, course) in enumerate(run):
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
        let_learn(model, stage, course.steps[max(done - 1, 0)][0], depth, set(free))
        source = with_fixed_features(rows, model, stage, course.order)
        for step in range(done, len(course.steps)):
            if judged.over:
                break
            epoch, together = course.steps[step]
            if course.begins(step) or step == done:
                let_learn(model, stage, epoch, depth, set(free))
            rate = set_rates(optimizer, stage, step, len(course.steps), judged.scores[course.before :])
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
                with averaged(model, parts.get("average"), _epoch(rows, course.before + epoch)):
                    judged.take(judge(model.eval()), model)
                keeper.log({"stage": number, "step": step + 1, "steps": len(course.steps), "score": judged.scores[-1]})
            keeper.save(number, step + 1, parts, now=step + 1 == len(course.steps))
            if judge and course.ends(step):
                tell(len(judged.scores), judged.scores[-1])
        if stage.average:
            parts["average"].finish(model, _epoch(rows, course.before + course.epochs))
            judged.snapshots += getattr(parts["average"], "states", [])
    if judge:
        model.load_state_dict(judged.best)
    for weight in free.values():
        weight.requires_grad_(True)
    model.eval()
    return judged


def _epoch(batches: Batches, epoch: int) -> Iterator[Batch]:
    """The batches of an epoch, planned only where one is asked for."""
    for rows in batches.plan(epoch):
        yield batches[rows]
