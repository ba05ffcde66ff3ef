"""Aggregate: one number that the rows of a side table give, described as data; and how polars computes it."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from kit.core.lazy import later

if TYPE_CHECKING:
    import polars as pl
else:
    pl = later("polars")

Statistic = Literal["count", "share", "mean", "min", "max", "sum", "std", "nunique", "last", "trend"]
TIMELESS: tuple[Statistic, ...] = ("mean", "min", "max", "sum", "std")
TIMED: tuple[Statistic, ...] = ("last", "trend")  # need the side's time
TIME, OWN, LATEST, RANK = "\0time", "\0own", "\0latest", "\0rank"
# sums are split between threads in another way each time, so what is zero but for rounding is made zero
TINY = 1e-24  # a variance below this share of the squared mean
FLAT = 1e-14  # a squared correlation with time below this


@dataclass(frozen=True)
class Aggregate:
    """One number of each row.

    Attributes:
        side: the side table whose rows are aggregated.
        statistic: of their values; `count` and `share` are of rows.
        of: the column, or an aggregate of a side table that belongs to this one; None: rows.
        level: a column of categories and a value of it: only rows with this value count.
        last: only rows that fewer than this number of rows are later than; 0: all.
        window: only rows of this many days (or units of the time) before the row's own time, or before 0; 0: all.
        per: column of the competition's rows by which the number is divided.
    """

    side: str
    statistic: Statistic
    of: "str | Aggregate | None" = None
    level: tuple[str, str] | None = None
    last: int = 0
    window: float = 0.0
    per: str = ""

    @property
    def name(self) -> str:
        """What the number is, for reports: `mean of AMT_CREDIT_SUM in bureau`."""
        what: str = self.statistic
        if self.of is not None:
            what = f"{what} of {f'({self.of.name})' if isinstance(self.of, Aggregate) else self.of}"
        where = f" where {self.level[0]} = {self.level[1]}" if self.level else ""
        where += f", last {self.last}" if self.last else ""
        where += f", window {self.window:g}" if self.window else ""
        return f"{what} in {self.side}{where}" + (f" / {self.per}" if self.per else "")

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """What `to_dict` described."""
        of = saved["of"]
        level = tuple(saved["level"]) if saved["level"] else None
        return cls(**{**saved, "of": cls.from_dict(of) if isinstance(of, dict) else of, "level": level})  # type: ignore[arg-type]

    @property
    def counts_rows(self) -> bool:
        """Whether it is 0, not missing, for a row whose key does not occur."""
        nested = isinstance(self.of, Aggregate) and self.of.counts_rows
        return self.statistic == "count" or (self.statistic == "sum" and nested)

    def expressions(self, column: str | None) -> "tuple[dict[str, pl.Expr], pl.Expr]":
        """Sums, means, extremes and counts of each group of rows, which polars computes in a stream; and the number
        that is made of them, without division by `per`. Aggregates share parts of the same name.

        Args:
            column: name of the values in the frame; None: rows are counted.
        """
        masks = [pl.col(RANK) <= self.last] if self.last else []
        if self.window:
            ago = pl.col(OWN) - pl.col(TIME)
            masks.append((ago >= 0) & (ago < self.window))
        base = _all(masks)
        mask = _all([*masks, *([pl.col(self.level[0]) == self.level[1]] if self.level else [])])
        which = f"{self.last} {self.window}"
        if column is None:
            rows, counted = f"\0rows {which}", f"\0rows {which} {self.level}"
            parts = {rows: pl.len() if base is None else base.sum()}
            parts[counted] = pl.len() if mask is None else mask.sum()
            if self.statistic == "count":
                return {counted: parts[counted]}, pl.col(counted).cast(pl.Float64)
            return parts, pl.when(pl.col(rows) > 0).then(pl.col(counted) / pl.col(rows))
        values = pl.col(column) if mask is None else pl.when(mask).then(pl.col(column))
        found = _parts(self.statistic, values)
        names = {part: f"\0{part} {which} {self.level} {column}" for part in found}
        made = _made(self.statistic, {part: pl.col(name) for part, name in names.items()})
        return {names[part]: expression for part, expression in found.items()}, made


def _all(masks: "list[pl.Expr]") -> "pl.Expr | None":
    found = None
    for mask in masks:
        found = mask if found is None else found & mask
    return found


def _parts(statistic: Statistic, values: "pl.Expr") -> "dict[str, pl.Expr]":
    """What a statistic is made of: part → its expression over the rows of a group."""
    if statistic == "sum":
        return {"sum": values.sum(), "mean": values.mean()}
    if statistic == "std":
        return {"var": values.var(), "mean": values.mean()}
    if statistic == "nunique":
        return {"nunique": values.n_unique(), "null": values.is_null().any(), "count": values.count()}
    if statistic == "last":
        return {"last": pl.when(pl.col(TIME) == pl.col(LATEST)).then(values).mean()}
    if statistic == "trend":
        time = pl.when(values.is_not_null()).then(pl.col(TIME))
        return {"cov": pl.cov(time, values), "spread": time.var(), "var": values.var(), "mean": values.mean()}
    return {statistic: getattr(values, statistic)()}


def _made(statistic: Statistic, of: "dict[str, pl.Expr]") -> "pl.Expr":
    """A statistic, of its parts; nothing where a group has no values."""
    if statistic == "sum":
        return pl.when(of["mean"].is_not_null()).then(of["sum"])  # else it would be 0
    if statistic in ("std", "trend"):
        steady = of["var"] <= TINY * of["mean"] ** 2
        if statistic == "std":
            return pl.when(steady).then(0.0).otherwise(of["var"].sqrt())
        flat = steady | (of["cov"] ** 2 <= FLAT * of["var"] * of["spread"])
        return pl.when(of["spread"] > 0).then(pl.when(flat).then(0.0).otherwise(of["cov"] / of["spread"]))
    if statistic == "nunique":
        known = of["nunique"] - of["null"].cast(pl.UInt32)
        return pl.when(of["count"] > 0).then(known.cast(pl.Float64))
    return of[statistic]
