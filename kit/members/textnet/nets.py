"""The networks of a TextNet: their settings. Each builds a module of `kit.models`."""

from abc import abstractmethod
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from kit.core.spec import Spec, validator

PoolKind = Literal["mean", "max", "attention", "last", "concat"]


class Net(Spec):
    """Settings of a text network."""

    hierarchical: ClassVar[bool] = False  # whether it reads sentences of words, not one sequence of words

    @property
    def is_causal(self) -> bool:
        """Whether its states do not depend on later words, so it can be a language model."""
        return False

    @property
    def carries_state(self) -> bool:
        """Whether it can begin with the state in which it left the words before, as causal recurrent networks can."""
        return False

    @abstractmethod
    def build(self, inputs: int) -> Any:
        """The module for vectors of this width."""


class TextCNN(Net):
    """Filters of several widths, maximum over time (Kim 2014)."""

    filters: int = Field(128, ge=1, description="filters of each width")
    widths: tuple[int, ...] = Field((2, 3, 4, 5), min_length=1, description="widths of the filters, in words")

    def build(self, inputs: int) -> Any:
        from kit.models import textcnn

        return textcnn.TextCNNModule(inputs, self.filters, self.widths)


class DPCNN(Net):
    """A deep pyramid of convolutions (Johnson & Zhang 2017)."""

    channels: int = Field(250, ge=1, description="filters of each layer")
    blocks: int = Field(7, ge=1, description="pairs of convolutions; each but the first halves the text")

    def build(self, inputs: int) -> Any:
        from kit.models import dpcnn

        return dpcnn.DPCNNModule(inputs, self.channels, self.blocks)


class RCNN(Net):
    """Each word with its left and right context, maximum over time (Lai et al. 2015)."""

    hidden: int = Field(100, ge=1, description="width of the context on each side")
    features: int = Field(200, ge=1, description="width of the projection before the maximum")

    def build(self, inputs: int) -> Any:
        from kit.models import rcnn

        return rcnn.RCNNModule(inputs, self.hidden, self.features)


class HAN(Net):
    """Attention over words, then over sentences (Yang et al. 2016)."""

    hierarchical: ClassVar[bool] = True

    words: int = Field(64, ge=1, description="hidden size over words, in each direction")
    sentences: int = Field(64, ge=1, description="hidden size over sentences, in each direction")

    def build(self, inputs: int) -> Any:
        from kit.models import han

        return han.HANModule(inputs, self.words, self.sentences)


class HCN(Net):
    """Convolutions over words, then over sentences."""

    hierarchical: ClassVar[bool] = True

    filters: int = Field(100, ge=1, description="filters of each width")
    widths: tuple[int, ...] = Field((2, 3, 4), min_length=1, description="widths of the filters, in words")
    sentence_widths: tuple[int, ...] = Field((1, 2, 3), min_length=1, description="widths of the filters, in sentences")

    def build(self, inputs: int) -> Any:
        from kit.models import hcn

        return hcn.HCNModule(inputs, self.filters, self.widths, self.sentence_widths)


class RNN(Net):
    """A bidirectional LSTM or GRU."""

    kind: Literal["lstm", "gru"] = Field("gru", description="the cell")
    hidden: int = Field(128, ge=1, description="width of each direction")
    layers: int = Field(1, ge=1, description="number of layers")
    between: float = Field(0.0, ge=0, lt=1, description="dropout between layers")
    pool: PoolKind = Field("concat", description="pooling of the states; concat: mean, maximum and last")

    def build(self, inputs: int) -> Any:
        from kit.models import rnn

        return rnn.RNNModule(inputs, self.hidden, self.layers, self.kind, self.between, self.pool)


class ONLSTM(Net):
    """An LSTM whose neurons are ordered by how long they remember (Shen et al. 2019)."""

    hidden: int = Field(200, ge=1, description="width of each direction, a multiple of chunk")
    chunk: int = Field(10, ge=1, description="neurons that share a master gate")
    both: bool = Field(True, description="whether it is bidirectional")
    layers: int = Field(1, ge=1, description="number of layers")
    weight_drop: float = Field(0.2, ge=0, lt=1, description="share of recurrent weights dropped")
    pool: PoolKind = Field("concat", description="pooling of the states")

    @validator(mode="after")
    def _check_chunk(self) -> Self:
        if self.hidden % self.chunk:
            raise ValueError(f"hidden = {self.hidden} must be a multiple of chunk = {self.chunk}")
        return self

    @property
    def is_causal(self) -> bool:
        return not self.both

    @property
    def carries_state(self) -> bool:
        return not self.both

    def build(self, inputs: int) -> Any:
        from kit.models import onlstm

        return onlstm.ONLSTMModule(
            inputs, self.hidden, self.layers, self.chunk, self.both, weight_drop=self.weight_drop, pool=self.pool
        )


class AWDLSTM(Net):
    """An LSTM with dropped recurrent weights and locked masks (Merity et al. 2018), the network of ULMFiT.

    The last layer is as wide as the vectors, so that a language model can be tied to them.
    """

    hidden: int = Field(400, ge=1, description="width of the layers but the last")
    layers: int = Field(3, ge=1, description="number of layers")
    weight_drop: float = Field(0.3, ge=0, lt=1, description="share of recurrent weights dropped")
    pool: PoolKind = Field("concat", description="pooling of the states")

    @property
    def is_causal(self) -> bool:
        return True

    @property
    def carries_state(self) -> bool:
        return True

    def build(self, inputs: int) -> Any:
        from kit.models import awdlstm

        return awdlstm.AWDLSTMModule(
            inputs, self.hidden, self.layers, inputs, weight_drop=self.weight_drop, pool=self.pool
        )


class Transformer(Net):
    """A small Transformer from scratch."""

    width: int = Field(128, ge=1, description="width of the states")
    layers: int = Field(2, ge=1, description="number of layers")
    heads: int = Field(8, ge=1, description="attention heads")
    head_size: int | None = Field(
        None, ge=1, description="width of each head; none: width / heads; larger than that helps (Bhojanapalli 2020)"
    )
    talking: bool = Field(False, description="talking heads: mixed before and after the softmax (Shazeer et al. 2020)")
    between: float = Field(0.1, ge=0, lt=1, description="dropout inside the layers")
    pool: PoolKind = Field("mean", description="pooling of the states")
    causal: bool = Field(False, description="each word sees only earlier words, as a language model needs")

    @property
    def is_causal(self) -> bool:
        return self.causal

    def build(self, inputs: int) -> Any:
        from kit.models import transformer

        return transformer.TransformerModule(
            inputs, self.width, self.layers, self.heads, self.head_size, self.talking, self.between, self.causal,
            pool=self.pool,
        )  # fmt: skip
