"""LabelledPictures: competitions without a table, whose pictures' names or folders say their labels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from kit.core.errors import KitError
from kit.images.store import PictureFiles
from kit.reading.discovery import FILES, data_root, mounted, sample_of
from kit.reading.file import read_file
from kit.reading.phrases import some
from kit.task import Task

FOLDER = "folder"


@dataclass(frozen=True)
class LabelledPictures:
    """Where the pictures of train and test lie, as zip files or folders, and what their names say.

        files = LabelledPictures(label=r"(cat|dog)")     # train.zip with train/cat.0.jpg, test.zip with test/1.jpg
        files = LabelledPictures()                       # a folder a class: train/ants/0013035.jpg

    The id of a picture is its path below train/ or test/ without the ending; of test rows as the sample submission
    spells it, with folder and ending or without.

    Attributes:
        train: a zip file without its ending, or a folder.
        test: likewise; None: there is none.
        sample: the sample submission.
        label: regular expression that finds the label in the path below train/, its first group where it has one; or
            "folder": the folder that a picture lies in.
    """

    train: str = "train"
    test: str | None = "test"
    sample: str | None = FILES[2]
    label: str = FOLDER

    def __iter__(self) -> Iterator[str | None]:
        yield from (f"{self.train}.zip", f"{self.test}.zip" if self.test else None, self.sample)

    def lie_in(self, folder: Path) -> bool:
        """Whether a folder has them."""
        return (folder / f"{self.train}.zip").is_file() or (folder / self.train).is_dir()

    def holds(self, folder: Path) -> bool:
        """Whether the train pictures in a folder have labels in their names."""
        try:
            names = below(PictureFiles(folder), self.train)
            return bool(names) and all(self._label(name) is not None for name in list(names)[:20])
        except (KitError, OSError):
            return False

    def read(self, task: Task, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None]:
        """Rows of train and test, and the sample submission.

        Raises:
            KitError: there are no pictures, or a name says no label.
        """
        if len(task.images) != 1 or len(task.targets) != 1:
            raise KitError(f"task '{task.name}': pictures with labels in their names give one of images and of targets")
        files, column = PictureFiles(folder), task.images[0]
        train, test = below(files, self.train), below(files, self.test) if self.test else {}
        if not train:
            raise KitError(f"{folder}: holds no pictures in {self.train}.zip or {self.train}/")
        labels = {name: self._label(name) for name in train}
        if unread := [name for name, label in labels.items() if label is None]:
            where = "a folder of their class" if self.label == FOLDER else f"the label, {self.label}"
            raise KitError(f"{self.train}: {len(unread)} pictures have names without {where}: {some(unread, 3)}")
        sample_path = sample_of(folder, self.sample)
        sample = read_file(sample_path, task).frame if sample_path else None
        id_ = task.id or "id"
        rows = {id_: [_stem(name) for name in train], column: [*train.values()], task.targets[0]: [*labels.values()]}
        ids = _as_sample([*test.items()], None if sample is None else sample.iloc[:, 0].map(str).tolist())
        return (
            pd.DataFrame(rows, dtype=object),
            pd.DataFrame({id_: ids, column: [*test.values()]}, dtype=object),
            sample,
        )

    def _label(self, name: str) -> str | None:
        if self.label == FOLDER:
            return PurePosixPath(name).parent.name or None
        found = re.search(self.label, name)
        return found and (found[1] if found.re.groups else found[0])


def find_labelled(task: Task, files: LabelledPictures) -> Path | None:
    """The folder of a competition's pictures: below $KIT_DATA, or one below /kaggle/input whose names have labels."""
    if files.lie_in(folder := data_root() / task.name):
        return folder
    places = sorted({path.parent for end in (".zip", "") for path in mounted().rglob(files.train + end)})
    fitting = [place for place in places if files.lie_in(place) and files.holds(place)]
    named = [place for place in fitting if any(word and word in str(place) for word in (task.slug, task.name))]
    return next(iter(named or fitting), None)


def below(files: PictureFiles, part: str) -> dict[str, str]:
    """Path below a folder of this name → full name, of the pictures that lie in one; 2.jpg before 10.jpg."""
    found, folders = dict[str, str](), set[str]()
    for name in files.index:
        parts = name.split("/")
        at = next((i for i, folder in enumerate(parts[:-1]) if folder.casefold() == part.casefold()), None)
        if at is not None:
            folders.add("/".join(parts[: at + 1]))
            found["/".join(parts[at + 1 :])] = name
    if len(folders) > 1:
        raise KitError(f"pictures of {part} lie in several folders: {some(sorted(folders), 3)}; which is meant?")
    return dict(sorted(found.items(), key=lambda pair: _natural(pair[0])))


def _natural(name: str) -> list[Any]:
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split(r"(\d+)", name)]


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _as_sample(pictures: list[tuple[str, str]], asked: list[str] | None) -> list[str]:
    """An id for each picture, in the form of most of the sample's ids: with or without ending and folders."""
    spellings = {
        "stem": [_stem(name) for name, _ in pictures],
        "name": [name for name, _ in pictures],
        "last": [_stem(name.rsplit("/", 1)[-1]) for name, _ in pictures],
        "last name": [name.rsplit("/", 1)[-1] for name, _ in pictures],
        "full": [full for _, full in pictures],
    }
    wanted = {*(asked or [])}
    best = max(spellings, key=lambda spelling: len(wanted & {*spellings[spelling]}))
    return spellings[best]
