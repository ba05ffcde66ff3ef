"""Heads: several heads on the same features, trained together."""

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.core.errors import KitError, nearest

Link = Literal["sigmoid", "softmax", "identity"]

LINKS: dict[str, Link] = {
    "binary": "sigmoid", "multilabel": "sigmoid", "multiclass": "softmax", "regression": "identity",
}  # fmt: skip


def checked(link: Link) -> Link:
    """Gives the link back if there is such a link.

    Raises:
        KitError: there is no such link.
    """
    if link not in get_args(Link):
        raise KitError(f"there is no link '{link}'" + nearest(link, list(get_args(Link))))
    return link


def predicted(output: Tensor, link: Link) -> Tensor:
    """Logits (…, n, k) → probabilities of the same shape, in fp32. With the link `identity`: the values themselves."""
    if link == "softmax":
        return output.float().softmax(-1)
    return output.float().sigmoid() if link == "sigmoid" else output.float()


class HiddenHead(nn.Module):
    """Two linear layers, each behind batch norm and dropout: the classifier's head of ULMFiT (Howard & Ruder 2018).

    Features → batch norm → dropout → linear → ReLU → batch norm → dropout → linear.

    Args:
        width: of the features.
        outputs: logits.
        hidden: width of the layer between.
        dropout: share of the features dropped.
        hidden_dropout: share of the hidden layer's dropped.
    """

    def __init__(
        self, width: int, outputs: int, hidden: int = 50, dropout: float = 0.4, hidden_dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.norm, self.dropout, self.into = RowNorm(width), nn.Dropout(dropout), nn.Linear(width, hidden, bias=False)
        self.hidden_norm, self.hidden_dropout = RowNorm(hidden), nn.Dropout(hidden_dropout)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """(n, width) → logits (n, outputs)."""
        hidden = F.relu(self.into(self.dropout(self.norm(features))))
        return self.out(self.hidden_dropout(self.hidden_norm(hidden)))


class RowNorm(nn.BatchNorm1d):
    """Batch norm that a batch of one row, which has no variance, passes as it does at prediction."""

    def forward(self, input: Tensor) -> Tensor:
        if self.training and len(input) == 1:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


class Heads(nn.Module):
    """Several heads, with different initial weights, on the same features.

    In eval mode the output is that of the ensemble: the logits of the mean probability, or the mean value.
    `NegativeCorrelation` trains for this mean of probabilities, not for a mean of logits.

    Args:
        head: makes one head, features (n, width) → logits (n, k); called once for each head.
        members: number of heads.
        link: function from logits to predictions.

    Raises:
        KitError: `members` is below 1, or there is no such link.
    """

    def __init__(self, head: Callable[[], nn.Module], members: int, link: Link = "sigmoid") -> None:
        super().__init__()
        if members < 1:
            raise KitError(f"Heads.members = {members}: at least one is needed")
        self.heads, self.link = nn.ModuleList(head() for _ in range(members)), checked(link)

    def forward(self, features: Tensor) -> Tensor:
        """(n, width) → (members, n, k) in training, (n, k) in eval mode."""
        output = torch.stack([head(features) for head in self.heads])
        return output if self.training else together(output.float(), self.link)


class SeparateHeads(nn.Module):
    """A head for each member of an ensemble that lies side by side in the features, as in TabM.

    In eval mode the output is that of the ensemble, as of `Heads`.

    Args:
        members: number of members.
        width: of the features of each.
        outputs: logits.
        link: function from logits to predictions.
        bias: (outputs,) initial bias of each head; None: zeros.
    """

    def __init__(
        self, members: int, width: int, outputs: int, link: Link = "sigmoid", bias: Tensor | None = None
    ) -> None:
        super().__init__()
        self.members, self.width, self.link = members, width, checked(link)
        bound = width**-0.5
        self.weight = nn.Parameter(torch.empty(members, width, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter((torch.zeros(outputs) if bias is None else bias).repeat(members, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(n, members · width) → (members, n, outputs) in training, (n, outputs) in eval mode."""
        own = features.unflatten(1, (self.members, self.width)).transpose(0, 1)
        output = torch.baddbmm(self.bias.to(own.dtype), own, self.weight.to(own.dtype))
        return output if self.training else together(output.float(), self.link)

    def decay_scale(self, name: str) -> float | None:
        """Biases have no weight decay."""
        return 0.0 if name == "bias" else None


def together(output: Tensor, link: Link) -> Tensor:
    """Logits (members, n, k) → those of the mean prediction (n, k), in fp32.

    They are computed from log-probabilities, which stay exact near 0 and 1.
    """
    if link == "softmax":
        return output.log_softmax(-1).logsumexp(0) - math.log(len(output))
    if link == "sigmoid":
        return F.logsigmoid(output).logsumexp(0) - F.logsigmoid(-output).logsumexp(0)
    return output.mean(0)
