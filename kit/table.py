"""Table: a competition's files, read and checked before anything is fitted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.core.spec import digest
from kit.images.checked import checked_pictures, duplicate_sentences
from kit.images.columns import with_full_names, with_picture_columns
from kit.images.duplicates import NearDuplicates, near_duplicates
from kit.images.labelled import LabelledPictures
from kit.images.store import PictureFiles
from kit.reading.columns import check_columns, shared_columns
from kit.reading.extra import extra_rows
from kit.reading.file import read_file
from kit.reading.form import CSV, Form
from kit.reading.ids import Frames, check_ids, named, sampled_rows
from kit.reading.labels import read_labels
from kit.reading.quoting import PLAIN, Quoting
from kit.rows import Rows, metric_columns, row_weights
from kit.schema.cells import well_formed_frame
from kit.schema.fingerprint import fingerprint
from kit.schema.numbers import Decimal
from kit.schema.schema import Schema
from kit.sides.side import Side
from kit.sides.sides import Sides
from kit.source import Source
from kit.task import Task

UNDECIDED = Schema()


@dataclass(frozen=True)
class Table:
    """Validated rows of a competition, each column of one type in all of them.

    Attributes:
        task: the description of the competition; classes and id that it leaves open are those of the files.
        train: id, inputs, aside and target columns, one row each.
        test: the same without targets; empty where there is none.
        sample: sample_submission as it was read, or None.
        cache: folder for what is computed once; None keeps it in memory.
        notes: what was repaired, one sentence each, to be printed.
        names: of the three files, for error sentences.
        decimal: the decimal sign of numbers that are written as words; None: their values show it.
        usual_decimal: the sign where they do not.
        schema: what each column is, by which all rows are typed already; by default it is decided here, and they
            become typed.
        files: where the pictures lie that rows name; None: names are paths of this machine.
        separator: of the fields of the sample, and so of a submission.
        quoting: which fields of the sample stand in quotes, and so of a submission.
        sides: related tables by name, which are read lazily; `source.sides` has them with the keys of its rows.
        extra: rows without labels beside train and test, by the name of their file; they hold inputs, and some of
            them may be missing. Types are decided by them too, and who learns from all rows learns from them.
    """

    task: Task
    train: pd.DataFrame
    test: pd.DataFrame
    sample: pd.DataFrame | None = None
    cache: Path | None = None
    notes: tuple[str, ...] = ()
    names: tuple[str, str, str] = ("train.csv", "test.csv", "sample_submission.csv")
    decimal: Decimal | None = None
    usual_decimal: Decimal = "."
    schema: Schema = UNDECIDED
    files: PictureFiles | None = None
    extra: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    separator: str = ","
    quoting: Quoting = PLAIN
    sides: Sides = field(default_factory=Sides)

    def __post_init__(self) -> None:
        if self.task.images:
            self._pictured()
        for attribute in ("train", "test", "sample"):
            if (frame := getattr(self, attribute)) is not None:
                object.__setattr__(self, attribute, well_formed_frame(frame))
        self._settle(named(Frames(self.task, self.train, self.test, self.sample, self.notes), self.names))
        decided = self.schema is not UNDECIDED
        if not decided:
            _check_stated(self)
            self.sides.check(self.names[0], list(self.train.columns))
            self.sides.check(self.names[1], list(self.test.columns))
            self._left_out()
            self._extra()
        for name, frame in zip(self.names, (self.train, self.test), strict=False):
            check_ids(self.task, name, frame)
        self._settle(sampled_rows(Frames(self.task, self.train, self.test, self.sample, self.notes), self.names))
        task, train, said = read_labels(self.task, self.names[0], self.train)
        self._settle(Frames(task, train, self.test, self.sample, (*self.notes, *said)))
        if not decided:
            self._typed()
            if self.task.images:
                self._checked_pictures()
        row_weights(self.task, self.names[0], self.train)  # refuses what is no weight
        filled = {name: self._with_texts(name, frame) for name, frame in self._frames().items()}
        self._take({name: frame for name, (frame, _) in filled.items()})
        object.__setattr__(self, "notes", (*self.notes, *(note for _, said in filled.values() for note in said)))

    def _with_texts(self, name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """A file's rows with missing texts as empty ones, and notes that say so."""
        empty = {c: int(frame[c].isna().sum()) for c in self.task.text if c in frame and frame[c].isna().any()}
        notes = [f"{name}: {count} missing texts in '{c}' count as empty" for c, count in empty.items()]
        return (frame.assign(**{c: frame[c].fillna("") for c in empty}) if empty else frame), notes

    def _frames(self) -> dict[str, pd.DataFrame]:
        """The rows of all files but the sample, by their names."""
        return {self.names[0]: self.train, self.names[1]: self.test, **self.extra}

    def _take(self, frames: Mapping[str, pd.DataFrame]) -> None:
        """Other rows for those of `_frames`."""
        train, test, *extra = frames.values()
        values = {"train": train, "test": test, "extra": dict(zip(self.extra, extra, strict=True))}
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)

    def _settle(self, found: Frames) -> None:
        for attribute in ("task", "train", "test", "sample", "notes"):
            object.__setattr__(self, attribute, getattr(found, attribute))

    def _pictured(self) -> None:
        """Gives pictures that the id names a column of their own."""
        task, train = with_picture_columns(self.task, self.train)
        test = with_picture_columns(self.task, self.test)[1]
        self._settle(Frames(task, train, test, self.sample, self.notes))
        object.__setattr__(self, "files", self.files or PictureFiles(cache=self.cache))

    def _checked_pictures(self) -> None:
        """Leaves out train rows whose pictures cannot be read, and says which pictures occur twice."""
        assert self.files is not None
        frames, said = checked_pictures(self.files, self.task, (self.train, self.test), self.names[:2])
        self._settle(Frames(self.task, frames[0], frames[1], self.sample, (*self.notes, *said)))
        assert self.near_duplicates is not None
        said = duplicate_sentences(self.near_duplicates, len(self.train), self.names[:2])
        object.__setattr__(self, "notes", (*self.notes, *said))

    @cached_property
    def near_duplicates(self) -> NearDuplicates | None:
        """Pictures that occur twice or nearly so, of train rows, then test rows; None where rows have no pictures."""
        if self.files is None or not self.task.images:
            return None
        columns = list(self.task.images)
        return near_duplicates(self.files, pd.concat([self.train[columns], self.test[columns]]), columns)

    def _left_out(self) -> None:
        """Leaves out the columns that only one file has and the task does not name, and says so."""
        (train, test), said = shared_columns(self.task, self.names, self.train, self.test)
        self._settle(Frames(self.task, train, test, self.sample, (*self.notes, *said)))

    def _extra(self) -> None:
        """Of the extra rows the columns that members read; what else they hold or lack is said."""
        if clash := {*self.extra} & {*self.names}:
            raise KitError(f"extra: a file is called as another one, '{min(clash)}'")
        task, hidden = self.task, {self.task.id, *self.task.targets, *self.task.aside}
        inputs = list(task.inputs) or [c for c in self.train.columns if c not in hidden]
        found = {
            name: extra_rows(task, inputs, self.names[0], name, well_formed_frame(frame))
            for name, frame in self.extra.items()
        }
        object.__setattr__(self, "extra", {name: frame for name, (frame, _) in found.items()})
        object.__setattr__(self, "notes", (*self.notes, *(note for _, said in found.values() for note in said)))

    def _typed(self) -> None:
        """Decides what each column is, over all files together, and says what does not fit."""
        task, frames = self.task, self._frames()
        names = [c for c in self.train.columns if c not in (task.id, *task.targets)]
        schema, typed, notes = Schema.of(
            frames, names, text=task.text, aside=task.aside, types=dict(task.types), id=task.id, decimal=self.decimal,
            usual=self.usual_decimal, images=task.images,
        )  # fmt: skip
        object.__setattr__(self, "schema", schema)
        no_ids = [c for c in (task.id,) if c not in self.sides.row_columns]
        extra = {name: typed[name].drop(columns=no_ids, errors="ignore") for name in self.extra}
        typed |= extra
        if self.files:
            parts = dict(zip(self.names, ("train", "test"), strict=False))
            typed = {name: with_full_names(self.files, task, f, parts.get(name, "")) for name, f in typed.items()}
        self._take(typed)
        object.__setattr__(self, "notes", (*self.notes, *notes))

    @property
    def inputs(self) -> list[str]:
        """Columns that members see; a date is several."""
        if self.task.inputs:
            return self.schema.expanded(self.task.inputs)
        hidden = {self.task.id, *self.task.targets, *self.task.aside}
        return [c for c in self.train.columns if c not in hidden]

    @cached_property
    def y(self) -> np.ndarray:
        """(n, targets) float64 labels; class indices (n, 1) where the task names classes."""
        return self.task.encode(self.train)

    @cached_property
    def _fingerprints(self) -> list[dict[str, str]]:
        """Column → fingerprint, of train, of test and of each file of extra rows."""
        return [{str(c): fingerprint(frame[c]) for c in frame} for frame in self._frames().values()]

    @cached_property
    def digest(self) -> str:
        """Changes with any value of train, test or extra rows, and with any byte of their pictures and side tables."""
        sides = [f"sides {self.sides.digest}"] if self.sides else []
        return digest([*(list(columns.items()) for columns in self._fingerprints), *self._pictures, *sides])

    @cached_property
    def _pictures(self) -> list[str]:
        """Digests of the pictures that rows name."""
        columns = [frame[c] for frame in self._frames().values() for c in self.task.images if c in frame]
        return [self.files.digest(column) for column in columns] if self.files else []

    @cached_property
    def source(self) -> Source:
        """All rows without labels: train, then test, then extra rows."""
        frames, inputs = list(self._frames().values()), self.inputs
        every = pd.concat([frame[[c for c in inputs if c in frame]] for frame in frames])
        if lost := [c for c in self.task.text if any(c not in frame for frame in frames[2:])]:
            every = every.assign(**{c: every[c].fillna("") for c in lost})
        sides = self.sides.keyed(frames, self.schema)
        known = [*self._pictures, *([f"sides {sides.digest}"] if sides else [])]
        name = digest([inputs, *([found.get(c) for c in inputs] for found in self._fingerprints), *known])
        return Source(
            every, self.cache, name, schema=self.schema, files=self.files, extra=sum(map(len, frames[2:])), sides=sides
        )

    def rows(self, at: np.ndarray) -> Rows:
        """Train rows at these positions, with their labels."""
        judged_by, weight = metric_columns(self.task, self.train), row_weights(self.task, self.names[0], self.train)
        rows = Rows(self.task, self.source, np.arange(len(self.train)), self.y, judged_by, weight=weight)
        return rows.take(at)

    @property
    def test_rows(self) -> Rows:
        return Rows(self.task, self.source, len(self.train) + np.arange(len(self.test)))

    @property
    def extra_rows(self) -> Rows:
        """The extra rows of all files, without labels; none where there are no such files."""
        return self.test_rows.extra

    def subset(self, n: int, seed: int = 0) -> "Table":
        """At most `n` random train rows, `n` test rows and `n` rows of each extra file, in their old order."""
        rng = np.random.default_rng(seed)
        train, test, *extra = (
            f.iloc[np.sort(rng.permutation(len(f))[:n])].reset_index(drop=True) for f in self._frames().values()
        )
        sample = self.sample
        if sample is not None:
            sample = sample[sample[self.task.id].isin(test[self.task.id])].reset_index(drop=True)
        others = dict(zip(self.extra, extra, strict=True))
        return replace(self, train=train, test=test, sample=sample, extra=others, notes=())


def read_table(
    task: Task, train: Path, test: Path | None, sample: Path | None, cache: Path | None = None, form: Form = CSV,
    extra: Sequence[Path] = (), sides: Side | tuple[Side, ...] = (),
) -> Table:  # fmt: skip
    """Reads and checks the files of a competition; ids are strings as the file writes them.

    Args:
        form: of train, test and extra, where it is not found out by what they hold.
        extra: files of rows without labels.
        sides: side tables, in the folder of the train file.

    Raises:
        KitError: one sentence that names file, column and ids, and the nearest right thing.
    """
    read = read_file(train, task, form)
    notes, semicolons = [read.note], read.semicolons
    unlabelled = replace(form, header=tuple(c for c in form.header if c not in task.targets))
    if test:
        read_test = read_file(test, task, unlabelled)
        other = read_test.frame
        notes.append(read_test.note)
        semicolons &= read_test.semicolons
    asked = read_file(sample, task) if sample else None
    if not test:
        other = read.frame.drop(columns=[*task.targets], errors="ignore").iloc[:0]
        if task.images and asked:  # ids name the pictures of test, which is a folder or a zip file
            other = asked.frame.iloc[:, :1]
    notes.append(asked.note if asked else "")
    further = {path.name: read_file(path, task, unlabelled) for path in extra}
    notes += [found.note for found in further.values()]
    semicolons &= all(found.semicolons for found in further.values())
    related, said = Sides.in_folder(sides, train.parent, cache)
    notes += said
    names = (train.name, test.name if test else "test.csv", sample.name if sample else "sample_submission.csv")
    return Table(
        task, read.frame, other, asked.frame if asked else None, cache, tuple(filter(None, notes)), names,
        form.decimal, "," if semicolons else ".", files=PictureFiles(train.parent, cache) if task.images else None,
        extra={name: found.frame for name, found in further.items()}, separator=asked.separator if asked else ",",
        quoting=asked.quoting if asked else PLAIN, sides=related,
    )  # fmt: skip


def read_labelled(task: Task, folder: Path, files: LabelledPictures, cache: Path | None = None) -> Table:
    """The rows of a competition whose pictures' names say their labels.

    Raises:
        KitError: there are no pictures, or a name says no label.
    """
    train, test, sample = files.read(task, folder)
    own, other, asked = (name or "no file" for name in files)
    return Table(task, train, test, sample, cache, names=(own, other, asked), files=PictureFiles(folder, cache))


def _check_stated(table: Table) -> None:
    """Refuses files without a column that the task states, or with a column that occurs twice."""
    task, (train_name, test_name, _) = table.task, table.names
    check_columns(
        train_name, table.train, [task.id, *task.inputs, *task.text, *task.images, *task.aside, *task.targets]
    )
    check_columns(test_name, table.test, [task.id, *task.inputs, *task.text, *task.images])
    if targets := [c for c in task.targets if c in table.test.columns]:
        raise KitError(f"{test_name}: holds the target '{targets[0]}', which a test file must not; remove the column")
