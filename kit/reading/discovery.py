"""Finds a competition's files: their folder, and each file in it."""

import os
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from kit.core.errors import KitError
from kit.reading.file import column_names
from kit.reading.form import CSV, Form
from kit.reading.phrases import some
from kit.task import Task

Files = tuple[str, str, str | None]  # train, test, sample submission
FILES: Files = ("train.csv", "test.csv", "sample_submission.csv")

ENDINGS = {*["csv", "tsv", "txt", "json", "jsonl", "ndjson", "parquet", "pq", "xlsx", "gz", "xz", "bz2", "zip"]}
# what competitions call their sample: SampleSubmission.csv, sample.csv, gender_submission.csv
SAMPLES = re.compile(r"(sample|example)(submission|entry|answer)?s?\d*|submission(sample|format|example)|\w+submission")


def first_of(folder: Path, name: str) -> Path | None:
    """`name` in `folder`, plain or packed, in upper or lower case, or in another format: train.parquet for train.csv.

    Raises:
        KitError: there are several such files in other formats.
    """
    paths = (folder / name, folder / f"{name}.zip")
    if found := next((path for path in paths if path.is_file()), None):
        return found
    wanted = [path.name.casefold() for path in paths]
    if found := next((path for path in _files(folder) if path.name.casefold() in wanted), None):
        return found
    alike = [path for path in _files(folder) if _is_form_of(path.name, name)]
    if len(alike) > 1:
        names = some([path.name for path in alike])
        raise KitError(f"{folder}: which is {name}: {names}? say so in the recipe, as files = (…)")
    return next(iter(alike), None)


def _is_form_of(file: str, name: str) -> bool:
    """Whether a file has the name without its ending, and endings of tables alone: train.csv.gz for train.csv."""
    (first, *endings), stem = file.casefold().split("."), name.casefold().split(".")[0]
    return first == stem and bool(endings) and ENDINGS.issuperset(endings)


def sample_of(folder: Path, name: str | None) -> Path | None:
    """The sample submission in `folder`: the file of this name, or the only file with a name usual for samples.

    Raises:
        KitError: the file that the recipe names is missing, or several files have such a name.
    """
    if name is None or (found := first_of(folder, name)):
        return found if name else None
    if name != FILES[2]:
        raise KitError(f"{folder}: {name} is missing{_holds(folder)}")
    alike = [path for path in _files(folder) if SAMPLES.fullmatch(re.sub(r"\W|_", "", path.name.split(".")[0]).lower())]
    if len(alike) > 1:
        names = some([path.name for path in alike])
        raise KitError(f"{folder}: which is the sample submission: {names}? say so in the recipe, as files = (…)")
    return next(iter(alike), None)


def extra_in(folder: Path, names: Sequence[str]) -> list[Path]:
    """The files of these names in a folder: rows without labels.

    Raises:
        KitError: one is missing.
    """
    paths = [(name, first_of(folder, name)) for name in names]
    if missing := [name for name, path in paths if path is None]:
        raise KitError(f"{folder}: {missing[0]} is missing, which the recipe names in extra{_holds(folder)}")
    return [path for _, path in paths if path]


def files_in(folder: Path, files: Files, pictures: bool = False) -> tuple[Path, Path | None, Path | None]:
    """Train, test and sample in a folder; without a test file and a sample there is nothing to submit.

    Args:
        folder: folder of the files.
        files: names of the files.
        pictures: whether rows name pictures: then test.zip may hold them, and the sample's ids are the test rows.

    Raises:
        KitError: the train file is missing, or there is a sample submission but no test file.
    """
    train, test, sample = first_of(folder, files[0]), first_of(folder, files[1]), sample_of(folder, files[2])
    if train is None:
        raise KitError(f"{folder}: {files[0]} is missing{_holds(folder)}")
    if pictures and test and _holds_several(test):
        test = None
    if sample and test is None and not pictures:
        raise KitError(f"{folder}: {files[1]} is missing, and {sample.name} asks for its rows{_holds(folder)}")
    return train, test, sample


def _holds_several(path: Path) -> bool:
    """Whether a file is an archive of several files."""
    try:
        with zipfile.ZipFile(path) as archive:
            return len([name for name in archive.namelist() if "__MACOSX" not in name and name[-1:] != "/"]) > 1
    except (zipfile.BadZipFile, OSError):
        return False


def data_root() -> Path:
    """The folder in which each competition has a folder of files: $KIT_DATA, else data/."""
    return Path(os.environ.get("KIT_DATA", "data"))


def mounted() -> Path:
    """Folder below which Kaggle mounts files: $KIT_KAGGLE_INPUT, else /kaggle/input."""
    return Path(os.environ.get("KIT_KAGGLE_INPUT", "/kaggle/input"))


def find_data(task: Task, train: str = FILES[0], form: Form = CSV) -> Path | None:
    """The folder with a competition's files, below $KIT_DATA or /kaggle/input; None if there is none.

    On Kaggle, a folder is found by its content, a train file with the task's columns, and not by its name. If several
    fit, one whose path contains the name of the competition is taken.

    Args:
        task: the competition's task.
        train: name of the train file.
        form: its format; without a header line, only the number of fields is compared.
    """
    folder = data_root() / task.name
    if first_of(folder, train):
        return folder
    stem = train.split(".")[0]
    found = sorted({p.parent for p in mounted().rglob(f"{stem}.*") if p.name == train or _is_form_of(p.name, train)})
    fitting = [p for p in found if _fits(p, train, task, form)]
    named = [p for p in fitting if any(word and word in str(p) for word in (task.slug, task.name))]
    return next(iter(named or fitting), None)


def no_data(task: Task, files: Iterable[str | None] = FILES, competition: str = "") -> KitError:
    """The error for a competition without files: where they were looked for, and which files to put there.

    Args:
        files: names of its files.
        competition: the folder of its recipe, if there is one; files are in the folder named by the task.
    """
    folder, other = data_root() / task.name, data_root() / competition
    names = [name for name in files if name]
    said = f"no files of '{task.name}': put {', '.join(names)} into {folder}/"
    if competition and competition != task.name:
        said += f", which is named by the task, Task(name='{task.name}')"
        if first_of(other, names[0]):
            return KitError(f"{said}; {other}/ has {names[0]}: give folder and task one name")
    return KitError(f"{said}{_holds(folder)}; nothing that fits lies below {mounted()} either")


def _fits(folder: Path, train: str, task: Task, form: Form) -> bool:
    try:
        names = column_names(path, task, form) if (path := first_of(folder, train)) else []
    except (KitError, OSError):
        return False  # another competition's file may be anything
    return len(names) == len(form.header) if form.header else {task.id, *task.targets, *task.inputs} <= set(names)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError:
        return []


def _holds(folder: Path) -> str:
    """A clause that says which files a folder has, if any."""
    names = [path.name for path in _files(folder)]
    return f"; it holds {some(names)}" if names else ""
