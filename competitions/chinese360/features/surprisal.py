"""How surprising every symbol of a row is to a language model of the other rows.

The model is the hierarchical Dirichlet n-gram model (MacKay and Peto 1995, "A hierarchical Dirichlet language model"):
P(w | context) = (count(context w) + strength · P(w | shorter context)) / (count(context) + strength), from a uniform
distribution over the alphabet up. It needs counts only, so those of the row itself can be taken out of it exactly.
"""

from typing import NamedTuple

import numpy as np

from competitions.chinese360.features import ragged
from competitions.chinese360.features.ngrams import CLOSE, OPEN, bounded, elsewhere, inside

STRENGTH = 8.0  # pseudo-counts that the shorter context is worth
WINDOWS = (4, 16, 48)
SHARES = (0.1, 0.5, 0.9)


class Surprisal(NamedTuple):
    """Surprisal in bits of every symbol, given what stands before it and given what stands after it.

    Attributes:
        forward, backward: per order, (total,) float32; order 1 knows no context.
        counts: per length, (total,) how often the n-gram that begins here occurs in other rows.
        end: (rows,) surprisal of the row's end after its last symbols.
        begin: (rows,) surprisal of the row's beginning before its first symbols.
    """

    forward: list[np.ndarray]
    backward: list[np.ndarray]
    counts: list[np.ndarray]
    end: np.ndarray
    begin: np.ndarray


def surprisal(ids: np.ndarray, start: np.ndarray, order: int = 5, strength: float = STRENGTH) -> Surprisal:
    """Surprisal of every symbol to a model of the other rows with contexts of up to `order` - 1 symbols.

    A row's beginning and end are symbols too: the first symbols are predicted from the beginning.
    """
    symbols, longer = bounded(ids, start)
    counts = elsewhere(symbols, longer, order)
    lengths = np.diff(longer)
    others = np.repeat(longer[-1] - lengths - (len(lengths) - 1), lengths)  # symbols that the other rows predict
    alphabet = int(symbols.max(initial=CLOSE))  # all but the boundary that is given
    first = (counts[0] + strength / alphabet) / (others + strength)
    own = inside(start)
    sides = []
    for edge in OPEN, CLOSE:
        p = np.where(symbols == edge, 1, first).astype(np.float32)
        bits = [-np.log2(p)]
        for n in range(2, order + 1):
            starts = max(len(symbols) - n + 1, 0)
            grams = counts[n - 1][:starts]
            # forwards the n-gram's last symbol is predicted, backwards its first
            contexts = counts[n - 2][:starts] if edge == OPEN else counts[n - 2][1 : starts + 1]
            target = slice(n - 1, None) if edge == OPEN else slice(starts)
            p[target] = (grams + np.float32(strength) * p[target]) / (contexts + np.float32(strength))
            bits.append(-np.log2(p))
        sides.append(bits)
    forward, backward = sides
    return Surprisal(
        [b[own] for b in forward],
        [b[own] for b in backward],
        [c[own] for c in counts],
        forward[-1][longer[1:] - 1],
        backward[-1][longer[:-1]],
    )


def surprisal_features(
    found: Surprisal,
    start: np.ndarray,
    sentences: np.ndarray,
    clauses: np.ndarray | None = None,
    spread: bool = False,
) -> dict[str, np.ndarray]:
    """Statistics of the surprisal of every row.

    Args:
        found: of the whole corpus.
        start: (rows + 1,) where each row begins.
        sentences: (sentences + 1,) where each sentence begins; a sentence ends with its row.
        clauses: (clauses + 1,) where each clause begins, likewise.
        spread: whether the least mean of the windows of a row and their standard deviation are given too.
    """
    forward, backward = found.forward[-1], found.backward[-1]
    both = (forward + backward) / 2
    loss = both - (found.forward[0] + found.backward[0]) / 2  # minus what the context tells
    features = {"end": found.end, "begin": found.begin}
    quantiles = ragged.quantiles(np.maximum(both, 0), start, SHARES).T
    features |= {f"quantile_{share}": column for share, column in zip(SHARES, quantiles, strict=True)}
    per_row = np.searchsorted(sentences, start)
    for name, bits in {"both": both, "loss": loss}.items():
        means = ragged.mean(bits, sentences).astype(np.float32)
        features |= {f"{name}_{k}": v for k, v in ragged.moments(bits, start).items()}
        features |= {f"{name}_sentence_{k}": v for k, v in ragged.moments(means, per_row).items() if k != "mean"}
        features[f"{name}_sentence_place"] = ragged.place_of_max(means, per_row)
        for size in WINDOWS:
            means = ragged.windows(bits, start, size)
            features[f"{name}_{size}_max"] = top = ragged.reduce(np.fmax, means, start)
            features[f"{name}_{size}_rise"] = top - features[f"{name}_mean"]
            features[f"{name}_{size}_place"] = ragged.place_of_max(means, start)
            if spread:
                features |= _spread(f"{name}_{size}", means, start)
    features |= _unseen(found.counts, start)
    features |= {f"sentence_{k}": v for k, v in _joins(forward, backward, start, sentences).items()}
    if clauses is not None:
        inner = np.concatenate([np.setdiff1d(clauses[:-1], sentences), clauses[-1:]])
        features |= {f"clause_{k}": v for k, v in _joins(forward, backward, start, inner).items()}
    return features


def _spread(name: str, means: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    """The least of each row's means and their standard deviation; nan is none."""
    whole = ~np.isnan(means)
    cuts = np.append(0, np.cumsum(whole))[start]
    found = ragged.moments(means[whole], cuts)
    return {f"{name}_min": found["min"], f"{name}_std": found["std"]}


def _unseen(counts: list[np.ndarray], start: np.ndarray) -> dict[str, np.ndarray]:
    """Share of the n-grams that no other row has, and the longest run of them."""
    features: dict[str, np.ndarray] = {}
    end = np.repeat(start[1:], np.diff(start))
    for n, seen in enumerate(counts, 1):
        new = (seen == 0) & (np.arange(len(seen)) + n <= end)
        features |= {f"unseen_{n}": ragged.mean(new, start), f"unseen_{n}_run": ragged.longest_run(new, start)}
    return features


def _joins(forward: np.ndarray, backward: np.ndarray, start: np.ndarray, pieces: np.ndarray) -> dict[str, np.ndarray]:
    """At joins of pieces inside a row: the first symbol given what stands before, the last sign given either side."""
    heads, signs = np.zeros((2, len(forward)), bool)
    joins = np.setdiff1d(pieces[:-1], start)
    heads[joins] = signs[joins - 1] = True
    features = {}
    for name, chosen, bits in ("head", heads, forward), ("sign", signs, forward), ("sign_back", signs, backward):
        features[f"{name}_mean"] = ragged.mean_where(chosen, bits, start)
        features[f"{name}_max"] = ragged.reduce(np.maximum, np.where(chosen, bits, 0), start)
    features["head_rise"] = features["head_mean"] - ragged.mean_where(~heads, forward, start)
    return features
