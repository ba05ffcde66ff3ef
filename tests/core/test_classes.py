"""Classes by name: unique in kit, found without importing what a file names."""

import importlib
import json
import pkgutil
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import competitions
import kit
from kit.core.classes import class_named, defined
from kit.core.errors import KitError
from kit.core.files import write_json
from kit.core.spec import Spec
from kit.ensemble import FittedBlend
from kit.member import Member, Predictor
from kit.members.network.fitted import NetworkPredictor
from kit.members.seeds import SeedsPredictor
from kit.members.trees.base import GradientBoostingPredictor
from kit.members.views import ViewsPredictor
from kit.text.tfidf import Vectorizer

EVIL = "runs.x.evil:X"


def everything(package: Any) -> set[str]:
    """Imports all modules of a package, and gives their names."""
    found = {module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")}
    modules = {name for name in found if not name.endswith("__main__")}
    for name in modules:
        importlib.import_module(name)
    return modules


@pytest.mark.parametrize("base", [Spec, Predictor, FittedBlend])
def test_no_two_classes_share_a_name(base: Any) -> None:
    modules = everything(kit) | everything(competitions)
    places = defaultdict(set)
    for cls in defined(base):
        if cls.__module__ in modules:  # recipes of other tests may be imported too
            places[cls.__name__].add(cls.__module__)
    assert len(places) >= 6 and not {name: found for name, found in places.items() if len(found) > 1}


def test_a_class_of_kit_is_found_before_anyone_imported_it(python: Any) -> None:
    script = "import sys; from kit.core.spec import Spec; saved = {'class': 'Boost', 'version': 1, 'trees': 7}; " \
             "print('kit.members.trees.boost' in sys.modules, Spec.from_dict(saved).trees)"  # fmt: skip
    assert python(script).split() == ["False", "7"]


def planted(folder: Path) -> list[Any]:
    """Loads of every JSON of a run folder that names a class, each with a class of `runs.x.evil`."""
    for name, value in {
        "kit.json": {"spec": {"class": EVIL}, "categories": {}},
        "views.json": {"class": EVIL},
        "parts.json": [EVIL],
        "tfidf.json": {"class": EVIL},
        "blend.json": {"kind": EVIL},
    }.items():
        write_json(folder / name, value)
    return [
        lambda: GradientBoostingPredictor.load(folder),
        lambda: NetworkPredictor.load(folder),
        lambda: ViewsPredictor.load(folder),
        lambda: SeedsPredictor.load(folder),
        lambda: Vectorizer.load(folder, "tfidf"),
        lambda: FittedBlend.load(folder / "blend.json"),
        lambda: Member.from_dict({"class": EVIL}),
        lambda: Spec.from_dict({"class": "Views", "version": 1, "member": {"class": EVIL}}),
    ]


@pytest.mark.parametrize("which", range(8))
def test_a_planted_class_runs_no_code(which: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs/x").mkdir(parents=True)
    (tmp_path / "runs/x/evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass X: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(KitError) as error:
        planted(tmp_path)[which]()
    assert "neither kit nor this recipe has a " in str(error.value) and f"'{EVIL}'" in str(error.value)
    assert not (tmp_path / "ran").exists() and "runs.x.evil" not in sys.modules
    importlib.import_module("runs.x.evil")  # it would have run
    assert (tmp_path / "ran").exists()
    for name in ("runs.x.evil", "runs.x", "runs"):
        del sys.modules[name]


CELL = """
class Own{n}(Member):
    knob: int = {default}
    def learn(self, train, valid, work): ...
"""


def test_a_cell_that_ran_again_gives_its_last_class(monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("a_notebook")
    monkeypatch.setitem(sys.modules, "a_notebook", module)
    space = vars(module) | {"Member": Member}
    for default in (1, 2):
        exec(CELL.format(n="OfTheCell", default=default), space)
    assert Member.from_dict({"class": "OwnOfTheCell"}) == space["OwnOfTheCell"]() and space["OwnOfTheCell"]().knob == 2


def test_two_classes_of_one_name_are_refused_with_both_places(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {}
    for place in ("first_recipe", "second_recipe"):
        monkeypatch.setitem(sys.modules, place, type(sys)(place))
        exec(CELL.format(n="Twice", default=1), space := {"Member": Member, "__name__": place})
        made[place] = space["OwnTwice"]
    with pytest.raises(KitError) as error:
        Member.from_dict({"class": "OwnTwice"})
    assert str(error.value) == (
        "'OwnTwice' is the name of 2 classes, in first_recipe and second_recipe: rename one of your own"
    )

    first = Member.from_dict({"class": "OwnTwice", "knob": 3}, module="first_recipe")
    assert first == made["first_recipe"](knob=3)

    class Holder(Spec):
        inner: type(first)  # type: ignore[valid-type]

    holder = Holder(inner=first)
    assert Holder.from_dict(json.loads(json.dumps(holder.to_dict()))) == holder  # the field's type says which


def test_a_class_without_all_its_methods_is_not_loaded() -> None:
    with pytest.raises(KitError, match="neither kit nor this recipe has a Member called 'Member'"):
        class_named("Member", Member)
