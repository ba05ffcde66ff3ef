"""The report draws what a body learnt before the task: one line where all folds share it, and the held-out loss."""

from pathlib import Path
from typing import Any

from kit.report.plots import Figures
from kit.report.sections.training import curves


def log_of(loss: float, held: float) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = [{"stage": 0, "step": i, "steps": 3, "loss": loss / i, "lr": 0.1} for i in (1, 2, 3)]
    return [*lines, {"stage": 0, "step": 3, "steps": 3, "score": -held}]


def test_each_step_has_a_picture_and_the_task_its_own(tmp_path: Path) -> None:
    shared, own = log_of(3.0, 2.125), [log_of(2.0, 1.5), log_of(1.0, 0.5)]
    found = {}
    for fold in (0, 1):
        found[f"fold {fold}"] = log_of(0.7, 0.25 + fold)
        found[f"fold {fold} pretrain1-MaskedLM"] = shared
        found[f"fold {fold} pretrain2-SimCSE"] = own[fold]
    drawn = curves("net", found, "roc_auc", Figures(tmp_path, ["net"], debug=True))
    assert len(drawn) == 4
    first, second, third, _ = drawn
    assert "Loss of MaskedLM of net by step" in first and "after each epoch: 2.125." in first
    assert "Loss of SimCSE of net by step" in second and "after each epoch: 1.500." in second
    assert "Training loss of net by step" in third and "pretrain" not in third
    assert {path.stem for path in tmp_path.rglob("*.png")} == {
        "pretraining-net-1", "pretraining-net-2", "training-net", "training-net-score"
    }  # fmt: skip
    only_before = {part: log for part, log in found.items() if "pretrain" in part}
    assert len(curves("net", only_before, "roc_auc", Figures(tmp_path, ["net"], debug=True))) == 2
