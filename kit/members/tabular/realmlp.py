"""RealMLP: a perceptron with good defaults."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from kit.members.tabular.network import TabularNetwork
from kit.members.tabular.numbers import PBLD, NumberEmbedding
from kit.tables.scalers import RobustScaling, Scaler
from kit.train.optimizers import AdamW
from kit.train.schedule import CosineLog, FlatCosine
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.network.initial import InitialWeights

FIRST_ROWS = 1024  # train rows that the first weights are fitted to


class RealMLP(TabularNetwork):
    """The recipe of "Better by Default" (Holzmüller, Grinsztajn & Steinwart 2024).

    Robust scaling with smooth clipping, PBLD embeddings, a learnt scale of each input, parametric activations, the
    neural tangent parametrisation with weights fitted to train rows, rates in growing cycles, dropout and weight decay
    that end at zero. There is no label smoothing, as in its later version: `stage.loss=CrossEntropy(smoothing=0.1)` is
    the paper's. For regression the paper has `lr=0.2`.
    """

    hidden: tuple[int, ...] = Field((256, 256, 256), min_length=1, description="widths of the layers")
    activation: Literal["auto", "selu", "mish", "relu", "silu"] = Field(
        "auto", description="activation; auto: mish for regression, else selu"
    )
    numbers: NumberEmbedding | None = Field(
        PBLD(), description="how numbers become vectors; none: they are not embedded"
    )
    scaling: Scaler = Field(RobustScaling(clip="smooth"), description="how numbers are scaled")
    one_hot: int = Field(8, ge=0, description="columns with at most so many categories are one-hot, without vectors")
    batch_rows: int = Field(256, ge=0, description="largest number of rows in a batch; 0: by the train rows")
    dropout: float = Field(0.15, ge=0, lt=1, description="share of the features of each layer dropped in training")
    patience: int | None = Field(None, ge=1, description="epochs without a better score that end a stage; none: all")
    stage: Stage = Field(
        Stage(
            epochs=256,
            max_steps=20_000,
            lr=0.04,
            weight_decay=0.02,
            optimizer=AdamW(betas=(0.9, 0.95)),
            schedule=CosineLog(),
            anneal=FlatCosine(),
            clip=None,
            precision="fp32",
        ),
        description="epochs, learning rates, techniques",
    )

    def make_net(self, columns: Any) -> Any:
        from kit.models import realmlp

        activation = "selu" if self.activation == "auto" else self.activation
        return realmlp.RealMLPModule(columns.width, self.hidden, activation, self.dropout)

    def make_network(self, dataset: Any, outputs: int, kind: str, initial: "InitialWeights | None" = None) -> Any:
        import torch

        if self.activation == "auto":
            activation = "mish" if kind == "regression" else "selu"
            own = self.model_copy(update={"activation": activation})
            return own.make_network(dataset, outputs, kind, initial)
        network = super().make_network(dataset, outputs, kind, initial)
        if initial is not None and initial.body is None:
            rows = initial.rows.at[np.random.default_rng(self.seed).permutation(len(initial.rows))[:FIRST_ROWS]]
            inputs = dataset.inputs(initial.rows).padded(rows)
            with torch.no_grad():
                network.head.initialise(network.body.net.initialise(network.body.columns(**inputs)))
        return network
