"""Augmented rows in training: which, when, the same after a restart, by whatever workers."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import kit.core.files
from kit.augment import EDA, Augment
from kit.core.errors import KitError
from kit.members import TextNet
from kit.members.encoder import dataset as encoder_dataset
from kit.members.network.augmented import AugmentedRows
from kit.metrics import roc_auc
from kit.rows import Rows
from kit.task import Task
from kit.text.vectors import Word2Vec
from kit.train.lengths import LengthBatches
from kit.train.prefetch import Prefetched, prefetched
from tests.helpers.encoders import bert, one_thread, rows_of, spec_of  # noqa: F401


class Shout(Augment):
    """Says one more word, another one in each epoch."""

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return f"{text} {rng.choice(['good', 'bad', 'fine', 'the', 'a', 'movie'])}"


def batches_of(bert: Path, rows: Rows, changed: AugmentedRows) -> LengthBatches:
    y = np.arange(len(rows))[:, None] * 1.0
    return LengthBatches(spec_of(bert).make_dataset(rows).inputs(rows), rows.at, y, 128, 8, 0, changed=changed)


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
    return AugmentedRows(spec_of(bert).make_dataset(rows), rows, Shout(), share, 0)


def test_a_share_of_the_rows_is_changed_again_in_each_epoch(bert: Path) -> None:
    rows = rows_of().take(np.arange(40)[::-1])
    changed = changed_of(bert, rows)
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


@pytest.mark.parametrize("size", [1, 3, 8])
def test_neither_the_batch_nor_a_new_start_makes_a_difference(size: int, bert: Path) -> None:
    rows = rows_of()
    batches = batches_of(bert, rows, changed_of(bert, rows))
    expected = [seen(batches, epoch) for epoch in (1, 2, 3)]
    anew = batches_of(bert, rows, changed_of(bert, rows))  # begins with the third epoch, as a resumed run does
    assert seen(replace(anew, rows=size), 3) == expected[2]


def test_worker_processes_read_the_same(bert: Path) -> None:
    rows = rows_of()
    batches = batches_of(bert, rows, AugmentedRows(spec_of(bert).make_dataset(rows), rows, EDA(), 0.7, 0))
    plan = [*batches.plan(1), *batches.plan(2)]
    here = [batches[positions] for positions in plan]
    with prefetched(batches, plan, torch.device("cpu"), workers=1) as made:
        assert isinstance(made, Prefetched)
        for positions, expected in zip(plan, here, strict=True):
            found = made[positions]
            assert torch.equal(found["y"], expected["y"])
            for name, value in expected["inputs"].items():
                assert torch.equal(found["inputs"][name], value)


class Seen(Augment):
    """Remembers the texts that it was given, each with what its generator draws first."""

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        DRAWN.append((text, float(rng.random())))
        return text


DRAWN: list[tuple[str, float]] = []


def test_what_is_drawn_hangs_on_the_row_of_the_table_and_on_its_column() -> None:
    n = 40
    frame = pd.DataFrame({"a": [f"a{i}" for i in range(n)], "b": [f"b{i}" for i in range(n)]})
    task = Task(name="t", kind="binary", targets=("y",), text=("a", "b"), inputs=("a", "b"), metric=roc_auc)
    rows = Rows.of(task, frame, np.arange(n) % 2)
    dataset = TextNet(min_count=1).make_dataset(rows)

    def drawn(some: Rows, seed: int, epoch: int = 1) -> dict[str, float]:
        DRAWN.clear()
        changed = AugmentedRows(dataset, some, Seen(), 1.0, seed)
        changed.read(changed.job(epoch, np.arange(len(some))))
        return dict(DRAWN)

    whole, part = drawn(rows, 0), drawn(rows.take(np.array([31, 5, 17])), 0)
    assert part == {name: whole[name] for name in ("a31", "b31", "a5", "b5", "a17", "b17")}
    several = [*whole.values(), *drawn(rows, 1).values(), *drawn(rows, 0, 2).values()]
    assert len(set(several)) == len(several) == 6 * n  # no stream is shared, by columns, seeds or epochs
    others = [np.random.default_rng([seed, epoch]).random() for seed in (0, 1) for epoch in (0, 1, 2)]
    choices = [np.random.default_rng([seed, epoch, 1]).random() for seed in (0, 1) for epoch in (0, 1, 2)]
    assert not {*others, *choices} & {*several}  # the streams of shuffled batches, as LengthBatches has them


def test_workers_are_given_once_what_they_share_and_little_of_it() -> None:
    rows = Rows.of(
        Task(name="t", kind="binary", targets=("y",), text=("t",), inputs=("t",), metric=roc_auc),
        pd.DataFrame({"t": ["a b c d e f g h"] * 60}),
        np.arange(60) % 2,
    )
    spec = TextNet(vectors=Word2Vec(width=3000, min_count=1, epochs=1))
    dataset = spec.make_dataset(rows)
    assert dataset.vectors is not None and dataset.vectors.nbytes > 100_000
    changed = AugmentedRows(dataset, rows, Shout(), 1.0, 0)
    batches = LengthBatches(dataset.inputs(rows), rows.at, rows.labels, 4096, 10, 0, changed=changed)
    plan = batches.plan(1)
    assert len(pickle.dumps(batches.make)) < 10_000
    assert len(plan) == 6 and max(len(pickle.dumps(batches.job(positions))) for positions in plan) < 3000
    make = pickle.loads(pickle.dumps(batches.make))
    there = batches.batch(plan[0], make(batches.job(plan[0])))
    assert torch.equal(there["inputs"]["words"], batches[plan[0]]["inputs"]["words"])
    assert dataset.vectors is not None  # whoever was copied keeps its own


def test_a_worker_reads_its_tokenizer_once(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, checked, rows = [], [], rows_of()
    for name, calls in (("tokenizer_of", read), ("contents", checked)):
        own = getattr(encoder_dataset, name)
        monkeypatch.setattr(
            encoder_dataset, name, lambda *given, own=own, calls=calls: [calls.append(given), own(*given)][1]
        )
    summed, own_sum = [], kit.core.files.checksum
    monkeypatch.setattr(kit.core.files, "checksum", lambda path: [summed.append(path), own_sum(path)][1])
    bert = shutil.copytree(bert, tmp_path / "bert")  # nobody has read this one yet
    changed = changed_of(bert, rows, share=1.0)
    for i in range(0, 40, 4):
        changed.read(changed.job(1, np.arange(i, i + 4)))
    assert len(read) == 1 and len(checked) > len(summed) == len(set(summed)) > 0


def test_a_fit_with_it_is_another_repeats_and_resumes(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of()
    plain = spec_of(bert, save_every=0)
    spec = plain.override("augment=EDA", "augmented=0.8")
    expected = spec.learn(rows, rows, tmp_path / "whole").predict(rows)
    assert not np.array_equal(expected, plain.learn(rows, rows, tmp_path / "plain").predict(rows))
    get, left = LengthBatches.__getitem__, [8]

    def failing(self: Any, positions: np.ndarray) -> dict[str, Any]:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return get(self, positions)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LengthBatches, "__getitem__", failing)
        spec.learn(rows, rows, tmp_path / "killed")
    assert torch.load(tmp_path / "killed" / "last.pt", weights_only=True)["step"] == 7
    np.testing.assert_array_equal(spec.learn(rows, rows, tmp_path / "killed").predict(rows), expected)


def read_losses(log: Path) -> list[list[float]]:
    """The logged losses of each of two stages."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [[line["loss"] for line in lines if line["stage"] == stage] for stage in (0, 1)]


def test_only_the_stage_that_says_so_is_augmented(bert: Path, tmp_path: Path) -> None:
    rows = rows_of()
    late = spec_of(bert).override("then=Stage(epochs=1,lr=1e-3,augment=EDA)")
    never = spec_of(bert).override("then=Stage(epochs=1,lr=1e-3)")
    a, b = (s.learn(rows, rows, tmp_path / str(i)) for i, s in enumerate((late, never)))
    logs = [read_losses(tmp_path / str(i) / "log.jsonl") for i in range(2)]
    first, second = ([log[stage] for log in logs] for stage in (0, 1))
    assert first[0] == first[1] and second[0] != second[1] and len(first[0]) > 0
    assert not np.array_equal(a.predict(rows), b.predict(rows))


def test_without_text_there_is_nothing_to_augment(tmp_path: Path) -> None:
    import pandas as pd

    from kit.members import Perceptron
    from kit.metrics import roc_auc
    from kit.task import Task

    task = Task(name="t", kind="binary", targets=("y",), inputs=("x",), metric=roc_auc)
    rows = Rows.of(task, pd.DataFrame({"x": np.arange(20.0)}), np.arange(20) % 2)
    with pytest.raises(KitError, match="augment=EDA changes texts, but the task has no text column"):
        Perceptron().override("augment=EDA").learn(rows, rows, tmp_path)
