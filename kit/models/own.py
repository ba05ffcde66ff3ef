"""OwnNetwork: adapts any `nn.Module` to the training loop and to a member."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.layers.heads import Link

WORDS = (
    "layer_of",
    "part_of",
    "lr_scale",
    "decay_scale",
)  # optional methods of the network, called with a parameter's name


class OwnNetwork(nn.Module):
    """Wraps a network: passes batches on to it, and offers its optional methods (`kit.train.model`) to the loop.

    Args:
        module: gives logits (n, outputs). Its `forward` either takes the tensors of a batch by name, or has one
            argument: the numbers and the one-hot categories, concatenated, (n, k).
        outputs: number of columns of the prediction.
        link: function from logits to predictions.
        categories: number of values of each categorical column.
    """

    def __init__(self, module: nn.Module, outputs: int, link: Link = "sigmoid", categories: Sequence[int] = ()) -> None:
        super().__init__()
        self.module, self.outputs, self.link, self.categories = module, outputs, link, tuple(categories)
        parameters = inspect.signature(module.forward).parameters.values()
        self.any_name = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self.names = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        needed = [p for p in parameters if p.default is p.empty and p.name in self.names]
        self.takes_one = len(needed) == 1
        for word in WORDS:
            if hasattr(module, word):
                setattr(self, word, _of_inner(getattr(module, word)))

    @property
    def body(self) -> Any:
        """The network itself."""
        return self.module

    @property
    def num_classes(self) -> int | None:
        """Number of classes of a multiclass task; None for other tasks."""
        return self.outputs if self.link == "softmax" else None

    @property
    def embeddings(self) -> Any:
        """The network's own `embeddings`; None if it has none."""
        return getattr(self.module, "embeddings", None)

    @property
    def pretrained(self) -> Sequence[nn.Module]:
        """The network's own `pretrained`; () if it has none."""
        return getattr(self.module, "pretrained", ())

    def prepare_inputs(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Batches unchanged."""
        return inputs

    def forward(self, **inputs: Tensor) -> Tensor:
        """The tensors of a batch by name → logits (n, outputs).

        Raises:
            KitError: the network cannot be called with these tensors, or gives another shape.
        """
        # a table without categories has a tensor without columns: it is passed only if `forward` has its name
        given = {k: v for k, v in inputs.items() if k in self.names or v.ndim < 2 or v.shape[1]}
        if self.any_name or given.keys() <= {*self.names}:
            output = self.module(**given)
        elif self.takes_one and given.keys() <= {"numbers", "categories"}:
            output = self.module(self._joined(**given))
        else:
            called, takes = type(self.module).__name__, ", ".join(self.names) or "nothing"
            raise KitError(f"Module.build: forward of the {called} takes {takes}; a batch has {', '.join(given)}")
        shape = (len(next(iter(inputs.values()))), self.outputs)
        if not isinstance(output, Tensor) or tuple(output.shape) != shape:
            found = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise KitError(f"Module.build: the {type(self.module).__name__} gives {found}, not logits {shape}")
        return output

    def _joined(self, numbers: Tensor | None = None, categories: Tensor | None = None) -> Tensor:
        """(n, numbers + values of all categories)."""
        parts = [] if numbers is None else [numbers]
        if categories is not None:
            parts += [F.one_hot(ids, n).float() for ids, n in zip(categories.T, self.categories, strict=True)]
        return torch.cat(parts, dim=1)


class _of_inner:
    """A method of the inner network, called with the parameter's name there (without `module.`)."""

    def __init__(self, method: Any) -> None:
        self.method = method

    def __call__(self, name: str) -> Any:
        return self.method(name.removeprefix("module."))
