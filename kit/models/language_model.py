"""A language model: predicts each unit (character, token, word) from those before it."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kit.layers.weight_drop import EmbeddingDropout, LockedDropout
from kit.models.rnn import reverse
from kit.spec import KitError


class LanguageModel(nn.Module):
    """embedding → body → decoder tied to the embedding (Press and Wolf 2017), or an adaptive softmax.

    The first unit of a row is given, not predicted: begin rows with a unit of their own if it should be.

    Args:
        units: types in the vocabulary.
        width: of the units' vectors.
        body: `AWDLSTM`, a unidirectional `ONLSTM` or a causal `Transformer`, with inputs of that width; for a tied
            decoder its states are as wide.
        embedding_dropout: share of types dropped, see `EmbeddingDropout`.
        dropout: share of the body's features dropped, the same ones at every unit of a row.
        cutoffs: of the adaptive softmax (Grave et al. 2017), for large vocabularies; ids are then in falling order of
            frequency. Tied by default.
        backwards: whether to read each row from its end to its start.
        ar: weight of activation regularisation, the mean square of dropped-out states (Merity et al. 2017).
        tar: weight of temporal activation regularisation, the mean square of differences of neighbouring states.
        logits: how many may be in memory at a time; beyond, they are computed twice, in the backward pass again.

    Raises:
        KitError: the body sees later units, or is not as wide as the tied decoder.
    """

    def __init__(
        self,
        units: int,
        width: int,
        body: Any,
        embedding_dropout: float = 0.02,
        dropout: float = 0.1,
        cutoffs: Sequence[int] = (),
        backwards: bool = False,
        ar: float = 0.0,
        tar: float = 0.0,
        logits: int = 2**24,
    ) -> None:
        super().__init__()
        if not body.causal:
            raise KitError(f"LanguageModel: this {type(body).__name__} sees the units that it should predict")
        if not cutoffs and body.hidden != width:
            raise KitError(f"LanguageModel: states of width {body.hidden} cannot be tied to an embedding of {width}")
        self.embedding, self.embedding_dropout = nn.Embedding(units, width), EmbeddingDropout(units, embedding_dropout)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.body, self.dropout = body, LockedDropout(dropout)
        self.bias = None if cutoffs else nn.Parameter(torch.zeros(units))
        self.adaptive = nn.AdaptiveLogSoftmaxWithLoss(body.hidden, units, list(cutoffs)) if cutoffs else None
        self.backwards, self.ar, self.tar, self.chunk = backwards, ar, tar, max(1, logits // units)

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Ids and mask (n, length), padding at the end → the body's states at each unit (n, length, hidden)."""
        return self._turned(self._states(self._turned(ids, mask), mask), mask)

    def surprise(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Ids and mask (n, length) → nats that each unit costs (n, length): −log p, given the units read before it.

        0 where nothing is predicted: at the unit read first and in padding.
        """
        ids = self._turned(ids, mask)
        return self._turned(self._nats(self.dropout(self._states(ids, mask)), ids, mask), mask)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Ids and mask (n, length) → summed cross-entropy of each row's predicted units, in nats (n,).

        In training with AR and TAR, so weighted that for the loss per predicted unit they are means, as in the paper.
        """
        ids, predicts = self._turned(ids, mask), mask[:, 1:]
        states = self._states(ids, mask)
        dropped = self.dropout(states)
        loss = self._nats(dropped, ids, mask).sum(1)
        if self.training and self.ar:
            loss = loss + self.ar * (dropped[:, :-1].float().square().mean(-1) * predicts).sum(1)
        if self.training and self.tar:
            loss = loss + self.tar * (states.float().diff(dim=1).square().mean(-1) * predicts).sum(1)
        return loss

    def _turned(self, rows: Tensor, mask: Tensor) -> Tensor:
        """From the order in which rows are written to that in which they are read, or back."""
        return reverse(rows, mask) if self.backwards else rows

    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.body.states(self.embedding_dropout(self.embedding(ids), ids), mask)

    def _nats(self, states: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """What `surprise` gives, in the order of reading; only units that are predicted are decoded."""
        predicted = mask[:, 1:] > 0
        states, targets = states[:, :-1][predicted].split(self.chunk), ids[:, 1:][predicted].split(self.chunk)
        parts = zip(states, targets, strict=True)
        if len(states) > 1 and torch.is_grad_enabled():
            nats = [checkpoint(self._decoded, *p, use_reentrant=False, preserve_rng_state=False) for p in parts]
        else:
            nats = [self._decoded(*p) for p in parts]
        return mask.new_zeros(mask.shape, dtype=torch.float32).masked_scatter(F.pad(predicted, (1, 0)), torch.cat(nats))

    def _decoded(self, states: Tensor, targets: Tensor) -> Tensor:
        """States (m, hidden) and the units that follow them (m,) → nats (m,)."""
        if self.adaptive is None:
            logits = F.linear(states, self.embedding.weight, self.bias)
            return F.cross_entropy(logits.float(), targets, reduction="none")
        with torch.autocast(states.device.type, enabled=False):  # torch's module does not mix types
            return -self.adaptive(states.float(), targets).output
