"""Reconstruction: autoencoders of tables learn to give back rows of which some cells were swapped."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kit.train.objective import Batch, Step
from kit.train.swap import SwapNoise

LEAST = 0.05  # of a baseline: a column that hardly varies does not outweigh the others


def cell_losses(output: Tensor, cells: Tensor, numbers: int, sizes: Sequence[int]) -> Tensor:
    """The loss of each cell, (n, columns): squared errors of numbers, cross-entropy of ids in nats.

    Args:
        output: (n, numbers + sum of sizes) values and logits.
        cells: (n, numbers + len(sizes)) true numbers and ids. A missing number (NaN) has no loss.
        numbers: columns of numbers, which come first.
        sizes: ids of each other column.
    """
    true = cells[:, :numbers]
    missing = true.isnan()
    squares = (output[:, :numbers] - true.masked_fill(missing, 0.0)).square().masked_fill(missing, 0.0)
    if not sizes:
        return squares
    ids = cells[:, numbers:].long()
    logits = output[:, numbers:].split(list(sizes), dim=1)
    entropies = [F.cross_entropy(own, ids[:, j], reduction="none") for j, own in enumerate(logits)]
    return torch.cat([squares, torch.stack(entropies, dim=1)], dim=1)


def balanced_weights(cells: Tensor, numbers: int, sizes: Sequence[int]) -> Tensor:
    """(columns,) weights by which each column's loss is 1 / columns for who knows its mean or its shares alone.

    A column that never varies weighs nothing. The weighted sum of a row's losses is then the share that is not
    explained, on average.
    """
    true = cells[:, :numbers].double()
    mean = true.nanmean(0)
    baselines = [(true - mean).square().nanmean(0).nan_to_num(0.0)]
    for j, size in enumerate(sizes):
        shares = torch.bincount(cells[:, numbers + j].long(), minlength=size).double() / max(1, len(cells))
        baselines.append(torch.special.entr(shares).sum()[None])
    baseline = torch.cat(baselines)
    weights = torch.where(baseline > 1e-12, 1 / baseline.clamp(min=LEAST), 0.0)
    return (weights / max(1, int((baseline > 1e-12).sum()))).float()


@dataclass(frozen=True)
class Reconstruction:
    """The weighted losses of all cells of a row, which the model sees with noise.

    Attributes:
        noise: changes cells.
        weights: (columns,), such as `balanced_weights`.
        mask: weight of the mean cross-entropy of saying which cells were changed; the model gives `Decoded.mask`.
        kl: weight of the divergence of the code for each nat; the model gives `Decoded.kl`.
    """

    noise: SwapNoise
    weights: Tensor
    mask: float = 0.0
    kl: float = 0.0

    def __call__(self, model: Any, batch: Batch) -> Step:
        cells = batch["inputs"]["cells"]
        noisy, swapped = self.noise(cells) if self.noise.share else (cells, None)
        decoded = model(noisy)
        output, shape = decoded.cells.float(), model.shape
        rows = cell_losses(output, cells, shape.numbers, shape.sizes) @ self.weights
        step = Step(rows.sum(), output)
        if self.mask and swapped is not None:
            same = (noisy == cells) | (noisy.isnan() & cells.isnan())  # such a swap cannot be seen
            said = F.binary_cross_entropy_with_logits(decoded.mask.float(), (swapped & ~same).float(), reduction="none")
            loss = said.mean(1).sum()
            step = step.plus(self.mask * loss, mask=loss)
        if decoded.kl is not None:
            divergence = decoded.kl.float().sum()
            step = step.plus(self.kl * divergence, kl=divergence)
        return step


@dataclass(frozen=True)
class LayerReconstruction:
    """One layer of a stack learns alone to give back what the layer below it says (Vincent et al. 2010).

    The layer below is read without gradient and without noise; then a share of its units is swapped with those of
    other rows of the batch. The lowest layer gives back the cells. A layer that does not learn is not touched.

    Attributes:
        layer: its number, from 0.
        noise: of cells; its share is that of units, too.
        weights: (columns,) of the losses of cells.
    """

    layer: int
    noise: SwapNoise
    weights: Tensor

    def __call__(self, model: Any, batch: Batch) -> Step:
        cells, decoder = batch["inputs"]["cells"], model.decoders[self.layer]
        if self.layer == 0:
            output = decoder(model.layers[0](model.input(self.noise(cells)[0]))).cells.float()
            losses = cell_losses(output, cells, model.shape.numbers, model.shape.sizes) @ self.weights
            return Step(losses.sum(), output)
        with torch.no_grad():
            x = model.input(cells)
            for layer in model.layers[: self.layer]:
                x = layer(x)
            swapped = torch.rand(x.shape, device=x.device) < self.noise.share
            noisy = torch.where(swapped, x[torch.randperm(len(x)).to(x.device)], x)
            scale = x.float().var(0, unbiased=False).mean().clamp(min=1e-6)
        output = decoder(model.layers[self.layer](noisy)).float()
        return Step(((output - x.float()).square().mean(1) / scale).sum(), output)
