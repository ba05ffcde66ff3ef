"""Spec: overriding, casting, refusing, identity."""

import json
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.ensemble import Blend, Greedy, Mean, RankMean
from kit.metrics import f1
from kit.task import Task


class Stage(Spec):
    lr: float = Field(1e-3, gt=0, lt=1, description="rate")
    epochs: int = Field(1, ge=1, le=99)
    clip: float | None = Field(1.0, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)


class Net(Spec):
    stage: Stage = Stage()
    pool: Literal["cls", "mean"] = "mean"
    name: str = "net"
    layers: tuple[int, ...] = ()
    words: tuple[str, ...] = ()


class Tall(Net):
    height: int = 3


class Trees(Spec):
    version = 3
    lr: float = Field(1, gt=0)  # an int on purpose: defaults are cast too
    bagging: bool = False
    depth: int | None = None
    share: int | float = 1


class Pair(Spec):
    net: Net = Net()
    trees: Trees = Trees()
    side: Stage | None = Stage()
    blend: Blend = Greedy()


class Choosing(Spec):
    net: Net = Net()
    blend: Blend = Greedy()
    other: Stage | None = None
    more: tuple[Stage, ...] = ()


def refused(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(KitError) as error:
        call(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


# ---- overriding --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, read",
    [
        ("net.stage.epochs", lambda s: s.net.stage.epochs),  # exact
        ("trees.depth", lambda s: s.trees.depth),
        ("depth", lambda s: s.trees.depth),  # tail
        ("net.epochs", lambda s: s.net.stage.epochs),  # abbreviation
    ],
)
def test_a_name_may_be_exact_a_tail_or_an_abbreviation(name: str, read: Any) -> None:
    spec = Pair(side=None)
    changed = spec.override(f"{name}=7")
    assert read(changed) == 7 and read(spec) != 7
    assert list(spec.diff(changed).values()) == [(read(spec), 7)]  # and nothing else


def test_an_exact_name_wins_over_a_tail() -> None:
    class Outer(Spec):
        lr: float = 0.5
        stage: Stage = Stage()

    assert Outer().override("lr=0.25") == Outer(lr=0.25)
    assert Outer().override("stage.lr=0.25") == Outer(stage=Stage(lr=0.25))


def test_later_settings_win() -> None:
    assert Net().override("epochs=2", "epochs=5").stage.epochs == 5


def test_names_that_do_not_say_what_is_meant() -> None:
    assert refused(Pair().override, "net.stage.epoch=2") == (
        "unknown setting 'net.stage.epoch'; did you mean 'net.stage.epochs'?"
    )
    assert refused(Pair().override, "epoch=2").startswith("unknown setting 'epoch'; did you mean '")
    assert refused(Pair().override, "lr=0.1") == "setting 'lr' is ambiguous: net.stage.lr, trees.lr, side.lr"
    assert refused(Pair().override, "lr") == "setting 'lr' is not of the form name=value"
    assert refused(Stage().override, "qqqqqq=1") == "unknown setting 'qqqqqq'; there are: lr, epochs, clip, betas"
    assert refused(Pair().override, "stage.net.lr=0.1").startswith("unknown setting")  # parts in another order


def test_an_optional_nested_spec_is_left_out_by_none() -> None:
    assert Pair().override("side=none").side is None
    assert Pair().override("side=none", "side=none").side is None
    assert refused(Pair().override, "side=3").startswith("Pair.side = 3: input should be a valid dictionary")


@pytest.mark.parametrize(
    "setting, name, value",
    [
        ("net=Tall", "net", Tall()), ("net=tall(height=5)", "net", Tall(height=5)),
        ("net=Tall(stage=Stage(lr=1e-2, betas=(0.8, 0.9)),pool=cls,words=('a','b'))", "net",
         Tall(stage=Stage(lr=0.01, betas=(0.8, 0.9)), pool="cls", words=("a", "b"))),
        ("blend=Mean", "blend", Mean()), ("blend=Greedy(rounds=7)", "blend", Greedy(rounds=7)),
        ("more=Stage(lr=0.1)", "more", (Stage(lr=0.1),)), ("more=Stage(),Stage(clip=none)", "more",
         (Stage(), Stage(clip=None))), ("more=()", "more", ()), ("other=Stage(epochs=2)", "other", Stage(epochs=2)),
        ("other=none", "other", None),
    ],
)  # fmt: skip
def test_a_nested_spec_is_chosen_by_name(setting: str, name: str, value: Any) -> None:
    assert getattr(Choosing().override(setting), name) == value


def test_a_spec_that_cannot_be_chosen() -> None:
    assert refused(Choosing().override, "blend=Gredy") == "no Blend is called 'Gredy'; did you mean 'Greedy'?"
    wrong = "Stage.lr = -0.5: input should be greater than 0"
    assert refused(Choosing().override, "net=Net(stage=Stage(lr=-0.5))") == wrong
    assert refused(Choosing().override, "blend=Blend").startswith("no Blend is called 'Blend'; ")  # abstract
    assert refused(Choosing().override, "net=Tall(3)") == "'Tall(3)': settings of Tall are given as knob=value"
    assert refused(Choosing().override, "net=Tall(") == "'Tall(' is not of the form Net(knob=value)"
    assert refused(Choosing().override, "net=Tall(hight=3)") == "Tall has no setting 'hight'; did you mean 'height'?"


@pytest.mark.parametrize(
    "setting, value",
    [
        ("net.stage.lr=5e-5", 5e-5), ("net.stage.epochs=3", 3), ("net.stage.clip=none", None),
        ("net.stage.clip=None", None), ("net.stage.clip=2", 2.0), ("net.stage.betas=0.8,0.9", (0.8, 0.9)),
        ("net.stage.betas=[0.8, 0.9]", (0.8, 0.9)), ("trees.bagging=true", True), ("trees.bagging=False", False),
        ("trees.bagging=1", True), ("trees.depth=none", None), ("trees.share=2", 2), ("trees.share=0.5", 0.5),
        ("net.pool=cls", "cls"), ("net.name=1e3", "1e3"), ("net.name=007", "007"), ("net.name=3", "3"),
        ("net.name=true", "true"), ("net.name=none", "none"), ("net.name=a=b", "a=b"), ("net.name=a,b", "a,b"),
        ("net.name=", ""), ("net.layers=1,2,3", (1, 2, 3)), ("net.layers=4", (4,)), ("net.layers=4,", (4,)),
        ("net.words=a", ("a",)), ("net.words=1,002", ("1", "002")), ("net.words=a, b", ("a", "b")),
    ],
)  # fmt: skip
def test_values_are_cast_by_the_fields_own_type(setting: str, value: Any) -> None:
    changed = Pair().override(setting)
    for part in setting.partition("=")[0].split("."):
        changed = getattr(changed, part)
    assert changed == value and type(changed) is type(value)


@pytest.mark.parametrize(
    "setting, sentence",
    [
        ("epochs=0", "Stage.epochs = 0: input should be greater than or equal to 1"),
        ("epochs=100", "Stage.epochs = 100: input should be less than or equal to 99"),
        ("epochs=1.5", "Stage.epochs = 1.5: input should be a valid integer, got a number with a fractional part"),
        ("lr=0", "Stage.lr = 0: input should be greater than 0"),
        ("lr=1", "Stage.lr = 1: input should be less than 1"),
        ("lr=nan", "Stage.lr = 'nan': input should be"),
        ("lr=NaN", "Stage.lr = nan: input should be"),
        ("lr=none", "Stage.lr = None: input should be a valid number"),
        ("lr=fast", "Stage.lr = 'fast': input should be a valid number, unable to parse string as a number"),
        ("betas=0.9", "Stage.betas = 0.9: input should be a valid tuple"),
    ],
)
def test_a_value_that_its_field_refuses(setting: str, sentence: str) -> None:
    assert refused(Stage().override, setting).startswith(sentence)


def test_other_refusals() -> None:
    assert refused(Stage, epoch=1) == "Stage has no setting 'epoch'; did you mean 'epochs'?"
    assert refused(Net().override, "pool=max") == "Net.pool = 'max': input should be 'cls' or 'mean'"
    assert refused(Trees().override, "bagging=perhaps").startswith(
        "Trees.bagging = 'perhaps': input should be a valid bool"
    )
    sentence = refused(Task, name="t", kind="binary", targets=("a", "b"), metric=f1)
    assert sentence == "Task: a binary task has one target, not 2: a, b"
    assert (
        refused(Task, name="t", kind="binary", targets=("a",), metric="f11")
        == "unknown metric 'f11'; did you mean 'f1'?"
    )


# ---- identity ----------------------------------------------------------------------------------


def test_frozen_hashed_compared() -> None:
    spec = Pair()
    with pytest.raises(Exception, match="frozen"):
        spec.net = Net()  # type: ignore[misc]
    assert spec == Pair() and hash(spec) == hash(Pair()) and len({spec, Pair()}) == 1
    assert spec != spec.override("net.lr=0.5")
    assert Net(name="a") != Tall(name="a")


def test_diff() -> None:
    spec = Pair()
    assert spec.diff(Pair()) == {}
    assert spec.diff(spec.override("net.lr=0.5", "depth=4")) == {"net.stage.lr": (1e-3, 0.5), "trees.depth": (None, 4)}
    assert Pair(blend=Mean()).diff(Pair(blend=RankMean())) == {"blend": ("Mean", "RankMean")}
    assert spec.diff(Pair(net=Tall()))["net.height"] == (None, 3)


def test_round_trip_through_json_keeps_subclasses() -> None:
    spec = Pair(net=Tall(height=9, layers=(1, 2)), side=None, blend=RankMean())
    again = Spec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec and type(again.net) is Tall and type(again.blend) is RankMean  # type: ignore[attr-defined]
    assert again.fingerprint() == spec.fingerprint()
    task = Task(name="t", kind="multiclass", targets=("a",), classes=(0, "x", 2.5), metric=f1.at(0.25))
    assert Spec.from_dict(json.loads(json.dumps(task.to_dict()))) == task


@settings(max_examples=60, deadline=None)
@given(
    lr=st.floats(1e-9, 0.999), clip=st.none() | st.floats(1e-3, 1e9), name=st.text(max_size=20),
    layers=st.lists(st.integers(-5, 10**12), max_size=4), share=st.integers(0, 9) | st.floats(0, 1),
)  # fmt: skip
def test_any_settings_round_trip(lr: float, clip: float | None, name: str, layers: list[int], share: float) -> None:
    spec = Pair(net=Tall(stage=Stage(lr=lr, clip=clip), name=name, layers=tuple(layers)), trees=Trees(share=share))
    again = Spec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec and again.to_dict() == spec.to_dict() and hash(again) == hash(spec)
    assert Pair(net=Tall()).override(f"net.lr={lr!r}").net.stage.lr == lr


def test_what_is_no_spec_is_not_loaded() -> None:
    for lost in ("pathlib:Path", "os:system", "no.such.place:X", ""):
        sentence, _, _ = refused(Spec.from_dict, {"class": lost}).partition(";")  # other tests' classes may be near
        assert sentence == f"neither kit nor this recipe has a Spec called '{lost}'"
    assert refused(Trees.from_dict, {"class": "Stage"}) == "neither kit nor this recipe has a Trees called 'Stage'"
    assert refused(Spec.from_dict, {"class": "Treees"}) == (
        "neither kit nor this recipe has a Spec called 'Treees'; did you mean 'Trees'?"
    )
    for plain in ({"lr": 1}, {"class": None}, {"class": ["Stage"]}, [], None, "Stage"):
        assert (
            refused(Stage.from_dict, plain)
            == "these are not saved settings of a Stage: they must be a dict with the key 'class'"
        )
    assert refused(Stage.from_dict, Stage().to_dict() | {"lr": -1}).startswith(
        "Stage.lr = -1: input should be greater than 0"
    )
    assert refused(Stage.from_dict, Stage().to_dict() | {"lrr": 1}) == "Stage has no setting 'lrr'; did you mean 'lr'?"


def test_fingerprint_changes_with_every_setting_class_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Pair()
    changes = ["net.lr=0.5", "net.epochs=2", "net.clip=none", "net.betas=0.9,0.99", "pool=cls", "name=x", "layers=1",
               "words=1", "trees.lr=0.1", "bagging=true", "depth=1", "share=1.5", "side.lr=0.5", "side=none", "rounds=3"]  # fmt: skip
    prints = [spec.fingerprint(), *(spec.override(c).fingerprint() for c in changes)]
    prints += [Pair(net=Tall()).fingerprint(), Pair(blend=Mean()).fingerprint(), spec.net.fingerprint()]
    monkeypatch.setattr(Trees, "version", 4)
    prints.append(spec.fingerprint())
    assert len(set(prints)) == len(prints) and all(len(p) == 64 for p in prints)


def test_a_default_is_cast_like_a_given_value() -> None:
    assert type(Trees().lr) is float
    assert Trees().fingerprint() == Trees(lr=1.0).fingerprint() == Trees().override("lr=1").fingerprint()


def test_fingerprint_is_the_same_in_every_process(python: Any) -> None:
    script = "from kit.members import Encoder, Linear; print(Encoder().fingerprint(), Linear().fingerprint())"
    assert len({python(script, PYTHONHASHSEED=seed) for seed in ("1", "2")}) == 1


def test_options() -> None:
    found = {o.name: o for o in Pair().options()}
    assert list(found)[:4] == ["net", "net.stage.lr", "net.stage.epochs", "net.stage.clip"]  # net may be Tall
    assert found["net"] == ("net", "Net | Tall", "Net", "", "") and found["side"].type == "Stage | none"
    assert "net.stage" not in found  # one class only: no choice
    assert found["net.stage.lr"] == ("net.stage.lr", "float", 1e-3, "> 0, < 1", "rate")
    assert found["net.stage.epochs"].range == "≥ 1, ≤ 99" and found["trees.depth"].type == "int | None"


def test_a_suggestion_is_as_short_as_what_was_typed() -> None:
    from competitions.toxic.recipe import Toxic

    assert (
        refused(Toxic().override, "minilm.epoch=2") == "unknown setting 'minilm.epoch'; did you mean 'minilm.epochs'?"
    )
    assert refused(Toxic().override, "minilm.stage.epoch=2").endswith("did you mean 'minilm.stage.epochs'?")
    assert refused(Toxic().override, "boost.num_leafs=9").endswith("did you mean 'boost.num_leaves'?")
    for name in ("minilm.epochs", "boost.num_leaves"):  # what is suggested is understood
        assert Toxic().full_name(name).startswith(name.partition(".")[0])
    sentence = refused(Pair().override, "epoch=2")
    suggested = sentence.partition("mean '")[2].removesuffix("'?")
    assert suggested != "epochs"  # ambiguous here
    assert Pair().override(f"{suggested}=7") != Pair()
