"""Other seeds for members and all members inside."""

from kit.member import Member
from kit.members import Concat, Encoder, Linear, Perceptron, Seeds, TextNet, Views
from kit.members.reseeding import reseeded, reseeding
from kit.members.textnet.nets import DPCNN
from kit.recipe import Recipe
from kit.train import Stage
from kit.tta import Windows
from tests.helpers.draw import TEXTS, Draw


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
