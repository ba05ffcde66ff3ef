"""The steps of CONTRIBUTING, followed by the letter in a copy of the project: each example works as it is printed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.house import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(?:python)?\n# (.+?)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def insert(path: Path, after: str, text: str) -> None:
    """Adds text behind the only place where `after` matches."""
    old = path.read_text(encoding="utf-8")
    new, count = re.subn(after, lambda found: found[0] + text, old, count=1, flags=re.MULTILINE)
    assert count == 1, f"{path}: no {after}"
    path.write_text(new, encoding="utf-8")


def listed(copy: Path, package: str, module: str, name: str) -> None:
    """Lists a name in the __init__ of a package."""
    path = copy / package.replace(".", "/") / "__init__.py"
    if "lazy(" in path.read_text(encoding="utf-8"):
        insert(path, r"^if TYPE_CHECKING:\n", f"    from {module} import {name}\n")
    else:
        insert(path, r"^from kit\.", f"{module.removeprefix('kit.')} import {name}\nfrom kit.")
    insert(path, r"^__all__ = \[", f'"{name}", ')


def offered(copy: Path, package: str, name: str) -> None:
    """Lists a name in kit/__init__.py, under the package that it comes from."""
    insert(copy / "kit/__init__.py", rf"^    from {re.escape(package)} import \(?", f"{name}, ")
    insert(copy / "kit/__init__.py", r"^__all__ = \[", f'"{name}", ')


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which every step of the page has been done."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("kit", "tests", "competitions", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "CONTRIBUTING.md", "README.md"):
        shutil.copy(ROOT / name, copy / name)
    for where, code in BLOCKS.items():
        if where.endswith(".py") and " " not in where:
            path = copy / where
            assert not path.exists(), where
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(code, encoding="utf-8")
        elif where.startswith("end of "):
            append(copy / where.removeprefix("end of "), f"\n\n{code}")
        else:  # an entry of a list or dict in a test: "NAME in FILE"
            name, _, path_name = where.partition(" in ")
            start = rf"^def {name}\(.*?\{{\n" if name.startswith("test_") else rf"^{name}\b.*? = [\[{{]\n?"
            insert(copy / path_name, f"(?s:{start})", f"    {code.strip()} ")
    listed(copy, "kit.losses", "kit.losses.log_cosh", "LogCosh")
    offered(copy, "kit.losses", "LogCosh")
    append(copy / "docs/techniques.md", "\n`minilm.loss=LogCosh`\n")
    insert(copy / "tests/losses/test_losses.py", r"^from kit\.losses import \(", "LogCosh, ")
    listed(copy, "kit.models", "kit.models.gru", "GRUModule")
    offered(copy, "kit.members.textnet.nets", "GRU")
    append(copy / "docs/text.md", "\n`cnn.net=GRU(hidden=100)`\n")
    listed(copy, "kit.members", "kit.members.prior", "Prior")
    offered(copy, "kit.members", "Prior")
    listed(copy, "kit.models", "kit.models.letters", "LettersModule")
    insert(copy / "tests/models/test_body.py", r"^from kit\.models import ", "LettersModule, ")
    listed(copy, "kit.members", "kit.members.letters.letters", "Letters")
    offered(copy, "kit.members", "Letters")
    insert(copy / "kit/metrics/__init__.py", r"^from kit\.metrics\.regression import \(?", "max_error, ")
    insert(copy / "kit/metrics/__init__.py", r"^__all__ = \[", '"max_error", ')
    offered(copy, "kit.metrics", "max_error")
    recipe = copy / "competitions/mine/recipe.py"
    (line,) = re.findall(r"`(boost = Boost\(features=.*?)`", PAGE)
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("boost = Boost()", line), encoding="utf-8")
    insert(recipe, r"^from kit import .*\n", "from competitions.mine.features import Capitals\n")
    return copy


def run(copy: Path, *words: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(copy), "KIT_DATA": str(copy / "none"), "KIT_REPORT": "no"}
    environment |= {"KIT_KAGGLE_INPUT": str(copy / "none")}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_every_test_that_the_steps_name_finds_and_passes_the_new_things(copy: Path) -> None:
    chosen = "LogCosh or GRU or Prior or etters or max_error or mine or metrics_need or can_be_chosen or door"
    said = run(
        copy, "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, "tests/losses/test_losses.py",
        "tests/members/test_textnet_member.py", "tests/test_contract.py", "tests/metrics", "tests/competitions/mine",
        "tests/test_docs.py", "tests/models/test_body.py", "tests/members/test_letters.py", "-rA",
    )  # fmt: skip
    passed = re.findall(r"^PASSED (.*)$", said, re.MULTILINE)
    parts = ["LogCosh", "GRU", "Prior", "[Letters-regression]", "[LettersModule]", "test_letters", "max_error"]
    parts += ["metrics_need", "mine/test_features", "mine/test_recipe", "door"]
    for part in parts:
        assert any(part in name for name in passed), f"no test of {part} ran"


def test_settings_find_them_by_name(copy: Path) -> None:
    code = (
        "from competitions.toxic.recipe import Toxic; from kit import TextNet\n"
        "print(Toxic().override('minilm.loss=LogCosh(scale=2)').minilm.stage.loss)\n"
        "print(TextNet().override('net=GRU(hidden=100)').net)\n"
        "import kit; print(kit.Prior(), kit.max_error([1.0, 2.0], [1.5, 4.0]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=copy, env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == ["scale=2.0", "hidden=100", "seed=0 2.0"]


def test_the_competition_runs_from_its_sample_to_a_submission(copy: Path) -> None:
    said = run(copy, "kit", "cv", "comp=mine")
    assert "submission: " in said and "linear" in said and "boost" in said
    assert (copy / "runs/mine-sample/submission.csv").read_text().startswith("id,sold\nr300,")
