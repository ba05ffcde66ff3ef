"""`pretrain=(…)`: learnt once before the folds, under a key of settings and rows, and resumed bit for bit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from kit.core.errors import KitError
from kit.members import Embedding, Encoder
from kit.members.network.fitted import NetworkPredictor
from kit.pretrain import MaskedLM, SimCSE
from kit.pretrain.pretraining import Pretraining
from kit.rows import Rows
from kit.source import Source
from kit.train import LoopStage, Stage
from kit.train.lengths import LengthBatches
from tests.helpers.encoders import one_thread  # noqa: F401
from tests.helpers.languages import toy_rows, weights  # noqa: F401

BRIEF = LoopStage(epochs=2, lr=3e-3, head_lr=3e-3, precision="fp32")
STEPS = (MaskedLM(stage=BRIEF, warm=3, batch_rows=8), SimCSE(stage=BRIEF, batch_rows=8))


def member(folder: Path, *steps: Pretraining, **settings: Any) -> Encoder:
    stage = settings.pop("stage", Stage(epochs=1, lr=1e-3, precision="fp32"))
    return Encoder(weights=str(folder), length=16, batch_rows=8, pretrain=steps, stage=stage, **settings)


@pytest.fixture
def learns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps that were learnt, by name."""
    called: list[str] = []

    def counted(learn: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, *given, **more: (called.append(type(self).__name__), learn(self, *given, **more))[1]

    monkeypatch.setattr(Pretraining, "learn", counted(Pretraining.learn))
    return called


def test_fine_tuning_begins_with_what_was_learnt(weights: Path, tmp_path: Path) -> None:
    rows = toy_rows(60)
    still = Stage(lr=1e-12, head_lr=1e-12, precision="fp32")
    fitted = member(weights, *STEPS, stage=still).learn(rows, rows, tmp_path)
    spec = member(weights, *STEPS)
    found = spec.pretrained(spec.make_dataset(rows), rows)
    last = {name: value for arrays in found for name, value in arrays.items() if name.startswith("body.")}
    own, plain = fitted.net.body.state_dict(), spec.first_body(spec.make_dataset(rows)).state_dict()
    assert len(last) > 20
    for name, value in last.items():
        np.testing.assert_allclose(own[name.removeprefix("body.")], value, atol=1e-6)
        assert not np.array_equal(plain[name.removeprefix("body.")], value)
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    loaded = NetworkPredictor.load(tmp_path / "model")
    assert np.array_equal(loaded.predict(rows), fitted.predict(rows)) and loaded.spec == fitted.spec


def test_learnt_once_for_all_folds_seeds_and_pools_and_found_again(
    weights: Path, tmp_path: Path, learns: list[str]
) -> None:
    rows = toy_rows(60, tmp_path / "cache")
    spec = member(weights, STEPS[0])
    spec.prepare(rows.take(np.arange(0)))
    assert learns == ["MaskedLM"]
    for i, (at, changed) in enumerate([(np.arange(40), {}), (np.arange(20, 60), {"seed": 1, "pool": "max"})]):
        member(weights, STEPS[0], **changed).learn(rows.take(at), rows, tmp_path / str(i))
    toy = toy_rows(60, tmp_path / "cache")  # as another process reads them
    member(weights, STEPS[0], stage=Stage(lr=1e-5)).prepare(toy)
    assert learns == ["MaskedLM"]
    member(weights, *STEPS).prepare(toy)  # a further step goes on from the first
    assert learns == ["MaskedLM", "SimCSE"]
    member(weights, *STEPS, pool="max").prepare(toy)  # contrast depends on the pooling; the language does not
    assert learns == ["MaskedLM", "SimCSE", "SimCSE"]


@pytest.mark.parametrize(
    "change",
    [
        {"share": 0.3},
        {"whole_words": False},
        {"seed": 1},
        {"held": 0.2},
        {"stage": LoopStage(epochs=3)},
        "rows",
        "weights",
    ],
)
def test_other_settings_rows_or_weights_are_learnt_anew(
    change: Any, weights: Path, tmp_path: Path, learns: list[str]
) -> None:
    import shutil

    rows, folder = toy_rows(40, tmp_path / "cache"), tmp_path / "weights"
    shutil.copytree(weights, folder)
    member(folder, STEPS[0]).prepare(rows)
    step = STEPS[0]
    if change == "rows":
        rows = toy_rows(41, tmp_path / "cache")
    elif change == "weights":
        (folder / "tokenizer_config.json").write_text((folder / "tokenizer_config.json").read_text() + "\n")
    else:
        step = step.model_copy(update=change)
    member(folder, step).prepare(rows)
    assert learns == ["MaskedLM"] * 2


def test_all_rows_are_read_and_no_label(weights: Path, tmp_path: Path) -> None:
    """Poisoned labels change nothing; the texts of test and extra rows count, and views of rows do not."""
    rows = toy_rows(40)
    spec = member(weights, *STEPS)
    dataset = spec.make_dataset(rows)
    first = spec.pretrained(dataset, rows)
    for y in (None, np.full((40, 1), 1e9), np.full((40, 1), np.nan)):
        again = spec.pretrained(dataset, replace(toy_rows(40).take(np.arange(3)), y=None if y is None else y[:3]))
        assert all(np.array_equal(a[n], b[n]) for a, b in zip(first, again, strict=True) for n in a if n != "log")
    frame = rows.source.frame
    views = Source(pd.concat([frame, frame[::-1]]), originals=40, original=rows.source)
    seen = spec.pretrained(dataset, Rows(rows.task, views, np.arange(80)))
    assert (
        seen[0]["body.backbone.embeddings.word_embeddings.weight"]
        is first[0]["body.backbone.embeddings.word_embeddings.weight"]
    )


class Killed(Exception):
    pass


@pytest.mark.parametrize("at", [2, 13, 25, 36])
def test_a_killed_pretraining_goes_on_to_the_same_bits(
    at: int, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, left = LengthBatches.__getitem__, [at]
    monkeypatch.setattr("kit.pretrain.pretraining.SAVE_EVERY", 0)
    spec = member(weights, *STEPS)
    whole = spec.pretrained(spec.make_dataset(toy_rows(60)), toy_rows(60, tmp_path / "whole"))

    def failing(self: Any, rows: np.ndarray) -> dict[str, Any]:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return get(self, rows)

    rows, state = toy_rows(60, tmp_path / "killed"), torch.get_rng_state()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(LengthBatches, "__getitem__", failing)
        spec.prepare(rows)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    resumed = spec.pretrained(spec.make_dataset(rows), toy_rows(60, tmp_path / "killed"))
    for ours, theirs in zip(whole, resumed, strict=True):
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours if name != "log")
    assert not list((tmp_path / "killed").rglob("*.work"))


def test_a_member_without_steps_is_the_one_that_it_was(weights: Path) -> None:
    plain = member(weights)
    assert "pretrain" not in plain.identity() and "pretrain" in member(weights, *STEPS).identity()
    assert plain.override("pretrain=MaskedLM(share=0.2),SimCSE").pretrain == (MaskedLM(share=0.2), SimCSE())
    assert plain.prepares == "tokens" and member(weights, *STEPS).prepares == "tokens, MaskedLM, SimCSE"


def test_each_step_leaves_its_log_with_the_fold(weights: Path, tmp_path: Path) -> None:
    rows = toy_rows(40)
    member(weights, *STEPS).learn(rows, rows, tmp_path)
    for name in ("pretrain1-MaskedLM", "pretrain2-SimCSE"):
        text = (tmp_path / name / "log.jsonl").read_text()
        assert '"loss"' in text and '"score"' in text


def test_an_embedding_of_rows_learns_nothing_from_them(weights: Path) -> None:
    with pytest.raises(KitError, match="encoder.pretrain learns from rows, and other rows would be read by another"):
        Embedding(encoder=member(weights, *STEPS))
