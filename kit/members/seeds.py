"""Seeds: the mean of one member's fits with several seeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import Field

from kit.member import Member, Predictor
from kit.members.parts import fitted_part, load_parts, save_parts
from kit.members.reseeding import reseeded
from kit.members.wrapper import Wrapper
from kit.rows import Rows

if TYPE_CHECKING:
    from kit.train.stop import ShouldStop


class Seeds(Wrapper):
    """Fits a member several times, each time with another seed, and predicts the mean (Hansen & Salamon 1990).

    Part i has the member's own seed plus n · seed + i, so two values of `seed` have no part in common. With n=1 and
    seed=0 it is the member itself.
    """

    seeds_member: ClassVar[bool] = True
    seed: int = Field(0, ge=0, description="n times this is added to the member's own seed")
    n: int = Field(3, ge=1, description="number of fits, each with the next seed")

    @property
    def parts(self) -> list[Member]:
        """The members that are fitted."""
        return [reseeded(self.member, self.n * self.seed + i) for i in range(self.n)]

    def learn(self, train: Rows, valid: Rows, work: Path) -> "SeedsPredictor":
        return self.learn_until(train, valid, work, None)

    def learn_until(self, train: Rows, valid: Rows, work: Path, should_stop: "ShouldStop | None") -> "SeedsPredictor":
        """Fits one part after another in `work/part<i>`; those that are finished stay in `work/done<i>`."""
        parts = [fitted_part(part, train, valid, work, i, should_stop) for i, part in enumerate(self.parts)]
        return SeedsPredictor(parts)


class SeedsPredictor(Predictor):
    """The mean of its parts."""

    def __init__(self, parts: Sequence[Predictor]) -> None:
        self.parts = list(parts)

    def predict(self, rows: Rows) -> np.ndarray:
        return np.mean([part.predict(rows) for part in self.parts], axis=0)

    def save(self, folder: Path) -> None:
        save_parts(self.parts, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(load_parts(folder))
