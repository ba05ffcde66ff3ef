"""Do predictions mean what they say? Reliability diagrams (Murphy & Winkler 1977) and what they come to in a number."""

from typing import TYPE_CHECKING

import numpy as np

from kit.ensemble.calibration import calibration_error, reliability
from kit.report.facts import BLEND, Facts
from kit.report.html import Cell, number, paragraph, table
from kit.report.pictures import Pictures, legend
from kit.report.style import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 10
FEWEST = 5  # rows of a bin that is drawn
LINES = 8


def body(facts: Facts, pictures: Pictures) -> str:
    """Mean label against mean prediction of rows with like predictions."""
    if not facts.predictions:
        return paragraph("No fold is finished yet.")
    values = facts.task.kind == "regression"
    pairs = {name: _pairs(facts, name) for name in facts.listed}
    off = [n for n, columns in pairs.items() if not values and not all(_probable(p) for _, p in columns.values())]
    off += [BLEND] if BLEND in pairs and BLEND not in off and facts.ranked else []
    told = {name: columns for name, columns in pairs.items() if name not in off}
    what = "values of the label" if values else "probabilities"
    notes = [paragraph(f"No {what}, so left out: {', '.join(off)}.")] if off else []
    if not told:
        return "".join(notes)
    several = len(facts.task.targets) > 1
    of = facts.teller if facts.teller in told else next(iter(told))
    lines = told[of] if several else {name: next(iter(columns.values())) for name, columns in told.items()}
    drawn = dict(list(lines.items())[:LINES])
    rest = f" The first {LINES} of {len(lines)}." if len(lines) > LINES else ""
    what = "tenths of the rows" if values else f"{BINS} bins of equal width, those with at least {FEWEST} rows"
    figure = pictures.draw(
        "calibration-reliability", f"Reliability diagram of {'the ' + of if several else 'blend and members'}",
        f"Mean label against mean prediction{' of the ' + of if several else ''}, in {what}; on the diagonal they "
        f"agree, and a bar is a 95 % interval.{rest}{facts.partial}",
        lambda axes: _paint(axes, drawn, pictures, several, values), (4.4, 3.8),
    )  # fmt: skip
    if values:
        return figure + "".join(notes)
    rows: list[list[Cell]] = []
    for name, columns in told.items():
        for column, (y, p) in columns.items():
            numbers = (p.mean(), y.mean(), calibration_error(y, p, BINS), ((y - p) ** 2).mean())
            rows.append([f"{column} · {name}", *(number(float(value)) for value in numbers)])
    caption = (
        "Calibration error: mean gap between what is said and seen, weighted by rows; Brier score: mean squared error."
        + facts.unlisted
    )
    head = ["column · member", "mean prediction", "mean label", "calibration error", "Brier score"]
    return figure + table(head, rows, caption) + "".join(notes)


def _pairs(facts: Facts, name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Column → labels and predictions; of classes: whether the most probable one is right, and its probability."""
    y, p = facts.y, facts.predictions[name].astype(np.float64)
    if facts.task.kind == "multiclass":
        right = (p.argmax(axis=1) == y[:, 0]).astype(float)
        return {"most probable class": (right, p.max(axis=1) / np.maximum(p.sum(axis=1), 1e-12))}
    return {target: (y[:, i], p[:, i]) for i, target in enumerate(facts.task.targets)}


def _probable(p: np.ndarray) -> bool:
    return bool(p.min() >= -1e-6 and p.max() <= 1 + 1e-6)


def _paint(
    axes: "Axes", lines: dict[str, tuple[np.ndarray, np.ndarray]], pictures: Pictures, several: bool, values: bool
) -> None:
    drawn = {}
    for index, (name, (y, p)) in enumerate(lines.items()):
        said, seen, count = reliability(y, p, BINS, by="count" if values else "width")
        many = count >= FEWEST
        color = pictures.color(index) if several else pictures.color(name)
        (drawn[name],) = axes.plot(said[many], seen[many], "o-", color=color, markersize=3.5, linewidth=1.3)
        if not values:
            for x, share, n in zip(said[many], seen[many], count[many], strict=True):
                axes.plot([x, x], wilson(share, n), color=color, linewidth=0.9, alpha=0.5)
    bounds = (0.0, 1.0) if not values else axes.get_xlim()
    axes.plot(bounds, bounds, color=LIGHT["faint"], linewidth=0.9, zorder=1)
    axes.set_xlabel("mean prediction")
    axes.set_ylabel("mean label")
    legend(axes, drawn, "best")


def wilson(share: float, n: float, z: float = 1.959964) -> tuple[float, float]:
    """Bounds of a share seen in `n` rows (Wilson 1927), 95 % by default."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(middle - half), float(middle + half)
