"""Spaces: drawn where they say, checked by the fields, the recipe's own value always among them."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from competitions.toxic.recipe import Toxic
from kit.core.errors import KitError
from kit.members import Boost, Concat, Encoder, Linear, Perceptron, Seeds, TextNet, Views
from kit.members.textnet.textnet import ULMFiT
from kit.recipe import Recipe
from kit.train import AdamW, Lookahead
from kit.tune import Tuning, choice, integer, log_float, log_int, number, tune
from kit.tune.defaults import DEFAULTS, default_space
from kit.tune.knobs import knobs_of
from kit.tune.space import Space, override_text
from tests.helpers.house import ROOT
from tests.helpers.tuning import Bench


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
def test_a_number_is_written_in_four_digits_inside_its_ends(space: Space, place: float, text: str) -> None:
    assert space.suggest(Fixed(place), "x") == text  # type: ignore[arg-type]


def test_spaces_that_cannot_be() -> None:
    for make, said in (
        (lambda: log_int(5, 5), "Numbers: low = 5 is not below high = 5"),
        (lambda: log_float(0, 1), "Numbers: low = 0: a log scale begins above 0"),
        (lambda: integer(1, 2.5), "Numbers: 1 to 2.5: low and high must be whole numbers"),  # type: ignore[arg-type]
    ):
        with pytest.raises(KitError) as error:
            make()
        assert str(error.value) == said
    with pytest.raises(KitError, match="^Choice.values"):
        choice()


def test_a_written_value_is_read_back() -> None:
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
        other = recipe.override(f"{name}={override_text(value)}")
        found: Any = other
        for part in name.split("."):
            found = getattr(found, part)
        assert found == value, name


REFUSED = [
    ({"boost.num_leavs": log_int(15, 255)}, "tune: unknown setting 'boost.num_leavs'; did you mean 'boost.num_leaves'?"),
    ({"C": log_float(1, 9)}, "tune: setting 'C' is ambiguous: linear.C, nbsvm.C"),
    ({"folds.n": integer(2, 9)}, "tune: 'folds.n' is not a setting of a member"),
    ({"boost.columns": number(0.5, 1.5)}, "tune: 'boost.columns' searched in 0.5 to 1.5: Boost.columns = 1.5: input should be less than or equal to 1"),
    ({"boost.num_leaves": number(15, 255)}, "tune: 'boost.num_leaves' searched in 15 to 255: Boost.num_leaves = 108.6: input should be a valid integer, got a number with a fractional part"),
    ({"minilm.pool": choice("cls", "men")}, "tune: 'minilm.pool' searched in cls | men: Encoder.pool = 'men': input should be 'cls', 'mean', 'attention', 'max' or 'last'"),
    ({"minilm.optimizer": choice("Adamw()", "Lam")}, "tune: 'minilm.stage.optimizer' searched in Adamw() | Lam: no Optimizer is called 'Lam'; did you mean 'Lamb'?"),
    ({"boost.lr": (0.1, 0.2)}, "tune: 'boost.lr' = (0.1, 0.2): give integer, log_int, number, log_float or choice of kit.tune"),
    ({"boost.patience": integer(10, 99)}, "tune: 'boost.patience' is none now, which does not fit the space 10 to 99; use choice"),
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
    assert notes[0] == "boost.num_leaves: searched in 15 to 300, log, wider than usual to hold the recipe's own 300"
    assert len(notes) == 3


def test_a_nested_spec_that_is_written_otherwise_is_the_same_choice() -> None:
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
    assert set(default_space(Seeds(member=Linear()), 500)) == {f"member.{name}" for name in DEFAULTS["Linear"]}
    assert "member.member.lr" in default_space(Views(member=Seeds(member=Boost())))


# knob, and what a range must hold and must not reach for 500 rows and for 500,000
SIZES = [
    (Boost(), "min_leaf", (5, 20), (60, None), (100, 1000), (None, 5)),
    (Boost(), "num_leaves", (7, 15), (100, None), (31, 255), (None, 7)),
    (Boost(patience=None), "trees", (50, 200), (1000, None), (500, 3000), (None, 50)),
    (Encoder(), "stage.epochs", (5, 10), (None, 2), (1, 2), (6, None)),
    (TextNet(), "stage.epochs", (10, 30), (None, 4), (2, 5), (15, None)),
    (Perceptron(), "batch_rows", (32, 64), (300, None), (512, 2048), (None, 64)),
    (Perceptron(), "stage.epochs", (30, 100), (None, 10), (3, 10), (50, None)),
    (Linear(), "word.min_df", (1, 3), (10, None), (5, 20), (None, 1)),
    (TextNet(), "min_count", (1, 2), (10, None), (5, 20), (None, 1)),
]


@pytest.mark.parametrize("member, name, few, not_few, many, not_many", SIZES, ids=[f"{type(m).__name__}.{n}" for m, n, *_ in SIZES])  # fmt: skip
def test_default_ranges_follow_the_number_of_rows(
    member: Any, name: str, few: Any, not_few: Any, many: Any, not_many: Any
) -> None:
    for rows, inside, (above, below) in ((500, few, not_few), (500_000, many, not_many)):
        space: Any = default_space(member, rows)[name]
        assert all(space.low <= value <= space.high for value in inside), (rows, str(space))
        assert (above is None or space.high < above) and (below is None or space.low > below), (rows, str(space))
    ranges = [default_space(member, rows)[name] for rows in (1, 500, 5000, 50_000, 500_000, 10**9)]
    assert ranges[0] == ranges[1] and ranges[-2] == ranges[-1]  # beyond the ends nothing changes any more
    for ends in ([r.low for r in ranges], [r.high for r in ranges]):  # type: ignore[attr-defined]
        assert ends in (sorted(ends), sorted(ends, reverse=True))


def test_ranges_follow_rows_where_a_leaf_could_not_be_that_large() -> None:
    for rows in (10, 50, 500, 5000, 500_000):
        space: Any = default_space(Boost(), rows)["min_leaf"]
        assert space.low < space.high and space.high <= max(30, rows / 10)


def test_trees_are_searched_where_nothing_else_stops_them() -> None:
    assert "trees" not in default_space(Boost()) and "trees" in default_space(Boost(patience=None))
    assert "member.trees" in default_space(Seeds(member=Boost(patience=None)))


def test_a_search_takes_the_ranges_of_its_rows(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr("kit.tune.tuning.knobs_of", lambda recipe, member, rows: seen.append(rows) or ([], []))
    with pytest.raises(KitError, match="storage=mysql"):
        tune(bench.run(tmp_path), Tuning(member="bowl", storage="mysql://a/b"))
    monkeypatch.setattr("kit.tune.tuning.address", lambda *given: "")
    with pytest.raises(KitError, match="fold 9 does not exist"):
        tune(bench.run(tmp_path), Tuning(member="bowl", folds=(9,)))
    assert seen == [60]


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
    with pytest.raises(KitError, match="^'bowl@3' is not a field of Bowls, so settings cannot change it$"):
        knobs_of(recipe, "bowl@3")


PAGE = (ROOT / "docs/tuning.md").read_text(encoding="utf-8")
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
    words, root = shlex.split(line), ROOT
    done = subprocess.run(
        ["make", "-n", "-o", ".venv/ready", *words[1:]], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and f"-m kit {words[1]} " in done.stdout, done.stderr
    for word in words[2:]:
        assert word in done.stdout, word
