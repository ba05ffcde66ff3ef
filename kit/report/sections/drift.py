"""Drift: how much test rows differ from train rows."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kit.evidence.drift import FEWEST, SAMPLE, Drift, find_drift
from kit.metrics.intervals import Interval
from kit.report.data import ReportData
from kit.report.html import Cell, group, number, paragraph, shortened, table
from kit.report.plots import Figures, size_for_lines
from kit.report.style import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_BARS = 12
# upper limit of the AUC, and the words for it
VERDICTS = ((0.55, "look alike"), (0.65, "differ a little"), (0.8, "differ clearly"), (np.inf, "differ strongly"))


def body(data: ReportData, figures: Figures) -> str:
    """How well a classifier separates train from test, and which columns differ."""
    table_ = data.run.table
    if not len(table_.test):
        return paragraph("There is no test file to compare train with.")
    if len(table_.test) < FEWEST or len(table_.train) < 2 * FEWEST:
        return paragraph(f"Too few rows to compare; it needs {FEWEST} of test and {2 * FEWEST} of train.")
    compared = [name for name in table_.inputs if name not in data.task.images]
    if not compared:
        return paragraph("There are only pictures, which are not compared here.")
    found = find_drift(table_.train[compared], table_.test[compared], data.task.text)
    words = [f"Adversarial validation: train and test {verdict(found)}. A small LightGBM separates them with AUC "
            f"{_auc(found.auc)} by the features below"]  # fmt: skip
    if found.words:
        words.append(f", a logistic regression with AUC {_auc(found.words)} by their words")
    ours, theirs = found.rows
    columns = found.columns.sort_values("psi", ascending=False, kind="stable")
    figure = figures.draw(
        "drift-psi", "Population stability index of each figure",
        "Population stability index of train against test. Up to 0.1 counts as stable, from 0.25 as a shift (lines).",
        lambda axes: _plot(axes, columns[:MAX_BARS]), size_for_lines(min(len(columns), MAX_BARS)),
    )  # fmt: skip
    rows: list[list[Cell]] = [
        [shortened(name, 60), number(psi, 4), number(ks, 4), (f"{p:.2g}", p), _plain(in_train), _plain(in_test)]
        for name, psi, ks, p, in_train, in_test in columns[["name", "psi", "ks", "p", "train", "test"]].to_numpy()
    ]  # fmt: skip
    head = ["figure", "PSI", "KS", "p of KS", "mean in train", "mean in test"]
    caption = f"{ours:,} rows of train, {theirs:,} of test" + (", drawn at random." if SAMPLE in found.rows else ".")
    words.append("; 0.5 is random. In brackets 95 % intervals; the verdict uses their lower ends.")
    return paragraph("".join(words)) + group(figure, table(head, rows, caption))


def verdict(found: Drift) -> str:
    """How much train and test certainly differ, in words."""
    lows = [0.5 if auc.low != auc.low else auc.low for auc in (found.auc, found.words) if auc]
    return next(words for bound, words in VERDICTS if max(lows) < bound)


def _auc(found: Interval) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _plain(value: float) -> Cell:
    return (f"{value:.4g}", value) if value == value else None


def _plot(axes: "Axes", columns: pd.DataFrame) -> None:
    names = [shortened(str(name), 34) for name in columns["name"]][::-1]
    values = columns["psi"].to_numpy()[::-1]
    axes.barh(range(len(names)), values, height=0.55, color=LIGHT["s0"], alpha=0.8)
    axes.set_yticks(range(len(names)), names)
    for bound in (0.1, 0.25):
        if values.max() > bound / 2:
            axes.axvline(bound, color=LIGHT["faint"], linewidth=0.9, linestyle=(0, (4, 3)))
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, max(values.max() * 1.08, 0.05))
    axes.set_xlabel("population stability index")
