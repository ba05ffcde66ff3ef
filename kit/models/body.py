"""Body: the part of a network that makes a vector of features for each row."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class Body(Protocol):
    """A module that makes a vector of each row; `kit.models.Headed` puts a linear head on it.

    The names are those of timm and transformers. Layers are counted from the top (0), because learning rates decay and
    layers are unfrozen from there.
    """

    @property
    def num_features(self) -> int:
        """Width of a row's vector."""

    @property
    def pretrained(self) -> Sequence[nn.Module]:
        """Modules with pretrained weights: mixout and NoisyTune are applied to them."""

    @property
    def features_are_fixed(self) -> bool:
        """Whether a frozen body gives the same vector for a row in every step: nothing in it learns or is random."""

    @property
    def embeddings(self) -> nn.Module:
        """The module whose output is perturbed, made noisy or mixed.

        Raises:
            KitError: the body has several of them.
        """

    def layer_of(self, name: str) -> int | None:
        """The layer of a parameter, by its name.

        Returns:
            0 for the top layer, 1 for the one below it, the highest number for the embeddings. None: the parameter
            learns at the rate of the head, as those of a pooling do.
        """

    def part_of(self, name: str) -> tuple[int, ...]:
        """If this body is made of several: which of them a parameter belongs to. Each counts its own layers."""

    def lr_scale(self, name: str) -> float:
        """Factor on the learning rate of a parameter."""

    def decay_scale(self, name: str) -> float | None:
        """Factor on the weight decay of a parameter; None: 1 for matrices, 0 for vectors."""

    def prepare_inputs(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """A padded batch on the CPU → the arguments of `forward`, for example the batch without padding."""

    def __call__(self, *args: Any, **inputs: Tensor) -> Tensor:
        """The tensors of a batch by name, each (n, …) → (n, num_features)."""


class OneBody(nn.Module):
    """Default methods of a body that is a single network and reads padded batches."""

    def part_of(self, name: str) -> tuple[int, ...]:
        return ()

    def lr_scale(self, name: str) -> float:
        return 1.0

    def decay_scale(self, name: str) -> float | None:
        return None

    def prepare_inputs(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return inputs
