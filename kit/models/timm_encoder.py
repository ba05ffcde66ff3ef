"""TimmEncoder: any network of timm with a pooling; pictures → one vector each."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from timm.layers import SelectAdaptivePool2d
from timm.models import group_parameters
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.layers.pooling import Pool, pooling
from kit.models.body import OneBody

POOLS = {"avg": "mean", "max": "max", "gem": "gem", "attention": "attention"}  # timm's names → those of kit.layers
PARAMETRIZED = re.compile(r"\.parametrizations\.(\w+)\.original\d*$")
UNMATCHED = "\0"  # a name that no pattern of a network matches


class TimmEncoder(OneBody):
    """Pixels → mean 0 and deviation 1 → backbone → pooling.

    Args:
        backbone: a network of timm without its classifier (`num_classes=0`).
        mean: of the three channels of what the backbone has learnt from, pixels in [0, 1].
        std: their deviation.
        pool: `own`, that of the network (its class token, a mean, …); or `avg`, `max`, `gem` (Radenović et al. 2019) or
            `attention` over all places of a picture.

    Raises:
        KitError: the network's pooling cannot be replaced.
    """

    def __init__(
        self, backbone: Any, mean: Sequence[float] = (0.5,) * 3, std: Sequence[float] = (0.5,) * 3, pool: str = "own"
    ) -> None:
        super().__init__()
        self.backbone, self.normalise = backbone, Normalise(mean, std)
        self.num_features: int = getattr(backbone, "head_hidden_size", None) or backbone.num_features
        self.layers = layers_of(backbone)
        self.begins_at_random = False  # whether nothing of the backbone is pretrained
        self.pool: Pool | None = None
        self.in_head = False  # whether the backbone's head calls the pooling
        if pool != "own":
            found = _pools_of_head(backbone)
            width = _width_at(backbone, found[0]) if found else backbone.num_features
            self.pool, self.in_head = pooling(POOLS[pool], width), bool(found)
            for name in found:
                _put_into_head(backbone, name, self.pool)

    @property
    def embeddings(self) -> nn.Module:
        """What gives pixels mean 0 and deviation 1: perturbations, noise and mixing reach pixels on this scale."""
        return self.normalise

    @property
    def pretrained(self) -> list[nn.Module]:
        """The modules with pretrained weights: the backbone, unless it begins at random."""
        return [] if self.begins_at_random else [self.backbone]

    @property
    def features_are_fixed(self) -> bool:
        """Whether the pooling has no weights, so the features of a frozen backbone do not change."""
        return self.pool is None or not any(True for _ in self.pool.parameters())

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (n, 3, height, width) in 0 … 255, uint8 or float → features (n, num_features)."""
        with _resting_norms(self.backbone) if self.training and len(pixels) == 1 else contextlib.nullcontext():
            return self._features(self.normalise(pixels))

    def _features(self, pixels: Tensor) -> Tensor:
        states = self.backbone.forward_features(pixels)
        if self.pool is None or self.in_head:
            return self.backbone.forward_head(states, pre_logits=True)
        if not isinstance(states, Tensor) or states.ndim not in (3, 4):
            raise KitError(f"pool: the {type(self.backbone).__name__} of timm gives no places to pool; take pool=own")
        if states.ndim == 4:  # the head finds a map of one place, whose mean is this place, and does the rest
            last = getattr(self.backbone, "output_fmt", "NCHW") == "NHWC"
            places = states.flatten(1, 2) if last else states.flatten(2).mT
            pooled = self.pool(places, places.new_ones(places.shape[:2]))
            one = pooled[:, None, None] if last else pooled[:, :, None, None]
            return self.backbone.forward_head(one, pre_logits=True)
        states = states[:, getattr(self.backbone, "num_prefix_tokens", 0) :]  # class tokens are no places
        pooled = self.pool(states, states.new_ones(states.shape[:2]))
        return getattr(self.backbone, "fc_norm", nn.Identity())(pooled)

    def pieces(self, pixels: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels (n, pictures, 3, height, width), 1 where there is a picture → vectors (n, pictures, width), there."""
        held = there != 0
        encoded = self(pixels[held])
        vectors = encoded.new_zeros(*held.shape, encoded.shape[-1])
        vectors[held] = encoded
        return vectors, held

    def layer_of(self, name: str) -> int | None:
        """The layer of a parameter, in timm's groups. 0: the top one; highest: the stem; None: a pooling of kit's."""
        if not name.startswith("backbone."):
            return None
        return self.layers[PARAMETRIZED.sub(r".\1", name.removeprefix("backbone."))]


class Normalise(nn.Module):
    """(x / 255 − mean) / std of each channel, uint8 or float (n, 3, height, width) → float of the same shape."""

    factor: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        factor = 1 / (255 * torch.tensor(std))
        self.register_buffer("factor", factor[:, None, None], persistent=False)
        self.register_buffer("shift", -(torch.tensor(mean) / torch.tensor(std))[:, None, None], persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.float() * self.factor + self.shift


class HeadPool(nn.Module):
    """In a network's head: a pooling of maps. Its weights belong to the encoder, not to the network.

    Args:
        pool: pooling of states (n, places, channels).
        channels_first: whether maps are (n, channels, height, width), not (n, height, width, channels).
        flat: whether the result is (n, channels), not a map of one place.
    """

    def __init__(self, pool: Pool, channels_first: bool, flat: bool) -> None:
        super().__init__()
        self.held, self.channels_first, self.flat = (pool,), channels_first, flat

    def forward(self, maps: Tensor) -> Tensor:
        states = maps.flatten(2).mT if self.channels_first else maps.flatten(1, 2)
        pooled = self.held[0](states, states.new_ones(states.shape[:2]))
        if self.flat:
            return pooled
        return pooled[:, :, None, None] if self.channels_first else pooled[:, None, None]

    def is_identity(self) -> bool:
        """What some networks ask of timm's own pooling: whether it leaves maps as they are."""
        return False


@contextlib.contextmanager
def _resting_norms(backbone: nn.Module) -> Iterator[None]:
    """Context in which batch norms use their statistics: a single picture has none where its map is a single place."""
    norms = [m for m in backbone.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
    for norm in norms:
        norm.training = False
    try:
        yield
    finally:
        for norm in norms:
            norm.training = True


def _pools_of_head(backbone: Any) -> list[str]:
    """Names of the modules by which a network's head pools maps; none where it does so in its own code.

    Raises:
        KitError: they cannot be replaced.
    """
    found = {name: module for name, module in backbone.named_modules() if isinstance(module, SelectAdaptivePool2d)}
    if any(module.is_identity() or module.feat_mult() != 1 for module in found.values()):
        raise KitError(f"pool: the {type(backbone).__name__} pools in its own way; take pool=own")
    return list(found)


def _put_into_head(backbone: Any, name: str, pool: Pool) -> None:
    """Replaces a pooling of the head."""
    pooled = backbone.get_submodule(name)(torch.zeros(1, 2, 3, 5))  # to see which dimension it keeps
    backbone.set_submodule(name, HeadPool(pool, pooled.numel() == 2, pooled.ndim == 2))


@torch.no_grad()
def _width_at(backbone: Any, name: str) -> int:
    """Channels that a pooling of the head reads, which may be others than those of the features, as in a VGG."""
    pool, width = backbone.get_submodule(name), backbone.num_features
    channel = 1 if pool(torch.zeros(1, 2, 3, 5)).numel() == 2 else -1
    seen = list[int]()
    hook = pool.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape[channel]))
    modes = {module: module.training for module in backbone.modules()}
    backbone.eval()  # or a batch norm in the head would learn from these zeros
    with contextlib.suppress(RuntimeError):  # of a head that wants maps of one size
        backbone.forward_head(torch.zeros((1, width, 7, 7) if channel == 1 else (1, 7, 7, width)), pre_logits=True)
    for module, training in modes.items():
        module.training = training
    hook.remove()
    return seen[0] if seen else width


def layers_of(backbone: Any) -> dict[str, int]:
    """Parameter → its layer, 0 for the top one, by the groups of timm's `group_matcher`.

    A norm after the last group belongs to that group. All parameters of a network without groups are of one layer.
    """
    names = [name for name, _ in backbone.named_parameters()]
    matcher = backbone.group_matcher(coarse=False) if hasattr(backbone, "group_matcher") else None
    if not matcher:
        return dict.fromkeys(names, 0)
    extra = [UNMATCHED] if isinstance(matcher, dict) else []
    asked = SimpleNamespace(named_parameters=lambda: ((name, None) for name in (*names, *extra)))
    groups = group_parameters(asked, matcher, reverse=True)
    beyond = groups.pop(UNMATCHED, None)
    top = max((group for group in groups.values() if group != beyond), default=0)
    return {name: top - min(group, top) for name, group in groups.items()}
