"""Spaces: drawn where they say, checked by the fields, the recipe's own value always among them."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tuning_house import Bench

from competitions.toxic.recipe import Toxic
from kit.members import Boost, Concat, Encoder, Linear, Perceptron, Seeds, TextNet, Views
from kit.members.textnet import ULMFiT
from kit.recipe import Recipe
from kit.spec import KitError
from kit.train import AdamW, Lookahead
from kit.tune import choice, integer, log_float, log_int, number
from kit.tune.defaults import DEFAULTS, default_space
from kit.tune.knobs import knobs_of
from kit.tune.space import Space, spelled


def tuned(space: dict[str, Any], *settings: str) -> Recipe:
    cls = type("Tuned", (Toxic,), {"tune": space, "__module__": __name__})
    recipe: Recipe = cls().override(*settings)
    return recipe


class Fixed:
    """A trial that answers with a place between the ends."""

    def __init__(self, place: float) -> None:
        self.place = place

    def suggest_int(self, name: str, low: int, high: int, log: bool) -> int:
        return round(low + self.place * (high - low))

    def suggest_float(self, name: str, low: float, high: float, log: bool) -> float:
        return low + self.place * (high - low)


@pytest.mark.parametrize(
    "space, place, text",
    [
        (log_int(15, 255), 0.5, "135"),
        (integer(0, 3), 1.0, "3"),
        (number(0, 1), 1 / 3, "0.3333"),
        (log_float(1e-5, 1e-4), 0.12345678, "2.111e-05"),
        (number(0.12342, 0.5), 0.0, "0.12342"),  # four digits would lie outside
        (number(0, 0.999999), 1.0, "0.999999"),
    ],
)
def test_a_number_is_told_in_four_digits_inside_its_ends(space: Space, place: float, text: str) -> None:
    assert space.suggest(Fixed(place), "x") == text  # type: ignore[arg-type]


def test_spaces_that_cannot_be() -> None:
    for make, said in (
        (lambda: log_int(5, 5), "Numbers: low = 5 is not below high = 5"),
        (lambda: log_float(0, 1), "Numbers: low = 0: a log scale begins above 0"),
        (lambda: integer(1, 2.5), "Numbers: 1 to 2.5: the ends of whole numbers are whole"),  # type: ignore[arg-type]
    ):
        with pytest.raises(KitError) as error:
            make()
        assert str(error.value) == said
    with pytest.raises(KitError, match="^Choice.values"):
        choice()


def test_what_is_spelled_is_read_back() -> None:
    recipe = Toxic()
    for name, value in (
        ("minilm.stage.optimizer", Lookahead(k=6)),
        ("minilm.stage.optimizer", AdamW(betas=(0.8, 0.99))),
        ("minilm.patience", None),
        ("linear.balanced", True),
        ("nbsvm.char", Linear().char),
        ("boost.lr", 0.1 + 0.2),
        ("minilm.pool", "cls"),
    ):
        other = recipe.override(f"{name}={spelled(value)}")
        found: Any = other
        for part in name.split("."):
            found = getattr(found, part)
        assert found == value, name


REFUSED = [
    ({"boost.num_leavs": log_int(15, 255)}, "tune: unknown setting 'boost.num_leavs'; did you mean 'boost.num_leaves'?"),
    ({"C": log_float(1, 9)}, "tune: setting 'C' is ambiguous: linear.C, nbsvm.C"),
    ({"folds.n": integer(2, 9)}, "tune: 'folds.n' is no knob of a member"),
    ({"boost.columns": number(0.5, 1.5)}, "tune: 'boost.columns' searched in 0.5 to 1.5: Boost.columns = 1.5: input should be less than or equal to 1"),
    ({"boost.num_leaves": number(15, 255)}, "tune: 'boost.num_leaves' searched in 15 to 255: Boost.num_leaves = 108.6: input should be a valid integer, got a number with a fractional part"),
    ({"minilm.pool": choice("cls", "men")}, "tune: 'minilm.pool' searched in cls | men: Encoder.pool = 'men': input should be 'cls', 'mean', 'attention', 'max' or 'last'"),
    ({"minilm.optimizer": choice("Adamw()", "Lam")}, "tune: 'minilm.stage.optimizer' searched in Adamw() | Lam: no Optimizer is called 'Lam'; did you mean 'Lamb'?"),
    ({"boost.lr": (0.1, 0.2)}, "tune: 'boost.lr' = (0.1, 0.2): give integer, log_int, number, log_float or choice of kit.tune"),
    ({"boost.patience": integer(10, 99)}, "tune: 'boost.patience' is none now, which lies in no range 10 to 99; take choice"),
]  # fmt: skip


@pytest.mark.parametrize("space, sentence", REFUSED, ids=[next(iter(space)) for space, _ in REFUSED])
def test_a_space_that_its_field_refuses_is_named(space: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KitError) as error:
        knobs_of(tuned(space, "boost.patience=none"), "boost")
    assert str(error.value) == sentence


def test_a_space_of_another_member_is_checked_but_not_searched() -> None:
    space = {"boost.num_leaves": log_int(15, 255), "minilm.lr": log_float(1e-5, 1e-3)}
    knobs, notes = knobs_of(tuned(space), "boost")
    assert [(k.name, k.own) for k in knobs] == [("boost.num_leaves", 31)] and notes == []
    (knob,), _ = knobs_of(tuned(space), "minilm")
    assert (knob.name, knob.own) == ("minilm.stage.lr", 1e-4)


def test_the_recipes_own_value_is_always_among_those_searched() -> None:
    space = {
        "boost.num_leaves": log_int(15, 255), "boost.lr": log_float(0.1, 0.2), "boost.patience": choice(20, 100),
        "boost.columns": choice(0.7, 1),
    }  # fmt: skip
    knobs, notes = knobs_of(tuned(space, "boost.num_leaves=300", "boost.patience=none"), "boost")
    assert [str(k.space) for k in knobs] == ["15 to 300, log", "0.04 to 0.2, log", "20 | 100 | none", "0.7 | 1"]
    assert [k.own for k in knobs] == [300, 0.04, "none", "0.7"]
    assert notes[0] == "boost.num_leaves: searched in 15 to 300, log, so that the recipe's own 300 is among them"
    assert len(notes) == 3


def test_a_nested_spec_that_is_spelled_otherwise_is_the_same_choice() -> None:
    (knob,), notes = knobs_of(tuned({"minilm.optimizer": choice("Lamb", "adamw()")}), "minilm")
    assert knob.own == "adamw()" and notes == []


MEMBERS = [Linear(), Boost(), Encoder(), TextNet(), ULMFiT(), Perceptron(), Concat(), Toxic().nbsvm]


@pytest.mark.parametrize("member", MEMBERS, ids=lambda m: type(m).__name__)
def test_every_kind_of_member_has_defaults_that_its_fields_take(member: Any) -> None:
    class One(Recipe):
        task = Toxic.task
        it: type(member) = member  # type: ignore[valid-type]

    assert {f"it.{name}" for name in default_space(member)} >= {k.name for k in knobs_of(One(), "it")[0]}
    for name, space in default_space(member).items():
        for text in space.probes():
            One().override(f"it.{name}={text}")
    assert len(knobs_of(One(), "it")[0]) >= len(default_space(member)) - 1  # Concat's and others' head_lr may be none


def test_defaults_leave_out_what_is_not_there_and_look_inside() -> None:
    knobs, _ = knobs_of(Toxic().override("linear.char=none"), "linear")
    assert [k.name for k in knobs] == ["linear.C", "linear.balanced", "linear.word.min_df"]
    assert set(default_space(Seeds(member=Linear()))) == {f"member.{name}" for name in DEFAULTS["Linear"]}
    assert "member.member.lr" in default_space(Views(member=Seeds(member=Boost())))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("bench"))
    yield made
    made.close()


def test_a_member_without_defaults_says_what_to_do(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.cls, "tune", {})
    with pytest.raises(KitError) as error:
        knobs_of(bench.cls(), "bowl")
    assert str(error.value) == "nothing to tune: 'bowl' is a Bowl, which has no defaults; declare tune in the recipe"


def test_a_member_that_is_no_field_cannot_be_tuned(bench: Bench) -> None:
    recipe = bench.cls().with_members({"bowl@3": bench.cls().bowl})
    with pytest.raises(KitError, match="^'bowl@3' is no field of Bowls, so no setting reaches it$"):
        knobs_of(recipe, "bowl@3")


PAGE = (Path(__file__).resolve().parent.parent / "docs/tuning.md").read_text(encoding="utf-8")
LINES = sorted(set(re.findall(r"^make .*?(?= *#|$)", PAGE, re.MULTILINE)))


def test_the_space_of_the_page_is_one() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    made: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, "docs/tuning.md", "exec"), made)
    recipe = tuned(made["Mine"].tune)
    assert len(knobs_of(recipe, "boost")[0]) + len(knobs_of(recipe, "minilm")[0]) == len(recipe.tune) == 6


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("line", LINES)
def test_a_make_line_of_the_page_passes_everything_on(line: str) -> None:
    words, root = shlex.split(line), Path(__file__).resolve().parent.parent
    told = subprocess.run(
        ["make", "-n", "-o", ".venv/ready", *words[1:]], cwd=root, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0 and f"-m kit {words[1]} toxic" in told.stdout, told.stderr
    for word in words[2:]:
        assert word.partition("=")[2] in told.stdout, word
