"""Members made of members: what they fit, what they say, and how they go on after a kill."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.core.files import write_json
from kit.core.spec import Spec
from kit.member import Member
from kit.members import NBSVM, Boost, Encoder, Linear, Seeds
from kit.members.reseeding import reseeded
from kit.members.seeds import SeedsPredictor
from kit.recipe import Recipe
from kit.testing import check_member, sample_rows
from kit.text import Tfidf
from kit.train import Stage
from tests.helpers.draw import NUMBERS, TEXTS, Draw, drawn, fits, fitted


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


def test_parts_of_trees_differ_and_their_mean_is_predicted(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("member", [Linear(word=Tfidf(min_df=1), char=None), NBSVM(word=Tfidf(min_df=1))])
def test_members_without_random_numbers_are_the_same_with_any_seed(member: Member, tmp_path: Path) -> None:
    assert not member.is_random and not Seeds(member=member).is_random and Draw().is_random
    _, p = fitted(member, tmp_path / "0", TEXTS)
    _, other = fitted(member.override("seed=7"), tmp_path / "7", TEXTS)
    np.testing.assert_array_equal(p, other)


def test_what_the_member_says_of_itself_is_said() -> None:
    rows = sample_rows(NUMBERS)
    Seeds(member=Draw()).prepare(rows)
    assert rows.source.once("drawn", lambda frame: pytest.fail("it was not prepared"))["n"] == 60
    assert not Seeds(member=Draw()).early_stops_on_valid and Seeds(member=Draw(late=1)).early_stops_on_valid
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
    assert recipe.members == {"minilm": recipe.minilm} and Spec.from_dict(recipe.to_dict()) == recipe
    assert Wrapped().override(*Wrapped().overrides("one", seed=4)).minilm == Wrapped().minilm.override("n=1", "seed=4")
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
    for name in ("kit.nowhere:It", "os:getcwd", "Path", "Predictor"):
        write_json(tmp_path / "saved" / "parts.json", [name])
        with pytest.raises(KitError, match=f"neither kit nor this recipe has a Predictor called '{name}'"):
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

    from tests.helpers.house import tiny_bert

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
