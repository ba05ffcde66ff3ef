"""Folds: one number per row that says in which fold the row is judged."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from kit.spec import KitError, Spec, nearest, validator

_BINS = "quantile bins of a continuous target; none: the target is a class"


class Folds(Spec):
    """How rows are split: `plan` numbers them once, `split` reads off the rows of one fold."""

    @abstractmethod
    def plan(self, frame: pd.DataFrame, y: np.ndarray, duplicates: np.ndarray | None = None) -> np.ndarray:
        """The fold in which each row is judged, (n,) int16, or -1 for never; the same settings give the same plan.

        Args:
            frame: the n rows; only the columns that the settings name are read.
            y: (n,) or (n, targets) labels.
            duplicates: (n,) integers, equal for rows that are duplicates (`kit.duplicates`); None where none are.

        Raises:
            KitError: a column is missing or has gaps, or rows, classes, groups or times are too few for the folds.
        """

    def split(self, plan: np.ndarray, fold: int, frame: pd.DataFrame | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Positions of rows to train on and of rows judged in `fold`; only a gap in time reads the planned frame."""
        if fold not in (known := fold_numbers(plan)):
            raise KitError(f"fold {fold} does not exist; there are: {', '.join(map(str, known))}")
        train = np.flatnonzero(self._trained(plan, fold, frame))
        if not len(train):
            raise KitError(f"fold {fold} has no rows to train on")
        return train, np.flatnonzero(plan == fold)

    def beside_plan(self) -> dict[str, Any]:
        """What decides, beside the plan, which rows a fold learns from; ready for JSON."""
        return {}

    def clusters(self, frame: pd.DataFrame, duplicates: np.ndarray | None = None) -> np.ndarray | None:
        """Numbers (n,), equal for rows that stay together in one fold; None where every row stands alone."""
        same = self._together(frame, duplicates)
        return same if len(np.unique(same)) < len(same) else None

    def _together(self, frame: pd.DataFrame, duplicates: np.ndarray | None) -> np.ndarray:
        return np.arange(len(frame))

    def _trained(self, plan: np.ndarray, fold: int, frame: pd.DataFrame | None) -> np.ndarray:
        return plan != fold


class Drawn(Folds):
    """Folds drawn by chance, in which every row is judged once."""

    n: int = Field(5, ge=2, le=1000, description="number of folds")
    seed: int = Field(0, ge=0, lt=2**32, description="another seed draws other folds")
    keep_duplicates_together: bool = Field(True, description="judge exact duplicates in one fold")

    def plan(self, frame: pd.DataFrame, y: np.ndarray, duplicates: np.ndarray | None = None) -> np.ndarray:
        """See `Folds.plan`. The first of each set of duplicates is placed by its own label; the others follow it."""
        y = _per_row(y, frame, "labels")
        _, first, same = np.unique(self._together(frame, duplicates), return_index=True, return_inverse=True)
        if len(first) < self.n:
            different = "rows" if len(first) == len(frame) else "different rows"
            raise KitError(f"{self.n} folds need at least {self.n} {different}; there are {len(first)}")
        return self._draw(y[first])[same].astype(np.int16)

    def _together(self, frame: pd.DataFrame, duplicates: np.ndarray | None) -> np.ndarray:
        alone = duplicates is None or not self.keep_duplicates_together
        return np.arange(len(frame)) if alone else _per_row(duplicates, frame, "duplicates")

    def _draw(self, y: np.ndarray) -> np.ndarray:
        """Folds (n,) of rows that need not stay together, by their labels."""
        return _deal(np.zeros(len(y)), self.n, self.seed)


class KFold(Drawn):
    """Folds of equal size, blind to labels."""


class Stratified(Drawn):
    """Every fold gets the same share of each class, or of each quantile of a continuous target; one target."""

    bins: int | None = Field(None, ge=2, description=_BINS)

    def _draw(self, y: np.ndarray) -> np.ndarray:
        return _deal(_strata(y, self.n, self.bins), self.n, self.seed)


class Multilabel(Drawn):
    """Every fold gets the same share of each label (Sechidis, Tsoumakas & Vlahavas 2011); soft ones: yes from 0.5.

    A label with fewer positive rows than folds is absent from some folds: no error, for there `metrics.unjudged` tells.
    """

    def _draw(self, y: np.ndarray) -> np.ndarray:
        from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

        if ((_known(y) < 0) | (y > 1)).any():
            raise KitError("Multilabel folds need labels between 0 and 1; Stratified takes classes and numbers")
        yes = y >= 0.5
        yes = yes if yes.shape[1] > 1 else np.hstack([yes, ~yes])  # the package refuses a single column
        drawer = MultilabelStratifiedKFold(self.n, shuffle=True, random_state=self.seed)
        return _numbered(drawer.split(yes, yes), len(y))


class Grouped(Drawn):
    """Rows of one group are judged in one fold; groups that share duplicates count as one.

    Folds are as even in rows as whole groups allow, the largest group first; the seed decides among groups of one size.
    """

    group: str = Field(description="column whose equal values stay together")

    def plan(self, frame: pd.DataFrame, y: np.ndarray, duplicates: np.ndarray | None = None) -> np.ndarray:
        y, groups = _per_row(y, frame, "labels"), self._together(frame, duplicates)
        if (found := len(np.unique(groups))) < self.n:
            merged = " once those that share duplicates are merged" if found < frame[self.group].nunique() else ""
            raise KitError(f"column '{self.group}' has {found} groups{merged}, fewer than {self.n} folds")
        return self._draw_groups(groups, y).astype(np.int16)

    def _together(self, frame: pd.DataFrame, duplicates: np.ndarray | None) -> np.ndarray:
        from scipy.sparse import coo_array, csgraph

        codes = pd.factorize(_column(frame, self.group))[0]
        twins = np.unique(super()._together(frame, duplicates), return_inverse=True)[1] + len(frame)
        links = coo_array((np.ones(len(frame)), (codes, twins)), shape=(2 * len(frame) + 1,) * 2)  # group to duplicates
        return pd.factorize(csgraph.connected_components(links, directed=False)[1][codes])[0]

    def _draw_groups(self, groups: np.ndarray, y: np.ndarray) -> np.ndarray:
        from sklearn.model_selection import GroupKFold

        # without its own shuffle scikit-learn evens out sizes and breaks ties by the groups' numbers: we shuffle those
        shuffled = np.random.default_rng(self.seed).permutation(groups.max() + 1)[groups]
        return _numbered(GroupKFold(self.n).split(groups, groups=shuffled), len(groups))


class StratifiedGrouped(Grouped):
    """Grouped, with the shares of each class (or quantile) as equal as whole groups allow; one target."""

    bins: int | None = Field(None, ge=2, description=_BINS)

    def _draw_groups(self, groups: np.ndarray, y: np.ndarray) -> np.ndarray:
        from sklearn.model_selection import StratifiedGroupKFold

        drawer = StratifiedGroupKFold(self.n, shuffle=True, random_state=self.seed)
        folds = _numbered(drawer.split(groups, _strata(y, self.n, self.bins), groups), len(groups))
        if empty := set(range(self.n)) - set(folds.tolist()):
            raise KitError(f"column '{self.group}': fold {min(empty)} gets no group; take fewer folds than {self.n}")
        return folds


class Timed(Folds):
    """Train on the past, judge the future: `n` blocks in the order of time, as even in rows as equal times allow.

    Rows before the first block are never judged; rows of one time are never parted. Duplicates stay where time put
    them.
    """

    n: int = Field(5, ge=2, le=1000, description="number of judged blocks")
    time: str = Field(description="column of times: numbers, dates or ISO 8601 text")
    gap: int | float | str = Field(0, description="time left out before a block: a number, or for dates like '7D'")

    @validator(mode="after")
    def _gap_is_a_length(self) -> "Timed":
        text = self.gap.strip() if isinstance(self.gap, str) else None
        try:
            length = self.gap if text is None else pd.Timedelta(text).value
        except ValueError:
            length = -1
        if not float(length) >= 0 or (text is not None and text[-1:].isdigit()):  # pandas reads '7' as nanoseconds
            raise ValueError(f"gap '{self.gap}' is neither a number from 0 on nor a duration such as '7D' or '12h'")
        return self

    def plan(self, frame: pd.DataFrame, y: np.ndarray, duplicates: np.ndarray | None = None) -> np.ndarray:
        _per_row(y, frame, "labels")
        times, at, sizes = np.unique(self._times(frame), return_inverse=True, return_counts=True)
        if len(times) <= self.n:
            raise KitError(f"column '{self.time}' has {len(times)} different times; {self.n} folds need {self.n + 1}")
        begins, steps = np.cumsum(sizes) - sizes, np.arange(self.n)
        cuts = np.searchsorted(begins, (steps + 1) * len(frame) / (self.n + 1))  # the first time of each block,
        cuts = np.maximum.accumulate(cuts - steps) + steps  # moved on where a crowded time would leave a block empty,
        cuts = np.minimum(cuts, len(times) - self.n + steps)  # and back where that runs out of times
        plan = (np.searchsorted(cuts, at, side="right") - 1).astype(np.int16)
        self.split(plan, 0, frame)  # the first block has the least past: the gap may swallow it
        return plan

    def beside_plan(self) -> dict[str, Any]:
        return {"gap": self.gap}

    def _trained(self, plan: np.ndarray, fold: int, frame: pd.DataFrame | None) -> np.ndarray:
        """Rows earlier than the first of the judged block less the gap."""
        if not self.gap:
            return plan < fold
        if frame is None:
            raise KitError(f"gap={self.gap}: split needs the frame with column '{self.time}'")
        times = self._times(frame)
        gap = pd.Timedelta(self.gap).to_timedelta64() if isinstance(self.gap, str) else self.gap
        train = times < times[plan == fold].min() - gap
        if not train.any():
            raise KitError(f"gap={self.gap} leaves no rows to train on before fold {fold}")
        return train

    def _times(self, frame: pd.DataFrame) -> np.ndarray:
        column = _column(frame, self.time)
        if numbers := pd.api.types.is_numeric_dtype(column):
            times = column.to_numpy(np.int64 if pd.api.types.is_integer_dtype(column) else np.float64)
        else:
            try:  # ISO 8601 only: pandas would guess what 01/02/2020 means
                times = pd.to_datetime(column, utc=True, format="ISO8601").dt.tz_localize(None).to_numpy()
            except (ValueError, TypeError) as error:
                raise KitError(f"column '{self.time}' holds neither numbers nor ISO 8601 dates: {error}") from None
        if self.gap and numbers == isinstance(self.gap, str):
            fitting = "numbers; give the gap as a number" if numbers else "dates; give a duration such as '7D'"
            raise KitError(f"gap={self.gap}: column '{self.time}' holds {fitting}")
        return times


class Column(Folds):
    """Your own fold numbers; -1 is trained on, never judged: 0 and -1 make a plain hold-out. Duplicates stay put."""

    column: str = Field(description="column of fold numbers, whole, from -1 on")

    def plan(self, frame: pd.DataFrame, y: np.ndarray, duplicates: np.ndarray | None = None) -> np.ndarray:
        _per_row(y, frame, "labels")
        column = _column(frame, self.column)
        numbers = pd.to_numeric(column.astype(str), errors="coerce").to_numpy(np.float64)  # True is not a number here
        if (wrong := ~((numbers == np.floor(numbers)) & (numbers >= -1) & (numbers < 2**15))).any():
            offender = f"found {column.iloc[int(wrong.argmax())]} at position {wrong.argmax()}"
            raise KitError(f"column '{self.column}' must hold whole numbers from -1 to 32767; {offender}")
        plan = numbers.astype(np.int16)
        if len(np.unique(plan)) < 2:
            raise KitError(f"column '{self.column}' must hold two numbers at least: a fold and what lies outside")
        return plan


def fold_numbers(plan: np.ndarray) -> list[int]:
    """The folds of a plan, in order; one's own numbers need not start at 0 nor be without holes."""
    return [int(fold) for fold in np.unique(plan[plan >= 0])]


def plan_digest(plan: np.ndarray) -> str:
    """SHA-256 of the plan, 64 hexadecimal digits, the same on every machine."""
    return hashlib.sha256(plan.astype("<i2").tobytes()).hexdigest()


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame.columns:
        raise KitError(f"folds: column '{name}' is missing" + nearest(name, [str(c) for c in frame.columns]))
    if (gaps := frame[name].isna().to_numpy()).any():
        raise KitError(f"folds: column '{name}' is empty in {gaps.sum()} rows, the first at position {gaps.argmax()}")
    return frame[name]


def _per_row(values: np.ndarray | None, frame: pd.DataFrame, what: str) -> np.ndarray:
    if np.ndim(values := np.asarray(values)) == 0 or len(values) != len(frame):
        raise KitError(f"folds: {what} have shape {values.shape} but there are {len(frame)} rows")
    return values if what == "duplicates" or values.ndim > 1 else values[:, None]


def _known(y: np.ndarray) -> np.ndarray:
    if (gaps := np.isnan(y).any(axis=1)).any():
        raise KitError(f"folds: {gaps.sum()} rows have no label, the first at position {gaps.argmax()}")
    return y


def _strata(y: np.ndarray, n: int, bins: int | None) -> np.ndarray:
    """Numbers (n,) from 0 of the class or quantile bin of each row."""
    if y.shape[1] > 1:
        raise KitError(f"stratified folds take one target, not {y.shape[1]}; Multilabel takes several")
    y = _known(y)[:, 0]
    if bins:
        bins = max(min(bins, len(y) // n), 1)  # a bin should reach every fold
        return np.searchsorted(np.quantile(y, np.arange(1, bins) / bins), y, side="right")
    classes, strata, sizes = np.unique(y, return_inverse=True, return_counts=True)
    if sizes.min() < n:
        scarce = f"class {classes[sizes.argmin()]:g} has {sizes.min()} rows, fewer than {n} folds"
        raise KitError(scarce + ("" if (y == np.floor(y)).all() else "; a continuous target needs bins, as in bins=10"))
    return strata


def _deal(strata: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Deals shuffled rows out like cards, stratum after stratum: folds, and strata in folds, are even to one row."""
    order = np.random.default_rng(seed).permutation(len(strata))
    folds = np.empty(len(strata), dtype=np.int64)
    folds[order[np.argsort(strata[order], kind="stable")]] = np.arange(len(strata)) % n
    return folds


def _numbered(splits: Iterable[tuple[np.ndarray, np.ndarray]], rows: int) -> np.ndarray:
    folds = np.empty(rows, dtype=np.int64)
    for fold, (_, judged) in enumerate(splits):
        folds[judged] = fold
    return folds
