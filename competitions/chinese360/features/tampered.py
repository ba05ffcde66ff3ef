"""Tampered: features that show which articles a machine tampered with."""

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import validator
from kit.features.base import Features
from kit.rows import join_text
from kit.source import Source
from kit.task import Task
from kit.text.segment import Segmenter
from kit.text.sequences import FIRST, VERSION, sequences

Group = Literal["surprisal", "exchange", "coherence", "order", "repeat", "sign", "title", "word", "tag"]


class Tampered(Features):
    """Exchanged characters, clause order, odd sentences, repeats, signs, surprisal: what tampering leaves behind.

    They are computed from all rows of the competition, train and test, so that a row alone has none: predict train
    rows and test rows from one source. The surprisal of characters is left out by default; trees did better without it.
    """

    version = 2
    alone = False

    column: str = Field("content", description="text column that may be tampered with")
    title: str | None = Field("title", description="column with titles, compared with the text; none: there are none")
    segmenter: Segmenter | None = Field(None, description="what finds words and tags; none: characters alone")
    groups: tuple[Group, ...] = Field(
        ("exchange", "coherence", "order", "repeat", "sign", "title", "word"),
        min_length=1,
        description="what is looked at; surprisal: of characters; word, tag: surprisal of words, statistics of tags",
    )
    spread: bool = Field(False, description="the least and the spread over windows of every surprisal too")

    @validator(mode="after")
    def _check(self) -> Self:
        if "tag" in self.groups and self.segmenter is None:
            raise ValueError("groups: tag looks at parts of speech; name a segmenter")
        seen = {*self.groups} - {*([] if self.title else ["title"]), *([] if self.segmenter else ["word"])}
        if not seen:
            raise ValueError(f"groups = {self.groups}: what these look at, title or segmenter, is none")
        if self.spread and seen.isdisjoint(("surprisal", "word", "tag")):
            raise ValueError("spread is that of a surprisal; name surprisal in groups, or a segmenter and word or tag")
        return self

    def key(self) -> Any:
        return [self.identity(), self.segmenter and [VERSION, self.segmenter.key()]]

    def compute(self, source: Source, task: Task) -> np.ndarray:
        from competitions.chinese360.features.tampering import Units, tampering_features

        for column in (self.column, self.title):
            if column is not None and column not in source.frame.columns:
                raise KitError(f"Tampered: there is no column '{column}'; there are: {', '.join(source.frame.columns)}")
        units: dict[str, Units | None] = {"word": None, "tag": None}
        if self.segmenter is not None and not units.keys().isdisjoint(self.groups):
            found = sequences(source, (self.column,), self.segmenter)
            for name in units.keys() & {*self.groups}:
                ids = np.maximum(np.asarray(found.ids[f"{name}s"]) - FIRST + 1, 0)  # from 0, which is what is unknown
                units[name] = Units(ids, found.start, np.asarray(found.sentence))
        texts, titles = (join_text(source.frame, [name]) if name else None for name in (self.column, self.title))
        assert texts is not None
        return tampering_features(texts, titles, units["word"], units["tag"], self.groups, self.spread)[1]
