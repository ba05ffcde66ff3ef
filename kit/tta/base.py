"""View: the base class of views. A view shows a row in another way, by changing texts or numbers of some columns."""

import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.core.spec import Spec, digest
from kit.rows import Rows
from kit.source import Arrays, Named, Source, in_parts
from kit.task import Task

NewColumns = dict[str, list[str] | np.ndarray]


class View(Spec):
    """One or several changes of a row that keep its label: windows, crops, small edits.

    The views of a row depend only on that row and the seed, so they are the same in training, in validation and later
    in a kernel.
    """

    def check(self, task: Task) -> None:
        """Refuses, with a KitError, a task whose rows cannot be seen so; called before anything is fitted."""

    @abstractmethod
    def see(self, frame: pd.DataFrame, task: Task, seed: int) -> Iterator[NewColumns]:
        """Yields for each view the columns that it changes: column → new values (texts or numbers), one for each row.

        Args:
            frame: the rows, with the task's columns.
            task: names the text columns.
            seed: seed of the random numbers.
        """

    def look(self, number: int) -> Any:
        """How this view shows the pictures of a row, see `kit.images.look`; None: as the row itself does.

        Args:
            number: of the view, among those that `see` yields.
        """
        return None


VERSION = 3  # of the arrays that views are cached as


def with_views(rows: Rows, views: Sequence[View], seed: int) -> Rows:
    """The rows, followed by the first view of all of them, then the second view, and so on.

    All are rows of one new source with the rows of `rows.source` and all their views. It is made once for all folds and
    predictions. If `rows.source` has a folder, the changed columns are cached there.

    Args:
        rows: n rows.
        views: the views; each may give several.
        seed: seed of their random numbers.

    Returns:
        (1 + number of views) · n rows; the labels are repeated.
    """
    key = digest([[view.identity() for view in views], rows.task.to_dict(), seed])
    sources = rows.source.views
    if key not in sources:
        if rows.source.looks:
            raise KitError(
                "views of views: pictures that are shown in one way cannot be shown in another; take one Views"
            )
        sources[key] = _together(rows.source, views, rows.task, seed, f"views-{digest([key, VERSION])[:16]}")
    starts = np.arange(0, len(sources[key].frame), max(1, len(rows.source.frame)))
    y = None if rows.y is None else np.tile(rows.y, (len(starts), 1))
    judged_by = None if rows.judged_by is None else pd.concat([rows.judged_by] * len(starts))
    groups = None if rows.groups is None else np.tile(rows.groups, len(starts))
    weight = None if rows.weight is None else np.tile(rows.weight, len(starts))
    at = (starts[:, None] + rows.at).ravel()
    return replace(rows, source=sources[key], at=at, y=y, judged_by=judged_by, groups=groups, weight=weight)


def _together(source: Source, views: Sequence[View], task: Task, seed: int, name: str) -> Source:
    """A source of all rows, followed by the first view of all rows, and so on."""
    place = {column: i for i, column in enumerate(source.frame.columns)}

    def compute(frame: pd.DataFrame) -> Arrays:
        seen = [(i, columns) for i, view in enumerate(views) for columns in view.see(frame, task, seed)]
        changed = [(k, c, values) for k, (_, columns) in enumerate(seen) for c, values in columns.items()]
        packed = {f"{k}-{place[c]}": _packed(values) for k, c, values in changed}
        return {"views": np.array([i for i, _ in seen], dtype=np.int64), **packed}

    # without a folder, a source of its own is used, so the arrays are not kept in memory
    arrays = (source if source.folder else Source(source.frame, files=source.files)).blocks(name, compute, _gathered)
    parts, looks = [source.frame], list[Any]([None])
    of = arrays["views"].tolist()  # the number of the view that gives each
    for k, view in enumerate(of):
        looks.append(views[view].look(k - of.index(view)))
        changed = {c: _unpacked(arrays[f"{k}-{i}"]) for c, i in place.items() if f"{k}-{i}" in arrays}
        parts.append(source.frame.assign(**changed))
    shown = any(looks) or bool(task.images)
    every = np.tile(np.arange(len(source.frame)), len(parts))
    return Source(
        pd.concat(parts), source.folder, originals=source.originals, schema=source.schema, files=source.files,
        original=source if shown else None, looks=tuple(looks) if shown else (),
        extra=source.extra, sides=source.sides.take(every) if source.sides else None,
    )  # fmt: skip


def _gathered(blocks: Iterable[Arrays]) -> Named:
    """Each view's columns of all blocks of rows; the views themselves are the same for every block."""
    for name, parts in in_parts(blocks).items():
        yield name, next(iter(blocks))[name] if name == "views" else parts


def _packed(values: list[str] | np.ndarray) -> np.ndarray:
    """Numbers unchanged; texts as bytes, one JSON string per line."""
    if isinstance(values, np.ndarray):
        return values
    return np.frombuffer("".join(json.dumps(text) + "\n" for text in values).encode(), dtype="S1")


def _unpacked(array: np.ndarray) -> list[str] | np.ndarray:
    return [json.loads(line) for line in array.tobytes().splitlines()] if array.dtype.kind == "S" else array
