"""Statistics of every row of a corpus: flat values (total,) and where each row begins, `start` (rows + 1,).

An empty row has 0 everywhere.
"""

import numpy as np


def starts(lengths: np.ndarray) -> np.ndarray:
    """(rows + 1,) where each row begins, from the rows' lengths."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def rows_of(start: np.ndarray) -> np.ndarray:
    """(total,) int32 row of every position."""
    return np.repeat(np.arange(len(start) - 1, dtype=np.int32), np.diff(start))


def reduce(function: np.ufunc, values: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(rows,) float64: `function` (np.add, np.fmax, …) over the values of each row."""
    result = np.zeros(len(start) - 1)
    full = np.diff(start) > 0
    if full.any():
        result[full] = function.reduceat(values, start[:-1][full], dtype=np.float64 if function is np.add else None)
    return result


def mean(values: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(rows,) mean of each row."""
    return reduce(np.add, values, start) / np.maximum(np.diff(start), 1)


def mean_std(values: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows,) mean and (rows,) standard deviation of each row."""
    middle = mean(values, start)
    return middle, np.sqrt(mean(np.square(values - np.repeat(middle, np.diff(start))), start))


def mean_where(chosen: np.ndarray, values: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Mean of the chosen values of each row; 0 where there are none."""
    return reduce(np.add, np.where(chosen, values, 0), start) / np.maximum(reduce(np.add, chosen, start), 1)


def quantiles(values: np.ndarray, start: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """(rows, shares) the value below which each share of a row lies; values are at least 0 and less than 2^10."""
    ordered = np.sort(rows_of(start) * 1024.0 + values)  # one sort for all rows
    lengths = np.diff(start)
    result = np.zeros((len(lengths), len(shares)))
    full = lengths > 0
    for column, share in enumerate(shares):
        at = start[:-1][full] + np.rint((lengths[full] - 1) * share).astype(np.int64)
        result[full, column] = ordered[at] % 1024
    return result


def windows(values: np.ndarray, start: np.ndarray, size: int) -> np.ndarray:
    """(total,) mean of the `size` values from each position on; nan where the row ends before, but at its first."""
    sums = np.concatenate([np.zeros(1), np.cumsum(values, dtype=np.float64)])
    begin = np.arange(len(values))
    end = np.repeat(start[1:], np.diff(start))
    stop = np.minimum(begin + size, end)
    whole = begin + size <= end
    whole[start[:-1][np.diff(start) > 0]] = True
    return np.where(whole, (sums[stop] - sums[begin]) / (stop - begin), np.nan).astype(np.float32)


def place_of_max(values: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(rows,) where the greatest value of each row stands first, 0 at its beginning to 1 at its end; nan is none."""
    at = np.arange(len(values)) - np.repeat(start[:-1], np.diff(start))
    top = np.repeat(reduce(np.fmax, values, start), np.diff(start))
    first = reduce(np.minimum, np.where(values >= top, at, len(values)), start)
    return first / np.maximum(np.diff(start) - 1, 1)


def longest_run(chosen: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(rows,) length of the longest run of chosen positions."""
    at = np.arange(1, len(chosen) + 1)
    barrier = np.where(chosen, 0, at)
    begins = start[:-1][np.diff(start) > 0]
    barrier[begins] = np.maximum(barrier[begins], begins)  # a run ends with its row
    return reduce(np.maximum, np.where(chosen, at - np.maximum.accumulate(barrier), 0), start)


def greatest(values: np.ndarray, start: np.ndarray, most: int) -> list[np.ndarray]:
    """The greatest value of each row, the second greatest, … (rows,) each; a short row's least stands for the rest."""
    order = np.lexsort((-values, rows_of(start)))
    lengths = np.diff(start)
    full = lengths > 0
    found = []
    for rank in range(most):
        best = np.zeros(len(lengths))
        best[full] = values[order[start[:-1][full] + np.minimum(rank, lengths[full] - 1)]]
        found.append(best)
    return found


def moments(values: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, standard deviation, least and greatest value of each row."""
    middle, spread = mean_std(values, start)
    least, most = reduce(np.fmin, values, start), reduce(np.fmax, values, start)
    return {"mean": middle, "std": spread, "min": least, "max": most}
