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
TINY = 1e-24  # a variance below this share of the squared mean is rounding


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
        what = self.statistic
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

    def expression(self, column: str | None) -> "pl.Expr":
        """The number of each group of rows, without division by `per`.

        Every part is a sum, a mean, an extreme or a count of a column, so that polars computes it in a stream.

        Args:
            column: name of the values in the frame; None: rows are counted.
        """
        masks = [pl.col(RANK) <= self.last] if self.last else []
        if self.window:
            ago = pl.col(OWN) - pl.col(TIME)
            masks.append((ago >= 0) & (ago < self.window))
        base = _all(masks)
        mask = _all([*masks, *([pl.col(self.level[0]) == self.level[1]] if self.level else [])])
        if column is None:
            count = pl.len() if mask is None else mask.fill_null(False).sum()
            if self.statistic == "count":
                return count.cast(pl.Float64)
            rows = pl.len() if base is None else base.fill_null(False).sum()
            return pl.when(rows > 0).then(count / rows)
        values = pl.col(column) if mask is None else pl.when(mask).then(pl.col(column))
        return _statistic(self.statistic, values)


def _all(masks: "list[pl.Expr]") -> "pl.Expr | None":
    found = None
    for mask in masks:
        found = mask if found is None else found & mask
    return found


def _statistic(statistic: Statistic, values: "pl.Expr") -> "pl.Expr":
    if statistic == "sum":
        return pl.when(values.count() > 0).then(values.sum())
    if statistic == "std":
        spread = values.var()
        return pl.when(spread > TINY * values.mean() ** 2).then(spread.sqrt()).otherwise(spread * 0)
    if statistic == "nunique":
        return (
            pl.when(values.count() > 0)
            .then(values.n_unique() - values.is_null().any().cast(pl.UInt32))
            .cast(pl.Float64)
        )
    if statistic == "last":
        return pl.when(pl.col(TIME) == pl.col(LATEST)).then(values).mean()
    if statistic == "trend":
        time = pl.when(values.is_not_null()).then(pl.col(TIME))
        spread, steady = time.var(), values.var() <= TINY * values.mean() ** 2
        slope = pl.cov(time, values) / spread
        return pl.when(spread > 0).then(pl.when(steady).then(0.0).otherwise(slope))
    return getattr(values, statistic)()
