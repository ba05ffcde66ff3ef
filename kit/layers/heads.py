"""Heads: several heads on the same features, jointly trained."""

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.spec import KitError, nearest

Link = Literal["sigmoid", "softmax", "identity"]

LINKS: dict[str, Link] = {
    "binary": "sigmoid", "multilabel": "sigmoid", "multiclass": "softmax", "regression": "identity",
}  # fmt: skip


def checked(link: Link) -> Link:
    """The link itself.

    Raises:
        KitError: there is no such link.
    """
    if link not in get_args(Link):
        raise KitError(f"there is no link '{link}'" + nearest(link, list(get_args(Link))))
    return link


def predicted(output: Tensor, link: Link) -> Tensor:
    """Logits (…, n, k) → probabilities in fp32, or the values themselves where the link is `identity`."""
    if link == "softmax":
        return output.float().softmax(-1)
    return output.float().sigmoid() if link == "sigmoid" else output.float()


class Heads(nn.Module):
    """Heads of different initial weights on the same features.

    In eval they answer together: with the logits of their mean probability, or their mean value. That mean is the
    ensemble that `NegativeCorrelation` speaks of; a mean of logits would be another.

    Args:
        head: makes one head, features (n, width) → logits (n, k); called once for each.
        members: how many.
        link: from logits to predictions.
    """

    def __init__(self, head: Callable[[], nn.Module], members: int, link: Link = "sigmoid") -> None:
        super().__init__()
        if members < 1:
            raise KitError(f"Heads.members = {members}: at least one is needed")
        self.heads, self.link = nn.ModuleList(head() for _ in range(members)), checked(link)

    def forward(self, features: Tensor) -> Tensor:
        """(n, width) → (members, n, k) in training, (n, k) in eval."""
        output = torch.stack([head(features) for head in self.heads])
        return output if self.training else self._together(output.float())

    def _together(self, output: Tensor) -> Tensor:
        """The ensemble's logits, from logarithms of probabilities: far from zero these lose no digits."""
        if self.link == "softmax":
            return output.log_softmax(-1).logsumexp(0) - math.log(len(output))
        if self.link == "sigmoid":
            return F.logsigmoid(output).logsumexp(0) - F.logsigmoid(-output).logsumexp(0)
        return output.mean(0)
