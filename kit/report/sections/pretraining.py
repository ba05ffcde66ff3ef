"""Curves of what a member's body learnt before the task: its loss by step, and that of held-out rows by epoch."""

import re

from kit.report.plots import Figures
from kit.report.sections.series import plot_series
from kit.report.training_log import Log

STEP = re.compile(r"pretrain(\d+)-(\w+)$")  # how a fold's folder calls the log of a step of pretraining


def without_pretraining(found: dict[str, Log]) -> dict[str, Log]:
    """The logs of the task alone."""
    return {part: log for part, log in found.items() if not STEP.search(part)}


def pretraining_curves(name: str, found: dict[str, Log], figures: Figures) -> list[str]:
    """The pictures of each step of pretraining, in order; a step that all folds share is one line.

    Args:
        name: name of the member.
        found: its logs by fold and part, see `fold_logs`.
        figures: draws them.
    """
    steps: dict[tuple[str, str], dict[str, Log]] = {}
    for part, log in found.items():
        if step := STEP.search(part):
            own = steps.setdefault((step[1], step[2]), {})
            if log not in own.values():  # what was learnt before the folds has one log
                own[part[: step.start()].rstrip(" /")] = log
    drawn = []
    for (number, kind), logs in sorted(steps.items()):
        held = [-line["score"] for line in next(iter(logs.values())) if "score" in line]
        after = f" Loss of held-out rows after each epoch: {', '.join(f'{loss:.3f}' for loss in held)}." if held else ""
        drawn.append(
            figures.draw(
                f"pretraining-{name}-{number}", f"Loss of {kind} of {name} by step",
                f"Step {number} of pretraining: mean loss in nats.{after}",
                lambda axes, logs=logs: plot_series(axes, logs, "loss"),  # type: ignore[misc]
            )
        )  # fmt: skip
    return drawn
