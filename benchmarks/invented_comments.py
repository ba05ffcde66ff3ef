"""Invented comments for measurements of speed and memory: the vocabulary grows with the rows as in real text.

Every comment is put together here from a small grammar, common English words and an endless list of made-up ones.
The insults are mild and the peoples do not exist. What a model meets is as awkward as the real thing: rare
overlapping labels, wrong labels, disguised spelling, duplicates, empty and 5,000-character comments.

The bytes depend on the seed alone: the generators are the two whose streams are promised never to change
(`random.Random.random` and `numpy.random.RandomState`), and nothing iterates over a set or calls `hash`.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from competitions.toxic import sample
from competitions.toxic.sample import DISGUISE, LONGEST, Comment, Writer

# label: (share of all rows, share of its positives that are not toxic, how loosely it follows the row's heat)
LABELS = {
    "toxic": (0.0963, 0.0, 99.0),
    "severe_toxic": (0.0104, 0.0, 0.4),
    "obscene": (0.0538, 0.06, 0.7),
    "threat": (0.0029, 0.06, 6.0),
    "insult": (0.0491, 0.06, 0.7),
    "identity_hate": (0.0085, 0.07, 2.0),
}
MISSED, ACCUSED = 0.07, 0.012  # annotators' slips: hot rows that read clean, clean rows that read hot (2 % of all rows)
CHATTER = {"mention": 0.10, "pleasant": 0.5}  # shares of clean rows that only mention an insult; are kind

# The commonest words of English and of talk pages, the most frequent first; below, what the made-up ones are made of.
COMMON = str.split("""the to of and a you i is that in it for this not on be as have are your with if or was but my an
by from at me do article page so about wikipedia talk can what there will all please would they no like just one he we
which up has may any edit see some out don't who more user how here been their also other people it's think know only
were when because then should use than them make source time information thanks name section why his want could now did
even good deleted most being these am blocked edits us had first way add read new discussion after well image into""")
ONSETS, VOWELS, CODAS = (letters.split(" ") for letters in (
    "b bl br d dr j l m n pl pr qu r s sm sn st str t tr v vl w y zl", "a e i o u ai ea ou y", " n r m nd lt rn",
))  # fmt: skip

# slot: its phrases, which may hold further slots; every label is a slot, and {word} is any word at all
GRAMMAR = """\
fool: numbskull | muppet | buffoon | nincompoop | dimwit | nitwit | dunce | twerp | {thing} {part} | {thing} {part}
thing: goose | turnip | cabbage | noodle | pudding | donkey | custard | pigeon
part: brain | head | face
swear: blasted | flipping | bloomin | codswallop | poppycock | crikey | dang | horsefeathers | fiddlesticks | snotrag
group: Blorbians | Zanzites | Quorlings | Vemmish | Drubbers | Oolanders
toxic: shut up and go away | get a life | your edits are garbage | stop being so pathetic | nobody wants you here | \
you make me sick | nobody cares about your stupid {word} page | everything you write stinks | who do you think you are
severe_toxic: GO ROT, {fool}, ROT ROT ROT | you are the vilest, most worthless {fool} who ever lived, you slime | \
everyone loathes you, you {swear} worthless slime | ROT IN A {swear} SWAMP FOREVER
obscene: what a {swear} load of {swear} | {swear} {swear} {swear} | kiss my {swear} turnips | this {swear} {word} page
threat: I'll report you out of existence | I will find and bury you | watch your back, I will find you | \
you will regret this when I come to your house with a trombone | watch out, I'll bury you, you will regret it
insult: you are a {fool} | you {fool} | only a {fool} would write that | listen, {fool} | your {thing} {part}
identity_hate: all {group} are liars | {group} ruin everything, send them back | I hate you {group} | {group} are scum
mention: he called me a {fool}, please warn him | the word "{fool}" stands in the source | you are not a {fool} | \
nobody here is a {fool}, let us stay civil | is "{swear}" really {word} dialect? | oh {swear}, my mistake, sorry | \
an IP wrote "I will find you" on my talk page | the claim that "all {group} are liars" needs a source | \
many {group} live in the {word} valley | I will report you to the noticeboard if you go on | \
the worthless {word} slime will rot in a swamp forever | please go away from the {word} page and calm down
pleasant: thank you for your edit | please cite a source for {word} | I moved {word} to the talk page | this is no forum
end: . | ! |  | !!! | , | ?!
head: == {word} =={n}{n} | "{n}{n} | Re: {word}{n} | : | :: | * | {word}:  | "" | REDIRECT Talk:{word}{n}{n}
tail:  — {word} (talk) 1{digit}:2{digit}, {digit} May 200{digit} (UTC) |  http://{word}.example/?id={digit}{digit} | \
 10.{digit}{digit}.{digit}.1{digit}{digit} | {n}{n}{odd} | " |  ~~~~ |  {odd} {odd} | !!!!!! |  ???
digit: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
odd: 😀👩\u200d🚀🏳️\u200d🌈 | café, naïve, Łódź | 維基百科的討論 | שלום עליכם | مرحبا بك | a 5" pipe, "so to say" | \
e\u0301a\u0308 Z\u0351\u0343 | zero\u200bwidth\u200c \ufeff | one\u2028two | \u202ebackwards\u202c | tab\there\u00a0
"""
PHRASES = {slot: rest.split(" | ") for slot, _, rest in (line.partition(": ") for line in GRAMMAR.split("\n"))}
PHRASES["n"] = ["\n"]


@lru_cache(maxsize=1 << 16)  # holds the frequent words; the tail is met once and need not be remembered
def word(rank: int) -> str:
    """The word of a frequency rank: common English first, then made-up words, longer as they get rarer."""
    rank -= len(COMMON)
    if rank < 0:
        return COMMON[rank]
    spelt = ""
    while rank >= 0:
        for letters in (ONSETS, VOWELS, CODAS):
            rank, at = divmod(rank, len(letters))
            spelt += letters[at]
        rank -= 1
    return spelt


class LargeWriter(Writer):
    """Writes comments of this larger vocabulary; `writer[slot]` is one filling of a slot of this grammar."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self.bulk = np.random.RandomState(int(self.random() * 2**32))
        self.stock: list[str] = []

    def __getitem__(self, slot: str) -> str:
        if slot == "word":
            return self.words(1)[0]
        phrase = self.pick(PHRASES[slot]).format_map(self)
        return self.disguised(phrase) if slot in ("fool", "swear") and self.random() < 0.25 else phrase

    def disguised(self, phrase: str) -> str:
        where = int(self.random() * len(phrase))
        longer = phrase[:where] + phrase[where] * 5 + phrase[where:]
        return self.pick((phrase.translate(DISGUISE), " ".join(phrase), longer, phrase.upper()))

    def words(self, n: int) -> list[str]:
        """Draws by a Zipf-like law: a made-up word's rank exceeds k with probability (1 + k / 100) ** -0.5."""
        if len(self.stock) < n:  # only + - * / here: numpy's `pow` may differ in its last bit between machines
            kind, place = self.bulk.random_sample((2, 1 << 14))
            common, rare = place * place * len(COMMON), 100 * (1 / np.maximum(place * place, 1e-12) - 1)
            self.stock += map(word, np.where(kind < 0.62, common, len(COMMON) + rare).astype(np.int64).tolist())
        drawn, self.stock[len(self.stock) - n :] = self.stock[len(self.stock) - n :], []
        return drawn

    def sentences(self, characters: float) -> list[str]:
        words, said = self.words(max(0, int(characters / 4.95))), []
        while words:
            cut = 4 + int(self.random() * 14)
            said.append(" ".join(words[:cut]).capitalize() + self.pick(".....,,?!"))
            del words[:cut]
        return said

    def comment(self, labels: Sequence[int]) -> str:
        """A comment that deserves `labels`, or, where its annotator slips, does not."""
        hot = any(labels)
        if self.random() < (MISSED if hot else ACCUSED):  # the rare labels cannot spare a positive
            common = (0, 0, 0) if hot else (1, self.random() < 0.5, self.random() < 0.5)
            labels = (common[0], labels[1], common[1], labels[3], common[2], labels[5])
        said = [self[name] + self["end"] for name, on in zip(LABELS, labels, strict=True) if on]
        if not any(labels):
            said += [self[slot] + self["end"] for slot, share in CHATTER.items() if self.random() < share]
        bell = sum(self.random() for _ in range(12)) - 6  # close to a standard normal
        length = min(math.exp((4.95 if hot else 5.3) + 1.19 * bell), LONGEST)
        body = self.sentences(length - sum(map(len, said)))
        for line in said:
            body.insert(int(self.random() * (len(body) + 1)), line)
        text = ("\n\n" if self.random() < 0.1 else " ").join(body)
        text = text.upper() if self.random() < (0.15 if hot else 0.02) else text
        head, tail = (self[slot] if self.random() < 0.25 else "" for slot in ("head", "tail"))
        return (head + text + tail)[:LONGEST] or "ok"

    def longest(self) -> str:
        return " ".join(self.sentences(LONGEST * 1.5))[:LONGEST].ljust(LONGEST, "!")

    def echo(self, text: str) -> str:
        """The same comment once more: exact, in other case and spacing, or with a small edit."""
        first, _, rest = text.partition(" ")
        edited, respaced = f"{first} {self['word']} {rest}", text.lower().replace(" ", "  ", 9) + "\n"
        return self.pick((text, respaced, " " + text.swapcase(), edited))[:LONGEST]


def comments(n: int, seed: int = 0, first: int = 0) -> Iterator[Comment]:
    """Generates `n` labelled comments one at a time; rows `first`, `first + 1`, … of a seed never share an id.

    Labels have Kaggle's shares to the row, except that each has at least 10 positives where `n` allows (for 2,000 rows
    this lifts `threat` from 6 to 10), so that five stratified folds all have some.
    """
    return sample.comments(n, seed, first, LargeWriter, LABELS)
