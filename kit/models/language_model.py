"""LanguageModel: predicts each unit (character, token, word) from the units before it."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kit.core.errors import KitError
from kit.layers.weight_drop import EmbeddingDropout, LockedDropout
from kit.models.rnn import reverse


class LanguageModel(nn.Module):
    """embedding → body → decoder tied to the embedding (Press and Wolf 2017), or an adaptive softmax.

    The first unit of a row is not predicted. If it should be, begin each row with a special unit.

    Args:
        units: size of the vocabulary.
        width: width of a unit's vector.
        body: `AWDLSTMModule`, a unidirectional `ONLSTMModule` or a causal `TransformerModule`, with inputs of that
            width. For a tied decoder its states must have that width too.
        embedding_dropout: share of unit types dropped, see `EmbeddingDropout`.
        dropout: share of the states' features dropped before the decoder, the same features at all units of a row.
        cutoffs: cutoffs of an adaptive softmax (Grave et al. 2017), for large vocabularies: ids must then be sorted by
            falling frequency. Without cutoffs the decoder is tied.
        backwards: whether each row is read from its end to its start.
        ar: weight of activation regularisation, the mean square of the states after dropout (Merity et al. 2017).
        tar: weight of temporal activation regularisation, the mean square of differences of neighbouring states.
        rows: largest number of rows in a batch, if the body's state at the end of a window shall be the start of the
            next window of the same text, see `forward`; 0: each window starts from zeros.
        logits: how many logits may be in memory at a time. If there are more, they are computed in parts, and once more
            in the backward pass.

    Raises:
        KitError: the body is not causal, or its states do not have the width of the tied decoder.
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
        rows: int = 0,
        logits: int = 2**24,
    ) -> None:
        super().__init__()
        if not body.causal:
            raise KitError(f"LanguageModel: this {type(body).__name__} sees the words that it should predict")
        if not cutoffs and body.hidden != width:
            raise KitError(f"LanguageModel: states of width {body.hidden} cannot be tied to an embedding of {width}")
        self.embedding, self.embedding_dropout = nn.Embedding(units, width), EmbeddingDropout(units, embedding_dropout)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.body, self.dropout = body, LockedDropout(dropout)
        self.bias = None if cutoffs else nn.Parameter(torch.zeros(units))
        self.adaptive = nn.AdaptiveLogSoftmaxWithLoss(body.hidden, units, list(cutoffs)) if cutoffs else None
        self.backwards, self.ar, self.tar, self.chunk = backwards, ar, tar, max(1, logits // units)
        widths = getattr(body, "memory_widths", []) if rows else []
        self.memories = [f"memory_{i}" for i in range(len(widths))]
        for name, width_of_layer in zip(self.memories, widths, strict=True):
            self.register_buffer(name, torch.zeros(2, rows, width_of_layer))  # saved: a killed run goes on with them

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Ids and mask (n, length), padding at the end → the body's state at each unit (n, length, hidden)."""
        return self._turned(self._states(self._turned(ids, mask), mask), mask)

    def surprise(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Ids and mask (n, length) → surprise of each unit in nats (n, length): −log p(unit | units read before it).

        0 at the unit that is read first and in padding, as nothing is predicted there.
        """
        ids = self._turned(ids, mask)
        return self._turned(self._nats(self.dropout(self._before(ids, mask)), ids, mask[:, 1:]), mask)

    def forward(
        self,
        ids: Tensor,
        mask: Tensor,
        places: Tensor | None = None,
        begins: Tensor | None = None,
        overlap: Tensor | None = None,
    ) -> Tensor:
        """Ids and mask (n, length) → summed cross-entropy of each row's predicted units, in nats (n,).

        In training with AR and TAR, so weighted that for the loss per predicted unit they are means, as in the paper.
        Both use only states from which a unit is predicted.

        Args:
            ids: (n, length). The first unit of a text's next window is the last unit of the window before.
            mask: (n, length).
            places: (n,) row of each text in the memory, the same for all windows of a text. None: the memory is not
                used.
            begins: (n,) 1 for the first window of a text, which starts from zeros.
            overlap: (n,) how many units, after the first one, are read but not predicted, because the window before has
                predicted them. None: all are predicted.
        """
        ids, predicts = self._turned(ids, mask), mask[:, 1:]
        if overlap is not None:
            predicts = predicts * (torch.arange(predicts.shape[1], device=mask.device) >= overlap.unsqueeze(1))
        states = self._before(ids, mask, places, begins)
        dropped = self.dropout(states)
        loss = self._nats(dropped, ids, predicts).sum(1)
        if self.training and self.ar:
            loss = loss + self.ar * (dropped.float().square().mean(-1) * predicts).sum(1)
        if self.training and self.tar:
            loss = loss + self.tar * (states.float().diff(dim=1).square().mean(-1) * predicts[:, 1:]).sum(1)
        return loss

    def layer_of(self, name: str) -> int:
        """Always 0: all parameters count as one layer, so they learn at the same rate."""
        return 0

    def _turned(self, rows: Tensor, mask: Tensor) -> Tensor:
        """Changes rows from the order of writing to the order of reading, or back."""
        return reverse(rows, mask) if self.backwards else rows

    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.body.states(self._vectors(ids), mask)

    def _vectors(self, ids: Tensor) -> Tensor:
        return self.embedding_dropout(self.embedding(ids), ids)

    def _before(self, ids: Tensor, mask: Tensor, places: Tensor | None = None, begins: Tensor | None = None) -> Tensor:
        """The states (n, length − 1, hidden) before each unit but the first.

        With `places` the memory is used and updated. The last unit is not read: this window predicts nothing from it,
        and the next window begins with it.
        """
        ids, mask = ids[:, :-1], mask[:, :-1]
        if places is None or begins is None or not self.memories:
            return self._states(ids, mask)
        kept = (1 - begins.float()).view(1, -1, 1)
        memory = [self.get_buffer(name)[:, places] * kept for name in self.memories]
        states, after = self.body.read(self._vectors(ids), mask, memory)
        for name, end in zip(self.memories, after, strict=True):
            self.get_buffer(name)[:, places] = end.detach().float()
        return states

    def _nats(self, states: Tensor, ids: Tensor, predicts: Tensor) -> Tensor:
        """The result of `surprise`, in the order of reading, from the states before each unit but the first.

        Only units that are predicted, 1 in `predicts` (n, length − 1), are decoded.
        """
        predicted = predicts > 0
        states, targets = states[predicted].split(self.chunk), ids[:, 1:][predicted].split(self.chunk)
        parts = zip(states, targets, strict=True)
        if len(states) > 1 and torch.is_grad_enabled():
            nats = [checkpoint(self._decoded, *p, use_reentrant=False, preserve_rng_state=False) for p in parts]
        else:
            nats = [self._decoded(*p) for p in parts]
        return predicts.new_zeros(ids.shape, dtype=torch.float32).masked_scatter(
            F.pad(predicted, (1, 0)), torch.cat(nats)
        )

    def _decoded(self, states: Tensor, targets: Tensor) -> Tensor:
        """States (m, hidden) and the units that follow them (m,) → nats (m,)."""
        if self.adaptive is None:
            logits = F.linear(states, self.embedding.weight, self.bias)
            return F.cross_entropy(logits.float(), targets, reduction="none")
        with torch.autocast(states.device.type, enabled=False):  # torch's module does not mix types
            return -self.adaptive(states.float(), targets).output
