"""What cached results are found by: the contents of files count, wherever their names stand; speed does not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from competitions.chinese360.features.tampered import Tampered
from kit.augment import (
    EDA,
    BackTranslation,
    Chain,
    ContextualWords,
    HanSimilar,
    HanWords,
    RandomInsertion,
    SpellingErrors,
    SynonymReplacement,
    translate,
)
from kit.core.files import contents
from kit.core.spec import Spec
from kit.features.base import Features
from kit.folds import Folds, KFold
from kit.member import Member
from kit.members import Boost, Concat, Encoder, Linear, Perceptron, Seeds, TextNet, ULMFiT, Views
from kit.metrics import roc_auc
from kit.pretrain import LanguageModelling
from kit.recipe import Recipe
from kit.rows import Rows
from kit.run.run import Run
from kit.source import Source
from kit.table import Table
from kit.task import Task
from kit.text.segment import Jieba, Ltp
from kit.text.vectors import VectorFile
from kit.tta import Augmented, Window, with_views
from kit.weights import PACKAGES

TASK = Task(name="b", kind="binary", id="id", targets=("y",), text=("t",), inputs=("t",), metric=roc_auc)


class FromFile(Features):
    """A number that stands in a file."""

    path: str

    def file_checksums(self) -> dict[str, str]:
        return {"path": contents(self.path)}

    def compute(self, source: Source, task: Task) -> np.ndarray:
        return np.full((len(source.frame), 1), float(Path(self.path).read_text()), np.float32)


def model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text("1")
    return folder


@pytest.mark.parametrize(
    "spec",
    [
        lambda f: Jieba(dictionary=f),
        lambda f: VectorFile(path=f),
        lambda f: HanWords(lexicon=f),
        lambda f: HanSimilar(table=f),
        lambda f: SpellingErrors(file=f),
        lambda f: EDA(lexicon=f),
        lambda f: SynonymReplacement(lexicon=f),
        lambda f: RandomInsertion(lexicon=f),
        lambda f: Boost(features=(Tampered(segmenter=Jieba(dictionary=f)),)),
        lambda f: Views(member=Linear(), views=(Window(), Augmented(augment=Chain(steps=(HanWords(lexicon=f),))))),
        lambda f: Seeds(member=Concat(more=(TextNet(vectors=VectorFile(path=f)),))),
        lambda f: TextNet().override(f"augment=EDA(lexicon='{f}')"),
    ],
)
def test_what_a_file_holds_counts(spec: Callable[[str], Spec], tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    made = spec(str(path))
    absent = made.identity()
    path.write_text("one")
    first = made.identity()
    assert first == spec(str(path)).identity() != absent
    path.write_text("more")
    assert made.identity() != first
    path.write_text("one")
    assert made.identity() == first


@pytest.mark.parametrize(
    "spec",
    [
        lambda f: Encoder(weights=f),
        lambda f: ContextualWords(weights=f),
        lambda f: BackTranslation(there="Helsinki-NLP/opus-mt-en-de", back=f),
        lambda f: BackTranslation(there=f, back="Helsinki-NLP/opus-mt-en-de"),
        lambda f: ULMFiT(pretrain=LanguageModelling(weights=f)),
        lambda f: TextNet(segmenter=Ltp(folder=f)),
        lambda f: Seeds(member=Concat(a=Encoder(weights=f))),
    ],
)
def test_what_a_model_folder_holds_counts(spec: Callable[[str], Spec], tmp_path: Path) -> None:
    folder = model(tmp_path / "model")
    made = spec(str(folder))
    first = made.identity()
    (folder / "model.safetensors").write_text("other weights")
    assert made.identity() != first


def test_names_of_models_count_by_name_until_they_lie_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setenv("KIT_KAGGLE_INPUT", str(tmp_path / "kaggle"))
    monkeypatch.setattr("kit.weights.hub_cache", lambda name: pytest.fail("the hub's cache was asked"))
    spec = Encoder(weights="org/net")
    plain = spec.identity()
    assert "files" not in plain
    package = model(tmp_path / "site/carrier/model")
    (package.parent / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setitem(PACKAGES, "org/net", ("carrier", "model"))
    carried = spec.identity()
    assert carried != plain
    own = model(tmp_path / "mine/org/net")
    assert spec.identity() == carried  # the same weights elsewhere
    (own / "onnx.bin").write_text("is not read where there is a safetensors file")
    assert spec.identity() == carried
    (own / "model.safetensors").write_text("2")
    assert spec.identity() != carried


@pytest.mark.parametrize("spec", [Boost(), Linear(), Perceptron().stage, Jieba(), Seeds(), EDA()])
def test_kits_own_without_files_is_its_dict(spec: Spec) -> None:
    assert spec.identity() == spec.to_dict()


def test_what_changes_no_result_is_left_out(tmp_path: Path) -> None:
    def same(one: Any, other: Any) -> bool:
        return one != other and one.identity() == other.identity()

    assert same(TextNet(), TextNet(save_every=1))
    assert same(Concat(), Concat(b=TextNet(save_every=1))) and not same(Concat(), Concat(b=TextNet(width=7)))
    words = {"weights": str(model(tmp_path / "model"))}
    assert same(ContextualWords(**words), ContextualWords(**words, batch=3, device="cuda"))
    ways = {"there": "a/b", "back": "b/a"}
    assert same(BackTranslation(**ways), BackTranslation(**ways, cache="kept", batch=1, device="cuda"))
    assert same(Ltp(folder="x"), Ltp(folder="x", batch=1)) and not same(Ltp(folder="x"), Ltp(folder="x", longest=9))
    assert not same(BackTranslation(**ways), BackTranslation(**ways, beams=2))


class Draws(BackTranslation):
    """Says what it drew, whatever it runs on."""

    def many(self, texts: Any, rngs: Any) -> list[str]:
        return [str(rng.random()) for rng in rngs]


def test_views_draw_the_same_on_another_device() -> None:
    rows = Rows.of(TASK, pd.DataFrame({"t": ["a", "b"]}))
    cpu, gpu, other = (
        with_views(rows, (Augmented(augment=Draws(there="a/b", back="b/a", **how)),), 0).texts()
        for how in ({}, {"device": "cuda", "batch": 2, "cache": "elsewhere"}, {"beams": 7})
    )
    assert cpu == gpu != other


def test_translations_are_kept_where_caches_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def recall(path: Path, keys: list[str]) -> dict[str, str]:
        asked.append(path)
        return dict.fromkeys(keys, "Gut.")

    monkeypatch.setattr(translate, "read_translations", recall)
    monkeypatch.setattr(translate, "model_digest", lambda *_: "")
    monkeypatch.setenv("KIT_CACHE", str(tmp_path))
    ways = {"there": "a/b", "back": "b/a"}
    for spec in (BackTranslation(**ways), BackTranslation(**ways, cache="own.sqlite")):
        assert spec("Good.", np.random.default_rng(0)) == "Gut."
    assert asked == [tmp_path / "translations.sqlite", Path("own.sqlite")]


# ---- where it is used --------------------------------------------------------------------------


class Told(Recipe):
    task = TASK
    folds: Folds = KFold(n=2)
    boost: Member = Boost()


def test_a_store_of_the_bank_is_that_of_the_contents(tmp_path: Path) -> None:
    path = tmp_path / "number.txt"
    frame = pd.DataFrame({"id": [*"abcdef"], "t": [*"uvwxyz"]})
    table = Table(TASK, frame[:4].assign(y=[0, 1, 0, 1]), frame[4:].reset_index(drop=True), None, tmp_path / "cache")
    run = Run(Told(boost=Boost(features=(FromFile(path=str(path)),))), table, tmp_path / "run")
    found = []
    for text in ("1", "22", "1"):
        path.write_text(text)
        found.append(run.store("boost").folder)
    assert found[0] == found[2] != found[1]


def test_features_are_computed_again_when_their_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "number.txt"
    rows = Rows(TASK, Source(pd.DataFrame({"t": ["a", "b"]}), tmp_path / "cache"), np.arange(2))
    for number in (1, 22):
        path.write_text(str(number))
        assert FromFile(path=str(path)).of(rows).tolist() == [[number], [number]]


def test_tampered_hangs_on_the_segmenter_and_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "words.txt"
    path.write_text("网易杭研 5 nz\n", encoding="utf-8")
    spec = Tampered(segmenter=Jieba(dictionary=str(path)))
    first = spec.key()
    monkeypatch.setattr("kit.text.segment.installed_version", lambda *_: "another")
    assert spec.key() != first
    monkeypatch.undo()
    monkeypatch.setattr("competitions.chinese360.features.tampered.VERSION", -1)
    assert spec.key() != first
    assert Tampered(segmenter=Jieba()).key() != Tampered().key()


def test_views_are_made_again_when_a_lexicon_changes(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.tsv"
    rows = Rows(TASK, Source(pd.DataFrame({"t": ["好"]}), tmp_path / "cache"), np.arange(1))
    for other in ("妙", "绝佳"):
        path.write_text(f"好\t{other}\n", encoding="utf-8")
        views = (Augmented(augment=HanWords(lexicon=str(path), cut="longest", share=1.0)),)
        assert with_views(rows, views, 0).texts() == ["好", other]


def test_vectors_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    rows = Rows(TASK, Source(pd.DataFrame({"t": ["a b", "a b"]}), tmp_path / "cache"), np.arange(2))
    spec = TextNet(vectors=VectorFile(path=str(path)))
    for number in (1, 22):
        path.write_text(f"a {number} 0\nb {number} 0\n")
        values = spec.make_dataset(rows).vectors
        assert values is not None and values[-1].tolist() == [number, 0]


def test_misspellings_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    pytest.importorskip("nlpaug")
    path = tmp_path / "slips.txt"
    spec = SpellingErrors(file=str(path), share=1.0)
    for slip in ("haus", "hoouse"):
        path.write_text(f"house {slip}\n")
        assert spec("house", np.random.default_rng(0)) == slip


def test_contents_are_read_again_only_once_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import kit.core.files

    path, read = tmp_path / "file", list[Path]()
    path.write_text("one")
    checksum = kit.core.files.checksum
    monkeypatch.setattr(kit.core.files, "checksum", lambda p: read.append(p) or checksum(p))
    assert contents(path) == contents(str(path)) == checksum(path) and len(read) == 1
    assert contents(tmp_path) != contents(path) and len(read) == 1
    path.write_text("three")
    assert contents(path) == checksum(path) and len(read) == 2
    assert contents(tmp_path / "none") == contents("") == contents("x" * 5000) == contents("\0") == ""
