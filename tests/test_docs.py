"""What docs/ promise: settings are what kit understands, what is called refused is refused, and no class is left out."""

import importlib
import re
from types import FunctionType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kit
import kit.losses
import kit.members
import kit.metrics
from competitions.toxic.recipe import Toxic
from kit.augment import Augment
from kit.core.errors import KitError
from kit.core.spec import choices
from kit.features.base import Features
from kit.losses import Loss
from kit.member import Member
from kit.members import Concat, Views
from kit.members.network.dataset import Dataset
from kit.members.network.network import Network
from kit.members.textnet.nets import Net
from kit.pretrain import Pretraining
from kit.recipe import Recipe
from kit.rows import Rows
from kit.text.segment import Segmenter
from kit.text.vectors import Vectors
from kit.train.average import Average
from kit.train.mix import Mix
from kit.train.optimizers import Optimizer
from kit.train.perturb import Noise, Perturb
from kit.train.schedule import Schedule
from kit.tta import View
from tests.helpers.house import ROOT

DOCS = ROOT / "docs"
PAGES = ("techniques", "text", "pictures", "pretraining")
TECHNIQUES, TEXT, PICTURES, PRETRAINING = ((DOCS / f"{name}.md").read_text(encoding="utf-8") for name in PAGES)
SETTING = re.compile(r"\w+(\.\w+)+=.*|\w+=Concat\(.*")


def snippet(page: str) -> dict[str, Any]:
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    made: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, "docs page", "exec"), made)
    return made


MADE = snippet(TEXT)
RECIPES: dict[str, Recipe] = {TECHNIQUES: Toxic(), TEXT: MADE["Reviews"](), PICTURES: snippet(PICTURES)["Photos"]()}
RECIPES[PRETRAINING] = snippet(PRETRAINING)["Reviews"]()


def settings(doc: str, refused: bool) -> list[str]:
    """Every `member.knob=value …` of a page: those in tables of `setting | why`, or all others."""
    tables = re.findall(r"(?<=^\| setting \| why \|\n)(?:\|.*\n)+", doc, re.MULTILINE)
    text = "\n".join(tables) if refused else re.sub("|".join(map(re.escape, tables)), "", doc)
    blocks = re.findall(r"^```\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    lines = [re.sub(r'^make .*set="(.*)"$', r"\1", line) for block in blocks for line in block.splitlines()]
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    return [span for span in [*spans, *lines] if SETTING.fullmatch(span)]


def cases(refused: bool) -> list[Any]:
    named = zip(PAGES, (TECHNIQUES, TEXT, PICTURES, PRETRAINING), strict=True)
    return [pytest.param(doc, s, id=f"{name}-{s}") for name, doc in named for s in settings(doc, refused)]


@pytest.mark.parametrize("doc, setting", cases(refused=False))
def test_a_setting_of_the_docs_is_understood(doc: str, setting: str) -> None:
    assert RECIPES[doc].override(*setting.split()).members


@pytest.mark.parametrize("doc, setting", cases(refused=True))
def test_what_the_docs_call_refused_is_refused_for_its_value(doc: str, setting: str) -> None:
    *before, last = setting.split()
    with pytest.raises(KitError, match=r"^[A-Z]\w+[:.]"):  # the class that says so, not an unknown name
        RECIPES[doc].override(*before).override(last)


def test_all_pages_have_settings() -> None:
    for doc, least, refused in ((TECHNIQUES, 70, 8), (TEXT, 90, 8), (PICTURES, 50, 4), (PRETRAINING, 12, 2)):
        assert len(settings(doc, refused=False)) > least and len(settings(doc, refused=True)) > refused


CHOSEN = [(TEXT, kind) for kind in (Net, Segmenter, Vectors)] + [(TEXT + PICTURES, kind) for kind in (Augment, View)]
CHOSEN += [(PRETRAINING, Pretraining)]
CHOSEN += [(TECHNIQUES, kind) for kind in (Loss, Optimizer, Schedule, Perturb, Noise, Mix, Average)]


@pytest.mark.parametrize("doc, kind", CHOSEN, ids=[kind.__name__ for _, kind in CHOSEN])
def test_every_class_that_can_be_chosen_is_named(doc: str, kind: Any) -> None:
    code = " ".join(re.findall(r"`[^`\n]+`|^```\n.*?```", doc, re.DOTALL | re.MULTILINE))
    known = [name for name, cls in choices(kind).items() if cls.__module__.startswith("kit.")]
    assert len(known) > 2
    assert not [name for name in known if not re.search(rf"\b{name}\b", code)]


def test_the_recipe_of_the_docs_is_made_with_its_pairs() -> None:
    recipe: Any = RECIPES[TEXT]
    assert list(recipe.members) == [
        "cnn",
        "gru",
        "ulmfit",
        "reverse",
        "minilm",
        "gpt",
        "both",
        "ends",
        "boost",
        "minilm_gru",
    ]
    assert isinstance(recipe.members["minilm_gru"], Concat) and isinstance(recipe.members["ends"], Views)
    frame = pd.DataFrame({"review": ["well?? no?", None], "price": 1.0})
    (questions,) = recipe.members["boost"].features
    np.testing.assert_array_equal(questions.of(Rows.of(recipe.task, frame)), [[3], [0]])


def test_linked_files_and_named_modules_exist() -> None:
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (DOCS / link).exists(), f"{page.name}: {link}"
    for name in set(re.findall(r"`(kit(?:\.\w+)+)", TEXT)):
        module, _, what = name.rpartition(".")
        assert hasattr(importlib.import_module(module), what), name


# ---- CONTRIBUTING and the glossary --------------------------------------------------------------

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
GLOSSARY = (DOCS / "glossary.md").read_text(encoding="utf-8")


def exists(path: str) -> bool:
    """Whether a path is there; of one with <name> in it, the folder above."""
    return (ROOT / path.split("<")[0].rstrip("/")).exists()


def test_contributing_has_three_steps_for_each_kind() -> None:
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", CONTRIBUTING, re.DOTALL | re.MULTILINE))
    for kind in ("loss", "network of text", "member", "kind of input", "metric", "competition"):
        steps = re.findall(r"^(\d)\. ", sections[f"A {kind}"], re.MULTILINE)
        assert steps and steps == ["1", "2", "3"] * (len(steps) // 3), kind


def test_files_that_contributing_names_exist() -> None:
    paths = re.findall(r"`((?:kit|tests|docs|competitions|\.ci|requirements)[\w./<>]*)`", CONTRIBUTING)
    files = [path for path in paths if "/" in path or path.endswith((".md", ".lock"))]
    assert len(files) > 25
    assert [path for path in files if not exists(path)] == []
    for dotted in set(paths) - set(files):
        module, _, name = dotted.rpartition(".")
        assert not module or hasattr(importlib.import_module(module), name), dotted


def test_names_that_contributing_says_are_in_a_file_are_there() -> None:
    pairs = re.findall(r"`(\w+)` (?:in|of) `([\w./]+\.py)`", CONTRIBUTING)
    assert len(pairs) >= 3
    for name, path in pairs:
        assert re.search(rf"^(?:def |class )?{name}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), name


def test_names_that_contributing_uses_are_kits() -> None:
    for name, path in {
        "Loss": "kit.losses", "Net": "kit.members.textnet.nets", "Member": "kit.member", "Predictor": "kit.member",
        "Features": "kit.features.base", "Dataset": "kit.members.network.dataset", "Metric": "kit.metrics",
        "METRICS": "kit.metrics", "Network": "kit.members.network.network", "Recipe": "kit.recipe",
    }.items():  # fmt: skip
        assert f"`{name}`" in CONTRIBUTING and hasattr(importlib.import_module(path), name), name
    code = " ".join(re.findall(r"`[^`\n]+`", CONTRIBUTING))
    for method, cls in (("per_row", Loss), ("kinds", Loss), ("build", Net), ("compute", Features), ("alone", Features),
                        ("learn", Member), ("inputs", Dataset), ("make_dataset", Network), ("load_dataset", Network),
                        ("make_body", Network)):  # fmt: skip
        assert re.search(rf"`{method}\b", code) and hasattr(cls, method), method


def test_the_glossary_is_in_order_and_says_where_each_word_is() -> None:
    rows = re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \| `(.+?)` \|$", GLOSSARY, re.MULTILINE)
    words = [word for word, _, _ in rows]
    assert words == sorted(words) and len(words) > 25
    assert [where for _, _, where in rows if not exists(where)] == []
    assert {"bank", "member", "recipe", "run", "fold store", "spec", "stage", "view", "plan"} <= set(words)
    assert max(len(meaning) for _, meaning, _ in rows) < 160


def test_what_a_recipe_names_is_at_the_door() -> None:
    """`from kit import …` offers every member, loss and metric."""
    for package in (kit.members, kit.losses, kit.metrics):
        specs = [n for n in package.__all__ if not isinstance(getattr(package, n), (FunctionType, dict))]
        assert [name for name in specs if name not in kit.__all__] == [], package.__name__
