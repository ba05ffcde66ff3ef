"""Counts and shares that describe how a text is written rather than what it says."""

import re
from collections import Counter

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.features.base import Features
from kit.rows import Rows, join_text
from kit.source import Source
from kit.task import Task

_WORD = re.compile(r"\w+")
_RUN = re.compile(r"(.)\1{2,}", re.DOTALL)
_MASKED = re.compile(r"\w[*@#$%!]+\w")
_END = re.compile(r"[.!?…。！？]+")  # "?!" and "..." end one sentence
_LINK = re.compile(r"https?://|(?<!://)\bwww\.")
_COUNTED = {"exclamation": "!", "question": "?", "comma": ",", "period": ".", "quote": '"', "newline": "\n", "at": "@"}


def text_statistics(texts: list[str]) -> pd.DataFrame:
    """One row a text, float32 columns: lengths, shares of capitals, digits and signs, repetition, word statistics.

    An empty text has zeros everywhere.
    """
    return pd.DataFrame([_statistics(text) for text in texts], dtype=np.float32)


def _statistics(text: str) -> dict[str, float]:
    words = _WORD.findall(text)
    size, count = max(1, len(text)), max(1, len(words))
    lengths = [len(w) for w in words] or [0]
    runs = [len(m.group()) for m in _RUN.finditer(text)]
    counts = Counter(w.casefold() for w in words)
    signs = {f"{name}_share": text.count(sign) / size for name, sign in _COUNTED.items()}
    return {
        "characters": len(text),
        "words": len(words),
        "lines": text.count("\n") + (text != ""),
        "sentences": len(_END.findall(text)),
        "upper_share": sum(map(str.isupper, text)) / size,
        "digit_share": sum(map(str.isdigit, text)) / size,
        "space_share": sum(map(str.isspace, text)) / size,
        "sign_share": sum(not (c.isalnum() or c.isspace()) for c in text) / size,
        "non_ascii_share": (0 if text.isascii() else sum(c > "\x7f" for c in text)) / size,
        **signs,
        "exclamations": text.count("!"),
        "word_length_mean": sum(lengths) / count,
        "word_length_max": max(lengths),
        "shouted_share": sum(w.isupper() and len(w) > 1 for w in words) / count,
        "title_share": sum(map(str.istitle, words)) / count,
        "distinct_share": len(counts) / count,
        "most_repeated": max(counts.values(), default=0),
        "run_longest": max(runs, default=0),
        "runs": len(runs),
        "masked_words": len(_MASKED.findall(text)),
        "links": len(_LINK.findall(text)),
        "you_share": sum(counts[w] for w in ("you", "your", "u", "ur")) / count,
        "i_share": sum(counts[w] for w in ("i", "me", "my")) / count,
    }


class TextStatistics(Features):
    """How a text is written rather than what it says: lengths, shares of signs, repetition."""

    version = 2

    def check(self, task: Task) -> None:
        if not task.text:
            raise KitError(f"TextStatistics reads text, and task '{task.name}' names no text column; leave it out")

    def names(self, rows: Rows) -> list[str]:
        return [f"{name} of the text" for name in _statistics("")]

    def compute(self, source: Source, task: Task) -> np.ndarray:
        return text_statistics(join_text(source.frame, task.text)).to_numpy()
