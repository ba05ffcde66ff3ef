"""Table: a competition's files, read and refused where they would hurt later."""

import csv
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from kit.data import Rows, Source, Task
from kit.spec import KitError, digest, nearest

# What counts as missing in columns that are not text. In a text column only the empty field is: "None" is a word.
MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>", "None", "-nan", "-NaN"]
SIGNS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Form:
    """How a competition's files write their rows.

    Attributes:
        separator: what stands between two fields.
        header: columns of the train file where files have no header line; a test file's are these less the targets.
        quotes: fields may stand in double quotes; where not, each line is a row and a quote is a plain character.
    """

    separator: Literal[",", ";", "\t", "|"] = ","
    header: tuple[str, ...] = ()
    quotes: bool = True

    @property
    def pandas(self) -> dict[str, Any]:
        """What `pandas.read_csv` must be told."""
        return {"sep": self.separator} | ({} if self.quotes else {"quoting": csv.QUOTE_NONE, "lineterminator": "\n"})


CSV = Form()


@dataclass(frozen=True)
class Table:
    """Validated rows of a competition.

    Attributes:
        task: the competition's facts.
        train: id, inputs, aside and target columns, one row each.
        test: the same without targets; empty where there is none.
        sample: sample_submission as it came, or None.
        cache: folder for what is computed once, or None for memory only.
        notes: what was mended, one sentence each, to be told.
        names: what the three files are called in error sentences.
    """

    task: Task
    train: pd.DataFrame
    test: pd.DataFrame
    sample: pd.DataFrame | None = None
    cache: Path | None = None
    notes: tuple[str, ...] = ()
    names: tuple[str, str, str] = ("train.csv", "test.csv", "sample_submission.csv")

    def __post_init__(self) -> None:
        _check(self)
        notes = list(self.notes)
        for frame, attribute in ((self.train, "train"), (self.test, "test")):
            empty = {c: int(frame[c].isna().sum()) for c in self.task.text if frame[c].isna().any()}
            if empty:
                filled = frame.assign(**{c: frame[c].fillna("") for c in empty})
                object.__setattr__(self, attribute, filled)
                name = self.names[0 if attribute == "train" else 1]
                notes += [f"{name}: {count} missing texts in '{c}' count as empty" for c, count in empty.items()]
        object.__setattr__(self, "notes", tuple(notes))

    @property
    def inputs(self) -> list[str]:
        """Columns that members see."""
        hidden = {self.task.id, *self.task.targets, *self.task.aside}
        return list(self.task.inputs) or [c for c in self.train.columns if c not in hidden]

    @cached_property
    def y(self) -> np.ndarray:
        """(n, targets) float64 labels; class indices (n, 1) where the task names classes."""
        if self.task.classes:
            index = {label: i for i, label in enumerate(self.task.classes)}
            return self.train[self.task.targets[0]].map(index).to_numpy(dtype=np.float64)[:, None]
        return self.train[list(self.task.targets)].to_numpy(dtype=np.float64)

    @cached_property
    def digest(self) -> str:
        """Changes with any value of train or test."""
        parts = [pd.util.hash_pandas_object(f, index=False).to_numpy().tobytes() for f in (self.train, self.test)]
        return digest([list(self.train.columns), list(self.test.columns), *(p.hex() for p in parts)])

    @cached_property
    def source(self) -> Source:
        """All rows without labels, train rows first."""
        return Source(pd.concat([self.train[self.inputs], self.test[self.inputs]]), self.cache)

    def rows(self, at: np.ndarray) -> Rows:
        """Train rows at these positions, with their labels."""
        return Rows(self.task, self.source, np.asarray(at), self.y[at])

    @property
    def test_rows(self) -> Rows:
        return Rows(self.task, self.source, len(self.train) + np.arange(len(self.test)))

    def subset(self, n: int, seed: int = 0) -> "Table":
        """At most `n` random train rows and `n` test rows, in their old order."""
        rng = np.random.default_rng(seed)
        train, test = (
            f.iloc[np.sort(rng.permutation(len(f))[:n])].reset_index(drop=True) for f in (self.train, self.test)
        )
        sample = self.sample
        if sample is not None:
            sample = sample[sample[self.task.id].isin(test[self.task.id])].reset_index(drop=True)
        return replace(self, train=train, test=test, sample=sample, notes=())


def read_table(
    task: Task, train: Path, test: Path | None, sample: Path | None, cache: Path | None = None, form: Form = CSV
) -> Table:
    """Reads and checks the three files of a competition; ids are strings as they stand in the file.

    Args:
        form: of train and test; a sample submission is CSV.

    Raises:
        KitError: one sentence that names file, column and ids, and the nearest right thing.
    """
    frame = read_csv(train, task, form)
    if test:
        other = read_csv(test, task, replace(form, header=tuple(c for c in form.header if c not in task.targets)))
    else:
        other = frame.drop(columns=[*task.targets], errors="ignore").iloc[:0]
    names = (train.name, test.name if test else "test.csv", sample.name if sample else "sample_submission.csv")
    return Table(task, frame, other, read_csv(sample, task) if sample else None, cache, (), names)


def read_csv(path: Path, task: Task, form: Form = CSV) -> pd.DataFrame:
    """One file of separated fields (or the same zipped), with ids and texts as strings."""
    file: Path | io.StringIO = path
    header = list(form.header)
    try:
        if not form.quotes:
            header, file = _lines(path, form)
        elif not header:
            first = pd.read_csv(path, nrows=1, header=None, dtype=str, keep_default_na=False, **form.pandas)
            header = first.iloc[0].tolist()
            _refuse_separator(path, header, form)
        if twice := [c for i, c in enumerate(header) if c and c in header[:i]]:
            raise KitError(f"{path.name}: column '{twice[0]}' occurs twice")
        named: dict[str, Any] = {"header": None, "names": header} if form.header else {}
        words = {*task.text, *(task.targets if any(isinstance(c, str) for c in task.classes) else ())}
        missing = {c: [""] if c in words else MISSING for c in header if c and c != task.id}
        types = {c: str for c in header if c == task.id or c in words}
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # it warns, and drops what has no header
            frame = pd.read_csv(
                file, dtype=types, na_values=missing, keep_default_na=False, low_memory=False, index_col=False,
                **named, **form.pandas,
            )  # fmt: skip
    except pd.errors.ParserWarning:
        raise KitError(f"{path.name}: its rows have more fields than the header, which has {len(header)}") from None
    except pd.errors.EmptyDataError:
        raise KitError(f"{path.name}: the file is empty") from None
    except UnicodeDecodeError as error:
        raise KitError(f"{path.name}: not UTF-8 text: byte {error.object[error.start]:#04x} cannot be read; "
                       "save the file as UTF-8") from None  # fmt: skip
    except pd.errors.ParserError as error:
        raise KitError(f"{path.name}: not a whole CSV file: {str(error).strip().splitlines()[-1]}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise KitError(f"{path.name}: not a whole zip file; fetch it again") from None
    except ValueError as error:  # pandas, of a zip with no file or with several
        raise KitError(f"{path.name}: {error}") from None
    if frame.empty:
        raise KitError(f"{path.name}: the file has a header but no rows")
    return frame


def _lines(path: Path, form: Form) -> tuple[list[str], io.StringIO]:
    """Columns and text of a file without quotes; pandas would fill up short lines and not say which one is long."""
    content = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            if len(names := archive.namelist()) != 1:
                raise KitError(f"{path.name}: holds {len(names)} files, not one")
            content = archive.read(names[0])
    text = content.decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n")
    if not text:
        raise KitError(f"{path.name}: the file is empty")
    first = text.partition("\n")[0].split(form.separator)
    _refuse_separator(path, first, form)
    columns = list(form.header) or first
    for number, line in enumerate(text.split("\n"), 1):
        if (fields := line.count(form.separator) + 1) != len(columns):
            wanted = f"{len(columns)} fields {_some(columns, 12)}"
            raise KitError(f"{path.name}: line {number} has not the {wanted}, but {fields}")
    return columns, io.StringIO(text)


def _refuse_separator(path: Path, fields: list[str], form: Form) -> None:
    for sign, name in SIGNS.items() if len(fields) == 1 else ():
        columns = [name.strip('"') for name in fields[0].split(sign)]
        if len(columns) == len(form.header) or (len(columns) > 1 and not form.header):
            has = "" if form.header else f"; its columns seem to be: {_some(columns)}"
            raise KitError(f"{path.name}: separated by {name}, not {SIGNS[form.separator]}{has}")


def _some(values: Iterable[object], most: int = 5) -> str:
    shown = [str(v) for v in values]
    return ", ".join(shown[:most]) + (f" … ({len(shown)})" if len(shown) > most else "")


def _check(table: Table) -> None:
    """Refuses what would hurt later, most basic fault first."""
    task, (train_name, test_name, sample_name) = table.task, table.names
    _check_columns(task, train_name, table.train, [task.id, *task.inputs, *task.text, *task.aside, *task.targets])
    if task.inputs:
        _refuse_extra(train_name, table.train, [task.id, *task.inputs, *task.aside, *task.targets])
    if targets := [c for c in task.targets if c in table.test.columns]:
        raise KitError(f"{test_name}: holds the target '{targets[0]}', which a test file must not; remove the column")
    known = [c for c in table.train.columns if c not in task.targets]
    _check_columns(task, test_name, table.test, [c for c in known if c not in task.aside])  # folds read train only
    _refuse_extra(test_name, table.test, known)
    for name, frame in ((train_name, table.train), (test_name, table.test)):
        _check_ids(task, name, frame)
    if both := sorted(set(table.train[task.id]) & set(table.test[task.id])):
        raise KitError(f"{test_name}: {_count(both, 'id')} also in {train_name}: {_some(both, 3)}")
    _check_labels(table)
    if table.sample is not None:
        _check_sample(table, sample_name, test_name)


def _check_columns(task: Task, name: str, frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    for column in wanted:
        if column not in frame.columns:
            raise KitError(f"{name}: column '{column}' is missing; it has: {_some(frame.columns, 12)}")
    if twice := frame.columns[frame.columns.duplicated()].tolist():
        raise KitError(f"{name}: column '{twice[0]}' occurs twice")


def _refuse_extra(name: str, frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    if extra := [c for c in frame.columns if c not in wanted]:
        known = list(dict.fromkeys(wanted))
        raise KitError(f"{name}: column '{extra[0]}' is not expected{nearest(extra[0], known)}")


def _check_ids(task: Task, name: str, frame: pd.DataFrame) -> None:
    ids = frame[task.id]
    if blank := int((ids.isna() | (ids == "")).sum()):
        rows = "1 row has" if blank == 1 else f"{blank} rows have"
        raise KitError(f"{name}: {rows} no id in column '{task.id}'")
    if twice := ids[ids.duplicated()].drop_duplicates().tolist():
        raise KitError(f"{name}: {_count(twice, 'id')} twice or more: {_some(twice, 3)}")


def _check_labels(table: Table) -> None:
    task, name = table.task, table.names[0]
    for column in task.targets:
        labels = table.train[column]
        if task.classes:
            bad = ~labels.isin(task.classes)
            allowed = f"one of {_some(task.classes)}"
        else:
            numbers = pd.to_numeric(labels, errors="coerce")
            bad = ~np.isfinite(numbers) if task.kind == "regression" else ~numbers.isin([0, 1])
            allowed = "a finite number" if task.kind == "regression" else "0 or 1"
        if bad.any():
            first = table.train.loc[bad, task.id].iloc[0]
            shown = labels[bad].tolist()[0]  # as Python's own type, whose repr is what stands in the file
            count = "1 label" if bad.sum() == 1 else f"{int(bad.sum())} labels"
            raise KitError(
                f"{name}: {count} of '{column}' {'is' if bad.sum() == 1 else 'are'} not {allowed}, as a {task.kind} "
                f"task needs: {'nothing' if pd.isna(shown) else repr(shown)} at id {first}"
            )


def _check_sample(table: Table, sample_name: str, test_name: str) -> None:
    task, sample = table.task, table.sample
    assert sample is not None
    _check_columns(task, sample_name, sample, [task.id])
    _check_ids(task, sample_name, sample)
    asked, known = set(sample[task.id]), set(table.test[task.id])
    if lost := sorted(asked - known):
        raise KitError(f"{test_name}: {_count(lost, 'id')} in {sample_name} but not here: {_some(lost, 3)}")
    if extra := sorted(known - asked):
        raise KitError(f"{sample_name}: {_count(extra, 'id')} in {test_name} but not here: {_some(extra, 3)}")


def _count(values: Sequence[object], noun: str) -> str:
    return f"1 {noun} occurs" if len(values) == 1 else f"{len(values)} {noun}s occur"
