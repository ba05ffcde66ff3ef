"""Tampered: features that tell articles which a machine tampered with."""

import numpy as np
from pydantic import Field

from kit.data import Source, Task, join_text
from kit.features.base import Features
from kit.spec import KitError
from kit.text.segment import Segmenter
from kit.text.sequences import FIRST, sequences


class Tampered(Features):
    """Surprisal, exchanged characters, clause order, odd sentences, repeats, signs: what tampering leaves behind.

    They are told from all rows of the competition, train and test, so that a row alone has none: predict train rows and
    test rows from one source.
    """

    column: str = Field("content", description="text column that may be tampered with")
    title: str | None = Field(
        "title", description="text column with titles, compared with the text; none: there are none"
    )
    segmenter: Segmenter | None = Field(None, description="what finds words and tags; none: characters alone")

    def compute(self, source: Source, task: Task) -> np.ndarray:
        from kit.features.tampering import Units, tampering_features

        for column in (self.column, self.title):
            if column is not None and column not in source.frame.columns:
                raise KitError(f"Tampered: there is no column '{column}'; there are: {', '.join(source.frame.columns)}")
        words = tags = None
        if self.segmenter is not None:
            found = sequences(source, task.text, self.segmenter)
            words, tags = (
                # numbers from 0, which is what is unknown
                Units(np.maximum(np.asarray(found.ids[name]) - FIRST + 1, 0), found.start, np.asarray(found.sentence))
                for name in ("words", "tags")
            )
        titles = join_text(source.frame, [self.title]) if self.title else None
        return tampering_features(join_text(source.frame, [self.column]), titles, words, tags)[1]
