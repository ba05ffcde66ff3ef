"""Submission files: in the order of the sample submission, checked, and replaced only by a complete, valid file."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kit.core.errors import KitError, nearest
from kit.core.files import replacing
from kit.reading.quoting import PLAIN, Quoting
from kit.task import PAIRS, Task, label_text

SAMPLE = "sample_submission.csv"


def submission(
    task: Task,
    sample: pd.DataFrame | None,
    ids: Iterable[Any],
    predictions: np.ndarray,
    thresholds: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Predictions in the rows and columns that the competition requires; ids become strings.

    If the metric needs labels, binary and multilabel tasks get 0/1, or the words of the task's classes, by a threshold;
    labels are written as in the sample.
    One column of values scored by quadratic kappa becomes whole grades.
    A multiclass task gets one column of probabilities for each class, if the sample has such columns; else its target
    column with the most probable class.

    Args:
        sample: the competition's sample submission, its ids read as strings; without one, rows keep the order of
            `ids` and columns are the id and the targets.
        ids: (n,) ids of the test rows, in the order of `predictions`.
        predictions: (n, outputs) probabilities, values for regression.
        thresholds: (outputs,) a prediction of at least this value is positive; None takes the metric's threshold for
            every column, 0.5 if it has none. For grades: the lowest grade, then the cut above which each next grade
            begins (`best_threshold`); None rounds.

    Raises:
        KitError: shapes disagree, a prediction is NaN or infinite, a row of the sample is not among `ids`, or columns
            do not fit the sample.
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
        _same_ids(keys, wanted_ids, "test rows", or_more=True)
        position = {key: i for i, key in enumerate(keys)}
        keys, predictions = wanted_ids, predictions[[position[key] for key in wanted_ids]]

    if graded := _graded(task):
        predictions = _grades(predictions, thresholds)
        thresholds = None
    usual = 0.5 if task.metric.threshold is None else task.metric.threshold
    cuts = np.broadcast_to(usual if thresholds is None else np.asarray(thresholds), task.outputs)
    columns: dict[str, Any] = {task.id: keys}
    for name, output in layout.outputs.items():
        if output is None:
            classes = labels_as_in_sample(task.classes, sample, name)
            columns[name] = [classes[i] for i in predictions.argmax(axis=1)]
        else:
            column = predictions[:, output]
            words = pd.Series(labels_as_in_sample(task.classes or (0, 1), sample, name)).to_numpy()
            written = words[(column >= cuts[output]).astype(int)] if layout.labels else column
            columns[name] = written.astype(int) if graded and not layout.labels else written
    return pd.DataFrame(columns)[layout.columns]


def _graded(task: Task) -> bool:
    return task.metric.needs == "grade" and task.kind in ("regression", "binary") and task.outputs == 1


def _grades(p: np.ndarray, thresholds: Sequence[float] | None) -> np.ndarray:
    from kit.ensemble.decide.threshold import decide  # loads scipy

    return decide(p, thresholds) if thresholds else np.floor(p + 0.5)


def check(
    frame: pd.DataFrame, task: Task, sample: pd.DataFrame | None = None, name: str = "submission.csv"
) -> list[str]:
    """Refuses a submission that the competition would refuse, or that would score as nonsense.

    Args:
        name: of the file, for the error sentences.

    Returns:
        Warnings: sentences about what is allowed but probably a mistake, such as a constant column.

    Raises:
        KitError: wrong columns or rows, ids missing, extra or twice, NaN or infinite numbers, probabilities outside
            [0, 1] (unless the task is a regression), labels the task does not know.
    """
    layout = _layout(task, sample)
    if list(frame.columns) != layout.columns:
        has, needed = ", ".join(map(str, frame.columns)), ", ".join(layout.columns)
        raise KitError(f"{name}: columns are: {has}; they must be: {needed}")
    if frame.empty:
        raise KitError(f"{name}: it has no rows")
    keys = list(map(str, frame[task.id]))
    _same_ids(keys, None if sample is None else list(map(str, sample[task.id])), name)

    for column, output in layout.outputs.items():
        if (
            labels := labels_as_in_sample(task.classes or (0, 1), sample, column)
            if output is None or layout.labels
            else []
        ):
            if (bad := ~frame[column].map(label_text).isin(list(map(label_text, labels))).to_numpy()).any():
                some, value = _some(_at(keys, bad), "has", "have"), frame[column].to_numpy()[bad][0]
                known = ", ".join(map(str, labels))
                raise KitError(
                    f"{name}: column '{column}': {some} the value '{value}', which is no label; labels are: {known}"
                )
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


def write(
    path: Path, frame: pd.DataFrame, task: Task, sample: pd.DataFrame | None = None, separator: str = ",",
    quoting: Quoting = PLAIN,
) -> list[str]:  # fmt: skip
    """Checks the submission, writes it, reads it back, and only then replaces an earlier one.

    Fractions have a decimal comma if those of the sample have one.

    Numbers are written as the shortest text that reads back as the same number: equal frames give equal bytes.

    Args:
        path: the file.
        frame: the submission.
        task: names its columns.
        sample: the competition's sample submission.
        separator: between two fields, as the sample has it.
        quoting: which fields stand in quotes, as in the sample.

    Returns:
        The warnings of `check`.

    Raises:
        KitError: what `check` refuses, or the file does not read back as what was written; the earlier file stays.
    """
    warnings = check(frame, task, sample, path.name)
    with replacing(path) as temporary:
        decimal = _decimal(sample, task)
        if quoting:
            temporary.write_text(quoting.text(frame, separator, decimal), encoding="utf-8", newline="\n")
        else:
            frame.to_csv(temporary, index=False, lineterminator="\n", sep=separator, decimal=decimal)
        # as text, since ids such as 00012 and NA must come back as they are
        back = pd.read_csv(temporary, dtype=str, keep_default_na=False, sep=separator)
        for column in frame.columns:
            wrote, read = frame[column], back[column]
            if pd.api.types.is_float_dtype(wrote):
                values = wrote.to_numpy()
                same = np.array_equal(
                    values, np.array([float(text.replace(decimal, ".")) for text in read], values.dtype)
                )
            else:
                same = list(map(str, wrote)) == list(read)
            if not same:
                raise KitError(f"{path.name}: column '{column}' does not read back as it was written; nothing changed")
    return warnings


def _decimal(sample: pd.DataFrame | None, task: Task) -> str:
    """The decimal sign of the sample's values; a point where it has none."""
    values = [] if sample is None else [str(v).strip() for c in sample if c != task.id for v in sample[c].head(1000)]
    return "," if any(re.fullmatch(r"\d+,\d+", value) for value in values) else "."


def labels_as_in_sample(labels: Sequence[Any], sample: pd.DataFrame | None, column: str) -> list[Any]:
    """The labels as a column of the sample submission spells them: its True for our 1, its `no` for our No.

    Where it holds anything else, such as 0.5, or is not there, labels stay as they are.

    Args:
        labels: of the task, in order; of two, the second is positive.
        sample: the sample submission.
        column: of the sample.
    """
    texts = [] if sample is None or column not in sample else [str(v).strip() for v in sample[column].dropna().unique()]
    if not (theirs := {str(label_text(text)).casefold(): text for text in texts if text}):
        return list(labels)
    ours = {str(label_text(label)).casefold(): label for label in labels}
    if set(theirs) <= set(ours) and len(ours) == len(labels):
        other = next((text for key, text in theirs.items() if text != str(ours[key])), "") if len(labels) == 2 else ""
        return [_like(theirs.get(text), label, other) for text, label in ours.items()]
    for pair in PAIRS if len(labels) == 2 else ():
        if set(theirs) <= {*pair}:
            shown = [theirs.get(word) or _as_written(word, next(iter(theirs.values()))) for word in pair]
            return [int(word) for word in pair] if pair[0].isdigit() else shown
    return list(labels)


def _like(text: str | None, label: Any, other: str) -> Any:
    """The sample's text for a label; where it lacks the label, the label in capitals or not as the other one there."""
    if not isinstance(label, (str, bool)):
        return label
    return text or (_as_written(str(label).casefold(), other) if other else label)


def _as_written(word: str, other: str) -> str:
    """A word in capitals or small letters as another one."""
    return word.upper() if other.isupper() else word.capitalize() if other[:1].isupper() else word


class _Layout(NamedTuple):
    columns: list[str]  # all, in the order of the file
    outputs: dict[str, int | None]  # column → column of the predictions; None: the most probable class
    labels: bool  # labels instead of probabilities


def _outputs(task: Task) -> list[str]:
    """The name of each column of the predictions."""
    return list(map(str, task.classes)) if task.kind == "multiclass" else list(task.targets)


def _layout(task: Task, sample: pd.DataFrame | None) -> _Layout:
    """The columns of a submission, by the sample's header where there is one.

    Raises:
        KitError: the sample has no id column, repeats an id, or its columns are not those of the task.
    """
    labels = task.metric.needs in ("label", "grade") and task.kind in ("binary", "multilabel")
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
    elif len(values) == len(targets) == 1:  # some competitions call the one column 'prediction'
        known = {values[0]: targets[task.targets[0]]}
    if missing := [c for c in known if c not in values]:
        raise KitError(f"{SAMPLE}: column '{missing[0]}' is missing" + nearest(missing[0], values))
    if extra := [c for c in values if c not in known]:
        clause = nearest(extra[0], list(known))
        raise KitError(f"{SAMPLE}: column '{extra[0]}' is not predicted by task '{task.name}'{clause}")
    return _Layout(header, {c: known[c] for c in values}, labels)


def _same_ids(found: list[str], wanted: list[str] | None, name: str, or_more: bool = False) -> None:
    """Every wanted id once and no other, or others as well; without `wanted`, every id once."""
    if twice := [key for key, times in Counter(found).items() if times > 1]:
        raise KitError(f"{name}: {_some(twice, 'occurs', 'occur')} twice")
    if wanted is None:
        return
    missing = sorted(set(wanted) - set(found))
    extra = sorted(set(found) - set(wanted))
    rows = "" if len(found) == len(wanted) else f" ({len(found)} rows, not {len(wanted)})"
    if missing:
        raise KitError(f"{name}: {_some(missing)} missing of those in {SAMPLE}{rows}" + _near(missing[0], extra))
    if extra and not or_more:
        raise KitError(f"{name}: {_some(extra)} not in {SAMPLE}{rows}" + _near(extra[0], wanted))


def _at(keys: list[str], rows: np.ndarray) -> list[str]:
    return [keys[i] for i in np.flatnonzero(rows)]


def _near(key: str, others: list[str]) -> str:
    """A clause that names the nearest id, if one is near."""
    if key.lstrip("0") != key and key.lstrip("0") in set(others):
        return f"; it has '{key.lstrip('0')}': read ids as strings to keep '{key}'"
    close = get_close_matches(key, others[:1000], n=1)  # comparing with a million ids would take minutes
    return f"; the nearest is '{close[0]}'" if close else ""


def _some(keys: Sequence[str], one: str = "is", many: str = "are") -> str:
    """'id 7 is' or '5 ids (1, 2, 3 …) are': how many, and the first few."""
    if len(keys) == 1:
        return f"id {keys[0]} {one}"
    return f"{len(keys)} ids ({', '.join(keys[:3])}{' …' if len(keys) > 3 else ''}) {many}"
