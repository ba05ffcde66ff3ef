"""Which parts of speech a row has and in what order, against those of the other rows."""

import numpy as np

from competitions.chinese360.features import ragged
from competitions.chinese360.features.surprisal import surprisal, surprisal_features

MOST = 32  # tags, the most frequent first, whose shares are features
ORDER = 5  # of the model of tag sequences


def tag_features(
    ids: np.ndarray, start: np.ndarray, sentences: np.ndarray, spread: bool = False
) -> dict[str, np.ndarray]:
    """Shares of tags, their entropy, and the surprisal of their order.

    Args:
        ids: (total,) tag of every unit, 0 … k - 1.
        start: (rows + 1,) where each row begins.
        sentences: (sentences + 1,) where each sentence begins; a sentence ends with its row.
        spread: see `surprisal_features`.
    """
    kinds = int(ids.max(initial=0)) + 1
    rows = len(start) - 1
    counts = np.bincount(ragged.rows_of(start) * np.int64(kinds) + ids, minlength=rows * kinds).reshape(rows, kinds)
    shares = counts / np.maximum(np.diff(start), 1)[:, None]
    same = np.zeros(len(ids), bool)
    same[:-1] = ids[1:] == ids[:-1]
    same[start[1:][np.diff(start) > 0] - 1] = False
    features = {
        "entropy": -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=1),
        "kinds": (counts > 0).sum(axis=1),
        "same": ragged.mean(same, start),
    }
    for tag in np.argsort(-counts.sum(axis=0), kind="stable")[:MOST].tolist():
        features[f"share_{tag}"] = shares[:, tag]
    return features | surprisal_features(surprisal(ids, start, ORDER), start, sentences, spread=spread)
