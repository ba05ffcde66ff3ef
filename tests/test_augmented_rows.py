"""Augmented rows in training: which, when, the same after a restart, by whatever workers."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from test_encoder_member import bert, one_thread, rows_of, spec_of  # noqa: F401

import kit.files
from kit.augment import Augment
from kit.data import Rows, Task
from kit.members import TextNet, encoder_reader
from kit.members import augmented as module
from kit.members.augmented import AugmentedRows
from kit.metrics import roc_auc
from kit.spec import KitError
from kit.text.vectors import Word2Vec
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


class Seen(Augment):
    """Remembers the texts that it was given, each with what its generator draws first."""

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        DRAWN.append((text, float(rng.random())))
        return text


DRAWN: list[tuple[str, float]] = []


def test_what_is_drawn_hangs_on_the_row_of_the_table_and_on_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 40
    frame = pd.DataFrame({"a": [f"a{i}" for i in range(n)], "b": [f"b{i}" for i in range(n)]})
    task = Task(name="t", kind="binary", targets=("y",), text=("a", "b"), inputs=("a", "b"), metric=roc_auc)
    rows = Rows.of(task, frame, np.arange(n) % 2)
    reader = TextNet(min_count=1).reader(rows)

    def drawn(some: Rows, seed: int, epoch: int = 1) -> dict[str, float]:
        DRAWN.clear()
        with AugmentedRows(reader, some, Seen(), 1.0, seed) as changed:
            changed.order(epoch, np.arange(len(some)))
            changed.padded(epoch, np.arange(len(some)))
        return dict(DRAWN)

    whole, part = drawn(rows, 0), drawn(rows.take(np.array([31, 5, 17])), 0)
    assert part == {name: whole[name] for name in ("a31", "b31", "a5", "b5", "a17", "b17")}
    several = [*whole.values(), *drawn(rows, 1).values(), *drawn(rows, 0, 2).values()]
    assert len(set(several)) == len(several) == 6 * n  # no stream is shared, by columns, seeds or epochs
    others = [np.random.default_rng([seed, epoch]).random() for seed in (0, 1) for epoch in (0, 1, 2)]
    choices = [np.random.default_rng([seed, epoch, 1]).random() for seed in (0, 1) for epoch in (0, 1, 2)]
    assert not {*others, *choices} & {*several}  # the streams of shuffled batches, as LengthBatches has them


def test_workers_are_given_once_what_they_share_and_little_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows.of(
        Task(name="t", kind="binary", targets=("y",), text=("t",), inputs=("t",), metric=roc_auc),
        pd.DataFrame({"t": ["a b c d e f g h"] * 60}),
        np.arange(60) % 2,
    )
    spec = TextNet(vectors=Word2Vec(width=3000, min_count=1, epochs=1))
    reader = spec.reader(rows)
    reader.weights = {"big": np.zeros(30_000)}
    assert reader.values is not None and reader.values.nbytes > 100_000
    with AugmentedRows(reader, rows, Shout(), 1.0, 0) as changed:
        assert len(pickle.dumps(changed.read)) < 10_000
        monkeypatch.setattr(module, "FEW", 0)
        monkeypatch.setattr(module, "BLOCK", 10)
        begun, jobs = [], []

        class Pool:
            def submit(self, call: Any, *given: Any) -> Any:
                jobs.append(len(pickle.dumps((call, given))))
                return module._Now(call, given)

            def shutdown(self, **how: bool) -> None: ...

        def pool(count: int, begin: Any, *given: Any) -> Pool:
            begun.append(given)
            begin(*pickle.loads(pickle.dumps(given)))
            return Pool()

        monkeypatch.setattr(module, "worker_pool", pool)
        for epoch in (1, 2):
            changed.order(epoch, np.arange(60))
        assert len(changed.padded(1, np.arange(60))["words"]) == 60
    assert len(begun) == 1 and len(jobs) == 12 and max(jobs) < 3000
    assert reader.values is not None and reader.weights  # whoever was copied keeps its own


def test_a_worker_reads_its_tokenizer_once(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, checked, rows = [], [], rows_of()
    for name, calls in (("tokenizer_of", read), ("contents", checked)):
        own = getattr(encoder_reader, name)
        monkeypatch.setattr(
            encoder_reader, name, lambda *given, own=own, calls=calls: [calls.append(given), own(*given)][1]
        )
    summed, own_sum = [], kit.files.checksum
    monkeypatch.setattr(kit.files, "checksum", lambda path: [summed.append(path), own_sum(path)][1])
    encoder_reader._kept_tokenizer.cache_clear()
    kit.files._checksum.cache_clear()
    monkeypatch.setattr(module, "BLOCK", 4)
    with changed_of(bert, rows, share=1.0) as changed:
        changed.order(1, np.arange(40))
        changed.padded(1, np.arange(40))
    assert len(read) == 1 and len(checked) > len(summed) == len(set(summed)) > 0


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


def read_losses(log: Path) -> list[list[float]]:
    """The logged losses of each of two stages."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [[line["loss"] for line in lines if line["stage"] == stage] for stage in (0, 1)]


def test_only_the_stage_that_says_so_is_augmented(bert: Path, tmp_path: Path) -> None:
    rows = rows_of()
    late = spec_of(bert).override("then=Stage(epochs=1,lr=1e-3,augment=EDA)")
    never = spec_of(bert).override("then=Stage(epochs=1,lr=1e-3)")
    a, b = (s.fit(rows, rows, tmp_path / str(i)) for i, s in enumerate((late, never)))
    logs = [read_losses(tmp_path / str(i) / "log.jsonl") for i in range(2)]
    first, second = ([log[stage] for log in logs] for stage in (0, 1))
    assert first[0] == first[1] and second[0] != second[1] and len(first[0]) > 0
    assert not np.array_equal(a.predict(rows), b.predict(rows))


def test_without_text_there_is_nothing_to_augment(tmp_path: Path) -> None:
    import pandas as pd

    from kit.data import Task
    from kit.members import Perceptron
    from kit.metrics import roc_auc

    task = Task(name="t", kind="binary", targets=("y",), inputs=("x",), metric=roc_auc)
    rows = Rows.of(task, pd.DataFrame({"x": np.arange(20.0)}), np.arange(20) % 2)
    with pytest.raises(KitError, match="augment=EDA changes texts, and the task names no text column"):
        Perceptron().override("augment=EDA").fit(rows, rows, tmp_path)
