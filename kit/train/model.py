"""Optional methods and attributes of a model that the training loop uses."""

from typing import Any, Protocol

from torch import Tensor, nn


class Trainable(Protocol):
    """Methods and attributes of a model that `kit.train.train` uses. All of them are optional.

    `kit.models.Headed` has all. Your own model needs only those that its stages use, as methods or plain attributes.

    Attributes:
        embeddings: the module whose output is perturbed, made noisy or mixed; or the name of a float input.
        num_classes: number of classes of a multiclass task, so that the mean label of mixed rows can be shares of
            classes; None for other tasks.
        features_are_fixed: whether `features` gives the same numbers in every step while the body is frozen. A stage
            that trains only the head then computes them once and calls `model(features=…)`.
    """

    embeddings: nn.Module | str
    num_classes: int | None
    features_are_fixed: bool

    def layer_of(self, name: str) -> int | None:
        """The layer of a parameter, by its name. 0: the top layer; the highest number: the embeddings; None: the head.

        Without this method all parameters learn at `lr` and none can be frozen.
        """

    def part_of(self, name: str) -> tuple[int, ...]:
        """Which of several joined networks a parameter belongs to. Each of them counts its own layers."""

    def lr_scale(self, name: str) -> float:
        """Factor on the learning rate of a parameter. Without this method it is 1."""

    def decay_scale(self, name: str) -> float | None:
        """Factor on the weight decay of a parameter. None, and without this method: 1 for matrices, 0 for vectors."""

    def features(self, **inputs: Tensor) -> Tensor:
        """The inputs of a batch → features (n, width)."""


def class_name(model: nn.Module) -> str:
    """Name of the model's class (or of the class of the network that it wraps as `module`), for messages."""
    return type(getattr(model, "module", model)).__name__


def answer(model: nn.Module, word: str, name: str, default: Any = None) -> Any:
    """Calls the model's method `word` with a parameter's name; gives the default if there is no such method."""
    method = getattr(model, word, None)
    return default if method is None else method(name)
