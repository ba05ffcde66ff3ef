"""Autoencoders of tables: features that are learnt from all rows without labels, and a start for networks."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.spec import validator
from kit.pretrain.cells import TableCells
from kit.source import Arrays
from kit.tables.scalers import RankGauss, Scaler
from kit.tables.unsupervised import UnsupervisedFeatures, split
from kit.train.stage import LoopStage

if TYPE_CHECKING:
    import torch

    from kit.models.autoencoder import Shape
    from kit.train.objective import Objective
    from kit.train.swap import SwapNoise
else:
    from kit.core.lazy import later

    torch = later("torch")

SAVE_EVERY = 60.0  # seconds
ENCODED = 4096  # rows at once


class TableAutoencoder(UnsupervisedFeatures):
    """What autoencoders of tables share: they learn once from all rows to give back rows with noise.

    Each column counts the same: its loss is divided by the loss of who knows its mean, or the shares of its values,
    alone. The training goes through `kit.train`; one that was killed goes on and ends in the same bits on a CPU.
    """

    noise: float = Field(0.15, ge=0, lt=1, description="share of the cells that are swapped with those of other rows")
    scaler: Scaler = Field(RankGauss(), description="how numbers are scaled, over all rows")
    values: int = Field(1000, ge=3, description="largest number of values of a category; the rarest share one")
    batch_rows: int = Field(256, ge=1, description="rows of a batch")
    stage: LoopStage = Field(
        LoopStage(epochs=20, min_steps=1000, lr=1e-3, weight_decay=0.0, precision="fp32"), description="how it learns"
    )

    @validator(mode="after")
    def _check_stage(self) -> Self:
        if self.stage.mix:
            raise ValueError("stage.mix mixes labels, and an autoencoder has none; take noise")
        return self

    @abstractmethod
    def make_model(self, shape: "Shape", learns: bool = False) -> Any:
        """The network with new weights.

        Args:
            shape: columns.
            learns: whether it is made to be trained, and so has what only the training needs.
        """

    def objectives(self, noise: "SwapNoise", weights: "torch.Tensor") -> "list[tuple[Objective, LoopStage]]":
        """What is learnt, stage by stage."""
        from kit.train.objectives import Reconstruction

        return [(Reconstruction(noise, weights), self.stage)]

    def learn(self, frame: pd.DataFrame, work: Path | None) -> Arrays:
        from kit.models.autoencoder import Shape
        from kit.train.batches import ArrayBatches
        from kit.train.device import best_device
        from kit.train.loop import train
        from kit.train.objectives import balanced_weights
        from kit.train.swap import SwapNoise

        table, device = TableCells.fit(frame, self.scaler, self.values), best_device()
        cells = torch.from_numpy(table.of(frame)).to(device)
        shape = Shape(len(split(frame)[0]), table.sizes)
        weights = balanced_weights(cells, *shape)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            model = self.make_model(shape, learns=True).to(device)
            goals = self.objectives(SwapNoise(cells, self.noise), weights)
            batches = ArrayBatches({"cells": cells}, torch.zeros(len(cells), 1), self.batch_rows, self.seed)
            objectives, stages = [goal for goal, _ in goals], [stage for _, stage in goals]
            train(model, objectives, [batches] * len(goals), stages, work, save_every=SAVE_EVERY)
        kept = {name: value.cpu().numpy() for name, value in model.state_dict().items() if "decoders." not in name}
        return table.to_arrays() | {f"model.{name}": value for name, value in kept.items()}

    def cells(self, learnt: Arrays, frame: pd.DataFrame) -> np.ndarray:
        """(n, columns) float32 that the network reads."""
        return TableCells.from_arrays(self.scaler, learnt).of(frame)

    def trained_model(self, learnt: Arrays, frame: pd.DataFrame) -> Any:
        """The network with the weights that were learnt; the frame may hold no rows."""
        model = self.blank_model(learnt, frame)
        weights = {name.removeprefix("model."): a for name, a in learnt.items() if name.startswith("model.")}
        model.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
        return model.eval()

    def blank_model(self, learnt: Arrays, frame: pd.DataFrame) -> Any:
        """The network with new weights; the frame may hold no rows."""
        from kit.models.autoencoder import Shape

        with torch.random.fork_rng():
            return self.make_model(Shape(len(split(frame)[0]), TableCells.from_arrays(self.scaler, learnt).sizes))

    def encode(self, learnt: Arrays, frame: pd.DataFrame) -> np.ndarray:
        from kit.train.device import best_device

        device = best_device()
        model = self.trained_model(learnt, frame).to(device)
        cells = self.cells(learnt, frame)
        values = np.empty((len(cells), sum(self._taken(model.widths))), dtype=np.float32)
        with torch.inference_mode():
            for i in range(0, len(cells), ENCODED):
                found = model.encode(torch.from_numpy(cells[i : i + ENCODED]).to(device))
                values[i : i + ENCODED] = torch.cat(self._taken(found), dim=1).cpu().numpy()
        return values

    def units(self, learnt: Arrays, frame: pd.DataFrame) -> list[str]:
        widths = self.blank_model(learnt, frame).widths
        names = [[f"{type(self).__name__} {self.layer_name} {i} unit {u}" for u in range(1, w + 1)]
                 for i, w in enumerate(widths, 1)]  # fmt: skip
        return [name for layer in self._taken(names) for name in layer]

    layer_name: ClassVar[str] = "layer"

    def _taken(self, of_layers: Any) -> list[Any]:
        """What belongs to the layers that become features."""
        return list(of_layers)


class DAE(TableAutoencoder):
    """Denoising autoencoder with swap noise and rank-Gauss scaling (Jahrer 2017, first place at Porto Seguro).

    A network of wide layers gives back rows of which a share of the cells was swapped with other rows (Vincent et al.
    2008). The outputs of its layers are the features: `Boost(features=(DAE(),))`. With `layerwise`, each layer first
    learns alone, from the bottom (Hinton et al. 2006; Vincent et al. 2010). `PretrainedTabular(start=DAE())` goes on
    training its layers with labels.
    """

    hidden: tuple[int, ...] = Field((256, 256, 256), min_length=1, description="widths of the layers; 1500 in Jahrer's")
    take: tuple[int, ...] = Field((), description="numbers of the layers that become features, from 1; empty: all")
    mask: float = Field(0.0, ge=0, description="weight of the loss of saying which cells were swapped")
    layerwise: LoopStage | None = Field(
        None, description="how each layer learns alone, before all learn together by `stage`; none: it does not"
    )

    @validator(mode="after")
    def _check_layers(self) -> Self:
        if wrong := [i for i in self.take if not 1 <= i <= len(self.hidden)]:
            raise ValueError(f"take: there is no layer {wrong[0]}; there are 1 to {len(self.hidden)}")
        if (self.layerwise or self.mask) and not self.noise:
            raise ValueError(f"noise = 0 leaves {'mask' if self.mask else 'layerwise'} nothing to learn; raise it")
        return self

    def make_model(self, shape: "Shape", learns: bool = False) -> Any:
        from kit.models.autoencoder import Autoencoder, relu_layers

        widths = [self.hidden[0], *self.hidden]
        alone = learns and self.layerwise is not None
        return Autoencoder(shape, relu_layers(self.hidden), widths, bool(self.mask), alone)

    def objectives(self, noise: "SwapNoise", weights: "torch.Tensor") -> "list[tuple[Objective, LoopStage]]":
        from kit.train.objectives import LayerReconstruction, Reconstruction

        layers = range(len(self.hidden)) if self.layerwise else ()
        alone: list[Any] = [(LayerReconstruction(i, noise, weights), self.layerwise) for i in layers]
        return [*alone, (Reconstruction(noise, weights, self.mask), self.stage)]

    def _taken(self, of_layers: Any) -> list[Any]:
        return [of_layers[i - 1] for i in self.take] if self.take else list(of_layers)


class TransformerDAE(TableAutoencoder):
    """Denoising autoencoder of Transformer blocks that also says which cells were swapped.

    As the winners of Kaggle's Tabular Playground Series of 2021 built it: a linear layer makes some tokens of a row,
    blocks of attention read them one on the other, and the outputs of all blocks are the features.
    """

    tokens: int = Field(4, ge=1, description="tokens of a row")
    width: int = Field(64, ge=1, description="width of a token; features are tokens · width of each block")
    blocks: int = Field(3, ge=1, description="blocks of the Transformer")
    heads: int = Field(4, ge=1, description="heads of attention; width is a multiple of it")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout in the blocks")
    take: tuple[int, ...] = Field((), description="numbers of the blocks that become features, from 1; empty: all")
    mask: float = Field(1.0, ge=0, description="weight of the loss of saying which cells were swapped")
    layer_name: ClassVar[str] = "block"

    @validator(mode="after")
    def _check_blocks(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width = {self.width} is no multiple of heads = {self.heads}")
        if wrong := [i for i in self.take if not 1 <= i <= self.blocks]:
            raise ValueError(f"take: there is no block {wrong[0]}; there are 1 to {self.blocks}")
        if self.mask and not self.noise:
            raise ValueError("noise = 0 leaves mask nothing to learn; raise it")
        return self

    def make_model(self, shape: "Shape", learns: bool = False) -> Any:
        from kit.models.autoencoder import Autoencoder, TokenBlock

        blocks = [TokenBlock(self.tokens, self.width, self.heads, self.dropout) for _ in range(self.blocks)]
        return Autoencoder(shape, blocks, [self.tokens * self.width] * (self.blocks + 1), bool(self.mask))

    def objectives(self, noise: "SwapNoise", weights: "torch.Tensor") -> "list[tuple[Objective, LoopStage]]":
        from kit.train.objectives import Reconstruction

        return [(Reconstruction(noise, weights, self.mask), self.stage)]

    def _taken(self, of_layers: Any) -> list[Any]:
        return [of_layers[i - 1] for i in self.take] if self.take else list(of_layers)


class VAE(TableAutoencoder):
    """Variational autoencoder (Kingma & Welling 2014; Doersch 2016): the features are the means of its codes.

    A row becomes a normal distribution of codes, one is drawn, and the decoder gives back the row from it. The loss is
    that of the cells plus `beta` times the divergence from a standard normal distribution (Higgins et al. 2017), both
    for each column.
    """

    noise: float = Field(0.0, ge=0, lt=1, description="share of the cells that are swapped with those of other rows")
    hidden: tuple[int, ...] = Field((256, 256), min_length=1, description="widths of the encoder's layers")
    code: int = Field(16, ge=1, description="width of the code")
    beta: float = Field(0.1, ge=0, description="weight of the divergence; with larger ones codes tell less of the row")
    layer_name: ClassVar[str] = "code"

    def make_model(self, shape: "Shape", learns: bool = False) -> Any:
        from kit.models.autoencoder import VariationalAutoencoder

        return VariationalAutoencoder(shape, self.hidden, self.code)

    def objectives(self, noise: "SwapNoise", weights: "torch.Tensor") -> "list[tuple[Objective, LoopStage]]":
        from kit.train.objectives import Reconstruction

        return [(Reconstruction(noise, weights, kl=self.beta / max(1, len(weights))), self.stage)]
