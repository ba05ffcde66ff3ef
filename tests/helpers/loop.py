"""A small network, and rows in batches that can be interrupted, for tests of the training loop."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kit.train import Constant, LoopStage

PLAIN = LoopStage(lr=0.01, schedule=Constant(), warmup=0, clip=None, weight_decay=0, precision="fp32")


class Net(nn.Module):
    def __init__(self, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.body, self.norm, self.head = nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.norm(self.body(x))))


class BatchesOf:
    """Rows in batches of the given sizes; another order each epoch; fails at the n-th batch if told to."""

    def __init__(self, sizes: list[int], fail_at: int | None = None, shuffled: bool = True) -> None:
        rng = np.random.default_rng(5)
        self.sizes, self.shuffled, self.left = sizes, shuffled, fail_at
        self.x = torch.from_numpy(rng.normal(size=(sum(sizes), 3)).astype(np.float32))
        self.y = torch.from_numpy(rng.integers(0, 2, (sum(sizes), 2)).astype(np.float32))
        self.seen: list[np.ndarray] = []

    def plan(self, epoch: int) -> list[np.ndarray]:
        rows = np.arange(len(self.x))
        order = np.random.default_rng(epoch).permutation(rows) if self.shuffled else rows
        return np.split(order, np.cumsum(self.sizes)[:-1])

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        if self.left is not None:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
        self.seen.append(rows)
        return {"inputs": {"x": self.x[rows]}, "y": self.y[rows]}
