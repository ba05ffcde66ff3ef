"""The contact sheets of a run: what the networks are shown, the worst rows, likely label errors, near duplicates."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kit.core.errors import KitError
from kit.core.machine import machine_fault
from kit.core.threads import threads
from kit.images.duplicates import NearDuplicates
from kit.images.thumbnails import thumbnail
from kit.report.contact_sheet import SIDE, ContactSheet, Tile
from kit.report.data import ReportData
from kit.report.row_losses import row_losses
from kit.report.row_text import label_of, named_label, prediction_of, row_id
from kit.schema.pictures import several

if TYPE_CHECKING:
    from PIL.Image import Image

MOST = 24  # pictures of a sheet
MEMBERS = 3  # whose batches are shown
FEWEST = 8  # least certain labels that are shown, also where none is taken for wrong

Make = Callable[[ReportData], "ContactSheet | None"]
PREFIX = "pictures-"  # of the names of their files


def drawn_sheets(data: ReportData, folder: Path, debug: bool = False) -> Iterator[tuple[Path, ContactSheet | str]]:
    """Writes each sheet of a run as a PNG file, and gives the path and the sheet, or what went wrong in a sentence.

    Args:
        data: of the report.
        folder: of the files.
        debug: whether to raise the error of a sheet.
    """
    for name, make in makers(data):
        path = folder / f"{PREFIX}{name}.png"
        try:
            if (sheet := make(data)) is not None:
                sheet.write(path)
                yield path, sheet
        except Exception as error:
            if debug or machine_fault(error) is not None:
                raise
            said = str(error) if isinstance(error, KitError) else f"{type(error).__name__}: {error}"
            yield path, f"contact sheet {name} could not be drawn: {said}"


def makers(data: ReportData) -> Iterator[tuple[str, Make]]:
    """Name and maker of each sheet of a run; a maker gives None where there is nothing to show."""
    from kit.members.train_pictures import picture_network

    members = data.run.recipe.members
    trained = [name for name in data.names if picture_network(members[name]) is not None]
    for name in trained[:MEMBERS]:
        yield f"batches-{name}", partial(batches, name=name, left=trained[MEMBERS:] if name == trained[0] else [])
    yield "worst", worst
    yield "label-errors", label_errors
    yield "duplicates", duplicates


def batches(data: ReportData, name: str, left: Sequence[str] = ()) -> ContactSheet:
    """Pictures of the first batches that a member's network learns from, those that are augmented first.

    Args:
        data: of the report.
        name: of the member.
        left: other members whose pictures are not shown.
    """
    from PIL import Image

    from kit.members.train_pictures import train_pictures

    run, table = data.run, data.run.table
    fold = run.folds[0]
    train, valid = (replace(table.rows(at), groups=run.clusters_of(at)) for at in run.split(fold))
    seen = train_pictures(run.recipe.members[name], train, valid, 2 * MOST)
    found = sorted(seen, key=lambda one: not one.changed)[:MOST]
    place = np.cumsum(data.rows) - 1  # of each train row in `data.rows`
    tiles = []
    for one in found:
        lines = [str(table.train[data.task.id].iloc[one.at]), f"label {named_label(data.task, table.y[one.at])}"]
        if data.rows[one.at]:
            lines.append(_predicted(data, int(place[one.at])))
        lines.append("augmented" if one.changed else "as it is")
        tiles.append(_tile([Image.fromarray(np.ascontiguousarray(one.pixels))], [None], lines))
    changed = sum(one.changed for one in seen)
    how = f"{changed} of the first {len(seen)} are augmented" if changed else "none of them is augmented"
    others = f" Batches of {', '.join(left)} are not shown." if left else ""
    size = found[0].pixels.shape[0] if found else 0
    note = (
        f"Pictures of the first batches of fold {fold}, of {size} pixels, as the network is shown them; {how}.{others}"
    )
    return ContactSheet(f"batches-{name}", f"Train batches of {name}", note, tuple(tiles))


def worst(data: ReportData) -> ContactSheet | None:
    """The out-of-fold rows with the highest loss."""
    if not data.predictions:
        return None
    p = _leading(data)
    loss = row_losses(data.task.kind, data.y, p)
    order = np.argsort(-loss, kind="stable")[:MOST].tolist()
    what = "error in standard deviations of the label" if data.task.kind == "regression" else "log loss"
    note = f"The out-of-fold rows with the highest {what} of the {data.unranked_leader}.{data.partial_note}"
    tiles = _row_tiles(data, order, [f"loss {loss[at]:.3f}" for at in order])
    return ContactSheet("worst", "Most wrong rows", note, tiles)


def label_errors(data: ReportData) -> ContactSheet | None:
    """The rows whose label is likely wrong."""
    if not data.predictions or data.task.kind == "regression":
        return None
    quality, count = data.suspects
    order = data.suspects.worst(FEWEST, MOST).tolist()
    taken = "1 label is" if count == 1 else f"{count:,} labels are"
    note = (
        f"{taken} taken for wrong (cleanlab) by the predictions of the {data.unranked_leader}, the least likely label "
        f"first.{data.partial_note}"
    )
    tiles = _row_tiles(data, order, [f"quality {quality[at]:.4f}" for at in order])
    return ContactSheet("label-errors", "Likely label errors", note, tiles)


def duplicates(data: ReportData) -> ContactSheet | None:
    """Pairs of pictures that are the same, or nearly: those of train and test first, then those with two labels."""
    table = data.run.table
    found = table.near_duplicates
    if found is None or not len(found.pairs):
        return None
    first = len(table.train)
    across, unlike = found.across(first), _unlike(data, found)
    order = np.lexsort((np.arange(len(across)), ~unlike, ~across))[:MOST]
    pictures = _pictures(data, [found.cells[i] for pair in found.pairs[order] for i in pair])
    tiles = []
    for number, k in enumerate(order.tolist()):
        pair = found.pairs[k]
        apart = "equal hashes" if not found.bits[k] else f"hashes differ in {found.bits[k]} of 64 bits"
        lines = [*(_side(data, int(found.row[i])) for i in pair), apart]
        tiles.append(_tile(pictures[2 * number : 2 * number + 2], [(found.cells[i],) for i in pair], lines))
    note = (
        f"Pairs of a train and a test picture: {int(across.sum()):,}; within one of them: {int((~across).sum()):,}; "
        f"with unlike labels: {int(unlike.sum()):,}. Train rows with the same picture stay in one fold."
    )
    return ContactSheet("duplicates", "Near duplicates", note, tuple(tiles))


def _unlike(data: ReportData, found: NearDuplicates) -> np.ndarray:
    """(pairs,) whether both pictures are of train rows, with different labels."""
    y = data.run.table.y
    ends = found.row[found.pairs]
    both = (ends < len(y)).all(axis=1)
    a, b = (y[np.where(both, ends[:, side], 0)] for side in (0, 1))
    differ = (a != b) & ~(np.isnan(a) & np.isnan(b))
    return both & np.asarray(differ).any(axis=1)


def _side(data: ReportData, row: int) -> str:
    """Id, label and prediction of a train row; id of a test row."""
    table, task = data.run.table, data.task
    if row >= len(table.train):
        return f"{table.test[task.id].iloc[row - len(table.train)]} (test)"
    words = [str(table.train[task.id].iloc[row]), f"label {named_label(task, table.y[row])}"]
    if data.rows[row]:
        words.append(_predicted(data, int(data.rows[:row].sum())))
    return " · ".join(words)


def _predicted(data: ReportData, at: int) -> str:
    """The leader's prediction of the row at this position of `data.rows`."""
    return f"predicted {prediction_of(data, at, _leading(data)[at])}"


def _leading(data: ReportData) -> np.ndarray:
    return data.predictions[data.unranked_leader]


def _row_tiles(data: ReportData, order: Sequence[int], last: Sequence[str]) -> tuple[Tile, ...]:
    """The first picture of each of these positions of `data.rows`, with id, label, prediction and a last line."""
    frame, task = data.run.table.train.iloc[np.flatnonzero(data.rows)[order]], data.task
    cells = [tuple(one for name in task.images for one in several(frame[name].iloc[i])) for i in range(len(frame))]
    pictures = _pictures(data, cells)
    return tuple(
        _tile([picture], [key], [row_id(data, at), f"label {label_of(data, at)}", _predicted(data, at), words])
        for at, picture, key, words in zip(order, pictures, cells, last, strict=True)
    )


def _tile(pictures: Sequence["Image | None"], keys: Sequence[Any], lines: Sequence[str]) -> Tile:
    return Tile(tuple(pictures), tuple(keys), tuple(lines))


def _pictures(data: ReportData, cells: Sequence[Any]) -> list["Image | None"]:
    """For each cell, or tuple of cells, the first picture that can be read."""
    files = data.run.table.files
    if files is None:
        raise KitError("these rows have no pictures")

    def first(cell: Any) -> "Image | None":
        return next((found for one in several(cell) if (found := thumbnail(files, one, SIDE)) is not None), None)

    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(first, cells))
