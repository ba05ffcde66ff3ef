"""Normal form and sentences of Chinese and English text."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import KitError
from kit.text import chinese
from kit.text.chinese import normalise, sentences

PARTS = [*"ab A1.3。！？!?…\n \t\"'”’』）)“「«，我好-—··", "e.g. ", "3.14"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=30).map("".join)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("ＡＢＣ１２３％　３．１４", "ABC123% 3.14"),
        ("好，对！吗？；：（一）、。", "好，对！吗？；：（一）、。"),
        ("a,b!(c); d:e?", "a,b!(c); d:e?"),
        ("﹐﹖︰﹙一﹚｡､", "，？︰（一）。、"),
        ("「甲『乙』」 〝丙〞 “丁”", "“甲‘乙’” “丙” “丁”"),
        ("don’t ‘quote’ it’s", "don't ‘quote’ it's"),
        ("好——坏 a--b ──── a-b a–b −3", "好—坏 a—b — a-b a-b -3"),
        ("等等…… 好... 。。。... ⋯⋯ ．．． 3.14", "等等… 好… … … … 3.14"),
        ("阿・里•巴‧巴", "阿·里·巴·巴"),
        ("  a \u3000\t b\r\n \n c\u00a0d \n", "a b\nc d"),
        ("a\u200bb\ufeff\x00c\ud800", "abc"),
        ("e\u0301 \uf900 ① ½ ㎡", "é 豈 ① ½ ㎡"),
        ("", ""),
        (" \n ", ""),
    ],
)  # fmt: skip
def test_one_form(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(st.text(max_size=40) | TEXTS)
def test_the_normal_form_is_its_own(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


def test_traditional_becomes_simplified_only_if_simplify_is_set() -> None:
    text = "漢語「不瞭解」，乾坤。"
    assert normalise(text) == "漢語“不瞭解”，乾坤。"
    assert normalise(text, simplify=True) == "汉语“不了解”，乾坤。"


def test_what_opencc_would_change_is_found() -> None:
    """The pattern that spares simplified text the conversion misses nothing: every entry alone, in and after others."""
    convert, changes = chinese.simplifier()
    opencc = pytest.importorskip("opencc").OpenCC("t2s")
    opencc.convert("")
    entries = [key for _, _, table in opencc.dict_cache.values() for key in table]
    assert len(entries) > 4000
    for entry in entries:
        assert convert(entry) == entry or changes.search("我" + entry)


def test_without_opencc_simplify_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    monkeypatch.setattr(chinese, "simplifier", chinese.simplifier.__wrapped__)
    assert normalise("漢") == "漢"
    with pytest.raises(KitError, match=r"pip install 'kit\[text\]'"):
        normalise("漢", simplify=True)


@pytest.mark.parametrize(
    "parts",
    [
        ["今天好。", "明天呢？！", "走！", "完"],
        ["他说：“好。”", "她笑了……", "（真的！）", "嗯"],
        ["「你好！」", "他說。』」", "a"],
        ["一行\n", "二行。\n\n", "三"],
        ["\n\n  一。", "二"],
        ["他走了.", "她来了.", "圆周率3.14大"],
        ['He said "Yes." ', '"No!" ', "Then left."],
        ['"你好。"', '"再见。"', "走"],
        ["It's 'fine!' ", "'Well' then."],
        ["Pi is 3.14 here. ", "See e.g. this, i.e. J. Smith of the U.S. army. ", "Mr. Lee and Dr. No met. ", "End."],
        ["Well... ", "Good (really.) ", "No.yes v2.0 a.com x"],
        ["What?! ", "Yes… ", "no"],
        ["。"],
        [" \n"],
    ],
)
def test_sentences(parts: list[str]) -> None:
    assert sentences("".join(parts)) == parts


@given(TEXTS)
def test_sentences_joined_are_the_text(text: str) -> None:
    found = sentences(text)
    assert "".join(found) == text and all(found)
    assert not any(part.isspace() for part in found[1:])
    assert sentences("") == []


def test_no_text_makes_it_slow() -> None:
    """Runs of what patterns repeat, on which a careless one takes quadratic time (here minutes)."""
    for sign in ["\n", " ", ".", "。", '."', "”", "’", "-", ".)", '"', "a."]:
        text = sign * 100_000 + "x"
        assert "".join(sentences(text)) == text
        normalise(text)
