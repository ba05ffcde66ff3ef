"""Augments: each does what it says, to odd texts too, and the same whoever asks and whenever."""

import random
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.augment import (
    AEDA,
    EDA,
    Augment,
    CaseNoise,
    Chain,
    ClauseSwap,
    Crop,
    HanDelete,
    HanSimilar,
    HanSwap,
    HanWords,
    OneOf,
    RandomDeletion,
    RandomInsertion,
    RandomSwap,
    SentenceDelete,
    SentenceShuffle,
    Sometimes,
    SynonymReplacement,
    augmented,
    write_neighbours,
)
from kit.augment.base import STREAM
from kit.augment.lexicon import lexicon
from kit.augment.pieces import clauses, sentences, words
from kit.augment.similar import SHAPE, SOUND, groups
from kit.augment.text import MARKS
from kit.core.errors import KitError
from kit.core.spec import Spec, choices

HUNDRED = " ".join(f"w{i}" for i in range(100))
HAN = "他在公司说今天的市场有很大发展然后我们就走了再见你好" * 20
ODD = [
    "",
    " ",
    "\n\n",
    "a",
    "word",
    "!",
    "😀",
    "👩‍👩‍👧 é 你",
    "好",
    "。",
    "，，。",
    "a  b\tc\n",
    "don't",
    "\x00",
    "ﬁ ß İ",
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def lexicons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("lexicons")
    (folder / "latin").write_text("".join(f"w{i}\ts{i},t{i}\n" for i in range(0, 100, 2)) + "good\tfine,well done\n")
    (folder / "han").write_text("公司\t企业\n公\t母\n市场\t商场,集市\n", encoding="utf-8")
    return {name: str(folder / name) for name in ("latin", "han")}


def every(lexicons: dict[str, str]) -> list[Augment]:
    return [
        AEDA(), CaseNoise(share=0.5, to=("upper", "swap")), ClauseSwap(share=1), Crop(), HanDelete(share=0.3),
        *(Crop(by=by, part=part) for by in ("sentences", "characters") for part in ("any", "head", "tail", "ends")),
        EDA(alpha=0.5), EDA(lexicon=lexicons["latin"]), HanSimilar(share=1), HanSwap(share=0.5), RandomDeletion(share=1),
        HanWords(share=1, lexicon=lexicons["han"], cut="longest"), RandomInsertion(lexicon=lexicons["latin"]),
        RandomSwap(), SentenceDelete(share=1), SentenceShuffle(), SynonymReplacement(share=1, lexicon=lexicons["latin"]),
        Chain(steps=(RandomSwap(), AEDA())), OneOf(choices=(AEDA(), HanSwap())), Sometimes(step=AEDA()),
    ]  # fmt: skip


# ---- all of them -----------------------------------------------------------------------------------------------


def test_odd_texts_repeat_and_leave_the_world_alone(lexicons: dict[str, str]) -> None:
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    for augment in every(lexicons):
        for text in [*ODD, "word 😀 " * 3000, "很长，的。" * 3000]:
            changed = augment(text, rng(3))
            assert changed == augment(text, rng(3)) and isinstance(changed, str)
            assert text == "" or changed != "" or augment == SentenceShuffle()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


@given(st.text(alphabet="ab .!?…。！，,:'’”\n\t😀é你好3", max_size=60))
@settings(max_examples=150, deadline=None)
def test_pieces_are_the_text_again(text: str) -> None:
    for cut in (words, sentences, clauses):
        pieces = cut(text)
        assert "".join(pieces) == text and len(pieces) % 2 == 1
    assert all(piece and piece == piece.strip() for piece in sentences(text)[1::2])
    assert not any(re.search(r"\w", gap) for gap in words(text)[::2])


@pytest.mark.parametrize(
    "text, found",
    [
        ('He said "no!" It is 3.14. Bye', ['He said "no!"', "It is 3.14.", "Bye"]),
        ("他说：“好。”然后走了！！真的…… 吗？", ["他说：“好。”", "然后走了！！", "真的……", "吗？"]),
        ("a line\n\nanother one? no\n", ["a line", "another one?", "no"]),
        ("  Dr. Who, e.g. this one, is J. Smith.  Yes. ", ["Dr. Who, e.g. this one, is J. Smith.", "Yes."]),
    ],
)
def test_sentences(text: str, found: list[str]) -> None:
    assert sentences(text)[1::2] == found


def test_clauses_keep_numbers_and_addresses_whole() -> None:
    assert clauses("你好，价格 1,000：见http://a；再见。”")[1::2] == ["你好", "价格 1,000", "见http://a", "再见"]


def test_a_text_depends_on_seed_epoch_and_row_alone(lexicons: dict[str, str], python: Callable[..., str]) -> None:
    augment = Chain(
        steps=(EDA(lexicon=lexicons["latin"]), OneOf(choices=(AEDA(), RandomSwap())), Sometimes(step=Crop()))
    )
    texts = [f"{HUNDRED} good {i}" for i in range(1200)]
    made = augmented(texts, augment, 5, 2, range(1200))
    some = rng().permutation(1200)[:300]
    assert augmented([texts[i] for i in some], augment, 5, 2, some) == [made[i] for i in some]
    assert made[1100] == augment(texts[1100], np.random.default_rng([STREAM, 5, 0, 2, 1100]))
    assert made != augmented(texts, augment, 5, 3, range(1200)) and made != augmented(texts, augment, 4, 2, range(1200))
    assert len({text.replace(f" {i}", "") for i, text in enumerate(made)}) > 1000  # rows differ
    script = f"""
    from kit.augment import *
    from kit.core.spec import Spec
    import json
    augment = Spec.from_dict(json.loads('''{__import__("json").dumps(augment.to_dict())}'''))
    print(ascii(augmented([{texts[7]!r}, {texts[3]!r}], augment, 5, 2, [7, 3])))
    """
    for hashes in ("1", "2"):
        assert python(script, PYTHONHASHSEED=hashes) == ascii([made[7], made[3]])


def test_naming_them_imports_nothing_heavy(python: Callable[..., str]) -> None:
    script = "import kit.augment, sys; print(sorted({'torch', 'nlpaug', 'transformers', 'jieba'} & set(sys.modules)))"
    assert python(script) == "[]"


class Settings(Spec):
    """What a member with an augment looks like."""

    augment: Augment | None = None


def test_they_are_chosen_by_name() -> None:
    spec = Settings().override("augment=EDA(alpha=0.2)")
    assert spec.augment == EDA(alpha=0.2)
    spec = spec.override("augment=chain(steps=(SentenceShuffle(), Sometimes(step=AEDA(), p=0.3)))")
    assert spec.augment == Chain(steps=(SentenceShuffle(), Sometimes(step=AEDA(), p=0.3)))
    assert Spec.from_dict(spec.to_dict()) == spec and spec.override("augment=none").augment is None
    assert {"EDA", "BackTranslation", "ContextualWords", "KeyboardErrors", "HanSwap"} <= choices(Augment).keys()
    assert not {"Augment", "BatchAugment"} & choices(Augment).keys()


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: EDA(alpha=0), "EDA.alpha = 0"),
        (lambda: RandomDeletion(share=1.5), "RandomDeletion.share"),
        (lambda: Chain(steps=()), "Chain.steps"),
        (lambda: Sometimes(step=AEDA(), p=2), "Sometimes.p"),
        (lambda: Crop(least=1), "Crop.least"),
        (lambda: Crop(by="lines"), "Crop.by"),
        (lambda: HanDelete(share=1), "HanDelete.share"),
        (lambda: SynonymReplacement(), "SynonymReplacement.lexicon"),
        (lambda: augmented(["a"], AEDA(), 0, 0, [1, 2]), "1 samples were given for 2 rows"),
        (lambda: augmented(["a"], AEDA(), 0, 0, [-1]), "cannot be negative"),
        (
            lambda: EDA(lexicon="nowhere").many(["a b"] * 9, [rng(i) for i in range(9)]),
            "lexicon nowhere cannot be read",
        ),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(KitError, match=re.escape(said)):
        make()


# ---- put together ----------------------------------------------------------------------------------------------


class Add(Augment):
    """A mark behind the text."""

    mark: str

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return text + self.mark


def test_chain_one_of_and_sometimes() -> None:
    rngs = [rng(i) for i in range(3000)]
    assert Chain(steps=(Add(mark="a"), Add(mark="b")))("x", rng()) == "xab"
    made = Counter(OneOf(choices=(Add(mark="a"), Add(mark="b"), Add(mark="c"))).many(["x"] * 3000, rngs))
    assert made.keys() == {"xa", "xb", "xc"} and all(abs(n - 1000) < 110 for n in made.values())
    made = Counter(Sometimes(step=Add(mark="a"), p=0.2).many(["x"] * 3000, rngs))
    assert made.keys() == {"x", "xa"} and abs(made["xa"] - 600) < 90
    for p in (0, 1):
        assert Sometimes(step=Add(mark="a"), p=p)("x", rng()) == "x" + "a" * p


# ---- EDA ---------------------------------------------------------------------------------------------------------


def changed_words(augment: Augment, text: str, seed: int = 0) -> list[tuple[str, str]]:
    pairs = zip(text.split(), augment(text, rng(seed)).split(), strict=True)
    return [(old, new) for old, new in pairs if old != new]


def test_synonyms_stand_for_an_alpha_of_the_words(lexicons: dict[str, str]) -> None:
    seen = Counter()
    for seed in range(200):
        changed = changed_words(SynonymReplacement(share=0.1, lexicon=lexicons["latin"]), HUNDRED, seed)
        assert len(changed) == 10 and all(int(old[1:]) % 2 == 0 for old, _ in changed)
        assert all(new in (f"s{old[1:]}", f"t{old[1:]}") for old, new in changed)
        seen.update(new[0] for _, new in changed)
    assert abs(seen["s"] - 1000) < 120
    alone = SynonymReplacement(share=0.1, lexicon=lexicons["latin"])
    assert {alone("(GOOD!)", rng(i)) for i in range(20)} == {"(FINE!)", "(WELL DONE!)"}
    assert (
        alone("Good  bad", rng(1)).startswith(("Fine  ", "Well done  ")) and alone("none, here", rng()) == "none, here"
    )


def test_insertion_keeps_all_words_and_adds_synonyms_of_them(lexicons: dict[str, str]) -> None:
    places = Counter()
    for seed in range(300):
        made = RandomInsertion(share=0.05, lexicon=lexicons["latin"])(HUNDRED, rng(seed)).split()
        assert [w for w in made if w[0] == "w"] == HUNDRED.split()
        new = [w for w in made if w[0] != "w"]
        assert len(new) == 5 and all(w[0] in "st" and int(w[1:]) % 2 == 0 for w in new)
        places.update((made[0][0] != "w", made[-1][0] != "w"))
    assert 3 < places[True] < 60  # 1/101 at each end
    assert RandomInsertion(lexicon=lexicons["latin"])("odd w1", rng()) == "odd w1"


def test_swap_keeps_the_words_and_what_stands_between() -> None:
    text = "one,  two (three) FOUR\nfive!"
    assert {RandomSwap()(text, rng(i)) for i in range(400)} == {
        f"{a},  {b} ({c}) {d}\n{e}!"
        for w in [("one", "two", "three", "FOUR", "five")]
        for i in range(5)
        for j in range(i)
        for a, b, c, d, e in [[w[{i: j, j: i}.get(k, k)] for k in range(5)]]
    }
    moved = [len(changed_words(RandomSwap(share=0.1), HUNDRED, seed)) for seed in range(50)]
    assert max(moved) == 20 and min(moved) > 12


def test_deletion_takes_its_share_and_never_all() -> None:
    text = " ".join(f"w{i}" for i in range(20_000))
    made = RandomDeletion(share=0.2)(text, rng())
    kept = made.split(" ")
    assert abs(len(kept) - 16_000) < 4 * (20_000 * 0.16) ** 0.5
    assert sorted(kept, key=lambda w: int(w[1:])) == kept and len(set(kept)) == len(kept)
    left = Counter(RandomDeletion(share=1)("a b, c", rng(i)) for i in range(60))
    assert left.keys() == {"a,", "b,", ", c"} and min(left.values()) > 8
    assert RandomDeletion(share=1)("one", rng()) == "one"


def test_eda_does_one_of_four_as_often(lexicons: dict[str, str]) -> None:
    def kind(made: str) -> str:
        new = made.split()
        if len(new) != 100:
            return "insert" if len(new) > 100 else "delete"
        return "swap" if sorted(new) == sorted(HUNDRED.split()) else "replace"

    made = Counter(map(kind, EDA(lexicon=lexicons["latin"]).many([HUNDRED] * 1000, [rng(i) for i in range(1000)])))
    assert all(abs(made[name] - 250) < 60 for name in ("insert", "delete", "swap", "replace"))
    made = Counter(map(kind, EDA().many([HUNDRED] * 1000, [rng(i) for i in range(1000)])))
    assert made.keys() == {"swap", "delete"} and abs(made["swap"] - 500) < 70


def test_lexicons(tmp_path: Path) -> None:
    file = tmp_path / "lexicon"
    file.write_text("# a comment\n\ngood\tfine, nice,good,\ngood\twell\n", encoding="utf-8")
    assert lexicon(str(file)) == {"good": ("fine", "nice", "well")} and lexicon(str(file)).lengths == {"g": (4,)}
    file.write_text("[NN] ||| cat ||| feline ||| Score=1 ||| 0-0 ||| Equivalence\n[X] ||| cat ||| kitty ||| ||| \n")
    assert lexicon(str(file)) == {"cat": ("feline", "kitty")}  # a changed file is read again
    file.write_text("good\tfine\nbad line\n" + " " * 99)
    with pytest.raises(KitError, match=r"line 2: 'bad line' is not of the form word<TAB>synonym,synonym"):
        lexicon(str(file))


def test_neighbours_are_those_of_largest_cosine(tmp_path: Path) -> None:
    vectors = rng().normal(size=(60, 5))
    names = [f"v{i}" for i in range(59)] + ["a,b"]
    write_neighbours(tmp_path / "near", names, vectors, k=3, least=0.3)
    cosine = [[a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) for b in vectors[:59]] for a in vectors[:59]]
    for i, name in enumerate(names[:59]):
        near = sorted((j for j in range(59) if j != i and cosine[i][j] >= 0.3), key=lambda j, i=i: -cosine[i][j])[:3]
        assert lexicon(str(tmp_path / "near")).get(name, ()) == tuple(f"v{j}" for j in near)


def test_of_equal_neighbours_the_first_words_are_taken(tmp_path: Path) -> None:
    vectors = np.repeat(np.eye(3), 5, axis=0)[rng().permutation(15)]
    names = [f"v{i}" for i in range(15)]
    for k in (2, 4, 14, 40):
        write_neighbours(tmp_path / "near", names, vectors, k=k, least=0.5)
        for i, name in enumerate(names):
            near = [names[j] for j in range(15) if j != i and vectors[i] @ vectors[j] > 0.5][:k]
            assert lexicon(str(tmp_path / "near"))[name] == tuple(near)


def test_a_lexicon_of_another_encoding_is_refused_and_home_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "near").write_bytes("好\t佳,良\n".encode("gbk"))
    with pytest.raises(KitError) as error:
        lexicon("~/near")
    assert str(error.value) == "lexicon ~/near is not in UTF-8; save it in UTF-8 (other encodings are not guessed)"
    (tmp_path / "near").write_text("好\t佳,良们\n", encoding="utf-8")
    assert lexicon("~/near") == {"好": ("佳", "良们")}


# ---- punctuation, case, crops, sentences ---------------------------------------------------------------------------


def test_aeda_puts_up_to_a_third_of_marks_before_words() -> None:
    counts, marks = Counter(), Counter()
    text = HUNDRED.replace("w50 ", "w50\n  ")
    for seed in range(600):
        made = AEDA(most=0.3)(text, rng(seed))
        new = [w for w in made.split() if w in MARKS]
        assert [w for w in made.split() if w not in MARKS] == text.split() and made.split()[-1] == "w99"
        assert re.sub(r"[.;?:!,] ", "", made) == text
        counts[len(new)] += 1
        marks.update(new)
    assert (min(counts), max(counts)) == (1, 30) and abs(np.mean(list(counts.elements())) - 15.5) < 1.5
    assert marks.keys() == set(MARKS) and max(marks.values()) < 1.2 * min(marks.values())
    assert re.fullmatch("[.;?:!,] one", AEDA()("one", rng()))


def test_case_noise_changes_its_share_and_only_case() -> None:
    text = "word, Word WORD 😀 don't " * 1000
    made = CaseNoise(share=0.25, to=("swap",))(text, rng())
    assert made.lower() == text.lower()
    changed = sum(a != b for a, b in zip(made.split(), text.split(), strict=True))
    assert abs(changed - 1000) < 4 * (4000 * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize("part", ["any", "head", "tail"])
@pytest.mark.parametrize("by", ["words", "sentences", "characters"])
def test_crops_are_contiguous_parts(by: str, part: str) -> None:
    text = {"characters": HAN[:100], "words": "  ".join(HUNDRED.split()), "sentences": "One is. " * 99 + "Last"}[by]
    crop, shares = Crop(least=0.4, by=by, part=part), []
    for seed in range(200):
        made = crop(text, rng(seed))
        assert {"any": made in text, "head": text.startswith(made), "tail": text.endswith(made)}[part]
        assert by != "sentences" or (made.startswith(("One", "Last")) and made.endswith((".", "Last")))
        kept = len({"characters": list, "words": str.split, "sentences": lambda t: sentences(t)[1::2]}[by](made))
        shares.append(kept / 100)
    assert 0.4 <= min(shares) < 0.45 and max(shares) > 0.95 and abs(np.mean(shares) - 0.7) < 0.05


def test_a_crop_of_ends_cuts_out_the_middle() -> None:
    for seed in range(100):
        made = [int(w[1:]) for w in Crop(least=0.2, part="ends")(HUNDRED, rng(seed)).split()]
        jumps = [(a, b) for a, b in pairwise(made) if b != a + 1]
        assert made[0] == 0 and made[-1] == 99 and len(jumps) == (len(made) < 100) and len(made) >= 20
        assert all(abs((a + 1) - (100 - b)) <= 1 for a, b in jumps)
    assert Crop(least=0.01, part="ends")("one two", rng(2)) in ("one", "one two")


def test_sentences_change_places_and_gaps_stay() -> None:
    made = Counter(SentenceShuffle()("A bee.  C!\n\n好。D", rng(i)) for i in range(2400))
    assert len(made) == 24 and max(made.values()) < 150
    assert {re.sub(r"A bee\.|C!|好。|D", "#", text) for text in made} == {"#  #\n\n##"}


def test_sentences_are_left_out_but_one() -> None:
    made = SentenceDelete(share=0.3)(" ".join(f"S{i}." for i in range(5000)), rng()).split(" ")
    assert abs(len(made) - 3500) < 4 * (5000 * 0.21) ** 0.5 and sorted(made, key=lambda s: int(s[1:-1])) == made
    left = Counter(SentenceDelete(share=1)("A bee. C! D", rng(i)) for i in range(300))
    assert left.keys() == {"A bee.", "C!", "D"} and min(left.values()) > 60


# ---- Chinese ---------------------------------------------------------------------------------------------------


def test_the_table_of_similar_characters_is_sound() -> None:
    for kind in (SOUND, SHAPE):
        table = groups(kind)
        assert all(a not in others and all(a in table[b] for b in others) for a, others in table.items())
        assert len(kind.split()) > 50 and len(set(kind.split())) == len(kind.split())


def test_similar_characters(tmp_path: Path) -> None:
    text, table = HAN + " abc😀", groups(SOUND)
    known = [i for i, c in enumerate(text) if c in table]
    made = HanSimilar(share=1, kinds=("sound",))(text, rng())
    assert all(b in table[a] if a in table else a == b for a, b in zip(text, made, strict=True)) and len(known) > 100
    counts = [
        sum(a != b for a, b in zip(text, HanSimilar(share=0.2, kinds=("sound",))(text, rng(i)), strict=True))
        for i in range(60)
    ]
    assert abs(np.mean(counts) - 0.2 * len(known)) < 0.03 * len(known)
    (tmp_path / "own").write_text("市\t柿,布\n", encoding="utf-8")
    assert set(HanSimilar(share=1, table=str(tmp_path / "own"))("市" * 20 + "。", rng())) == set("柿布。")


def test_han_deletion_and_swaps_touch_chinese_characters_only() -> None:
    text = "ab，12。😀 " + HAN
    han = len(HAN)
    kept = HanDelete(share=0.2)(text, rng())
    assert kept.startswith("ab，12。😀 ") and abs(len(text) - len(kept) - 0.2 * han) < 4 * (han * 0.16) ** 0.5
    assert HanDelete(share=0.99)("好", rng()) == "好"
    unique = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
    made = HanSwap(share=0.1)("a b，" + unique, rng())
    assert made[:4] == "a b，" and sorted(made[4:]) == sorted(unique)
    moves = [ord(c) - 0x4E00 - i for i, c in enumerate(made[4:])]
    assert set(moves) == {-1, 0, 1} and abs(moves.count(1) - 270) < 60  # a pair that overlaps the last one is left


def test_clauses_change_places_within_their_sentence() -> None:
    made = Counter(ClauseSwap(share=1)("甲，乙；丙。丁，戊！己", rng(i)) for i in range(900))
    expected = {f"{x}戊，丁！己" for x in ("乙，甲；丙。", "丙，乙；甲。", "甲，丙；乙。")}
    assert made.keys() == expected and min(made.values()) > 230
    text = "甲，乙。" * 2000
    assert abs(ClauseSwap(share=0.3)(text, rng()).count("乙，甲。") - 600) < 4 * (2000 * 0.21) ** 0.5


def test_han_words(lexicons: dict[str, str]) -> None:
    longest = HanWords(share=1, lexicon=lexicons["han"], cut="longest")
    assert {longest("市公司公x市场😀", rng(i)) for i in range(20)} == {"市企业母x商场😀", "市企业母x集市😀"}
    made = HanWords(share=0.3, lexicon=lexicons["han"], cut="longest")("公司" * 3000, rng())
    assert abs(made.count("企业") - 900) < 4 * (3000 * 0.21) ** 0.5


def test_han_words_of_jieba(lexicons: dict[str, str]) -> None:
    pytest.importorskip("jieba")
    odd = "在 市场\r\n\t上，Foo's  公司😀。 "
    made = HanWords(share=1, lexicon=lexicons["han"])(odd, rng(1))
    assert made in [odd.replace("公司", "企业").replace("市场", near) for near in ("商场", "集市")]


# ---- a masked language model ---------------------------------------------------------------------------------------

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "cat",
    "dog",
    "sat",
    "ran",
    "home",
    "old",
    "tree",
    ",",
    ".",
    "!",
    "##s",
    "##ed",
    "12",
    "猫",
    "狗",
]
WHOLE = ["the", "cat", "dog", "sat", "ran", "home", "old", "tree", "猫", "狗"]


def saved_tokenizer(folder: Path, vocabulary: list[str], **names: str) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = {word: i for i, word in enumerate(vocabulary)}
    made = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    first, last = names.get("cls_token"), names.get("sep_token") or names["eos_token"]
    made.post_processor = processors.TemplateProcessing(
        single=f"{first or ''} $A {last}".strip(), special_tokens=[(name, ids[name]) for name in (first, last) if name]
    )
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", **names).save_pretrained(
        folder
    )


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    import torch
    from transformers import BertConfig, BertForMaskedLM

    folder = tmp_path_factory.mktemp("bert")
    saved_tokenizer(folder, VOCABULARY, cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(VOCABULARY) + 3, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=64, initializer_range=1.0,
        )  # fmt: skip
        BertForMaskedLM(config).save_pretrained(folder)
    return str(folder)


def probabilities(folder: str, masked: list[str], at: int) -> dict[str, float]:
    """Of whole words at a place, by a model asked without any of ours."""
    import torch
    from transformers import AutoModelForMaskedLM

    ids = torch.tensor([[VOCABULARY.index(word) for word in masked]])
    logits = AutoModelForMaskedLM.from_pretrained(folder).eval()(input_ids=ids).logits[0, at]
    return {word: float(logits[VOCABULARY.index(word)].detach().exp()) for word in WHOLE}


def test_contextual_words_are_drawn_by_their_probability(bert: str) -> None:
    from kit.augment import ContextualWords

    expected = probabilities(bert, ["[CLS]", "[MASK]", ".", "[SEP]"], 1)
    del expected["cat"]
    best = dict(sorted(expected.items(), key=lambda pair: -pair[1])[:3])
    made = ContextualWords(weights=bert, share=1, top=3).many(["Cats."] * 2000, [rng(i) for i in range(2000)])
    counts = Counter(text[:-1].lower() for text in made)
    assert counts.keys() <= best.keys() and all(text[0].isupper() or text[0] > "z" for text in made)
    for word, p in best.items():
        share = p / sum(best.values())
        assert abs(counts[word] - 2000 * share) < 4 * (2000 * share * (1 - share)) ** 0.5 + 1
    assert (
        ContextualWords(weights=bert, share=1, top=1)("CAT.", rng())
        == max(expected, key=lambda w: expected[w]).upper() + "."
    )


def test_contextual_words_change_nothing_else(bert: str) -> None:
    import torch

    from kit.augment import ContextualWords

    torch.manual_seed(3)
    state = torch.get_rng_state()
    text = "  The  cats sat,\tunknown; 12 😀 ran\n(home)!  "
    changed = []
    for seed in range(60):
        made = ContextualWords(weights=bert, share=0.4)(text, rng(seed))
        assert re.sub(r"\w+", "#", made) == re.sub(r"\w+", "#", text)
        pairs = list(zip(re.findall(r"\w+", text), re.findall(r"\w+", made), strict=True))
        assert all(new == old or (new.lower() in WHOLE and new.lower() != old.lower()) for old, new in pairs)
        changed.append(sum(new != old for old, new in pairs))
    assert abs(np.mean(changed) / 7 - 0.4) < 0.1
    for seed in range(20):
        made = ContextualWords(weights=bert, share=0.5, action="insert")("cats sat, 😀 狗狗", rng(seed))
        assert is_within("cats sat, 😀 狗狗", made) and {*re.findall(r"[a-z]+|\w", made)} <= {*WHOLE, "cats"}
    assert torch.equal(torch.get_rng_state(), state)


def is_within(part: str, whole: str) -> bool:
    rest = iter(whole)
    return all(c in rest for c in part)


def test_contextual_words_in_batches_of_any_size_and_in_long_and_odd_texts(bert: str) -> None:
    from kit.augment import ContextualWords

    texts = [*ODD, "cat dog " * 9, "the old tree ran home"] * 3
    made = [ContextualWords(weights=bert, share=0.6, length=32, batch=b) for b in (1, 4, 64)]
    one, few, many = (a.many(texts, [rng(i) for i in range(len(texts))]) for a in made)
    assert one == few == many and one[0] == "" and one != texts
    for action in ("substitute", "insert"):  # the model has 64 places
        assert ContextualWords(weights=bert, share=1, action=action)("cat " * 100, rng()).endswith("cat " * 38)
    cut = ContextualWords(weights=bert, share=1, length=12)("cat " * 40, rng())
    assert cut.endswith("cat " * 30) and "cat" not in cut[: -4 * 30]


def test_a_model_that_cannot_fill_masks_is_refused(bert: str, tmp_path: Path) -> None:
    import shutil

    from transformers import AutoModel

    from kit.augment import ContextualWords

    shutil.copytree(bert, tmp_path / "bert")
    saved_tokenizer(tmp_path / "bert", VOCABULARY, cls_token="[CLS]", sep_token="[SEP]")
    with pytest.raises(KitError, match="has no fast tokenizer with a mask token"):
        ContextualWords(weights=str(tmp_path / "bert"))("a cat", rng())
    shutil.copytree(bert, tmp_path / "headless")
    AutoModel.from_pretrained(bert).save_pretrained(tmp_path / "headless")
    with pytest.raises(KitError, match="tensors that AutoModelForMaskedLM needs are missing, such as 'cls"):
        ContextualWords(weights=str(tmp_path / "headless"))("a cat", rng())
    with pytest.raises(KitError, match="weights 'nowhere/none' not found"):
        ContextualWords(weights="nowhere/none")("a cat", rng())


# ---- back-translation ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    folders = []
    vocabulary = ["[PAD]", "</s>", "[UNK]", ":", *WHOLE[:8], "."]
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp("t5")
        saved_tokenizer(folder, vocabulary, eos_token="</s>")
        config = T5Config(
            vocab_size=len(vocabulary), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, pad_token_id=0,
            eos_token_id=1, decoder_start_token_id=0, initializer_factor=3.0,
        )  # fmt: skip
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            T5ForConditionalGeneration(config).save_pretrained(folder)
        folders.append(str(folder))
    return folders[0], folders[1]


def translated(folder: str, text: str, **how: Any) -> str:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    made = model.generate(input_ids=ids, do_sample=False, max_new_tokens=12, **how)
    return tokenizer.batch_decode(made, skip_special_tokens=True)[0]


def test_back_translation_goes_there_and_back_sentence_by_sentence(
    t5: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from kit.augment import BackTranslation, translate

    how: dict[str, Any] = dict(
        zip(("there", "back"), t5, strict=True), beams=2, length=12, cache=str(tmp_path / "c/kept")
    )
    spec = BackTranslation(**how, prefixes=("the :", "old :"))
    state = torch.get_rng_state()
    made = spec(" The cat sat.\n\nA dog ran home! 😀", rng())
    expected = [
        translated(t5[1], "old :" + translated(t5[0], "the :" + sentence, num_beams=2), num_beams=2) or sentence
        for sentence in ("The cat sat.", "A dog ran home!", "😀")
    ]
    assert made == " {}\n\n{} {}".format(*expected) and len(set(expected)) > 1
    assert torch.equal(torch.get_rng_state(), state)
    assert spec("", rng()) == "" and spec(" \n", rng()) == " \n"
    monkeypatch.setattr(translate, "load_translator", lambda *a: pytest.fail("translated twice"))
    assert spec("A dog ran home!  The cat sat.", rng(7)) == f"{expected[1]}  {expected[0]}"  # kept
    for change in ({"beams": 3}, {"back": t5[0]}, {"length": 9}, {"prefixes": ("", "")}, {"variants": 2}):
        with pytest.raises(pytest.fail.Exception):  # another translation
            BackTranslation(**how | {"prefixes": ("the :", "old :")} | change)("The cat sat.", rng())


def test_variants_are_drawn_once_for_all(t5: tuple[str, str], tmp_path: Path) -> None:
    from kit.augment import BackTranslation

    texts = [" ".join(WHOLE[i] for i in row) for row in rng().integers(8, size=(30, 6))]

    def made(batch: int, seeds: range, order: int = 1) -> list[str]:
        how: dict[str, Any] = dict(
            zip(("there", "back"), t5, strict=True), length=10, variants=3, temperature=30, batch=batch
        )
        spec = BackTranslation(**how, cache=str(tmp_path / f"{batch} {seeds} {order}"))
        return spec.many(texts[::order], [rng(i) for i in seeds][::order])[::order]

    assert made(1, range(30)) == made(8, range(30)) == made(30, range(30), -1)
    how: dict[str, Any] = dict(zip(("there", "back"), t5, strict=True), length=10, cache=str(tmp_path / "kept"))
    spec = BackTranslation(**how, variants=3, temperature=30)
    found = Counter(spec.many(texts[:1] * 300, [rng(i) for i in range(300)]))
    assert len(found) == 3 and min(found.values()) > 65


def test_gumbel_noise_samples_the_softmax_of_each_row() -> None:
    import torch

    from kit.augment.translate import GumbelMax

    scores = torch.tensor([1.0, 0.0, -1.0, -torch.inf]).repeat(6000, 1)
    sampling = GumbelMax([f"{i:016x}" for i in range(6000)], temperature=0.5)
    share = sampling(scores, scores).argmax(1).bincount(minlength=4) / 6000
    assert torch.allclose(share, (scores[0] / 0.5).softmax(0), atol=0.025)


def test_the_cache_outlives_a_killed_writer_and_serves_several(tmp_path: Path, python: Callable[..., str]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from kit.augment.translate import add_translations, read_translations

    file = tmp_path / "kept"
    script = f"""
    import os, sqlite3
    from pathlib import Path
    from kit.augment.translate import add_translations, _table
    add_translations(Path({str(file)!r}), {{"a": "A"}})
    if os.fork() == 0:
        with _table(Path({str(file)!r})) as table:
            table.execute("INSERT INTO summed VALUES ('b', 'B', '')")
            os._exit(9)  # in the midst of it
    os.wait()
    """
    python(script)
    assert read_translations(file, ["a", "b"]) == {"a": "A"}

    def work(part: int) -> int:
        for i in range(20):
            add_translations(file, {f"{part} {i}": str(i)})
        return len(read_translations(file, [f"{part} {i}" for i in range(20)]))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [20] * 4
    assert len(read_translations(file, [f"{p} {i}" for p in range(4) for i in range(500)])) == 80


def test_a_damaged_translation_is_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from kit.augment.translate import add_translations, read_translations

    file = tmp_path / "kept"
    add_translations(file, {"a": "first text", "b": "second text"})
    file.write_bytes(file.read_bytes().replace(b"first text", b"fi2st text"))
    assert read_translations(file, ["a", "b"]) == {"b": "second text"}
    assert f"kit: {file} is damaged; those sentences are translated again" in capsys.readouterr().err
    add_translations(file, {"a": "first text"})
    assert read_translations(file, ["a", "b"]) == {"a": "first text", "b": "second text"}
    file.write_bytes(b"no database at all, but of some length".ljust(8192, b"!"))
    assert read_translations(file, ["a"]) == {} and not file.exists()
