"""Sentences are short and printable, whatever is in them."""

import pickle

import pytest

from kit.core.errors import LONGEST, NAMES, KitError, as_sentence, close_to, nearest, shown

LARGE = "x" * 30_000_000


def test_a_sentence_has_a_length_and_keeps_begin_and_end() -> None:
    whole = f"train.csv: column 'a' has {LARGE} in row 3; did you mean 'b'?"
    said = str(KitError(whole))
    assert len(said) <= LONGEST
    assert said.startswith("train.csv: column 'a' has xxx") and said.endswith("in row 3; did you mean 'b'?")
    assert f"… ({len(whole):,} characters) …" in said
    assert str(KitError("short")) == "short" and str(KitError(said)) == said
    assert str(pickle.loads(pickle.dumps(KitError("a\nb")))) == "a\\nb"


@pytest.mark.parametrize("odd", ["\n", "\r", "\0", "\x1b[31m", "\udc80", "\u2028", "\u202e"])
def test_a_sentence_is_one_printable_line(odd: str) -> None:
    said = as_sentence(f"no member '{odd}'" + odd * 5000)
    assert said.isprintable() and len(said) <= LONGEST and said.encode()
    assert as_sentence("Größe × 中文 – “ok”") == "Größe × 中文 – “ok”"


def test_a_value_is_shown_with_its_length() -> None:
    assert shown("abc") == "'abc'" and shown(3) == "3" and shown(None) == "None"
    assert shown(LARGE) == "'" + "x" * 59 + "…' (30,000,000 characters)"
    assert len(shown(list(range(10**5)))) < 120 and len(shown("\0" * 100)) < 120
    assert shown(10**5000) == "a int that cannot be written (ValueError)"


def test_lists_of_names_end_somewhere() -> None:
    names = [f"name{n}" for n in range(100)]
    assert nearest("?", names) == "; there are: " + ", ".join(names[:NAMES]) + " and 70 more"
    assert nearest("?", names[:3]) == "; there are: name0, name1, name2"
    assert close_to("name9" * 10_000, names) == ""
