"""PageThumbnails: the small pictures of a page, each held once, and all together of bounded size."""

import base64
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from kit.core.threads import threads
from kit.images.thumbnails import jpeg_within, thumbnail
from kit.report.html import Thumbnail
from kit.source import RowFiles

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 96  # pixels of the square that each fits in
MOST_BYTES = 6_000  # of each, as JPEG; a third more in the page, as base64
MOST = 300  # of a page, so that all together take at most 2.5 MB of it
MOST_IN_TABLES = 180  # of these; the others are left for contact sheets


class PageThumbnails:
    """The thumbnails of one page.

    Args:
        files: where named pictures lie.
        most: number of thumbnails that the page may hold.
        most_in_tables: how many of them rows of tables may take.
    """

    def __init__(self, files: RowFiles, most: int = MOST, most_in_tables: int = MOST_IN_TABLES) -> None:
        self.files, self.most, self.most_in_tables = files, most, most_in_tables
        self._held: list[str] = []
        self._known: dict[Hashable, Thumbnail | None] = {}

    def add(self, picture: "Image", alt: str, key: Hashable = None) -> Thumbnail | None:
        """A picture as a thumbnail; None where the page is full.

        Args:
            picture: in RGB, of any size.
            alt: what it is, for screen readers.
            key: equal for equal pictures, which the page holds once; None: it is like no other.
        """
        if key is not None and key in self._known:
            return self._known[key]
        if len(self._held) >= self.most:
            return None
        small = picture.copy()
        small.thumbnail((SIDE, SIDE), reducing_gap=3.0)
        data = base64.b64encode(jpeg_within(small, MOST_BYTES)).decode()
        times = max(1, SIDE // max(small.size))
        made = Thumbnail(f"thumbnail-{len(self._held)}", small.width, small.height, times, alt)
        self._held.append(
            f'<image id="{made.anchor}" width="{made.width}" height="{made.height}" '
            f'href="data:image/jpeg;base64,{data}"/>'
        )
        if key is not None:
            self._known[key] = made
        return made

    def of_rows(self, rows: Sequence[Sequence[Any]], names: Sequence[str]) -> list[Thumbnail | None]:
        """For rows of a table: the first picture of each that can be read; None where there is none, or no room.

        Args:
            rows: the pictures of each row, names or bytes.
            names: of the rows, for screen readers.
        """
        new = [row for row in dict.fromkeys(map(tuple, rows)) if row not in self._known]
        new = new[: max(0, self.most_in_tables - len(self._held))]
        with ThreadPoolExecutor(threads()) as pool:  # decoders let other threads run
            pictures = dict(zip(new, pool.map(self._first, new), strict=True))
        found = list[Thumbnail | None]()
        for row, name in zip(map(tuple, rows), names, strict=True):
            if row in pictures and row not in self._known:
                picture = pictures[row]
                self._known[row] = None if picture is None else self.add(picture, f"picture of {name}")
            found.append(self._known.get(row))
        return found

    def _first(self, row: Sequence[Any]) -> "Image | None":
        return next((p for cell in row if (p := thumbnail(self.files, cell, SIDE)) is not None), None)

    def html(self) -> str:
        """The element that holds all thumbnails, itself not seen; empty where there are none."""
        if not self._held:
            return ""
        held = "".join(self._held)
        return f'<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>{held}</defs></svg>'
