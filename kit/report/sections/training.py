"""Training curves of a member: loss by step and score by epoch, a line for each fold."""

from typing import TYPE_CHECKING, Any

from kit.report.plots import Figures
from kit.report.sections.pretraining import pretraining_curves, without_pretraining
from kit.report.sections.series import plot_series
from kit.report.style import LIGHT
from kit.report.training_log import Log

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def curves(name: str, found: dict[str, Log], metric: str, figures: Figures) -> list[str]:
    """The pictures of a member; none if it logs no loss.

    Args:
        name: name of the member.
        found: its logs by fold, see `fold_logs`.
        metric: name of the metric of its scores.
    """
    before, found = pretraining_curves(name, found, figures), without_pretraining(found)
    if not any("loss" in line for log in found.values() for line in log):
        return before
    last = [line for log in found.values() for line in [line for line in log if "rows_per_second" in line][-1:]]
    speed = f" About {_mean(last, 'rows_per_second'):,.0f} rows a second" if last else ""
    if last and all("waiting" in line for line in last):
        speed += f"; {_mean(last, 'waiting'):.0%} of the time steps waited for their batches"
    speed += "." if last else ""
    drawn = [
        *before,
        figures.draw(
            f"training-{name}", f"Training loss of {name} by step",
            f"Training loss, one line per fold; the thin line is the learning rate (its scale is left out).{speed}",
            lambda axes: _plot(axes, found),
        )
    ]  # fmt: skip
    if any("score" in line for log in found.values() for line in log):
        drawn.append(
            figures.draw(
                f"training-{name}-score", f"Score of {name} after each epoch",
                f"{metric} after each epoch, of the rows that early stopping uses, one line per fold; higher is better "
                "(a metric where lower is better has its sign changed).",
                lambda axes: plot_series(axes, found, "score"),
            )
        )  # fmt: skip
    return drawn


def _mean(lines: "list[dict[str, Any]]", what: str) -> float:
    return sum(line[what] for line in lines) / len(lines)


def _plot(axes: "Axes", found: dict[str, Log]) -> None:
    plot_series(axes, found, "loss")
    log = next(iter(found.values()))
    rates = [(line["step"], line["lr"]) for line in log if isinstance(line.get("lr"), (int, float))]
    if len(rates) > 1:
        other = axes.twinx()
        other.plot(*zip(*rates, strict=True), color=LIGHT["faint"], linewidth=0.7)
        other.set_ylim(0, max(rate for _, rate in rates) * 3 or 1)
        other.set_axis_off()
