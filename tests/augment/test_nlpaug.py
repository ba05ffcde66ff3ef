"""nlpaug's ways with its faults mended: nothing but what is said changes, and the generator alone decides."""

import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit.augment import (
    Augment,
    CharacterNoise,
    KeyboardErrors,
    OCRErrors,
    SpellingErrors,
    WordNoise,
    WordSplit,
    nlp,
)
from kit.core.errors import KitError

pytest.importorskip("nlpaug")
pytestmark = pytest.mark.slow  # nlpaug imports half the world

LONG = " ".join(f"word{i}" for i in range(4000))
ODD = [
    "",
    " ",
    "\n\n",
    "a",
    "ab",
    "I",
    "word",
    "!",
    "😀",
    "👩‍👩‍👧 élan 你",
    "好",
    "a  b\tc\n",
    "don't",
    "\x00",
    "ﬁ ß İstanbul",
    "1",
]
ALL: list[Augment] = [
    *(CharacterNoise(share=1, action=action, shortest=1) for action in ("insert", "substitute", "swap", "delete")),
    KeyboardErrors(share=1, shortest=1), OCRErrors(share=1), SpellingErrors(share=1), WordSplit(share=1, shortest=2),
    *(WordNoise(share=share, action=action) for action in ("swap", "delete", "crop") for share in (0.3, 1)),
]  # fmt: skip


SIGNS = re.compile(r"[^\w'-]")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def within(count: float, n: int, p: float) -> bool:
    """Whether a count is what n draws of probability p give, to four deviations."""
    return abs(count - n * p) <= 4 * (n * p * (1 - p)) ** 0.5


def changed(augment: Augment, text: str, seed: int = 0) -> list[tuple[str, str]]:
    pairs = zip(text.split(), augment(text, rng(seed)).split(), strict=True)
    return [(old, new) for old, new in pairs if old != new]


@pytest.mark.parametrize("augment", ALL, ids=repr)
def test_odd_texts_repeat_and_leave_the_world_alone(augment: Augment) -> None:
    augment("first use imports", rng())
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    for text in [*ODD, LONG]:
        made = augment(text, rng(3))
        assert isinstance(made, str) and made == augment(text, rng(3)) and (made or not text)
        if isinstance(augment, CharacterNoise):  # white space and signs stay, in their places
            assert SIGNS.findall(made) == SIGNS.findall(text)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    assert len({augment("really difficult university 2000 " * 50, rng(i)) for i in range(6)}) > 1


@pytest.mark.parametrize("action", ["insert", "substitute", "swap", "delete"])
def test_character_noise(action: Any) -> None:
    text = "  abcdefghij,\n(ABC) " * 1000
    made = CharacterNoise(share=0.3, action=action, characters=0.2)(text, rng())
    words = [w.strip(",") for w in made.split()]
    assert made.count("(ABC)") == 1000 and made.count(",\n(") == 1000  # too short to be changed, signs kept
    new = [w for w in words if w not in ("abcdefghij", "(ABC)")]
    assert within(len(new), 1000, 0.3 * (1 - 1 / 26**2 if action == "substitute" else 1))
    lengths = {"insert": 12, "delete": 8}
    assert {len(w) for w in new} == {lengths.get(action, 10)}
    if action == "swap":
        assert all(sorted(w) == sorted("abcdefghij") for w in new)
    if action == "delete":
        assert all("".join(sorted(w)) == w for w in new)
    if action == "insert":
        assert all(is_within("abcdefghij", w) for w in new)
    if action == "substitute":
        assert {sum(a != b for a, b in zip(w, "abcdefghij", strict=True)) for w in new} <= {1, 2}


def is_within(part: str, whole: str) -> bool:
    rest = iter(whole)
    return all(c in rest for c in part)


def test_swaps_stay_beside_each_other_and_characters_are_left() -> None:
    swap = CharacterNoise(share=1, action="swap", characters=0.01)
    assert {swap("abcd", rng(i)) for i in range(60)} == {"bacd", "acbd", "abdc"}
    assert {swap("Abcd", rng(i)) for i in range(60)} == {"Bacd", "Acbd", "Abdc"}
    assert all(CharacterNoise(share=1, action="delete", characters=1, shortest=1)(w, rng()) for w in ("a", "ab"))
    assert CharacterNoise(share=1, action="substitute", characters=1)("NASA", rng()).isupper()


def test_keyboard_errors_hit_neighbours_in_the_same_case() -> None:
    made = Counter(KeyboardErrors(share=1, characters=1, shortest=1)("u", rng(i)) for i in range(400))
    assert set(made) == set("6^7&8*tihjk")  # " t" in nlpaug's file
    assert all(c.isupper() or not c.isalpha() for c in KeyboardErrors(share=1, characters=1)("QWERTZ" * 9, rng()))
    assert len(changed(KeyboardErrors(share=0.25), LONG)) > 900  # nlpaug itself stops at ten


LANGUAGES = {"de": "straße", "en": "street", "es": "calle", "fr": "chemin", "he": "רחוב", "it": "strada", "nl": "straat",
             "pl": "ulica", "th": "ถนนน", "tr": "sokak", "uk": "вулиця"}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_keyboard_is_there(language: Any) -> None:
    made = {KeyboardErrors(share=1, language=language)(LANGUAGES[language], rng(i)) for i in range(20)}
    assert len(made) > 5 and {len(word) for word in made} == {len(LANGUAGES[language])}


def test_ocr_errors_confuse_what_looks_alike() -> None:
    assert {OCRErrors(share=1)("2", rng(i)) for i in range(20)} == {"z", "Z"}
    assert OCRErrors(share=1)("wwww 😀 vvv", rng()) == "wwww 😀 vvv"
    pairs = changed(OCRErrors(share=0.5), "00000 vvvvv " * 1000)
    assert within(len(pairs), 1000, 0.5) and all(len(new) == 5 and sum(c != "0" for c in new) == 1 for _, new in pairs)


def test_spelling_errors_come_from_the_given_file(tmp_path: Path) -> None:
    for name, line in (("one", "good goood guud [[god\nbad bad"), ("two", "good goot\nGood Goud")):
        (tmp_path / name).write_text(line + "\n")
    one, two = (SpellingErrors(share=1, file=str(tmp_path / name)) for name in ("one", "two"))
    assert {one("(good)  bad", rng(i)) for i in range(20)} == {"(goood)  bad", "(guud)  bad"}
    assert {one("Good GOOD", rng(i)) for i in range(40)} == {
        f"{a} {b}" for a in ("Goood", "Guud") for b in ("GOOOD", "GUUD")
    }
    assert two("good Good GOOD", rng()) == "goot Goud GOOT"
    with pytest.raises(KitError, match="misspellings nowhere cannot be read"):
        SpellingErrors(share=1, file="nowhere")("good", rng())


def test_the_order_of_misspellings_is_not_that_of_hashes() -> None:
    known = nlp.augmenter(SpellingErrors()).model.dict
    assert len(known) > 10_000 and all(others == sorted(set(others)) for others in known.values())
    assert all(nlp.SPELT.fullmatch(other) and other != word for word, others in known.items() for other in others)
    text = "really difficult university " * 1000
    assert within(len(changed(SpellingErrors(share=0.2), text)), 3000, 0.2)


def test_a_split_is_a_space_anywhere_within() -> None:
    made = Counter(WordSplit(share=1)("(abcd) abc\n", rng(i)) for i in range(300))
    assert made.keys() == {"(a bcd) abc\n", "(ab cd) abc\n", "(abc d) abc\n"} and min(made.values()) > 60
    assert within(len(WordSplit(share=0.3)(LONG, rng()).split()) - 4000, 4000, 0.3)


def test_swapped_words_are_those_of_the_text() -> None:
    made = {WordNoise(action="swap", share=0.2)("One,  i (TWO) three\nfour", rng(i)) for i in range(300)}
    assert len(made) > 5 and {
        tuple(sorted(text.replace(",", " ").replace("(", " ").replace(")", " ").split())) for text in made
    } == {("One", "TWO", "four", "i", "three")}
    assert all(text[text.index(",") :][:3] == ",  " and "\n" in text for text in made)
    new = WordNoise(action="swap", share=0.1)(LONG, rng()).split()
    assert sorted(new) == sorted(LONG.split())
    moved = sum(a != b for a, b in zip(new, LONG.split(), strict=True))
    assert 600 < moved < 830  # 400 swaps, some of them undone


def test_deleted_words_are_gone_and_stay_gone() -> None:
    kept = WordNoise(action="delete", share=0.25)(LONG, rng()).split(" ")
    assert within(4000 - len(kept), 4000, 0.25) and kept == sorted(kept, key=LONG.split().index)
    left = Counter(WordNoise(action="delete", share=1)("Alpha beta gamma", rng(i)) for i in range(300))
    assert left.keys() == {"Alpha", "beta", "gamma"} and min(left.values()) > 60


def test_a_crop_takes_one_run_of_words_out() -> None:
    text = " ".join(map(str, range(100, 200)))
    starts, lengths = Counter(), []
    for seed in range(400):
        kept = list(map(int, WordNoise(action="crop", share=0.2)(text, rng(seed)).split()))
        gone = sorted(set(range(100, 200)) - set(kept))
        assert kept == sorted(kept) and gone == list(range(gone[0], gone[-1] + 1))
        starts[gone[0]] += 1
        lengths.append(len(gone))
    assert abs(np.mean(lengths) - 20) < 1 and min(starts) < 105 and max(starts) > 170
    assert {len(WordNoise(action="crop", share=1)("one two", rng(i)).split()) for i in range(9)} == {1}


def test_without_nlpaug_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def __getattr__(self, name: str) -> Any:
            raise ModuleNotFoundError("No module named 'nlpaug'")

    monkeypatch.setattr(nlp, "nac", Missing())
    with pytest.raises(KitError, match=r"KeyboardErrors needs nlpaug: pip install 'kit\[augment\]'"):
        KeyboardErrors(share=0.987)("some words", rng(1)) and KeyboardErrors(share=0.987)("some words " * 9, rng())


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: KeyboardErrors(language="xx"), "KeyboardErrors.language"),
    (lambda: CharacterNoise(action="crop"), "CharacterNoise.action"),
    (lambda: WordSplit(shortest=1), "WordSplit.shortest"),
    (lambda: WordNoise(share=0), "WordNoise.share"),
]


@pytest.mark.parametrize("make, said", BAD)
def test_bad_settings_are_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(KitError, match=said):
        make()
