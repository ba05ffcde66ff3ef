"""Views of pictures: flips, quarter turns, crops of the corners, magnifications."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Self

import pandas as pd
from pydantic import Field, PositiveFloat

from kit.core.errors import KitError
from kit.core.spec import validator
from kit.images.look import Look
from kit.task import Task
from kit.tta.base import NewColumns, View


class PictureView(View):
    """A view that shows the pictures of a row in another way, all of them alike; other columns stay as they are."""

    def check(self, task: Task) -> None:
        if not task.images:
            raise KitError(f"{type(self).__name__} shows pictures, but task '{task.name}' has no column of them")

    def see(self, frame: pd.DataFrame, task: Task, seed: int) -> Iterator[NewColumns]:
        self.check(task)
        yield from ({} for _ in self.looks)

    def look(self, number: int) -> Any:
        return self.looks[number]

    @property
    @abstractmethod
    def looks(self) -> tuple[Look, ...]:
        """The ways to show a picture, each a view."""


class Flips(PictureView):
    """The mirrored picture, and where up and down mean nothing, also upside down and both."""

    vertical: bool = Field(False, description="also upside down, and upside down mirrored")

    @property
    def looks(self) -> tuple[Look, ...]:
        upside_down = (Look(turns=2, mirror=True), Look(turns=2)) if self.vertical else ()
        return (Look(mirror=True), *upside_down)


class Rotations(PictureView):
    """Turns by 90, 180 and 270 degrees, for pictures without an up: from satellites, microscopes, of the skin."""

    mirrored: bool = Field(False, description="also mirrored: with the row itself all 8 symmetries of a square")

    @property
    def looks(self) -> tuple[Look, ...]:
        turned = tuple(Look(turns=turns) for turns in (1, 2, 3))
        return (*turned, *(Look(turns=turns, mirror=True) for turns in range(4))) if self.mirrored else turned


class FiveCrops(PictureView):
    """Crops of the four corners, beside the row itself, the centre (Krizhevsky et al. 2012, section 4.1)."""

    zoom: float = Field(
        1.15,
        ge=1,
        description="magnification of the crops; with 1 and a network that is shown whole pictures all are one",
    )
    mirrored: bool = Field(False, description="also mirrored, the centre too: ten crops with the row itself")

    @property
    def looks(self) -> tuple[Look, ...]:
        corners = [(down, right) for down in (-1.0, 1.0) for right in (-1.0, 1.0)]
        crops = tuple(Look(zoom=self.zoom, down=down, right=right) for down, right in corners)
        again = (Look(zoom=self.zoom, down=down, right=right, mirror=True) for down, right in corners)
        return (*crops, Look(mirror=True), *again) if self.mirrored else crops


class Scales(PictureView):
    """The picture larger and smaller; around a small one, what is missing is mirrored at its edges."""

    zooms: tuple[PositiveFloat, ...] = Field((0.85, 1.15), min_length=1, description="magnifications, each a view")

    @validator(mode="after")
    def _check_zooms(self) -> Self:
        if 1.0 in self.zooms or len(set(self.zooms)) < len(self.zooms):
            raise ValueError(f"zooms = {self.zooms}: 1 is the row itself, and each other one is named once")
        if max(self.zooms) > 4 or min(self.zooms) < 0.25:
            raise ValueError(f"zooms = {self.zooms}: a magnification lies between 0.25 and 4")
        return self

    @property
    def looks(self) -> tuple[Look, ...]:
        return tuple(Look(zoom=zoom) for zoom in self.zooms)
