"""Where and how far predictions of values are off."""

from typing import TYPE_CHECKING

import numpy as np

from kit.report.facts import BLEND, Facts
from kit.report.html import Cell, group, paragraph, table
from kit.report.pictures import POINTS, Pictures
from kit.report.style import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 6  # targets that get pictures


def body(facts: Facts, pictures: Pictures) -> str:
    """For each target its residuals against the prediction, and how they are spread."""
    if not facts.predictions:
        return paragraph("No fold is finished yet.")
    of, targets = facts.teller, facts.task.targets
    errors = facts.y - facts.predictions[of]
    at = np.arange(len(errors))
    if len(at) > POINTS:
        at = np.sort(np.random.default_rng(0).choice(len(at), POINTS, replace=False))
    part = f" {POINTS:,} of {len(errors):,} rows, drawn at random." if len(errors) > POINTS else ""
    figures = []
    for i, target in enumerate(targets[:MOST]):
        p, error = facts.predictions[of][:, i], errors[:, i]
        figures += [
            pictures.draw(
                f"residuals-{i}-cloud", f"Residuals of {target} against the prediction of the {of}",
                f"{target}: label minus prediction of the {of}.{part}{facts.partial}",
                lambda axes, p=p, error=error: _cloud(axes, p[at], error[at]),  # type: ignore[misc]
            ),
            pictures.draw(
                f"residuals-{i}-spread", f"Histogram of the residuals of {target}",
                f"{target}: how residuals are spread; the middle 99 % of {len(errors):,} rows.",
                lambda axes, error=error: _spread(axes, error),  # type: ignore[misc]
            ),
        ]  # fmt: skip
    told = [name for name in facts.listed if name != BLEND or not facts.ranked]
    rows: list[list[Cell]] = []
    for i, target in enumerate(targets):
        for name in told:
            error = facts.y[:, i] - facts.predictions[name][:, i]
            low, middle, high = np.quantile(error, [0.05, 0.5, 0.95])
            numbers = [error.mean(), error.std(), np.abs(error).mean(), low, middle, high]
            rows.append([f"{target} · {name}", *((f"{value:.4g}", float(value)) for value in numbers)])
    head = ["target · member", "mean (bias)", "sd", "mean size", "5 %", "median", "95 %"]
    rest = f" Pictures show the first {MOST} targets." if len(targets) > MOST else ""
    ranks = paragraph("The blend gives ranks, no values of the label, so it is left out.") if of != facts.leader else ""
    return (
        group(*figures)
        + table(head, rows, f"Residuals: label minus out-of-fold prediction.{rest}{facts.unlisted}")
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
