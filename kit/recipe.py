"""Recipe: a competition's task, rows, folds and members in one class."""

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self
from zipfile import BadZipFile

import pandas as pd
from pydantic import Field, PrivateAttr

from kit.data import Task
from kit.ensemble import Blend, Greedy
from kit.folds import Folds, KFold
from kit.medals import Medals
from kit.member import Member
from kit.members.wrap import reseeding
from kit.spec import KitError, Spec, nearest
from kit.table import CSV, Form, Table, read_table

Files = tuple[str, str, str | None]  # train, test, sample submission
FILES: Files = ("train.csv", "test.csv", "sample_submission.csv")


class Recipe(Spec):
    """Derive from it, state the task, and add one field per member; that is all a competition needs.

    A preset is a named list of override strings. `files` and `form` are stated where the competition's files are not
    train.csv, test.csv and sample_submission.csv (None: there is none) with header lines; for what is no table of rows,
    override `load`. `techniques` are what `make ablate` tries beside the defaults of kit/ablate/techniques.py: name →
    settings, or name → way → settings. `tune` says where knobs are searched: name → space of `kit.tune`. `medals` are
    facts of the leaderboard that kit does not know itself.
    """

    task: ClassVar[Task]
    files: ClassVar[Files] = FILES
    form: ClassVar[Form] = CSV
    presets: ClassVar[dict[str, list[str]]] = {}
    tune: ClassVar[Mapping[str, Any]] = {}
    techniques: ClassVar[dict[str, str | dict[str, str]]] = {}
    medals: ClassVar[Medals | None] = None

    folds: Folds = Field(KFold(), description="how rows are split")
    blend: Blend = Field(Greedy(), description="how members are joined")
    _further: dict[str, Member] = PrivateAttr(default_factory=dict)

    @property
    def members(self) -> dict[str, Member]:
        """The recipe's members by name, in the order they are declared."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, Member)} | self._further

    def with_members(self, further: Mapping[str, Member]) -> Self:
        """The same recipe with members that are none of its fields, so no setting reaches them."""
        other = self.model_copy()
        other._further = {**self._further, **further}
        return other

    def chosen(self, names: str | list[str] | None = None) -> dict[str, Member]:
        """The members of these names (all by default), in the recipe's order.

        Raises:
            KitError: a name is not a member's.
        """
        wanted = names.replace(",", " ").split() if isinstance(names, str) else names
        for name in wanted or []:
            if name not in self.members:
                raise KitError(f"'{self.task.name}' has no member '{name}'" + nearest(name, list(self.members)))
        return {n: m for n, m in self.members.items() if not wanted or n in wanted}

    def spelled(
        self,
        preset: str | None = None,
        settings: Sequence[str] = (),
        seed: int | None = None,
        further: Mapping[str, list[str]] = {},
    ) -> list[str]:
        """Override strings of a preset, one of the recipe's or a further one, then `settings`, then a seed for all."""
        presets = {**further, **self.presets}
        if preset is not None and preset not in presets:
            raise KitError(f"'{self.task.name}' has no preset '{preset}'" + nearest(preset, list(presets)))
        told = {} if seed is None else {name: (member, seed - member.seed) for name, member in self.members.items()}
        seeds = [text for name, (member, by) in told.items() for text in reseeding(name, member, by)]
        return [*(presets[preset] if preset else ()), *settings, *seeds]

    def load(self, folder: Path, cache: Path | None = None) -> Table:
        """The competition's rows.

        Args:
            folder: where `files` (or the same zipped) lie.
            cache: where what is computed once is kept.
        """
        train, test, sample = (first_of(folder, name) if name else None for name in self.files)
        if train is None:
            raise KitError(f"{folder}: {self.files[0]} is missing")
        return read_table(self.task, train, test, sample, cache, self.form)

    def write_sample(self, folder: Path) -> None:
        """Writes the embedded sample's files into `folder`, where the recipe has one."""
        raise KitError(f"'{self.task.name}' has no embedded sample; put its files into {folder}")


def first_of(folder: Path, name: str) -> Path | None:
    """`name` in `folder`, plain or zipped, or None."""
    paths = (folder / name, folder / f"{name}.zip")
    return next((p for p in paths if p.is_file()), None)


def data_root() -> Path:
    """Folder that holds a folder of files for each competition: $KIT_DATA, else data/."""
    return Path(os.environ.get("KIT_DATA", "data"))


def find_data(task: Task, train: str = FILES[0], form: Form = CSV) -> Path | None:
    """The folder with a competition's files: below $KIT_DATA, or wherever /kaggle/input has them; None if nowhere.

    On Kaggle a folder is taken by what it holds, a train file with the task's columns, whatever it is called; where
    several fit, one whose path names the competition.

    Args:
        train: name of the train file.
        form: its form; without a header line, the number of fields must do.
    """
    folder = data_root() / task.name
    if first_of(folder, train):
        return folder
    mounted = Path(os.environ.get("KIT_KAGGLE_INPUT", "/kaggle/input"))
    found = sorted({p.parent for pattern in (train, f"{train}.zip") for p in mounted.rglob(pattern)})
    fitting = [p for p in found if _fits(first_of(p, train), task, form)]
    named = [p for p in fitting if any(word and word in str(p) for word in (task.slug, task.name))]
    return next(iter(named or fitting), None)


def _fits(path: Path | None, task: Task, form: Form) -> bool:
    try:
        first = pd.read_csv(path, nrows=1, header=None, dtype=str, **form.pandas).iloc[0] if path else []
    except (ValueError, OSError, BadZipFile, zlib.error):
        return False  # another competition's file may be anything
    return len(first) == len(form.header) if form.header else {task.id, *task.targets, *task.inputs} <= set(first)
