"""InitialWeights: where the weights of a network come from before its first step."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.rows import Rows

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class InitialWeights:
    """Where the weights of a network come from before its first step.

    Attributes:
        rows: the train rows; word vectors, for example, are those of their words.
        bias: (outputs,) initial bias of the last layer, if the network uses it.
        body: a body that is trained already, for a network that has one; None: a new body.
    """

    rows: Rows
    bias: "Tensor | None" = None
    body: Any = None
