"""`kit options`: every setting on one line; some of them in full; only what was changed."""

import pytest

from competitions.toxic.recipe import Toxic
from kit.cli.options import differing, in_brief, in_full, selected
from kit.core.errors import KitError
from kit.core.files import write_json
from kit.members import Linear
from kit.recipe import Recipe
from tests.helpers.house import House


class Plain(Recipe):
    task = Toxic.task
    linear: Linear = Linear()
    other: Linear = Linear(C=1.0, word=None)


def test_every_setting_has_a_line_under_its_member(house: House) -> None:
    done = house.kit("options", "toxic", "--set", "minilm.lr=3e-4")
    assert done.returncode == 0
    owner, found = "", {}
    for line in done.stdout.splitlines():
        if line and not line.startswith(" "):
            owner = line.partition(":")[0]
        elif line:
            name, value, *_ = line.split()
            found[f"{owner}.{name}"] = value
    names = {option.name for option in Toxic().options() if "." in option.name}
    assert names <= found.keys() and found["minilm.stage.lr"] == "0.0003"
    assert "preset=quick: " in done.stdout and "\nfolds: Multilabel\n" in done.stdout


def test_a_listing_fits_the_width() -> None:
    recipe = Toxic()
    for listing in (in_brief(recipe, recipe.options(), 80), in_full(recipe.options(), 80)):
        assert max(len(line) for text in listing for line in text.split("\n") if " = " not in line) <= 80
    assert len(list(in_brief(recipe, recipe.options(), 80))) < 200


def test_find_shows_type_range_and_the_full_description(house: House) -> None:
    lines = house.kit("options", "comp=toxic", "find=head_lr", "set=minilm.head_lr=1e-3").stdout.splitlines()
    assert lines[:2] == [
        "minilm.stage.head_lr = 0.001",
        "    float | None, > 0: peak learning rate of the head; none: lr",
    ]
    assert "tuple[float, float]" in house.kit("options", "toxic", "find=betas").stdout  # brackets are no markup


def test_find_looks_in_names_first_then_in_descriptions() -> None:
    assert {o.name for o in selected(Plain(), "NORM", False)} == {
        "linear.word.norm",
        "linear.char.norm",
        "other.char.norm",
    }
    assert {o.name.rpartition(".")[2] for o in selected(Plain(), "inverse document", False)} == {"use_idf"}
    with pytest.raises(
        KitError, match="^find=norn: no setting has this in its name or description; did you mean 'linear.word.norm'?"
    ):
        selected(Plain(), "norn", False)
    with pytest.raises(KitError, match="^find=xyzzy: no setting has this in its name or description$"):
        selected(Plain(), "xyzzy", False)


def test_changed_shows_what_differs_from_the_classes_defaults(house: House) -> None:
    assert differing(Plain()) == {"other.C", "other.word"}
    assert differing(Plain().override("linear.char.min_df=7")) == {"other.C", "other.word", "linear.char.min_df"}
    lines = house.kit("options", "small", "changed=1", "set=memory.shift=2").stdout.splitlines()
    named = {line.partition(" = ")[0] for line in lines if " = " in line}
    assert named == {"folds.n", "boost.trees", "boost.num_leaves", "boost.min_leaf", "memory.shift"}


def test_options_know_what_a_search_has_written(house: House) -> None:
    done = house.kit("options", "small", "--preset", "tuned")
    assert done.returncode == 2 and "make tune comp=small" in done.stderr
    write_json(house.runs / "tuned.json", {"boost": {"settings": ["boost.num_leaves=9"]}})
    done = house.kit("options", "small", "preset=tuned", "find=num_leaves")
    assert "boost.num_leaves = 9\n" in done.stdout and "preset=tuned: boost.num_leaves=9" in done.stdout
