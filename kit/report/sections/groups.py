"""Error by group: the score of the rows that share a value of a category."""

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.ensemble.decide.threshold import out_of_fold_thresholds, score_at_folds
from kit.report.data import ReportData
from kit.report.html import Cell, number, paragraph, shortened, stacked, table
from kit.report.plots import Figures

VALUES = 12  # of a column, at most
COLUMNS = 8  # at most, in the order of the file
FEWEST = 20  # rows of a group, at least


def body(data: ReportData, figures: Figures) -> str:
    """A table for each column of few values: rows and score of each value, the worst first."""
    if not data.compared:
        return paragraph("No fold is finished yet.")
    made = [table_of(data, name) for name in grouping_columns(data)]
    if not made:
        return paragraph(f"No column has 2 to {VALUES} values.")
    words = f"Scores of {data.leader} on out-of-fold rows, by value of a column; groups of at least {FEWEST} rows."
    return stacked(paragraph(words), *made)


def grouping_columns(data: ReportData) -> list[str]:
    """Columns that are neither numbers of many values, text nor pictures, and have few values."""
    table_, task = data.run.table, data.task
    names = [name for name in (*task.tabular(table_.inputs), *task.aside) if name in table_.train]
    few = [name for name in names if 2 <= table_.train[name].nunique() <= VALUES]
    return few[:COLUMNS]


def group_scores(data: ReportData, column: str) -> pd.DataFrame:
    """Value, rows and score of each value of a column, the worst score first; thresholds are those of all rows."""
    rows = np.flatnonzero(data.rows)
    values = data.run.table.train[column].iloc[rows].astype(object)
    y, plan, p = data.y, data.plan, data.predictions[data.leader]
    cuts = out_of_fold_thresholds(data.run.metric_of(rows), y, p, plan)
    found = []
    words = values.where(values.notna(), "(missing)").map(str).to_numpy()
    for value, at in pd.Series(np.arange(len(rows))).groupby(words):
        if len(at) < FEWEST:
            continue
        metric, here = data.run.metric_of(rows[at]), {fold: cut for fold, cut in cuts.items() if fold in plan[at]}
        try:
            score = score_at_folds(metric, y[at], p[at], plan[at], here)
        except (KitError, ValueError):  # the metric needs both classes, and the group has one
            score = np.nan
        found.append((value, len(at), float(score)))
    better = data.task.metric.greater_is_better
    made = pd.DataFrame(found, columns=["value", "rows", "score"])
    return made.sort_values("score", ascending=better, kind="stable", ignore_index=True)


def table_of(data: ReportData, column: str) -> str:
    """The scores as a table."""
    rows: list[list[Cell]] = [
        [shortened(str(value), 40), int(count), number(None if score != score else score)]
        for value, count, score in group_scores(data, column).itertuples(index=False)
    ]
    return table([shortened(column, 40), "rows", data.task.metric.name], rows, f"By '{column}', the worst first.")
