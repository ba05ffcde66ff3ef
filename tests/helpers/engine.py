"""A small network, batches that can be interrupted, and a comparison of trained networks."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kit.train import (
    LoopStage,
)  # fmt: skip

PLAIN = LoopStage(lr=0.01, warmup=0, precision="fp32")


class Net(nn.Module):
    """Three layers of a small encoder, with norm and dropout, and a head; takes fixed features too."""

    features_are_fixed = True

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.embed = nn.Linear(3, 6)
            self.layers = nn.ModuleList(
                nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Dropout(0.2), nn.Tanh()) for _ in range(3)
            )
            self.head = nn.Linear(6, 2)
        self.calls = 0

    def features(self, x: Tensor) -> Tensor:
        self.calls += 1
        states = self.embed(x)
        for layer in self.layers:
            states = states + layer(states)
        return states

    def forward(self, x: Tensor | None = None, features: Tensor | None = None) -> Tensor:
        return self.head(self.features(x) if features is None else features)

    @property
    def embeddings(self) -> nn.Module:
        return self.embed

    def layer_of(self, name: str) -> int | None:
        if name.startswith("embed"):
            return 3
        return 2 - int(name.split(".")[1]) if name.startswith("layers") else None


class TwelveRows:
    """Twelve rows in batches of four; interrupts at the n-th batch if told to."""

    def __init__(self, fail_at: int | None = None) -> None:
        rng = np.random.default_rng(5)
        self.left = fail_at
        self.x = torch.from_numpy(rng.normal(size=(12, 3)).astype(np.float32))
        self.y = (self.x[:, :2] + self.x[:, 1:] > 0).float()

    def plan(self, epoch: int) -> list[np.ndarray]:
        return np.split(np.random.default_rng(epoch).permutation(12), 3)

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        if self.left is not None:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
        return {"inputs": {"x": self.x[rows]}, "y": self.y[rows]}


def same(a: nn.Module, b: nn.Module) -> bool:
    theirs = b.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in a.state_dict().items())


class Plain(Net):
    embeddings = None
