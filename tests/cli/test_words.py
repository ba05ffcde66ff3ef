"""name=value words: the same in the Makefile and after `kit`; what is unknown is refused with the nearest right one."""

import re
import shutil
import subprocess
import sys

import pytest
from typer.main import get_command

from kit.cli.entry import app
from kit.cli.words import arguments
from kit.core.errors import KitError
from tests.helpers.house import ROOT

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


def read(*words: str) -> list[str]:
    return arguments(words, COMMANDS, lambda: ["small", "toxic"], lambda comp: ["boost", "memory"])


@pytest.mark.parametrize(
    "words, expected",
    [
        (["cv", "comp=toxic", "only=nbsvm boost", "folds=0,1"], ["cv", "toxic", "--only=nbsvm boost", "--folds=0,1"]),
        (["cv", "toxic", "--only", "boost", "seed=1"], ["cv", "toxic", "--only", "boost", "--seed=1"]),
        (["cv", "toxic", "--set", "minilm.lr=1"], ["cv", "toxic", "--set", "minilm.lr=1"]),  # an option's value
        (["cv", "--debug", "toxic", "set=a.b=1 c=2"], ["cv", "toxic", "--debug", "--set=a.b=1 c=2"]),
        (["cv", "comp=toxic", "only=", "debug=1", "bank=0"], ["cv", "toxic", "--debug"]),
        (["tune", "member=boost", "comp=toxic", "trials=-1"], ["tune", "toxic", "boost", "--trials=-1"]),
        (["tune", "toxic", "boost"], ["tune", "toxic", "boost"]),
        (["ablate", "comp=toxic", "member=boost", "pass=off"], ["ablate", "toxic", "boost", "--pass=off"]),
        (["cv", "--help"], ["cv", "--help"]),
        (["--version"], ["--version"]),
        (["competitions"], ["competitions"]),
        ([], []),
    ],
)  # fmt: skip
def test_words_become_options(words: list[str], expected: list[str]) -> None:
    assert read(*words) == expected


REFUSED = [
    ("cv comp=toxic fold=0", "cv has no 'fold='; did you mean 'folds='?"),
    ("cv comp=toxic sampel=5", "cv has no 'sampel='; did you mean 'sample='?"),
    ("cv comp=toxic member=boost", "cv has no 'member='; did you mean 'only='?"),
    ("tune comp=toxic members=boost", "tune has no 'members='; did you mean 'member='?"),
    ("cv comp=toxic minilm.epochs=2", "'minilm.epochs' is a setting; settings are given as set=\"minilm.epochs=2\""),
    (
        "show comp=toxic boost",
        "'boost' is not of the form name=value; show has: only=, set=, preset=, seed=, sample=, images=, debug=",
    ),
    ("cvv comp=toxic", "there is no command 'cvv'; did you mean 'cv'?"),
    ("cv", "cv needs a competition: comp=NAME, where NAME is one of: small, toxic"),
    ("cv comp=", "cv needs a competition: comp=NAME, where NAME is one of: small, toxic"),
    ("tune comp=toxic", "tune needs a member of 'toxic': member=NAME, where NAME is one of: boost, memory"),
]


@pytest.mark.parametrize("line, sentence", REFUSED, ids=[line for line, _ in REFUSED])
def test_what_is_unknown_or_missing_is_refused(line: str, sentence: str) -> None:
    with pytest.raises(KitError, match=f"^{re.escape(sentence)}$"):
        read(*line.split(" "))


def make(*words: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", "-o", ".venv/ready", f"PY={sys.executable}", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    "words, sentence",
    [
        (["cv", "comp=toxic", "member=linear"], "kit: cv has no 'member='; did you mean 'only='?"),
        (["show", "comp=toxic", "sampel=9"], "kit: show has no 'sampel='; did you mean 'sample='?"),
        (
            ["cv"],
            "kit: cv needs a competition: comp=NAME, where NAME is one of: chinese360, dogscats, homecredit, toxic",
        ),
        (["test", "arg=-x"], "make test has no variable 'arg='; there is: args="),
        (["check", "only=x"], "make check has no variable 'only='; there are none"),
    ],
    ids=str,
)
def test_make_refuses_a_variable_that_it_does_not_know(words: list[str], sentence: str) -> None:
    done = make(*words)
    assert done.returncode == 2 and done.stdout == ""
    assert sentence in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_hands_values_on_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("only", "boost")  # a variable of the environment is nobody's wish
    value = """minilm.perturb=FGM(start=1) a='b' c="d"; e & f"""
    shown = make("-n", "cv", "comp=toxic", f"set={value}").stdout
    said = subprocess.run(
        ["sh", "-c", shown.replace(f"{sys.executable} -m kit", "printf '%s\\n'")], capture_output=True, text=True
    )
    assert said.stdout.splitlines() == ["cv", "comp=toxic", f"set={value}"]
