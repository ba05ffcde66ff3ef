"""Members made of members: what they fit, what they say, and how they go on after a kill."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from kit.data import Rows, Task
from kit.files import read_json, write_json
from kit.member import Member, Predictor
from kit.members import NBSVM, Boost, Concat, Encoder, Linear, Perceptron, Seeds, TextNet, Views
from kit.members.nets import DPCNN
from kit.members.wrap import SeedsPredictor, reseeded, reseeding
from kit.metrics import mean_roc_auc, roc_auc
from kit.recipe import Recipe
from kit.spec import KitError, Spec
from kit.testing import check_member, sample_rows
from kit.text import Tfidf
from kit.train import Stage
from kit.tta import Windows

NUMBERS = Task(name="n", kind="binary", targets=("y",), metric=roc_auc)
TEXTS = Task(name="m", kind="multilabel", targets=("a", "b"), text=("t",), metric=mean_roc_auc)
fits: list[int] = []  # seeds, in the order of the fits


class Draw(Member):
    """Says one random number, drawn by its seed, of every row."""

    dies: int | None = Field(None, description="seed at which its first fit in a folder is killed")
    late: float = Field(0.0, description="changes no number")

    @property
    def peeks(self) -> bool:
        return self.late > 0

    def identity(self) -> dict[str, Any]:
        return {k: v for k, v in self.dump().items() if k != "late"}

    def prepare(self, rows: Rows) -> None:
        rows.source.once("drawn", lambda frame: {"n": np.array(len(frame))})

    def fit(self, train: Rows, valid: Rows, work: Path) -> "Said":
        fits.append(self.seed)
        begun = (work / "last.pt").exists()
        (work / "last.pt").touch()
        if self.seed == self.dies and not begun:
            raise KeyboardInterrupt
        return Said(float(np.random.default_rng(self.seed).random()))


class Said(Predictor):
    def __init__(self, number: float) -> None:
        self.number = number

    def predict(self, rows: Rows) -> np.ndarray:
        return np.full((len(rows), rows.task.outputs), self.number)

    def save(self, folder: Path) -> None:
        write_json(folder / "number.json", self.number)

    @classmethod
    def load(cls, folder: Path) -> "Said":
        return cls(read_json(folder / "number.json"))


def drawn(*seeds: int) -> float:
    return float(np.mean([np.random.default_rng(seed).random() for seed in seeds]))


def fitted(member: Member, work: Path, task: Task = NUMBERS) -> tuple[Predictor, np.ndarray]:
    rows = sample_rows(task)
    work.mkdir(exist_ok=True)
    predictor = member.fit(rows.take(np.arange(40)), rows.take(np.arange(40, 60)), work)
    return predictor, predictor.predict(rows.take(np.arange(40, 60)))


@pytest.fixture(autouse=True)
def nothing_fitted() -> None:
    fits.clear()


# ---- what is fitted ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed, n, seeds", [(0, 1, [5]), (0, 3, [5, 6, 7]), (1, 3, [8, 9, 10]), (2, 1, [7])])
def test_it_is_the_mean_of_seeds_in_a_row(seed: int, n: int, seeds: list[int], tmp_path: Path) -> None:
    _, p = fitted(Seeds(member=Draw(seed=5), n=n, seed=seed), tmp_path)
    assert seeds == fits
    np.testing.assert_array_equal(p, np.full((20, 1), drawn(*seeds)))


def test_a_single_part_is_the_member_itself(tmp_path: Path) -> None:
    for i, member in enumerate((Boost(trees=5, min_leaf=3, seed=4), Linear(word=Tfidf(min_df=1), char=None))):
        _, alone = fitted(member, tmp_path / f"alone{i}", TEXTS)
        _, wrapped = fitted(Seeds(member=member, n=1), tmp_path / f"wrapped{i}", TEXTS)
        np.testing.assert_array_equal(alone, wrapped)


def test_parts_of_trees_differ_and_their_mean_is_told(tmp_path: Path) -> None:
    parts = [fitted(Boost(trees=5, min_leaf=3, seed=i), tmp_path / f"{i}")[1] for i in range(3)]
    _, p = fitted(Seeds(member=Boost(trees=5, min_leaf=3)), tmp_path / "seeds")
    assert not np.array_equal(parts[0], parts[1])
    np.testing.assert_allclose(p, sum(parts) / 3, rtol=1e-12)


def test_wrapped_members_of_members_get_other_seeds_too(tmp_path: Path) -> None:
    nested = Seeds(member=Seeds(member=Draw(dies=None), n=2), n=3)
    assert reseeded(nested.member, 4) == Seeds(member=Draw(seed=4), n=2, seed=4)
    _, p = fitted(nested, tmp_path)
    assert len(fits) == len(set(fits)) == 6
    np.testing.assert_allclose(p, drawn(*fits))


def test_members_in_a_tuple_get_other_seeds_too() -> None:
    joined = Concat(a=TextNet(seed=1), b=Perceptron(), more=(TextNet(seed=2), Concat(more=(Perceptron(),))))
    found = reseeded(joined, 5)
    assert isinstance(found, Concat) and isinstance(found.more[1], Concat)
    assert (found.seed, *(part.seed for part in found.parts)) == (5, 6, 5, 7, 5)
    assert [part.seed for part in found.more[1].parts] == [5, 5, 5]
    assert reseeded(found.override("more=()"), 0).override("seed=0") == joined.override(
        "more=()", "a.seed=6", "b.seed=5"
    )


class Many(Recipe):
    task = TEXTS
    plain: Encoder = Encoder(seed=3)
    views: Views = Views(member=Concat(a=TextNet(seed=1), b=Perceptron()), views=(Windows(count=2),))
    joined: Concat = Concat(
        a=TextNet(seed=1), b=Perceptron(), start="fitted",
        more=(TextNet(seed=2, net=DPCNN(), stage=Stage(lr=1e-3, epochs=2)), Concat(more=(Perceptron(hidden=(8, 4)),))),
    )  # fmt: skip
    seeds: Seeds = Seeds(member=Draw(), n=2)
    around: Views = Views(member=Seeds(member=Draw(), n=2, seed=1))
    linear: Linear = Linear()
    seen: Views = Views(member=Linear())
    edited: Views = Views(member=Linear(), views=(Windows(count=2),))


def test_settings_reach_the_seeds_of_all_members_inside() -> None:
    recipe = Many()

    def after(name: str) -> Member:
        return recipe.override(*reseeding(name, recipe.members[name], 5)).members[name]

    assert reseeding("plain", recipe.plain, 5) == ["plain.seed=8"] and reseeding("plain", recipe.plain, 0) == []
    for name in ("plain", "views", "joined"):
        assert after(name) == reseeded(recipe.members[name], 5) != recipe.members[name]
    # Seeds reckons the seeds of its parts: told once, it shares no part with itself before
    assert after("seeds") == Seeds(member=Draw(), n=2, seed=5)
    assert after("around") == Views(seed=5, member=Seeds(member=Draw(), n=2, seed=6))
    # what nothing is drawn in has no other seed, unless its views are drawn
    assert reseeding("linear", recipe.linear, 5) == reseeding("seen", recipe.seen, 5) == []
    assert reseeding("edited", recipe.edited, 5) == ["edited.seed=5", "edited.member.seed=5"]


@pytest.mark.parametrize("member", [Linear(word=Tfidf(min_df=1), char=None), NBSVM(word=Tfidf(min_df=1))])
def test_members_without_chance_are_the_same_under_any_seed(member: Member, tmp_path: Path) -> None:
    assert not member.chance and not Seeds(member=member).chance and Draw().chance
    _, p = fitted(member, tmp_path / "0", TEXTS)
    _, other = fitted(member.override("seed=7"), tmp_path / "7", TEXTS)
    np.testing.assert_array_equal(p, other)


def test_what_the_member_says_of_itself_is_said() -> None:
    rows = sample_rows(NUMBERS)
    Seeds(member=Draw()).prepare(rows)
    assert rows.source.once("drawn", lambda frame: pytest.fail("it was not prepared"))["n"] == 60
    assert not Seeds(member=Draw()).peeks and Seeds(member=Draw(late=1)).peeks
    assert Seeds(member=Draw(late=1)).identity() == Seeds(member=Draw(late=2)).identity()
    keys = [Seeds(member=m, n=n).identity() for m, n in ((Draw(), 3), (Draw(), 2), (Draw(seed=1), 3))]
    assert keys[0] not in keys[1:]


@pytest.mark.parametrize("member", [Draw(), Linear(word=Tfidf(min_df=1), char=None), Seeds(member=Draw(), n=2)])
def test_it_keeps_the_contract(member: Member, tmp_path: Path) -> None:
    check_member(Seeds(member=member, n=2), sample_rows(TEXTS), tmp_path)


# ---- settings ----------------------------------------------------------------------------------


class Wrapped(Recipe):
    task = TEXTS
    presets = {"one": ["minilm.n=1"]}
    minilm: Member = Seeds(member=Encoder(stage=Stage(epochs=2)), n=3)


def test_a_recipe_names_it_and_its_settings_are_overridden() -> None:
    recipe = Wrapped().override("minilm.n=2", "minilm.member.stage.lr=2e-4", "minilm.stage.epochs=1", "minilm.seed=7")
    assert recipe.minilm == Seeds(member=Encoder(stage=Stage(epochs=1, lr=2e-4)), n=2, seed=7)
    assert recipe.members == {"minilm": recipe.minilm} and Spec.revive(recipe.dump()) == recipe
    assert Wrapped().override(*Wrapped().spelled("one", seed=4)).minilm == Wrapped().minilm.override("n=1", "seed=4")
    other = Wrapped().override("minilm.member=Boost(trees=7)").minilm
    assert other == Seeds(member=Boost(trees=7))
    with pytest.raises(KitError, match="Seeds.n = 0: input should be greater than or equal to 1"):
        Wrapped().override("minilm.n=0")
    assert "minilm.member.stage.lr" in [option.name for option in Wrapped().options()]


# ---- saved, killed, gone on --------------------------------------------------------------------


def test_it_is_saved_part_by_part(tmp_path: Path) -> None:
    predictor, p = fitted(Seeds(member=Draw(), n=2), tmp_path / "work")
    (tmp_path / "saved").mkdir()
    predictor.save(tmp_path / "saved")
    assert sorted(f.name for f in (tmp_path / "saved").iterdir()) == ["part0", "part1", "parts.json"]
    loaded = SeedsPredictor.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.predict(sample_rows(NUMBERS).take(np.arange(20))), p)
    for name, sentence in {
        "kit.nowhere:It": "there is no class 'kit.nowhere:It'",
        "os:getcwd": "'os:getcwd' is not a Pre",
    }.items():
        write_json(tmp_path / "saved" / "parts.json", [name])
        with pytest.raises(KitError, match=sentence):
            SeedsPredictor.load(tmp_path / "saved")


def test_a_killed_fit_fits_no_finished_part_again(tmp_path: Path) -> None:
    member = Seeds(member=Draw(dies=1), n=3)
    with pytest.raises(KeyboardInterrupt):
        fitted(member, tmp_path)
    assert fits == [0, 1]
    (tmp_path / "done1.part").mkdir()  # killed while the part was written
    (tmp_path / "done1.part" / "half").touch()
    _, p = fitted(member, tmp_path)
    assert fits == [0, 1, 1, 2]
    np.testing.assert_array_equal(p, np.full((20, 1), drawn(0, 1, 2)))
    assert not list(tmp_path.rglob("last.pt")) and not list(tmp_path.glob("*.part"))
    _, again = fitted(member, tmp_path)  # killed later, when all are finished
    assert len(fits) == 4 and np.array_equal(p, again)


def test_a_killed_part_of_a_part_goes_on_and_leaves_nothing_behind(tmp_path: Path) -> None:
    member = Seeds(member=Seeds(member=Draw(dies=4), n=2), n=2)
    with pytest.raises(KeyboardInterrupt):
        fitted(member, tmp_path / "work")
    assert fits == [0, 1, 3, 4]
    _, p = fitted(member, tmp_path / "work")
    assert fits == [0, 1, 3, 4, 4]
    np.testing.assert_array_equal(p, np.full((20, 1), np.mean([drawn(0, 1), drawn(3, 4)])))
    assert sorted(f.name for f in (tmp_path / "work" / "part1").iterdir()) == ["part0", "part1"]


def test_an_encoder_killed_within_its_second_part_ends_in_the_same_numbers(tmp_path: Path) -> None:
    import torch
    from test_kill_resume import tiny_bert

    tiny_bert(tmp_path / "bert")
    stage = Stage(epochs=2, lr=1e-3, precision="fp32")
    member = Seeds(
        member=Encoder(weights=str(tmp_path / "bert"), length=8, batch_rows=8, stage=stage, save_every=0), n=2
    )
    _, whole = fitted(member, tmp_path / "whole", TEXTS)
    real, steps = torch.optim.AdamW.step, []

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        steps.append(1)
        if len(steps) == 14:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch.optim.AdamW, "step", step)
        fitted(member, tmp_path / "killed", TEXTS)
    assert (tmp_path / "killed/done0").exists() and (tmp_path / "killed/part1/last.pt").exists()
    np.testing.assert_array_equal(fitted(member, tmp_path / "killed", TEXTS)[1], whole)
