"""What rows share with others and repeat within themselves: sentences, clauses, runs of characters, titles."""

import re
from collections.abc import Sequence
from itertools import islice

import numpy as np

from competitions.chinese360.features import ragged
from competitions.chinese360.features.ngrams import levels
from competitions.chinese360.features.pieces import clauses, sentences

SHINGLE = 10  # characters of a run that counts as shared
SHORTEST = 8  # letters and digits of a piece that counts as repeated
_LETTERS = re.compile(r"\w+")


def normalised(piece: str) -> str:
    """A sentence without signs and blanks, capitals folded."""
    return "".join(_LETTERS.findall(piece)).casefold()


def numbered(texts: Sequence[str], start: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """(pieces,) the same number for the same normalised piece; -1 where it is shorter than `SHORTEST`."""
    text = "".join(texts)
    numbers: dict[str, int] = {}
    keys = [normalised(text[a:b]) for a, b in zip(pieces[:-1].tolist(), pieces[1:].tolist(), strict=True)]
    return np.array([numbers.setdefault(k, len(numbers)) if len(k) >= SHORTEST else -1 for k in keys], np.int64)


def repeat_features(texts: Sequence[str], letters: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    """How rows repeat other rows and themselves."""
    features: dict[str, np.ndarray] = {}
    for name, pieces in ("sentence", sentences(letters, start)), ("clause", clauses(letters, start)):
        number = numbered(texts, start, pieces)
        features |= {f"{name}_{k}": v for k, v in piece_features(number, pieces, start).items()}
    return features | shingle_features(letters, start)


def piece_features(number: np.ndarray, pieces: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    """Of numbered pieces: those that other rows have too, and those that the row has twice."""
    per_row = np.searchsorted(pieces, start)
    row = ragged.rows_of(per_row)
    length = np.diff(pieces)
    own, others = occurrences(number, row)
    shared = others > 0
    alone = shared & ~_beside(shared, per_row)
    size = np.maximum(np.diff(start), 1)
    return {
        "shared": ragged.reduce(np.add, shared, per_row),
        "shared_alone": ragged.reduce(np.add, alone, per_row),  # its neighbours are not shared: perhaps planted
        "shared_cover": ragged.reduce(np.add, shared * length, per_row) / size,
        "shared_most": ragged.reduce(np.maximum, others, per_row),
        "shared_first": ragged.place_of_max(shared.astype(np.int8), per_row),
        "shared_last": ragged.reduce(np.maximum, np.where(shared, pieces[1:] - start[row], 0), per_row) / size,
        "twice": ragged.reduce(np.add, own > 1, per_row),
        "twice_cover": ragged.reduce(np.add, (own > 1) * length, per_row) / size,
        "twice_beside": ragged.reduce(np.add, _same_as_last(number, row), per_row),
    }


def occurrences(number: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pieces,) times that each piece occurs in its own row and in the others; 0 for number -1."""
    known = number >= 0
    total = np.bincount(number[known], minlength=1)
    _, inverse, counts = np.unique(
        number * (int(row.max(initial=0)) + 1) + row, return_inverse=True, return_counts=True
    )
    own = np.where(known, counts[inverse], 0)
    return own, np.where(known, total[number] - own, 0)


def _same_as_last(number: np.ndarray, row: np.ndarray) -> np.ndarray:
    same = np.zeros(len(number), bool)
    same[1:] = (number[1:] == number[:-1]) & (row[1:] == row[:-1]) & (number[1:] >= 0)
    return same


def _beside(chosen: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Whether the piece before or after, in the same row, is chosen."""
    row = ragged.rows_of(start)
    same = row[1:] == row[:-1]
    beside = np.zeros(len(chosen), bool)
    beside[1:] = chosen[:-1] & same
    beside[:-1] |= chosen[1:] & same
    return beside


def shingle_features(letters: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    """How much of a row is covered by runs of `SHINGLE` characters that other rows have, and by how many rows."""
    rows = len(start) - 1
    ends = np.zeros(len(letters) + 1, np.int32)
    partners, best = np.zeros((2, rows))
    level = next(islice(levels(letters, start), SHINGLE - 1, None), None)
    if level is not None:
        shared = level.others > 0
        at, partner = level.at[shared], level.partners(start)[shared]
        np.add.at(ends, at, 1)
        np.add.at(ends, at + SHINGLE, -1)
        pairs, counts = np.unique(ragged.rows_of(start)[at] * np.int64(rows) + partner, return_counts=True)
        np.add.at(partners, pairs // rows, 1)
        np.maximum.at(best, pairs // rows, counts)
    covered = np.cumsum(ends[:-1]) > 0
    change = np.zeros(len(letters), bool)
    change[1:] = covered[1:] != covered[:-1]
    change[start[:-1][start[:-1] < len(letters)]] = False
    return {
        "covered": ragged.mean(covered, start),
        "covered_run": ragged.longest_run(covered, start),
        "bare_run": ragged.longest_run(~covered, start),
        "covered_switches": ragged.reduce(np.add, change, start),
        "partners": partners,
        "partner_share": best / np.maximum(np.diff(start), 1),
    }


def title_features(titles: Sequence[str], texts: Sequence[str]) -> dict[str, np.ndarray]:
    """How the title stands to the text, of which it often is the beginning."""
    rows = [_title(title.strip('" '), text.strip('" ')) for title, text in zip(titles, texts, strict=True)]
    return {name: np.array([row[name] for row in rows], float) for name in _title("", "")}


def _title(title: str, text: str) -> dict[str, float]:
    place = text.find(title)
    same = next((i for i, (a, b) in enumerate(zip(title, text, strict=False)) if a != b), min(len(title), len(text)))
    after = text[same : same + 1] if place == 0 else ""
    pairs = {title[i : i + 2] for i in range(len(title) - 1)}
    head = text[: len(title) + 4]
    return {
        "length": len(title),
        "place": place / max(len(text), 1),
        "prefix": same / max(len(title), 1),
        "pairs": sum(p in text for p in pairs) / max(len(pairs), 1),
        "head_pairs": sum(p in head for p in pairs) / max(len(pairs), 1),
        "times": text.count(title) if title else 0,
        "ends_clause": float(after != "" and not after.isalnum()),
    }
