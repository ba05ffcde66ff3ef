"""The 360 recipe: its embedded sample keeps to the contest's form, and runs from there to a checked submission."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from competitions.chinese360.recipe import Chinese360
from competitions.chinese360.sample import GRAMMAR, LONGEST, TOPICS, WORDS, Writer, articles, write
from kit.core.errors import KitError
from kit.members import TextNet
from kit.table import Table
from kit.testing import check_recipe
from tests.helpers.command import command
from tests.helpers.house import ROOT

FILES = ("train.tsv", "evaluation_public.tsv")
PINNED = "9beaac0ca813107942bde427a813c6166ab0f28cf495d4de10436b329b3725dd"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chinese360") / "not" / "yet"
    write(folder)
    return folder


@pytest.fixture(scope="module")
def table(folder: Path) -> Table:
    return Chinese360().load(folder)


def digest(folder: Path, *numbers: int) -> str:
    write(folder, *numbers)
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in FILES)).hexdigest()


# ---- the sample --------------------------------------------------------------------------------


def test_files_have_the_contests_form(folder: Path) -> None:
    for name, rows, fields in (("train.tsv", 1200, 4), ("evaluation_public.tsv", 300, 3)):
        text = (folder / name).read_bytes().decode("utf-8")
        lines = text.removesuffix("\n").split("\n")
        assert len(lines) == rows and {line.count("\t") + 1 for line in lines} == {fields}
        assert "\r" not in text and '"' in text and all(len(line) for line in lines)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)  # nothing temporary stays behind


def test_bytes_depend_on_the_seed_alone(tmp_path: Path) -> None:
    first = digest(tmp_path / "a", 200, 50, 0)
    assert first == digest(tmp_path / "b", 200, 50, 0) == digest(tmp_path / "b", 200, 50, 0)
    assert first != digest(tmp_path / "c", 200, 50, 1)
    assert first == PINNED, "the sample has changed: if on purpose, pin the new digest; told scores move with it"
    command = [sys.executable, "-m", "competitions.chinese360.sample", str(tmp_path / "d"), "200", "50", "0"]
    subprocess.run(command, check=True, env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)})
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "d" / name).read_bytes() for name in FILES)


def test_articles_are_like_the_contests(table: Table) -> None:
    train = table.train
    assert Counter(train["label"]) == {"NEGATIVE": 600, "POSITIVE": 600}
    ids = pd.concat([train["id"], table.test["id"]])
    assert ids.is_unique and ids.str.fullmatch("[0-9a-f]{12}").all()
    lengths = train["content"].str.len()
    assert lengths.min() < 12 and 300 < lengths.median() < 500 and 2500 < lengths.max() <= LONGEST
    begins = pd.Series([c.startswith(t) for c, t in zip(train["content"], train["title"], strict=True)])
    person = train["label"] == "POSITIVE"
    assert begins[person].mean() > 0.95 and 0.75 < begins[~person].mean() < begins[person].mean()
    assert train["title"].str.len().between(1, 24).all()
    same = train["content"].duplicated(keep=False) & (lengths > 30)
    assert 4 <= same.sum() < 40 and (train[same].groupby("content")["label"].nunique() == 1).all()
    joined = "".join(train["content"])
    assert (
        not any(sign in joined for sign in "{}|\t\n")
        and sum("\u4e00" <= c <= "\u9fff" for c in joined) / len(joined) > 0.8
    )


def test_grammar_is_whole() -> None:
    assert len(TOPICS) == 7 and sum(map(len, WORDS.values())) > 300
    assert all(line.startswith("# ") or ": " in line for line in GRAMMAR.strip().split("\n"))
    writer = Writer("all")
    for writer.topic in TOPICS:
        for slot in TOPICS[writer.topic]:
            for _ in range(30):
                assert "{" not in writer[slot]
    assert sum(1 for _ in articles(1500, seed=3)) == 1500


def test_networks_are_members_by_a_preset_only() -> None:
    recipe = Chinese360()
    assert list(recipe.members) == ["linear", "boost"]
    networks = recipe.override(*recipe.overrides("networks")).members
    assert {name: type(member.net).__name__ for name, member in networks.items() if isinstance(member, TextNet)} == {
        "cnn": "TextCNN", "han": "HAN", "hcn": "HCN", "gru": "RNN"
    }  # fmt: skip
    assert all(networks[name].stage.epochs == 4 and networks[name].use == ("words", "tags") for name in ("cnn", "gru"))
    with pytest.raises(KitError, match="has no member 'cnn'"):
        recipe.chosen("cnn")


@pytest.mark.parametrize("n", [0, 1, 7])
def test_any_number_of_rows_works(n: int, tmp_path: Path) -> None:
    write(tmp_path, n, n)
    assert [len((tmp_path / name).read_text().splitlines()) for name in FILES] == [n, n]


# ---- the ways of tampering ---------------------------------------------------------------------


def told(seed: int) -> tuple[Writer, list[str]]:
    writer = Writer(f"told/{seed}")
    said: list[str] = []
    while len(said) < 5:
        said = writer.article()
    return writer, said


def characters(said: list[str]) -> Counter[str]:
    return Counter("".join(said))


@pytest.mark.parametrize("seed", range(8))
def test_each_way_does_what_the_contest_did(seed: int) -> None:
    writer, said = told(seed)
    turned = writer.turned(list(said))
    assert len(turned) == len(said) and characters(turned) == characters(said)
    for old, new in zip(said, turned, strict=True):
        here = [i for i in range(len(old)) if old[i] != new[i]]
        if here:
            assert here[-1] - here[0] < 4  # and within four characters, back to front
            assert any(
                new[i : i + 4] == old[i : i + 4][::-1] and new[:i] == old[:i] and new[i + 4 :] == old[i + 4 :]
                for i in range(len(old) - 3)
            )
    swapped = writer.swapped(list(said))
    for old, new in zip(said, swapped, strict=True):
        assert sorted(old[:-1].split("，")) == sorted(new[:-1].split("，")) and new[-1] == old[-1]
    repeated = writer.repeated(list(said))
    assert len(repeated) > len(said) and set(repeated) == set(said)
    topic = writer.topic
    replaced = writer.replaced(list(said))
    assert len(replaced) == len(said)
    for old, new in zip(said, replaced, strict=True):  # one word of the topic less, one word of some topic more
        assert old == new or any(
            old.replace(out, put, 1) == new
            for out in WORDS[topic]
            if out in old
            for words in WORDS.values()
            for put in words
        )
    mixed = writer.mixed(list(said))
    rest = iter(mixed)
    assert len(mixed) > len(said) and all(sentence in rest for sentence in said)  # in their old order, others between
    babbled = writer.babbled(list(said))
    assert len(babbled) == len(said) and any(new not in said for new in babbled)


def test_whatever_is_tampered_with_is_changed() -> None:
    for seed in range(40):
        writer = Writer(f"short/{seed}")
        for said in (["哈。"], ["哈哈哈哈哈哈。"], writer.article()):
            assert writer.tampered(list(said)) != said


# ---- the recipe --------------------------------------------------------------------------------


def test_the_recipe_holds_the_contract_and_reads_its_labels(folder: Path, table: Table) -> None:
    check_recipe(Chinese360(), folder)
    assert table.inputs == ["title", "content"] and table.sample is None and table.notes == ()
    assert (table.y[:, 0] == (table.train["label"] == "POSITIVE")).all() and Chinese360.task.outputs == 1


@pytest.mark.slow
def test_the_sample_runs_end_to_end(tmp_path: Path, table: Table) -> None:
    environment = os.environ | {"KIT_DATA": str(tmp_path / "none"), "KIT_KAGGLE_INPUT": str(tmp_path / "none")}
    environment |= {"PYTHONPATH": str(ROOT), "KIT_THREADS": "1"}

    def kit(*more: str) -> "subprocess.CompletedProcess[str]":
        return command(tmp_path, ["cv", "chinese360", "--only", "linear boost", *more], environment)

    some = kit("--folds", "0")  # no other fold to choose a threshold on, and nothing to blend
    assert (
        some.returncode == 0 and "nothing to blend" in some.stdout and "threshold of the submission" not in some.stdout
    )
    done = kit()
    assert done.returncode == 0, done.stderr
    root = tmp_path / "runs" / "chinese360-sample"
    submitted = pd.read_csv(root / "submission.csv", dtype=str)
    assert submitted.columns.tolist() == ["id", "label"] and submitted["id"].tolist() == table.test["id"].tolist()
    assert set(submitted["label"]) == {"NEGATIVE", "POSITIVE"}

    report = json.loads((root / "blend" / "report.json").read_text())
    assert report["summary"]["nested"] > 0.68 > 2 / 3 and report["auc"] > 0.68  # 2/3: POSITIVE to all
    (cut,) = report["thresholds"]
    assert json.loads((root / "blend" / "weights.json").read_text())["thresholds"] == [cut]
    shown = " ".join(done.stdout.split())
    assert f"threshold of the submission: {cut:.5f}" in shown and "ROC AUC" in shown
    assert f"nested f1 {report['summary']['nested']:.5f} [" in shown
    assert "(weights and threshold learnt without the fold that is scored)" in shown
    assert f"{report['score']:.5f} (optimistic" in shown and f"{report['auc']:.5f}" in shown
