"""Augments of pictures: albumentations pipelines of three strengths, RandAugment, and a pipeline of one's own."""

import os
import random
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import metadata
from typing import Any, Literal

import numpy as np
from pydantic import Field

from kit.augment.base import Augment, Changes
from kit.core.errors import KitError

RELEASE = "2.0.8"  # the last one under the MIT licence
FlipKind = Literal["off", "horizontal", "both", "all"]


def albumentations() -> Any:
    """The package albumentations.

    Raises:
        KitError: it is missing; or the package of another name and licence that is imported by the same name is there.
    """
    try:
        other = metadata.version("albumentationsx")
    except metadata.PackageNotFoundError:
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for a newer release
        try:
            import albumentations as found
        except ImportError as error:
            raise KitError(
                f"augmentation of pictures needs albumentations: pip install 'kit[images]' ({error})"
            ) from None
        return found
    raise KitError(
        f"albumentationsx {other} is installed: its licence is the AGPL, and it takes the place of albumentations; "
        f"uninstall both, then pip install albumentations=={RELEASE}"
    )


class PixelAugment(Augment):
    """A random change of pictures: `augment(picture, rng)`, (height, width, 3) uint8 → the same.

    A subclass names the transforms of albumentations. A pipeline is built once for each size of picture, and is seeded
    again for each picture.
    """

    @property
    def changes(self) -> Changes:
        return "pictures"

    @abstractmethod
    def transforms(self, height: int, width: int) -> Sequence[Any]:
        """Transforms of albumentations, in this order, for pictures of this size."""

    def __call__(self, sample: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        pipeline = pipeline_for(self, *sample.shape[:2])
        # one state for all transforms: set_random_seed gives each its own, all alike, so that all draw the same numbers
        pipeline.set_random_state(rng, random.Random(int(rng.integers(2**63))))
        changed = pipeline(image=sample)["image"]
        if not (
            isinstance(changed, np.ndarray) and changed.dtype == np.uint8 and changed.shape[2:] == sample.shape[2:]
        ):
            found = f"{getattr(changed, 'dtype', type(changed).__name__)} {tuple(getattr(changed, 'shape', ()))}"
            raise KitError(
                f"{type(self).__name__} must give pictures (height, width, 3) uint8, and gives {found}; the network "
                f"itself normalises pixels and makes tensors of them"
            )
        return changed


@lru_cache(maxsize=16)
def pipeline_for(augment: PixelAugment, height: int, width: int) -> Any:
    """The pipeline of albumentations for pictures of this size."""
    return albumentations().Compose(list(augment.transforms(height, width)))


class ImageAugment(PixelAugment):
    """Flips, crops, turns and colours in three strengths.

    - light: a small shift, zoom and turn, and some brightness and contrast.
    - medium: a random part of the picture (Szegedy et al. 2015) in place of the shift, a small turn, colours.
    - heavy: a smaller part, more colour, perspective, blur, noise, and holes (DeVries & Taylor 2017).
    """

    strength: Literal["light", "medium", "heavy"] = Field("medium", description="how much is changed")
    flips: FlipKind = Field(
        "horizontal", description="flips that keep the label; both: vertical too; all: also turns by 90 degrees"
    )

    @property
    def crops(self) -> bool:
        return self.strength != "light"

    def transforms(self, height: int, width: int) -> Sequence[Any]:
        import cv2

        a = albumentations()
        flips: list[Any] = {
            "off": [],
            "horizontal": [a.HorizontalFlip(p=0.5)],
            "both": [a.HorizontalFlip(p=0.5), a.VerticalFlip(p=0.5)],
            "all": [a.D4(p=1.0)],
        }[self.flips]
        edges = {"border_mode": cv2.BORDER_REFLECT_101}
        if self.strength == "light":
            moved = a.Affine(scale=(0.95, 1.1), translate_percent=(-0.05, 0.05), rotate=(-8, 8), p=0.7, **edges)
            return [*flips, moved, a.RandomBrightnessContrast(0.15, 0.15, p=0.5)]
        least = 0.5 if self.strength == "medium" else 0.3
        part = a.RandomResizedCrop(size=(height, width), scale=(least, 1.0), ratio=(0.8, 1.25), p=1.0)
        if self.strength == "medium":
            turn, colour = a.Rotate(limit=(-10, 10), p=0.4, **edges), a.ColorJitter(0.2, 0.2, 0.2, 0.02, p=0.6)
            return [part, *flips, turn, colour]
        return [
            part,
            *flips,
            a.OneOf([a.Rotate(limit=(-20, 20), p=1.0, **edges), a.Perspective(scale=(0.03, 0.1), p=1.0)], p=0.6),
            a.ColorJitter(0.35, 0.35, 0.35, 0.05, p=0.8),
            a.OneOf([a.GaussianBlur(blur_limit=(3, 5), p=1.0), a.GaussNoise(p=1.0), a.ToGray(p=1.0)], p=0.3),
            a.CoarseDropout(num_holes_range=(1, 4), hole_height_range=(0.1, 0.25), hole_width_range=(0.1, 0.25), p=0.4),
        ]


class RandAugment(PixelAugment):
    """RandAugment (Cubuk et al. 2020): some of 14 changes, drawn for each picture, all of one magnitude.

    The changes are those of the paper, identity among them; their ranges are those of its appendix.
    """

    operations: int = Field(2, ge=1, le=14, description="changes of a picture")
    magnitude: float = Field(9.0, ge=0, le=30, description="strength of each change, of 30")
    flips: FlipKind = Field("horizontal", description="flips before them, see ImageAugment")

    def transforms(self, height: int, width: int) -> Sequence[Any]:
        import cv2

        a, share = albumentations(), self.magnitude / 30
        grey = {"fill": 128, "border_mode": cv2.BORDER_CONSTANT, "p": 1.0}

        def both(change: float) -> tuple[float, float]:
            """A change of this size in one direction or the other."""
            return (-change, change)

        enhanced = (1 - 0.9 * share, 1 + 0.9 * share)
        choices = [
            a.NoOp(p=1.0),
            a.AutoContrast(p=1.0),
            a.Equalize(p=1.0),
            a.Rotate(limit=both(30 * share), **grey),
            a.Solarize(threshold_range=(1 - share, 1.0), p=1.0),
            a.ColorJitter(0.0, 0.0, enhanced, 0.0, p=1.0),
            a.Posterize(num_bits=min(7, 8 - round(4 * share)), p=1.0),
            a.ColorJitter(0.0, enhanced, 0.0, 0.0, p=1.0),
            a.ColorJitter(enhanced, 0.0, 0.0, 0.0, p=1.0),
            a.Sharpen(alpha=(0.0, max(0.01, 0.9 * share)), p=1.0),
            a.Affine(shear={"x": both(17 * share), "y": (0, 0)}, **grey),
            a.Affine(shear={"x": (0, 0), "y": both(17 * share)}, **grey),
            a.Affine(translate_percent={"x": both(0.45 * share), "y": (0, 0)}, **grey),
            a.Affine(translate_percent={"x": (0, 0), "y": both(0.45 * share)}, **grey),
        ]
        return [*ImageAugment(strength="light", flips=self.flips).transforms(height, width)[:-2],
                a.SomeOf(choices, n=self.operations, replace=True, p=1.0)]  # fmt: skip


class Albumentations(PixelAugment):
    """A pipeline of one's own: `Albumentations(build=my_pipeline)`.

        def my_pipeline():
            return A.Compose([A.HorizontalFlip(p=0.5), A.CoarseDropout(p=0.3)])

    The code of the function is a part of the member's identity. Pictures stay uint8: without Normalize and ToTensorV2.
    """

    build: Callable[..., Any] = Field(description="a function: () → a transform or Compose of albumentations")
    crops_itself: bool = Field(
        False,
        description="whether it chooses the part that is shown; if not, the centre is shown, as for validation rows",
    )

    @property
    def crops(self) -> bool:
        return self.crops_itself

    def transforms(self, height: int, width: int) -> Sequence[Any]:
        made, library = self.build(), albumentations()
        if not isinstance(made, (library.BasicTransform, library.BaseCompose)):
            raise KitError(
                f"Albumentations.build: {self.build.__name__} gives a {type(made).__name__}, not a transform"
            )
        return [made]
