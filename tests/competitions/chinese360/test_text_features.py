"""Features of tampered text: each finds the tampering that it is for."""

from itertools import pairwise

import numpy as np
import pytest

from competitions.chinese360.features import coherence, ragged, transposed
from competitions.chinese360.features.clause_order import order_features
from competitions.chinese360.features.ngrams import characters, dense
from competitions.chinese360.features.pieces import clauses, sentences
from competitions.chinese360.features.punctuation import punctuation_features
from competitions.chinese360.features.repeats import repeat_features, title_features
from competitions.chinese360.features.tag_statistics import tag_features
from competitions.chinese360.features.tampering import Units, tampering_features

FIRST = 0x4E00  # of the Chinese characters


def language(rows: int, sentence_count: int = 6, seed: int = 0) -> list[str]:
    """Texts of made-up words of two characters; a text is about one of six topics, each with words of its own.

    A sentence is an opening clause, one or two more and a closing one, each with words that stand there only.
    """
    rng = np.random.default_rng(seed)
    word = [chr(FIRST + 2 * i) + chr(FIRST + 2 * i + 1) for i in range(400)]

    def clause(topic: int, place: int) -> str:
        inner = "".join(word[60 + 50 * topic + i] for i in rng.integers(0, 50, 4))
        return inner + word[50 + rng.integers(0, 5)] if place == 2 else word[5 * place + rng.integers(0, 5)] + inner

    def sentence(topic: int) -> str:
        middle = [clause(topic, 1) for _ in range(rng.integers(1, 3))]
        return "，".join([clause(topic, 0), *middle, clause(topic, 2)]) + "。"

    return ["".join(sentence(i % 6) for _ in range(sentence_count)) for i in range(rows)]


def of(texts: list[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    return texts, *characters(texts)


def test_sentences_and_clauses() -> None:
    texts = ["他说：“好。”我走，你来！？完", "", "”x。", "a, b; c"]
    text = "".join(texts)
    _, letters, start = of(texts)
    found = sentences(letters, start)
    cut = [text[a:b] for a, b in pairwise(found)]
    assert cut == ["他说：“好。”", "我走，你来！？", "完", "”x。", "a, b; c"]
    found = clauses(letters, start)
    cut = [text[a:b] for a, b in pairwise(found)]
    assert cut == ["他说：“好。”", "我走，", "你来！？", "完", "”x。", "a,", " b;", " c"]


def test_exchanged_blocks_are_found_where_they_are() -> None:
    texts = language(60)
    places = {}
    for i in range(0, 60, 3):
        clause = texts[i].index("，") + 1
        at = clause + 3  # in the middle of a word: an exchange of whole words is as good as it was
        places[i] = at
        texts[i] = texts[i][:at] + texts[i][at + 2 : at + 4] + texts[i][at : at + 2] + texts[i][at + 4 :]
    letters, start = characters(texts)
    score = transposed.exchange_scores(letters, start)
    top = ragged.reduce(np.maximum, score, start)
    tampered = np.isin(np.arange(60), [*places])
    assert np.mean(top[tampered][:, None] > top[~tampered]) > 0.95
    assert np.mean([np.argmax(score[start[i] : start[i + 1]]) == at for i, at in places.items()]) > 0.9


def test_bits_of_an_exchange_do_not_count_the_place_itself() -> None:
    """What stands once in the corpus is as new as what stands nowhere."""
    letters, start = characters(["".join(chr(FIRST + i) for i in range(20))])
    windows = transposed.ExchangeSites(letters, start)
    described = windows.describe(np.array([8]))
    columns = described.shape[1] // 2 - 1
    assert described[0, :columns] == pytest.approx(described[0, columns : 2 * columns])  # as it stands, exchanged back
    assert described[0, -2] == pytest.approx(0, abs=1e-4)


def test_seams_against_counting_in_little_memory() -> None:
    import tracemalloc
    from collections import Counter

    rng = np.random.default_rng(0)
    start = np.arange(0, 400_001, 400)
    letters = (0x4E00 + rng.zipf(1.3, 400_000) % 3000).astype(np.int32)
    windows = transposed.ExchangeSites(letters, start)
    places = windows.places()
    tracemalloc.start()
    found = windows.seams(places)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * len(letters)

    symbols = windows.symbols.tolist()
    one, two = Counter(symbols), Counter(pairwise(symbols))
    for window, bits in zip(windows.read(places[::9973]).tolist(), found[::9973], strict=True):
        expected = 0.0
        for a, b in ((window[i], window[i + 1]) for i in (1, 3, 5)):
            expected += np.log2((two[a, b] - 1 + 0.5) * len(symbols) / (one[a] * one[b] + 0.5 * len(symbols)))
        assert bits == pytest.approx(expected, abs=1e-3)


def test_planted_sentences_are_found() -> None:
    texts = language(150, 8)
    guests = {}
    for i in range(0, 150, 5):
        parts = texts[i].split("。")
        guest = language(6, 1, seed=i + 1)[(i + 3) % 6]
        guests[i] = 2 + i % 4
        texts[i] = "。".join(parts[: guests[i]]) + "。" + guest + "。".join(parts[guests[i] :])
    features = coherence.coherence_features(*characters(texts))
    tampered = np.isin(np.arange(150), [*guests])
    top = features["planted_1"]
    assert np.mean(top[tampered][:, None] > top[~tampered]) > 0.98
    right = [features["planted_place"][i] * 8 == pytest.approx(place) for i, place in guests.items()]
    assert np.mean(right) > 0.9


def test_planting_puts_whole_foreign_sentences_into_rows() -> None:
    texts = [*language(30, 4), "", language(1, 1, seed=9)[0]]
    _, letters, start = of(texts)
    corpus = coherence.Corpus(letters, start, sentences(letters, start))
    larger, planted = coherence.plant(corpus)
    text = "".join(map(chr, larger.letters))
    rows = [text[a:b] for a, b in pairwise(larger.start)]
    cut = [text[a:b] for a, b in pairwise(larger.pieces)]
    per_row = np.searchsorted(larger.pieces, larger.start)
    row = ragged.rows_of(per_row)
    assert planted.sum() >= 25 and rows[-2:] == texts[-2:]
    for i, (sentence, foreign) in enumerate(zip(cut, planted, strict=True)):
        assert foreign == (sentence not in texts[row[i]])
        assert not foreign or (any(sentence in t for t in texts) and i > per_row[row[i]])
    kept = "".join(s for s, foreign in zip(cut, planted, strict=True) if not foreign)
    assert kept == "".join(texts)


def test_the_overlap_of_a_sentence_leaves_the_sentence_out() -> None:
    texts = ["ab。abcd。", "cd。cdef。", "xyxy。qr。", "ab。ef。", "xy。qr。"]
    _, letters, start = of(texts)
    corpus = coherence.Corpus(dense(letters), start, sentences(letters, start))
    overlap = coherence.describe(corpus, coherence.Topics(corpus))[:, coherence.NAMES.index("overlap")]
    # bigrams that two rows have, of equal weight; xy is twice in its sentence and not in the rest of its row
    assert overlap == pytest.approx([1 / 2, 1 / 3, 1 / 2, 1 / 3, 0, 0, 0, 0, 0, 0])


def test_shuffled_clauses_are_found() -> None:
    texts = language(200)
    for i in range(0, 200, 5):
        parts = texts[i].split("。")
        at = i % 6
        inner = parts[at].split("，")
        parts[at] = "，".join([*inner[1:], inner[0]])
        texts[i] = "。".join(parts)
    features = order_features(*characters(texts))
    tampered = np.arange(200) % 5 == 0
    assert features["1"][tampered].min() > np.quantile(features["1"][~tampered], 0.95)
    assert features["place"][tampered] * 5 == pytest.approx(np.arange(0, 200, 5) % 6)


def test_repeated_sentences_and_shared_runs() -> None:
    own = [chr(FIRST + i) for i in range(600)]
    a, b, c, d, e = ("".join(own[20 * i : 20 * i + 19]) + "。" for i in range(5))
    texts = [a + b + a, c + b, d + d, e, "", "。" + "".join(own[90:99]) + "！"]
    f = repeat_features(*of(texts))
    assert f["sentence_shared"].tolist() == [1, 1, 0, 0, 0, 0]
    assert f["sentence_shared_most"].tolist() == [1, 1, 0, 0, 0, 0]
    assert f["sentence_shared_cover"] == pytest.approx([1 / 3, 1 / 2, 0, 0, 0, 0])
    assert f["sentence_shared_last"] == pytest.approx([2 / 3, 1, 0, 0, 0, 0])
    assert f["sentence_shared_first"] == pytest.approx([0.5, 1, 0, 0, 0, 0])
    assert f["sentence_twice"].tolist() == [2, 0, 2, 0, 0, 0]
    assert f["sentence_twice_beside"].tolist() == [0, 0, 1, 0, 0, 0]
    # the stop before the shared sentence too; nine characters are too short a run
    assert f["covered"] == pytest.approx([21 / 60, 21 / 40, 0, 0, 0, 0])
    assert f["covered_run"].tolist() == [21, 21, 0, 0, 0, 0]
    assert f["covered_switches"].tolist() == [2, 1, 0, 0, 0, 0]
    assert f["partners"].tolist() == [1, 1, 0, 0, 0, 0]


def test_a_row_covered_by_several_rows_has_several_partners() -> None:
    own = [chr(FIRST + i) for i in range(100)]
    a, b, c = ("".join(own[20 * i : 20 * i + 20]) for i in range(3))
    f = repeat_features(*of([a + "、" + b + "、" + c, a, b, c]))
    assert f["partners"].tolist() == [3, 1, 1, 1] and f["partner_share"][0] == pytest.approx(11 / 62)


def test_titles() -> None:
    f = title_features(["今天", "今天", "今天", "今天天气", ""], ["今天，好", "好，今天", "天今好", "今天天色好", "好"])
    assert f["place"] == pytest.approx([0, 2 / 4, -1 / 3, -1 / 5, 0])
    assert f["prefix"] == pytest.approx([1, 0, 0, 3 / 4, 0])
    assert f["ends_clause"].tolist() == [1, 0, 0, 0, 0]
    assert f["pairs"] == pytest.approx([1, 1, 0, 2 / 3, 0])


def test_signs_by_hand() -> None:
    texts = ["好。，那时走。", "“好（吗”。", "１９９８年和2010年！", "", "他说”好“，", "好，。“”"]
    f = punctuation_features(*of(texts))
    assert f["stop_comma"].tolist() == [1, 0, 0, 0, 0, 0] and f["comma_stop"].tolist() == [0, 0, 0, 0, 0, 1]
    assert f["last_stop"].tolist() == [1, 1, 1, 0, 0, 0]
    assert f["unbalanced"].tolist() == [0, 1, 0, 0, 0, 0]
    assert f["round_open"].tolist() == [0, 1, 0, 0, 0, 0] and f["quotes_early"].tolist() == [0, 0, 0, 0, 1, 0]
    assert f["two_widths"].tolist() == [0, 0, 1, 0, 0, 0] and f["empty_pair"].tolist() == [0, 0, 0, 0, 0, 1]
    assert f["sentences"].tolist()[:4] == [2, 1, 1, 0] and f["sentence_length_max"].tolist()[:2] == [5, 6]
    assert f["sentence_last_length"].tolist()[:4] == [5, 6, 12, 0]


def test_tags() -> None:
    ids = np.array([0, 1, 0, 1, 0, 0, 2, 2], np.int32)
    start = np.array([0, 4, 6, 8, 8])
    f = tag_features(ids, start, start[[0, 1, 2, 4]])
    assert f["entropy"] == pytest.approx([1, 0, 0, 0]) and f["kinds"].tolist() == [2, 1, 1, 0]
    assert f["share_0"] == pytest.approx([0.5, 1, 0, 0]) and f["same"] == pytest.approx([0, 0.5, 0.5, 0])
    assert f["unseen_1"] == pytest.approx([0.5, 0, 1, 0])


def test_all_together() -> None:
    texts = [*language(40), "", "好", "。。", "no Chinese here, at all."]
    names, x = tampering_features(texts)
    assert x.shape == (44, len(names)) and x.dtype == np.float32 and np.isfinite(x).all()
    assert len(set(names)) == len(names)
    again = tampering_features(texts)[1]
    assert np.array_equal(x, again)

    letters, start = characters(texts)
    number = np.zeros(len(letters), np.int32)
    more, wider = tampering_features(texts, texts, Units(letters, start, number), Units(letters % 7, start, number))
    assert more[: len(names)] == names and np.array_equal(wider[:, : len(names)], x) and np.isfinite(wider).all()
    assert {name.split("_")[0] for name in more[len(names) :]} == {"title", "word", "tag"}
    fewer, narrower = tampering_features(texts, groups=["sign", "order"])
    assert np.array_equal(narrower, x[:, [names.index(name) for name in fewer]]) and len(fewer) < len(names)


@pytest.mark.parametrize("texts", [[], [""], ["好"], ["好。好。"]])
def test_next_to_nothing_is_enough(texts: list[str]) -> None:
    names, x = tampering_features(texts)
    assert x.shape == (len(texts), len(names)) and np.isfinite(x).all()
