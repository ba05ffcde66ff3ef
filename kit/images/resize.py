"""Resize: how pictures of any size and shape become pictures of one size."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from kit.core.spec import Spec

if TYPE_CHECKING:
    from PIL.Image import Image
else:
    from kit.core.lazy import later

    Image = later("PIL.Image")

Mode = Literal["squash", "crop", "fit"]
Interpolation = Literal["bilinear", "bicubic", "lanczos", "box"]


class Resize(Spec):
    """The size that pictures are given once, before anything else is done to them."""

    size: int = Field(224, ge=1, description="pixels of height and width")
    mode: Mode = Field("crop", description="crop the centre of the scaled picture, squash it, or fit it in, with edges")
    interpolation: Interpolation = Field("bicubic", description="filter, which widens where a picture becomes smaller")
    fill: int = Field(128, ge=0, le=255, description="grey level of the edges of mode=fit")

    def scaled(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a whole picture of this size once it is scaled: before crops, without edges."""
        if self.mode == "squash":
            return self.size, self.size
        side = min(width, height) if self.mode == "crop" else max(width, height)
        return max(1, round(width * self.size / side)), max(1, round(height * self.size / side))

    def apply(self, picture: "Image") -> np.ndarray:
        """An RGB picture as (size, size, 3) uint8.

        Pixels are averaged over the area that they stand for, as Pillow does: a filter that ignores it aliases.
        """
        from PIL import Image as pillow

        filters = pillow.Resampling
        size = self.scaled(*picture.size)
        if size != picture.size:
            picture = picture.resize(size, getattr(filters, self.interpolation.upper()), reducing_gap=3.0)
        pixels = np.asarray(picture)
        height, width = pixels.shape[:2]
        top, left = (abs(side - self.size) // 2 for side in (height, width))
        if self.mode == "fit":
            canvas = np.full((self.size, self.size, 3), self.fill, dtype=np.uint8)
            canvas[top : top + height, left : left + width] = pixels
            return canvas
        return np.ascontiguousarray(pixels[top : top + self.size, left : left + self.size])
