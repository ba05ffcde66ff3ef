"""Opens a recipe on its rows: those of a folder, or frames. `open_recipe` is the method `open` of a Recipe."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kit.core.errors import KitError
from kit.guess import as_frame
from kit.reading.discovery import no_data
from kit.recipe import Recipe
from kit.run.leftovers import sweep
from kit.run.opened import Opened
from kit.run.run import Run
from kit.session.session import Session
from kit.sides.side import Side
from kit.sides.sides import Sides
from kit.table import Table
from kit.task import Task

NAMES = ("train", "test", "sample")


def open_recipe(
    recipe: Recipe,
    data: Any = None,
    test: Any = None,
    sample: Any = None,
    *,
    extra: Any = None,
    sides: Mapping[str, Any] | None = None,
    runs: str | Path | None = None,
    settings: str | Sequence[str] = (),
    preset: str | None = None,
    seed: int | None = None,
    rows: int | None = None,
    threads: int | None = None,
    cache: str | Path | None = None,
) -> Session:
    """Opens a recipe on its rows; nothing is fitted yet.

    Args:
        recipe: task, folds, members and blend.
        data: folder of the competition's files, or the train frame. None: the folder that `make cv` would take:
            data/<name>, or else a folder below /kaggle/input.
        test: the test frame, if `data` is a frame.
        sample: the sample submission as a frame, if `data` is a frame.
        extra: rows without labels, if `data` is a frame: a frame or several. A folder's are named by the recipe:
            `extra = "more.csv"`.
        sides: side tables, if `data` is a frame: name → frame, of those that the recipe's `sides` describe.
        runs: folder of all runs. This run gets a folder in it, with the name of the task. None: $KIT_RUNS, else runs.
        settings: overrides such as "boost.lr=0.1 linear.C=2", or a list of them.
        preset: name of a list of settings in the recipe.
        seed: seed of every member; the folds stay the same.
        rows: use only this number of train rows, to try things out. The run then has a folder of its own.
        threads: threads of numeric code; None: one per core.
        cache: folder for what is computed once. None: $KIT_CACHE, else data/cache; with frames, memory is used.

    Raises:
        KitError: the rows do not fit the task, or a setting does not exist.
    """
    given = settings.split() if isinstance(settings, str) else list(settings)
    overrides = recipe.overrides(preset, given, seed)
    changed = recipe.override(*overrides)
    if isinstance(data, (str, Path)) or data is None:
        _refuse_frames(test, sample, extra, sides)
        folder = Path(data) if data is not None else _found(recipe)
        keep = Path(cache or os.environ.get("KIT_CACHE", "data/cache"))
        table = changed.load(folder, keep)
    else:
        folder, keep = None, None
        table = table_of(recipe.task, data, test, sample, Path(cache) if cache else None, extra, sides, recipe.sides)
    table = table if rows is None else table.subset(rows)
    name = recipe.task.name if rows is None else f"{recipe.task.name}-{rows}-rows"
    root = Path(runs or os.environ.get("KIT_RUNS", "runs")) / name
    sweep(root, keep)
    opened = Opened.of(changed, overrides, folder, root, keep, rows, threads) if folder and keep else None
    session = Session(Run(changed, table, root, opened=opened))
    for note in table.notes:
        session.console.print(note, highlight=False)
    return session


def table_of(
    task: Task, train: Any, test: Any = None, sample: Any = None, cache: Path | None = None, extra: Any = None,
    sides: Mapping[str, Any] | None = None, described: Side | tuple[Side, ...] = (),
) -> Table:  # fmt: skip
    """A checked table of frames. Ids are strings; without an id column, rows are numbered.

    Args:
        task: the description of the competition.
        train: the train rows.
        test: the test rows; None: there are none.
        sample: the sample submission.
        cache: folder for what is computed once.
        extra: rows without labels: a frame, or several.
        sides: name of a side table → its rows.
        described: the side tables that there may be.

    Raises:
        KitError: a column is missing, or the task does not have such a label.
    """
    train, test, sample = (
        None if f is None else as_frame(f, n) for f, n in zip((train, test, sample), NAMES, strict=True)
    )
    assert train is not None
    if test is None:
        test = train.drop(columns=[*task.targets], errors="ignore").iloc[:0]
    if task.id not in train and task.id not in test:
        task = task.model_copy(update={"id": ""})
    several = isinstance(extra, (list, tuple)) and all(isinstance(f, (pd.DataFrame, pd.Series, dict)) for f in extra)
    further = [] if extra is None else list(extra) if several else [extra]
    names = ["extra"] if len(further) == 1 else [f"extra {i}" for i in range(1, len(further) + 1)]
    frames = {name: as_frame(f, name) for name, f in zip(names, further, strict=True)}
    related, notes = Sides.of_frames(described, sides)
    return Table(task, train, test, sample, cache, tuple(notes), NAMES, extra=frames, sides=related)


def _found(recipe: Recipe) -> Path:
    folder = recipe.find_data()
    if folder is None:
        said = "; or give their folder, or frames: open(folder), open(train, test)"
        raise KitError(f"{no_data(recipe.task, recipe.all_files())}{said}")
    return folder


def _refuse_frames(*frames: Any) -> None:
    if any(frame is not None for frame in frames):
        raise KitError("test, sample, extra and sides are frames that go with a train frame; a folder holds all files")
