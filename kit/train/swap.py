"""SwapNoise: some cells of a row become those of other rows."""

import torch
from torch import Tensor


class SwapNoise:
    """Replaces a cell by the cell of the same column in a random row (Jahrer 2017), so each column keeps its values.

    All random numbers are torch's own: a checkpoint keeps their state. Only cells that change are looked up.

    Args:
        cells: (N, columns) of all rows, on the device of the batches.
        share: of cells that are replaced, each drawn by itself; some of them get the value that they had.
    """

    def __init__(self, cells: Tensor, share: float) -> None:
        self.cells, self.share = cells.contiguous(), share

    def __call__(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """(n, columns) of a batch → the same with noise, and where a cell was replaced, (n, columns) bool."""
        swapped = torch.rand(cells.shape, device=cells.device) < self.share
        if cells.device.type != "cpu":  # what is there to look up is not known without waiting for the GPU
            donors = torch.randint(len(self.cells), cells.shape, device=cells.device)
            return torch.where(swapped, self.cells.gather(0, donors), cells), swapped
        at, columns = swapped.view(-1).nonzero()[:, 0], cells.shape[1]
        donors = torch.randint(len(self.cells), at.shape) * columns + at % max(1, columns)
        noisy = cells.flatten().index_copy(0, at, self.cells.view(-1)[donors])
        return noisy.view(cells.shape), swapped
