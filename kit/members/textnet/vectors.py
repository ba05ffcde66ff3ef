"""The initial vectors of a TextNet's units, learnt from all texts or read from a file."""

from collections.abc import Iterator

import numpy as np

from kit.text.sequences import FIRST, Sequences
from kit.text.vectors import Vectors


def first_vectors(vectors: Vectors, found: Sequences, name: str, known: list[str]) -> np.ndarray:
    """Vectors (units + FIRST, width): of padding (zeros), of what is unknown (the mean of all), of the units known.

    Args:
        vectors: where they come from.
        found: the sequences of all rows known.
        name: of the sequence.
        known: its units.
    """
    ids, units = np.asarray(found.ids[name]), np.array(["", "", *found.units[name]], dtype=object)
    ends = np.flatnonzero(np.diff(found.sentence, append=-1) | _lasts(found))

    def texts() -> Iterator[list[str]]:
        begin = 0
        for end in (ends + 1).tolist():
            yield [unit for unit in units[ids[begin:end]] if unit]
            begin = end

    table = vectors.table(known, texts)
    counts = np.bincount(ids, minlength=len(known) + FIRST)[FIRST : len(known) + FIRST]
    coverage = table.covered(counts)
    coverage = coverage._replace(text=coverage.text * float(counts.sum()) / len(ids))  # rare units are text, too
    print(f"{type(vectors).__name__}: vectors of {coverage}")
    nothing = np.zeros_like(table.values[:1])
    return np.concatenate([nothing, table.values.mean(0, keepdims=True), table.values])


def _lasts(found: Sequences) -> np.ndarray:
    """Whether a unit is the last of its row."""
    last = np.zeros(len(found.sentence), dtype=bool)
    last[found.start[1:] - 1] = True
    return last
