"""Blends the finished members: weights, nested score, test predictions and the submission."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kit.core.errors import KitError
from kit.core.files import checksum, contents, lock, read_json, write_array, write_json
from kit.core.spec import digest
from kit.core.sums import DamagedFile, remade
from kit.ensemble import fit_thresholded, nested
from kit.ensemble.decide.threshold import score_at, takes_yes_no
from kit.member import Member
from kit.metrics import mean_roc_auc
from kit.run.chosen import chosen_by_score
from kit.run.faults import scorable
from kit.run.oof import columns_of, complete, oof_of
from kit.run.run import Run
from kit.submit import submission
from kit.submit import write as write_submission

VERSION = 5  # raise it when a change of code changes the result of a blend

UNREADABLE = (OSError, ValueError, LookupError, TypeError)  # errors of a report.json that is missing or not kit's
FILES = ("oof.npy", "test.npy", "weights.json", "further.json")  # files in blend/ whose checksums are in report.json
EXPLAINED = ("choice", "reason", "choices")  # keys that `FittedBlend.explanation` may have


@dataclass(frozen=True)
class BlendReport:
    """The result of a blend.

    Attributes:
        weights: member name → weight, learnt on all out-of-fold rows.
        score: the optimistic score: on the rows from which the weights and thresholds were learnt.
        summary: `NestedScore.summary`: nested score, per fold, the best single member and the gain over it.
        submission: path of submission.csv; None if it was not written.
        warnings: members that were left out, and warnings of the check of the submission.
        thresholds: (outputs,) from which prediction on the answer is yes; for grades the lowest grade and the
            prediction from which each next grade begins. Chosen on all out-of-fold rows; () without thresholds.
        auc: mean ROC AUC of the out-of-fold blend, if thresholds make yes or no of its predictions.
        explanation: how the blend was found, see `FittedBlend.explanation`. For Auto: its choice, the reason, and the
            scores of all its choices.
        chosen: members that a search chose by their score on these rows, see `optimism`.
    """

    weights: dict[str, float]
    score: float
    summary: dict[str, Any] | None
    submission: Path | None
    warnings: list[str]
    thresholds: tuple[float, ...] = ()
    auc: float | None = None
    explanation: dict[str, Any] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()

    @property
    def optimism(self) -> str:
        """A sentence about members that make the nested score optimistic; empty if there are none."""
        were = "was chosen by its score" if len(self.chosen) == 1 else "were chosen by their scores"
        return f"{', '.join(self.chosen)} {were} on these rows: the nested score is optimistic" if self.chosen else ""


def blend(run: Run, names: list[str], submit: bool = True) -> BlendReport | None:
    """Blends those of these members whose folds are all finished; writes `blend/` and `submission.csv`.

    If the last blend is of the same predictions and settings, it is read, and nothing is computed.

    Args:
        run: rows, folds and run folder.
        names: members to blend.
        submit: whether to write submission.csv; not if only a part of the test rows was predicted.

    Returns:
        None if there is no member whose folds are all finished and have a score.
    """
    members, left_out = scorable(run, complete(run, names))
    if not members:
        return None
    if (kept := _kept(run, list(members), submit)) is not None:
        return kept
    enough_folds(run)
    folder, task = run.root / "blend", run.table.task
    known = oof_of(run, members)
    # a test row is predicted by every fold's model, and their mean is the member's prediction
    tests = np.stack([np.mean([fold.test for fold in folds.values()], axis=0) for folds in members.values()])
    names, y = list(members), known.y
    fitted, honest = fit_thresholded(run.recipe.blend, known), nested(run.recipe.blend, known)
    oof = fitted.predict(known.predictions, known.columns)
    columns = columns_of(run, run.table.test)
    test = fitted.for_test().predict(tests, columns) if tests.shape[1] else tests[0]
    cuts = fitted.thresholds
    score, oof = score_at(known.metric, y, oof, cuts), honest.predictions if honest else oof
    auc = mean_roc_auc(y, oof) if takes_yes_no(task.metric, y, oof) else None
    summary, path, warnings = honest.summary() if honest else None, None, left_out
    with lock(run.root / "blend.lock", wait=math.inf):  # two processes that blend here must not mix their files
        if submit and tests.shape[1]:
            frame = submission(task, run.table.sample, run.table.test[task.id], test, cuts or None)
            path = run.root / "submission.csv"
            warnings += write_submission(path, frame, task, run.table.sample, run.table.separator, run.table.quoting)
        (folder / "report.json").unlink(missing_ok=True)  # it means that the other files are complete
        write_array(folder / "oof.npy", oof)
        write_array(folder / "test.npy", test)
        fitted.save(folder / "weights.json")
        write_json(folder / "further.json", {name: run.recipe.members[name].to_dict() for name in names if "@" in name})
        report = BlendReport(
            fitted.weights,
            score,
            summary,
            path,
            warnings,
            cuts,
            _finite(auc),
            fitted.explanation(),
            _chosen(run, names),
        )
        written: dict[str, Any] = {
            "key": _key(run, names, submit),
            "weights": [list(w) for w in fitted.weights.items()],
            "score": score,
            "summary": summary,
            "files": {name: checksum(folder / name) for name in FILES},
            "submitted": checksum(path) if path else None,
            "warnings": warnings,
            "thresholds": list(cuts),
            "auc": report.auc,
            **fitted.explanation(),
            **({"optimistic": report.optimism} if report.chosen else {}),
        }
        write_json(folder / "report.json", written)
    return report


def _finite(score: float | None) -> float | None:
    return None if score is None or math.isnan(score) else score


def _chosen(run: Run, names: list[str]) -> tuple[str, ...]:
    """Members that a search chose by their score: trials, and members with the settings of preset=tuned."""
    made, members = chosen_by_score(run.root), run.recipe.members
    return tuple(name for name in names if "@" in name or (made and digest(members[name].identity()) in made))


def enough_folds(run: Run) -> None:
    """Refuses a plan with too few folds for the blend: its nested score learns without one of them.

    Raises:
        KitError: the blend cannot be learnt, or its nested score cannot be computed.
    """
    blend, there = run.recipe.blend, len(run.folds)
    if blend.folds_needed > 1 and there <= blend.folds_needed:
        raise KitError(
            f"blend={type(blend).__name__} learns from out-of-fold predictions: with the fold that scores it, it "
            f"needs {blend.folds_needed + 1} folds, and the plan has {there}"
        )


def last_blend(run: Run) -> BlendReport | None:
    """The last blend, if `run` still has the same members, settings and rows; nothing is computed."""
    try:
        names = [name for name, _ in _report_of(run)["weights"]]
        known = set(names) <= run.recipe.members.keys()
    except UNREADABLE:
        return None
    if not known and not set(names) <= (run := with_blended(run)).recipe.members.keys():
        return None
    return next((kept for submit in (True, False) if (kept := _kept(run, names, submit))), None)


def with_blended(run: Run) -> Run:
    """The run, and in addition members of the last blend that the recipe does not have: trials such as `boost@17`."""
    try:
        kept, module = read_json(run.root / "blend" / "further.json"), type(run.recipe).__module__
        further = {
            name: Member.from_dict(saved, module) for name, saved in kept.items() if name not in run.recipe.members
        }
    except (OSError, ValueError, KitError):  # KitError: the class of a trial does not exist any more
        return run
    if not further:
        return run
    return run.with_members(further)


def _key(run: Run, names: list[str], submit: bool) -> str:
    stores, sample = [run.store(name).folder.name for name in names], run.table.sample
    requested = None if sample is None else [list(sample.columns), digest(sample[run.table.task.id].tolist())]
    if requested and (run.table.separator != "," or run.table.quoting):
        requested += [run.table.separator, repr(run.table.quoting)]
    # folds are named too: with other settings they may have the same plan, but other groups or another order
    how = [run.recipe.blend.identity(), run.recipe.folds.identity()]
    return digest([VERSION, how, stores, run.table.task.metric.identity(), submit, requested])


def _report_of(run: Run) -> dict[str, Any]:
    """The contents of report.json, if all files of the blend match their checksums.

    Raises:
        DamagedFile: a file does not match; a line says so.
        OSError: there is no blend.
    """
    folder = run.root / "blend"
    try:
        report = read_json(folder / "report.json")
        for name, kept in report["files"].items():
            if contents(folder / name) != kept:
                raise DamagedFile(folder / name)
    except DamagedFile as error:
        remade(error.path, "the blend is to be made again")
        raise
    return report


def _kept(run: Run, names: list[str], submit: bool) -> BlendReport | None:
    if not (run.root / "blend" / "report.json").exists():
        return None
    chosen = _chosen(run, names)
    try:
        report = _report_of(run)
        key, path = report["key"], run.root / "submission.csv" if report["submitted"] else None
        weights, cuts = dict(report["weights"]), tuple(report["thresholds"])
        explanation = {name: report[name] for name in EXPLAINED if name in report}
        kept = BlendReport(
            weights, report["score"], report["summary"], path, report["warnings"], cuts, report["auc"], explanation,
            chosen,
        )  # fmt: skip
    except UNREADABLE:
        return None
    if key != _key(run, names, submit) or (path and contents(path) != report["submitted"]):
        return None  # other settings, or the submission is missing or was changed
    return kept
