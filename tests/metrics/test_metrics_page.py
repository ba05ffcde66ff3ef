"""docs/metrics.md names every metric, and its code does what it says."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit.ensemble import Greedy
from kit.metrics import METRICS, Metric, metric_named, rmse
from kit.metrics.names import FACTORIES
from tests.helpers.house import ROOT


def test_the_page_names_every_metric_and_nothing_else() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    named = re.findall(r"`([^`]+)`", page.partition("| need |")[2].partition("\n\n")[0])
    assert {metric_named(name).name.partition("@")[0] for name in named} >= set(METRICS)
    assert {name.partition("(")[0] for name in named} >= FACTORIES.keys() - {
        "by_group",
        "row_weighted",
        "column_weighted",
    }
    frame = pd.DataFrame({"city": ["a", "b", "a", "b"], "query": [1, 1, 2, 2], "weight": [1, 2, 1, 1]})
    y, p = np.array([1.0, 0, 1, 0]), np.array([0.9, 0.2, 0.3, 0.4])
    known: dict[str, Any] = {"frame": frame, "y": y, "p": p, "mask": y > 0, "Greedy": Greedy}
    known |= {"linear_oof": p, "boost_oof": 1 - p}
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(code, "docs/metrics.md", "exec"), known)
    assert known["metric"](y, p) == pytest.approx((rmse(y[::2], p[::2]) + rmse(y[1::2], p[1::2])) / 2)
    mine = Metric(known["worst_city"], greater_is_better=False, columns=("city",))
    assert mine.on(frame)(y, p) == pytest.approx(0.4)
