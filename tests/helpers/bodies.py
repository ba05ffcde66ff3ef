"""Every network of `kit.models` that makes features of a row, tiny, and a batch that it reads."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

from kit.layers.numbers import LinearEmbedding
from kit.models import (
    AWDLSTMModule,
    ColumnTokens,
    ColumnVector,
    ConcatModule,
    DPCNNModule,
    FTTransformerModule,
    HANModule,
    HCNModule,
    Headed,
    ONLSTMModule,
    PerceptronModule,
    PiecewiseEncoder,
    RCNNModule,
    RealMLPModule,
    RNNModule,
    SequenceEmbedding,
    TabMModule,
    TabularModule,
    TabularResNetModule,
    TextCNNModule,
    TextEncoder,
    TextNetModule,
    TransformerModule,
)
from kit.train.device import multiplies_bf16

WIDTH, UNITS, LENGTH = 6, 9, 5
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]])
PIECES = torch.stack([MASK, MASK.flip(0)], 1)  # (4, 2, 5)
SIZES: dict[str, Any] = {
    "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8,
    "max_position_embeddings": 16,
}  # fmt: skip

NETS: dict[str, Callable[[], Any]] = {
    "TextCNN": lambda: TextCNNModule(WIDTH, 4, (2, 3)),
    "DPCNN": lambda: DPCNNModule(WIDTH, 5, 3),
    "RCNN": lambda: RCNNModule(WIDTH, 4, 5),
    "HAN": lambda: HANModule(WIDTH, 3, 4),
    "HCN": lambda: HCNModule(WIDTH, 3, (1, 2), (1, 2)),
    "LSTM": lambda: RNNModule(WIDTH, 4, 2, dropout=0.1),
    "GRU": lambda: RNNModule(WIDTH, 4, 2, "gru", pool="attention"),
    "ONLSTM": lambda: ONLSTMModule(WIDTH, 4, 2, 2, bidirectional=True, weight_drop=0.1),
    "AWDLSTM": lambda: AWDLSTMModule(WIDTH, 5, 3),
    "Transformer": lambda: TransformerModule(WIDTH, 8, 2, 2),
    "TransformerLearnt": lambda: TransformerModule(WIDTH, 8, 2, 2, talking_heads=True, positions="learnt"),
    "TransformerSines": lambda: TransformerModule(WIDTH, 8, 2, 2, causal=True, positions="sinusoidal"),
}
CAUSAL: dict[str, Callable[[], Any]] = {  # of which a language model can be made
    "AWDLSTM": lambda: AWDLSTMModule(WIDTH, 5, 2, WIDTH),
    "ONLSTM": lambda: ONLSTMModule(WIDTH, WIDTH, 1, 2, weight_drop=0.1),
    "Transformer": lambda: TransformerModule(WIDTH, WIDTH, 2, 2, causal=True, positions="sinusoidal"),
}


def ids_of(mask: Tensor) -> Tensor:
    return torch.randint(1, UNITS, mask.shape) * mask


def bert() -> Any:
    return BertModel(BertConfig(vocab_size=UNITS, **SIZES))


def gpt() -> Any:
    return GPT2Model(GPT2Config(vocab_size=UNITS, n_embd=8, n_layer=2, n_head=2, n_positions=16))


def textnet(net: Any) -> TextNetModule:
    tables = {"words": torch.randn(UNITS, WIDTH - 2), "tags": torch.randn(UNITS, 2)}
    return TextNetModule(SequenceEmbedding(tables), net, 0.1, 0.1)


def encoder(pool: str = "mean") -> TextEncoder:
    return TextEncoder(bert(), pool)


def _textnet_inputs(hierarchical: bool) -> dict[str, Tensor]:
    mask = PIECES if hierarchical else MASK
    return {"attention_mask": mask, "words": ids_of(mask), "tags": ids_of(mask)}


def _encoder_inputs(mask: Tensor = MASK) -> dict[str, Tensor]:
    return {"input_ids": ids_of(mask), "attention_mask": mask}


def _perceptron_inputs() -> dict[str, Tensor]:
    return {"numbers": torch.randn(4, 3), "categories": torch.randint(4, (4, 2))}


def table(net: Callable[[ColumnVector], Any]) -> TabularModule:
    """A body of three numbers and two categories."""
    columns = ColumnVector(3, (4, 4), width=2)
    return TabularModule(columns, net(columns))


def perceptron() -> TabularModule:
    return table(lambda columns: PerceptronModule(columns.width, (5, 4), 0.1))


def columns_as_tokens() -> TabularModule:
    columns = ColumnTokens(3, (4, 4), LinearEmbedding(3, 4), 4)
    return TabularModule(columns, FTTransformerModule(4, 2, 2, 6, dropout=0.1))


def _concat_inputs() -> dict[str, Tensor]:
    parts = (_encoder_inputs(), _perceptron_inputs())
    return {f"part{i}_{name}": value for i, part in enumerate(parts) for name, value in part.items()}


def needs_bf16_lstm() -> None:
    """Skips a test where the processor has none: oneDNN then refuses an LSTM under bf16, which kit never chooses there."""
    if not multiplies_bf16("cpu"):
        pytest.skip("no LSTM in bfloat16 on this processor")


BODIES: dict[str, tuple[Callable[[], Any], Callable[[], dict[str, Tensor]]]] = {
    **{
        name: (lambda make=make: textnet(make()), lambda name=name: _textnet_inputs(name in ("HAN", "HCN")))  # type: ignore[misc]
        for name, make in NETS.items()
    },
    "BERT": (encoder, _encoder_inputs),
    "BERTAttention": (lambda: encoder("attention"), _encoder_inputs),
    "GPT": (lambda: TextEncoder(gpt(), "last"), _encoder_inputs),
    "Pieces": (lambda: PiecewiseEncoder(encoder(), "mean"), lambda: _encoder_inputs(PIECES)),
    "PiecesGRU": (lambda: PiecewiseEncoder(encoder(), "gru"), lambda: _encoder_inputs(PIECES)),
    "Perceptron": (perceptron, _perceptron_inputs),
    "RealMLP": (lambda: table(lambda c: RealMLPModule(c.width, (5, 4), "mish", 0.1)), _perceptron_inputs),
    "TabM": (lambda: table(lambda c: TabMModule(c.width, 4, 2, 3, 0.1, c.chunks)), _perceptron_inputs),
    "FTTransformer": (columns_as_tokens, _perceptron_inputs),
    "TabularResNet": (lambda: table(lambda c: TabularResNetModule(c.width, 4, 2, 6, 0.1)), _perceptron_inputs),
    "Concat": (lambda: ConcatModule([encoder(), perceptron()], (1.0, 0.5)), _concat_inputs),
}


def network(body: str, outputs: int = 2, **settings: Any) -> tuple[Headed, dict[str, Any]]:
    """A network with this body and a batch for it: `inputs` and labels `y` (4, outputs)."""
    make, inputs = BODIES[body]
    torch.manual_seed(0)
    net = Headed(make(), outputs, 0.1, **settings)
    return net, {"inputs": inputs(), "y": torch.randint(2, (4, outputs)).float()}


class OneBatch:
    """Batches for the loop: one and the same, in each epoch."""

    def __init__(self, batch: dict[str, Any]) -> None:
        self.batch = batch

    def plan(self, epoch: int) -> list[Any]:
        return [np.arange(len(self.batch["y"]))]

    def __getitem__(self, rows: Any) -> dict[str, Any]:
        at = torch.from_numpy(rows)
        return {k: {n: x[at] for n, x in v.items()} if isinstance(v, dict) else v[at] for k, v in self.batch.items()}
