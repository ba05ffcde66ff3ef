"""Parallel sequences of units (words or characters) and tags, made once from every row's text."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from kit.core.spec import digest
from kit.core.threads import threads
from kit.rows import join_text
from kit.source import Arrays, Named, Source
from kit.text.chinese import normalise, sentences
from kit.text.grams import string_arrays, string_list
from kit.text.segment import Segmenter

VERSION = 1  # raise it when normalise, sentences or the code here changes its results
UNKNOWN, FIRST = 1, 2  # ids, after 0 for padding; FIRST is that of the most frequent unit
PLACES = "BMES"  # of a character in its word: first, between, last, alone
CHUNK = 2**20  # words handled together: bounds memory


@dataclass(frozen=True)
class Sequences:
    """Parallel sequences of many rows, in flat arrays.

    Id 0 is padding, 1 unknown, 2 + rank any other unit, so a vocabulary of the n most frequent units is `id < 2 + n`.

    Attributes:
        ids: name → (total,) int32, all rows one after another: "words" and "tags"; or "characters", "tags" (of the
            character's word) and "places" (in its word: B first, M between, E last, S alone).
        start: (n + 1,) where each row starts; the last entry is `total`. No row is empty.
        sentence: (total,) int32 number of the unit's sentence within its row, from 0.
        units: name → the distinct units of all rows, most frequent first, then in sorted order.
    """

    ids: dict[str, np.ndarray]
    start: np.ndarray
    sentence: np.ndarray
    units: dict[str, list[str]]


def sequences(
    source: Source,
    columns: tuple[str, ...],
    segmenter: Segmenter,
    level: Literal["words", "characters"] = "words",
    simplify: bool = False,
) -> Sequences:
    """Every row of `source`, normalised, split into sentences and words, and numbered; computed once.

    Both levels use one segmentation, which runs in `threads()` processes. After a kill it continues with the blocks of
    rows that were not finished.

    Args:
        columns: text columns, joined as `kit.rows.join_text` does; a row without text is one unknown unit.
        simplify: see `normalise`.
    """
    name = f"words-{digest([VERSION, list(columns), segmenter.key(), simplify])[:16]}"
    compute = partial(_segment, columns=columns, segmenter=segmenter, simplify=simplify)
    arrays = source.blocks(name, compute, _numbered, processes=threads() if segmenter.processes else 1)
    if level == "characters":
        words = arrays
        arrays = source.once(f"characters-{name}", lambda _: _characters(words))
    names = [key.removesuffix("_letters") for key in arrays if key.endswith("_letters")]
    units = {key: string_list(arrays[f"{key}_letters"], arrays[f"{key}_lengths"]) for key in names}
    return Sequences({key: arrays[key] for key in names}, arrays["start"], arrays["sentence"], units)


def _segment(frame: pd.DataFrame, columns: tuple[str, ...], segmenter: Segmenter, simplify: bool) -> Arrays:
    """A block of rows: ids in the block's own tables, -1 for the unit of an empty row."""
    rows = [sentences(normalise(text, simplify)) for text in join_text(frame, columns)]
    cut = iter(segmenter.cut([sentence for row in rows for sentence in row]))
    words: dict[str, int] = {}
    tags: dict[str, int] = {}
    word_ids: list[int] = []
    tag_ids: list[int] = []
    sentence, length = [], []
    for row in rows:
        begin, number = len(word_ids), 0
        for _ in row:
            pairs = next(cut)
            word_ids += [words.setdefault(word, len(words)) for word, _ in pairs]
            tag_ids += [tags.setdefault(tag, len(tags)) for _, tag in pairs]
            sentence += [number] * len(pairs)
            number += bool(pairs)
        if not number:
            word_ids.append(-1)
            tag_ids.append(-1)
            sentence.append(0)
        length.append(len(word_ids) - begin)
    integers = {"words": word_ids, "tags": tag_ids, "sentence": sentence, "length": length}
    return {key: np.array(value, np.int32) for key, value in integers.items()} | _table(words=[*words], tags=[*tags])


def _table(**units: list[str]) -> Arrays:
    table = {}
    for name, strings in units.items():
        table[f"{name}_letters"], table[f"{name}_lengths"] = string_arrays(strings)
    return table


def _numbered(blocks: Iterable[Arrays]) -> Named:
    """Ids over all rows."""
    for name in ("words", "tags"):
        counts: Counter[str] = Counter()
        for block in blocks:
            units = string_list(block[f"{name}_letters"], block[f"{name}_lengths"])
            held = np.bincount(block[name][block[name] >= 0], minlength=len(units))
            counts.update(dict(zip(units, held.tolist(), strict=True)))
        ids = _by_frequency(counts)
        parts = []
        for block in blocks:
            units = string_list(block[f"{name}_letters"], block[f"{name}_lengths"])
            parts.append(_lookup(units, ids)[block[name]])
        yield name, np.concatenate(parts)
        yield from _table(**{name: [*ids]}).items()
    yield "start", np.cumsum(np.concatenate([[0], *(block["length"] for block in blocks)]), dtype=np.int64)
    yield "sentence", np.concatenate([block["sentence"] for block in blocks])


def _by_frequency(counts: Mapping[str, int]) -> dict[str, int]:
    """Unit → id."""
    units = sorted((unit for unit in counts if counts[unit]), key=lambda unit: (-counts[unit], unit))
    return {unit: i for i, unit in enumerate(units, FIRST)}


def _lookup(units: list[str], ids: dict[str, int]) -> np.ndarray:
    """(units + 1,) the id of each unit; the last, at -1, is the unknown unit."""
    return np.array([*(ids.get(unit, UNKNOWN) for unit in units), UNKNOWN], np.int32)


def _renumbered(units: list[str], counts: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """`_lookup` of the units by these counts, and the units in the order of their ids."""
    ids = _by_frequency(dict(zip(units, counts.astype(np.int64).tolist(), strict=True)))
    return _lookup(units, ids), [*ids]


def _characters(arrays: Arrays) -> Arrays:
    """The result of `_numbered`, at the level of characters."""
    words, tags, start = arrays["words"], arrays["tags"], arrays["start"]
    tag_units = string_list(arrays["tags_letters"], arrays["tags_lengths"])
    # tables of words by rank and of their characters; the last, at -1, is the unknown word with its one character
    length = np.append(arrays["words_lengths"], 1).astype(np.int64)
    begin = np.cumsum(length) - length
    place = np.full(length.sum(), PLACES.index("M"))
    place[begin + length - 1], place[begin] = PLACES.index("E"), PLACES.index("B")
    place[begin[length == 1]] = PLACES.index("S")

    held, tagged = np.zeros(len(length) - 1 + FIRST, np.int64), np.zeros(len(tag_units) + FIRST)
    for a in range(0, len(words), CHUNK):
        some = words[a : a + CHUNK]
        held += np.bincount(some, minlength=len(held))
        tagged += np.bincount(tags[a : a + CHUNK], length[some - FIRST], len(tagged))
    weight = np.repeat(held[FIRST:], length[:-1])  # times that each character of a word occurs in it
    alphabet, number = np.unique(arrays["words_letters"], return_inverse=True)
    lookup, units = {}, {}
    known = np.bincount(number, weight, len(alphabet))
    lookup["characters"], units["characters"] = _renumbered([chr(code) for code in alphabet], known)
    lookup["tags"], units["tags"] = _renumbered(tag_units, tagged[FIRST:])
    lookup["places"], units["places"] = _renumbered([*PLACES], np.bincount(place[:-1], weight, len(PLACES)))
    character_id = lookup["characters"][np.append(number, -1)]
    place_id = lookup["places"][np.append(place[:-1], -1)]

    total = int(weight.sum() + held[UNKNOWN])
    made = {name: np.empty(total, np.int32) for name in ("characters", "tags", "places", "sentence")}
    made["start"] = np.full(len(start), total)
    at = 0
    for a in range(0, len(words), CHUNK):
        word = words[a : a + CHUNK] - FIRST
        size = length[word]
        starts = at + np.cumsum(size) - size
        end = at + int(size.sum())
        letter = np.repeat(begin[word] - starts, size) + np.arange(at, end)
        made["characters"][at:end], made["places"][at:end] = character_id[letter], place_id[letter]
        made["tags"][at:end] = np.repeat(lookup["tags"][tags[a : a + CHUNK] - FIRST], size)
        made["sentence"][at:end] = np.repeat(arrays["sentence"][a : a + CHUNK], size)
        first, last = np.searchsorted(start, [a, a + len(word)])
        made["start"][first:last] = starts[start[first:last] - a]
        at = end
    return made | _table(**units)
