"""Thumbnails: pictures scaled down for a person to look at, and as JPEG files of bounded size."""

import io
from typing import TYPE_CHECKING, Any

from kit.images.decode import PictureFault, decode
from kit.source import RowFiles

if TYPE_CHECKING:
    from PIL.Image import Image

QUALITIES = (85, 70, 50, 30, 15)  # of JPEG, tried in this order until the file is small enough


def thumbnail(files: RowFiles, cell: Any, side: int) -> "Image | None":
    """The whole of a picture within a square, never enlarged; None where it cannot be read.

    Args:
        files: where named pictures lie.
        cell: its name or bytes.
        side: pixels of the square.
    """
    try:
        picture = decode(files.read(cell), (side, side))
    except PictureFault:
        return None
    picture.thumbnail((side, side), reducing_gap=3.0)
    return picture


def jpeg_within(picture: "Image", most: int) -> bytes:
    """A picture as a JPEG file of at most so many bytes: of less quality, and then smaller, where it has to be.

    Args:
        picture: in RGB.
        most: bytes; the smallest JPEG has about 700.

    Raises:
        ValueError: not even one pixel is that small.
    """
    while True:
        for quality in QUALITIES:
            picture.save(file := io.BytesIO(), "JPEG", quality=quality, optimize=True)
            if file.tell() <= most:
                return file.getvalue()
        if max(picture.size) == 1:
            raise ValueError(f"no JPEG has {most} bytes or less")
        picture = picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)))
