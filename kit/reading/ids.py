"""Ids: the column that names the rows in each file, and the rows that a sample submission contains."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from kit.core.errors import KitError, close_to
from kit.reading.phrases import occurring, some
from kit.task import Task

ZEROS = re.compile(r"0*(\d+?)(?:\.0+)?")  # 7 of 007 and of 7.0


@dataclass(frozen=True)
class Frames:
    """Rows of a competition's files, and what was found out about their ids.

    Attributes:
        task: the task, with the id column that all three files now have.
        train: rows of the train file.
        test: rows of the test file.
        sample: rows of the sample submission, or None.
        notes: what was done, one sentence each.
    """

    task: Task
    train: pd.DataFrame
    test: pd.DataFrame
    sample: pd.DataFrame | None
    notes: tuple[str, ...] = ()


def named(files: Frames, names: tuple[str, str, str]) -> Frames:
    """The same rows with one id column, whose name is that of the sample submission, or else of the test file.

    Rows of a file without ids are numbered; rows of a test file get the sample's ids, in their order.

    Args:
        files: the rows as they were read, and the task as it is stated.
        names: names of the three files.

    Raises:
        KitError: no id column is found and rows cannot be numbered.
    """
    task, train, test, sample = files.task, files.train, files.test, files.sample
    theirs = (_called(task.id, sample) or _first(task, sample)) if sample is not None else ""
    if sample is not None and not theirs:
        raise KitError(f"{names[2]}: no column names its rows; it has: {some(sample.columns, 12)}")
    own = {"train": _called(task.id, train) or _called(theirs, train), "test": _called(task.id, test)}
    own["test"] = own["test"] or _called(theirs, test) or ("" if theirs else _lone_id(train, test))
    if task.id and not all(own.values()):
        _refuse_unnamed(task, files, names, own, theirs)
    name, notes = theirs or own["test"] or own["train"] or task.id or "id", list(files.notes)
    frames = {"train": train, "test": test}
    for (part, frame), file in zip(frames.items(), names, strict=False):
        if own[part]:
            if own[part] != name and name in frame.columns:
                raise KitError(
                    f"{file}: its rows are named by '{own[part]}', and '{name}' is another column; rename it"
                )
            if len({own[part], name, task.id}) > 1:
                notes.append(
                    f"{file}: its rows are named by '{own[part]}'"
                    + (f", which is '{name}' in the other files" if own[part] != name else "")
                )
            frames[part] = _as_text(frame.rename(columns={own[part]: name}), name)
        elif name in frame.columns:
            raise KitError(f"{file}: column '{name}' does not name its rows; rename it")
        else:
            frames[part], note = _numbered(frame, name, len(train) if part == "test" else 0, sample, names)
            notes += [f"{file}: its rows have no ids and are numbered{note}"] if len(frame) else []
    if sample is not None:
        sample = _as_text(sample, name)
    return Frames(task.model_copy(update={"id": name}), frames["train"], frames["test"], sample, tuple(notes))


def id_columns(task: Task, header: Sequence[str]) -> set[str]:
    """The columns of a file that may name its rows: they are read as text, so that 007 stays 007."""
    if called := {name for name in header if task.id and name.strip().casefold() == task.id.casefold()}:
        return called
    stated = {*task.inputs, *task.text, *task.images, *task.aside, *task.targets}
    return {name for name in header[:1] if name not in stated and name.strip().casefold().endswith("id")}


def check_ids(task: Task, name: str, frame: pd.DataFrame) -> None:
    """Refuses ids that are missing or occur twice; `name` is the file's."""
    ids = frame[task.id]
    if blank := int((ids.isna() | (ids == "")).sum()):
        rows = "1 row has" if blank == 1 else f"{blank} rows have"
        raise KitError(f"{name}: {rows} no id in column '{task.id}'")
    if twice := ids[ids.duplicated()].drop_duplicates().tolist():
        raise KitError(f"{name}: {occurring(twice, 'id')} twice or more: {some(twice, 3)}; Task(id=None) numbers rows")


def sampled_rows(files: Frames, names: tuple[str, str, str]) -> Frames:
    """The test rows, with ids written as in the sample submission; ids must be unique within a file only.

    Raises:
        KitError: the sample has several rows with one id, or a row that the test file does not have.
    """
    task, test, sample, (train_name, test_name, sample_name) = files.task, files.test, files.sample, names
    notes = list(files.notes)
    if both := sorted(set(files.train[task.id]) & set(test[task.id])):
        notes.append(f"{occurring(both, 'id')} in {train_name} and in {test_name}: they name different rows")
    if sample is None:
        return replace(files, notes=tuple(notes))
    ids = sample[task.id]
    if twice := ids[ids.duplicated()].drop_duplicates().tolist():
        raise KitError(
            f"{sample_name}: {occurring(twice, 'id')} twice or more: {some(twice, 3)}; a submission has one row for "
            "each row of the test file, with a column for each target or class"
        )
    check_ids(task, sample_name, sample)
    if set(ids) - set(test[task.id]) and (written := _other_forms(test[task.id], ids)):
        ours, theirs = next(iter(written.items()))
        test = test.assign(**{task.id: [written.get(i, i) for i in test[task.id]]})
        notes.append(f"{sample_name}: id {theirs} is {ours} in {test_name}; the submission writes {theirs}")
    wanted, there = set(ids), set(test[task.id])
    if lost := sorted(wanted - there):
        raise KitError(f"{test_name}: {occurring(lost, 'id')} in {sample_name} but not here: {some(lost, 3)}")
    if there - wanted:
        notes.append(f"{sample_name}: has {len(wanted)} of the {len(there)} test rows, and only these are submitted")
    return replace(files, test=test, notes=tuple(notes))


def _as_text(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame with its ids as text; 7.0 is 7, because pandas makes 7.0 of 7 if another id is missing."""
    ids = frame[name]
    if pd.api.types.is_float_dtype(ids) and (ids.dropna() % 1 == 0).all():
        ids = ids.astype("Int64")
    if pd.api.types.infer_dtype(ids, skipna=True) == "string":
        return frame.assign(**{name: ids.astype(object)})
    return frame.assign(**{name: ids.map(str, na_action="ignore").astype(object)})


def _called(name: str, frame: pd.DataFrame) -> str:
    """The column of this name, in upper or lower case; "" if there is none."""
    if not name or name in frame.columns:
        return name
    alike = [str(c) for c in frame.columns if str(c).strip().casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else ""


def _first(task: Task, sample: pd.DataFrame) -> str:
    """The first column of a sample submission that is no target: the column of ids."""
    predicted = {*task.targets, *task.output_names}
    return next((str(c) for c in sample.columns if c not in predicted), "")


def _lone_id(train: pd.DataFrame, test: pd.DataFrame) -> str:
    """The only column that the train file does not have, if its name ends in "id" and its values are unique."""
    odd = [str(c) for c in test.columns if c not in train.columns]
    return odd[0] if len(odd) == 1 and odd[0].casefold().endswith("id") and test[odd[0]].is_unique else ""


def _refuse_unnamed(task: Task, files: Frames, names: tuple[str, str, str], own: dict[str, str], theirs: str) -> None:
    """Refuses files without the task's id column, unless only train has none or the sample has the ids of test."""
    test, sample = files.test, files.sample
    if (len(test) and own["test"]) or (theirs and not own["train"] and sample is not None and len(sample) == len(test)):
        return
    at, frame = (0, files.train) if not own["train"] else (1, test)
    if at == 1 and not len(test):
        return
    columns = [str(c) for c in frame.columns]
    hint = close_to(task.id, columns) or "; Task(id=None) numbers rows"
    raise KitError(f"{names[at]}: column '{task.id}' is missing{hint}; it has: {some(columns, 12)}")


def _numbered(
    frame: pd.DataFrame, name: str, start: int, sample: pd.DataFrame | None, names: tuple[str, str, str]
) -> tuple[pd.DataFrame, str]:
    """The rows with numbers as ids, from `start` on, or with the sample's ids; and the end of the note about them."""
    ids, note = [str(start + i) for i in range(len(frame))], ""
    if start and sample is not None and len(frame):
        if len(sample) != len(frame):
            counts = f"{names[1]} has {len(frame)} rows without ids, {names[2]} has {len(sample)}"
            raise KitError(f"{counts}: rows can be matched neither by id nor by their order")
        ids, note = _as_text(sample, name)[name].tolist(), f" by {names[2]}, in its order"
    return pd.concat([pd.Series(ids, index=frame.index, name=name, dtype=object), frame], axis=1), note


def _other_forms(ours: pd.Series, theirs: pd.Series) -> dict[str, str]:
    """Our form of each id → theirs, where 7, 007 and 7.0 are the same; empty if two ids of a file become equal."""
    plain = [{str(i): _plain(str(i)) for i in ids} for ids in (ours, theirs)]
    if any(len(set(found.values())) < len(found) for found in plain):
        return {}
    back = {plain_id: written for written, plain_id in plain[1].items()}
    return {i: back[p] for i, p in plain[0].items() if p in back and back[p] != i}


def _plain(text: str) -> str:
    found = ZEROS.fullmatch(text.strip())
    return found.group(1) if found else text.strip()
