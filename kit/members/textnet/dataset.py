"""SequenceDataset: rows as ids of their words or characters, by a vocabulary of all rows known."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from kit.core.files import write_json
from kit.members.network.dataset import Dataset
from kit.rows import Rows
from kit.source import Source
from kit.text.padded import FlatInputs, SentenceInputs
from kit.text.segment import Segmenter
from kit.text.sequences import FIRST, UNKNOWN, Sequences, sequences
from kit.train.lengths import Inputs


class SequenceDataset(Dataset):
    """Rows as ids of their words or characters.

    Args:
        columns: names of the text columns.
        segmenter: how a text becomes words and tags.
        vocabulary: sequence → the units known, by their id from `FIRST`; the first sequence is words or characters.
        simplify: traditional Chinese becomes simplified.
        length: units a row at most.
        both_ends: of longer rows both ends are kept, not the beginning.
        backwards: rows are read from their end.
        sentences: sentences a row and words a sentence at most, for networks of sentences; None: words in a row.
        width: of the vectors of the first sequence.

    Attributes:
        vectors: pretrained ones (units + FIRST, width) of the first sequence; None: they begin at random. Neither
            saved nor pickled: who reads rows elsewhere builds no body.
    """

    def __init__(
        self,
        columns: tuple[str, ...],
        segmenter: Segmenter,
        vocabulary: dict[str, list[str]],
        simplify: bool = False,
        length: int = 256,
        both_ends: bool = False,
        backwards: bool = False,
        sentences: tuple[int, int] | None = None,
        width: int = 100,
    ) -> None:
        self.columns, self.segmenter, self.vocabulary, self.simplify = columns, segmenter, vocabulary, simplify
        self.length, self.both_ends, self.backwards, self.sentences = length, both_ends, backwards, sentences
        self.width = width
        self.vectors: np.ndarray | None = None
        self._ids: dict[str, dict[str, int]] = {}  # kept, as augmented texts are read a batch at a time

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"vectors": None, "_ids": {}}

    def learn(self, rows: Rows, most: int, min_count: int, of_train: bool = False) -> Self:
        """Learns the vocabulary of every row known, each counted once, whatever views of it there are; gives itself.

        Args:
            rows: their source counts.
            of_train: a unit that none of these rows has is unknown, however frequent it is in the others. Where vectors
                begin at random nothing can be learnt of it, and its vector would stay random.
        """
        found = self.originals(rows.source)
        rows_read = np.isin(np.arange(rows.source.originals), rows.at % rows.source.originals)
        read = np.repeat(rows_read, np.diff(found.start)) if of_train else slice(None)
        for i, name in enumerate(self.vocabulary):
            units = found.units[name]
            count = np.bincount(found.ids[name], minlength=len(units) + FIRST)[FIRST:].tolist()
            seen = np.zeros(len(units) + FIRST, dtype=bool)
            seen[found.ids[name][read]] = True
            least = 1 if i else min_count
            often = [at for at, times in enumerate(count) if times >= least and seen[at + FIRST]]
            often.sort(key=lambda at: (-count[at], units[at]))  # their own order counts the views of rows, too
            self.vocabulary[name] = [units[at] for at in (often if i else often[:most])]
        self._ids = {}
        return self

    def inputs(self, rows: Rows) -> Inputs:
        found = self._sequences(rows.source)
        self._ids = self._ids or {name: ids_of(known) for name, known in self.vocabulary.items()}
        tables = {name: id_table(found.units[name], ids) for name, ids in self._ids.items()}
        if self.sentences:
            return SentenceInputs(found, tables, *self.sentences, self.both_ends)
        return FlatInputs(found, tables, self.length, self.both_ends, self.backwards)

    def save(self, folder: Path) -> None:
        units = list(self.vocabulary.values())
        write_json(folder / "units.json", {"columns": self.columns, "units": units, "width": self.width})

    def originals(self, source: Source) -> Sequences:
        """The sequences of the source's own rows, without its views of them."""
        found, n = self._sequences(source), source.originals
        end = found.start[n]
        ids = {name: flat[:end] for name, flat in found.ids.items()}
        return replace(found, ids=ids, start=found.start[: n + 1], sentence=found.sentence[:end])

    def _sequences(self, source: Source) -> Sequences:
        words = next(iter(self.vocabulary)) == "words"
        return sequences(source, self.columns, self.segmenter, "words" if words else "characters", self.simplify)


def ids_of(known: list[str]) -> dict[str, int]:
    """The id of each known unit."""
    return {unit: i for i, unit in enumerate(known, FIRST)}


def id_table(units: list[str], ids: dict[str, int]) -> np.ndarray:
    """(units + FIRST,) the id that each of some units has among the known ones, `UNKNOWN` where it is none of them."""
    return np.array([0, UNKNOWN, *(ids.get(unit, UNKNOWN) for unit in units)])
