"""Phrases of error sentences: some of many values, how many there are."""

from collections.abc import Iterable, Sequence


def some(values: Iterable[object], most: int = 5) -> str:
    """The first values, and how many there are in all where there are more."""
    shown = [str(v) for v in values]
    return ", ".join(shown[:most]) + (f" … ({len(shown)})" if len(shown) > most else "")


def occurring(values: Sequence[object], noun: str) -> str:
    """How many there are of something, as the beginning of a sentence: `2 ids occur`."""
    return f"1 {noun} occurs" if len(values) == 1 else f"{len(values)} {noun}s occur"
