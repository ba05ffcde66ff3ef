"""An invented stand-in for Kaggle's toxic-comment files, so that the recipe runs where nothing has been downloaded.

Every comment is put together here from the phrases of `phrases.py`: plain English, mild in its wording. What a model
meets is as awkward as the real thing: overlapping labels, wrong labels, quoted and denied insults, insults without a
rude word, disguised spelling, angry and calm writing, duplicates, empty and 5,000-character comments. So each kind of
member knows something that the others do not: words, spelling (n-grams of characters), writing style, meaning.

The bytes depend on the seed alone: the generators are the two whose streams are promised never to change
(`random.Random.random` and `numpy.random.RandomState`), and nothing iterates over a set or calls `hash`.
"""

import argparse
import math
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from competitions.toxic.phrases import PHRASES

# label: (share of all rows, share of its positives that are not toxic, how loosely it follows the row's heat). Kaggle's
# shares are a half of these and less: of 2,000 rows 6 were threats, and a score of so few would say nothing.
LABELS = {
    "toxic": (0.18, 0.0, 99.0),
    "severe_toxic": (0.03, 0.0, 0.4),
    "obscene": (0.09, 0.06, 0.7),
    "threat": (0.02, 0.06, 6.0),
    "insult": (0.09, 0.06, 0.7),
    "identity_hate": (0.03, 0.07, 2.0),
}
FEWEST = 10  # positives of any label (two for each of five folds), so far as that is at most a twentieth of the rows
LONGEST = 5000  # characters; Kaggle's own limit
MISSED, ACCUSED = 0.05, 0.01  # annotators' mistakes: rude rows labelled clean, clean rows labelled rude
MENTION = 0.55  # share of clean rows that use words of the rude ones in another sense
ANGRY, ANGRY_CLEAN = 0.6, 0.15  # share of rows in angry writing
DISGUISE = str.maketrans("sioae", "$!0@3")


class Comment(NamedTuple):
    id: str
    text: str
    labels: tuple[int, ...]


class Writer:
    """Writes one comment after another; `writer[slot]` is one filling of a slot of the grammar."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed).random

    def __getitem__(self, slot: str) -> str:
        phrase = self.pick(PHRASES[slot]).format_map(self)
        return self.disguised(phrase) if slot in ("fool", "swear") and self.random() < 0.3 else phrase

    def pick(self, options: Sequence[str]) -> str:
        return options[int(self.random() * len(options))]

    def happens(self, share: float) -> bool:
        return self.random() < share

    def disguised(self, phrase: str) -> str:
        """A word as people write it to get past a filter, or in haste: f00l, f o o l, foooool, FOOL, folo, f*ol."""
        where = int(self.random() * (len(phrase) - 1))
        longer = phrase[:where] + phrase[where] * 5 + phrase[where:]
        swapped = phrase[:where] + phrase[where + 1] + phrase[where] + phrase[where + 2 :]
        masked = phrase[0] + "*" + phrase[2:]
        return self.pick((phrase.translate(DISGUISE), " ".join(phrase), longer, phrase.upper(), swapped, masked))

    def sentences(self, characters: float) -> list[str]:
        """Calm sentences of this many characters together, about."""
        said: list[str] = []
        while characters > 0:
            sentence = self["calm"]
            question = sentence.startswith(("could", "can", "would", "why"))
            said.append(sentence[0].upper() + sentence[1:] + ("?" if question else self.pick((".", ".", ".", "!"))))
            characters -= len(said[-1])
        return said

    def comment(self, labels: Sequence[int]) -> str:
        """A comment that deserves `labels`, or, where its annotator made a mistake, does not."""
        rude = any(labels)
        if self.happens(MISSED if rude else ACCUSED):  # the rare labels cannot spare a positive
            common = (0, 0, 0) if rude else (1, self.happens(0.5), self.happens(0.5))
            labels = (common[0], labels[1], common[1], labels[3], common[2], labels[5])
        said = [self[name] + self["end"] for name, on in zip(LABELS, labels, strict=True) if on]
        if not any(labels) and self.happens(MENTION):
            said += [self["mention"] + self["end"]]
        bell = sum(self.random() for _ in range(12)) - 6  # close to a standard normal
        length = min(math.exp((4.2 if rude else 4.5) + 0.8 * bell), LONGEST)
        body = self.sentences(length - sum(map(len, said)))
        for line in said:
            body.insert(int(self.random() * (len(body) + 1)), line)
        text = ("\n\n" if self.happens(0.1) else " ").join(body)
        text = self.angry(text) if self.happens(ANGRY if rude else ANGRY_CLEAN) else text
        head, tail = (self[slot] if self.happens(0.1 if rude else 0.3) else "" for slot in ("head", "tail"))
        return (head + text + tail)[:LONGEST] or "ok"

    def angry(self, text: str) -> str:
        """The same words in haste and anger: small letters or capitals, no commas, many exclamation marks."""
        text = text.replace(",", "") if self.happens(0.7) else text
        text = text.replace(".", "!!!" if self.happens(0.4) else "!") if self.happens(0.5) else text
        if self.happens(0.15):
            return text.upper() + "!!!"
        if self.happens(0.3):
            return " ".join(word.upper() if self.happens(0.2) else word for word in text.split(" "))
        return text.lower() if self.happens(0.6) else text + self.pick(("!!", "?!?!", " !!!!!", "..."))

    def longest(self) -> str:
        """A comment of as many characters as Kaggle allows."""
        return " ".join(self.sentences(LONGEST))[:LONGEST].ljust(LONGEST, "!")

    def echo(self, text: str) -> str:
        """The same comment once more: exact, in other case and spacing, or with a small edit."""
        first, _, rest = text.partition(" ")
        edited, respaced = f"{first} {self['good']} {rest}", text.lower().replace(" ", "  ", 9) + "\n"
        return self.pick((text, respaced, " " + text.swapcase(), edited))[:LONGEST]


def draw_labels(n: int, seed: int, shares: Mapping[str, tuple[float, float, float]] = LABELS) -> np.ndarray:
    """Label matrix (n, 6) with exact counts; one hidden heat per row makes the labels go together."""
    rng = np.random.RandomState(seed)
    table, heat, toxic = np.zeros((n, len(shares)), dtype=np.int8), rng.random_sample(n), 0
    for column, (share, stray, loose) in enumerate(shares.values()):
        count = max(int(share * n + 0.5), min(FEWEST, n // 20))
        outside = int(count * stray + 0.5)
        order = np.argsort(-10 * table[:, 0] - heat - loose * rng.random_sample(n), kind="stable")  # toxic rows first
        table[order[: count - outside], column] = 1
        table[order[toxic : toxic + outside], column] = 1
        toxic = toxic or count
    return table


def comments(
    n: int,
    seed: int = 0,
    first: int = 0,
    writer_of: Callable[[str], Writer] = Writer,
    shares: Mapping[str, tuple[float, float, float]] = LABELS,
) -> Iterator[Comment]:
    """Generates `n` labelled comments one at a time; rows `first`, `first + 1`, … of a seed never share an id.

    Labels have these `shares` to the row, except that each has at least 10 positives where `n` allows.
    """
    writer, clean = writer_of(f"{seed}/{first}"), 0
    earlier: dict[tuple[int, ...], str] = {}
    for row, labels in enumerate(map(tuple, draw_labels(n, int(writer.random() * 2**32), shares).tolist())):
        clean += not any(labels)
        turn = 0 if any(labels) else clean % 400
        if turn in (50, 150):
            text = "" if turn == 50 else writer.pick((" ", "\n\n", " \t \n", "\u00a0 "))
        elif turn == 250:
            text = writer.longest()
        elif labels in earlier and writer.happens(0.03):
            text = writer.echo(earlier[labels])
        else:
            text = earlier[labels] = writer.comment(labels)
        number = (seed << 32) + first + row + 1
        yield Comment(f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}", text, labels)  # odd factor: one-to-one, no repeats


def _save(path: Path, header: str, rows: Iterable[str]) -> None:
    """Writes under another name first, so that a file of this name is always whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text("\n".join([header, *rows, ""]), encoding="utf-8", newline="\n")
    os.replace(partial, path)


def write(folder: Path, train: int = 2000, test: int = 500, seed: int = 0) -> None:
    """Writes train.csv, test.csv and sample_submission.csv into `folder`, in Kaggle's columns."""

    def line(c: Comment, *rest: object) -> str:  # by hand: when the csv module quotes has changed between Pythons
        return ",".join([c.id, '"' + c.text.replace('"', '""') + '"' if c.text else "", *map(str, rest)])

    folder.mkdir(parents=True, exist_ok=True)
    names, unseen = ",".join(LABELS), list(comments(test, seed, first=train))
    known = (line(c, *c.labels) for c in comments(train, seed))
    _save(folder / "train.csv", f"id,comment_text,{names}", known)
    _save(folder / "test.csv", "id,comment_text", map(line, unseen))
    _save(folder / "sample_submission.csv", f"id,{names}", (c.id + ",0.5" * len(LABELS) for c in unseen))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the embedded sample of the toxic-comment competition.")
    parser.add_argument("folder", type=Path)
    for argument, default in (("train", 2000), ("test", 500), ("seed", 0)):
        parser.add_argument(argument, type=int, nargs="?", default=default)
    write(**vars(parser.parse_args()))
