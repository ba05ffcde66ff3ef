"""TextNet: a network of words or characters, trained from scratch. Its settings; see also `dataset` and `body`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from kit.core.files import read_json, remove
from kit.core.spec import digest, validator
from kit.members.network.network import Network
from kit.members.textnet.nets import AWDLSTM, Net, TextCNN
from kit.pretrain import LanguageModelling
from kit.rows import Rows
from kit.text.segment import Segmenter, Words
from kit.text.sequences import VERSION
from kit.text.vectors import Vectors
from kit.train.schedule import SlantedTriangular
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.textnet.dataset import SequenceDataset
    from kit.source import Arrays

Sequence = Literal["words", "characters", "tags", "places"]


class TextNet(Network):
    """Embeds what a segmenter makes of a text and trains a network on it.

    Vectors may be learnt on all of the competition's text first, which reads no label; with
    `stage.freeze_embeddings` they stay as they are until a later stage lets them go.
    """

    version = 4

    net: Net = Field(TextCNN(), description="the network")
    segmenter: Segmenter = Field(Words(), description="how a text becomes words and tags")
    simplify: bool = Field(False, description="traditional Chinese becomes simplified")
    use: tuple[Sequence, ...] = Field(
        ("words",), min_length=1, description="parallel sequences: words and tags, or characters, tags, places"
    )
    length: int = Field(256, ge=2, description="largest number of words or characters of a row")
    keep: Literal["head", "head_tail"] = Field(
        "head", description="what is read of longer texts: the head, or head and tail"
    )
    sentences: int = Field(40, ge=1, description="largest number of sentences of a row, for networks of sentences")
    sentence: int = Field(50, ge=2, description="largest number of words of a sentence; longer ones are split")
    units: int = Field(50_000, ge=10, description="size of the vocabulary: the most frequent words or characters")
    min_count: int = Field(2, ge=1, description="rarer words or characters are unknown")
    vocabulary: Literal["auto", "train", "all"] = Field(
        "auto", description="rows whose units are known; auto: train rows, but all for vectors or pretrain"
    )
    vectors: Vectors | None = Field(None, description="where word vectors come from; none: random")
    pretrain: LanguageModelling | None = Field(
        None, description="pretraining as a language model of all texts; none: no pretraining"
    )
    backwards: bool = Field(False, description="texts are read from their end to their start")
    width: int = Field(100, ge=1, description="width of random vectors")
    side_width: int = Field(16, ge=1, description="width of the vectors of other sequences, such as tags")
    word_dropout: float = Field(0.1, ge=0, lt=1, description="share of words dropped in training (Iyyer et al. 2015)")
    vector_dropout: float = Field(0.2, ge=0, lt=1, description="share of the vectors' entries dropped in training")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of the network's features dropped in training")
    batch_tokens: int = Field(16_384, ge=64, description="largest number of units in a batch, with padding")
    stage: Stage = Field(Stage(epochs=3, lr=1e-3, weight_decay=0.0), description="epochs, learning rates, techniques")

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
            raise ValueError("pretrain: a language model predicts one sequence, and does not read sentences separately")
        if self.pretrain and not self.net.is_causal:
            raise ValueError(
                f"pretrain: net={type(self.net).__name__} sees the words that a language model predicts; take "
                f"net=AWDLSTM, ONLSTM(both=false) or Transformer(causal=true) first"
            )
        if self.pretrain and self.pretrain.overlap and self.net.carries_state:
            raise ValueError(
                f"pretrain.overlap = {self.pretrain.overlap}: net={type(self.net).__name__} carries its state from one "
                f"window to the next, so it need not read units again; leave overlap out"
            )
        if self.backwards and self.net.hierarchical:
            raise ValueError(f"backwards: net={type(self.net).__name__} reads sentences; take a network of words")
        return self

    @property
    def needs_text(self) -> bool:
        return True

    @property
    def prepares(self) -> str:
        return "words and their vectors"

    def prepare(self, rows: Rows) -> None:
        dataset = self.make_dataset(rows)
        dataset.inputs(rows)
        if self.pretrain is not None:
            self.language_weights(dataset, rows)

    def make_dataset(self, rows: Rows) -> "SequenceDataset":
        from kit.members.textnet.vectors import first_vectors

        dataset = self._dataset(rows.task.text, {name: [] for name in self.use}, self.width)
        learnt_from_all = self.vectors is not None or self.pretrain is not None
        of_train = self.vocabulary == "train" or (self.vocabulary == "auto" and not learnt_from_all)
        dataset.learn(rows, self.units, self.min_count, of_train)
        if (vectors := self.vectors) is not None:
            name = self.use[0]
            key = "vectors-" + digest(self._identity(dataset))[:16]
            found, known = dataset.originals(rows.source), dataset.vocabulary[name]
            made = rows.source.once(key, lambda _: {"values": first_vectors(vectors, found, name, known)})
            dataset.vectors, dataset.width = made["values"], made["values"].shape[1]
        return dataset

    def load_dataset(self, folder: Path) -> "SequenceDataset":
        saved = read_json(folder / "units.json")
        return self._dataset(tuple(saved["columns"]), dict(zip(self.use, saved["units"], strict=True)), saved["width"])

    def _dataset(self, columns: tuple[str, ...], vocabulary: dict[str, list[str]], width: int) -> "SequenceDataset":
        from kit.members.textnet.dataset import SequenceDataset

        sentences = (self.sentences, self.sentence) if self.net.hierarchical else None
        return SequenceDataset(
            columns, self.segmenter, vocabulary, self.simplify, self.length, self.keep == "head_tail", self.backwards,
            sentences, width,
        )  # fmt: skip

    def make_body(self, dataset: "SequenceDataset", rows: Rows | None = None) -> Any:
        from kit.members.textnet.body import load_language_model

        weights = self.language_weights(dataset, rows) if rows is not None and self.pretrain is not None else None
        body = self._body(dataset, blank=rows is None)
        if weights is not None:
            load_language_model(body, weights)
        return body

    def _body(self, dataset: "SequenceDataset", blank: bool = False) -> Any:
        from kit.members.textnet.body import body_of

        return body_of(self.net, dataset, self.side_width, self.word_dropout, self.vector_dropout, blank)

    def language_weights(self, dataset: "SequenceDataset", rows: Rows) -> "Arrays":
        """Weights of the body after its language model has learnt from all texts, by name; learnt once."""
        from kit.members.textnet.body import learn_language_model

        assert self.pretrain is not None
        pretrain, source, settings = self.pretrain, rows.source, self.identity()
        more = [settings[name] for name in ("net", "pretrain", "backwards", "width", "seed")]
        key = "language-" + digest([*self._identity(dataset), *more])[:16]
        work = source.folder and source.folder / source.digest[:16] / f"{key}.work"

        def learn(_: Any) -> "Arrays":
            return learn_language_model(
                lambda: self._body(dataset), pretrain, dataset, source, self.seed, work, self.net.carries_state
            )

        weights = source.once(key, learn)
        if work:
            remove(work)
        return weights

    def _identity(self, dataset: "SequenceDataset") -> list[Any]:
        """All that what is learnt of the texts depends on."""
        settings, cut = self.identity(), [VERSION, self.segmenter.key()]
        names = ("segmenter", "simplify", "use", "vectors")
        return [dataset.columns, dataset.vocabulary, cut, *(settings[name] for name in names)]


class ULMFiT(TextNet):
    """A language model of all texts, then the classifier on its weights (Howard & Ruder 2018).

    The mean, maximum and last of the states go into a head with a hidden layer and batch norm. Slanted triangular
    rates, lower ones for lower layers, and layers unfrozen one by one from the top. `backwards=true` makes the twin;
    the mean of both is what the paper reports.
    """

    net: Net = Field(AWDLSTM(), description="the network")
    pretrain: LanguageModelling | None = Field(LanguageModelling(), description="the language model")
    width: int = Field(200, ge=1, description="width of random vectors")
    vector_dropout: float = Field(0.0, ge=0, lt=1, description="share of the vectors' entries dropped in training")
    dropout: float = Field(0.4, ge=0, lt=1, description="share of the network's features dropped in training")
    head_hidden: int = Field(50, ge=0, description="width of the hidden layer in the head, with batch norm; 0: linear")
    stage: Stage = Field(
        Stage(epochs=6, lr=4e-3, layer_decay=1 / 2.6, gradual=1, schedule=SlantedTriangular(), weight_decay=0.01),
        description="epochs, learning rates, techniques",
    )
