"""Counts and surprisal with a row's own part taken out, against a version that counts the other rows again."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from competitions.chinese360.features import ragged
from competitions.chinese360.features.clause_order import share_elsewhere
from competitions.chinese360.features.ngrams import NgramCounts, bounded, characters, elsewhere, levels
from competitions.chinese360.features.surprisal import STRENGTH, surprisal, surprisal_features


def corpus(rows: int = 12, kinds: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 14, rows)
    lengths[3] = 0
    return rng.integers(0, kinds, lengths.sum()).astype(np.int32), ragged.starts(lengths)


def rows_of(ids: np.ndarray, start: np.ndarray) -> list[list[int]]:
    return [ids[a:b].tolist() for a, b in pairwise(start)]


def grams(row: list[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(row[i : i + n]) for i in range(len(row) - n + 1)]


@pytest.mark.parametrize("kinds", [2, 40])
def test_counts_are_those_of_the_other_rows(kinds: int) -> None:
    ids, start = corpus(kinds=kinds)
    rows = rows_of(ids, start)
    for n, found in enumerate(elsewhere(ids, start, 5), 1):
        for i, row in enumerate(rows):
            others = Counter(g for j, other in enumerate(rows) if j != i for g in grams(other, n))
            expected = [others[g] for g in grams(row, n)]
            assert found[start[i] : start[i + 1]].tolist() == expected + [0] * (len(row) - len(expected))


def test_a_partner_is_another_row_with_the_same_run() -> None:
    ids, start = corpus()
    rows, row = rows_of(ids, start), ragged.rows_of(start)
    for n, level in enumerate(levels(ids, start), 1):
        for at, others, partner in zip(level.at, level.others, level.partners(start), strict=True):
            assert not others or (partner != row[at] and tuple(ids[at : at + n]) in grams(rows[partner], n))
    assert n >= 3


def test_a_table_counts_any_ngram() -> None:
    ids, start = corpus()
    for n in (1, 2, 3):
        counts = Counter(g for row in rows_of(ids, start) for g in grams(row, n))
        asked = np.stack(np.meshgrid(*[np.arange(4)] * n), axis=-1).reshape(-1, n)
        table = NgramCounts(ids, start, n)
        assert table.count(table.keys(asked)).tolist() == [counts[tuple(g)] for g in asked.tolist()]


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("backward", [False, True])
def test_surprisal_is_that_of_a_model_of_the_other_rows(order: int, backward: bool) -> None:
    ids, start = corpus()
    found = surprisal(ids, start, order)
    step = -1 if backward else 1
    rows = [["<", *row, ">"][::step] for row in rows_of(ids, start)]
    for i, row in enumerate(rows):
        others = [row for j, row in enumerate(rows) if j != i]
        bits = [-np.log2(naive(others, tuple(row[max(0, k - order + 1) : k]), row[k])) for k in range(1, len(row))]
        edge, bits = bits[-1], bits[:-1][::step]
        side = found.backward if backward else found.forward
        assert side[-1][start[i] : start[i + 1]] == pytest.approx(bits, rel=1e-4)
        assert (found.begin if backward else found.end)[i] == pytest.approx(edge, rel=1e-4)


def naive(rows: list[list], context: tuple, symbol: object) -> float:
    """P(symbol | context) of MacKay and Peto's model, counted anew; the first symbol of a row is given, not predicted."""
    alphabet = 5  # four kinds and the edge that is predicted
    if context:
        lower = naive(rows, context[1:], symbol)
        n = len(context)
        seen = [row[k] for row in rows for k in range(n, len(row)) if tuple(row[k - n : k]) == context]
    else:
        lower = 1 / alphabet
        seen = [s for row in rows for s in row[1:]]
    return (seen.count(symbol) + STRENGTH * lower) / (len(seen) + STRENGTH)


def test_probabilities_sum_to_one() -> None:
    """Every symbol in turn as the last of an otherwise equal row: its model is the same, and so is the context."""
    ids, start = corpus()
    total = 0.0
    for last in (0, 1, 2, 3, None):
        row = [1, 2, *([] if last is None else [last])]
        found = surprisal(np.append(ids, row).astype(np.int32), np.append(start, start[-1] + len(row)), 3)
        total += 2.0 ** -float(found.end[-1] if last is None else found.forward[-1][-1])
    assert total == pytest.approx(1, rel=1e-5)


def test_statistics_of_rows_against_loops() -> None:
    rng = np.random.default_rng(1)
    start = ragged.starts(np.array([3, 0, 7, 1, 20]))
    values = rng.random(31).astype(np.float32)
    rows = [values[a:b] for a, b in pairwise(start)]

    def each(function: Callable[[np.ndarray], float]) -> list[float]:
        return [float(function(row)) if len(row) else 0.0 for row in rows]

    def windows(row: np.ndarray) -> list[float]:
        return [float(row[i : i + 4].mean()) for i in range(max(1, len(row) - 3))]

    def run(row: np.ndarray) -> int:
        return max(map(len, "".join(".x"[int(v > 0.4)] for v in row).split(".")))

    found = ragged.moments(values, start)
    assert found["mean"] == pytest.approx(each(np.mean), rel=1e-5)
    assert found["std"] == pytest.approx(each(np.std), rel=1e-5, abs=1e-6)
    assert found["min"] == pytest.approx(each(min)) and found["max"] == pytest.approx(each(max))
    assert ragged.quantiles(values, start, (0.5,))[:, 0] == pytest.approx(
        each(lambda row: sorted(row)[round((len(row) - 1) * 0.5)]), rel=1e-5
    )
    means = ragged.windows(values, start, 4)
    assert ragged.reduce(np.fmax, means, start) == pytest.approx(each(lambda row: max(windows(row))), rel=1e-5)
    assert ragged.place_of_max(means, start) == pytest.approx(
        each(lambda row: np.argmax(windows(row)) / max(len(row) - 1, 1)), rel=1e-5
    )
    assert ragged.longest_run(values > 0.4, start).tolist() == each(run)
    second = ragged.greatest(values, start, 2)[1]
    assert second == pytest.approx(each(lambda row: sorted(row)[-min(2, len(row))]), rel=1e-5)


def test_least_and_spread_of_windows_against_loops() -> None:
    rng = np.random.default_rng(3)
    start = ragged.starts(np.array([3, 0, 7, 60]))
    ids = rng.integers(0, 5, 70).astype(np.int32)
    found = surprisal(ids, start, 2)
    plain = surprisal_features(found, start, start[[0, 1, 3, 4]])
    features = surprisal_features(found, start, start[[0, 1, 3, 4]], spread=True)
    assert [name for name in features if name not in plain] == [
        f"{kind}_{size}_{what}" for kind in ("both", "loss") for size in (4, 16, 48) for what in ("min", "std")
    ]
    both = (found.forward[-1] + found.backward[-1]) / 2
    for size in (4, 16, 48):
        for row, (a, b) in enumerate(pairwise(start)):
            means = [both[i : min(i + size, b)].mean() for i in range(a, max(a + 1, b - size + 1))] if b > a else [0]
            assert features[f"both_{size}_min"][row] == pytest.approx(min(means), rel=1e-5)
            assert features[f"both_{size}_std"][row] == pytest.approx(np.std(means), abs=1e-5)


def test_shares_elsewhere_against_counting_again() -> None:
    rng = np.random.default_rng(2)
    letters, row = rng.integers(1, 4, (2, 60)), np.sort(rng.integers(0, 8, 60))
    chosen = rng.random(60) < 0.4
    found = share_elsewhere(letters, chosen, row)
    for i in range(60):
        p = (chosen.sum() + 1) / 62
        for n in (1, 2):
            same = (row != row[i]) & (letters[:n] == letters[:n, i : i + 1]).all(axis=0)
            p = (chosen[same].sum() + 2 * p) / (same.sum() + 2)
        assert found[i] == pytest.approx(np.log(p / (1 - p)))


def test_a_strange_run_shows_where_it_is() -> None:
    texts = ["abcd" * 12 + "." + "abcd" * 12 + "." for _ in range(6)]
    texts[2] = texts[2][:70] + "qzxw" + texts[2][70:]
    ids, start = characters(texts)
    pieces = np.sort(np.concatenate([start, np.flatnonzero(ids == ord("."))[::2] + 1]))
    features = surprisal_features(surprisal(ids, start), start, pieces)
    assert features["both_4_place"][2] == pytest.approx(70 / 101, abs=0.02)
    for name in ("both_max", "both_4_max", "both_sentence_max", "unseen_1", "unseen_2_run"):
        assert np.argmax(features[name]) == 2, name
    assert features["unseen_1_run"].tolist() == [0, 0, 4, 0, 0, 0]


def test_rows_are_bounded_and_no_ngram_leaves_its_row() -> None:
    symbols, longer = bounded(np.array([7, 9, 9], np.int32), np.array([0, 1, 1, 3]))
    assert symbols.tolist() == [0, 2, 1, 0, 1, 0, 3, 3, 1] and longer.tolist() == [0, 3, 5, 9]
