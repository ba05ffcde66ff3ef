"""The table of an ablation, for the terminal and as a Markdown page."""

import numpy as np
from rich.table import Table as Grid

from kit.core.units import duration
from kit.evidence.ablate.ablate import Ablation, Row
from kit.run.run import Run

TITLES = ("technique", "gain", "95 % interval", "p", "fits", "time", "memory")


def table(result: Ablation, run: Run) -> Grid:
    """The arms that were fitted, the largest gain first, then those that were not."""
    grid = Grid(title=_title(result, run), title_justify="left")
    for title in TITLES:
        grid.add_column(title, justify="left" if title == "technique" else "right")
    grid.add_column("note", overflow="fold")
    for row in result.rows:
        grid.add_row(row.arm.name, *_cells(row), row.note)
    return grid


def markdown(result: Ablation, run: Run, command: str) -> str:
    """A page with the same table, the settings of each arm, and how it was made.

    Args:
        command: the command that made the ablation.
    """
    metric, fitted = run.table.task.metric, [row for row in result.rows if row.fits]
    away = [row for row in result.rows if not row.fits]
    blocks = int((~np.isnan(result.scores)).sum())
    folds, seeds = result.scores.shape
    seedless = "" if run.recipe.members[result.member].is_random else " (no seed changes it)"
    fits = blocks + sum(row.fits for row in fitted)
    lines = [
        f"# Ablation of `{result.member}` on {run.table.task.name}", "", "```", command, "```", "",
        f"{_how(result)} Scored by {metric.name} on {len(run.plan):,} rows, {folds} folds × {seeds} "
        + ("seed" if seeds == 1 else "seeds") + seedless
        + ("" if blocks == folds * seeds else f"; there was time for {blocks} of {folds * seeds} fits of each arm")
        + f". The base scores {_base(result)} (mean and "
        f"standard deviation of {blocks} fits). All {fits} fits took {duration(result.seconds)}.", "",
        "| " + " | ".join((TITLES[0], "settings", *TITLES[1:])) + " |", "|" + "---|" * (len(TITLES) + 1),
    ]  # fmt: skip
    for row in fitted:
        stopped = " (stopped early)" if _stopped(row) else ""
        lines.append(f"| {row.arm.name}{stopped} | {_code(row)} | " + " | ".join(_cells(row)) + " |")
    if away:
        lines += ["", "Not tried:", "", *(f"- {row.arm.name}, {_code(row)}: {row.note}" for row in away)]
    if notes := [row for row in fitted if row.note]:
        lines += ["", *(f"- {row.arm.name}: {row.note}" for row in notes)]
    memory = "" if result.mib is None else f" A fit of the base needed {result.mib:.0f} MiB."
    return "\n".join([*lines, "", _legend(result) + memory, ""])


def _base(result: Ablation) -> str:
    known = result.scores[~np.isnan(result.scores)]
    spread = f" ± {known.std(ddof=1):.5f}" if len(known) > 1 else ""
    return f"{known.mean():.5f}{spread}" if len(known) else "nothing yet"


def _title(result: Ablation, run: Run) -> str:
    blocks = int((~np.isnan(result.scores)).sum())
    whole, task = result.scores.size, run.table.task
    return (
        f"{task.name} · {result.member} · {task.metric.name} · base {_base(result)}"
        f" · {blocks} of {whole} fits of each arm · {duration(result.seconds)}"
    )


def _how(result: Ablation) -> str:
    if result.switch == "on":
        return "Each technique alone is compared with the recipe's settings."
    together = " ".join(f"`{setting}`" for setting in result.base)
    return f"One technique at a time is left out of the set {together}; the gain is what it adds to the rest."


def _legend(result: Ablation) -> str:
    return (
        "Gains are paired: the same rows, folds and seeds with the technique and without it; positive is better. "
        "Interval and p: t-test with the variance corrected for shared train rows (Nadeau & Bengio 2003). Of twenty "
        "techniques that do nothing, one shows p < 0.05. Time and memory are those of a fit, as ratios to the fit "
        "without the technique, medians over fits (memory: the peak above what the process held before). An arm "
        "stops early once it is worse than the base with 95 % confidence over all tests. Its interval is marked * and "
        "is biased downwards, because the arm was stopped when it looked bad."
    )


def _stopped(row: Row) -> bool:
    return row.fits > 0 and row.note.startswith("stopped")


def _cells(row: Row) -> list[str]:
    if row.gain is None:
        return ["·"] * (len(TITLES) - 1)
    low, high = (f"{v:+.5f}" if np.isfinite(v) else "?" for v in (row.gain.low, row.gain.high))
    ratios = ["·" if v is None else f"{v:.2f}" for v in (row.seconds, row.mib)]
    return [
        f"{row.gain.value:+.5f}",
        f"{low} to {high}{' *' * _stopped(row)}",
        f"{row.gain.p:.3f}",
        str(row.fits),
        *ratios,
    ]


def _code(row: Row) -> str:
    return f"`{' '.join(row.arm.overrides)}`" if row.arm.overrides else "the recipe's own"
