"""Loss: what a model's output is worth against the labels, row by row."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from kit.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Spec):
    """A loss with its settings; call it like a function.

    Attributes:
        kinds: kinds of task whose labels it understands.
        soft: whether labels between 0 and 1 (mixed or smoothed rows) mean something to it.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"binary", "multilabel"})
    soft: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, output: "Tensor", y: "Tensor") -> "Tensor":
        """Loss of each row, (n,), whose mean over a batch is what is minimised.

        Args:
            output: (n, k) fp32 logits, or values for regression; (n, classes) for multiclass.
            y: (n, k) float labels; class indices (n, 1) or shares (n, classes) for multiclass.
        """
