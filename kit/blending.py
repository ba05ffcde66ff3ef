"""Blend what is in the bank: weights, nested score, test predictions and the submission."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kit.bank import Fold
from kit.ensemble import fit_thresholded, nested
from kit.ensemble.threshold import judge, says_yes
from kit.files import read_json, write_array, write_json
from kit.metrics import mean_roc_auc
from kit.run import Run
from kit.spec import KitError, digest
from kit.submit import submission
from kit.submit import write as write_submission

VERSION = 4  # of what a blend comes to: raise it when the same settings give another result

STORY = ("choice", "reason", "choices")  # what `Blended.story` may tell


@dataclass(frozen=True)
class BlendReport:
    """What a blend is made of and what it is worth.

    Attributes:
        weights: member name → weight, learnt on all judged rows.
        score: (optimistic) score on the rows the weights, and the thresholds, were learnt on.
        summary: `NestedScore.summary`: nested score, per fold, the best single member and the gain over it.
        submission: where the submission lies; None where none was written.
        warnings: what the check of the submission found odd.
        thresholds: (outputs,) what a prediction must reach to say yes, or the lowest grade and what it must reach for
            each next one, chosen on all judged rows; () where nothing is cut.
        auc: mean ROC AUC of the out-of-fold blend, where predictions are cut into yes and no.
        story: how the blend was found, `Blended.story`: of Auto what it took, why, and what all its choices score.
    """

    weights: dict[str, float]
    score: float
    summary: dict[str, Any] | None
    submission: Path | None
    warnings: list[str]
    thresholds: tuple[float, ...] = ()
    auc: float | None = None
    story: dict[str, Any] = field(default_factory=dict)


def out_of_fold(run: Run, folds: dict[int, Fold]) -> np.ndarray:
    """(n, outputs) predictions of a member's finished folds, each in the rows that it judged; NaN elsewhere."""
    whole = np.full((len(run.plan), run.table.task.outputs), np.nan, dtype=np.float32)
    for number, fold in folds.items():
        whole[run.plan == number] = fold.valid
    return whole


def complete(run: Run, names: list[str]) -> dict[str, dict[int, Fold]]:
    """The members of `names` whose every fold is finished, with their folds."""
    found = {name: run.gathered(name) for name in names}
    return {name: folds for name, folds in found.items() if len(folds) == len(run.folds)}


def blend(run: Run, names: list[str], submit: bool = True) -> BlendReport | None:
    """Blends the complete ones of these members and writes `blend/` and `submission.csv` into the run folder.

    What was blended before from the same predictions by the same settings is read, not computed again.

    Args:
        names: members to blend.
        submit: write submission.csv (off where only a part of the test rows was predicted).

    Returns:
        None where no member is complete.
    """
    members = complete(run, names)
    if not members:
        return None
    if (kept := _kept(run, list(members), submit)) is not None:
        return kept
    folder, task = run.root / "blend", run.table.task
    (folder / "report.json").unlink(missing_ok=True)  # it vouches for the files beside it
    judged = run.plan >= 0
    y, plan = run.table.y[judged], run.plan[judged]
    predictions = np.stack([out_of_fold(run, folds)[judged] for folds in members.values()])
    # a test row is predicted by every fold's model, and their mean is the member's prediction
    tests = np.stack([np.mean([fold.test for fold in folds.values()], axis=0) for folds in members.values()])
    names, how = list(members), run.recipe.blend
    columns, asked = (columns_of(run, frame) for frame in (run.table.train[judged], run.table.test))
    blended = fit_thresholded(how, predictions, y, task.metric, names, plan, columns)
    honest = nested(how, predictions, y, plan, task.metric, names, columns)
    oof = blended.apply(predictions, columns)
    test = blended.for_test().apply(tests, asked) if tests.shape[1] else tests[0]
    cuts = blended.thresholds
    path, warnings = None, []
    if submit and tests.shape[1]:
        frame = submission(task, run.table.sample, run.table.test[task.id], test, cuts or None)
        path = run.root / "submission.csv"
        warnings = write_submission(path, frame, task, run.table.sample)
    score, oof = judge(task.metric, y, oof, cuts), honest.predictions if honest else oof
    auc = mean_roc_auc(y, oof) if says_yes(task.metric, y, oof) else None
    write_array(folder / "oof.npy", oof)
    write_array(folder / "test.npy", test)
    blended.save(folder / "weights.json")
    summary = honest.summary() if honest else None
    facts: dict[str, Any] = {
        "key": _key(run, list(members), submit),
        "weights": [list(w) for w in blended.weights.items()],
        "score": score,
        "summary": summary,
        "submitted": bool(path),
        "warnings": warnings,
        "thresholds": list(cuts),
        "auc": None if auc is None or math.isnan(auc) else auc,
        **blended.story(),
    }
    write_json(folder / "report.json", facts)
    return BlendReport(blended.weights, score, summary, path, warnings, cuts, facts["auc"], blended.story())


def columns_of(run: Run, frame: pd.DataFrame) -> pd.DataFrame | None:
    """The original columns that the blend reads, of train or of test rows."""
    names, hidden = list(run.recipe.blend.needs), {run.table.task.id, *run.table.task.targets}
    if not names or not len(frame):  # a competition may have no test file
        return None
    known = [name for name in frame.columns if name not in hidden]
    for name in names:
        if name not in known:
            blend, among = type(run.recipe.blend).__name__, ", ".join(map(str, known))
            raise KitError(f"{blend}: there is no column '{name}' to read beside the predictions; there are: {among}")
    return frame[names]


def last_blend(run: Run) -> BlendReport | None:
    """The last blend, if its members, settings and rows are still those of `run`; nothing is computed."""
    try:
        names = [name for name, _ in read_json(run.root / "blend" / "report.json")["weights"]]
    except (OSError, ValueError):
        return None
    if not set(names) <= run.recipe.members.keys():
        return None
    return next((kept for submit in (True, False) if (kept := _kept(run, names, submit))), None)


def _key(run: Run, names: list[str], submit: bool) -> str:
    shelves, sample = [run.shelf(name).folder.name for name in names], run.table.sample
    asked = None if sample is None else [list(sample.columns), digest(sample[run.table.task.id].tolist())]
    return digest([VERSION, run.recipe.blend.dump(), shelves, run.table.task.metric.name, submit, asked])


def _kept(run: Run, names: list[str], submit: bool) -> BlendReport | None:
    try:
        facts = read_json(run.root / "blend" / "report.json")
    except (OSError, ValueError):
        return None
    path = run.root / "submission.csv" if facts["submitted"] else None
    if facts["key"] != _key(run, names, submit) or (path and not path.exists()):
        return None
    weights, cuts = dict(facts["weights"]), tuple(facts["thresholds"])
    story = {name: facts[name] for name in STORY if name in facts}
    return BlendReport(weights, facts["score"], facts["summary"], path, facts["warnings"], cuts, facts["auc"], story)
