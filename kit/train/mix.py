"""Mix: mixes each row with another row of its batch, and their labels in the same proportion."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import Spec

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
    from torch import Tensor

    from kit.train.objective import Batch
else:
    from kit.core.lazy import later

    torch, F = later("torch"), later("torch.nn.functional")

Mixing = Callable[["Tensor"], "Tensor"]


class MixedLabels(NamedTuple):
    """The labels of rows that are each mixed of two.

    Attributes:
        labels: of the first row of each pair, and of the second one, each as in a batch that is not mixed.
        weights: of both rows (n,), None if rows have none.
        share: λ, the share of the first row.
    """

    labels: "tuple[Tensor, Tensor]"
    weights: "tuple[Tensor | None, Tensor | None]"
    share: float

    def losses(self, loss: "Callable[..., Tensor]", output: "Tensor") -> "Tensor":
        """Of each row λ · loss of the first label + (1 − λ) · loss of the second (Zhang et al. 2018), (n,).

        Args:
            loss: output (n, k), labels and, if there are any, weights (n,) → (n,). If it has a method `mixed`, that is
                called, see `kit.losses.Loss.mixed`.
            output: (n, k) of the mixed rows.
        """
        if (mixed := getattr(loss, "mixed", None)) is not None:
            return mixed(output, *self)
        pairs = zip(self.labels, self.weights, strict=True)
        own, other = (loss(output, y) if weight is None else loss(output, y, weight) for y, weight in pairs)
        return self.share * own + (1 - self.share) * other


class Mix(Spec):
    """Base class of the settings of a mix. All random numbers come from torch's generator."""

    version = 2

    needs_point: ClassVar[bool] = False  # whether the output of the embedding is mixed, and not the inputs

    alpha: float = Field(1.0, gt=0, description="λ, a row's own share, is drawn from Beta(alpha, alpha)")
    share: float = Field(1.0, gt=0, le=1, description="share of batches that are mixed")

    def batch(self, batch: "Batch", classes: int | None = None) -> "tuple[Batch, Mixing | None]":
        """A mixed copy of the batch, and what is to be done at the embedding's output, if anything.

        Args:
            batch: `inputs`, tensors of n rows by name, labels `y` (n, k), and weights of the rows `weight` (n,), if it
                has any; not changed.
            classes: of a multiclass task, whose class indices (n, 1) become shares (n, classes).

        Returns:
            Its `mixed` is a `MixedLabels`: the loss of a row a with weight v and its partner b with weight w is
            λv · loss(a) + (1 − λ)w · loss(b), so a row of weight 0 teaches nothing. Its `weight` is λv + (1 − λ)w. Its
            `y` is the mean of both labels with these two parts as weights, for objectives of your own: times `weight`,
            a loss that is linear in the label is the same sum.

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
        weight = batch.get("weight")
        weights = (None, None) if weight is None else (weight, weight[perm])
        both = (batch["y"], batch["y"][perm])
        mixed = {**batch, "inputs": inputs, "mixed": MixedLabels(both, weights, lam)}
        if weight is None:
            return {**mixed, "y": blend(y, lam, perm)}, transform
        total = blend(weight, lam, perm)
        own = torch.where(total > 0, lam * weight / total, lam)[:, None].to(
            y.dtype
        )  # of rows that count for nothing, λ
        return {**mixed, "y": own * y + (1 - own) * y[perm], "weight": total}, transform

    @abstractmethod
    def mixed(
        self, inputs: dict[str, Any], lam: float, perm: "Tensor"
    ) -> "tuple[dict[str, Any], float, Mixing | None]":
        """Mixes row i with row `perm[i]`.

        Returns:
            The inputs, new; the share that row i really keeps; what is to be done at the embedding's output.
        """


def blend(value: "Tensor", lam: float, perm: "Tensor") -> "Tensor":
    """λ · row i + (1 − λ) · row perm[i]."""
    return lam * value + (1 - lam) * value[perm]


class Mixup(Mix):
    """Mixup (Zhang et al. 2018): every input becomes a weighted mean of two rows; for pixels and numbers.

    Pixels of 0 to 255 (uint8) become real numbers of the same range.
    """

    alpha: float = Field(0.2, gt=0, description="λ, a row's own share, is drawn from Beta(alpha, alpha)")

    def mixed(
        self, inputs: dict[str, Any], lam: float, perm: "Tensor"
    ) -> "tuple[dict[str, Any], float, Mixing | None]":
        for name, value in inputs.items():
            if not value.is_floating_point() and value.dtype != torch.uint8:
                raise KitError(f"Mixup mixes pixels and numbers; input '{name}' is {value.dtype}: use EmbeddingMixup")
        real = {name: value if value.is_floating_point() else value.float() for name, value in inputs.items()}
        return {name: blend(value, lam, perm) for name, value in real.items()}, lam, None


class CutMix(Mix):
    """CutMix (Yun et al. 2019): a rectangle of each picture is replaced by another picture; labels mix by area."""

    def mixed(
        self, inputs: dict[str, Any], lam: float, perm: "Tensor"
    ) -> "tuple[dict[str, Any], float, Mixing | None]":
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
    """Begin and end of one side of the rectangle: `side` · `size` long, around a random centre, cut at the border."""
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
    ) -> "tuple[dict[str, Any], float, Mixing | None]":
        inputs = dict(inputs)
        if (mask := inputs.get(self.mask)) is not None:
            inputs[self.mask] = torch.maximum(mask, mask[perm])
        return inputs, lam, lambda value: blend(value, lam, perm)
