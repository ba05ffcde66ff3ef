"""Look: one way to show a picture to a network: turned, mirrored, moved or magnified."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Look:
    """How a picture is shown. The plain look is its centre.

    Attributes:
        zoom: magnification: above 1 a smaller part of the picture fills the network's input.
        down: where that part lies, from −1, the upper edge of the picture, to 1, the lower edge; 0: the centre.
        right: likewise, from the left to the right edge.
        turns: quarter turns, counter-clockwise.
        mirror: whether left and right are exchanged, after the turns.
    """

    zoom: float = 1.0
    down: float = 0.0
    right: float = 0.0
    turns: int = 0
    mirror: bool = False

    def show(self, pictures: np.ndarray, side: int) -> np.ndarray:
        """Pictures (n, height, width, 3) uint8 → (n, side, side, 3), of which the plain look cuts out the centre."""
        height, width = pictures.shape[1:3]
        part = max(1, round(side / self.zoom))
        edge = max(0, part - min(height, width) + 1) // 2
        if edge:  # a part larger than the picture: what is missing is mirrored at its edges
            pictures = np.pad(pictures, ((0, 0), (edge, edge), (edge, edge), (0, 0)), mode="symmetric")
            height, width = height + 2 * edge, width + 2 * edge
        top, left = (round((size - part) / 2 * (1 + at)) for size, at in ((height, self.down), (width, self.right)))
        shown = pictures[:, top : top + part, left : left + part]
        if part != side:
            shown = resized(shown, side)
        shown = np.rot90(shown, self.turns, axes=(1, 2))
        return shown[:, :, ::-1] if self.mirror else shown


def resized(pictures: np.ndarray, side: int) -> np.ndarray:
    """Pictures (n, height, width, 3) uint8 → (n, side, side, 3), averaged over the area that a pixel stands for."""
    from PIL import Image

    size, smooth = (side, side), Image.Resampling.BICUBIC
    made = [np.asarray(Image.fromarray(np.ascontiguousarray(one)).resize(size, smooth)) for one in pictures]
    return np.stack(made) if made else np.zeros((0, side, side, 3), np.uint8)
