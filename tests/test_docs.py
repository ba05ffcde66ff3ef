"""What docs/ promise: settings are what kit understands, what is called refused is refused, and no class is left out."""

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from competitions.toxic.recipe import Toxic
from kit.augment import Augment
from kit.data import Rows
from kit.members import Concat, Views
from kit.members.nets import Net
from kit.recipe import Recipe
from kit.spec import KitError, choices
from kit.text.segment import Segmenter
from kit.text.vectors import Vectors
from kit.tta import View

DOCS = Path(__file__).resolve().parent.parent / "docs"
TECHNIQUES, TEXT = ((DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("techniques", "text"))
SETTING = re.compile(r"\w+(\.\w+)+=.*|\w+=Concat\(.*")


def snippet() -> dict[str, Any]:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    made: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, "docs/text.md", "exec"), made)
    return made


MADE = snippet()
RECIPES: dict[str, Recipe] = {TECHNIQUES: Toxic(), TEXT: MADE["Reviews"]()}


def settings(doc: str, refused: bool) -> list[str]:
    """Every `member.knob=value …` of a page: those in tables of `setting | why`, or all others."""
    tables = re.findall(r"(?<=^\| setting \| why \|\n)(?:\|.*\n)+", doc, re.MULTILINE)
    text = "\n".join(tables) if refused else re.sub("|".join(map(re.escape, tables)), "", doc)
    blocks = re.findall(r"^```\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    lines = [re.sub(r'^make .*set="(.*)"$', r"\1", line) for block in blocks for line in block.splitlines()]
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    return [span for span in [*spans, *lines] if SETTING.fullmatch(span)]


def cases(refused: bool) -> list[Any]:
    named = (("techniques", TECHNIQUES), ("text", TEXT))
    return [pytest.param(doc, s, id=f"{name}-{s}") for name, doc in named for s in settings(doc, refused)]


@pytest.mark.parametrize("doc, setting", cases(refused=False))
def test_a_setting_of_the_docs_is_understood(doc: str, setting: str) -> None:
    assert RECIPES[doc].override(*setting.split()).members


@pytest.mark.parametrize("doc, setting", cases(refused=True))
def test_what_the_docs_call_refused_is_refused_for_its_value(doc: str, setting: str) -> None:
    *before, last = setting.split()
    with pytest.raises(KitError, match=r"^[A-Z]\w+[:.]"):  # the class that says so, not an unknown name
        RECIPES[doc].override(*before).override(last)


def test_both_pages_have_settings() -> None:
    for doc, least in ((TECHNIQUES, 70), (TEXT, 90)):
        assert len(settings(doc, refused=False)) > least and len(settings(doc, refused=True)) > 8


@pytest.mark.parametrize("kind", [Net, Augment, Segmenter, Vectors, View], ids=lambda kind: kind.__name__)
def test_every_class_that_can_be_chosen_is_named(kind: Any) -> None:
    code = " ".join(re.findall(r"`[^`\n]+`", TEXT))
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
