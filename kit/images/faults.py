"""Rows whose pictures cannot be read: which they are, and one sentence about them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kit.core.errors import shown
from kit.images.facts import PictureFacts
from kit.images.store import PictureFiles
from kit.schema.pictures import several
from kit.source import Source


def unreadable(source: Source) -> np.ndarray:
    """(n,) bool: rows of a source of which no picture can be read; none where rows have no pictures."""
    columns = source.schema.of_type("image", source.frame) if source.schema else []
    if not columns or not isinstance(source.files, PictureFiles):
        return np.zeros(len(source.frame), dtype=bool)
    return faulty_rows(source.files, source.frame, columns)[0]


def faulty_rows(
    files: PictureFiles, frame: pd.DataFrame, columns: Sequence[str]
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """(n,) bool of rows without any picture that can be read, and name and fault of each picture that cannot.

    Args:
        files: where the pictures lie.
        frame: the rows.
        columns: those of pictures.
    """
    bad, named = np.ones(len(frame), dtype=bool), list[tuple[str, str]]()
    for column in columns:
        for i, (cell, facts) in enumerate(zip(frame[column], grouped(files, frame[column]), strict=True)):
            bad[i] &= all(one.fault for one in facts)
            named += [(_name(one, i), f.fault) for one, f in zip(several(cell), facts, strict=True) if f.fault]
    return bad, named


def grouped(files: PictureFiles, cells: pd.Series) -> list[list[PictureFacts]]:
    """The facts of the pictures of each cell."""
    groups = [several(cell) for cell in cells]
    facts = iter(files.facts([one for group in groups for one in group]))
    return [[next(facts) for _ in group] for group in groups]


def _name(cell: object, row: int) -> str:
    return cell if isinstance(cell, str) else f"row {row}"


def fault_sentence(file: str, named: Sequence[tuple[str, str]], then: str) -> str:
    """One sentence: how many pictures of a file's rows cannot be read, the first of them and why, and what follows.

    Args:
        file: of the rows.
        named: name and fault of each.
        then: the end of the sentence.
    """
    count = "1 picture" if len(named) == 1 else f"{len(named)} pictures"
    first = ", ".join(f"{shown(name)} ({fault})" for name, fault in named[:3])
    return f"{file}: {count} cannot be read: {first}{' …' if len(named) > 3 else ''}{then}"
