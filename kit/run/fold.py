"""Fits one fold of one member: split, fit, predict, score, write into the bank."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.core.machine import MachineFault, machine_fault
from kit.core.memory import begin_peak, peak_memory
from kit.core.sums import DamagedFile, remade
from kit.ensemble.decide.threshold import takes_yes_no
from kit.images.faults import unreadable
from kit.member import Member, Predictor
from kit.metrics.check import score_or_fault
from kit.rows import Rows
from kit.run.outcome import BUSY, Outcome, error_text, failed
from kit.run.run import Run

if TYPE_CHECKING:
    from kit.train.stop import ShouldStop

ATTEMPT = "attempt.json"  # when this attempt at the fold began, and the seconds of earlier attempts


def fit_fold(run: Run, name: str, fold: int, should_stop: "ShouldStop | None" = None) -> Outcome:
    """Fits one fold of one member, unless it is finished or busy. An error is written to its error.txt, not raised.

    Args:
        run: rows, fold plan and bank.
        name: name of the member.
        fold: number of the fold.
        should_stop: can end the fit after an epoch that the member has scored, see `Member.learn_until`.

    Raises:
        TrainingStopped: `should_stop` returned True; the fold stays unfinished.
        MachineFault: for example, the disk is full. This is no error of the member; the next one would fail as well.
    """
    store = run.store(name)
    if store.read(fold, test=False) is not None:
        return Outcome("kept")
    run.keep_plan()
    with store.work(fold) as part:
        if part is None:
            return Outcome("kept") if store.state(fold) == "done" else BUSY
        try:
            valid, test, score = _fitted(run, name, fold, part, should_stop)
            (part / ATTEMPT).unlink()
            store.finish(fold, valid, test, score)
        except Exception as error:
            if (fault := machine_fault(error)) is not None:
                raise MachineFault(f"{name} fold {fold}: {fault}") from error
            store.fail(fold, error_text(error))
            return failed(error)
    return Outcome("done")


def _fitted(
    run: Run, name: str, fold: int, part: Path, should_stop: "ShouldStop | None"
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Predictions of the fold's own rows and of the test rows, and the contents of score.json."""
    run.table.source  # noqa: B018 (read now: the memory of the rows does not count as memory of the fit)
    before, started, held = seconds_before(part), time.monotonic(), begin_peak()
    train, valid = (replace(run.table.rows(at), groups=run.clusters_of(at)) for at in run.split(fold))
    predictor = run.recipe.members[name].learn_until(train, valid, part, should_stop)
    fitted = time.monotonic()
    run.store(name).discard_model(fold)
    (part / "model").mkdir()
    predictor.save(part / "model")
    means = reads_pictures_alone(run.recipe.members[name], valid)
    predictions = [checked_predictions(name, predictor, rows, means) for rows in (valid, run.predicted_rows)]
    peak = peak_memory(held)
    score = {
        "predictor": type(predictor).__name__,  # the class that loads the model, see `kit.run.predict`
        **_scored(run, valid, predictions[0]),
        "rows": {"train": len(train), "valid": len(valid), "test": len(predictions[1])},
        "seconds": {"fit": round(before + fitted - started, 3), "predict": round(time.monotonic() - fitted, 3)},
        "mib": None if peak is None else round(peak, 1),  # peak memory of the fit, without what was in use before
    }
    return predictions[0], predictions[1], score


def _scored(run: Run, valid: Rows, predictions: np.ndarray) -> dict[str, Any]:
    metric = valid.metric
    cut = takes_yes_no(metric, valid.labels, predictions)  # the leaderboard chooses thresholds by itself
    name = f"{metric.name}@{metric.threshold}" if cut else metric.name
    found = {"metric": name, "scored_by": metric.identity()}
    score, fault = score_or_fault(metric, run.table.task.kind, valid.labels, predictions)
    # the fit is good even if the metric fails: the predictions are kept, with the error of the metric
    return {**found, "score": score, **({"fault": fault} if fault else {})}


def reads_pictures_alone(member: Member, rows: Rows) -> bool:
    """Whether a member reads only pictures, so that it knows nothing about a row whose pictures cannot be read."""
    images = {*rows.task.images}
    return bool(images) and ({*rows.source.frame.columns} <= images or member.reads_only_images)


def checked_predictions(name: str, predictor: Predictor, rows: Rows, means: bool = False) -> np.ndarray:
    """Predictions of a member's predictor, checked: float32 (n, outputs).

    Args:
        name: name of the member.
        predictor: predictor of one of its folds.
        rows: the rows to predict.
        means: rows whose pictures cannot be read get the mean of the others' predictions.

    Raises:
        KitError: the predictions have another shape, or some are NaN or infinite.
    """
    shape = (len(rows), rows.task.outputs)
    if not len(rows):  # no test file; most libraries cannot predict zero rows
        return np.empty(shape, np.float32)
    p = np.array(predictor.predict(rows), dtype=np.float32)
    if p.shape != shape:
        raise KitError(f"{name}: predictions have shape {p.shape}, not {shape}")
    if means and (unread := unreadable(rows.source)[rows.at]).any() and not unread.all():
        p[unread] = p[~unread].mean(axis=0)
    if bad := int((~np.isfinite(p)).any(axis=1).sum()):
        raise KitError(f"{name}: {bad} predictions are NaN or infinite")
    return p


def seconds_before(part: Path) -> float:
    """Seconds of earlier attempts at this fold, as far as its folder shows them; notes that a new attempt begins."""
    path, before = part / ATTEMPT, 0.0
    if path.exists():
        last = max(file.stat().st_mtime for file in part.rglob("*") if file.is_file())
        try:
            attempt = read_json(path)
            before = attempt["before"] + max(0.0, last - attempt["began"])
        except (DamagedFile, LookupError, TypeError):
            remade(path, "the seconds of earlier attempts are not counted")
    write_json(path, {"before": before, "began": time.time()})
    return before
