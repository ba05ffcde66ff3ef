"""Concat: members' networks side by side, trained end to end. Settings alone; `concat_reader` does the work."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from kit.data import Rows
from kit.member import Predictor
from kit.members.encoder import Encoder
from kit.members.network import Network
from kit.members.textnet import TextNet
from kit.spec import validator
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.reading import Reader


class Concat(Network):
    """Joins the features of two or more networks under one head.

    Every part reads rows in its own way: two pretrained encoders, one beside a TextNet, words beside characters, text
    beside numeric columns. How the parts themselves learn (`stage` and so on) counts with start=fitted alone.
    """

    a: Network = Field(Encoder(), description="the first part")
    b: Network = Field(TextNet(), description="the second part")
    more: tuple[Network, ...] = Field((), description="further parts")
    start: Literal["own", "fitted"] = Field(
        "own", description="own: parts begin as they would alone; fitted: with the weights of the part trained alone"
    )
    rates: tuple[float, ...] = Field(
        (), description="factor on the learning rate of each part, 0: frozen; none: 1 each"
    )
    stage: Stage = Field(Stage(lr=1e-4, head_lr=2e-3), description="how it learns")

    @validator(mode="after")
    def _check_parts(self) -> Self:
        if self.rates and len(self.rates) != len(self.parts):
            raise ValueError(f"rates = {self.rates} has {len(self.rates)} factors for {len(self.parts)} parts")
        if any(rate < 0 for rate in self.rates):
            raise ValueError(f"rates = {self.rates}: a factor on a rate is not negative")
        if self.start == "fitted" and self.stop == "inner":
            raise ValueError("stop=inner would judge on rows that the parts of start=fitted have learnt from")
        if any(stage.moves_inputs for stage in self.stages):
            raise ValueError("perturb (but AWP), noise and mix need one embedding, and every part has its own")
        return self

    @property
    def parts(self) -> tuple[Network, ...]:
        """The members that are joined."""
        return (self.a, self.b, *self.more)

    @property
    def peeks(self) -> bool:
        return super().peeks or (self.start == "fitted" and any(part.peeks for part in self.parts))

    @property
    def judges(self) -> bool:
        return super().judges or (self.start == "fitted" and any(part.judges for part in self.parts))

    def prepare(self, rows: Rows) -> None:
        for part in self.parts:
            part.prepare(rows)

    def reader(self, rows: Rows) -> "Reader":
        from kit.members.concat_reader import JoinedReader

        return JoinedReader(self, [part.reader(rows) for part in self.parts])

    def saved_reader(self, folder: Path) -> "Reader":
        from kit.members.concat_reader import JoinedReader

        return JoinedReader(self, [part.saved_reader(folder / f"part{i}") for i, part in enumerate(self.parts)])

    def fit(self, train: Rows, valid: Rows, work: Path) -> Predictor:
        from kit.members.concat_reader import fitted_reader
        from kit.members.fitting import fit

        return fit(
            self, train, valid, work, fitted_reader(self, train, valid, work) if self.start == "fitted" else None
        )


def pairs(members: Mapping[str, Network], **settings: Any) -> dict[str, Concat]:
    """All joins of two of these members, called `first_second`, for diversity in a blend.

    A recipe offers them beside its own members:

        @property
        def members(self):
            return super().members | pairs({"minilm": self.minilm, "gru": self.gru})

    Args:
        members: networks by name.
        settings: of every join.
    """
    joined = combinations(members.items(), 2)
    return {f"{name}_{other}": Concat(a=a, b=b, **settings) for (name, a), (other, b) in joined}
