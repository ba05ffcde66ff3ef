"""Features that show which texts a machine tampered with; they read all rows, train and test, and no labels."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from competitions.chinese360.features.clause_order import order_features
from competitions.chinese360.features.coherence import coherence_features
from competitions.chinese360.features.ngrams import characters
from competitions.chinese360.features.pieces import clauses, sentences
from competitions.chinese360.features.punctuation import punctuation_features
from competitions.chinese360.features.repeats import repeat_features, title_features
from competitions.chinese360.features.surprisal import surprisal, surprisal_features
from competitions.chinese360.features.tag_statistics import tag_features
from competitions.chinese360.features.transposed import exchange_features
from kit.core.threads import threads

WORDS = 3  # order of the model of words


class Units(NamedTuple):
    """Words or tags of all rows.

    Attributes:
        ids: (total,) integers from 0.
        start: (rows + 1,) where each row begins.
        sentence: (total,) number of each unit's sentence in its row, ascending.
    """

    ids: np.ndarray
    start: np.ndarray
    sentence: np.ndarray

    def sentences(self) -> np.ndarray:
        """(sentences + 1,) where each sentence begins."""
        begins = np.zeros(len(self.ids) + 1, bool)
        begins[1:-1] = self.sentence[1:] != self.sentence[:-1]
        begins[self.start] = True
        return np.flatnonzero(begins)


GROUPS = ("surprisal", "exchange", "coherence", "order", "repeat", "sign", "title", "word", "tag")


def tampering_features(
    texts: Sequence[str],
    titles: Sequence[str] | None = None,
    words: Units | None = None,
    tags: Units | None = None,
    groups: Sequence[str] = GROUPS,
    spread: bool = False,
) -> tuple[list[str], np.ndarray]:
    """All groups of features, for all rows at once.

    Args:
        texts: as they were published; what makes text uniform wipes out traces (digits of two widths).
        titles: of the texts, if they have any.
        words: of the texts, if they are to be looked at.
        tags: parts of speech, likewise.
        groups: which of `GROUPS` to compute, as far as what they need is given.
        spread: add the minimum and the spread over windows of every surprisal.

    Returns:
        Names, each with its group in front, and (rows, names) float32, finite.
    """
    letters, start = characters(texts)
    pieces = sentences(letters, start)
    makers: dict[str, Callable[[], dict[str, np.ndarray]]] = {
        "surprisal": lambda: surprisal_features(
            surprisal(letters, start), start, pieces, clauses(letters, start), spread
        ),
        "exchange": lambda: exchange_features(letters, start),
        "coherence": lambda: coherence_features(letters, start),
        "order": lambda: order_features(letters, start),
        "repeat": lambda: repeat_features(texts, letters, start),
        "sign": lambda: punctuation_features(texts, letters, start),
    }
    if titles is not None:
        makers["title"] = lambda: title_features(titles, texts)
    if words is not None:
        makers["word"] = lambda: surprisal_features(
            surprisal(words.ids, words.start, WORDS), words.start, words.sentences(), spread=spread
        )
    if tags is not None:
        makers["tag"] = lambda: tag_features(tags.ids, tags.start, tags.sentences(), spread)
    makers = {group: makers[group] for group in groups if group in makers}
    # numpy sorts and looks up without Python's lock; threads of BLAS would only stand in the way of ours
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads()) as pool:
        made = pool.map(lambda group: makers[group](), makers)
    columns = {
        f"{group}_{name}": column.astype(np.float32)
        for group, named in zip(makers, made, strict=True)
        for name, column in named.items()
    }
    return list(columns), np.stack([*columns.values()], axis=1)
