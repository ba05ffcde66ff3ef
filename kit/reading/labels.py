"""Labels as written in files: which classes there are, which one is positive, and which labels cannot be read."""

import re
from typing import Any

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.reading.numbers import as_numbers
from kit.reading.phrases import some
from kit.schema.cells import MISSING, strings_at
from kit.task import PAIRS, Task, label_text

WHOLE = re.compile(r"[+-]?\d{1,15}")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def label_columns(task: Task) -> tuple[str, ...]:
    """The targets whose labels are read as text, as they are written in the file."""
    return () if task.kind == "regression" else task.targets


def read_labels(task: Task, name: str, train: pd.DataFrame) -> tuple[Task, pd.DataFrame, list[str]]:
    """Task and rows with labels that `Task.encode` reads, and notes about how labels were read.

    A task without classes gets those of the train rows. In a binary task the greater number, or the later word in the
    alphabet, is positive (1 of -1/1, Yes of No/Yes, True of False/True). With several targets, labels may be missing;
    they are NaN in the returned rows.

    Args:
        task: the competition's task.
        name: name of the train file.
        train: its rows; the column of a target can have text, numbers or booleans.

    Raises:
        KitError: a label of the only target is missing, all labels of a target are missing, or a label does not fit the
            kind of task.
    """
    notes: list[str] = []
    if len(task.targets) > 1:
        notes += _gap_notes(task, name, train)
    for column in task.targets:
        if task.kind == "regression":
            numbers = as_numbers(train[column])
            _refuse(task, name, train, column, ~np.isfinite(numbers), "a finite number")
            if numbers.isna().any():
                train = train.assign(**{column: numbers})
            continue
        texts = label_texts(train[column], task.classes)
        found = texts.dropna().unique().tolist()
        if task.classes:
            known = np.isfinite(task.encode(train.assign(**{column: texts}))[:, 0])
            _refuse(task, name, train, column, ~pd.Series(known, train.index), f"one of {some(task.classes)}")
            plain = not any(isinstance(label, str) for label in task.classes)
        elif set(found) <= {"0", "1"} and task.kind != "multiclass":
            plain = True
        elif (classes := _classes(task.kind, found)) is None:
            if task.kind == "multiclass" and found:
                _refuse(task, name, train, column, texts.isna(), "a label")
                raise KitError(f"{name}: {_no_classes(column, found)}")
            _refuse(task, name, train, column, ~texts.isin(["0", "1"]), "0 or 1")
            raise KitError(f"{name}: all labels of '{column}' are missing")
        else:
            _refuse(task, name, train, column, texts.isna(), "a label")
            notes.append(_note(task.kind, name, column, classes))
            plain = task.kind == "multilabel" or not any(isinstance(label, str) for label in classes)
            if task.kind == "multilabel":
                texts = texts.map({label_text(label): i for i, label in enumerate(classes)})
            else:
                task = task.model_copy(update={"classes": classes})
        _refuse(task, name, train, column, texts.isna(), "a label")
        if plain and not pd.api.types.is_numeric_dtype(train[column]):
            train = train.assign(**{column: _numbers(train[column], texts)})
    return task, train, notes


def _numbers(labels: pd.Series, texts: pd.Series) -> pd.Series:
    """Labels as numbers, in the type of the file; labels that are no numbers stay as they are. Missing ones are NaN."""
    known = texts.notna()
    codes, found = pd.factorize(labels)  # labels are few: each different one is read once
    stripped = [value.strip() if isinstance(value, str) else value for value in found]
    for reading in (pd.Series([*stripped, *([None] if (codes < 0).any() else [])], dtype=object), texts):
        numbers = as_numbers(reading)
        if reading is not texts:
            numbers = pd.Series(numbers.to_numpy()[codes], index=labels.index)  # at -1, the last, is what is missing
        if numbers[known].notna().all() and not pd.api.types.is_bool_dtype(numbers):
            return numbers
    return labels


def label_texts(labels: pd.Series, classes: tuple[Any, ...] = ()) -> pd.Series:
    """Each label as `label_text` writes it; a word such as NA means missing unless it is one of the classes."""
    missing = {*MISSING} - {label_text(label) for label in classes}
    codes, found = pd.factorize(labels)
    texts = [None if (text := label_text(value)) in missing else text for value in found]
    return pd.Series(strings_at(texts, codes), index=labels.index)


def are_numbers(found: list[str], whole: bool = False) -> bool:
    """Whether different labels, as `label_texts` has them, are all numbers, or whole numbers."""
    return all((WHOLE if whole else NUMBER).fullmatch(text) for text in found)


def pair_of(found: list[str]) -> tuple[str, str] | None:
    """No and yes as files write them, in lower case, if the labels are one or both of such a pair; else None."""
    return next((pair for pair in PAIRS if {text.casefold() for text in found} <= {*pair}), None)


def _classes(kind: str, found: list[str]) -> tuple[Any, ...] | None:
    """The classes of the labels, in order; None if this kind of task cannot have such labels."""
    if kind == "multiclass":
        return _ordered(found) if len(found) > 1 else None
    known = pair_of(found)
    if len(found) == 2 and (kind == "binary" or known):
        return _ordered(found)
    if len(found) == 1 and known:  # the other label occurs nowhere
        other = known[1 - known.index(found[0].casefold())]
        return _ordered([found[0], other if found[0].islower() else other.capitalize()])
    return None


def _ordered(found: list[str]) -> tuple[Any, ...] | None:
    """Whole numbers in order of value, words in alphabetical order; None if numbers have decimals."""
    if are_numbers(found, whole=True):
        return (
            tuple(sorted({int(text) for text in found})) if len({int(text) for text in found}) == len(found) else None
        )
    if any(NUMBER.fullmatch(text) for text in found) and not any(text[:1].isalpha() for text in found):
        return None
    return tuple(sorted(found, key=lambda text: (text.casefold(), text)))


def _note(kind: str, name: str, column: str, classes: tuple[Any, ...]) -> str:
    shown = [repr(label) for label in classes]
    if kind == "multiclass":
        return f"{name}: '{column}' has {len(classes)} classes: {some(shown)}"
    return f"{name}: the labels of '{column}' are {shown[0]} and {shown[1]}; {shown[1]} counts as positive"


def _no_classes(column: str, found: list[str]) -> str:
    """Why these labels are no classes of a multiclass task."""
    if len(found) == 1:
        return f"all labels of '{column}' are {found[0]!r}: there is nothing to learn"
    return f"labels of '{column}' are numbers such as {found[0]}, no classes; take kind='regression'"


def _missing(task: Task, labels: pd.Series) -> pd.Series:
    """Whether each label is missing."""
    numeric = pd.api.types.is_numeric_dtype(labels) and not task.classes
    return labels.isna() if numeric else label_texts(labels, task.classes).isna()


def _gap_notes(task: Task, name: str, train: pd.DataFrame) -> list[str]:
    """Notes about missing labels if there are several targets.

    Raises:
        KitError: all labels of a target are missing.
    """
    missing = pd.DataFrame({column: _missing(task, train[column]) for column in task.targets})
    if (empty := missing.all()).any():
        raise KitError(f"{name}: all labels of '{empty.idxmax()}' are missing")
    counts = [f"'{column}' ({count})" for column, count in missing.sum().items() if count]
    if not counts:
        return []
    said = f"{name}: labels are missing in {some(counts)}: each target is learnt and scored over its known rows"
    blank = int(missing.all(axis=1).sum())
    return [said + (f"; {blank} rows have no label at all and are not learnt from" if blank else "")]


def _refuse(task: Task, name: str, train: pd.DataFrame, column: str, bad: pd.Series, allowed: str) -> None:
    """Refuses labels, missing ones first; with several targets, labels may be missing."""
    if not bad.any():
        return
    labels = train[column]
    missing = _missing(task, labels)
    if len(task.targets) > 1:
        bad, missing = bad & ~missing, missing & False
        if not bad.any():
            return
    at = missing if missing.any() else bad
    first, count = train.loc[at, task.id].iloc[0], int(at.sum())
    labels_are = f"1 label of '{column}' is" if count == 1 else f"{count} labels of '{column}' are"
    if missing.any():
        which = "leave out its row" if count == 1 else "leave out their rows"
        raise KitError(f"{name}: {labels_are} missing, the first at id {first}; {which}")
    shown = str(labels[at].tolist()[0])
    shown = shown if NUMBER.fullmatch(shown) or shown.lstrip("-") == "inf" else repr(shown)
    raise KitError(f"{name}: {labels_are} not {allowed}, as a {task.kind} task needs: {shown} at id {first}")
