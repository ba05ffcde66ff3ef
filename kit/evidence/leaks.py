"""Leaks: what tells the target in train and will not in test, found before anything is fitted."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from kit.core.errors import shown
from kit.folds import Folds, Grouped, RandomFolds
from kit.run.duplicates import duplicate_groups
from kit.table import Table

ROWS = 20_000  # train rows that are looked at, at most
FEWEST = 100  # train rows, at least: of fewer nothing is said
BINS, PARTS = 32, 5  # of numbers, by quantiles; of rows, to score each by what the others say
PRIOR = 0.1  # rows that the mean of all counts as, beside those of a bin
ERRORS = 4.0  # standard errors that a score must be away from its bound: many columns are looked at
TOO_WELL, TOO_WELL_VALUES, SURELY = 0.995, 0.99, 0.98  # AUC and R² of one column alone; the lower bound of both
MISSING = 0.9  # AUC (or R²) of what is missing alone
ORDER = 0.55  # lower bound of the AUC of a row's place
ORDER_VALUES = 0.05  # lower bound of its R²
SEEN = 0.5  # share of test values that train has too, where both were drawn alike; at least, to look further
UNSEEN = 0.1  # times this share is unlike
LETTERS, WORDS = 1000, 2000  # of a text that are read; words that are looked at, the most frequent ones
TWINS = 10  # test rows that equal train rows, at least; and more than three times as often as train rows equal others
LATER = 0.95  # share of test rows that lie after almost all train rows


@dataclass(frozen=True)
class Leak:
    """A finding.

    Attributes:
        kind: value, missing, word, order, id, neighbours, duplicates, time or group.
        column: the column that it is about; empty for rows.
        sentence: what was found, with figures, and what to do.
    """

    kind: str
    column: str
    sentence: str


def find_leaks(table: Table, folds: Folds, seed: int = 0, quick: bool = False) -> list[Leak]:
    """Looks at each column alone, at the order of rows, and at what test rows share with train rows.

    A strong column is no leak. So a column counts only if it tells almost everything: an AUC of 0.995 (of values: it
    explains 0.99 of the variance of their ranks), with a lower bound of 0.98 four standard errors below. In data
    without leaks that is very rare, however many columns there are.

    Args:
        table: train and test rows.
        folds: how rows are split.
        seed: of the sample of rows, and of the parts that score each other.
        quick: leaves out what takes seconds with many rows: duplicates.

    Returns:
        Findings, the gravest first; none for clean data.
    """
    if len(table.train) < FEWEST:
        return []
    rng = np.random.default_rng(seed)
    at = np.sort(rng.permutation(len(table.train))[:ROWS])
    looks = _Looks(table, at, rng.permutation(len(at)) % PARTS)
    found = [*_columns(table, looks), *_words(table, looks), *_places(table, looks), *_time(table, folds)]
    found += _groups(table, folds)
    if not any(leak.kind in ("order", "time", "group") for leak in found):  # these have like neighbours, too
        found += _neighbours(table, folds, looks)
    return found + ([] if quick and len(table.train) + len(table.test) > ROWS else _twins(table))


class _Looks:
    """Scores of a single column against the target, each row judged by rows of other parts.

    Args:
        table: its train rows and labels.
        at: positions of the rows that are looked at.
        part: (n,) number of the part that each row is in.
    """

    def __init__(self, table: Table, at: np.ndarray, part: np.ndarray) -> None:
        self.at, self.part, self.values = at, part, table.task.kind == "regression"
        y = table.y[at]
        if table.task.kind == "multiclass":
            y = (y == np.arange(len(table.task.classes))).astype(float)
        self.y, self.what = y, "R² of ranks" if self.values else "AUC"

    def told(self, score: float, bound: float) -> str:
        """A score and its bound in words."""
        return f"{self.what} {score:.4f}, at least {bound:.3f}"

    def score(self, codes: np.ndarray) -> tuple[float, float]:
        """The score of what a column's codes (n,) from 0 tell, and its lower bound; the best of several targets."""
        found = [self.score_of(codes, column, self.part) for column in self.y.T]
        return max(found, key=lambda pair: pair[1], default=(0.0, 0.0))

    def score_of(self, codes: np.ndarray, y: np.ndarray, part: np.ndarray) -> tuple[float, float]:
        """The score of codes (n,) for one target's labels (n,), and its lower bound; rows judged by other parts."""
        known = ~np.isnan(y)
        codes, y, part = codes[known], y[known], part[known]
        if self.values:
            y = rankdata(y) / max(len(y), 1)  # a long tail would decide alone, and bins cannot follow it
        size = int(codes.max(initial=0)) + 1
        cells = codes * PARTS + part
        counts = np.bincount(cells, minlength=size * PARTS).reshape(size, PARTS)
        sums = np.bincount(cells, y, minlength=size * PARTS).reshape(size, PARTS)
        others, rest = counts.sum(1, keepdims=True) - counts, sums.sum(1, keepdims=True) - sums
        mean = (sums.sum() - sums.sum(0)) / np.maximum(counts.sum() - counts.sum(0), 1)
        p = ((rest + PRIOR * mean) / (others + PRIOR))[codes, part]
        return _r2(y, p) if self.values else _auc(y > 0.5, p)


def _auc(positive: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """AUC and its lower bound, by the standard error of Hanley & McNeil (1982)."""
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return 0.5, 0.0
    auc = (rankdata(p)[positive].sum() - n * (n + 1) / 2) / (n * m)
    # with one error more, so that a perfect score of few rows is not certain
    a = (auc * n * m) / (n * m + max(n, m))
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + (n - 1) * (q1 - a * a) + (m - 1) * (q2 - a * a)) / (n * m)
    return float(auc), float(auc - ERRORS * np.sqrt(max(variance, 0.0)))


def _r2(y: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Share of explained variance and its lower bound, by its standard error for many rows (Olkin & Finn 1995)."""
    spread, n = ((y - y.mean()) ** 2).sum(), len(y)
    r2 = 1 - ((y - p) ** 2).sum() / spread if spread else 0.0
    return float(r2), float(r2 - ERRORS * np.sqrt(max(4 * max(r2, 0) * (1 - r2) ** 2 / n, 1 / n**2)))


def _codes(column: pd.Series) -> np.ndarray:
    """(n,) numbers from 0: quantile bins of numbers, and values of other columns; missing ones have their own."""
    if not pd.api.types.is_numeric_dtype(column):
        return pd.factorize(column)[0] + 1
    values = column.to_numpy(np.float64, na_value=np.nan)
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values), dtype=np.int64)
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, BINS + 1)[1:-1], method="nearest"))
    return np.where(known, np.searchsorted(edges, values, side="left") + 1, 0)


def _columns(table: Table, looks: _Looks) -> Iterator[Leak]:
    """Columns that alone tell the target, and columns whose gaps do."""
    target = _target(table)
    for name in table.task.tabular(table.inputs):
        column = table.train[name].iloc[looks.at]
        gaps = column.isna().to_numpy()
        if gaps.any() and not gaps.all():
            score, bound = looks.score(gaps.astype(np.int64))
            if bound >= MISSING:
                said = f"where column '{name}' is missing tells {target} almost alone ({looks.told(score, bound)})"
                yield Leak("missing", name, f"{said}: is it filled in later? {_aside(name)}")
                continue
        score, bound = looks.score(_codes(column))
        if score >= (TOO_WELL_VALUES if looks.values else TOO_WELL) and bound >= SURELY:
            said = f"column '{name}' alone tells {target} almost without error ({looks.told(score, bound)})"
            yield Leak("value", name, f"{said}: is it known when you predict? {_aside(name)}")


def _words(table: Table, looks: _Looks) -> Iterator[Leak]:
    """Words that alone tell the target. Each is chosen on three of the five parts and judged on the others."""
    from sklearn.feature_extraction.text import CountVectorizer

    if looks.values:  # a word says yes or no, and tells no value
        return
    first = looks.part % 2 == 0
    for name in table.task.text:
        texts = [str(text)[:LETTERS] for text in table.train[name].iloc[looks.at]]
        try:
            counter = CountVectorizer(
                binary=True, min_df=max(TWINS, len(texts) // 200), max_features=WORDS, dtype=float
            )
            has = counter.fit_transform(texts).tocsr()
        except ValueError:  # no word is in so many texts
            continue
        best = ("", 0.0, 0.0)
        for y in looks.y.T:
            ours, others = np.flatnonzero(first & ~np.isnan(y)), np.flatnonzero(~first & ~np.isnan(y))
            if not len(ours) or not len(others):
                continue
            share = np.asarray(has[ours].mean(axis=0)).ravel()
            common = has[ours].T @ (y[ours] - y[ours].mean()) / np.sqrt(np.maximum(share * (1 - share), 1e-9))
            at = int(np.abs(common).argmax())
            p = has[others][:, [at]].toarray().ravel() * np.sign(common[at])
            score, bound = _auc(y[others] > 0.5, p)
            best = max(best, (str(counter.get_feature_names_out()[at]), score, bound), key=lambda one: one[2])
        word, score, bound = best
        if score >= TOO_WELL and bound >= SURELY:
            said = f"the word {shown(word)} in '{name}' alone tells {_target(table)} almost without error"
            yield Leak("word", name, f"{said} ({looks.told(score, bound)}): do the texts hold their label?")


def _neighbours(table: Table, folds: Folds, looks: _Looks) -> Iterator[Leak]:
    """Whether rows that follow each other in train have like labels, while folds part them at random."""
    if not isinstance(folds, RandomFolds) or isinstance(folds, Grouped):
        return
    inside = looks.at + 1 < len(table.y)
    following = _Looks(table, np.minimum(looks.at + 1, len(table.y) - 1), looks.part).y
    scores = []
    for y, after in zip(looks.y.T, following.T, strict=True):
        known = inside & ~np.isnan(after)
        if known.any():
            scores.append(looks.score_of(_codes(pd.Series(after[known])), y[known], looks.part[known]))
    score, bound = max(scores, key=lambda pair: pair[1], default=(0.0, 0.0))
    if bound > (ORDER_VALUES if looks.values else ORDER):
        said = f"the label of the next row in {table.names[0]} tells {_target(table)} ({looks.told(score, bound)})"
        yield Leak("neighbours", "", f"{said}: rows that belong together follow each other, and random folds part them")


def _places(table: Table, looks: _Looks) -> Iterator[Leak]:
    """The place of a row in its file, and the number in its id."""
    bound_of, target = (ORDER_VALUES if looks.values else ORDER), _target(table)
    score, bound = looks.score(_codes(pd.Series(looks.at)))
    if sorted_ := bound > bound_of:
        said = f"{table.names[0]} is sorted: a row's place in it tells {target} ({looks.told(score, bound)})"
        yield Leak("order", "", f"{said}; no feature may carry the place, such as a number of the row")
    ids = table.train.get(table.task.id)
    if ids is None:
        return
    numbers = pd.to_numeric(ids.iloc[looks.at].astype(str).str.extract(r"(\d+)")[0], errors="coerce")
    if numbers.notna().mean() < 1:
        return
    place = abs(np.corrcoef(rankdata(numbers), np.arange(len(numbers)))[0, 1]) if len(numbers) > 1 else 1.0
    score, bound = looks.score(_codes(numbers))
    if bound > bound_of and not (sorted_ and place > 0.99):
        said = f"the number in '{table.task.id}' tells {target} ({looks.told(score, bound)})"
        yield Leak("id", table.task.id, f"{said}: ids follow the target, or time; look at how test was drawn")


def _time(table: Table, folds: Folds) -> Iterator[Leak]:
    """Test rows later than train rows, while folds are drawn at random."""
    if not isinstance(folds, RandomFolds) or len(table.test) < TWINS:
        return
    for name in table.schema.of_type("date", table.train):
        if name not in table.test:
            continue
        ours, theirs = (_moments(frame[name]) for frame in (table.train, table.test))
        if not len(ours) or not len(theirs) or ours.min() == ours.max():
            continue
        later = float(np.mean(theirs > np.quantile(ours, 0.99)))
        if later >= LATER:
            said = f"{later:.0%} of test rows lie after train rows by column '{name}', and folds are drawn at random"
            advice = f"take folds = TimeSeries(time='{name}')"
            yield Leak("time", name, f"{said}, so they learn from the future; {advice}")


def _moments(column: pd.Series) -> np.ndarray:
    """The known values of a column of dates as numbers."""
    known = column.dropna()
    if pd.api.types.is_datetime64_any_dtype(known):
        return known.to_numpy("datetime64[us]").astype(np.float64)
    return pd.to_numeric(known, errors="coerce").dropna().to_numpy(np.float64)


def _groups(table: Table, folds: Folds) -> Iterator[Leak]:
    """Columns whose values repeat in train and are new in test, while folds cut these groups."""
    kept = getattr(folds, "group", "")
    if not isinstance(folds, RandomFolds) or len(table.test) < TWINS:
        return
    dates = {name for date in table.schema.of_type("date", table.train) for name in table.schema.expanded((date,))}
    for name in table.train.columns:
        if name in (table.task.id, kept, *table.task.targets, *table.task.text, *table.task.images, *dates):
            continue
        if name not in table.test:
            continue
        ours, theirs = table.train[name].dropna(), table.test[name].dropna()
        if not len(ours) or not len(theirs):
            continue
        if pd.api.types.is_numeric_dtype(ours) and (ours.to_numpy(np.float64) % 1 != 0).any():
            continue
        counts = ours.value_counts()
        # of rows drawn alike, this share has a value that was seen before (Good 1953)
        expected = 1 - float((counts == 1).sum()) / len(ours)
        seen = float(theirs.isin(counts.index).mean())
        if len(counts) >= TWINS and expected >= SEEN and seen <= UNSEEN * expected:
            said = f"column '{name}' has {len(counts):,} values that repeat in train, and test has others"
            said += f" ({seen:.0%} of its rows have one of train)"
            advice = f"take folds = Grouped(group='{name}')"
            yield Leak("group", str(name), f"{said}: folds must not cut these groups; {advice}")


def _twins(table: Table) -> list[Leak]:
    """Test rows that equal train rows in all columns, more often than train rows equal each other."""
    names = [c for c in table.inputs if c not in table.task.images and c in table.test]
    if not names or not len(table.test):
        return []
    both = pd.concat([table.train[names], table.test[names]], ignore_index=True)
    groups = duplicate_groups(both, names, [c for c in table.task.text if c in names])
    ours, theirs = groups[: len(table.train)], groups[len(table.train) :]
    twins = np.isin(theirs, ours)
    usual = float((np.bincount(ours)[ours] > 1).mean())
    if twins.sum() < TWINS or twins.mean() < 3 * usual:
        return []
    first = shown(str(table.test[table.task.id].iloc[int(np.argmax(twins))])) if table.task.id in table.test else ""
    said = f"{int(twins.sum()):,} test rows ({twins.mean():.1%}) equal train rows in all columns"
    said += f", the first with id {first}" if first else ""
    return [Leak("duplicates", "", f"{said}, and {usual:.1%} of train rows equal others: their labels are known")]


def _target(table: Table) -> str:
    return f"'{table.task.targets[0]}'" if len(table.task.targets) == 1 else "a target"


def _aside(name: str) -> str:
    return f"if not, leave it out: Task(aside=('{name}',))"
