"""Drift: do train and test differ? Simple features of the rows are compared, one by one and all together."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kit.metrics import roc_auc
from kit.metrics.intervals import Interval, bootstrap
from kit.text.scripts import tokens

SAMPLE = 4000  # rows of each side that are compared, at most
LETTERS = 1000  # characters of a text that are read, at most
FEWEST = 20  # rows of a side, at least
BINS = 10  # of the population stability index
ROUNDS = 500  # resamples for an interval


@dataclass(frozen=True)
class Drift:
    """What differs between two sets of rows.

    Attributes:
        columns: one row for each feature: name, psi, ks, p, mean in train, mean in test.
        auc: out-of-fold AUC of a classifier that separates train and test rows by these features (0.5: it cannot), with
            a 95 % interval by bootstrap over rows: with few rows a high AUC means little.
        words: the same for a classifier on the words of texts; None without texts.
        rows: numbers of compared train and test rows.
    """

    columns: pd.DataFrame
    auc: Interval
    words: Interval | None
    rows: tuple[int, int]


def find_drift(train: pd.DataFrame, test: pd.DataFrame, text: Sequence[str], seed: int = 0) -> Drift:
    """Compares rows of train and test by features that are computed quickly.

    Train rows are split into halves. Words of the first half count as known, and the second half is compared with test.
    So without drift, train and test rows have the same share of unknown words.

    Args:
        train: input columns of train rows.
        test: input columns of test rows.
        text: names of the text columns.
        seed: seed of the sample.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(train))[: 2 * SAMPLE]
    known, ours = (train.iloc[half] for half in (order[: len(order) // 2], order[len(order) // 2 :]))
    theirs = test.iloc[rng.permutation(len(test))[:SAMPLE]]
    both = pd.concat([ours, theirs], ignore_index=True)
    is_test = np.arange(len(both)) >= len(ours)
    figures = cheap_figures(both, known, text)
    columns = pd.DataFrame([_compared(str(name), figures[name], is_test) for name in figures])
    texts = both[list(text)].astype(str).agg(" ".join, axis=1).str[:LETTERS].tolist() if text else []
    words = words_auc(texts, is_test) if text else None
    return Drift(columns, adversarial_auc(figures, is_test), words, (len(ours), len(theirs)))


def cheap_figures(frame: pd.DataFrame, known: pd.DataFrame, text: Sequence[str]) -> pd.DataFrame:
    """(n, features): numbers as they are, the frequency of a category in `known`, and statistics of texts."""
    made: dict[str, pd.Series | np.ndarray] = {}
    for name in frame.columns:
        before = f"{name}: " if len(frame.columns) > 1 else ""
        if name in text:
            seen = {word for value in known[name] for word in _words(value)}
            made |= {f"{before}{figure}": values for figure, values in _of_texts(frame[name], seen).items()}
        elif pd.api.types.is_numeric_dtype(frame[name]):
            made[name] = frame[name].astype(float)
        else:
            share = known[name].astype(str).value_counts(normalize=True)
            made[f"{before}how common"] = frame[name].astype(str).map(share).fillna(0.0).astype(float)
    return pd.DataFrame(made).replace([np.inf, -np.inf], np.nan)


def _of_texts(texts: pd.Series, seen: set[str]) -> dict[str, np.ndarray]:
    words = [_words(value) for value in texts]
    unknown = np.array([sum(w not in seen for w in found) / max(len(found), 1) for found in words])
    return text_figures(texts) | {"share of unknown words": unknown}


def text_figures(texts: pd.Series) -> dict[str, np.ndarray]:
    """Simple statistics of each text: how long it is, and what signs it is made of."""
    values = [str(value)[:LETTERS] for value in texts]
    words = [_words(value) for value in values]
    letters = [Counter(value) for value in values]  # far fewer different letters than letters

    def share(kind: Callable[[str], bool]) -> np.ndarray:
        return np.array([sum(n for letter, n in found.items() if kind(letter)) for found in letters]) / np.array(
            [max(len(value), 1) for value in values]
        )

    return {
        "length": np.array([len(str(value)) for value in texts], dtype=float),
        "words": np.array([len(found) for found in words], dtype=float),
        "letters a word": np.array([sum(map(len, found)) / max(len(found), 1) for found in words]),
        "share of capitals": share(str.isupper),
        "share of digits": share(str.isdigit),
        "share of signs": share(lambda letter: not letter.isalnum() and not letter.isspace()),
    }


def _words(value: object) -> list[str]:
    return tokens(str(value)[:LETTERS].lower())


def psi(ours: np.ndarray, theirs: np.ndarray, bins: int = BINS) -> float:
    """Population stability index: Σ (p − q) ln(p / q) over bins; bounds are quantiles of `ours`.

    Values below all of `ours`, values above them, and nan have bins of their own.

    Below 0.1 counts as stable, above 0.25 as a shift, by custom rather than by a test (Siddiqi 2006).
    """
    known = ours[~np.isnan(ours)]
    edges = np.array([0.0])
    if len(known):
        least, *bounds = np.quantile(known, np.linspace(0, 1, bins + 1))
        edges = np.unique([np.nextafter(least, -np.inf), *bounds])
    shares = []
    for values in (ours, theirs):
        # right-closed bins, so that a bound that many rows share separates them from larger values
        place = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="left"))
        shares.append(np.maximum(np.bincount(place, minlength=len(edges) + 2) / max(len(values), 1), 1e-4))
    p, q = shares
    return float(((p - q) * np.log(p / q)).sum())


def _compared(name: str, values: pd.Series, is_test: np.ndarray) -> dict[str, float | str]:
    from scipy.stats import ks_2samp

    ours, theirs = (values[rows].to_numpy(dtype=float) for rows in (~is_test, is_test))
    a, b = (v[~np.isnan(v)] for v in (ours, theirs))
    ks, p = ks_2samp(a, b, method="asymp") if len(a) and len(b) else (np.nan, np.nan)
    means = [float(v.mean()) if len(v) else np.nan for v in (a, b)]
    return {"name": name, "psi": psi(ours, theirs), "ks": float(ks), "p": float(p), "train": means[0], "test": means[1]}


def adversarial_auc(figures: pd.DataFrame, is_test: np.ndarray, seed: int = 0) -> Interval:
    """Out-of-fold AUC of a small LightGBM that distinguishes test rows from train rows (adversarial validation)."""
    import lightgbm as lgb
    from sklearn.model_selection import StratifiedKFold

    x = figures.to_numpy(dtype=np.float64)
    settings = {"objective": "binary", "num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 10, "seed": seed,
                # too little work for several threads
                "deterministic": True, "verbosity": -1, "num_threads": 1}  # fmt: skip
    p = np.zeros(len(x))
    for fit, valid in StratifiedKFold(3, shuffle=True, random_state=seed).split(x, is_test):
        p[valid] = lgb.train(settings, lgb.Dataset(x[fit], is_test[fit].astype(float)), 50).predict(x[valid])
    return bootstrap(roc_auc, is_test, p, ROUNDS)


def words_auc(texts: list[str], is_test: np.ndarray, seed: int = 0) -> Interval:
    """Out-of-fold AUC of a logistic regression on hashed words that distinguishes test texts from train texts."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    hashed = HashingVectorizer(n_features=2**16, analyzer=_words, alternate_sign=False).transform(texts)
    model = LogisticRegression(solver="liblinear", dual=True, random_state=seed)  # more words than rows
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    p = cross_val_predict(model, hashed, is_test, cv=folds, method="predict_proba")[:, 1]
    return bootstrap(roc_auc, is_test, p, ROUNDS)
