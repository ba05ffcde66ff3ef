"""Facts of trials as they are written and told."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kit.metrics import Metric

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

Facts = dict[str, Any]
STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "refused"}


def facts_of(trial: "FrozenTrial") -> Facts:
    """What is kept of a trial that has ended, ready for JSON; scores only of complete ones."""
    made = trial.user_attrs.get("made", {})
    return {
        "number": trial.number,
        "state": STATES[trial.state.name],
        "score": trial.value if trial.state.name == "COMPLETE" else None,
        "own": bool(trial.user_attrs.get("own")),
        "why": trial.user_attrs.get("why"),
        **{name: made.get(name) for name in ("settings", "differs", "shelf", "folds", "fitted", "seconds")},
    }


def best_of(trials: Sequence[Facts], metric: Metric) -> Facts | None:
    """The complete trial with the best score, the first of equal ones."""
    best: Facts | None = None
    for trial in trials:
        if trial["state"] == "complete" and (best is None or metric.better(trial["score"], best["score"])):
            best = trial
    return best


def line_of(trial: Facts, best: Facts | None, metric: str, member: str) -> str:
    """The line that the console shows: number, score, best, time, and what differs from the recipe."""
    if trial["state"] == "complete":
        told = f"{metric} {trial['score']:.5f}"
    elif trial["state"] == "pruned":
        folds = trial["fitted"] or 0
        told = f"pruned after {folds} {'fold' if folds == 1 else 'folds'}" if folds else "pruned in its first fold"
    else:
        told = f"refused: {trial['why']}"
    top = f", best {best['score']:.5f} (trial {best['number']})" if best else ""
    time = f", {trial['seconds']:.1f} s" if trial["seconds"] is not None else ""
    differs = " ".join(text.removeprefix(f"{member}.") for text in trial["differs"] or trial["settings"] or [])
    return f"trial {trial['number']}: {told}{top}{time} · {differs or 'the recipe’s own settings'}"
