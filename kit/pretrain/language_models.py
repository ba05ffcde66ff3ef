"""MaskedLM and CausalLM: a pretrained encoder or decoder goes on learning the language of the competition's texts."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from kit.core.errors import KitError
from kit.pretrain.pretraining import Given, Goal, Pretraining
from kit.train.stage import LoopStage

if TYPE_CHECKING:
    from kit.pretrain.token_batches import Asks
    from kit.text.tokens import TokenPieces, Tokens


class TokenPretraining(Pretraining):
    """What MaskedLM and CausalLM share: whole texts in windows, and the output layer of the backbone's architecture.

    Where the weights hold an output layer, it goes on learning; where they have lost it, as those of sentence encoders
    have, a new one is tied to the embeddings and learns alone for some steps, so that it does not spoil the backbone.
    """

    whole_body: ClassVar[bool] = False
    auto: ClassVar[str]  # class of transformers that loads the model

    length: int | None = Field(None, ge=8, description="longest window, in tokens; none: as the member reads rows")
    warm: int = Field(100, ge=0, description="steps in which an output layer that the weights have lost learns alone")

    @abstractmethod
    def asks(self, given: Given) -> "Asks":
        """What is to be predicted."""

    @abstractmethod
    def per_window(self, asks: "Asks", tokens: "Tokens", windows: np.ndarray) -> float:
        """Tokens to predict in a window, on average."""

    def goal(self, body: Any, given: Given, learnt: np.ndarray, held: np.ndarray) -> Goal:
        from kit.models.vocabulary import VocabularyModel
        from kit.pretrain.checkpoints import with_output_layer
        from kit.pretrain.token_batches import TokenBatches
        from kit.train.lengths import LengthBatches
        from kit.train.objectives import PredictedTokens

        name = type(self).__name__
        if given.folder is None or given.windows is None:
            raise KitError(f"{name} needs a pretrained encoder of texts; {type(body).__name__} is none")
        pieces, asks, encoder = (
            given.windows(self.length or given.length),
            self.asks(given),
            getattr(body, "encoder", body),
        )
        model, lost = with_output_layer(self.auto, given.folder, encoder.backbone, name)
        tokens, windows, tested = pieces.tokens, _windows(pieces, learnt), _windows(pieces, held)
        each = (self.batch_tokens, self.batch_rows, self.seed)
        objective = PredictedTokens(max(1e-9, self.per_window(asks, tokens, windows)))
        return Goal(
            VocabularyModel(model, lambda part: encoder.layer_of(f"backbone.{part}")),
            [objective, objective] if lost and self.warm else [objective],
            TokenBatches(LengthBatches(tokens, windows, None, *each), asks),
            [*([self._alone] if lost and self.warm else []), self.stage],
            TokenBatches(LengthBatches(tokens, tested, None, *each), asks) if len(tested) else None,
            PredictedTokens(),
        )

    @property
    def _alone(self) -> LoopStage:
        """How a lost output layer learns alone."""
        stage = self.stage
        rates = {"lr": stage.lr, "head_lr": stage.head_lr, "optimizer": stage.optimizer, "precision": stage.precision}
        return LoopStage(steps=self.warm, only_head=True, **rates)


class MaskedLM(TokenPretraining):
    """Masked language modelling (Devlin et al. 2019) of the competition's own texts (Gururangan et al. 2020).

    Whole words are masked, others each time a text is read (Liu et al. 2019). Of the chosen tokens 80 % become the
    mask, 10 % any other token, 10 % stay. Few epochs are enough; with more the encoder forgets what it knew.
    """

    auto: ClassVar[str] = "AutoModelForMaskedLM"

    share: float = Field(0.15, gt=0, lt=1, description="share of the words that are masked")
    whole_words: bool = Field(True, description="all tokens of a word are masked together")
    stage: LoopStage = Field(LoopStage(epochs=2, lr=5e-5, head_lr=5e-4), description="how it learns")

    def asks(self, given: Given) -> "Asks":
        from transformers import AutoTokenizer

        from kit.pretrain.token_batches import MaskedPlaces
        from kit.text.masks import TokenMasks

        tokenizer = AutoTokenizer.from_pretrained(given.folder, trust_remote_code=False)
        return MaskedPlaces(TokenMasks.of(tokenizer, self.share, self.whole_words))

    def per_window(self, asks: Any, tokens: "Tokens", windows: np.ndarray) -> float:
        plain = ~asks.masks.special[_flat(tokens, windows)]
        return self.share * float(plain.sum()) / max(1, len(windows))


class CausalLM(TokenPretraining):
    """Language modelling of a decoder (Radford et al. 2018): it predicts each token from those before it."""

    auto: ClassVar[str] = "AutoModelForCausalLM"

    stage: LoopStage = Field(LoopStage(epochs=2, lr=5e-5, head_lr=5e-4), description="how it learns")

    def asks(self, given: Given) -> "Asks":
        from kit.pretrain.token_batches import next_tokens

        return next_tokens

    def per_window(self, asks: Any, tokens: "Tokens", windows: np.ndarray) -> float:
        return float((tokens.length[windows] - 1).sum()) / max(1, len(windows))

    def goal(self, body: Any, given: Given, learnt: np.ndarray, held: np.ndarray) -> Goal:
        from kit.train.objectives import causal

        goal = super().goal(body, given, learnt, held)
        causal(goal.model.backbone)
        return goal


def _windows(pieces: "TokenPieces", rows: np.ndarray) -> np.ndarray:
    """The windows of some rows that hold more than one token."""
    first, count = pieces.first[rows], pieces.first[rows + 1] - pieces.first[rows]
    own = np.repeat(first - np.cumsum(count) + count, count) + np.arange(int(count.sum()))
    return own[pieces.tokens.length[own] > 1]


def _flat(tokens: "Tokens", windows: np.ndarray) -> np.ndarray:
    """All tokens of some windows."""
    first, count = tokens.start[windows], tokens.length[windows]
    return tokens.flat[np.repeat(first - np.cumsum(count) + count, count) + np.arange(int(count.sum()))]
