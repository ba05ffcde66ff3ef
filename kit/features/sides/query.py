"""The values of aggregates for the rows of a source: one lazy query for each side table."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.core.lazy import later
from kit.features.sides.aggregate import LATEST, OWN, RANK, TIME, Aggregate
from kit.sides.sides import Sides
from kit.sides.table import KEY, SideTable

if TYPE_CHECKING:
    import polars as pl
else:
    pl = later("polars")

ROW = "\0row"
MANY = 20  # rows of which one at least should be in a side table


def values_of(sides: Sides, side: str, wanted: Sequence[Aggregate], frame: pd.DataFrame) -> np.ndarray:
    """(n, len(wanted)) float32: the aggregates of one side table for the rows of a source.

    Args:
        sides: with the keys of the rows.
        side: a side table whose rows belong to rows of the competition.
        wanted: aggregates of it.
        frame: (n, …) the rows, of which aggregates may name columns to divide by.

    Raises:
        KitError: a column is not there, or a side has no time and an aggregate needs it.
    """
    found = query(sides, side, wanted).collect(engine="streaming")
    assert sides.row_keys is not None
    values = np.full((len(frame), len(wanted)), np.nan, dtype=np.float32)
    table = sides[side]
    at = _positions(sides, table, found)
    known = at >= 0
    if len(at) >= MANY and not known.any():
        warnings.warn(
            f"side '{side}': none of its keys '{table.side.key}' is one of the rows' '{table.side.row_key}', so it "
            "says nothing about them",
            stacklevel=2,
        )
    for j, aggregate in enumerate(wanted):
        column = found[str(j)].to_numpy()
        one = np.full(len(frame), 0.0 if aggregate.counts_rows else np.nan)
        one[known] = column[at[known]]
        if aggregate.per:
            one = _divided(one, frame, aggregate)
        values[:, j] = one
    return values


def query(sides: Sides, side: str, wanted: Sequence[Aggregate]) -> "pl.LazyFrame":
    """The aggregates of one side table by key (or by row, where rows have a time of their own), named 0, 1, …."""
    table = sides[side]
    whole = _row_keys_whole(sides, table)
    if not table.side.row_time:
        return grouped(sides, table, wanted, whole)
    assert sides.row_keys is not None
    numbers = sides.whole_keys(table.side.row_key) if whole else None
    cells = (
        pl.Series(sides.row_keys[table.side.row_key].tolist(), dtype=pl.String)
        if numbers is None
        else pl.Series(numbers)
    )
    rows = pl.LazyFrame(
        {
            ROW: np.arange(len(cells)),
            KEY + table.side.key: cells,
            OWN: pl.Series(sides.row_keys[table.side.row_time].to_numpy(np.float64), nan_to_null=True),
        }
    )
    return grouped(sides, table, wanted, whole, rows)


def grouped(
    sides: Sides, table: SideTable, wanted: Sequence[Aggregate], whole: bool, rows: "pl.LazyFrame | None" = None
) -> "pl.LazyFrame":
    """A side table grouped by its key: a column KEY + key (and ROW), then one for each aggregate.

    Args:
        sides: all side tables.
        table: the one that is grouped.
        wanted: aggregates of it.
        whole: whether its key is read as whole numbers.
        rows: ROW, key and OWN of rows, each of which sees the table, and those that belong to it, up to its own time.
    """
    side, key = table.side, KEY + table.side.key
    columns, nested = list[str](), dict[str, list[Aggregate]]()
    told = {a.level[0] for a in wanted if a.level} - {a.of for a in wanted}
    for aggregate in wanted:
        for name in (aggregate.of if isinstance(aggregate.of, str) else "", aggregate.level and aggregate.level[0]):
            if name:
                columns.append(name)
        if isinstance(aggregate.of, Aggregate):
            known = nested.setdefault(aggregate.of.side, [])
            if aggregate.of not in known:
                known.append(aggregate.of)
    needed = any(a.last or a.window or a.statistic in ("last", "trend") for a in wanted)
    timed = needed or (rows is not None and bool(side.time))
    if needed and not side.time:
        raise KitError(f"side '{side.name}' has no time: name its column, Side(time=…), or leave out last and trend")
    keys, links = {side.key: whole}, dict[str, tuple[str, bool]]()
    for child in nested:
        other = sides[child]
        same = table.whole(other.side.row_key) and other.whole(other.side.key)
        if keys.get(other.side.row_key, same) != same:
            same = keys[other.side.row_key]
        keys[other.side.row_key] = same
        links[child] = other.side.row_key, same
    lazy = table.scan(list(dict.fromkeys([*columns, *([side.time] if timed else [])])), keys, told)
    if timed:
        lazy = lazy.with_columns(pl.col(side.time).alias(TIME))
    group = [key]
    if rows is not None:
        lazy, group = lazy.join(rows, on=key, how="inner"), [ROW, key]
        if timed:
            lazy = lazy.filter(pl.col(TIME) <= pl.col(OWN))
    names = dict[Aggregate, str]()
    for child, inner in nested.items():
        link, same = links[child]
        other = sides[child]
        inner_key = KEY + other.side.key
        seen = lazy.select(ROW, OWN, pl.col(KEY + link).alias(inner_key)).unique() if rows is not None else None
        made = grouped(sides, other, inner, same, seen)
        own = {str(j): f"\0{child} {j}" for j in range(len(inner))}
        names |= {aggregate: own[str(j)] for j, aggregate in enumerate(inner)}
        on = [ROW] if rows is not None else []
        lazy = lazy.join(made.rename(own), left_on=[*on, KEY + link], right_on=[*on, inner_key], how="left")
        lazy = lazy.with_columns(pl.col(names[a]).fill_null(0) for a in inner if a.counts_rows)
    if rows is None and any(a.window for a in wanted):
        if table.columns[side.time]["type"] == "date":
            raise KitError(
                f"side '{side.name}': a window of dates ends at the row's own time; name its column, Side(row_time=…)"
            )
        lazy = lazy.with_columns(pl.lit(0.0).alias(OWN))  # times count from the row, as in "days before it"
    lazy = lazy.filter(pl.col(key).is_not_null())
    if any(a.statistic == "last" for a in wanted):
        lazy = lazy.with_columns(pl.col(TIME).max().over(group).alias(LATEST))
    if any(a.last for a in wanted):
        rank = pl.col(TIME).rank("min", descending=True).over(group)
        lazy = lazy.with_columns(rank.alias(RANK))
    parts, numbers = dict[str, Any](), list[Any]()
    for j, aggregate in enumerate(wanted):
        needs, value = aggregate.expressions(
            names[aggregate.of] if isinstance(aggregate.of, Aggregate) else aggregate.of
        )
        parts |= needs
        numbers.append(value.alias(str(j)))
    return lazy.group_by(group).agg(part.alias(name) for name, part in parts.items()).select(*group, *numbers)


def _row_keys_whole(sides: Sides, table: SideTable) -> bool:
    """Whether rows and side are joined by whole numbers; if not, by strings, and 007 is not 7."""
    return sides.whole_keys(table.side.row_key) is not None and table.whole(table.side.key)


def _positions(sides: Sides, table: SideTable, found: "pl.DataFrame") -> np.ndarray:
    """(n,) the place of each row's group among the groups; -1: it has none."""
    assert sides.row_keys is not None
    if table.side.row_time:
        at = np.full(len(sides.row_keys), -1)
        at[found[ROW].to_numpy()] = np.arange(len(found))
        return at
    groups = found[KEY + table.side.key]
    numbers = sides.whole_keys(table.side.row_key) if groups.dtype == pl.Int64 else None
    if numbers is not None:
        return pd.Index(groups.to_numpy()).get_indexer(pd.Index(numbers))
    places = {key: i for i, key in enumerate(groups.to_list())}
    return np.array([places.get(key, -1) for key in sides.row_keys[table.side.row_key]], dtype=np.int64)


def _divided(values: np.ndarray, frame: pd.DataFrame, aggregate: Aggregate) -> np.ndarray:
    if aggregate.per not in frame:
        known = ", ".join(map(str, frame.columns[:12]))
        raise KitError(f"'{aggregate.name}': rows have no column '{aggregate.per}'; they have: {known}")
    if not pd.api.types.is_numeric_dtype(frame[aggregate.per].dtype):
        raise KitError(f"'{aggregate.name}': the rows' column '{aggregate.per}' is no number")
    by = frame[aggregate.per].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.divide(values, by, out=np.full(len(values), np.nan), where=by != 0)
