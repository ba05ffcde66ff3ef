"""Columns: what each one gives to the best member of gradient-boosted trees."""

from typing import TYPE_CHECKING

import numpy as np

from kit.evidence.importance import Importances, importances
from kit.members.trees.base import GradientBoosting
from kit.report.data import ReportData
from kit.report.html import Cell, group, number, paragraph, shortened, stacked, table
from kit.report.plots import Figures, size_for_lines
from kit.report.style import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_BARS = 12
LISTED = 40


def body(data: ReportData, figures: Figures) -> str:
    """Gain, permutation importance and SHAP of columns, and partial dependence of the first ones."""
    members = data.run.recipe.members
    trees = [n for n in data.by_score if data.folds[n] and isinstance(members.get(n), GradientBoosting)]
    if not trees:
        return paragraph("No fold of a member of gradient-boosted trees is finished.")
    name = trees[0]
    found = importances(data.run, name, seconds=data.time_limit / 2)
    if found is None or found.columns["gain"].max() <= 0:
        return paragraph(f"The trees of {name} split nothing.")
    return stacked(
        paragraph(_words(data, name, found)), *_importances(data, figures, found), _dependence(data, figures, found)
    )


def _words(data: ReportData, name: str, found: Importances) -> str:
    first = found.columns.dropna(subset="fall").sort_values("fall", ascending=False, kind="stable").head(1)
    words = f"Of {name}, the best member of gradient-boosted trees, by the models of {found.folds} folds."
    for column, fall in first[["column", "fall"]].itertuples(index=False):
        words += f" Shuffling '{column}' costs most: {data.task.metric.name} gets worse by {fall:.5f}."
    return words


def _importances(data: ReportData, figures: Figures, found: Importances) -> str:
    shown, first = found.columns.head(LISTED), found.columns.dropna(subset="fall").head(MAX_BARS)
    figure = figures.draw(
        "columns-importance", "Permutation importance of the first columns",
        f"By how much {data.task.metric.name} gets worse on judged rows when a column is shuffled; lines: standard "
        "deviation over folds and shuffles.",
        lambda axes: _bars(axes, first["column"].tolist(), first["fall"].to_numpy(), first["spread"].to_numpy()),
        size_for_lines(len(first)),
    ) if len(first) else ""  # fmt: skip
    rows: list[list[Cell]] = [
        [shortened(str(column), 60), (f"{gain:.1%}", gain), *(number(None if v != v else v) for v in others)]
        for column, gain, *others in shown[["column", "gain", "fall", "spread", "shap"]].itertuples(index=False)
    ]
    head = ["column", "gain", "worse if shuffled", "± sd", "mean |SHAP|"]
    more = f" The {LISTED} of {len(found.columns):,} columns with most gain." if len(found.columns) > LISTED else ""
    caption = f"Shuffled in {found.rows:,} judged rows, the columns of most gain only.{more}"
    return group(figure, table(head, rows, caption))


def _dependence(data: ReportData, figures: Figures, found: Importances) -> str:
    names = [str(name) for name in data.task.output_names]

    def drawn(i: int, column: str) -> str:
        values, means = found.dependence[column]
        return figures.draw(
            f"columns-dependence-{i}",
            f"Partial dependence of {column}",
            f"Mean prediction of judged rows if all of them had this value of '{column}'.",
            lambda axes: _lines(axes, column, values, means, names),
        )

    return group(*(drawn(i, column) for i, column in enumerate(found.dependence)))


def _bars(axes: "Axes", columns: list[str], values: np.ndarray, spread: np.ndarray) -> None:
    names = [shortened(str(name), 34) for name in columns][::-1]
    axes.barh(range(len(names)), values[::-1], xerr=spread[::-1], height=0.55, color=LIGHT["s0"], alpha=0.8,
              ecolor=LIGHT["faint"])  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("worse if shuffled")


def _lines(axes: "Axes", column: str, values: list[float | str], means: np.ndarray, names: list[str]) -> None:
    words = isinstance(values[0], str)
    places = list(range(len(values))) if words else values
    few = np.argsort(-np.ptp(means, axis=0), kind="stable")[:6]  # outputs that change most
    for i in sorted(few):
        axes.plot(places, means[:, i], marker="o", markersize=3, linestyle="" if words else "-",
                  color=LIGHT[f"s{i % 8}"], label=shortened(names[i], 20))  # fmt: skip
    if words:
        axes.set_xticks(places, [shortened(str(value), 12) for value in values], rotation=45, ha="right")
    axes.set_xlabel(shortened(column, 50))
    axes.set_ylabel("mean prediction")
    if len(few) > 1:
        axes.legend(loc="best")
