"""Concat: the networks of several members with one head, trained together. Its settings; see also `dataset`."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from pydantic import Field

from kit.core.spec import validator
from kit.member import Predictor
from kit.members.encoder.encoder import Encoder
from kit.members.network.network import Network
from kit.members.parts import fitted_part
from kit.members.textnet.textnet import TextNet
from kit.rows import Rows
from kit.task import Task
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.concat.dataset import JoinedDataset
    from kit.members.network.fitted import NetworkPredictor
    from kit.train.stop import ShouldStop


class Concat(Network):
    """Joins the features of two or more networks under one head.

    Every part reads rows in its own way: two pretrained encoders, one beside a TextNet, words beside characters, text
    beside numeric columns. Where a part of pictures finds none that can be read, its features are their mean, so that
    the other parts tell. How the parts themselves learn (`stage` and so on) counts with start=fitted alone.
    """

    a: Network = Field(Encoder(), description="the first part")
    b: Network = Field(TextNet(), description="the second part")
    more: tuple[Network, ...] = Field((), description="more parts")
    start: Literal["own", "fitted"] = Field(
        "own", description="initial weights of the parts: own, or fitted (each part is trained alone first)"
    )
    rates: tuple[float, ...] = Field(
        (), description="factor on the learning rate of each part (0: frozen); empty: 1 each"
    )
    stage: Stage = Field(Stage(lr=1e-4, head_lr=2e-3), description="epochs, learning rates, techniques")

    @validator(mode="after")
    def _check_parts(self) -> Self:
        if self.rates and len(self.rates) != len(self.parts):
            raise ValueError(f"rates = {self.rates} has {len(self.rates)} factors for {len(self.parts)} parts")
        if any(rate < 0 for rate in self.rates):
            raise ValueError(f"rates = {self.rates}: a factor cannot be negative")
        if self.start == "fitted" and self.stop == "inner":
            raise ValueError(
                "stop=inner holds out train rows to score epochs, but with start=fitted the parts have learnt from "
                "these rows"
            )
        if any(stage.moves_inputs for stage in self.stages):
            raise ValueError("perturb (except AWP), noise and mix need one embedding, but every part has its own")
        return self

    @property
    def parts(self) -> tuple[Network, ...]:
        """The members that are joined."""
        return (self.a, self.b, *self.more)

    @property
    def needs_text(self) -> bool:
        return any(part.needs_text for part in self.parts)

    def check(self, task: Task) -> None:
        super().check(task)
        for part in self.parts:
            part.check(task)

    @property
    def needs_images(self) -> bool:
        return any(part.needs_images for part in self.parts)

    @property
    def reads_only_images(self) -> bool:
        return all(part.reads_only_images for part in self.parts)

    @property
    def _may_lack(self) -> tuple[bool, ...]:
        """Which parts have nothing to read in some rows that others can read."""
        return tuple(part.reads_only_images and not self.reads_only_images for part in self.parts)

    def identity(self) -> dict[str, Any]:
        """As of any spec; of pictures joined with others also what stands for missing ones: earlier folds saw black."""
        return super().identity() | ({"missing": "mean features"} if any(self._may_lack) else {})

    @property
    def early_stops_on_valid(self) -> bool:
        return super().early_stops_on_valid or (
            self.start == "fitted" and any(part.early_stops_on_valid for part in self.parts)
        )

    @property
    def uses_metric(self) -> bool:
        return super().uses_metric or (self.start == "fitted" and any(part.uses_metric for part in self.parts))

    @property
    def prepares(self) -> str:
        return " and ".join(dict.fromkeys(part.prepares for part in self.parts))

    def prepare(self, rows: Rows) -> None:
        for part in self.parts:
            part.prepare(rows)

    def make_dataset(self, rows: Rows) -> "JoinedDataset":
        from kit.members.concat.dataset import JoinedDataset

        return JoinedDataset([part.make_dataset(rows) for part in self.parts])

    def load_dataset(self, folder: Path) -> "JoinedDataset":
        from kit.members.concat.dataset import JoinedDataset

        return JoinedDataset([part.load_dataset(folder / f"part{i}") for i, part in enumerate(self.parts)])

    def make_body(self, dataset: "JoinedDataset", rows: Rows | None = None) -> Any:
        from kit.models import concat

        bodies = [part.make_body(own, rows) for part, own in zip(self.parts, dataset.parts, strict=True)]
        return concat.ConcatModule(bodies, self.rates, self._may_lack)

    def learn_until(self, train: Rows, valid: Rows, work: Path, should_stop: "ShouldStop | None") -> Predictor:
        from kit.members.concat.dataset import JoinedDataset
        from kit.members.network.fitting import fit
        from kit.models import concat

        if self.start == "own":
            return fit(self, train, valid, work, should_stop=should_stop)
        fitted = [fitted_part(part, train, valid, work, i, should_stop) for i, part in enumerate(self.parts)]
        parts = cast("list[NetworkPredictor]", fitted)
        body = concat.ConcatModule([part.net.body for part in parts], self.rates, self._may_lack)
        return fit(self, train, valid, work, JoinedDataset([part.dataset for part in parts]), body, should_stop)


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
