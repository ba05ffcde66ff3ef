"""Word vectors: learnt from texts, read from files of every format, and the table made of them."""

import functools
import gzip
import hashlib
import os
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.text.vector_files import read_vectors, save_vectors
from kit.text.vectors import FastText, VectorFile, Vectors, VectorTable, Word2Vec

gensim_models = pytest.importorskip("gensim.models")

SEA, LAND = ["fishing", "fishes", "sailor", "harbour", "tide"], ["tractor", "farming", "farmer", "barley", "plough"]
SMALL = dict(width=16, window=3, epochs=20, min_count=2, subsample=0)
WORDS, VALUES = ["the", "Sea", "大", "海", "sea"], np.arange(15, dtype=np.float32).reshape(5, 3) / 8 - 1


@functools.cache
def texts() -> list[list[str]]:
    """Each text keeps to one topic; "seldom" occurs once."""
    rng = np.random.default_rng(0)
    return [rng.choice(SEA if n % 2 else LAND, 12).tolist() for n in range(200)] + [["seldom", *SEA]]


def cosines(table: VectorTable) -> np.ndarray:
    unit = table.values / np.linalg.norm(table.values, axis=1, keepdims=True)
    return unit @ unit.T


def nothing() -> list[list[str]]:
    raise AssertionError("a file's vectors need no texts")


# ---- learnt ------------------------------------------------------------------------------------


@pytest.mark.parametrize("skip_gram", [True, False])
@pytest.mark.parametrize("kind", [Word2Vec, FastText])
def test_units_of_a_topic_lie_nearer_to_each_other_than_to_the_other_s(kind: Any, skip_gram: bool) -> None:
    near = cosines(kind(**SMALL | dict(epochs=60), skip_gram=skip_gram).table([*SEA, *LAND], texts))
    same = np.kron(np.eye(2), np.ones((5, 5))).astype(bool) & ~np.eye(10, dtype=bool)
    across = np.kron(1 - np.eye(2), np.ones((5, 5))).astype(bool)
    for unit in range(10):
        assert near[unit, same[unit]].min() > near[unit, across[unit]].max()


def test_rare_and_unseen_units_get_random_vectors_of_the_known_ones_size() -> None:
    units = ["seldom", *SEA, *(f"new{n}" for n in range(200))]
    table = Word2Vec(**SMALL).table(units, texts)
    assert table.values.shape == (206, 16) and table.values.dtype == np.float32
    assert table.known.tolist() == [False] + 5 * [True] + 200 * [False]
    random = table.values[~table.known]
    assert random.std() == pytest.approx(table.values[table.known].std(), rel=0.05) and abs(random.mean()) < 0.05
    assert len(np.unique(random, axis=0)) == 201


def test_fasttext_gives_an_unseen_unit_the_mean_of_its_subwords_and_puts_it_near_its_relatives() -> None:
    units = [*SEA, *LAND, "fisher", "farmers", "zzz"]
    table = FastText(**SMALL, buckets=50_000).table(units, texts)
    assert table.known.tolist() == 12 * [True] + [False]  # no subword of zzz was ever seen
    near = cosines(table)[:, :10]
    assert near[10, :5].mean() > near[10, 5:].mean() + 0.2 and near[11, 5:].mean() > near[11, :5].mean() + 0.2
    assert near[10].argmax() in (0, 1) and near[11].argmax() in (6, 7)


def test_what_a_text_has_beyond_gensim_s_limit_is_learnt_too() -> None:
    table = Word2Vec(**SMALL | dict(epochs=1)).table(["end", "word"], lambda: [["word"] * 10_000 + ["end"] * 500])
    untrained = Word2Vec(**SMALL | dict(epochs=1)).table(["end", "word"], lambda: [["word"] * 100, ["end", "end"]])
    assert np.abs(table.values[0]).max() > 2 * np.abs(untrained.values[0]).max()


SCRIPT = """
import hashlib
from kit.text.vectors import FastText, Word2Vec
texts = lambda: ([f"w{(i * j) % 17}" for j in range(9)] for i in range(90))
units = [f"w{i}" for i in range(20)]
for kind in Word2Vec, FastText:
    for seed in 0, 1:
        table = kind(width=8, seed=seed, negative=3).table(units, texts)
        print(hashlib.sha256(table.values.tobytes()).hexdigest())
"""


def test_a_seed_gives_the_same_bytes_in_every_process_whatever_python_s_hashes() -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT], env=os.environ | {"PYTHONHASHSEED": hashes}, stdout=subprocess.PIPE
        )
        for hashes in ("1", "77")
    ]
    first, second = (run.communicate()[0].split() for run in runs)
    assert first == second and len(set(first)) == 4


KNOBS = [dict(window=1), dict(negative=2), dict(epochs=2), dict(subsample=1e-2), dict(skip_gram=False), dict(seed=1)]
SUBWORDS = [dict(shortest=2), dict(longest=3), dict(buckets=7)]


@pytest.mark.parametrize("knob", [*KNOBS, *SUBWORDS], ids=str)
def test_every_knob_reaches_gensim(knob: dict[str, Any]) -> None:
    kind, less = (FastText, dict(buckets=300)) if knob in SUBWORDS else (Word2Vec, {})
    few = SMALL | less | dict(epochs=1)
    assert not np.array_equal(kind(**few).table(SEA, texts).values, kind(**few | knob).table(SEA, texts).values)


def test_texts_may_be_generated_again_at_every_pass() -> None:
    listed, generated = (Word2Vec(**SMALL).table(SEA, t) for t in (texts, lambda: (text for text in texts())))
    assert listed.values.tobytes() == generated.values.tobytes()


@pytest.mark.parametrize("kind", [Word2Vec, FastText])
def test_texts_without_frequent_units_are_refused(kind: Any) -> None:
    few: list[list[str]]
    for few in ([], [["a", "b"]]):
        with pytest.raises(KitError, match=rf"^{kind.__name__}: no unit occurs 3 times in the texts; lower min_count$"):
            kind(width=4).table(["a"], few.copy)
    with pytest.raises(KitError, match=r"^Word2Vec has a vector for none of the 2 units$"):
        Word2Vec(**SMALL).table(["x", "y"], texts)


def test_without_gensim_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gensim", None)
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(KitError, match=r"pip install 'kit\[text\]'"):
        Word2Vec().table(["a"], texts)


def test_bad_settings_are_refused_when_the_spec_is_made() -> None:
    with pytest.raises(KitError, match="FastText: shortest = 4 is above longest = 3"):
        FastText(shortest=4, longest=3)
    with pytest.raises(KitError, match=r"VectorFile: 'glove.rar' should end in \.txt"):
        VectorFile(path="glove.rar")


# ---- the table ---------------------------------------------------------------------------------


def test_coverage_counts_units_and_running_text() -> None:
    table = VectorTable(np.zeros((4, 2), dtype=np.float32), np.array([True, False, True, False]))
    covered = table.covered([90, 5, 4, 1])
    assert covered == (4, 0.5, 0.94) and str(covered) == "50.0 % of 4 units, 94.0 % of the text"
    assert str(VectorTable(np.zeros((41_203, 1)), np.ones(41_203, bool)).covered(np.ones(41_203))).startswith(
        "100.0 % of 41,203 units"
    )


def test_another_source_only_says_what_it_finds() -> None:
    class Fixed(Vectors):
        def find(self, units: Any, texts: Any) -> dict[str, np.ndarray]:
            return {"b": np.array([1.0, 3.0])}

    table, again = Fixed().table(["a", "b"], nothing), Fixed(seed=1).table(["a", "b"], nothing)
    assert table.values[1].tolist() == [1, 3] and table.known.tolist() == [False, True]
    assert table.values.dtype == np.float32 and not np.array_equal(table.values[0], again.values[0])


# ---- files -------------------------------------------------------------------------------------


def lines(words: list[str] = WORDS, values: np.ndarray = VALUES) -> bytes:
    return "".join(f"{w} {' '.join(map(str, v))}\n" for w, v in zip(words, values.tolist(), strict=True)).encode()


def write(path: Path, words: list[str] = WORDS, values: np.ndarray = VALUES) -> Path:
    """A file in the format of its name, by other hands than ours where these can."""
    name = path.name
    if name == "ours.npz":
        save_vectors(path, words, values)
    elif name.endswith(".npz"):
        np.savez_compressed(path, words=words, vectors=values.astype(np.float16 if words is WORDS else np.float64))
    elif name.startswith("glove"):
        path.write_bytes(lines(words, values))
    else:
        vectors = gensim_models.KeyedVectors(values.shape[1])
        vectors.add_vectors(words, values)
        vectors.save_word2vec_format(str(path), binary=".bin" in name)  # packs where the name says so
    if name.endswith("newline.bin"):  # as word2vec's own program writes it
        head, data = path.read_bytes().split(b"\n", 1)
        for word in words[1:]:
            data = data.replace(word.encode() + b" ", b"\n" + word.encode() + b" ", 1)
        path.write_bytes(head + b"\n" + data + b"\n")
    if name.endswith(".gz") and path.read_bytes()[:2] != b"\x1f\x8b":
        path.write_bytes(gzip.compress(path.read_bytes()))
    return path


NAMES = [
    "a.txt",
    "a.vec",
    "a.vec.gz",
    "glove.txt",
    "glove.txt.gz",
    "a.bin",
    "a.bin.gz",
    "newline.bin",
    "a.npz",
    "ours.npz",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_format_gives_back_what_was_written(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    found = read_vectors(path, {"sea", "the", "海", "unheard"})
    assert found.keys() == {"sea", "the", "海"}
    for word, vector in found.items():
        assert vector.dtype == np.float32 and vector.tolist() == VALUES[WORDS.index(word)].tolist()


def test_one_file_in_a_zip_is_read_and_several_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "glove.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("glove.3d.txt", lines())
    assert read_vectors(tmp_path / "glove.zip", ["Sea"])["Sea"].tolist() == VALUES[1].tolist()
    with zipfile.ZipFile(tmp_path / "glove.zip", "a") as archive:
        archive.writestr("glove.5d.txt", lines())
    with pytest.raises(KitError, match=r"glove.zip should hold one .txt, .vec or .bin, not 2: unpack the one you want"):
        read_vectors(tmp_path / "glove.zip", ["Sea"])


@pytest.mark.parametrize("name", ["model.bin", "model.bin.gz"])
def test_fasttext_s_own_model_gives_what_gensim_reads_from_it_for_seen_and_unseen(tmp_path: Path, name: str) -> None:
    model = gensim_models.FastText(
        texts(), vector_size=8, min_count=2, epochs=1, bucket=500, min_n=3, max_n=4, workers=1
    )
    path = tmp_path / "model.bin"
    gensim_models.fasttext.save_facebook_model(model, str(path))
    theirs = gensim_models.fasttext.load_facebook_vectors(str(path))
    if name.endswith(".gz"):
        path = path.rename(tmp_path / name)
        path.write_bytes(gzip.compress(path.read_bytes()))
    units = ["tide", "harbour", "fisher", "海", "大海", "x", ""]
    found = read_vectors(path, units)
    assert found.keys() == {*units} - {""}  # which has no subword of three characters
    for unit, vector in found.items():
        np.testing.assert_allclose(vector, theirs[unit], rtol=1e-5, atol=1e-8)


def test_a_unit_is_sought_as_it_stands_then_in_lower_case_then_by_its_characters(tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.bin"))
    units = ["Sea", "SEA", "大海", "大洋", "洋", "THE", "大a", "sea"]
    table = VectorFile(path=path, characters=True).table(units, nothing)
    expected = [VALUES[1], VALUES[4], (VALUES[2] + VALUES[3]) / 2, VALUES[2], None, VALUES[0], None, VALUES[4]]
    assert table.known.tolist() == [e is not None for e in expected]
    for value, wanted in zip(table.values, expected, strict=True):
        assert wanted is None or np.allclose(value, wanted)
    assert VectorFile(path=path).table(units, nothing).known.sum() == 4
    assert VectorFile(path=path, lower=False).table(units, nothing).known.sum() == 2


def test_glove_s_units_with_blanks_are_no_trouble_and_the_first_of_two_counts(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_bytes(b"a 1 2\n. . . 3 4\n. 5 6\n\xc2\xa0 7 8 \na 9 9\n\xff\xfe 1 1\n")
    found = read_vectors(path, [".", "a", "\xa0", ". . ."])
    assert {unit: vector.tolist() for unit, vector in found.items()} == {
        "a": [1, 2], ". . .": [3, 4], ".": [5, 6], "\xa0": [7, 8],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["a.vec", "glove.txt", "a.bin", "a.npz"])
def test_unwanted_vectors_never_fill_the_memory(tmp_path: Path, name: str) -> None:
    values = np.ones((20_000, 50), dtype=np.float32)  # 4 MB
    path = write(tmp_path / name, [f"w{n}" for n in range(20_000)], values)
    read_vectors(path, ["w0"])  # imports what it needs
    tracemalloc.start()
    try:
        assert len(read_vectors(path, ["w5", "w19999"])) == 2
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (2e6 if name == "a.npz" else 1e6)  # parsed in blocks of rows of float64


def test_an_unwanted_line_is_not_even_parsed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"3 2\na 1 2\nb rubbish\nc 3 4\n")
    assert read_vectors(tmp_path / "a.txt", ["a", "c"])["c"].tolist() == [3, 4]


BAD = {
    "short.txt": (b"2 3\na 1 2 3\nb 1 2\n", r"short.txt, line 3: not a unit and its 3 numbers"),
    "letters.txt": (b"a 1 2 3\nb 1 x 3\n", r"letters.txt, line 2: not a unit and its 3 numbers"),
    "nan.vec": (b"1 2\nb nan 1\n", r"nan.vec, line 2: not a unit and its 2 numbers"),
    "cut.vec": (b"3 1\na 1\nb 2\n", r"cut.vec: its first line announces 3 vectors, it has 2"),
    "empty.txt": (b"", r"empty.txt: no vectors"),
    "cut.vec.gz": (gzip.compress(lines() * 9)[:-20], r"cut.vec.gz cannot be read: "),
    "plain.vec.gz": (lines(), r"plain.vec.gz cannot be read: Not a gzipped file"),
    "text.bin": (b"hello there", r"text.bin is neither word2vec's binary format nor a model of fastText"),
    "empty.bin": (b"", r"empty.bin is neither word2vec's binary format nor a model of fastText"),
    "cut.bin": (b"2 2\na " + bytes(8) + b"b " + bytes(7), r"cut.bin: its first line announces 2 vectors, it has 1"),
    "nan.bin": (b"1 1\nb " + np.float32("nan").tobytes(), r"nan.bin, vector 1: not a unit and its 1 numbers"),
    "model.bin": (np.int32(793712314).tobytes() + bytes(9), r"model.bin cannot be read: it ends early"),
    "no.zip": (b"PK", r"no.zip cannot be read: File is not a zip file"),
    "no.npz": (b"PK", r"no.npz cannot be read: File is not a zip file"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_name_and_place(tmp_path: Path, name: str) -> None:
    content, sentence = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(KitError, match=sentence):
        read_vectors(tmp_path / name, ["a", "b"])


ARRAYS: list[tuple[dict[str, Any], str]] = [
    (dict(vectors=VALUES), "no array 'words'"),
    (dict(words=np.array(WORDS, dtype=object), vectors=VALUES), "words should be unicode"),  # would be unpickled
    (dict(words=WORDS, vectors=VALUES[:, 0]), "words should be unicode"),
    (dict(words=WORDS, vectors=np.asfortranarray(VALUES)), "words should be unicode"),
    (dict(words=WORDS[:4], vectors=VALUES), "4 words, but 5 vectors"),
    (dict(words=WORDS, vectors=VALUES + np.float32("inf")), "unit 'the': not a unit and its 3 numbers"),
]


@pytest.mark.parametrize("arrays, sentence", ARRAYS)
def test_arrays_that_are_no_words_and_vectors_are_refused(
    tmp_path: Path, arrays: dict[str, Any], sentence: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(KitError, match=rf"a\.npz.*{sentence}"):
        read_vectors(tmp_path / "a.npz", WORDS)


def test_an_absent_file_and_one_of_strange_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KitError, match=r"^there is no file of word vectors .*a\.vec$"):
        VectorFile(path=str(tmp_path / "a.vec")).table(["a"], nothing)
    path = write(tmp_path / "ours.npz")
    with pytest.raises(KitError, match=r"^VectorFile has a vector for none of the 1 units$"):
        VectorFile(path=str(path)).table(["unheard"], nothing)
    digests = []
    for _ in range(2):
        save_vectors(path, WORDS, VALUES)
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    assert digests[0] == digests[1]
