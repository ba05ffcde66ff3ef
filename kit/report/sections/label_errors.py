"""Rows whose label is likely wrong, as confident learning finds them in the out-of-fold predictions."""

from collections.abc import Iterator

import numpy as np

from kit.core.errors import KitError
from kit.report.data import ReportData
from kit.report.html import Cell, number, paragraph, row_filter
from kit.report.plots import Figures
from kit.report.row_text import label_of, prediction_of, row_content, row_id
from kit.report.rows_table import rows_table

MAX_ROWS = 40
FIRST = 8  # rows to show before "Show all"


def body(data: ReportData, figures: Figures) -> str:
    """The rows whose label agrees least with the predictions, of tasks with classes."""
    if not data.predictions:
        return ""
    try:
        quality, count = data.suspects
    except KitError as error:
        return paragraph(f"{str(error)[0].upper()}{str(error)[1:]}.")
    p, order = data.predictions[data.unranked_leader], data.suspects.worst(FIRST, MAX_ROWS).tolist()
    rows: list[list[Cell]] = [list(_cells(data, at, float(quality[at]), p[at])) for at in order]
    some = f"{count:,} of {len(quality):,} labels contradict" if count != 1 else "1 label contradicts"
    note = paragraph(
        f"{some} the out-of-fold predictions of the {data.unranked_leader} so clearly that confident learning takes "
        "them for errors (cleanlab). Look at them before you change them: some of them are hard rows with correct "
        f"labels.{data.partial_note}"
    )
    caption = "Quality is the probability that the predictions give to the label; of several labels, to the worst one."
    head = [data.task.id, "quality", "fold", "label", "predicted", "row"]
    return note + row_filter("Search the likely label errors", [], FIRST) + rows_table(
        data, order, head, rows, caption, wide=(3, 4, 5)
    )  # fmt: skip


def _cells(data: ReportData, at: int, quality: float, p: np.ndarray) -> Iterator[Cell]:
    yield from (row_id(data, at), number(quality, 4), int(data.plan[at]))
    yield from (label_of(data, at), prediction_of(data, at, p), row_content(data, at))
