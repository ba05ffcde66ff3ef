"""Tf-idf over folds against scikit-learn's TfidfVectorizer fitted on the fold's texts."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from kit.core.errors import KitError
from kit.metrics import mean_roc_auc
from kit.rows import Rows
from kit.source import Source
from kit.task import Task
from kit.text import Tfidf, Vectorizer, counts, grams, tfidf

TASK = Task(name="t", kind="binary", targets=("y",), text=("text",), metric=mean_roc_auc)
NASTY = [
    "",
    " ",
    "\n\t ",
    "a",
    "I",
    "word",
    "Ünï cödé élan ÉLAN e\u0301lan",
    "naïve café — “quotes”… ﬁne ﬂ",
    "  two   blanks\n\nand\tmore ",
    "日本語のテキスト 中文 字",
    "😀😀 emoji 😀",
    "a\x00b\x00\x00c nul",
    "x" * 400,
    "aa aa aa aa",
    "no_underscore-dash's it's 12 3 4567",
    "\ud800 lone \udfff surrogates",
    "İstanbul ǅ ß ẞ STRASSE",
    "a b c d e",
    "\x1c\x1d odd \x85 space\u2003wide\u200bzero",
    "the end\x00",
]


def corpus(n: int = 120, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    words = [
        f"{a}{b}"
        for a in ("", "un", "re", "Über")
        for b in ("do", "make", "say", "word", "fool", "naïve", "it", "a", "b!")
    ]
    weights = 1 / np.arange(1, len(words) + 1)
    made = [" ".join(rng.choice(words, rng.integers(0, 30), p=weights / weights.sum())) for _ in range(n)]
    mixed = made + NASTY
    return [mixed[i] for i in rng.permutation(len(mixed))]


def rows_of(texts: list[str], folder: Path | None = None) -> Rows:
    frame = pd.DataFrame({"text": pd.Series(texts, dtype=object)})
    return Rows(TASK, Source(frame, folder, name="a" * 20), np.arange(len(texts)))


def reference(spec: Tfidf, texts: list[str]) -> TfidfVectorizer:
    settings = {name: getattr(spec, name) for name in Tfidf.model_fields if name != "tokens"}
    return TfidfVectorizer(**settings).fit(texts)


def assert_equal(ours: Vectorizer, theirs: TfidfVectorizer, rows: Rows, texts: list[str]) -> None:
    assert set(ours.terms) == set(theirs.vocabulary_)
    assert len(set(ours.terms)) == len(ours.terms)
    order = [theirs.vocabulary_[t] for t in ours.terms]
    if ours.spec.use_idf:
        np.testing.assert_allclose(ours.idf, theirs.idf_[order], rtol=1e-12)
    got = ours.transform(rows)
    assert got.dtype == np.float32
    assert got.indices.dtype == np.int32
    np.testing.assert_allclose(got.toarray(), theirs.transform(texts).toarray()[:, order], rtol=2e-6, atol=1e-6)


GRID = [
    Tfidf(),
    Tfidf(ngram_range=(1, 3), min_df=2, sublinear_tf=True),
    Tfidf(ngram_range=(2, 2), min_df=3, smooth_idf=False, norm="l1"),
    Tfidf(lowercase=False, strip_accents="unicode", max_df=0.3),
    Tfidf(strip_accents="ascii", min_df=0.02, max_df=30, binary=True),
    Tfidf(min_df=0.0, use_idf=False, norm=None, sublinear_tf=True),
    Tfidf(analyzer="char", ngram_range=(1, 4), min_df=2, sublinear_tf=True),
    Tfidf(analyzer="char", ngram_range=(3, 5), lowercase=False, max_df=0.5),
    Tfidf(analyzer="char", ngram_range=(2, 3), strip_accents="unicode", min_df=0.05, norm=None),
    Tfidf(analyzer="char_wb", ngram_range=(1, 3), min_df=3, strip_accents="ascii"),
    Tfidf(analyzer="char_wb", ngram_range=(4, 6)),
    Tfidf(analyzer="char_wb", ngram_range=(5, 5), min_df=2, binary=True, norm="l1"),
    Tfidf(analyzer="char_wb", ngram_range=(2, 5), min_df=1, smooth_idf=False),
]


@pytest.mark.parametrize("spec", GRID, ids=lambda s: f"{s.analyzer}{s.ngram_range}{s.min_df}")
@pytest.mark.parametrize("dense", [2**27, 0], ids=["table", "sorted"])
def test_equals_sklearn_on_every_fold(spec: Tfidf, dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "DENSE", dense)
    monkeypatch.setattr(grams, "BLOCK", 700)  # many blocks, some with one text alone
    monkeypatch.setattr(tfidf, "ENTRIES", 500)
    texts = corpus()
    rows = rows_of(texts)
    fold = np.random.default_rng(1).integers(0, 3, len(texts))
    for k in range(3):
        train = np.random.default_rng(k).permutation(np.flatnonzero(fold != k))
        theirs = reference(spec, [texts[i] for i in train])
        ours = spec.fit(rows.take(train))
        assert_equal(ours, theirs, rows, texts)


@pytest.mark.parametrize("spec", [Tfidf(ngram_range=(1, 2), min_df=2), Tfidf(analyzer="char_wb", ngram_range=(4, 5))])
def test_counts_equal_count_vectorizer(spec: Tfidf) -> None:
    texts = corpus()
    arrays = counts.count(spec, texts, floor=2)
    theirs = CountVectorizer(analyzer=spec.analyzer, ngram_range=spec.ngram_range, min_df=2)
    expected = theirs.fit_transform(texts).toarray()
    terms = grams.string_list(arrays["letters"], arrays["lengths"])
    got = np.zeros((len(texts), len(terms)), int)
    for i in range(len(texts)):
        here = slice(arrays["indptr"][i], arrays["indptr"][i + 1])
        assert (np.diff(arrays["indices"][here]) > 0).all()  # ascending, none twice
        got[i, arrays["indices"][here]] = arrays["counts"][here]
    assert set(terms) == set(theirs.vocabulary_)
    assert np.array_equal(got, expected[:, [theirs.vocabulary_[t] for t in terms]])


def test_counts_are_narrow_and_never_overflow() -> None:
    assert counts.count(Tfidf(), ["aa bb"])["counts"].dtype == np.uint8
    arrays = counts.count(Tfidf(analyzer="char"), ["x" * 70_000 + "y" * 300, "y"])
    terms = grams.string_list(arrays["letters"], arrays["lengths"])
    first = slice(arrays["indptr"][0], arrays["indptr"][1])
    found = zip(arrays["indices"][first], arrays["counts"][first], strict=True)
    assert {terms[i]: c for i, c in found} == {"x": 70_000, "y": 300}


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("analyzer", ["word", "char"])
def test_max_features_keeps_the_largest_totals(analyzer: str, binary: bool) -> None:
    texts = corpus()
    rows = rows_of(texts)
    train = np.arange(0, len(texts), 2)
    some = [texts[i] for i in train]
    every = CountVectorizer(analyzer=analyzer, ngram_range=(1, 2), binary=binary)
    total = every.fit_transform(some).toarray().sum(axis=0)
    names = every.get_feature_names_out()
    for most in (1, 7, 40):
        ours = Tfidf(analyzer=analyzer, ngram_range=(1, 2), binary=binary, max_features=most).fit(rows.take(train))
        best = sorted(range(len(names)), key=lambda i: (-total[i], names[i]))[:most]
        assert set(ours.terms) == set(names[best])
    untied = next(m for m in range(5, 60) if np.sort(total)[-m] > np.sort(total)[-m - 1])
    spec = Tfidf(analyzer=analyzer, ngram_range=(1, 2), binary=binary, max_features=untied)
    assert_equal(spec.fit(rows.take(train)), reference(spec, some), rows, texts)


def test_terms_of_other_rows_never_enter() -> None:
    rows = rows_of(["spam and eggs", "spam and ham", "secret secret", "secret spam"])
    ours = Tfidf(min_df=1).fit(rows.take([0, 1]))
    assert set(ours.terms) == {"spam", "and", "eggs", "ham"}
    assert ours.transform(rows.take([2])).nnz == 0
    assert set(Tfidf(min_df=2).fit(rows.take([0, 1])).terms) == {"spam", "and"}


@pytest.mark.parametrize("spec", [*GRID[:3], *GRID[6:12], Tfidf(max_features=9)])
def test_other_sources_give_the_same_bits(spec: Tfidf, tmp_path: Path) -> None:
    texts = corpus()
    rows = rows_of(texts)
    ours = spec.fit(rows.take(np.arange(90)))
    ours.save(tmp_path, "word")
    here = ours.transform(rows)
    for fitted in (ours, Vectorizer.load(tmp_path, "word")):
        there = fitted.transform(rows_of(texts))
        assert fitted.spec == spec
        assert fitted.terms == ours.terms
        for part in ("indptr", "indices", "data"):
            assert np.array_equal(getattr(here, part), getattr(there, part))
    unseen = [*corpus(30, seed=9), "wholly ŭnknown ☃ words"]
    theirs = reference(spec, texts[:90]) if not spec.max_features else None
    if theirs:
        assert_equal(ours, theirs, rows_of(unseen), unseen)
    assert ours.transform(rows_of([""])).shape == (1, len(ours.terms))


def test_counts_are_made_once_for_all_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*args: Any) -> dict[str, np.ndarray]:
        calls.append(args)
        return counts.count(*args)

    monkeypatch.setattr(tfidf, "count", counted)
    texts = [t for t in corpus() if "\ud800" not in t]
    for _ in range(2):  # a second process finds the folder
        rows = rows_of(texts, tmp_path)
        for k in range(3):
            train = rows.take(np.arange(k, len(texts), 3))
            for max_features in (None, 20):  # what does not change the counts shares them
                Tfidf(min_df=2, max_features=max_features).fit(train).transform(rows)
    assert len(calls) == 1
    assert isinstance(Tfidf(min_df=2).counts(rows)["indices"], np.memmap)
    Tfidf(min_df=3).counts(rows)
    Tfidf(min_df=3, lowercase=False).counts(rows)
    assert len(calls) == 3


def test_sentences() -> None:
    rows = rows_of(["", "a"])
    with pytest.raises(KitError, match="no word n-gram is left of 2 texts; lower min_df or check the text column"):
        Tfidf().fit(rows)
    with pytest.raises(KitError, match="max_df = 1 is below min_df = 2 on 2 texts"):
        Tfidf(analyzer="char", min_df=2, max_df=1).fit(rows)
    with pytest.raises(KitError, match=r"min_df = 1.5 is neither a number of texts ≥ 1 nor a share"):
        Tfidf(min_df=1.5)
    with pytest.raises(KitError, match=r"ngram_range \(3, 2\) is not 1 ≤ shortest ≤ longest ≤ 32"):
        Tfidf(ngram_range=(3, 2))
