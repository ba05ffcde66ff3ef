"""Residuals of a regression task."""

from typing import TYPE_CHECKING

import numpy as np

from kit.report.data import BLEND, ReportData
from kit.report.html import Cell, group, paragraph, table
from kit.report.plots import POINTS, Figures
from kit.report.style import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 6  # targets that get pictures


def body(data: ReportData, figures: Figures) -> str:
    """For each target its residuals against the prediction, and how they are spread."""
    if not data.predictions:
        return paragraph("No fold is finished yet.")
    of, targets = data.unranked_leader, data.task.targets
    errors = data.y - data.predictions[of]
    at = np.arange(len(errors))
    if len(at) > POINTS:
        at = np.sort(np.random.default_rng(0).choice(len(at), POINTS, replace=False))
    part = f" {POINTS:,} of {len(errors):,} rows, drawn at random." if len(errors) > POINTS else ""
    drawn = []
    for i, target in enumerate(targets[:MOST]):
        known = ~np.isnan(errors[:, i])
        p, error = data.predictions[of][:, i], errors[known, i]
        seen = at[known[at]]
        drawn += [
            figures.draw(
                f"residuals-{i}-cloud", f"Residuals of {target} against the prediction of the {of}",
                f"{target}: label minus prediction of the {of}.{part}{data.partial_note}",
                lambda axes, p=p, seen=seen, i=i: _cloud(axes, p[seen], errors[seen, i]),  # type: ignore[misc]
            ),
            figures.draw(
                f"residuals-{i}-spread", f"Histogram of the residuals of {target}",
                f"{target}: how residuals are spread; the middle 99 % of {len(error):,} rows.",
                lambda axes, error=error: _spread(axes, error),  # type: ignore[misc]
            ),
        ]  # fmt: skip
    shown = [name for name in data.listed if name != BLEND or not data.blend_is_ranked]
    rows: list[list[Cell]] = []
    for i, target in enumerate(targets):
        for name in shown:
            error = data.y[:, i] - data.predictions[name][:, i]
            error = error[~np.isnan(error)]
            low, middle, high = np.quantile(error, [0.05, 0.5, 0.95])
            numbers = [error.mean(), error.std(), np.abs(error).mean(), low, middle, high]
            rows.append([f"{target} · {name}", *((f"{value:.4g}", float(value)) for value in numbers)])
    head = ["target · member", "mean (bias)", "sd", "mean absolute", "5 %", "median", "95 %"]
    rest = f" Pictures show the first {MOST} targets." if len(targets) > MOST else ""
    ranks = paragraph("The blend is left out: it gives ranks, not values of the label.") if of != data.leader else ""
    return (
        group(*drawn)
        + table(head, rows, f"Residuals: label minus out-of-fold prediction.{rest}{data.unlisted_note}")
        + ranks
    )


def _cloud(axes: "Axes", p: np.ndarray, error: np.ndarray) -> None:
    axes.axhline(0, color=LIGHT["faint"], linewidth=1)
    axes.scatter(p, error, s=9, alpha=0.35, linewidths=0, color=LIGHT["s0"], rasterized=len(p) > 500)
    axes.set_xlabel("prediction")
    axes.set_ylabel("label − prediction")


def _spread(axes: "Axes", error: np.ndarray) -> None:
    low, high = np.quantile(error, [0.005, 0.995])
    axes.hist(error[(error >= low) & (error <= high)], bins=40, color=LIGHT["s0"], alpha=0.8)
    axes.axvline(0, color=LIGHT["faint"], linewidth=1)
    axes.set_xlabel("label − prediction")
    axes.set_ylabel("rows")
