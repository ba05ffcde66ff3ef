"""View: the same rows seen another way. What it changes may be text, numbers or anything else a column holds."""

import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from kit.data import Arrays, Rows, Source, Task
from kit.spec import Spec, digest

Columns = dict[str, list[str] | np.ndarray]


class View(Spec):
    """One or several ways to see a row that leave its label as it is: windows, crops, mild edits.

    How a row is seen hangs on that row and the seed alone. So its views are the same whatever rows it stands among,
    in training, in a fold that judges it, and later in a kernel.
    """

    @abstractmethod
    def see(self, frame: pd.DataFrame, task: Task, seed: int) -> Iterator[Columns]:
        """For each view the columns that it changes: column name → one new value (text or number) a row of `frame`."""


_made: WeakKeyDictionary[Source, dict[str, Source]] = WeakKeyDictionary()


def with_views(rows: Rows, views: Sequence[View], seed: int) -> Rows:
    """These rows, then the first view of each of them, then the second …: (1 + views) · n rows, labels repeated.

    They are rows of one source, which holds all that `rows.source` holds and every view of it. It is made once for
    all folds and predictions; the changed columns are kept on disk where `rows.source` keeps things.
    """
    key = digest([[view.identity() for view in views], rows.task.dump(), seed])
    sources = _made.setdefault(rows.source, {})
    if key not in sources:
        sources[key] = _together(rows.source, views, rows.task, seed, f"views-{key[:16]}")
    starts = np.arange(0, len(sources[key].frame), max(1, len(rows.source.frame)))
    y = None if rows.y is None else np.tile(rows.y, (len(starts), 1))
    return Rows(rows.task, sources[key], (starts[:, None] + rows.at).ravel(), y)


def _together(source: Source, views: Sequence[View], task: Task, seed: int, name: str) -> Source:
    """A source of all rows, then all rows as the first view has them, and so on."""
    place = {column: i for i, column in enumerate(source.frame.columns)}

    def compute(frame: pd.DataFrame) -> Arrays:
        seen = [columns for view in views for columns in view.see(frame, task, seed)]
        packed = {f"{k}-{place[c]}": _packed(values) for k, columns in enumerate(seen) for c, values in columns.items()}
        return {"views": np.array([len(seen)]), **packed}

    # what is not kept on disk is not kept in memory twice
    arrays = (source if source.folder else Source(source.frame)).blocks(name, compute)
    parts = [source.frame]
    for k in range(arrays["views"][0]):
        changed = {c: _unpacked(arrays[f"{k}-{i}"]) for c, i in place.items() if f"{k}-{i}" in arrays}
        parts.append(source.frame.assign(**changed))
    return Source(pd.concat(parts), source.folder, originals=source.originals)


def _packed(values: list[str] | np.ndarray) -> np.ndarray:
    """Numbers as they are, texts as bytes: a JSON string a line."""
    if isinstance(values, np.ndarray):
        return values
    return np.frombuffer("".join(json.dumps(text) + "\n" for text in values).encode(), dtype="S1")


def _unpacked(array: np.ndarray) -> list[str] | np.ndarray:
    return [json.loads(line) for line in array.tobytes().splitlines()] if array.dtype.kind == "S" else array
