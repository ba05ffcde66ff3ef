"""The faster tagger finds what jieba's own finds."""

import random

import pytest

from kit.core.errors import KitError
from kit.text.segment import Jieba, jieba_words


@pytest.fixture(scope="module")
def words() -> object:
    try:
        return jieba_words()
    except KitError as missing:
        pytest.skip(str(missing))


def runs(letters: list[str], count: int) -> list[str]:
    rng = random.Random(0)
    return ["".join(rng.choices(letters, k=rng.randint(1, 8))) for _ in range(count)]


def test_paths_are_those_of_jiebas_search(words: object) -> None:
    import jieba.posseg as posseg

    from kit.text.jieba_tagger import viterbi

    anything = [chr(code) for code in range(0x4E00, 0x9FD5, 7)]  # most of them no state of jieba's model emits
    tables = posseg.char_state_tab_P, posseg.start_P, posseg.trans_P, posseg.emit_P
    common = sorted(posseg.char_state_tab_P, key=lambda letter: -len(posseg.char_state_tab_P[letter]))[:300]
    for run in runs(common, 120) + runs(anything, 60) + runs(common[:50] + anything, 120):
        assert list(viterbi(run)) == posseg.viterbi(run, *tables)[1], run


def test_texts_are_cut_as_jieba_cuts_them(words: object, monkeypatch: pytest.MonkeyPatch) -> None:
    import jieba.posseg as posseg

    from kit.text import jieba_tagger

    known = [word for word in list(words.FREQ)[::997] if len(word) < 4]  # type: ignore[attr-defined]
    texts = runs([*known, *"王晓刚奯汜叝憨服务器3.5abc ，。！"], 150)
    asked = []
    search = jieba_tagger.viterbi
    monkeypatch.setattr(jieba_tagger, "viterbi", lambda run: asked.append(run) or search(run))
    own = posseg.POSTokenizer(words)
    expected = [[(p.word, p.flag) for p in own.cut(text) if not p.word.isspace()] for text in texts]
    assert Jieba().cut(texts) == expected
    assert len(asked) > 100  # jieba still asks for what it made private
