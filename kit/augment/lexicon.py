"""Lexicons: files that list the words that may replace a word."""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from kit.core.errors import KitError
from kit.core.files import write_text


class Lexicon(dict[str, tuple[str, ...]]):
    """Word → words that may replace it.

    Attributes:
        lengths: first character → lengths of the words that begin with it, longest first.
    """

    lengths: dict[str, tuple[int, ...]]


def lexicon(path: str) -> Lexicon:
    """Reads a lexicon from a UTF-8 file. The result is cached until the file changes.

    Each line is `word<TAB>synonym,synonym`, or a line of the Paraphrase Database (Ganitkevitch et al. 2013),
    `[NN] ||| word ||| paraphrase ||| …`. Empty lines and lines that begin with # are skipped. A word may have several
    lines.

    Raises:
        KitError: there is no such file, it is not in UTF-8, or a line has another form.
    """
    file = os.path.expanduser(path)
    try:
        return _read(file, os.stat(file).st_mtime_ns)
    except OSError as error:
        raise KitError(f"lexicon {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KitError(f"lexicon {path} is not in UTF-8; save it in UTF-8 (other encodings are not guessed)") from None


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
    """The lexicon's entry for a word as it is written; if there is none, for the word in lower case."""
    return known.get(word) or known.get(word.lower(), ())


def write_neighbours(path: Path, words: list[str], vectors: np.ndarray, k: int = 10, least: float = 0.5) -> None:
    """Writes a lexicon of each word's nearest words.

    Args:
        path: file to write.
        words: (n,) words; those with a tab or a comma are left out.
        vectors: (n, width) vectors of the words.
        k: largest number of neighbours of a word.
        least: smallest cosine similarity of a neighbour.
    """
    good = [i for i, word in enumerate(words) if word.strip() and not set("\t,\r\n") & set(word)]
    unit = vectors[good] / np.maximum(np.linalg.norm(vectors[good], axis=1, keepdims=True), 1e-12)
    lines = []
    for start in range(0, len(good), 1024):
        cosine = unit[start : start + 1024] @ unit.T
        for i, row in enumerate(cosine, start):
            row[i] = -np.inf
            # the k largest and all that equal the last of them; of equal ones, the first words are taken
            bound = max(least, np.partition(row, -k)[-k]) if k < len(row) else least
            found = np.flatnonzero(row >= bound)
            near = [words[good[j]] for j in found[np.argsort(-row[found], kind="stable")][:k]]
            if near:
                lines.append(f"{words[good[i]]}\t{','.join(near)}\n")
    write_text(path, "".join(lines))
