"""Segmenters, and sequences of all rows against a naive version."""

import sys
from collections import Counter
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kit.text.sequences
from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.source import Source
from kit.text.chinese import normalise, sentences
from kit.text.segment import Jieba, Ltp, Segmenter, Words, load_ltp
from kit.text.sequences import FIRST, UNKNOWN, Sequences

FRAME = pd.DataFrame(
    {
        "title": ["今天天气", "", None, "A Cat", "二", " \n", "重复重复"],
        "content": [
            "今天天气很好。我们去北京大学吧！",
            "",
            "",
            "The cat’s 3.5 mats. No!",
            "二\n\n三。",
            "",
            "a a b b c",
        ],
        "other": range(7),
    }
)
COLUMNS = ("title", "content")


def naive(texts: list[str], segmenter: Segmenter, level: str, simplify: bool = False) -> tuple[dict[str, Any], Any]:
    """Row by row: per name the units of each row, and the sentence numbers."""
    rows: dict[str, list[list[Any]]] = {"units": [], "tags": [], "places": [], "sentence": []}
    for text in texts:
        made: dict[str, list[Any]] = {name: [] for name in rows}
        number = 0
        for sentence in sentences(normalise(text, simplify)):
            pairs = segmenter.cut([sentence])[0]
            for word, tag in pairs:
                parts = [*word] if level == "characters" else [word]
                for i, part in enumerate(parts):
                    place = "S" if len(parts) == 1 else "B" if i == 0 else "E" if i == len(parts) - 1 else "M"
                    for name, value in zip(made, (part, tag, place, number), strict=True):
                        made[name].append(value)
            number += len(pairs) > 0
        for name in rows:
            rows[name].append(made[name] or [0 if name == "sentence" else None])
    level_names = {"units": level, "tags": "tags", "places": "places" if level == "characters" else None}
    tables, ids = {}, {}
    for old, name in level_names.items():
        if name:
            counts = Counter(unit for row in rows[old] for unit in row if unit is not None)
            tables[name] = sorted(counts, key=lambda u, c=counts: (-c[u], u))  # type: ignore[misc]
            ids[name] = [
                [FIRST + tables[name].index(u) if u is not None else UNKNOWN for u in row] for row in rows[old]
            ]
    return {"ids": ids, "units": tables}, rows["sentence"]


def check(made: Sequences, expected: dict[str, Any], sentence: list[list[int]]) -> None:
    assert made.units == expected["units"] and set(made.ids) == set(expected["ids"])
    for name, rows in expected["ids"].items():
        assert made.ids[name].dtype == np.int32 and made.ids[name].tolist() == [i for row in rows for i in row], name
    assert made.sentence.dtype == np.int32 and made.sentence.tolist() == [i for row in sentence for i in row]
    assert made.start.tolist() == np.cumsum([0, *map(len, sentence)]).tolist() and (np.diff(made.start) > 0).all()


@pytest.mark.parametrize("level", ["words", "characters"])
@pytest.mark.parametrize("segmenter", [Words(), Words(lowercase=False), Jieba()], ids=lambda s: type(s).__name__)
def test_sequences_equal_a_naive_version(level: Any, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit.text.sequences, "CHUNK", 7)
    texts = (FRAME["title"].fillna("") + "\n\n" + FRAME["content"]).tolist()
    made = kit.text.sequences.sequences(Source(FRAME), COLUMNS, segmenter, level)
    check(made, *naive(texts, segmenter, level))


def test_characters_know_their_word() -> None:
    made = kit.text.sequences.sequences(Source(FRAME[:2]), ("content",), Jieba(), "characters")
    units = {k: ["-", "?", *v] for k, v in made.units.items()}
    row = {k: [units[k][i] for i in made.ids[k]] for k in made.ids}
    assert "".join(row["characters"]) == "今天天气很好。我们去北京大学吧！?"
    assert "".join(row["places"]) == "BMMESSSBESBMMESS?"
    assert row["tags"][-4] == "nt" and made.sentence.tolist() == [0] * 7 + [1] * 9 + [0]


def test_simplify_is_part_of_the_name_and_of_the_work(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["漢語"]})
    for simplify, expected in ((False, ["漢", "語"]), (True, ["汉", "语"])):
        made = kit.text.sequences.sequences(Source(frame, tmp_path), ("text",), Words(), simplify=simplify)
        assert made.units["words"] == expected


def test_on_disk_both_levels_share_one_segmentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kit.text.sequences.sequences(Source(FRAME, tmp_path), COLUMNS, Words())
    monkeypatch.setattr(Words, "cut", lambda *_: pytest.fail("cut again"))
    again = kit.text.sequences.sequences(Source(FRAME, tmp_path), COLUMNS, Words())
    characters = kit.text.sequences.sequences(Source(FRAME, tmp_path), COLUMNS, Words(), "characters")
    assert all(isinstance(a, np.memmap) for a in (again.ids["words"], characters.ids["places"], again.sentence))
    assert all(np.array_equal(first.ids[k], again.ids[k]) for k in first.ids) and first.units == again.units
    assert "places" in characters.units and len(characters.start) == len(FRAME) + 1


def many(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice([*"甲乙丙丁 ab。\n"], 12)) for _ in range(rows)]
    return pd.DataFrame({"text": texts})


def test_killed_after_the_third_block_it_goes_on_and_in_parallel_all_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, cut, calls = many(5500), Words.cut, []

    def dying(self: Words, found: list[str]) -> Any:
        calls.append(len(found))
        if len(calls) > 3:
            raise KeyboardInterrupt
        return cut(self, found)

    monkeypatch.setattr("kit.text.sequences.threads", lambda: 1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Words, "cut", dying)
        kit.text.sequences.sequences(Source(frame, tmp_path / "a"), ("text",), Words())
    calls.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Words, "cut", lambda self, found: calls.append(len(found)) or cut(self, found))
        gone_on = kit.text.sequences.sequences(Source(frame, tmp_path / "a"), ("text",), Words())
    assert len(calls) == 3  # of six
    monkeypatch.setattr("kit.text.sequences.threads", lambda: 2)
    parallel = kit.text.sequences.sequences(Source(frame, tmp_path / "b"), ("text",), Words())
    expected = naive(frame["text"].tolist(), Words(), "words")
    check(gone_on, *expected)
    check(parallel, *expected)


# ---- segmenters --------------------------------------------------------------------------------


def test_words_and_their_shapes() -> None:
    text = "The NASA cat-food isn't 3.5 or 1,000 km_h: A É! 去了"
    expected = (
        "The/Capital NASA/CAPITALS cat-food/word isn't/word 3.5/number or/word 1,000/number km/word _/sign h/word"
    )
    expected += " :/sign A/Capital É/Capital !/sign 去/word 了/word"
    (pairs,) = Words(lowercase=False).cut([text])
    assert " ".join(f"{w}/{t}" for w, t in pairs) == expected
    assert Words().cut([text, " "]) == [[(w.lower(), t) for w, t in pairs], []]


def test_a_model_folder_below_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("kit.text.segment.installed_version", lambda *given: "4")
    monkeypatch.setitem(sys.modules, "ltp", SimpleNamespace(LTP=lambda path: path))
    assert load_ltp.__wrapped__("~/model") == str(folder)


def test_jieba_cuts_and_tags_without_a_word_on_stderr(python: Any, tmp_path: Path) -> None:
    script = f"""
        import io, os, sys, tempfile
        tempfile.tempdir = {str(tmp_path)!r}
        sys.stderr = io.StringIO()
        from kit.text.segment import Jieba
        print(Jieba().cut(["我爱北京天安门 a", " "]), repr(sys.stderr.getvalue()), os.listdir({str(tmp_path)!r}))
    """
    cut = [[("我", "r"), ("爱", "v"), ("北京", "ns"), ("天安门", "ns"), ("a", "x")], []]
    assert python(script) == f"{cut} '' []"  # and it leaves no cache in the temporary folder


def test_jieba_by_its_own_words_with_and_without_hmm(tmp_path: Path) -> None:
    assert Jieba().cut(["我叫王晓刚"]) == [[("我", "r"), ("叫", "v"), ("王晓刚", "nr")]]
    assert [word for word, _ in Jieba(hmm=False).cut(["我叫王晓刚"])[0]] == ["我", "叫", "王", "晓", "刚"]
    text = "他来到了网易杭研大厦"
    path = tmp_path / "words.txt"
    path.write_text("网易杭研大厦 5 zz\n", encoding="utf-8")
    own = Jieba(dictionary=str(path))
    assert own.cut([text])[0][-1] == ("网易杭研大厦", "zz") and len(Jieba().cut([text])[0]) > 4
    key = own.key()
    path.write_text("来到了网易 5 yy\n", encoding="utf-8")
    assert own.key() != key and ("来到了网易", "yy") in own.cut([text])[0]
    moved = tmp_path / "moved.txt"
    moved.write_bytes(path.read_bytes())
    assert Jieba(dictionary=str(moved)).key() == own.key() != Jieba().key()
    assert isinstance(Spec.from_dict(own.to_dict()), Jieba)


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in (
        Jieba(dictionary=str(tmp_path / "none")).cut,
        lambda _: Jieba(dictionary=str(tmp_path / "none")).key(),
    ):
        with pytest.raises(KitError, match=r"Jieba\.dictionary: there is no file .*none"):
            broken(["a"])
    (tmp_path / "latin").write_bytes("é".encode("latin-1"))
    with pytest.raises(KitError, match=r"Jieba\.dictionary: .*utf-8"):
        Jieba(dictionary=str(tmp_path / "latin")).cut(["a"])
    with pytest.raises(KitError, match=r"Ltp\.folder"):
        Ltp(folder="")
    monkeypatch.setattr("kit.text.segment.installed_version", lambda *_: "1")
    with pytest.raises(KitError, match=r"Ltp\.folder: there is no file .*config\.json"):
        Ltp(folder=str(tmp_path)).cut(["a"])


def test_without_ltp_the_error_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(KitError, match=r"the package ltp is missing: pip install 'kit\[ltp\]'"):
        Ltp(folder="x").cut(["a"])


def test_ltp_gets_pieces_it_can_hold_and_gives_sentences_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def pipeline(texts: list[str], tasks: list[str]) -> Any:
        assert tasks == ["cws", "pos"] and all(texts)
        seen.append(texts)
        words = [[text[i : i + 2] for i in range(0, len(text), 2)] for text in texts]
        tags = [[f"t{len(word)}" for word in row] for row in words]
        return SimpleNamespace(to_tuple=lambda: (words, tags))

    def load(folder: str) -> Any:
        print("loading")
        return SimpleNamespace(pipeline=pipeline)

    module = ModuleType("ltp")
    module.LTP = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ltp", module)
    monkeypatch.setattr("kit.text.segment.installed_version", lambda *_: "1")
    (tmp_path / "config.json").write_text("{}")
    ltp = Ltp(folder=str(tmp_path), batch=2, longest=4)
    assert ltp.cut(["甲乙丙丁戊", " ", "己 庚", ""]) == [
        [("甲乙", "t2"), ("丙丁", "t2"), ("戊", "t1")], [], [("己", "t2"), ("庚", "t1")], [],
    ]  # fmt: skip
    assert seen == [["甲乙丙丁", "戊"], ["己 庚"]]
    key = ltp.key()
    assert Ltp(folder=str(tmp_path), longest=4).key() == key != Ltp(folder=str(tmp_path)).key()
    (tmp_path / "weights.bin").write_text("1")
    assert ltp.key() != key
