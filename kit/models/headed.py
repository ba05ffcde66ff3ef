"""Headed: a body with dropout and a linear head. Nearly all network members train one."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.layers.dropout import MultiSampleDropout
from kit.layers.heads import Heads, HiddenHead, Link, SeparateHeads
from kit.models.body import Body


class Headed(nn.Module):
    """body → dropout → linear, or another head.

    Args:
        body: the body, see `kit.models.body`.
        outputs: number of columns of the prediction.
        dropout: share of features dropped in training.
        bias: (outputs,) initial bias of the head, zeros by default. For rare labels, start with their log-odds: with
            zeros the model would begin with a probability of one half (Lin et al. 2017, section 3.3).
        hidden: width of a hidden layer in the head, see `HiddenHead`, which has the dropout inside; 0: a linear head.
        heads: number of heads that are trained together, see `Heads`; in training they give (heads, n, outputs).
        samples: number of dropout masks, see `MultiSampleDropout`; in training they give (samples, n, outputs).
        link: function from logits to predictions, for the mean of several heads.

    A body may bring a head of its own: `make_head(outputs, link, bias)` gives a module, features → logits, or in
    training (members, n, outputs). If it has them, its `lr_scale` and `decay_scale` are used, as those of a body.

    Raises:
        KitError: the body brings a head, and another one is asked for.
    """

    def __init__(
        self,
        body: Body,
        outputs: int,
        dropout: float = 0.1,
        bias: Tensor | None = None,
        hidden: int = 0,
        heads: int = 1,
        samples: int = 1,
        link: Link = "sigmoid",
    ) -> None:
        super().__init__()
        self.body: Any = body
        self.outputs, self.link = outputs, link
        make_head = getattr(body, "make_head", None)
        if make_head is not None and (hidden or heads > 1 or samples > 1):
            asked = "head_hidden" if hidden else "heads" if heads > 1 else "samples"
            name = type(getattr(body, "net", body)).__name__
            raise KitError(f"{name} brings a head of its own, which {asked} would replace; leave {asked} out")

        def one() -> nn.Module:
            head = HiddenHead(body.num_features, outputs, hidden, dropout) if hidden else None
            last = nn.Linear(body.num_features, outputs) if head is None else head.out
            nn.init.normal_(last.weight, std=0.02)
            with torch.no_grad():
                last.bias.copy_(torch.zeros(outputs) if bias is None else bias)
            return last if head is None else head

        self.dropout: nn.Module = nn.Identity() if hidden else nn.Dropout(dropout)
        if make_head is not None:
            self.head: nn.Module = make_head(outputs, link, bias)
        else:
            self.head = Heads(one, heads, link) if heads > 1 else one()
        if samples > 1:
            self.dropout, self.head = nn.Identity(), MultiSampleDropout(self.head, dropout, samples)

    @property
    def gives_several(self) -> bool:
        """Whether it gives several outputs per row in training, which learn from the mean of their losses."""
        return isinstance(self.head, (Heads, SeparateHeads, MultiSampleDropout))

    @property
    def num_classes(self) -> int | None:
        """Number of classes of a multiclass task; None for other tasks."""
        return self.outputs if self.link == "softmax" else None

    @property
    def features_are_fixed(self) -> bool:
        """Whether the features of a frozen body are the same in every step."""
        return self.body.features_are_fixed

    @property
    def pretrained(self) -> Sequence[nn.Module]:
        """The body's modules with pretrained weights."""
        return self.body.pretrained

    @property
    def embeddings(self) -> nn.Module:
        """The body's embeddings, see `kit.models.body`."""
        return self.body.embeddings

    def features(self, **inputs: Tensor) -> Tensor:
        """The body's inputs → features (n, num_features)."""
        return self.body(**inputs)

    def prepare_inputs(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """A padded batch on the CPU → the arguments of `forward`."""
        return self.body.prepare_inputs(inputs)

    def forward(self, features: Tensor | None = None, **inputs: Tensor) -> Tensor:
        """The body's inputs, or its features (n, num_features) → logits (n, outputs).

        In training the logits are (heads, n, outputs) or (samples, n, outputs), if there are several.
        """
        return self.head(self.dropout(self.body(**inputs) if features is None else features))

    def layer_of(self, name: str) -> int | None:
        """The layer of a parameter in the body; None for the head."""
        return self.body.layer_of(name.removeprefix("body.")) if name.startswith("body.") else None

    def part_of(self, name: str) -> tuple[int, ...]:
        """Which of several joined bodies a parameter belongs to; () if there is only one."""
        return self.body.part_of(name.removeprefix("body.")) if name.startswith("body.") else ()

    def lr_scale(self, name: str) -> float:
        """Factor on the learning rate of a parameter: that of the body, or of a head that has one; 1 for others."""
        part, inner = self._part(name)
        return float(part.lr_scale(inner)) if hasattr(part, "lr_scale") else 1.0

    def decay_scale(self, name: str) -> float | None:
        """Factor on the weight decay of a parameter; None: 1 for matrices, 0 for vectors."""
        part, inner = self._part(name)
        return part.decay_scale(inner) if hasattr(part, "decay_scale") else None

    def _part(self, name: str) -> tuple[Any, str]:
        """Body or head, and the name of a parameter in it."""
        part, _, inner = name.partition(".")
        return getattr(self, part), inner
