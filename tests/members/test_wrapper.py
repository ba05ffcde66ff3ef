"""Wrapper: what a member made of a member says of itself."""

from pathlib import Path

import numpy as np
import pytest

from kit.member import Predictor
from kit.members import Boost, Linear, Seeds, Views
from kit.members.wrapper import Wrapper
from kit.rows import Rows
from kit.testing import check_member, sample_rows
from tests.helpers.draw import NUMBERS, Draw


class Twice(Wrapper):
    """A wrapper of one's own: `learn` is all it takes."""

    def learn(self, train: Rows, valid: Rows, work: Path) -> Predictor:
        return self.member.learn(train, valid, work)


@pytest.mark.parametrize("wrapper", [Twice, Seeds, Views])
@pytest.mark.parametrize("member", [Draw(), Draw(late=1.0), Linear(), Boost()])
def test_it_says_what_the_member_says(wrapper: type[Wrapper], member: Draw) -> None:
    wrapped, twice = wrapper(member=member), wrapper(member=wrapper(member=member))
    for name in ("early_stops_on_valid", "uses_metric", "is_random", "prepares"):
        assert getattr(wrapped, name) == getattr(twice, name) == getattr(member, name), name


def test_it_prepares_the_member() -> None:
    rows = sample_rows(NUMBERS)
    Twice(member=Draw()).prepare(rows)
    assert rows.source.once("drawn", lambda frame: pytest.fail("it was not prepared"))["n"] == 60


def test_one_of_ones_own_keeps_the_contract(tmp_path: Path) -> None:
    check_member(Twice(member=Boost(trees=5, min_leaf=3)), sample_rows(NUMBERS), tmp_path)
    rows = sample_rows(NUMBERS)
    alone, wrapped = (
        member.learn(rows.take(np.arange(40)), rows.take(np.arange(40, 60)), tmp_path).predict(rows)
        for member in (Boost(trees=5), Twice(member=Boost(trees=5)))
    )
    np.testing.assert_array_equal(alone, wrapped)
