"""Tampered: features that tell articles which a machine tampered with."""

import numpy as np
from pydantic import Field

from kit.data import Source, Task, join_text
from kit.features.base import Features
from kit.spec import KitError
from kit.text.segment import Segmenter
from kit.text.sequences import FIRST, sequences


class Tampered(Features):
    """Exchanged characters, clause order, odd sentences, repeats, signs, word surprisal: what tampering leaves behind.

    They are told from all rows of the competition, train and test, so that a row alone has none: predict train rows and
    test rows from one source. The surprisal of characters is left out; trees did better without it.
    """

    column: str = Field("content", description="text column that may be tampered with")
    title: str | None = Field("title", description="column with titles, compared with the text; none: there are none")
    segmenter: Segmenter | None = Field(None, description="what finds words; none: characters alone")

    def compute(self, source: Source, task: Task) -> np.ndarray:
        from kit.features.tampering import GROUPS, Units, tampering_features

        for column in (self.column, self.title):
            if column is not None and column not in source.frame.columns:
                raise KitError(f"Tampered: there is no column '{column}'; there are: {', '.join(source.frame.columns)}")
        words = None
        if self.segmenter is not None:
            found = sequences(source, (self.column,), self.segmenter)
            ids = np.maximum(np.asarray(found.ids["words"]) - FIRST + 1, 0)  # from 0, which is what is unknown
            words = Units(ids, found.start, np.asarray(found.sentence))
        texts, titles = (join_text(source.frame, [name]) if name else None for name in (self.column, self.title))
        assert texts is not None
        groups = tuple(group for group in GROUPS if group != "surprisal")
        return tampering_features(texts, titles, words, groups=groups)[1]
