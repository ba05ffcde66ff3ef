"""`import kit`: light, and it offers every name that a notebook needs."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import kit
from tests.helpers.house import ROOT

HEAVY = ("torch", "pandas", "numpy", "sklearn", "scipy", "pydantic", "lightgbm", "transformers", "rich")


def loaded(code: str) -> set[str]:
    """Which of HEAVY a fresh interpreter has imported after some code."""
    show = f"import sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {show}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_import_kit_imports_nothing_heavy() -> None:
    assert loaded("import kit; kit.__version__; dir(kit)") == set()


def test_settings_import_no_torch() -> None:
    named = "Boost, Encoder, EDA, Focal, FGM, Greedy, HAN, Linear, Recipe, Stage, Stratified, Task, TextNet, roc_auc"
    assert not {"torch", "lightgbm", "transformers"} & loaded(f"from kit import {named}")


@pytest.mark.parametrize("name", [name for name in kit.__all__ if not name.startswith("_")])
def test_every_name_is_there_and_described(name: str) -> None:
    offered = getattr(kit, name)
    assert offered.__doc__ and (offered.name if isinstance(offered, kit.Metric) else offered.__name__) == name


def test_each_name_is_listed_once_and_completed() -> None:
    names = [name for name in kit.__all__ if not name.startswith("_")]
    assert len(set(names)) == len(names) and set(dir(kit)) == set(kit.__all__)
    source = ast.parse(Path(str(kit.__file__)).read_text(encoding="utf-8"))
    typed = [alias.name for node in ast.walk(source) if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(names) == sorted({*typed} - {"TYPE_CHECKING", "lazy", "listing"})
    assert not {path.stem for path in Path(str(kit.__file__)).parent.iterdir()} & set(names)  # or it would hide a room


def test_every_public_setting_of_the_rooms_is_offered() -> None:
    for room in ("augment", "ensemble", "losses", "members", "metrics", "train"):
        for name in import_module(f"kit.{room}").__all__:
            offered = getattr(import_module(f"kit.{room}"), name)
            spec = isinstance(offered, type) and issubclass(offered, kit.Spec) and not inspect.isabstract(offered)
            if spec or isinstance(offered, kit.Metric):
                assert getattr(kit, name, None) is offered, f"kit does not offer {name} of kit.{room}"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'kit' has no attribute 'Bost'"):
        kit.Bost  # noqa: B018
