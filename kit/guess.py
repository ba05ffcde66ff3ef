"""Guesses the kind of task, the text columns and the id of a plain frame. For notebooks; all can be given."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, get_args

import numpy as np
import pandas as pd

from kit.core.errors import KitError, nearest
from kit.images.store import is_picture
from kit.metrics import Metric, log_loss, mean_roc_auc, rmse, roc_auc
from kit.reading.labels import are_numbers, label_texts, pair_of, read_labels
from kit.schema.cells import Cells, well_formed
from kit.schema.column import decimal_in, type_of
from kit.task import Kind, Task

MOST_CLASSES = 20  # whole numbers with more values than this are values of a regression
WORDS, LETTERS = 3.0, 20.0  # a column with this many words, or this many letters, in a row on average is text
DISTINCT = 0.2  # and with this share of different values, or it would be a category
USUAL_METRIC = {"binary": roc_auc, "multilabel": mean_roc_auc, "multiclass": log_loss, "regression": rmse}


def as_frame(data: Any, what: str = "rows") -> pd.DataFrame:
    """Columns of a frame, an array or texts, with row numbers as the index.

    Args:
        data: a frame or a dict of columns; (n, columns) numbers, whose columns are called x0, x1, …; n texts, whose
            column is called text; a series.
        what: the data's name in error sentences.

    Raises:
        KitError: it has another number of dimensions, or no rows.
    """
    if isinstance(data, pd.Series):
        frame = data.to_frame("text" if _is_words(data) else "x0") if data.name is None else data.to_frame()
    elif isinstance(data, (pd.DataFrame, dict)):
        frame = pd.DataFrame(data)
    else:
        array = np.asarray(data)
        if array.ndim == 1 and _is_words(pd.Series(array)):
            frame = pd.DataFrame({"text": array.astype(object)})
        elif array.ndim == 2:
            frame = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
        else:
            wide = "reshape(-1, 1)" if array.ndim < 2 else f"reshape({len(array)}, {array[:1].size})"
            raise KitError(f"{what}: an array of shape {array.shape}; it has to be (n, columns), such as {wide} gives")
    if frame.empty:
        raise KitError(f"{what}: there are no rows")
    frame.columns = frame.columns.map(str)
    return frame.reset_index(drop=True)


def as_labels(y: Any, n: int) -> pd.DataFrame:
    """Target columns (n, targets) of labels, whose column is called y where they have no name.

    Raises:
        KitError: there are not n of them, or some of the only target are missing, or all of one.
    """
    array = y if isinstance(y, (pd.Series, pd.DataFrame)) else np.asarray(y)
    if len(array) != n:
        raise KitError(f"y: {len(array)} labels, but there are {n} rows")
    if isinstance(array, np.ndarray) and array.ndim > 2:
        raise KitError(f"y: an array of shape {array.shape}; it has to be (n,) or (n, targets)")
    if isinstance(array, np.ndarray) and array.ndim == 2:
        array = pd.DataFrame(array, columns=["y"] if array.shape[1] == 1 else [f"y{i}" for i in range(array.shape[1])])
    frame = array if isinstance(array, pd.DataFrame) else pd.Series(array).to_frame(getattr(array, "name", None) or "y")
    frame = frame.reset_index(drop=True)
    frame.columns = frame.columns.map(str)
    for name in frame:
        bad = int(frame[name].isna().sum())
        if bad == n or (bad and len(frame.columns) == 1):
            raise KitError(f"y: {bad} labels of '{name}' {'is' if bad == 1 else 'are'} missing")
    return frame


def guess_kind(labels: pd.DataFrame) -> Kind:
    """The kind of task that labels (n, targets) seem to be of, as the reader of files spells them.

    One column of two words or two whole numbers is binary; of more words, or of up to 20 whole numbers, multiclass; of
    other numbers regression. Several columns of no and yes, such as 0 and 1, are multilabel, of other numbers
    regression; they may have gaps.

    Raises:
        KitError: they are of no kind.
    """
    columns = {str(name): label_texts(labels[name]).dropna().unique().tolist() for name in labels}
    if len(columns) > 1:
        if all(map(pair_of, columns.values())):
            return "multilabel"
        if others := [name for name, found in columns.items() if not are_numbers(found)]:
            raise KitError(
                f"target '{others[0]}': several targets are no and yes each, such as 0 and 1, or numbers; these are "
                "words"
            )
        return "regression"
    ((name, found),) = columns.items()
    if len(found) < 2:
        raise KitError(f"target '{name}': all labels are {_plain(found)}, so there is nothing to learn")
    if not are_numbers(found):
        return "binary" if len(found) == 2 else "multiclass"
    if not are_numbers(found, whole=True):
        return "regression"
    if len(found) == 2:
        return "binary"
    return "multiclass" if len(found) <= min(MOST_CLASSES, len(labels) / 2) else "regression"


def _plain(found: list[str]) -> str:
    return next((text if are_numbers([text]) else repr(text) for text in found), "missing")


def read_as(task: Task, labels: pd.DataFrame, what: str = "y") -> tuple[Task, pd.DataFrame]:
    """The task with its classes, and labels (n, targets) that it encodes: both as of a file, see `read_labels`.

    Raises:
        KitError: a label is none that such a task can have.
    """
    numbered = labels.assign(**{task.id: np.arange(len(labels))})
    task, read, _ = read_labels(task, what, numbered)
    return task, read[[*task.targets]]


def guess_text(frame: pd.DataFrame) -> tuple[str, ...]:
    """Columns that seem to hold text: strings of several words, or of many letters, that are seldom equal.

    Not those that are dates, numbers or yes and no to `kit.schema`, however many letters they have.
    """
    words = [str(name) for name in frame if _is_words(frame[name])]
    texts = [name for name in words if _is_text([str(value) for value in frame[name].dropna()])]
    return tuple(name for name in texts if _is_category(frame[name]))


def _is_category(column: pd.Series) -> bool:
    cells = [Cells("frame", well_formed(column))]
    return type_of(cells, decimal_in(cells, ".")) == "category"


def guess_images(frame: pd.DataFrame) -> tuple[str, ...]:
    """Columns that seem to hold pictures: bytes, or names with the ending of a picture."""
    return tuple(str(name) for name in frame if _is_words(frame[name]) and _are_pictures(frame[name].dropna().tolist()))


def _are_pictures(values: list[Any]) -> bool:
    return bool(values) and all(
        isinstance(value, (bytes, PurePath)) or (isinstance(value, str) and is_picture(value)) for value in values
    )


def guess_id(frame: pd.DataFrame) -> str | None:
    """The column that seems to name rows: it is called id, and no two of its values are equal."""
    found = (name for name in frame if str(name).lower() == "id" and frame[name].is_unique)
    return next(map(str, found), None)


def _is_words(column: pd.Series) -> bool:
    kind = pd.api.types
    return not (kind.is_numeric_dtype(column) or kind.is_bool_dtype(column) or kind.is_datetime64_any_dtype(column))


def _is_text(values: list[str]) -> bool:
    if not values or len(set(values)) < DISTINCT * len(values):
        return False
    words, letters = (sum(map(len, items)) / len(values) for items in ([v.split() for v in values], values))
    return words >= WORDS or letters >= LETTERS


def guess_task(
    frame: pd.DataFrame,
    labels: pd.DataFrame,
    name: str = "frame",
    kind: str | None = None,
    text: str | Sequence[str] | None = None,
    metric: Metric | None = None,
    images: str | Sequence[str] | None = None,
    **fields: Any,
) -> Task:
    """The task of a frame whose every column but the id is an input, and of labels (n, targets).

    Args:
        frame: the input columns.
        labels: the target columns.
        name: of the task.
        kind: None guesses it from the labels.
        text: the columns that hold text; None guesses them.
        metric: None takes ROC AUC, for multiclass log loss, for regression root mean squared error.
        images: the columns that hold pictures; None guesses them.
        fields: further fields of Task.

    Raises:
        KitError: a column does not exist, or the labels fit no kind.
    """
    if kind is not None and kind not in get_args(Kind):
        raise KitError(f"kind = '{kind}': there is no such kind of task" + nearest(kind, list(get_args(Kind))))
    given = (text,) if isinstance(text, str) else text
    shown = (images,) if isinstance(images, str) else images
    for setting, column in (*(("text", c) for c in given or ()), *(("images", c) for c in shown or ())):
        if column not in frame:
            raise KitError(f"{setting}: there is no column '{column}'" + nearest(column, list(frame.columns)))
    found: Any = kind or guess_kind(labels)
    named = fields.pop("id", None) or guess_id(frame)
    inputs = [str(column) for column in frame if column != named]
    seen = guess_images(frame[inputs]) if shown is None else shown
    texts = guess_text(frame[[c for c in inputs if c not in seen]]) if given is None else given
    task = Task(
        name=name, kind=found, targets=tuple(labels), metric=metric or USUAL_METRIC[found], inputs=tuple(inputs),
        text=tuple(texts), images=tuple(seen), **({"id": named} if named else {}), **fields,
    )  # fmt: skip
    return read_as(task, labels)[0]
