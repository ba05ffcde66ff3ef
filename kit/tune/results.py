"""Results of trials, in the form in which they are written and shown."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kit.metrics import Metric

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

TrialResult = dict[str, Any]  # ready for JSON
STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "refused"}


def result_of(trial: "FrozenTrial") -> TrialResult:
    """The saved result of a trial that has ended; only complete trials have a score."""
    made = trial.user_attrs.get("made", {})
    return {
        "number": trial.number,
        "state": STATES[trial.state.name],
        "score": trial.value if trial.state.name == "COMPLETE" else None,
        "own": bool(trial.user_attrs.get("own")),
        "why": trial.user_attrs.get("why"),
        **{name: made.get(name) for name in ("settings", "differs", "store", "folds", "fitted", "seconds")},
    }


def best_of(trials: Sequence[TrialResult], metric: Metric) -> TrialResult | None:
    """The complete trial with the best score; of equal ones the first."""
    best: TrialResult | None = None
    for trial in trials:
        if trial["state"] == "complete" and (best is None or metric.better(trial["score"], best["score"])):
            best = trial
    return best


def line_of(trial: TrialResult, best: TrialResult | None, metric: str, member: str) -> str:
    """The line that is printed: number, score, best score, time, and the settings that differ from the recipe."""
    if trial["state"] == "complete":
        result = f"{metric} {trial['score']:.5f}"
    elif trial["state"] == "pruned":
        folds = trial["fitted"] or 0
        result = f"pruned after {folds} {'fold' if folds == 1 else 'folds'}" if folds else "pruned in its first fold"
    else:
        result = f"refused: {trial['why']}"
    top = f", best {best['score']:.5f} (trial {best['number']})" if best else ""
    time = f", {trial['seconds']:.1f} s" if trial["seconds"] is not None else ""
    differs = " ".join(text.removeprefix(f"{member}.") for text in trial["differs"] or trial["settings"] or [])
    return f"trial {trial['number']}: {result}{top}{time} · {differs or 'the recipe’s own settings'}"
