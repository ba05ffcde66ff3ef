"""WithLanguageModel: adds the loss of a language model to the loss of the task."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.train.objective import Batch, Objective, Step

IGNORED = -100  # no token's id
MIXED = "a language model predicts the next token of one text, and mix makes one row of two"


@dataclass(frozen=True)
class WithLanguageModel:
    """The task's loss + `weight` · the mean loss of predicting each next token (Radford et al. 2018, equation 5).

    The output layer of the language model is the input embedding (tied weights, as in GPT). It uses the states of the
    task's own forward pass; if the inner objective makes several passes, those of the last one. Rows must not be mixed:
    a mixed row has no next token.

    Attributes:
        inner: the task's objective.
        backbone: a causal decoder of transformers: its states do not depend on later tokens.
        weight: factor of the language model's loss; 0.5 in the paper.
    """

    inner: Objective
    backbone: Any
    weight: float

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        if batch.get("mixed"):
            raise KitError(f"{MIXED}; leave mix out")
        states: list[Tensor] = []
        hook = self.backbone.register_forward_hook(lambda module, given, out: states.append(out.last_hidden_state))
        try:
            step = self.inner(model, batch)
        finally:
            hook.remove()
        given = batch["inputs"]
        language = self._loss(states[-1], given["input_ids"], given["attention_mask"])
        return step.plus(self.weight * language, language=language)

    def _loss(self, states: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Mean loss of each row's tokens, summed over rows."""
        table = self.backbone.get_input_embeddings().weight
        known = mask[:, 1:] != 0
        logits = F.linear(states[:, :-1], table.to(states.dtype)).float()
        # padding is predicted too and then ignored: selecting tokens by a mask would have to wait for the GPU
        targets = ids[:, 1:].masked_fill(~known, IGNORED)
        losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none", ignore_index=IGNORED)
        return (losses.view_as(known).sum(1) / known.sum(1).clamp(min=1)).sum()


def causal(backbone: Any) -> Any:
    """Checks that a backbone is causal, and gives it back.

    Raises:
        KitError: its states depend on later tokens, as those of BERT do.
    """
    device, training = next(backbone.parameters()).device, backbone.training
    ids = torch.arange(1, 7, device=device).repeat(2, 1)
    ids[1, -1] = 7
    with torch.no_grad():
        first, other = backbone.eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[:, :-1]
    backbone.train(training)
    if not torch.allclose(first, other, atol=1e-5):
        name = type(backbone).__name__
        raise KitError(f"language needs a causal decoder, which sees no later tokens; {name} reads in both directions")
    return backbone
