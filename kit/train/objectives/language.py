"""A language model's loss beside the task's."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.spec import KitError
from kit.train.objective import Batch, Objective, Step

IGNORED = -100  # no token's id


@dataclass(frozen=True)
class WithLanguageModel:
    """The task's loss + `weight` times the mean loss of foretelling each next token (Radford et al. 2018, equation 5).

    Tokens are foretold by the input embedding, as GPT ties the two. The states are those that the task's own pass
    gave; where an inner objective makes several passes, those of the last.

    Attributes:
        inner: the task's objective.
        backbone: a decoder of transformers whose states never see later tokens.
        weight: of the language model; the paper takes 0.5.
    """

    inner: Objective
    backbone: Any
    weight: float

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        states: list[Tensor] = []
        hook = self.backbone.register_forward_hook(lambda module, given, out: states.append(out.last_hidden_state))
        try:
            step = self.inner(model, batch)
        finally:
            hook.remove()
        given = batch["inputs"]
        language = self._loss(states[-1], given["input_ids"], given["attention_mask"])
        return step._replace(
            loss=step.loss + self.weight * language, parts=step.parts | {"language": language.detach()}
        )

    def _loss(self, states: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Mean loss of each row's tokens, summed over rows."""
        table = self.backbone.get_input_embeddings().weight
        known = mask[:, 1:] != 0
        logits = F.linear(states[:, :-1], table.to(states.dtype)).float()
        # padding is foretold too and left out: picking tokens by a mask would have to wait for the device
        wanted = ids[:, 1:].masked_fill(~known, IGNORED)
        losses = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none", ignore_index=IGNORED)
        return (losses.view_as(known).sum(1) / known.sum(1).clamp(min=1)).sum()


def causal(backbone: Any) -> Any:
    """The backbone itself, which foretells tokens from those before alone.

    Raises:
        KitError: its states see later tokens, as those of BERT do.
    """
    device, training = next(backbone.parameters()).device, backbone.training
    ids = torch.arange(1, 7, device=device).repeat(2, 1)
    ids[1, -1] = 7
    with torch.no_grad():
        first, other = backbone.eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[:, :-1]
    backbone.train(training)
    if not torch.allclose(first, other, atol=1e-5):
        name = type(backbone).__name__
        raise KitError(f"language needs a decoder, whose states see no later token; {name} reads in both directions")
    return backbone
