"""Every setting of features in docs/tables.md is understood, and every class of features for tables is named there."""

import re

import pytest

from kit import Boost, Recipe, Task, choice, roc_auc
from kit.features.target_encoding import TargetEncoding
from tests.features.test_all_features import CASES
from tests.helpers.house import ROOT

PAGE = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8").split("## Features")[1]
SETTINGS = re.findall(r"`((?:boost|chosen)\.[\w.]+=[^`]*)`", PAGE)


class Mine(Recipe):
    task = Task(name="mine", kind="binary", targets="sold", metric=roc_auc)
    boost = Boost()


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_is_understood(setting: str) -> None:
    name, _, value = setting.partition("=")
    changed = Mine().override(setting)
    assert changed != Mine()
    assert value.split("(")[0] in str(changed.members["boost"].to_dict()), name


def test_every_class_has_a_line() -> None:
    assert len(SETTINGS) >= 11
    for case in CASES:
        assert f"| `{type(case).__name__}` |" in PAGE


def test_features_can_be_searched() -> None:
    space = choice(TargetEncoding(), TargetEncoding(smooth=50))
    for text in space.values:
        assert Mine().override(f"boost.features={text}").members["boost"].features[0].smooth in ("auto", 50)
