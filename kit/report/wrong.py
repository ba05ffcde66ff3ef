"""The rows that are predicted worst: wrong labels, duplicates and what no member has learnt show themselves here."""

import numpy as np
import pandas as pd

from kit.ensemble.base import scaled_ranks
from kit.report.facts import Facts
from kit.report.html import Cell, details, number, paragraph, shortened, table
from kit.report.pictures import Pictures

MOST = 25  # rows
FIRST = 8  # rows that are seen before a click
LETTERS = 280  # of a text; other columns get a fifth
TINY = 1e-6


def losses(kind: str, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(n,) loss of each row: log loss, summed over targets; of values, the error in standard deviations of the label.

    Predictions that are no probabilities are first ranked, within their column.

    Args:
        kind: of the task.
        y: (n, targets) labels.
        p: (n, outputs) predictions.
    """
    p = np.asarray(p, dtype=np.float64)
    if kind == "regression":
        spread = y.std(axis=0)
        return np.asarray((np.abs(y - p) / np.where(spread > 0, spread, 1)).sum(axis=1))
    if p.min() < -TINY or p.max() > 1 + TINY:
        p = scaled_ranks(p)
    p = p.clip(TINY, 1 - TINY)
    if kind == "multiclass":
        return np.asarray(-np.log(p[np.arange(len(p)), y[:, 0].astype(int)] / p.sum(axis=1)))
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)).sum(axis=1))


def body(facts: Facts, pictures: Pictures) -> str:
    """The rows of highest loss with their labels, what was said, and what stands in them."""
    if not facts.predictions:
        return paragraph("No fold is finished yet.")
    of = facts.teller
    p = facts.predictions[of]
    loss = losses(facts.task.kind, facts.y, p)
    worst = np.argsort(-loss, kind="stable")[:MOST]
    frame = facts.run.table.train.iloc[np.flatnonzero(facts.rows)[worst]]
    inputs = facts.run.table.inputs
    rows: list[list[Cell]] = []
    for at, (_, row) in zip(worst.tolist(), frame.iterrows(), strict=True):
        cells = [_true(facts, at), _said(facts, at, p[at]), _content(facts, row, inputs)]
        rows.append([str(row[facts.task.id]), number(float(loss[at]), 3), int(facts.plan[at]), *cells])
    share = float(np.sort(loss)[::-1][: max(len(loss) // 100, 1)].sum() / max(loss.sum(), 1e-12))
    said = f"The {len(rows)} of {len(loss):,} out-of-fold rows with the highest loss of the {of}.{facts.partial}"
    ranked = " The blend gives ranks, so this is the best member." if of != facts.leader else ""
    note = paragraph(f"The worst hundredth of the rows makes {share:.0%} of the whole loss.{ranked}")
    head = [facts.task.id, "loss", "fold", "label", "predicted", "row"]
    first, rest = (table(head, some, said, wide=(3, 4, 5), stack=True) for some in (rows[:FIRST], rows[FIRST:]))
    return note + first + (details(f"{len(rows) - FIRST} more", rest) if rows[FIRST:] else "")


def _true(facts: Facts, at: int) -> str:
    y, task = facts.y[at], facts.task
    if task.kind == "multilabel":
        return ", ".join(t for t, yes in zip(task.targets, y >= 0.5, strict=True) if yes) or "none"
    if task.classes:
        return shortened(str(task.classes[int(y[0])]), 30)
    return ", ".join(f"{value:g}" for value in y)


def _said(facts: Facts, at: int, p: np.ndarray) -> str:
    task = facts.task
    if task.kind == "regression" or (task.kind == "binary" and not task.classes):
        return ", ".join(f"{value:.4g}" for value in p)
    if task.kind == "binary":
        return f"{shortened(str(task.classes[1]), 30)} {p[0]:.3f}"
    names = task.classes if task.kind == "multiclass" else task.targets
    # the columns that are furthest from the label; of classes, the most probable
    gap = p if task.kind == "multiclass" else np.abs(facts.y[at] - p)
    order = np.argsort(-gap, kind="stable")[: 2 if task.kind == "multiclass" else 3]
    return ", ".join(f"{shortened(str(names[i]), 24)} {p[i]:.3f}" for i in order)


def _content(facts: Facts, row: pd.Series, inputs: list[str]) -> str:
    texts, others = list(facts.task.text), [name for name in inputs if name not in facts.task.text]
    parts = [shortened(str(row[name]), LETTERS) for name in texts if str(row[name]).strip()]
    parts += [f"{name} = {shortened(str(row[name]), LETTERS // 5)}" for name in others[:12]]
    return " · ".join(parts) + (" …" if len(others) > 12 else "")
