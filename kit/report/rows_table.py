"""A table of rows of the competition, each with its picture beside it where it has one."""

from collections.abc import Mapping, Sequence

from kit.report.data import ReportData
from kit.report.html import Cell, table


def rows_table(
    data: ReportData, places: Sequence[int], head: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str,
    wide: Sequence[int] = (), tags: Sequence[Mapping[str, str]] = (),
) -> str:  # fmt: skip
    """The table; of a competition of pictures, thumbnails are its second column.

    Args:
        data: of the report.
        places: the position of each row in `data.rows`.
        head: as of `table`, the id first.
        rows: likewise.
        caption: likewise.
        wide: likewise, without the thumbnails.
        tags: likewise.
    """
    if not data.task.images:
        return table(head, rows, caption, wide, stack=True, tags=tags)
    pictures = data.pictures_of(places)
    blank = sum(picture is None for picture in pictures)
    if blank:
        caption += f" Rows without a picture: {blank}. It cannot be read, or the page has no room for more."
    return table(
        [head[0], "picture", *head[1:]],
        [[row[0], picture, *row[1:]] for row, picture in zip(rows, pictures, strict=True)],
        caption,
        [column + 1 for column in wide],
        stack=True,
        tags=tags,
    )
