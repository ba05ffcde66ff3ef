"""TextNet: a network of words or characters, trained from scratch. Settings alone; `textnet_reader` does the work."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from kit.data import Rows
from kit.members.nets import AWDLSTM, Net, TextCNN
from kit.members.network import Network
from kit.pretrain import LanguageModelling
from kit.spec import validator
from kit.text.segment import Segmenter, Words
from kit.text.vectors import Vectors
from kit.train.schedule import SlantedTriangular
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.reading import Reader

Sequence = Literal["words", "characters", "tags", "places"]


class TextNet(Network):
    """Embeds what a segmenter makes of a text and trains a network on it.

    Vectors may be learnt on all of the competition's text first, which reads no label; with
    `stage.freeze_embeddings` they stay as they are until a later stage lets them go.
    """

    net: Net = Field(TextCNN(), description="the network")
    segmenter: Segmenter = Field(Words(), description="how a text becomes words and tags")
    simplify: bool = Field(False, description="traditional Chinese becomes simplified")
    use: tuple[Sequence, ...] = Field(
        ("words",), min_length=1, description="sequences read side by side: words and tags, or characters, tags, places"
    )
    length: int = Field(256, ge=2, description="words or characters a row at most")
    keep: Literal["head", "head_tail"] = Field(
        "head", description="what stays of longer texts, words or sentences of them: beginning, or both ends"
    )
    sentences: int = Field(40, ge=1, description="sentences a row at most, for networks of sentences")
    sentence: int = Field(50, ge=2, description="words a sentence at most; longer ones are cut in pieces")
    units: int = Field(50_000, ge=10, description="different words or characters known at most, the most frequent ones")
    min_count: int = Field(2, ge=1, description="rarer words or characters are unknown")
    vectors: Vectors | None = Field(None, description="where vectors come from; none: they begin at random")
    pretrain: LanguageModelling | None = Field(
        None, description="a language model of all texts comes first; none: none"
    )
    backwards: bool = Field(False, description="texts are read from their end, for a twin in a blend")
    width: int = Field(100, ge=1, description="width of vectors that begin at random")
    side_width: int = Field(16, ge=1, description="width of the vectors of further sequences, such as tags")
    word_dropout: float = Field(0.1, ge=0, lt=1, description="share of words dropped in training (Iyyer et al. 2015)")
    vector_dropout: float = Field(0.2, ge=0, lt=1, description="share of the vectors' numbers dropped in training")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of the network's features dropped in training")
    batch_tokens: int = Field(16_384, ge=64, description="padded words or characters a batch")
    stage: Stage = Field(Stage(epochs=3, lr=1e-3, weight_decay=0.0), description="how it learns")

    @validator(mode="after")
    def _check_use(self) -> Self:
        first, *more = self.use
        if first not in ("words", "characters"):
            raise ValueError(f"use = {', '.join(self.use)} must begin with words or characters")
        if len(set(self.use)) < len(self.use) or {"words", "characters"} <= set(self.use):
            raise ValueError(f"use = {', '.join(self.use)} names a sequence twice, or words beside characters")
        if first == "words" and "places" in more:
            raise ValueError("use: places of characters in their words go with characters")
        if self.pretrain and (more or self.net.hierarchical):
            raise ValueError("pretrain: a language model foretells one sequence, and reads no sentences apart")
        if self.pretrain and not self.net.foretells:
            raise ValueError(
                f"pretrain: net={type(self.net).__name__} sees the words that a language model foretells; take "
                f"net=AWDLSTM, ONLSTM(both=false) or Transformer(causal=true) first"
            )
        if self.backwards and self.net.hierarchical:
            raise ValueError(f"backwards: net={type(self.net).__name__} reads sentences; take a network of words")
        return self

    def reader(self, rows: Rows) -> "Reader":
        from kit.members.textnet_reader import SequenceReader

        return SequenceReader.learnt(self, rows)

    def saved_reader(self, folder: Path) -> "Reader":
        from kit.members.textnet_reader import SequenceReader

        return SequenceReader.saved(self, folder)


class ULMFiT(TextNet):
    """A language model of all texts, then the classifier on its weights (Howard & Ruder 2018).

    Slanted triangular rates, lower ones for lower layers, and layers let go one by one from the top. `backwards=true`
    makes the twin; the mean of both is what the paper reports.
    """

    net: Net = Field(AWDLSTM(), description="the network")
    pretrain: LanguageModelling | None = Field(LanguageModelling(), description="the language model that comes first")
    width: int = Field(200, ge=1, description="width of vectors that begin at random")
    vector_dropout: float = Field(0.0, ge=0, lt=1, description="share of the vectors' numbers dropped in training")
    stage: Stage = Field(
        Stage(epochs=6, lr=4e-3, layer_decay=1 / 2.6, gradual=1, schedule=SlantedTriangular(), weight_decay=0.01),
        description="how it learns",
    )
