"""Augmented rows in training: which, when, the same after a restart, by whatever workers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_encoder_member import bert, one_thread, rows_of, spec_of  # noqa: F401

from kit.augment import Augment
from kit.data import Rows
from kit.members import augmented as module
from kit.members.augmented import AugmentedRows
from kit.spec import KitError
from kit.train.lengths import LengthBatches


class Shout(Augment):
    """Says one more word, another one in each epoch."""

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return f"{text} {rng.choice(['good', 'bad', 'fine', 'the', 'a', 'movie'])}"


def batches_of(bert: Path, rows: Rows, changed: AugmentedRows) -> LengthBatches:
    y = np.arange(len(rows))[:, None] * 1.0
    return LengthBatches(spec_of(bert).reader(rows).inputs(rows), rows.at, y, 128, 8, 0, changed=changed)


def seen(batches: LengthBatches, epoch: int) -> dict[int, list[int]]:
    """Row → its tokens in an epoch."""
    found = {}
    for positions in batches.plan(epoch):
        batch = batches[positions]
        for row, ids, mask in zip(
            batch["y"], batch["inputs"]["input_ids"], batch["inputs"]["attention_mask"], strict=True
        ):
            found[int(row)] = ids[mask > 0].tolist()
    return found


def changed_of(bert: Path, rows: Rows, share: float = 0.5) -> AugmentedRows:
    return AugmentedRows(spec_of(bert).reader(rows), rows, Shout(), share, 0)


def test_a_share_of_the_rows_is_changed_anew_in_each_epoch(bert: Path) -> None:
    rows = rows_of().take(np.arange(40)[::-1])
    with changed_of(bert, rows) as changed:
        batches = batches_of(bert, rows, changed)
        plain = {i: batches.inputs.padded(rows.at[[i]])["input_ids"][0].tolist() for i in range(len(rows))}
        epochs = [seen(batches, epoch) for epoch in (1, 2)]
        which = [changed.chosen(epoch) for epoch in (1, 2)]
    for found, chosen in zip(epochs, which, strict=True):
        assert sorted(found) == list(range(40)) and 8 < chosen.sum() < 32
        for i, tokens in found.items():
            same = tokens == plain[i]
            assert same == (not chosen[i]) and (same or tokens[: len(plain[i]) - 1] == plain[i][:-1])
    both = which[0] & which[1]
    assert (which[0] != which[1]).any() and any(epochs[0][i] != epochs[1][i] for i in np.flatnonzero(both))


@pytest.mark.parametrize("block", [3, 7, 256])
def test_blocks_workers_and_a_new_start_make_no_difference(
    block: int, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of()
    with changed_of(bert, rows) as changed:
        expected = [seen(batches_of(bert, rows, changed), epoch) for epoch in (1, 2, 3)]
    monkeypatch.setattr(module, "BLOCK", block)
    with changed_of(bert, rows) as changed:  # begins with the third epoch, as a resumed run does
        batches = batches_of(bert, rows, changed)
        for epoch in (1, 2, 3):
            batches.plan(epoch)
        assert seen(batches, 3) == expected[2]


def test_worker_processes_read_the_same(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kit.augment import EDA

    rows = rows_of()

    def found() -> list[dict[int, list[int]]]:
        with AugmentedRows(spec_of(bert).reader(rows), rows, EDA(), 0.7, 0) as changed:
            batches = batches_of(bert, rows, changed)
            return [seen(batches, epoch) for epoch in (1, 2)]

    here = found()
    monkeypatch.setattr(module, "FEW", 0)
    monkeypatch.setattr(module, "BLOCK", 16)
    assert found() == here


def test_a_fit_with_it_is_another_repeats_and_resumes(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of()
    plain = spec_of(bert, save_every=0)
    spec = plain.override("augment=EDA", "augmented=0.8")
    expected = spec.fit(rows, rows, tmp_path / "whole").predict(rows)
    assert not np.array_equal(expected, plain.fit(rows, rows, tmp_path / "plain").predict(rows))
    get, left = LengthBatches.__getitem__, [8]

    def failing(self: Any, positions: np.ndarray) -> dict[str, Any]:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return get(self, positions)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LengthBatches, "__getitem__", failing)
        spec.fit(rows, rows, tmp_path / "killed")
    assert torch.load(tmp_path / "killed" / "last.pt", weights_only=True)["step"] == 7
    np.testing.assert_array_equal(spec.fit(rows, rows, tmp_path / "killed").predict(rows), expected)


def test_only_the_stage_that_says_so_is_augmented(bert: Path, tmp_path: Path) -> None:
    rows = rows_of()
    late = spec_of(bert).override("then=Stage(epochs=1,lr=1e-3,augment=EDA)")
    never = spec_of(bert).override("then=Stage(epochs=1,lr=1e-3)")
    a, b = (s.fit(rows, rows, tmp_path / str(i)) for i, s in enumerate((late, never)))
    logs = [(tmp_path / str(i) / "log.jsonl").read_text().splitlines() for i in range(2)]
    assert not np.array_equal(a.predict(rows), b.predict(rows)) and len(logs[0]) == len(logs[1])


def test_without_text_there_is_nothing_to_augment(tmp_path: Path) -> None:
    import pandas as pd

    from kit.data import Task
    from kit.members import Perceptron
    from kit.metrics import roc_auc

    task = Task(name="t", kind="binary", targets=("y",), inputs=("x",), metric=roc_auc)
    rows = Rows.of(task, pd.DataFrame({"x": np.arange(20.0)}), np.arange(20) % 2)
    with pytest.raises(KitError, match="augment=EDA changes texts, and the task names no text column"):
        Perceptron().override("augment=EDA").fit(rows, rows, tmp_path)
