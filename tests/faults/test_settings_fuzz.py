"""Whatever is typed as a setting or as a word of a command is taken, or refused in one sentence."""

import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import LONGEST, KitError
from kit.members import Seeds
from tests.helpers.fuzz import ODD, SETTINGS, TOXIC, VALUES, check_setting, quickly, refused_or_taken
from tests.helpers.house import House, in_process


@quickly(150)
@given(setting=SETTINGS)
def test_any_setting_is_taken_or_refused(setting: str) -> None:
    check_setting(setting)


@quickly(150)
@given(text=VALUES)
def test_any_value_of_a_spec_that_holds_members_is_taken_or_refused(text: str) -> None:
    refused_or_taken(lambda: Seeds(member=TOXIC.boost).override(f"member={text}"))
    refused_or_taken(lambda: TOXIC.override(f"minilm.perturb={text}"))


@pytest.mark.parametrize(
    "setting, said",
    [
        ("minilm.perturb=Perturb()", "no Perturb is called 'Perturb'; there are: "),
        ("minilm.perturb=" + "(" * 10_000, "setting 'minilm.perturb=((((((((((((((((((((((((((((((((((((((((((((…' (10,015 characters) is longer"),
        ("boost.lr=" + "[" * 100, "setting 'boost.lr=[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…' (109 characters) has more than 50 brackets"),
        ("boost.lr=\0", "setting 'boost.lr=\\x00' holds a NUL or is not valid UTF-8"),
        ("boost.lr=\udc80", "setting 'boost.lr=\\udc80' holds a NUL or is not valid UTF-8"),
        ("minilm.perturb=FGM(self=1)", "FGM has no setting 'self'"),
        ("boost.__class__=1", "unknown setting 'boost.__class__'"),
        ("boost.lr=nan", "Boost.lr = 'nan': "),
        ("boost.lr=", "Boost.lr = '': "),
        ("boost.trees=" + "9" * 5000, "Boost.trees = '99999"),
        ("=1", "unknown setting ''"),
        ("", "setting '' is not of the form name=value"),
    ],
)  # fmt: skip
def test_what_was_typed_is_named(setting: str, said: str) -> None:
    with pytest.raises(KitError) as error:
        TOXIC.override(setting)
    assert str(error.value).startswith(said)


COMMANDS = ["options", "competitions", "cv", "tune", "lb", "nonsense", "", "--help"]
WORDS = st.one_of(
    ODD,
    st.tuples(st.sampled_from(["set", "find", "preset", "folds", "only", "comp", "trials", "on", "storage"]), VALUES).map(
        lambda pair: f"{pair[0]}={pair[1]}"
    ),
    st.sampled_from(["--set", "--find", "-", "--", "--debug=1", "folds", "=", "comp=small", "small"]),
)  # fmt: skip


@quickly(60)
@given(command=st.sampled_from(COMMANDS), words=st.lists(WORDS, max_size=3))
def test_any_command_line_ends_in_one_sentence(tmp_path_factory: Any, command: str, words: list[str]) -> None:
    from kit.cli import main

    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        # what does more than to read its words is not begun
        patch.setattr("kit.cli.runs.open_run", stop)
        patch.setattr("kit.cli.tuning.open_run", stop)
        patch.setattr("kit.cli.evidence.open_run", stop)
        patch.setattr(sys, "argv", ["kit", command, *words])
        out, err = io.StringIO(), io.StringIO()
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        with pytest.raises(SystemExit) as end:
            main()
    said = err.getvalue()
    assert end.value.code in (0, 2), said
    assert "Traceback" not in said and len(said) <= LONGEST + 10
    assert not said or (said.startswith("kit: ") and said.count("\n") == 1)


def stop(*given: Any) -> Any:
    raise KitError("enough was read")


def test_bytes_that_are_no_text_are_refused(house: House, monkeypatch: Any, capsys: Any) -> None:
    assert in_process(house, ["cv", "small", "set=boost.lr=\udcff"], monkeypatch) == 2
    assert capsys.readouterr().err == "kit: 'set=boost.lr=\\udcff' is not valid UTF-8\n"


def test_a_whole_process_takes_such_bytes(house: House, tmp_path: Path) -> None:
    import os
    import subprocess

    done = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"kit", b"cv", b"small", b"only=\xff\xfe"], cwd=house.folder,
        env=house.environment(), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr == b"kit: 'only=\\udcff\\udcfe' is not valid UTF-8\n"
