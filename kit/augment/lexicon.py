"""Lexicons: files that list, for a word, others that may stand for it."""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from kit.files import write_text
from kit.spec import KitError


class Lexicon(dict[str, tuple[str, ...]]):
    """Word → words that may stand for it; `lengths` has, for a character, those of words that it begins, long first."""

    lengths: dict[str, tuple[int, ...]]


def lexicon(path: str) -> Lexicon:
    """Word → words that may stand for it, from a UTF-8 file; read once, and again when the file changes.

    Lines are `word<TAB>synonym,synonym`, empty ones and those that begin with # are passed over; or those of the
    Paraphrase Database (Ganitkevitch et al. 2013), `[NN] ||| word ||| paraphrase ||| …`. Entries of a word add up, in
    the order of the file.

    Raises:
        KitError: there is no such file, it is in another encoding, or a line has another form.
    """
    file = os.path.expanduser(path)
    try:
        return _read(file, os.stat(file).st_mtime_ns)
    except OSError as error:
        raise KitError(f"lexicon {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KitError(f"lexicon {path} is not in UTF-8; save it so (GBK and the like are not guessed)") from None


@lru_cache(maxsize=8)
def _read(path: str, changed: int) -> Lexicon:
    found: dict[str, dict[str, None]] = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip("\r\n")
            if not line.strip() or line.startswith("#"):
                continue
            if " ||| " in line and len(fields := line.split(" ||| ")) > 2:
                word, others = fields[1], [fields[2]]
            else:
                word, tab, rest = line.partition("\t")
                others = rest.split(",")
                if not tab:
                    raise KitError(f"{path}, line {number}: '{line[:40]}' is not of the form word<TAB>synonym,synonym")
            word = word.strip()
            entries = found.setdefault(word, {})
            entries.update((other.strip(), None) for other in others if other.strip() not in ("", word))
    known = Lexicon((word, tuple(others)) for word, others in found.items() if word and others)
    lengths: dict[str, set[int]] = {}
    for word in known:
        lengths.setdefault(word[0], set()).add(len(word))
    known.lengths = {first: tuple(sorted(some, reverse=True)) for first, some in lengths.items()}
    return known


def synonyms(known: Lexicon, word: str) -> tuple[str, ...]:
    """What the lexicon lists for a word as it is written, else in small letters."""
    return known.get(word) or known.get(word.lower(), ())


def write_neighbours(path: Path, words: list[str], vectors: np.ndarray, k: int = 10, least: float = 0.5) -> None:
    """Writes a lexicon of each word's nearest words.

    Args:
        path: file to write, whole or not at all.
        words: (n,) without tabs and commas, others are left out.
        vectors: (n, width).
        k: most neighbours a word.
        least: smallest cosine of a neighbour.
    """
    good = [i for i, word in enumerate(words) if word.strip() and not set("\t,\r\n") & set(word)]
    unit = vectors[good] / np.maximum(np.linalg.norm(vectors[good], axis=1, keepdims=True), 1e-12)
    lines = []
    for start in range(0, len(good), 1024):
        cosine = unit[start : start + 1024] @ unit.T
        for i, row in enumerate(cosine, start):
            row[i] = -np.inf
            # the largest k, and all that equal the last of them: among equals the first words are taken
            bound = max(least, np.partition(row, -k)[-k]) if k < len(row) else least
            found = np.flatnonzero(row >= bound)
            near = [words[good[j]] for j in found[np.argsort(-row[found], kind="stable")][:k]]
            if near:
                lines.append(f"{words[good[i]]}\t{','.join(near)}\n")
    write_text(path, "".join(lines))
