"""A body with dropout and a linear head: what every member that is trained by the loop is."""

from typing import Any

import torch
from torch import Tensor, nn

from kit.layers.dropout import MultiSampleDropout
from kit.layers.heads import Heads, Link


class Headed(nn.Module):
    """body → dropout → linear.

    Args:
        body: inputs → features (n, width); says its `width`, the `depth` of its parameters, the `embedding` where
            perturbations shift it, and whether its `features_are_fixed` once it is frozen.
        outputs: columns of the prediction.
        dropout: share of features dropped in training.
        bias: (outputs,) where the head's bias starts. With the log-odds of rare labels it need not first unlearn
            that half of all rows are positive (Lin et al. 2017, section 3.3); zeros by default.
        heads: jointly trained heads, see `Heads`; in training they give (heads, n, outputs).
        samples: dropout masks, see `MultiSampleDropout`; in training they give (samples, n, outputs).
        link: from logits to predictions, for the mean of several heads.
    """

    def __init__(
        self,
        body: Any,
        outputs: int,
        dropout: float = 0.1,
        bias: Tensor | None = None,
        heads: int = 1,
        samples: int = 1,
        link: Link = "sigmoid",
    ) -> None:
        super().__init__()
        self.body, self.outputs = body, outputs

        def linear() -> nn.Linear:
            head = nn.Linear(body.width, outputs)
            nn.init.normal_(head.weight, std=0.02)
            with torch.no_grad():
                head.bias.copy_(torch.zeros(outputs) if bias is None else bias)
            return head

        self.dropout: nn.Module = nn.Dropout(dropout)
        self.head: nn.Module = Heads(linear, heads, link) if heads > 1 else linear()
        if samples > 1:
            self.dropout, self.head = nn.Identity(), MultiSampleDropout(self.head, dropout, samples)

    @property
    def features_are_fixed(self) -> bool:
        """Whether the features of a frozen body are the same at every step."""
        return self.body.features_are_fixed

    def features(self, **inputs: Tensor) -> Tensor:
        """The body's inputs → features (n, width)."""
        return self.body(**inputs)

    def arranged(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """A padded batch on the CPU as the body likes it best, such as without its padding."""
        own = getattr(self.body, "arranged", None)
        return own(inputs) if own else inputs

    def forward(self, features: Tensor | None = None, **inputs: Tensor) -> Tensor:
        """The body's inputs, or the features themselves → logits (n, outputs)."""
        return self.head(self.dropout(self.body(**inputs) if features is None else features))

    def depth(self, name: str) -> int | None:
        """Layers above a parameter, by its name: 0 for the body's top layer, None for the head."""
        return self.body.depth(name.removeprefix("body.")) if name.startswith("body.") else None

    def part(self, name: str) -> tuple[int, ...]:
        """Which of several joined networks a parameter belongs to; () where the body is one."""
        own = getattr(self.body, "part", None)
        return own(name.removeprefix("body.")) if own and name.startswith("body.") else ()

    def factor(self, name: str) -> float:
        """Factor on a parameter's learning rate: 1, unless the body has rates of its own."""
        own = getattr(self.body, "factor", None)
        return own(name.removeprefix("body.")) if own and name.startswith("body.") else 1.0
