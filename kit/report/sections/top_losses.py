"""The rows with the highest loss: often wrong labels, duplicates, or hard rows."""

from collections.abc import Iterator

import numpy as np

from kit.report.data import BLEND, ReportData
from kit.report.html import Cell, number, paragraph, row_filter, shortened
from kit.report.plots import Figures
from kit.report.row_losses import row_losses
from kit.report.row_text import label_of, prediction_of, row_content, row_id
from kit.report.rows_table import rows_table

MAX_ROWS = 25  # of the leader; of each other member MAX_OTHER
MAX_OTHER = 15
PER_LABEL = 4  # more rows of each label, so that a rare one can be looked at too
MAX_LABELS = 12  # labels that get such rows: the most frequent
FIRST = 8  # rows to show before "Show all"


def body(data: ReportData, figures: Figures) -> str:
    """Rows with the highest loss of the leader and of each member, with label, prediction and content."""
    if not data.predictions:
        return paragraph("No fold is finished yet.")
    leader = data.unranked_leader
    names = [leader, *(name for name in data.listed if name != leader and not (name == BLEND and data.blend_is_ranked))]
    labels = _labels(data)
    rows: list[list[Cell]] = []
    tags: list[dict[str, str]] = []
    places: list[int] = []
    share = 0.0
    for place, name in enumerate(names):
        p = data.predictions[name]
        loss = row_losses(data.task.kind, data.y, p)
        if name == leader:
            share = float(np.sort(loss)[::-1][: max(len(loss) // 100, 1)].sum() / max(loss.sum(), 1e-12))
        for at in worst(loss, list(labels.values()), MAX_ROWS if name == leader else MAX_OTHER):
            rows.append(list(_cells(data, at, name, float(loss[at]), p[at])))
            places.append(at)
            has = [str(index) for index, rows_with in enumerate(labels.values()) if rows_with[at]]
            tags.append({"member": str(place), "label": " ".join(has)})
    note = paragraph(
        f"The worst hundredth of the rows makes {share:.0%} of the loss of the {leader}."
        + (" The blend gives ranks, so this is the best member." if leader != data.leader else "")
        + data.partial_note
    )
    what = "the error, in standard deviations of the label" if data.task.kind == "regression" else "log loss"
    caption = f"The rows with the highest loss ({what}) among {len(data.y):,} out-of-fold rows, and some of each label."
    head = [data.task.id, "loss", "fold", "member", "label", "predicted", "row"]
    choices = [("member", "Member", [(str(place), name) for place, name in enumerate(names)])]
    if labels:
        options = [("", "all"), *((str(index), shortened(name, 30)) for index, name in enumerate(labels))]
        choices.append(("label", "Label", options))
    return (
        note
        + row_filter("Search the rows of highest loss", choices, FIRST)
        + rows_table(data, places, head, rows, caption, wide=(4, 5, 6), tags=tags)
    )


def worst(loss: np.ndarray, labels: list[np.ndarray], most: int) -> list[int]:
    """Positions of the `most` highest losses and of the `PER_LABEL` highest of each label, the highest first.

    Args:
        loss: (n,) loss of each row.
        labels: (n,) whether a row has the label, one array for each.
    """
    order = np.argsort(-loss, kind="stable")
    found = set(order[:most].tolist())
    for has in sorted(labels, key=lambda has: -int(has.sum()))[:MAX_LABELS]:
        found |= set(order[has[order]][:PER_LABEL].tolist())
    return sorted(found, key=lambda at: (-loss[at], at))


def _labels(data: ReportData) -> dict[str, np.ndarray]:
    """Label → (n,) whether a row has it; none for a regression."""
    y, task = data.y, data.task
    if task.kind == "multilabel":
        columns = {target: y[:, i] >= 0.5 for i, target in enumerate(task.targets)}
        return columns | {"none": np.asarray((y < 0.5).all(axis=1))}
    if task.kind == "multiclass" or task.classes:
        return {str(name): y[:, 0] == i for i, name in enumerate(task.classes)}
    return {} if task.kind == "regression" else {"0": y[:, 0] < 0.5, "1": y[:, 0] >= 0.5}


def _cells(data: ReportData, at: int, name: str, loss: float, p: np.ndarray) -> Iterator[Cell]:
    yield from (row_id(data, at), number(loss, 3), int(data.plan[at]), name)
    yield from (label_of(data, at), prediction_of(data, at, p), row_content(data, at))
