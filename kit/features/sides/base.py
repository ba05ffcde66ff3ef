"""SideFeatures: what features of side tables share: which numbers they are is settled once, then computed once."""

from abc import abstractmethod
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.core.spec import digest
from kit.features.base import Features, FittedFeatures
from kit.features.sides.aggregate import Aggregate
from kit.features.sides.query import values_of
from kit.rows import Rows
from kit.sides.sides import Sides
from kit.source import Source
from kit.task import Task

VERSION = 1  # of the values of aggregates
Plan = tuple[Aggregate, ...]


class SideFeatures(Features):
    """Features made of the side tables of a source. They read no label, and are computed once for all rows.

    The plan, which aggregates there are, is settled by the rows' own source and kept with the model: rows of another
    source get the same columns.
    """

    @abstractmethod
    def plan(self, sides: Sides) -> Plan:
        """The aggregates, in order; of side tables that are absent there are none.

        Raises:
            KitError: there is no such side table or column.
        """

    def planned(self, source: Source) -> Plan:
        """The aggregates for a source.

        Raises:
            KitError: it has no side tables, and none is merely absent.
        """
        sides = sides_of(source, type(self).__name__)
        return self.plan(sides)

    def compute(self, source: Source, task: Task) -> np.ndarray:
        plan = self.planned(source)
        return computed(source, plan)[np.arange(len(source.frame))]

    def of(self, rows: Rows) -> np.ndarray:
        return self.compute(rows.source, rows.task)

    def names(self, rows: Rows) -> list[str]:
        return [aggregate.name for aggregate in self.planned(rows.source)]

    def prepare(self, rows: Rows) -> None:
        computed(rows.source, self.planned(rows.source))

    def fit_transform(self, train: Rows) -> "tuple[FittedFeatures, pd.DataFrame]":
        fitted = FittedSideFeatures(self.planned(train.source))
        return fitted, fitted.transform(train)


class FittedSideFeatures(FittedFeatures):
    """A plan of aggregates: with it, rows of any source get the same columns."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def transform(self, rows: Rows) -> pd.DataFrame:
        names = [aggregate.name for aggregate in self.plan]
        return pd.DataFrame(computed(rows.source, self.plan)[rows.at], columns=names)

    def save(self, folder: Path) -> None:
        write_json(folder / "plan.json", {"plan": [aggregate.to_dict() for aggregate in self.plan]})

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(tuple(map(Aggregate.from_dict, read_json(folder / "plan.json")["plan"])))


class Computed:
    """Values that were computed side by side table: a selection of rows is a copy, all of them are memory-mapped."""

    def __init__(self, parts: list[tuple[list[int], np.ndarray]], shape: tuple[int, int]) -> None:
        self.parts, self.shape = parts, shape

    def __getitem__(self, at: np.ndarray) -> np.ndarray:
        """(len(at), k) float32 of the rows at these positions."""
        values = np.empty((len(at), self.shape[1]), dtype=np.float32)
        for places, part in self.parts:
            values[:, places] = part[at]
        return values


def computed(source: Source, plan: Plan) -> Computed:
    """The values (n, len(plan)) of aggregates, for all rows of a source.

    Each side table is a result of its own in the source's cache: after a kill, finished ones are not computed again.
    """
    parts = list[tuple[list[int], np.ndarray]]()
    if plan:
        sides = sides_of(source, "the model")
        for side in dict.fromkeys(aggregate.side for aggregate in plan):
            places = [i for i, aggregate in enumerate(plan) if aggregate.side == side]
            if side not in sides:
                raise KitError(
                    f"side table '{side}' is missing, of which '{plan[places[0]].name}' is made; give it too"
                )
            wanted = [plan[i] for i in places]
            name = f"side-{digest([VERSION, [a.to_dict() for a in wanted]])[:16]}"

            def compute(
                frame: pd.DataFrame, side: str = side, wanted: list[Aggregate] = wanted
            ) -> dict[str, np.ndarray]:
                return {"values": values_of(sides, side, wanted, frame)}

            parts.append((places, source.once(name, compute)["values"]))
    return Computed(parts, (len(source.frame), len(plan)))


def sides_of(source: Source, who: str) -> Sides:
    """The side tables of a source.

    Raises:
        KitError: it has none, and does not know of any.
    """
    sides = source.sides
    if not isinstance(sides, Sides) or not (sides.tables or sides.absent):
        raise KitError(
            f"{who} reads side tables, and these rows have none; describe them in the recipe: sides = (Side(…), …)"
        )
    return sides
