"""The texts by which a table of the report shows a row: its id, label, prediction and content."""

import numpy as np
import pandas as pd

from kit.report.data import ReportData
from kit.report.html import shortened
from kit.schema.pictures import several
from kit.task import Task

MAX_LETTERS = 280  # characters of a text; other columns have a fifth of it


def row_id(data: ReportData, at: int) -> str:
    """The id of the row at this position of `data.rows`."""
    return str(_row(data, at)[data.task.id])


def label_of(data: ReportData, at: int) -> str:
    """The label of a row as written in the files; for a multilabel task, the labels that it has."""
    return named_label(data.task, data.y[at])


def named_label(task: Task, y: np.ndarray) -> str:
    """Labels (targets,) of a row as the files spell them, or the labels that it has."""
    if task.kind == "multilabel":
        unknown = [f"{t} unknown" for t, missing in zip(task.targets, np.isnan(y), strict=True) if missing]
        return ", ".join([*(t for t, yes in zip(task.targets, y >= 0.5, strict=True) if yes), *unknown]) or "none"
    if task.classes:
        return shortened(str(task.classes[int(y[0])]), 30)
    return ", ".join("unknown" if np.isnan(value) else f"{value:g}" for value in y)


def prediction_of(data: ReportData, at: int, p: np.ndarray) -> str:
    """The most important columns of a row's prediction p (outputs,)."""
    task = data.task
    if task.kind == "regression" or (task.kind == "binary" and not task.classes):
        return ", ".join(f"{value:.4g}" for value in p)
    if task.kind == "binary":
        return f"{shortened(str(task.classes[1]), 30)} {p[0]:.3f}"
    names = task.classes if task.kind == "multiclass" else task.targets
    # the columns that are furthest from the label; for classes, the most probable ones
    gap = p if task.kind == "multiclass" else np.abs(data.y[at] - p)
    order = np.argsort(-np.nan_to_num(gap), kind="stable")[: 2 if task.kind == "multiclass" else 3]
    return ", ".join(f"{shortened(str(names[i]), 24)} {p[i]:.3f}" for i in order)


def row_content(data: ReportData, at: int) -> str:
    """The beginning of the inputs of a row."""
    row, inputs = _row(data, at), data.run.table.inputs
    texts, others = list(data.task.text), data.task.tabular(inputs)
    parts = [shortened(str(row[name]), MAX_LETTERS) for name in texts if str(row[name]).strip()]
    parts += [f"{name} = {shortened(str(row[name]), MAX_LETTERS // 5)}" for name in others[:12]]
    if not parts:  # there are only pictures, which may have names
        names = [one for name in data.task.images for one in several(row[name]) if isinstance(one, str)]
        parts = [shortened(", ".join(names), MAX_LETTERS)] if names else []
    return " · ".join(parts) + (" …" if len(others) > 12 else "")


def _row(data: ReportData, at: int) -> pd.Series:
    return data.run.table.train.iloc[np.flatnonzero(data.rows)[at]]
