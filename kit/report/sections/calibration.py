"""Are predictions calibrated? Reliability diagrams (Murphy & Winkler 1977), calibration error and Brier score."""

from typing import TYPE_CHECKING

import numpy as np

from kit.ensemble.calibrate.calibration import calibration_error, reliability
from kit.report.data import BLEND, ReportData
from kit.report.html import Cell, group, number, paragraph, stacked, table
from kit.report.plots import Figures, legend
from kit.report.style import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 10
FEWEST = 5  # smallest number of rows in a bin that is drawn
LINES = 8


def body(data: ReportData, figures: Figures) -> str:
    """Mean label against mean prediction of rows with similar predictions."""
    if not data.predictions:
        return paragraph("No fold is finished yet.")
    values = data.task.kind == "regression"
    pairs = {name: _pairs(data, name) for name in data.listed}
    off = [n for n, columns in pairs.items() if not values and not all(_probable(p) for _, p in columns.values())]
    off += [BLEND] if BLEND in pairs and BLEND not in off and data.blend_is_ranked else []
    kept = {name: columns for name, columns in pairs.items() if name not in off}
    what = "values of the label" if values else "probabilities"
    notes = [paragraph(f"No {what}, so left out: {', '.join(off)}.")] if off else []
    if not kept:
        return "".join(notes)
    several = len(data.task.targets) > 1
    of = data.unranked_leader if data.unranked_leader in kept else next(iter(kept))
    lines = kept[of] if several else {name: next(iter(columns.values())) for name, columns in kept.items()}
    drawn = dict(list(lines.items())[:LINES])
    rest = f" The first {LINES} of {len(lines)}." if len(lines) > LINES else ""
    bars = "" if values else ", and a bar is a 95 % interval"
    what = "tenths of the rows" if values else f"{BINS} bins of equal width, those with at least {FEWEST} rows"
    figure = figures.draw(
        "calibration-reliability", f"Reliability diagram of {'the ' + of if several else 'blend and members'}",
        f"Mean label against mean prediction{' of the ' + of if several else ''}, in {what}; on the diagonal they "
        f"agree{bars}.{rest}{data.partial_note}",
        lambda axes: _plot(axes, drawn, figures, several, values), (4.4, 3.8),
    )  # fmt: skip
    if values:
        return group(figure, stacked(_tenths(drawn), *notes))
    rows: list[list[Cell]] = []
    for name, columns in kept.items():
        for column, (y, p) in columns.items():
            numbers = (p.mean(), y.mean(), calibration_error(y, p, BINS), ((y - p) ** 2).mean())
            rows.append([f"{column} · {name}", *(number(float(value), 4) for value in numbers)])
    caption = (
        "Calibration error: mean gap between mean prediction and mean label of a bin, weighted by rows; Brier score: "
        "mean squared error." + data.unlisted_note
    )
    head = ["column · member", "mean prediction", "mean label", "calibration error", "Brier score"]
    return group(figure, stacked(table(head, rows, caption), *notes))


def _tenths(lines: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """The points of the plot of values: both means for each tenth of the rows, sorted by prediction."""
    rows: list[list[Cell]] = []
    for name, (y, p) in lines.items():
        for mean_prediction, mean_label, count in zip(*reliability(y, p, BINS, by="count"), strict=True):
            if count:
                gap = float(mean_label - mean_prediction)
                values = [(f"{value:.4g}", float(value)) for value in (mean_prediction, mean_label, gap)]
                rows.append([name, int(count), *values])
    head = ["line", "rows", "mean prediction", "mean label", "label − prediction"]
    return table(head, rows, "Tenths of the rows by their prediction, the lowest first.")


def _pairs(data: ReportData, name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Column → labels and predictions; for classes: whether the most probable one is right, and its probability."""
    y, p = data.y, data.predictions[name].astype(np.float64)
    if data.task.kind == "multiclass":
        right = (p.argmax(axis=1) == y[:, 0]).astype(float)
        return {"most probable class": (right, p.max(axis=1) / np.maximum(p.sum(axis=1), 1e-12))}
    known = [~np.isnan(column) for column in y.T]  # with several targets, labels may be missing
    return {
        target: (y[rows, i], p[rows, i]) for i, (target, rows) in enumerate(zip(data.task.targets, known, strict=True))
    }


def _probable(p: np.ndarray) -> bool:
    return bool(p.min() >= -1e-6 and p.max() <= 1 + 1e-6)


def _plot(
    axes: "Axes", lines: dict[str, tuple[np.ndarray, np.ndarray]], figures: Figures, several: bool, values: bool
) -> None:
    drawn = {}
    for index, (name, (y, p)) in enumerate(lines.items()):
        predicted, seen, count = reliability(y, p, BINS, by="count" if values else "width")
        many = count >= FEWEST
        color = figures.color(index) if several else figures.color(name)
        (drawn[name],) = axes.plot(predicted[many], seen[many], "o-", color=color, markersize=3.5, linewidth=1.3)
        if not values:
            for x, share, n in zip(predicted[many], seen[many], count[many], strict=True):
                axes.plot([x, x], wilson(share, n), color=color, linewidth=0.9, alpha=0.5)
    bounds = (0.0, 1.0) if not values else axes.get_xlim()
    axes.plot(bounds, bounds, color=LIGHT["faint"], linewidth=0.9, zorder=1)
    axes.set_xlabel("mean prediction")
    axes.set_ylabel("mean label")
    legend(axes, drawn, "best")


def wilson(share: float, n: float, z: float = 1.959964) -> tuple[float, float]:
    """Interval of a share that was observed in `n` rows (Wilson 1927), 95 % by default."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(middle - half), float(middle + half)
