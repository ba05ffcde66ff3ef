"""Views of rows and the member that averages over them: what is seen, what is learnt from, what the mean is."""

import gc
import re
import string
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from kit.augment import Augment
from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.folds import Folds, KFold
from kit.member import Member, Predictor
from kit.members import NBSVM, Boost, Encoder, Linear, Seeds, TextNet, Views
from kit.members.views import ViewsPredictor
from kit.metrics import f1, log_loss, mean_roc_auc, rmse, roc_auc
from kit.pretrain import LanguageModelling
from kit.recipe import Recipe
from kit.rows import Rows
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.oof import out_of_fold
from kit.run.run import Run
from kit.source import Source
from kit.table import Table
from kit.task import Task
from kit.testing import check_member, sample_rows
from kit.text import Tfidf
from kit.train import LoopStage, Stage
from kit.tta import Augmented, View, Window, Windows, with_views

BINARY = Task(name="b", kind="binary", targets=("y",), text=("t", "u"), inputs=("t", "u", "x"), metric=roc_auc)
SEVERAL = Task(name="m", kind="multilabel", targets=("a", "b"), text=("t",), metric=mean_roc_auc)
CLASSES = Task(name="c", kind="multiclass", targets=("y",), text=("t",), classes=("u", "v", "w"), metric=log_loss)
VALUES = Task(name="r", kind="regression", targets=("y",), text=("t",), metric=rmse)

fits: list[tuple[list[str], np.ndarray, list[str]]] = []  # texts learnt from, their labels, texts to be judged on
edits: list[str] = []  # texts that were edited


class Shuffle(Augment):
    """Words in another order, and a mark by which an edited text is known."""

    mark: str = "edited"

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        edits.append(text)
        return " ".join([self.mark, *rng.permutation(text.split())])


def reads(text: str) -> np.ndarray:
    """(3,) a share for each of three letters; sums to 1."""
    counts = np.array([1 + text.count(letter) for letter in "aeo"])
    return counts / counts.sum()


class Letters(Member):
    """Fits nothing and says a simple function of the text; remembers what it was shown."""

    def learn(self, train: Rows, valid: Rows, work: Path) -> "LettersPredictor":
        fits.append((train.texts(), train.labels, valid.texts()))
        return LettersPredictor()


class LettersPredictor(Predictor):
    def predict(self, rows: Rows) -> np.ndarray:
        return np.array([reads(text)[: rows.task.outputs] for text in rows.texts()]).reshape(len(rows), -1)

    def save(self, folder: Path) -> None:
        write_json(folder / "nothing.json", {})

    @classmethod
    def load(cls, folder: Path) -> "LettersPredictor":
        assert read_json(folder / "nothing.json") == {}
        return cls()


@pytest.fixture(autouse=True)
def nothing_seen() -> Iterator[None]:
    fits.clear()
    edits.clear()
    yield


def halves(text: str) -> list[str]:
    words = text.split()
    return [" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])]


HALVES = Windows(count=2, size=0.5)


def rows_of(task: Task, n: int = 40) -> Rows:
    """Rows whose texts are of 2, 4, 6 or 8 random words, so that halves are halves."""
    rng = np.random.default_rng(0)
    rows = sample_rows(task, n)
    letters = np.array(list(string.ascii_lowercase[:15]))
    words = [
        [" ".join("".join(rng.choice(letters, 4)) for _ in range(2 + 2 * (i % 4))) for i in range(n)] for _ in "tu"
    ]
    frame = rows.frame.assign(**{name: column for name, column in zip("tu", words, strict=True) if name in task.text})
    return Rows(task, Source(frame), rows.at, rows.y)


def split(rows: Rows) -> tuple[Rows, Rows]:
    return rows.take(np.arange(10, len(rows))), rows.take(np.arange(10))


def fitted(member: Member, rows: Rows, work: Path) -> tuple[Predictor, np.ndarray]:
    train, valid = split(rows)
    work.mkdir(exist_ok=True)
    predictor = member.learn(train, valid, work)
    return predictor, predictor.predict(valid)


# ---- views -------------------------------------------------------------------------------------


def seen(view: View, texts: list[str], seed: int = 0) -> list[list[str]]:
    """For each view all texts."""
    rows = Rows.of(SEVERAL, pd.DataFrame({"t": texts}))
    both = with_views(rows, (view,), seed).texts()
    assert both[: len(texts)] == texts
    return [both[i : i + len(texts)] for i in range(len(texts), len(both), len(texts))]


@pytest.mark.parametrize(
    "view, windows",
    [
        (Window(size=2), ["a  b"]),
        (Window(size=0.4, place="middle"), ["b\nc"]),
        (Window(size=2, place="tail"), ["d e"]),
        (Window(size=5, place="tail"), [" a  b\nc d e "]),
        (Window(size=0.01), ["a"]),
        (Window(size=3, unit="characters"), [" a "]),
        (Window(size=3, unit="characters", place="tail"), [" e "]),
        (Windows(count=3, size=2), ["a  b", "b\nc", "d e"]),
        (Windows(count=2, size=1), ["a  b\nc", "c d e"]),  # one word each would leave gaps
        (Windows(count=2, size=9), [" a  b\nc d e "] * 2),
    ],
)
def test_windows(view: View, windows: list[str]) -> None:
    assert [texts[0] for texts in seen(view, [" a  b\nc d e "])] == windows
    assert [texts[0] for texts in seen(view, [""])] == [""] * len(windows)


@pytest.mark.parametrize("count, size", [(2, 1), (3, 0.2), (3, 0.5), (4, 7)])
@pytest.mark.parametrize("unit", ["words", "characters"])
def test_windows_cover_the_text_and_are_no_wider_than_need_be(unit: Any, count: int, size: float) -> None:
    sign = " " if unit == "words" else ""
    texts = [sign.join(string.ascii_letters[:n]) for n in range(1, 30)]
    for text, *windows in zip(texts, *seen(Windows(count=count, size=size, unit=unit), texts), strict=True):
        units, found = list(text.replace(" ", "")), [w.replace(" ", "") for w in windows]
        wanted = max(size if isinstance(size, int) else round(size * len(units)), -(-len(units) // count), 1)
        assert set("".join(found)) == set(units) and all(w in text for w in windows)
        assert {len(w) for w in found} == {min(wanted, len(units))}
        assert found[0][0] == units[0] and found[-1][-1] == units[-1]


def test_a_row_s_views_depend_on_the_row_and_the_seed_alone() -> None:
    texts = [f"one two three four five six {i}" for i in range(8)]
    view = Augmented(augment=Shuffle(), count=2)
    first, second = seen(view, texts)
    order = np.random.default_rng(1).permutation(8)[:5]
    some = seen(view, [texts[i] for i in order])
    assert some == [[column[i] for i in order] for column in (first, second)]
    for other in (second, seen(view, texts, seed=1)[0], seen(Augmented(augment=Shuffle(mark="again")), texts)[0]):
        assert sum(a.split()[1:] == b.split()[1:] for a, b in zip(first, other, strict=True)) < 3  # other draws
    assert len({tuple(re.sub(r"\d", "", t).split()) for t in first}) > 4  # each row has draws of its own


def test_other_columns_and_missing_texts_are_left_alone() -> None:
    frame = pd.DataFrame({"t": ["a b", None], "u": ["c d", "e f"], "x": [1, 2], "z": pd.Categorical(["p", "q"])})
    task = BINARY.model_copy(update={"inputs": ("t", "u", "x", "z")})
    rows = Rows.of(task, frame, np.array([0, 1]))
    views = with_views(rows, (Window(size=1), Window(size=1, columns=("u",))), 0)
    expected = {"t": ["a b", "", "a", "", "a b", ""], "u": ["c d", "e f", "c", "e", "c", "e"], "x": [1, 2] * 3}
    assert views.frame.fillna({"t": ""})[["t", "u", "x"]].to_dict("list") == expected
    assert views.frame[["x", "z"]].dtypes.equals(rows.frame[["x", "z"]].dtypes)
    assert views.frame["z"].tolist() == ["p", "q"] * 3
    assert views.labels[:, 0].tolist() == [0, 1] * 3


def test_views_are_made_once_and_kept_where_the_source_keeps_things(tmp_path: Path) -> None:
    signs = 'é好"\u2028\n\r\\'  # what might break lines or quotes where it is kept
    frame = pd.DataFrame({"t": [f"a b {signs} {i}" for i in range(6)]})
    views = (Augmented(augment=Shuffle()), HALVES)

    def ask(at: list[int], folder: Path | None = tmp_path, source: Source | None = None) -> Rows:
        return with_views(Rows(SEVERAL, source or Source(frame, folder), np.array(at)), views, 3)

    source = Source(frame, tmp_path)
    some, others = ask([4, 1], source=source), ask([0, 2, 5], source=source)
    assert some.source is others.source and len(edits) == 6 and len(some) == 8
    assert ask([4, 1]).texts() == some.texts() and len(edits) == 6  # as another process would
    assert ask([4, 1]).source.digest == some.source.digest != source.digest
    assert ask([4, 1], None).texts() == some.texts() and len(edits) == 12
    held = weakref.ref(some.source)
    del source, some, others
    gc.collect()
    assert held() is None  # nothing is held longer than the rows it was made of


@pytest.mark.parametrize("kept", [True, False])
def test_many_rows_have_the_views_of_few(tmp_path: Path, kept: bool) -> None:
    frame = pd.DataFrame({"t": [f"a b {i}" for i in range(2500)]})  # more than are computed at once
    rows = Rows(SEVERAL, Source(frame, tmp_path if kept else None), np.array([3, 2400]))
    seen = with_views(rows, (Window(size=1), Window(place="tail", size=1)), 0)
    assert seen.texts() == ["a b 3", "a b 2400", "a", "a", "3", "2400"]


class Doubled(View):
    """A view of numbers."""

    def see(self, frame: pd.DataFrame, task: Task, seed: int) -> Iterator[dict[str, Any]]:
        yield {"x": frame["x"].to_numpy() * 2}


@pytest.mark.parametrize("kept", [True, False])
def test_views_may_change_numbers(kept: bool, tmp_path: Path) -> None:
    source = Source(pd.DataFrame({"t": ["a", "b"], "x": [0.1, 0.2]}), tmp_path if kept else None)
    x = with_views(Rows(BINARY, source, np.array([1, 0])), (Doubled(),), 0).frame["x"]
    np.testing.assert_array_equal(x, [0.2, 0.1, 0.4, 0.2])


# ---- means -------------------------------------------------------------------------------------


def geometric(p: np.ndarray, w: np.ndarray, several: bool) -> np.ndarray:
    """By hand: weighted geometric means, made to sum to 1 over classes, or over yes and no."""
    yes, no = np.prod(p ** w[:, None, None], axis=0), np.prod((1 - p) ** w[:, None, None], axis=0)
    return yes / yes.sum(axis=1, keepdims=True) if several else yes / (yes + no)


@pytest.mark.parametrize("weight", [1.0, 3.0, 0.0])
@pytest.mark.parametrize("mean", ["mean", "geometric", "rank"])
@pytest.mark.parametrize("task", [SEVERAL, CLASSES, VALUES], ids=lambda task: task.kind)
def test_means_against_numbers_made_by_hand(task: Task, mean: Any, weight: float, tmp_path: Path) -> None:
    rows = rows_of(task)
    member = Views(member=Letters(), views=(HALVES,), mean=mean, weight=weight)
    if (task.kind, mean) in (("regression", "geometric"), ("regression", "rank"), ("multiclass", "rank")):
        with pytest.raises(KitError, match=f"Views.mean = {mean} "):
            fitted(member, rows, tmp_path)
        return
    _, p = fitted(member, rows, tmp_path)
    texts = rows.texts()[:10]
    each = np.array([[reads(t) for t in texts], *([reads(halves(t)[i]) for t in texts] for i in (0, 1))])
    each, w = each[:, :, : task.outputs], np.array([weight, 1, 1]) / (weight + 2)
    ranks = [[[(np.sum(c < v) + (np.sum(c == v) - 1) / 2) / 9 for v in c] for c in view.T] for view in each]
    expected = {
        "mean": np.average(each, axis=0, weights=w),
        "geometric": geometric(each, w, task.kind == "multiclass"),
        "rank": np.average(np.array(ranks).transpose(0, 2, 1), axis=0, weights=w),
    }[mean]
    np.testing.assert_allclose(p, expected, rtol=1e-12)


class Sure(LettersPredictor):
    def predict(self, rows: Rows) -> np.ndarray:
        return (super().predict(rows) > 0.4).astype(float)


def test_sure_predictions_have_a_geometric_mean() -> None:
    rows = rows_of(SEVERAL)
    p = ViewsPredictor(Views(member=Letters(), views=(HALVES,), mean="geometric"), Sure()).predict(rows)
    assert np.isfinite(p).all() and p.min() < 1e-6 and (p > 1 - 1e-6).any()


# ---- what is learnt from -----------------------------------------------------------------------


@pytest.mark.parametrize("learn", [False, True])
def test_folds_stay_honest(learn: bool, tmp_path: Path) -> None:
    rows = rows_of(SEVERAL)
    views = (HALVES, Augmented(augment=Shuffle(), count=2))
    fitted(Views(member=Letters(), views=views, train=learn), rows, tmp_path)
    (learnt, labels, judged), texts = fits[0], rows.texts()
    assert judged == texts[:10]  # the judged fold is shown as it is
    expected = with_views(split(rows)[0], views, 0)
    assert len(expected) == 30 * 5
    assert learnt == expected.texts()[: 150 if learn else 30]
    np.testing.assert_array_equal(labels, np.tile(rows.labels[10:], (5 if learn else 1, 1)))
    words = {word for text in texts[:10] for word in text.split()} - {w for text in texts[10:] for w in text.split()}
    assert len(words) > 20 and not words & {word for text in learnt for word in text.split()}


def linear(kind: type[Linear] | type[NBSVM] = Linear) -> Member:
    return kind(word=Tfidf(min_df=1, ngram_range=(1, 2)), char=None, tol=1e-6)


@pytest.mark.parametrize("kind", [Linear, NBSVM])
def test_members_that_count_ahead_predict_views_rightly(kind: Any, tmp_path: Path) -> None:
    """The mean is that of the plain member, asked for the row and for its views as rows of sources of their own."""
    rows = sample_rows(SEVERAL)
    _, p = fitted(Views(member=linear(kind), views=(Window(size=1), Window(size=2, place="tail"))), rows, tmp_path)
    plain, own = fitted(linear(kind), rows, tmp_path / "plain")
    words = [text.split() for text in rows.texts()[:10]]
    views = [[" ".join(w[:1]) for w in words], [" ".join(w[-2:]) for w in words]]
    others = [plain.predict(Rows.of(SEVERAL, pd.DataFrame({"t": texts}))) for texts in views]
    np.testing.assert_allclose(p, np.mean([own, *others], axis=0), atol=1e-5)
    assert np.abs(p - own).max() > 0.01


def test_without_views_it_is_the_member_itself(tmp_path: Path) -> None:
    for mean in ("mean", "geometric"):
        p = fitted(Views(member=linear(), mean=mean), sample_rows(SEVERAL), tmp_path / mean)[1]
        np.testing.assert_allclose(p, fitted(linear(), sample_rows(SEVERAL), tmp_path / "it")[1], rtol=1e-6)


@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("member", [linear(), Boost(trees=5, min_leaf=3)], ids=lambda m: type(m).__name__)
def test_it_keeps_the_contract(member: Member, learn: bool, tmp_path: Path) -> None:
    views = (Windows(count=2, size=0.5), Augmented(augment=Shuffle()))
    check_member(Views(member=member, views=views, train=learn, mean="geometric"), sample_rows(BINARY), tmp_path)


def test_what_the_member_says_of_itself_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Views(member=Boost()).early_stops_on_valid and not Views(member=Boost(patience=None)).early_stops_on_valid
    keys = [Views(member=Letters(), views=v, seed=s).identity() for v, s in (((), 0), ((HALVES,), 0), ((), 1))]
    assert all(keys.count(key) == 1 for key in keys)
    rows, counted, once = rows_of(SEVERAL), [], Source.once
    monkeypatch.setattr(
        Source,
        "once",
        lambda self, name, compute: once(self, name, lambda frame: counted.append(self) or compute(frame)),
    )
    member = Views(member=linear(), views=(HALVES,))
    member.prepare(rows.take(np.arange(0)))
    source = with_views(rows, member.views, member.seed).source
    assert counted.count(source) == 1  # counted, for rows and views, before any fold
    member.learn(rows, rows, tmp_path)
    assert counted.count(source) == 1


# ---- saved, overridden, run --------------------------------------------------------------------


def test_it_is_saved_with_its_views(tmp_path: Path) -> None:
    member = Seeds(member=Views(member=linear(), views=(Augmented(augment=Shuffle()), HALVES), seed=5), n=2)
    rows = rows_of(SEVERAL)
    predictor, p = fitted(member, rows, tmp_path / "work")
    (tmp_path / "saved").mkdir()
    predictor.save(tmp_path / "saved")
    fresh = Rows.of(SEVERAL, pd.DataFrame({"t": rows.texts()[:10]}))
    np.testing.assert_allclose(type(predictor).load(tmp_path / "saved").predict(fresh), p, rtol=1e-6)


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        (lambda: Views(weight=0), "weight = 0 leaves nothing to predict from; name views"),
        (lambda: Views(views=(HALVES, HALVES)), "two views are equal"),
        (
            lambda: Views(member=Seeds(member=Encoder(stop="inner")), train=True),
            "stop=inner would score epochs on views of the rows that it trains on (train=true); take stop=none",
        ),
        (lambda: Window(size=1.5), "size = 1.5 is neither a whole number ≥ 1 nor a share between 0.0 and 1.0"),
        (lambda: Windows(count=1), "Windows.count = 1: input should be greater than or equal to 2"),
        (lambda: seen(Window(columns=("tt",)), ["a"]), "Window.columns: 'tt' is not a text column"),
        (
            lambda: with_views(
                sample_rows(Task(name="n", kind="binary", targets=("y",), metric=roc_auc)), (HALVES,), 0
            ),
            "Windows needs texts, but task 'n' has no text column",
        ),
        (
            lambda: fitted(Views(mean="rank"), rows_of(BINARY.model_copy(update={"metric": f1})), Path()),
            "Views.mean = rank gives ranks, which f1 of a binary task cannot score",
        ),
    ],
)
def test_what_is_refused(wrong: Any, sentence: str) -> None:
    with pytest.raises(KitError, match=re.escape(sentence)):
        wrong()


class Seen(Recipe):
    task = SEVERAL
    folds: Folds = KFold(n=3)
    letters: Member = Views(member=Letters())


def test_views_are_overridden() -> None:
    recipe = Seen().override(
        "views=Windows(count=4),Augmented(augment=Shuffle(mark=x),count=2)", "letters.mean=geometric"
    )
    views = (Windows(count=4), Augmented(augment=Shuffle(mark="x"), count=2))
    assert recipe.letters == Views(member=Letters(), views=views, mean="geometric")
    assert Seen.from_dict(recipe.to_dict()) == recipe
    assert Seen().override("views=Windows(count=3)").letters == Views(member=Letters(), views=(Windows(count=3),))
    assert recipe.override("views=()").letters == Views(member=Letters(), mean="geometric")


@pytest.mark.parametrize("learn", [False, True])
def test_a_recipe_from_folds_to_test_rows(learn: bool, tmp_path: Path) -> None:
    rows = rows_of(SEVERAL, 50)
    frame = pd.DataFrame({"id": [f"{i}" for i in range(50)], "t": rows.texts()})
    labels = {name: rows.labels[:40, i].astype(int) for i, name in enumerate("ab")}
    table = Table(SEVERAL, frame[:40].assign(**labels), frame[40:].reset_index(drop=True), None, tmp_path / "cache")
    settings = ["views=Windows(count=2),Augmented(augment=Shuffle())", f"letters.train={learn}", "letters.seed=4"]
    run = Run(Seen().override(*settings), table, tmp_path / "run")
    assert {o.state for o in fit_jobs(jobs_of(run, ["letters"])).values()} == {"done"}
    assert len(edits) == 50  # once each, for all folds

    views = (Windows(count=2), Augmented(augment=Shuffle()))
    texts = [rows.texts(), *(column for view in views for column in seen(view, rows.texts(), seed=4))]
    expected = np.mean([[reads(text)[:2] for text in column] for column in texts], axis=0)
    folds = run.gathered("letters")
    np.testing.assert_allclose(out_of_fold(run, folds), expected[:40], rtol=1e-6)
    for number, fold in folds.items():
        learnt, judged = run.split(number)
        assert fits[number][0] == [column[i] for column in texts[: 4 if learn else 1] for i in learnt]
        assert fits[number][2] == [texts[0][i] for i in judged]
        np.testing.assert_allclose(fold.test, expected[40:], rtol=1e-6)
    loaded = ViewsPredictor.load(run.store("letters").folder / "fold0" / "model")
    kernel = Rows.of(SEVERAL, frame[40:])  # the rows of a kernel: another source, nothing on disk
    np.testing.assert_allclose(loaded.predict(kernel), folds[0].test, rtol=1e-6)


@pytest.mark.parametrize("change", ["vectors=Word2Vec(width=8,min_count=3,epochs=1)", "net=AWDLSTM(hidden=8,layers=1)"])
def test_a_network_of_words_counts_and_learns_each_row_once(change: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("aaabbcdefghijk"), 6)) + f" once{i} pair{i // 2}" for i in range(40)]
    task = Task(name="b", kind="binary", targets=("y",), text=("t",), inputs=("t",), metric=roc_auc)
    rows = Rows.of(task, pd.DataFrame({"t": texts}), np.arange(40) % 2)
    pretrain = LanguageModelling(window=8, stage=LoopStage(epochs=1, precision="fp32")) if "AWD" in change else None
    member = TextNet(width=8, stage=Stage(epochs=1, precision="fp32"), batch_rows=8).override(change)
    member = member.override(f"use={'words' if pretrain else 'words,tags'}")
    member = TextNet(**dict(member) | {"pretrain": pretrain})
    views = Views(member=member, views=(Windows(count=3, size=0.9), Augmented(augment=Shuffle())))
    seen = with_views(rows, views.views, 0)
    assert seen.source.originals == 40 and len(seen.source.frame) == 200
    again = with_views(seen, (Windows(count=2, size=0.5),), 0)
    assert again.source.originals == 40 and again.source.digest != Source(again.source.frame).digest
    own, alone = member.make_dataset(seen), member.make_dataset(rows)
    known = own.vocabulary["words"]
    assert own.vocabulary == alone.vocabulary and "pair3" in known and "once3" not in known
    if pretrain is None:
        np.testing.assert_array_equal(own.vectors, alone.vectors)
    else:
        torch.manual_seed(0)
        expected = member.make_body(alone, rows).state_dict()
        torch.manual_seed(0)
        for name, value in member.make_body(own, seen).state_dict().items():
            np.testing.assert_array_equal(value, expected[name])


def test_what_is_no_text_for_utf8_is_seen_too() -> None:
    (found,) = Augmented(augment=Shuffle()).looks(["a \ud800 b", "plain"], 0)
    assert sorted(found[0].split()) == ["a", "b", "edited", "\ud800"]
