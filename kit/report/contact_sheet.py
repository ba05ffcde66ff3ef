"""Contact sheets: many pictures with a caption each, as a PNG file and as a part of the page."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.core.files import replacing
from kit.report.html import drawn, paragraph, text
from kit.report.style import LIGHT
from kit.report.thumbnails import PageThumbnails

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 160  # pixels of the square that a picture has in the PNG file
GAP = 10  # pixels between pictures
WIDTH = 6 * (SIDE + GAP) + GAP  # pixels of a PNG file
LETTERS = 12  # pixels of a caption's letters
LINE = 16  # pixels of a line


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet, or two that are compared, with a caption.

    Attributes:
        pictures: in RGB; None: one that cannot be read.
        keys: of each, equal for equal pictures; None: it is like no other.
        caption: its lines.
    """

    pictures: tuple["Image | None", ...]
    keys: tuple[Hashable, ...]
    caption: tuple[str, ...]


@dataclass(frozen=True)
class ContactSheet:
    """A sheet.

    Attributes:
        name: of the file, without ending.
        title: of the sheet.
        note: one or two sentences below the title.
        tiles: in this order, from left to right.
    """

    name: str
    title: str
    note: str
    tiles: tuple[Tile, ...]

    def write(self, path: Path) -> None:
        """Writes the sheet as a PNG file, completely or not at all; the same bytes for the same pictures."""
        with replacing(path) as temporary:
            self.image().save(temporary, "PNG", optimize=True)

    def image(self) -> "Image":
        """The sheet as one picture, of a fixed width."""
        from PIL import Image, ImageDraw

        wide = max((len(tile.pictures) for tile in self.tiles), default=1)
        width = wide * SIDE + (wide - 1) * GAP
        columns = (WIDTH - GAP) // (width + GAP)
        high = SIDE + LINE * max((len(tile.caption) for tile in self.tiles), default=0) + GAP
        rows = -(-len(self.tiles) // columns)
        notes = _lines(self.note, WIDTH - 2 * GAP)
        top = GAP + LINE * (2 + len(notes))
        sheet = Image.new("RGB", (WIDTH, top + rows * high + GAP), LIGHT["paper"])
        pen = ImageDraw.Draw(sheet)
        pen.text((GAP, GAP), _fitting(self.title, WIDTH - 2 * GAP, bold=True), LIGHT["ink"], _font(bold=True))
        for number, line in enumerate(notes):
            pen.text((GAP, GAP + LINE * (number + 1) + 4), line, LIGHT["faint"], _font())
        for number, tile in enumerate(self.tiles):
            x, y = GAP + (number % columns) * (width + GAP), top + (number // columns) * high
            for i, picture in enumerate(tile.pictures):
                left = x + i * (SIDE + GAP)
                if picture is None:
                    pen.rectangle((left, y, left + SIDE - 1, y + SIDE - 1), outline=LIGHT["line"])
                else:
                    sheet.paste(shown := _within(picture), (left + (SIDE - shown.width) // 2, y + SIDE - shown.height))
            for i, line in enumerate(tile.caption):
                pen.text(
                    (x, y + SIDE + 2 + i * LINE), _fitting(line, width), LIGHT["ink" if not i else "faint"], _font()
                )
        return sheet

    def html(self, thumbnails: PageThumbnails) -> str:
        """The sheet as a part of the page, as far as that has room for its pictures."""
        tiles, left = list[str](), 0
        for tile in self.tiles:
            alt = " · ".join(tile.caption)
            given = zip(tile.pictures, tile.keys, strict=True)
            found = [None if picture is None else thumbnails.add(picture, alt, key) for picture, key in given]
            if not any(found):
                left += 1
                continue
            seen = "".join(drawn(one) for one in found if one)
            lines = "".join(f"<span>{text(line)}</span>" for line in tile.caption)
            kind = ' class="pair"' if len(found) > 1 else ""
            tiles.append(f"<figure{kind}><div>{seen}</div><figcaption>{lines}</figcaption></figure>")
        more = f" The page has no room for {left} more; they are in the PNG file." if left else ""
        title = f"<h3>{text(self.title)}</h3>"
        return title + paragraph(self.note + more, "faint") + f'<div class="sheet">{"".join(tiles)}</div>'


def _within(picture: "Image") -> "Image":
    """A picture in its square: scaled down, or enlarged by whole steps, so that small ones show their pixels."""
    from PIL import Image

    times = SIDE // max(picture.size)
    if times > 1:
        return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    small = picture.copy()
    small.thumbnail((SIDE, SIDE), reducing_gap=3.0)
    return small


@lru_cache(maxsize=2)
def _font(bold: bool = False) -> Any:
    """The font of the plots, which matplotlib brings along: letters of most alphabets."""
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), LETTERS)


def _fitting(line: str, width: int, bold: bool = False) -> str:
    """A line, cut where it would be wider than so many pixels."""
    line, font = " ".join(line.split()), _font(bold)
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line.rstrip() + "…"


def _lines(words: str, width: int) -> Sequence[str]:
    """A text in lines of at most so many pixels."""
    lines = list[str]()
    for word in words.split():
        if lines and _font().getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
