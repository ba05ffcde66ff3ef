"""Adversarial validation: how alike each train row is to test rows, and weights that make train like test."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.core.threads import threads
from kit.evidence.drift import FEWEST, text_figures
from kit.metrics import roc_auc
from kit.metrics.intervals import Interval, bootstrap
from kit.table import Table

FOLDS = 5
CLIP = 10.0  # largest weight and largest share of the mean weight that a row can lack: few rows must not decide all
SHOWN = 10  # columns that are told of
ROUNDS = 500  # resamples for an interval
ALIKE = 0.55  # AUC up to which nothing is worth a word


@dataclass(frozen=True)
class Likeness:
    """How train and test differ, row by row.

    Attributes:
        auc: out-of-fold AUC of a classifier that tells test rows from train rows (0.5: it cannot), with its interval.
        columns: column, its share of the classifier's gain and its AUC alone, those of most gain first.
        like_test: (train rows,) out-of-fold probability of being a test row.
        weight: (train rows,) p / (1 - p), clipped, with mean 1 (importance weights, Shimodaira 2000).
    """

    auc: Interval
    columns: pd.DataFrame
    like_test: np.ndarray
    weight: np.ndarray

    def sentences(self) -> list[str]:
        """What was found, in plain words."""
        if self.auc.low <= ALIKE and self.auc.value <= ALIKE:
            return [f"train and test look alike: a classifier tells them apart with AUC {self.auc}"]
        told = [f"a classifier tells test rows from train rows with AUC {self.auc}"]
        for name, gain, alone in self.columns.head(SHOWN).itertuples(index=False):
            if gain >= 0.02:
                told.append(f"'{name}' has {gain:.0%} of its gain, and an AUC of {alone:.3f} alone")
        kept = self.weight.sum() ** 2 / (self.weight**2).sum()
        told.append(f"weights that make train like test leave {kept:,.0f} of {len(self.weight):,} rows' worth of train")
        return told


def folds_like_test(
    like_test: np.ndarray, n: int = 5, share: float = 0.5, together: np.ndarray | None = None, seed: int = 0
) -> np.ndarray:
    """Folds that judge the train rows that are most like test; the others are only learnt from.

    Scores of such folds are closer to those of test than scores of all rows, and less certain: fewer rows are judged.

    Args:
        like_test: (rows,) how like a test row each is.
        n: number of folds.
        share: of the rows that are judged, about.
        together: (rows,) numbers, equal for rows that stay together (groups, equal rows): they are as like test as
            they are on average. None: all rows are independent.
        seed: of the draw.

    Returns:
        (rows,) int16, from 0 to n - 1, or -1: only learnt from. `Predefined` reads such a column.

    Raises:
        KitError: fewer clusters than folds would be judged.
    """
    cluster = np.unique(np.arange(len(like_test)) if together is None else together, return_inverse=True)[1]
    sizes = np.bincount(cluster)
    order = np.argsort(-np.bincount(cluster, like_test) / sizes, kind="stable")
    judged = order[: int(np.searchsorted(sizes[order].cumsum(), share * len(like_test))) + 1]
    if len(judged) < n:
        raise KitError(f"{len(judged)} groups of rows are most like test, fewer than {n} folds")
    plan, filled = np.full(len(sizes), -1, dtype=np.int16), np.zeros(n, dtype=np.int64)
    turn = np.random.default_rng(seed).permutation(judged)
    for one in turn[np.argsort(-sizes[turn], kind="stable")]:  # the largest first, each into the smallest fold
        plan[one] = int(filled.argmin())
        filled[plan[one]] += sizes[one]
    return plan[cluster]


def likeness(table: Table, seed: int = 0) -> Likeness | None:
    """Adversarial validation of a table's own columns; texts are described by their statistics, pictures left out.

    Args:
        table: train and test.
        seed: of folds and trees.

    Returns:
        None where there are too few rows, or no column to compare.
    """
    import lightgbm as lgb
    from sklearn.model_selection import StratifiedKFold

    names = [c for c in table.inputs if c not in table.task.images and c in table.test]
    if not names or len(table.test) < FEWEST or len(table.train) < FEWEST:
        return None
    both = pd.concat([table.train[names], table.test[names]], ignore_index=True)
    x = _figures(both, [c for c in table.task.text if c in names])
    shown, x.columns = list(x.columns), pd.Index([f"column{i}" for i in range(x.shape[1])])
    is_test = np.arange(len(x)) >= len(table.train)
    settings = {"objective": "binary", "num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 20, "seed": seed,
                "deterministic": True, "force_row_wise": True, "verbosity": -1, "num_threads": threads()}  # fmt: skip
    p, gain = np.zeros(len(x)), np.zeros(x.shape[1])
    for fit, judged in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(x, is_test):
        model = lgb.train(settings, lgb.Dataset(x.iloc[fit], is_test[fit].astype(float)), 60)
        p[judged] = model.predict(x.iloc[judged])
        gain += model.feature_importance("gain")
    alone = [_alone(x[column], is_test, seed) for column in x]
    columns = pd.DataFrame({"column": shown, "gain": gain / max(gain.sum(), 1e-12), "alone": alone})
    like = p[~is_test]
    odds = np.clip(like / np.maximum(1 - like, 1e-6), 1e-12, None)
    weight = np.clip(odds / odds.mean(), 1 / CLIP, CLIP)
    return Likeness(
        bootstrap(roc_auc, is_test, p, ROUNDS),
        columns.sort_values("gain", ascending=False, kind="stable", ignore_index=True),
        like,
        weight / weight.mean(),
    )


def _figures(frame: pd.DataFrame, text: list[str]) -> pd.DataFrame:
    """Numbers, categories and statistics of texts."""
    made: dict[str, object] = {}
    for name in frame:
        if name in text:
            made |= {f"{name}: {figure}": values for figure, values in text_figures(frame[name]).items()}
        elif pd.api.types.is_numeric_dtype(frame[name]):
            made[str(name)] = frame[name].to_numpy(np.float64, na_value=np.nan)
        else:
            made[str(name)] = pd.Categorical(frame[name].astype(object))
    return pd.DataFrame(made)


def _alone(column: pd.Series, is_test: np.ndarray, seed: int) -> float:
    """AUC of one column alone: each row judged by the share of test rows in its bin among other rows."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy(np.int64) + 1  # pandas keeps few categories in 8 bits, too few for the cells
    else:
        values = column.to_numpy(np.float64)
        known = values[~np.isnan(values)]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, 21)[1:-1])) if len(known) else known
        codes = np.where(np.isnan(values), 0, np.searchsorted(edges, values) + 1)
    part = np.random.default_rng(seed).permutation(len(codes)) % FOLDS
    shape = (int(codes.max(initial=0)) + 1, FOLDS)
    counts = np.bincount(codes * FOLDS + part, minlength=shape[0] * FOLDS).reshape(shape)
    tests = np.bincount(codes * FOLDS + part, is_test, minlength=shape[0] * FOLDS).reshape(shape)
    share = (tests.sum(1, keepdims=True) - tests + is_test.mean()) / (counts.sum(1, keepdims=True) - counts + 1)
    return float(roc_auc(is_test, share[codes, part]))
