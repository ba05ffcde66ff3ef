"""Checks before the first fit: metric, task and members must fit together."""

from collections.abc import Iterable

import numpy as np

from kit.core.errors import KitError
from kit.metrics.check import check_metric
from kit.run.job import Job
from kit.run.run import Run


def check_members(run: Run, names: Iterable[str]) -> None:
    """Refuses members that cannot be fitted on the task, before anything is computed.

    Raises:
        KitError: names the first such member, and says why.
    """
    task = run.table.task.model_copy(update={"inputs": tuple(run.table.inputs)})
    for name, member in run.recipe.chosen([*names]).items():
        try:
            member.check(task)
        except KitError as error:
            raise KitError(f"member '{name}': {error}") from None


def check_runs(jobs: Iterable[Job]) -> None:
    """Refuses jobs whose member cannot read the task or whose metric cannot score it, before the first fit.

    Raises:
        KitError: a member cannot be fitted on the task; the metric fails on made-up predictions, and the sentence
            names the nearest one that fits; a fold has no label of a target to learn from or to be scored on.
    """
    jobs = [*jobs]
    for run, name in {job.store.folder: (job.run, job.member) for job in jobs}.values():
        check_members(run, [name])
    for run in {(job.run.table.digest, job.run.table.task): job.run for job in jobs}.values():
        metric_fault(run)
    for run, fold in {(job.store.folder, job.fold): (job.run, job.fold) for job in jobs}.values():
        if np.isnan(run.table.y).any():
            _check_known(run, fold)


def metric_fault(run: Run) -> str:
    """Why the metric cannot score all rows together, although it scores each fold; empty if it can.

    Raises:
        KitError: the metric fails on made-up predictions of every fold too; names the nearest one that fits.
    """
    task, rows = run.table.task, run.plan >= 0
    parts = [run.plan[rows] == fold for fold in run.folds]
    return check_metric(run.metric_of(rows), task.kind, run.table.y[rows], task.outputs, parts)


def _check_known(run: Run, fold: int) -> None:
    learnt, scored = run.split(fold)
    parts = {f"fold {fold} learns from": learnt, f"fold {fold} is scored on": scored}
    if run.holdout:
        parts["are held out"] = run.held
    for what, rows in parts.items():
        if (empty := np.isnan(run.table.y[rows]).all(axis=0)).any():
            name = run.table.task.targets[empty.argmax()]
            raise KitError(
                f"of the rows that {what} none has a label of '{name}'; take fewer folds, or folds that "
                "spread known labels: Multilabel or Stratified"
            )
