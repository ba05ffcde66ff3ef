"""Rows a second of a denoising autoencoder: kit's training against a plain PyTorch loop.

    PYTHONPATH=. python benchmarks/dae_speed.py [rows] [epochs]

Both train the same network on the same made-up table (40 numbers, 10 categories of 20 values) with the same batch,
share of swapped cells, loss and optimizer, on two threads. The plain loop is as tutorials write it: a Dataset that
gives noisy rows, a DataLoader, and a step. Three runs of each, in turn; the ratio is of medians, with its range.
"""

import statistics
import sys
import time

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from kit.models.autoencoder import Autoencoder, Shape, relu_layers
from kit.train import ArrayBatches, Constant, LoopStage, train
from kit.train.objectives import Reconstruction, balanced_weights, cell_losses
from kit.train.swap import SwapNoise

NUMBERS, SIZES, BATCH, NOISE = 40, (20,) * 10, 256, 0.15
HIDDEN = (256, 256, 256)


def table(rows: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    numbers, ids = rng.normal(size=(rows, NUMBERS)), rng.integers(20, size=(rows, len(SIZES)))
    return torch.tensor(np.column_stack([numbers, ids]), dtype=torch.float32)


def network() -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(Shape(NUMBERS, SIZES), relu_layers(HIDDEN), [HIDDEN[0], *HIDDEN])


class Noisy(Dataset):
    """Rows with swap noise, one at a time."""

    def __init__(self, cells: torch.Tensor) -> None:
        self.cells, self.rng = cells.numpy(), np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        clean = self.cells[row]
        swapped = self.rng.random(len(clean)) < NOISE
        donors = self.rng.integers(len(self.cells), size=len(clean))
        return np.where(swapped, self.cells[donors, np.arange(len(clean))], clean), clean


def plain(cells: torch.Tensor, epochs: int) -> float:
    net, weights = network(), balanced_weights(cells, NUMBERS, SIZES)
    loader = DataLoader(Noisy(cells), BATCH, shuffle=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.0)
    start = time.perf_counter()
    net.train()
    for _ in range(epochs):
        for noisy, clean in loader:
            optimizer.zero_grad()
            loss = (cell_losses(net(noisy).cells, clean, NUMBERS, SIZES) @ weights).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
    return len(cells) * epochs / (time.perf_counter() - start)


def kits(cells: torch.Tensor, epochs: int) -> float:
    net, weights = network(), balanced_weights(cells, NUMBERS, SIZES)
    stage = LoopStage(epochs=epochs, lr=1e-3, weight_decay=0.0, schedule=Constant(), warmup=0.0, precision="fp32")
    batches = ArrayBatches({"cells": cells}, torch.zeros(len(cells), 1), BATCH)
    start = time.perf_counter()
    train(net, Reconstruction(SwapNoise(cells, NOISE), weights), batches, stage)
    return len(cells) * epochs / (time.perf_counter() - start)


def main(rows: int = 20_000, epochs: int = 2) -> None:
    torch.set_num_threads(2)
    cells = table(rows)
    kits(cells[:2000], 1), plain(cells[:2000], 1)
    pairs = [(kits(cells, epochs), plain(cells, epochs)) for _ in range(3)]
    ratios = [ours / theirs for ours, theirs in pairs]
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"kit {ours:,.0f} rows/s, plain loop {theirs:,.0f} rows/s: {ours / theirs:.2f} times "
          f"({min(ratios):.2f} to {max(ratios):.2f})")  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
