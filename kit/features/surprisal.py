"""How surprising every symbol of a row is to a language model of the other rows.

The model is the hierarchical Dirichlet n-gram model (MacKay and Peto 1995, "A hierarchical Dirichlet language model"):
P(w | context) = (count(context w) + strength · P(w | shorter context)) / (count(context) + strength), from a uniform
distribution over the alphabet up. It needs counts only, so those of the row itself can be taken out of it exactly.
"""

from typing import NamedTuple

import numpy as np

from kit.features import ragged
from kit.features.ngrams import CLOSE, OPEN, bounded, elsewhere, inside

STRENGTH = 2.0  # pseudo-counts that the shorter context is worth
WINDOWS = (2, 4, 6, 12, 24, 48)
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.97)


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
    found: Surprisal, start: np.ndarray, sentences: np.ndarray, clauses: np.ndarray
) -> dict[str, np.ndarray]:
    """Statistics of the surprisal of every row.

    Args:
        found: of the whole corpus.
        start: (rows + 1,) where each row begins.
        sentences: (sentences + 1,) where each sentence begins; a sentence ends with its row.
        clauses: (clauses + 1,) where each clause begins, likewise.
    """
    features = {"end": found.end, "begin": found.begin}
    forward, backward = found.forward[-1], found.backward[-1]
    both = (forward + backward) / 2
    features |= _levels("both", both, start)
    features |= {f"forward_{k}": v for k, v in ragged.moments(forward, start).items() if k != "min"}
    features |= {f"backward_{k}": v for k, v in ragged.moments(backward, start).items() if k != "min"}
    gain = (found.forward[0] - forward + found.backward[0] - backward) / 2  # what the context tells
    features |= {f"gain_{k}": v for k, v in ragged.moments(gain, start).items()}
    features |= _sentences("both", both, start, sentences)
    features |= _sentences("gain", gain, start, sentences)
    for size in WINDOWS:
        features |= _windows(f"gain_{size}", -gain, start, size)
        features |= _windows(f"both_{size}", both, start, size)
    features |= _unseen(found.counts, start)
    features |= _joins(forward, backward, start, sentences, clauses)
    return features


def _levels(name: str, bits: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    columns = ragged.quantiles(np.maximum(bits, 0), start, SHARES).T
    return {f"{name}_{k}": v for k, v in ragged.moments(bits, start).items()} | {
        f"{name}_q{round(100 * share)}": column for share, column in zip(SHARES, columns, strict=True)
    }


def _windows(name: str, bits: np.ndarray, start: np.ndarray, size: int) -> dict[str, np.ndarray]:
    means = ragged.windows(bits, start, size)
    top, low = ragged.reduce(np.fmax, means, start), ragged.reduce(np.fmin, means, start)
    return {
        f"{name}_max": top,
        f"{name}_min": low,
        f"{name}_rise": top - ragged.mean(bits, start),
        f"{name}_place": ragged.place_of_max(means, start),
    }


def _sentences(name: str, bits: np.ndarray, start: np.ndarray, sentences: np.ndarray) -> dict[str, np.ndarray]:
    means = ragged.mean(bits, sentences).astype(np.float32)
    per_row = np.searchsorted(sentences, start)  # which sentences are a row's
    features = {f"sentence_{name}_{k}": v for k, v in ragged.moments(means, per_row).items()}
    return features | {f"sentence_{name}_place": ragged.place_of_max(means, per_row)}


def _unseen(counts: list[np.ndarray], start: np.ndarray) -> dict[str, np.ndarray]:
    features = {}
    end = np.repeat(start[1:], np.diff(start))
    for n, seen in enumerate(counts, 1):
        new = (seen == 0) & (np.arange(len(seen)) + n <= end)
        features[f"unseen_{n}"] = ragged.mean(new, start)
        features[f"unseen_{n}_run"] = ragged.longest_run(new, start)
    return features


def _joins(
    forward: np.ndarray, backward: np.ndarray, start: np.ndarray, sentences: np.ndarray, clauses: np.ndarray
) -> dict[str, np.ndarray]:
    """At joins: a piece's first symbol given what stands before; the sign before it given what follows and precedes."""
    features = {}
    total = len(forward)
    heads = np.zeros(total, bool)
    heads[np.concatenate([sentences[:-1], clauses[:-1]])] = True
    heads[start[:-1][start[:-1] < total]] = False
    stops = np.zeros(total, bool)
    stops[sentences[:-1]] = True
    for name, chosen in ("sentence", heads & stops), ("clause", heads & ~stops):
        before = np.append(chosen[1:], False)
        at = {"head": (chosen, forward), "sign": (before, forward), "sign_back": (before, backward)}
        for part, (where, bits) in at.items():
            features[f"{name}_{part}_mean"] = ragged.mean_where(where, bits, start)
            features[f"{name}_{part}_max"] = ragged.reduce(np.maximum, np.where(where, bits, 0), start)
    features["joins_rise"] = ragged.mean_where(heads, forward, start) - ragged.mean_where(~heads, forward, start)
    return features
