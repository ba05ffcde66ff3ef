"""Saved blends: each kind is read back, and one of another version or form is named in one sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.ensemble import (
    Auto,
    Blend,
    Calibrated,
    FittedBlend,
    Geometric,
    Greedy,
    Mean,
    MultiLayerStack,
    PerColumn,
    PriorShift,
    Stack,
)
from kit.metrics import log_loss

rng = np.random.default_rng(0)
Y = (rng.random((80, 1)) < 0.4).astype(float)
BANK = (0.6 * Y + 0.4 * rng.random((2, 80, 1))).clip(0.01, 0.99)
PLAN = np.arange(80) % 4
KINDS: list[Blend] = [
    Greedy(), Geometric(), Stack(), PerColumn(blend=Mean()), Calibrated(blend=Mean()), PriorShift(blend=Mean()),
    MultiLayerStack(), Auto(choices=(Mean(), Greedy())),
]  # fmt: skip


@pytest.mark.parametrize("blend", KINDS, ids=lambda blend: type(blend).__name__)
def test_a_kind_is_read_back_and_one_of_another_form_is_named(blend: Blend, tmp_path: Path) -> None:
    fitted = blend.fit(BANK, Y, log_loss, ("a", "b"), plan=PLAN)
    path = tmp_path / "weights.json"
    fitted.save(path)
    assert np.array_equal(FittedBlend.load(path).predict(BANK), fitted.predict(BANK))
    saved = read_json(path)
    for key in set(saved) - {"kind", "limits"}:
        write_json(path, {other: value for other, value in saved.items() if other != key} | {"older": saved[key]})
        with pytest.raises(
            KitError, match=r"^weights.json: a saved .* of another form .*; if an earlier version of kit"
        ):
            FittedBlend.load(path)


OLD: list[Any] = [  # as an earlier version of kit wrote them
    {"kind": "Weighted", "method": "Greedy", "ranks": False, "weights": [{"member": "a", "weight": 1.0}],
     "thresholds": []},
    {"kind": "Chosen", "blend": {"kind": "Weighted"}, "choice": "Mean", "reason": "", "trials": [], "thresholds": []},
    {"kind": "FittedAuto", "blend": {"kind": "Weighted"}, "choice": "Mean", "reason": "", "choices": [],
     "thresholds": []},
    {"method": "Greedy", "weights": []},
    [["a", 1.0]],
]  # fmt: skip


@pytest.mark.parametrize("saved", OLD, ids=str)
def test_a_blend_of_an_earlier_version_is_named_in_one_sentence(saved: Any, tmp_path: Path) -> None:
    write_json(path := tmp_path / "weights.json", saved)
    cause = "called 'Weighted'|called 'Chosen'|this is not a saved blend: it has no 'kind'"
    with pytest.raises(
        KitError, match=rf"^weights.json: .*({cause}).*; if an earlier version of kit wrote it, blend again$"
    ):
        FittedBlend.load(path)
