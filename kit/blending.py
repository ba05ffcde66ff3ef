"""Blend what is in the bank: weights, nested score, test predictions and the submission."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from kit.bank import Fold
from kit.ensemble import fit_thresholded, nested
from kit.ensemble.threshold import judge, says_yes
from kit.files import checksum, contents, lock, read_json, write_array, write_json
from kit.folds import Timed
from kit.member import Member
from kit.metrics import mean_roc_auc
from kit.run import Run
from kit.spec import KitError, Spec, digest
from kit.submit import submission
from kit.submit import write as write_submission
from kit.tune.preset import chosen_by_score

VERSION = 4  # of what a blend comes to: raise it when the same settings give another result

ODD = (OSError, ValueError, LookupError, TypeError)  # reading a report.json that is absent or none of ours
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
        chosen: members that a search has chosen by their score on these very rows: `optimism`.
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
    chosen: tuple[str, ...] = ()

    @property
    def optimism(self) -> str:
        """A sentence about members that the nested score does not judge honestly, or nothing."""
        were = "was chosen by its score" if len(self.chosen) == 1 else "were chosen by their scores"
        return f"{', '.join(self.chosen)} {were} on these rows: the nested score is optimistic" if self.chosen else ""


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
    enough_folds(run)
    folder, task = run.root / "blend", run.table.task
    judged = run.plan >= 0
    y, plan = run.table.y[judged], run.plan[judged]
    predictions = np.stack([out_of_fold(run, folds)[judged] for folds in members.values()])
    # a test row is predicted by every fold's model, and their mean is the member's prediction
    tests = np.stack([np.mean([fold.test for fold in folds.values()], axis=0) for folds in members.values()])
    names, how = list(members), run.recipe.blend
    columns, asked = (columns_of(run, frame) for frame in (run.table.train[judged], run.table.test))
    groups = run.clusters_of(judged)
    blended = fit_thresholded(how, predictions, y, task.metric, names, plan, columns, groups)
    data = (predictions, y, plan, task.metric, names, columns)
    honest = nested(how, *data, groups=groups, ordered=ordered(run))
    oof = blended.apply(predictions, columns)
    test = blended.for_test().apply(tests, asked) if tests.shape[1] else tests[0]
    cuts = blended.thresholds
    score, oof = judge(task.metric, y, oof, cuts), honest.predictions if honest else oof
    auc = mean_roc_auc(y, oof) if says_yes(task.metric, y, oof) else None
    summary, path, warnings = honest.summary() if honest else None, None, []
    with lock(run.root / "blend.lock", wait=math.inf):  # files of two processes that blend here must not mix
        if submit and tests.shape[1]:
            frame = submission(task, run.table.sample, run.table.test[task.id], test, cuts or None)
            path = run.root / "submission.csv"
            warnings = write_submission(path, frame, task, run.table.sample)
        (folder / "report.json").unlink(missing_ok=True)  # it vouches for the files beside it
        write_array(folder / "oof.npy", oof)
        write_array(folder / "test.npy", test)
        blended.save(folder / "weights.json")
        write_json(folder / "further.json", {name: run.recipe.members[name].dump() for name in names if "@" in name})
        report = BlendReport(
            blended.weights, score, summary, path, warnings, cuts, _finite(auc), blended.story(), _chosen(run, names)
        )
        facts: dict[str, Any] = {
            "key": _key(run, names, submit),
            "weights": [list(w) for w in blended.weights.items()],
            "score": score,
            "summary": summary,
            "submitted": checksum(path) if path else None,
            "warnings": warnings,
            "thresholds": list(cuts),
            "auc": report.auc,
            **blended.story(),
            **({"optimistic": report.optimism} if report.chosen else {}),
        }
        write_json(folder / "report.json", facts)
    return report


def _finite(score: float | None) -> float | None:
    return None if score is None or math.isnan(score) else score


def _chosen(run: Run, names: list[str]) -> tuple[str, ...]:
    """Those of the members that a search has chosen by their score: trials, and what preset=tuned stands for."""
    made, members = chosen_by_score(run.root), run.recipe.members
    return tuple(name for name in names if "@" in name or (made and digest(members[name].identity()) in made))


def ordered(run: Run) -> bool:
    """Whether folds lie one after another in time, so that none may be joined by what was learnt on a later one."""
    return isinstance(run.recipe.folds, Timed)


def enough_folds(run: Run) -> None:
    """Refuses a blend that learns from more folds than there are without one of them.

    Raises:
        KitError: it could not be learnt, or not be judged by a nested score.
    """
    blend, there = run.recipe.blend, len(run.folds)
    if blend.folds_needed > 1 and there <= blend.folds_needed:
        raise KitError(
            f"blend={type(blend).__name__} learns from predictions of folds that it has not seen: with the fold that "
            f"judges it, it needs {blend.folds_needed + 1} folds, and the plan has {there}"
        )


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
        known = set(names) <= run.recipe.members.keys()
    except ODD:
        return None
    if not known and not set(names) <= (run := with_blended(run)).recipe.members.keys():
        return None
    return next((kept for submit in (True, False) if (kept := _kept(run, names, submit))), None)


def with_blended(run: Run) -> Run:
    """The run with those members of the last blend that are none of its recipe: trials, such as `boost@17`."""
    try:
        kept = read_json(run.root / "blend" / "further.json")
        further = {name: Spec.revive(told) for name, told in kept.items() if name not in run.recipe.members}
    except (OSError, ValueError, KitError):  # KitError: the class of a trial is gone
        return run
    if not further:
        return run
    other = run.under(run.recipe.with_members(cast(dict[str, Member], further)))
    other.plan = run.plan
    return other


def _key(run: Run, names: list[str], submit: bool) -> str:
    shelves, sample = [run.shelf(name).folder.name for name in names], run.table.sample
    asked = None if sample is None else [list(sample.columns), digest(sample[run.table.task.id].tolist())]
    how = [run.recipe.blend.dump(), run.recipe.folds.dump()]  # folds of one plan may differ in groups or order
    return digest([VERSION, how, shelves, run.table.task.metric.name, submit, asked])


def _kept(run: Run, names: list[str], submit: bool) -> BlendReport | None:
    try:
        facts = read_json(run.root / "blend" / "report.json")
        key, path = facts["key"], run.root / "submission.csv" if facts["submitted"] else None
        weights, cuts = dict(facts["weights"]), tuple(facts["thresholds"])
        story = {name: facts[name] for name in STORY if name in facts}
        kept = BlendReport(
            weights, facts["score"], facts["summary"], path, facts["warnings"], cuts, facts["auc"], story,
            _chosen(run, names),
        )  # fmt: skip
    except ODD:
        return None
    if key != _key(run, names, submit) or (path and contents(path) != facts["submitted"]):
        return None  # of other settings; or its submission is gone, or no longer what was written
    return kept
