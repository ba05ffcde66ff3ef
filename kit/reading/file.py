"""One file of a competition as a frame, in any packing, format and encoding."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from kit.core.errors import KitError
from kit.reading.content import content_of
from kit.reading.delimited import UNNAMED, read_delimited
from kit.reading.encoding import as_utf8
from kit.reading.form import CSV, SIGNS, Form
from kit.reading.ids import id_columns
from kit.reading.labels import label_columns
from kit.reading.layout import layout_of
from kit.reading.quoting import HEAD, PLAIN, Quoting, quoting_of
from kit.reading.tabular import read_excel, read_json_table, read_parquet
from kit.schema.cells import cell_text
from kit.task import Task

JSON = re.compile(rb'\s*(\{\s*("|\}|$)|\[\s*[{\]])')


@dataclass(frozen=True)
class FileRows:
    """The rows of one file.

    Attributes:
        frame: the rows; ids and texts are strings.
        note: how it was read, in one sentence; "" for plain CSV in UTF-8.
        separator: sign between its fields; with decimal commas it is usually a semicolon.
        quoting: which of its fields are in quotes.
    """

    frame: pd.DataFrame
    note: str = ""
    separator: str = ","
    quoting: Quoting = PLAIN

    @property
    def semicolons(self) -> bool:
        """Whether semicolons separate its fields."""
        return self.separator == ";"


def read_file(path: Path, task: Task, form: Form = CSV) -> FileRows:
    """The rows of one file, and how it was read.

    Raises:
        KitError: one sentence that names the file, what is wrong and where.
    """
    content = content_of(path)
    words, quoting = {*task.text, *label_columns(task)}, PLAIN
    known = [*([task.id] if task.id else []), *task.targets, *task.inputs, *task.text, *task.images, *task.aside]
    if content.kind == "text":
        text, encoding = as_utf8(path, content.data, form.encoding)
        if form.header or not JSON.match(text):
            frame, notes = read_delimited(path, text, form, known, lambda names: plain(task, names), words)
            if form.quotes and b'"' in text[:HEAD]:
                start = text[: 2 * HEAD].decode("utf-8", errors="ignore")
                layout = layout_of(path, start, form, known)
                header = start[: layout.start].rstrip("\r\n").replace("\r", "\n").rpartition("\n")[2]
                quoting = quoting_of(header + "\n" + start[layout.start :], layout.separator, layout.names)
        else:
            frame, notes = _plain(path, *read_json_table(path, text), task)
        notes.insert(0, encoding)
    elif content.kind == "parquet":
        frame, notes = _plain(path, *read_parquet(path, content.data), task)
    else:
        frame, notes = _plain(path, *read_excel(path, content.data, known), task)
    if frame.empty:
        raise KitError(f"{path.name}: the file has a header but no rows")
    said = [note for note in (*content.packing, *notes) if note]
    return FileRows(frame, f"{path.name}: {', '.join(said)}" if said else "", _separator(said, form), quoting)


def plain(task: Task, names: Sequence[str]) -> set[str]:
    """Those of these columns that are read as strings: ids, texts, labels, and those that the task states."""
    stated = {name for name, kind in task.types if kind != "number"}
    return {*task.text, *task.images, *label_columns(task), *stated, *id_columns(task, names)}.intersection(names)


def column_names(path: Path, task: Task, form: Form = CSV) -> list[str]:
    """The columns of one file; without a header line, the fields of the first line."""
    content = content_of(path)
    if content.kind == "text":
        text, _ = as_utf8(path, content.data, form.encoding)
        if form.header or not JSON.match(text):
            known = [
                *([task.id] if task.id else []),
                *task.targets,
                *task.inputs,
                *task.text,
                *task.images,
                *task.aside,
            ]
            return list(layout_of(path, text.decode("utf-8"), replace(form, header=()), known).names)
    return [str(name) for name in read_file(path, task, form).frame.columns]


def _plain(path: Path, frame: pd.DataFrame, notes: list[str], task: Task) -> tuple[pd.DataFrame, list[str]]:
    """A table of cells in the form of a delimited text: only columns with names, ids and texts as strings."""
    frame = frame.set_axis([("" if pd.isna(name) else str(name)).strip() for name in frame.columns], axis=1)
    if twice := frame.columns[frame.columns.duplicated() & (frame.columns != "")].tolist():
        raise KitError(f"{path.name}: column '{twice[0]}' occurs twice")
    unnamed = [bool(UNNAMED.fullmatch(name)) for name in frame.columns]
    if any(unnamed):
        notes = [*notes, f"{sum(unnamed)} columns without a name are left out"]
    frame = frame.loc[:, [not left_out for left_out in unnamed]].infer_objects()
    strings = plain(task, list(frame.columns)) - ({*task.images} - {task.id})  # a table may hold pictures' bytes
    texts = {str(n): pd.Series([cell_text(v) for v in frame[n]], dtype=object) for n in strings}
    return frame.assign(**texts), notes


def _separator(said: Sequence[str], form: Form) -> str:
    """The sign between fields; a note names it if it is not the expected one."""
    return next((sign for sign, name in SIGNS.items() if f"separated by {name}" in said), form.separator or ",")
