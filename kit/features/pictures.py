"""PictureStatistics: colours and edges of pictures as numbers, for members that read tables."""

import numpy as np
from pydantic import Field

from kit.features.base import Features
from kit.images.pictures import pictures
from kit.images.resize import Resize
from kit.source import Source
from kit.task import Task

BLOCK = 512  # pictures at once
TINY = 1e-6  # added to lengths that may be 0


class PictureStatistics(Features):
    """Mean colours and histograms of oriented gradients of the cells of a grid (Dalal & Triggs 2005).

    A first score of any competition with pictures within a minute, and a floor for networks: what colours and edges
    alone tell. The numbers of several pictures a row are averaged; those that cannot be read are left out, and a row
    without any is NaN.
    """

    size: int = Field(64, ge=8, description="pixels of height and width that pictures are given")
    cells: int = Field(4, ge=1, le=16, description="cells of the grid, along each side")
    directions: int = Field(9, ge=1, description="directions of gradients, within 180 degrees")

    def compute(self, source: Source, task: Task) -> np.ndarray:
        return np.hstack([self._of_column(source, column) for column in task.images]).astype(np.float32)

    def _of_column(self, source: Source, column: str) -> np.ndarray:
        found = pictures(source, column, Resize(size=self.size, mode="squash"))
        blocks = [self.of_pixels(found.pixels[i : i + BLOCK]) for i in range(0, len(found), BLOCK)]
        figures = np.concatenate(blocks) * np.where(found.ok, 1, 0)[:, None]
        sums = np.add.reduceat(figures, found.start[:-1], axis=0)
        counts = np.add.reduceat(found.ok.astype(np.int64), found.start[:-1])[:, None]
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    def of_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Colours from 0 to 1, then gradients, (n, cells² · (3 + directions)) float64, of (n, size, size, 3) uint8."""
        values = pixels.astype(np.float64) / 255
        edges = np.linspace(0, self.size, self.cells + 1).astype(int)[:-1]

        def by_cell(image: np.ndarray) -> np.ndarray:
            return np.add.reduceat(np.add.reduceat(image, edges, axis=1), edges, axis=2)

        area = by_cell(np.ones((1, self.size, self.size, 1)))
        colours = by_cell(values) / area
        down, right = np.gradient(values.mean(axis=3), axis=(1, 2))
        length = np.hypot(down, right)
        turn = (np.arctan2(down, right) % np.pi) / np.pi * self.directions
        bins = np.minimum(turn.astype(int), self.directions - 1)
        histogram = np.stack([by_cell((length * (bins == d))[..., None])[..., 0] for d in range(self.directions)], -1)
        histogram /= np.sqrt((histogram**2).sum(axis=(1, 2, 3), keepdims=True)) + TINY
        return np.hstack([part.reshape(len(pixels), -1) for part in (colours, histogram)])
