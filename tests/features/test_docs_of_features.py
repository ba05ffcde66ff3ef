"""Every setting of features in docs/tables.md is understood, and every class of features for tables is named there."""

import re

import pytest

from kit import Boost, Recipe, Selected, Task, choice, roc_auc
from kit.core.spec import choices
from kit.features.base import Features
from kit.features.target_encoding import TargetEncoding
from kit.members.selection.selection import Selection
from tests.helpers.house import ROOT

PAGE = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8").split("## Features")[1]
BASES = ("Features", "Learnt")  # no features of their own
SETTINGS = re.findall(r"`((?:boost|selected)\.[\w.]+=[^`]*)`", PAGE)


class Mine(Recipe):
    task = Task(name="mine", kind="binary", targets="sold", metric=roc_auc)
    boost = Boost()
    selected = Selected()


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_is_understood(setting: str) -> None:
    name, _, value = setting.partition("=")
    changed = Mine().override(setting)
    assert changed != Mine()
    assert value.split("(")[0] in str(changed.members[name.split(".")[0]].to_dict()), name


def test_every_class_has_a_line() -> None:
    assert len(SETTINGS) >= 15
    import kit.members.selection.adversarial
    import kit.members.selection.stepwise  # noqa: F401

    ways = [
        name for name, cls in choices(Selection).items() if cls.__module__.startswith("kit.") and name != "Selection"
    ]
    assert len(ways) == 4
    described = re.findall(r"^\| `(\w+)` \| `\w+\.features=", PAGE, re.MULTILINE)
    of_tables = {
        name
        for name, cls in choices(Features).items()
        if re.fullmatch(r"kit\.features\.\w+", cls.__module__) and name not in (*BASES, "PictureStatistics")
    }
    assert of_tables and of_tables <= {*described}
    for name in ways:
        assert f"| `{name}` |" in PAGE


def test_features_can_be_searched() -> None:
    space = choice(TargetEncoding(), TargetEncoding(smooth=50))
    for text in space.values:
        assert Mine().override(f"boost.features={text}").members["boost"].features[0].smooth in ("auto", 50)
