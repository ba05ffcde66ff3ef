"""Mix: rows mixed with other rows of their batch, and their labels in the same proportion."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from kit.spec import KitError, Spec

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
    from torch import Tensor

    from kit.train.objective import Batch
else:
    from kit.lazy import later

    torch, F = later("torch"), later("torch.nn.functional")

Transform = Callable[["Tensor"], "Tensor"]


class Mix(Spec):
    """Settings of a mixture of rows. torch's generator alone decides what is drawn."""

    needs_point: ClassVar[bool] = False  # whether there is something to be done at the embedding's output

    alpha: float = Field(1.0, gt=0, description="λ, a row's own share, is drawn from Beta(alpha, alpha)")
    share: float = Field(1.0, gt=0, le=1, description="share of batches that are mixed")

    def batch(self, batch: "Batch", classes: int | None = None) -> "tuple[Batch, Transform | None]":
        """A mixed copy of the batch, and what is to be done at the embedding's output, if anything.

        Args:
            batch: `inputs`, tensors of n rows by name, labels `y` (n, k), and weights of the rows `weight` (n,), if it
                has any, which are mixed like labels; not changed.
            classes: of a multiclass task, whose class indices (n, 1) become shares (n, classes).

        Raises:
            KitError: inputs that cannot be mixed this way.
        """
        if torch.rand(()) >= self.share:
            return batch, None
        lam = torch.distributions.Beta(self.alpha, self.alpha).sample().item()
        # drawn on the CPU, whose generator decides; moved once, without waiting for the device
        perm = torch.randperm(len(batch["y"])).to(batch["y"].device, non_blocking=True)
        inputs, lam, transform = self.mixed(batch["inputs"], lam, perm)
        y = batch["y"]
        if classes is not None and y.shape[1] == 1:
            y = F.one_hot(y[:, 0].long(), classes).to(y.dtype)
        mixed = {name: blend(value, lam, perm) for name, value in {**batch, "y": y}.items() if name in ("y", "weight")}
        return {**batch, **mixed, "inputs": inputs}, transform

    @abstractmethod
    def mixed(
        self, inputs: dict[str, Any], lam: float, perm: "Tensor"
    ) -> "tuple[dict[str, Any], float, Transform | None]":
        """Mixes row i with row `perm[i]`.

        Returns:
            The inputs, new; the share that row i really keeps; what is to be done at the embedding's output.
        """


def blend(value: "Tensor", lam: float, perm: "Tensor") -> "Tensor":
    """λ · row i + (1 − λ) · row perm[i]."""
    return lam * value + (1 - lam) * value[perm]


class Mixup(Mix):
    """Mixup (Zhang et al. 2018): every input becomes a weighted mean of two rows; for pixels and numbers."""

    alpha: float = Field(0.2, gt=0, description="λ, a row's own share, is drawn from Beta(alpha, alpha)")

    def mixed(
        self, inputs: dict[str, Any], lam: float, perm: "Tensor"
    ) -> "tuple[dict[str, Any], float, Transform | None]":
        for name, value in inputs.items():
            if not value.is_floating_point():
                raise KitError(f"Mixup mixes pixels and numbers; input '{name}' is {value.dtype}: use EmbeddingMixup")
        return {name: blend(value, lam, perm) for name, value in inputs.items()}, lam, None


class CutMix(Mix):
    """CutMix (Yun et al. 2019): a rectangle of each picture comes from another; labels mix by its area."""

    def mixed(
        self, inputs: dict[str, Any], lam: float, perm: "Tensor"
    ) -> "tuple[dict[str, Any], float, Transform | None]":
        for name, value in inputs.items():
            if value.ndim != 4:
                raise KitError(f"CutMix cuts pixels (n, c, h, w); input '{name}' is {tuple(value.shape)}")
        sizes = {tuple(value.shape[2:]) for value in inputs.values()}
        if len(sizes) > 1:
            raise KitError(f"CutMix needs pictures of one size, not {sorted(sizes)}")
        (height, width), side = sizes.pop(), math.sqrt(1 - lam)
        (top, bottom), (left, right) = _span(height, side), _span(width, side)
        cut = {name: value.clone() for name, value in inputs.items()}
        for name, value in inputs.items():
            there = value[perm, :, top:bottom, left:right]
            cut[name][:, :, top:bottom, left:right] = there
        return cut, 1 - (bottom - top) * (right - left) / (height * width), None


def _span(size: int, side: float) -> tuple[int, int]:
    """Begin and end of a rectangle's side, a share of `size`, around a random centre and clipped at the border."""
    length = int(size * side)
    begin = int(torch.randint(size, ())) - length // 2
    return max(begin, 0), min(begin + length, size)


class EmbeddingMixup(Mix):
    """Mixup of what tokens or categories were embedded as (Guo et al. 2019; Verma et al. 2019).

    The transform goes where all inputs have become one tensor, rows first; inputs themselves stay, but a mask of
    tokens becomes the union of both rows' masks.
    """

    needs_point: ClassVar[bool] = True

    mask: str = Field(
        "attention_mask", description="input that marks tokens with 1 and padding with 0, if there is one"
    )

    def mixed(
        self, inputs: dict[str, Any], lam: float, perm: "Tensor"
    ) -> "tuple[dict[str, Any], float, Transform | None]":
        inputs = dict(inputs)
        if (mask := inputs.get(self.mask)) is not None:
            inputs[self.mask] = torch.maximum(mask, mask[perm])
        return inputs, lam, lambda value: blend(value, lam, perm)
