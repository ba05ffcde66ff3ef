"""Submission files: aligned with the competition's sample, checked, and put in place only when whole and right."""

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kit.data import Task
from kit.files import replacing
from kit.metrics import quadratic_kappa
from kit.spec import KitError, nearest

SAMPLE = "sample_submission.csv"


def submission(
    task: Task,
    sample: pd.DataFrame | None,
    ids: Iterable[Any],
    predictions: np.ndarray,
    thresholds: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Predictions in the rows and columns that the competition asks for; ids become strings.

    Binary and multilabel tasks judged by labels get 0/1, or the words of the task's classes, cut at a threshold. One
    column of values judged by quadratic kappa becomes whole grades.
    A multiclass task gets one column of probabilities a class where the sample has such columns, else its target
    column with the likeliest class.

    Args:
        sample: the competition's sample submission, its ids read as strings; without one, rows keep the order of
            `ids` and columns are the id and the targets.
        ids: (n,) ids of the test rows, in the order of `predictions`.
        predictions: (n, outputs) probabilities, values for regression.
        thresholds: (outputs,) a prediction of at least this much says yes; None takes the metric's threshold for every
            column, 0.5 if it has none. Of grades the lowest one, then the cuts from which each next one is given
            (`best_threshold`); None rounds.

    Raises:
        KitError: shapes disagree, a prediction is NaN or infinite, or ids or columns do not fit the sample.
    """
    layout, keys = _layout(task, sample), list(map(str, ids))
    predictions = np.asarray(predictions, dtype=np.float64)
    if predictions.shape != (len(keys), task.outputs):
        wanted = (len(keys), task.outputs)
        raise KitError(f"predictions: shape {predictions.shape}; {len(keys)} ids of task '{task.name}' need {wanted}")
    for name, bad in zip(_outputs(task), ~np.isfinite(predictions).T, strict=True):
        if bad.any():  # here, not only in check: a label would hide it
            raise KitError(f"predictions: column '{name}': {_some(_at(keys, bad), 'has', 'have')} NaN or infinity")
    if sample is not None:
        wanted_ids = list(map(str, sample[task.id]))
        _same_ids(keys, wanted_ids, "test rows")
        position = {key: i for i, key in enumerate(keys)}
        keys, predictions = wanted_ids, predictions[[position[key] for key in wanted_ids]]

    if graded := _graded(task):
        predictions = _grades(predictions, thresholds)
        thresholds = None
    usual = 0.5 if task.metric.threshold is None else task.metric.threshold
    cuts = np.broadcast_to(usual if thresholds is None else np.asarray(thresholds), task.outputs)
    words = pd.Series(task.classes or (0, 1)).to_numpy()
    columns: dict[str, Any] = {task.id: keys}
    for name, output in layout.outputs.items():
        if output is None:
            columns[name] = [task.classes[i] for i in predictions.argmax(axis=1)]
        else:
            column = predictions[:, output]
            said = words[(column >= cuts[output]).astype(int)] if layout.labels else column
            columns[name] = said.astype(int) if graded and not layout.labels else said
    return pd.DataFrame(columns)[layout.columns]


def _graded(task: Task) -> bool:
    return task.metric.fn is quadratic_kappa.fn and task.kind in ("regression", "binary") and task.outputs == 1


def _grades(p: np.ndarray, thresholds: Sequence[float] | None) -> np.ndarray:
    from kit.ensemble.threshold import decide  # loads scipy

    return decide(p, thresholds) if thresholds else np.floor(p + 0.5)


def check(
    frame: pd.DataFrame, task: Task, sample: pd.DataFrame | None = None, name: str = "submission.csv"
) -> list[str]:
    """Refuses a submission that the competition would refuse or score as nonsense.

    Args:
        name: what the sentences call the file.

    Returns:
        Warnings: sentences about what is allowed but hardly meant, such as a constant column.

    Raises:
        KitError: wrong columns or rows, ids missing, extra or twice, NaN or infinite numbers, probabilities outside
            [0, 1] (unless the task is a regression), labels the task does not know.
    """
    layout = _layout(task, sample)
    if list(frame.columns) != layout.columns:
        has, wants = ", ".join(map(str, frame.columns)), ", ".join(layout.columns)
        raise KitError(f"{name}: columns are: {has}; they must be: {wants}")
    if frame.empty:
        raise KitError(f"{name}: it has no rows")
    keys = list(map(str, frame[task.id]))
    _same_ids(keys, None if sample is None else list(map(str, sample[task.id])), name)

    for column, output in layout.outputs.items():
        if labels := (task.classes or (0, 1)) if output is None or layout.labels else ():
            if (bad := ~frame[column].isin(labels).to_numpy()).any():
                some, value = _some(_at(keys, bad), "has", "have"), frame[column].to_numpy()[bad][0]
                known = ", ".join(map(str, labels))
                raise KitError(f"{name}: column '{column}': {some} no label but '{value}'; labels are: {known}")
            continue
        numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        if (bad := ~np.isfinite(numbers)).any():
            some = _some(_at(keys, bad), "has", "have")
            raise KitError(f"{name}: column '{column}': {some} NaN, infinity or no number")
        if task.kind != "regression" and (bad := (numbers < 0) | (numbers > 1)).any():
            raise KitError(
                f"{name}: column '{column}': {_some(_at(keys, bad))} outside [0, 1], such as {numbers[bad][0]:g}; "
                f"a {task.kind} task needs probabilities, so take the sigmoid or softmax of logits"
            )
    constant = [c for c in layout.outputs if len(frame) > 1 and frame[c].nunique(dropna=False) == 1]
    return [f"{name}: column '{c}' is {frame[c].iloc[0]} in every row" for c in constant]


def write(path: Path, frame: pd.DataFrame, task: Task, sample: pd.DataFrame | None = None) -> list[str]:
    """Checks the submission, writes it, reads it back, and only then lets it take the place of an earlier one.

    Numbers are written as the shortest text that reads back as the same number: equal frames give equal bytes.

    Returns:
        The warnings of `check`.

    Raises:
        KitError: what `check` refuses, or the file does not read back as what was written; the earlier file stays.
    """
    warnings = check(frame, task, sample, path.name)
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")
        # as text, since ids such as 00012 and NA must come back as they are
        back = pd.read_csv(temporary, dtype=str, keep_default_na=False)
        for column in frame.columns:
            wrote, read = frame[column], back[column]
            if pd.api.types.is_float_dtype(wrote):
                same = np.array_equal(wrote.to_numpy(), read.astype(wrote.dtype).to_numpy())
            else:
                same = list(map(str, wrote)) == list(read)
            if not same:
                raise KitError(f"{path.name}: column '{column}' does not read back as it was written; nothing changed")
    return warnings


class _Layout(NamedTuple):
    columns: list[str]  # all, in the order of the file
    outputs: dict[str, int | None]  # column → column of the predictions; None: the likeliest class
    labels: bool  # yes and no instead of probabilities


def _outputs(task: Task) -> list[str]:
    """What each column of the predictions is about."""
    return list(map(str, task.classes)) if task.kind == "multiclass" else list(task.targets)


def _layout(task: Task, sample: pd.DataFrame | None) -> _Layout:
    """The columns of a submission, by the sample's header where there is one.

    Raises:
        KitError: the sample has no id column, repeats an id, or its columns are not those of the task.
    """
    labels = task.metric.needs == "label" and task.kind in ("binary", "multilabel")
    targets = {t: None if task.kind == "multiclass" else i for i, t in enumerate(task.targets)}
    if sample is None:
        return _Layout([task.id, *targets], targets, labels)
    header = list(map(str, sample.columns))
    if task.id not in header:
        raise KitError(f"{SAMPLE}: column '{task.id}' is missing" + nearest(task.id, header))
    if twice := [key for key, times in Counter(map(str, sample[task.id])).items() if times > 1]:
        raise KitError(f"{SAMPLE}: {_some(twice, 'occurs', 'occur')} twice")
    values = [c for c in header if c != task.id]
    known: dict[str, int | None] = targets
    if task.kind == "multiclass" and set(values) & set(_outputs(task)):
        known = {name: i for i, name in enumerate(_outputs(task))}
    elif len(values) == len(targets) == 1:  # some competitions call the one column 'prediction': no doubt what it is
        known = {values[0]: targets[task.targets[0]]}
    if missing := [c for c in known if c not in values]:
        raise KitError(f"{SAMPLE}: column '{missing[0]}' is missing" + nearest(missing[0], values))
    if extra := [c for c in values if c not in known]:
        clause = nearest(extra[0], list(known))
        raise KitError(f"{SAMPLE}: column '{extra[0]}' is nothing that task '{task.name}' predicts{clause}")
    return _Layout(header, {c: known[c] for c in values}, labels)


def _same_ids(found: list[str], wanted: list[str] | None, name: str) -> None:
    """Every wanted id once and no other; without `wanted`, every id once."""
    if twice := [key for key, times in Counter(found).items() if times > 1]:
        raise KitError(f"{name}: {_some(twice, 'occurs', 'occur')} twice")
    if wanted is None:
        return
    missing = sorted(set(wanted) - set(found))
    extra = sorted(set(found) - set(wanted))
    rows = "" if len(found) == len(wanted) else f" ({len(found)} rows, not {len(wanted)})"
    if missing:
        raise KitError(f"{name}: {_some(missing)} missing of those in {SAMPLE}{rows}" + _near(missing[0], extra))
    if extra:
        raise KitError(f"{name}: {_some(extra)} not in {SAMPLE}{rows}" + _near(extra[0], wanted))


def _at(keys: list[str], rows: np.ndarray) -> list[str]:
    return [keys[i] for i in np.flatnonzero(rows)]


def _near(key: str, others: list[str]) -> str:
    """A clause that points at the id meant, where one is near."""
    if key.lstrip("0") != key and key.lstrip("0") in set(others):
        return f"; it has '{key.lstrip('0')}': read ids as strings to keep '{key}'"
    close = get_close_matches(key, others[:1000], n=1)  # comparing with every one of a million ids would take minutes
    return f"; the nearest is '{close[0]}'" if close else ""


def _some(keys: Sequence[str], one: str = "is", many: str = "are") -> str:
    """'id 7 is' or '5 ids (1, 2, 3 …) are': how many, and the first few."""
    if len(keys) == 1:
        return f"id {keys[0]} {one}"
    return f"{len(keys)} ids ({', '.join(keys[:3])}{' …' if len(keys) > 3 else ''}) {many}"
