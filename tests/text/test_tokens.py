"""Tokens and their batches against naive versions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.text.tokens import Tokens, tokenize
from kit.train.lengths import LengthBatches, by_length, distinct
from tests.helpers.tokens import WORDS, tokenizer  # noqa: F401

TEXTS = ["a b c", "", "h", "zz a", "a b c d e f g h a b c d", "   ", "c c"]


def tokens_of(lengths: list[int] | np.ndarray) -> Tokens:
    """Row i holds i + 1 over and over."""
    lengths = np.asarray(lengths)
    flat = np.repeat(np.arange(len(lengths)) + 1, lengths).astype(np.int32)
    return Tokens(flat, np.concatenate([[0], np.cumsum(lengths)]), pad=-7)


def batches_of(lengths: np.ndarray, **changes: Any) -> LengthBatches:
    given = {"budget": 2048, "rows": 64, "seed": 0} | changes
    return LengthBatches(tokens_of(lengths), np.arange(len(lengths)), np.arange(len(lengths))[:, None] * 1.0, **given)


# ---- tokenize and padded ---------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 2, 3, 4096])
@pytest.mark.parametrize("length", [8, 128])
def test_tokenize_is_the_tokenizer_row_by_row(block: int, length: int) -> None:
    tok = tokenizer()
    made = tokenize(tok, TEXTS, length, block)
    rows = np.split(made["flat"], made["start"][1:-1])
    expected = [tok(t, truncation=True, max_length=length)["input_ids"] for t in TEXTS]
    assert [r.tolist() for r in rows] == expected and made["start"].tolist() == [0, *np.cumsum([*map(len, expected)])]
    assert max(map(len, rows)) == min(length, 14) and rows[1].tolist() == [2, 3]
    assert rows[4][:4].tolist() == [2, 4, 5, 6] and rows[4][-1] == 3  # the beginning is kept, and the closing token
    assert made["flat"].dtype == np.int32 and made["start"].dtype == np.int64


def test_a_text_without_tokens_becomes_one_padding_token() -> None:
    made = tokenize(tokenizer(special=False), TEXTS, 8, block=3)
    assert np.diff(made["start"]).tolist() == [3, 1, 1, 2, 8, 1, 2]
    assert made["flat"][3] == 0 and made["flat"][-3] == 0
    nothing = tokenize(tokenizer(), [], 8)
    assert nothing["flat"].shape == (0,) and nothing["start"].tolist() == [0]


def test_padded_against_a_loop() -> None:
    tokens = tokens_of([2, 5, 1, 3])
    assert tokens.length.tolist() == [2, 5, 1, 3]
    for rows in ([3, 0], [1], [2, 2, 1], [0, 1, 2, 3]):
        made = tokens.padded(np.array(rows))
        longest = max(tokens.length[rows])
        for at, ids, mask in zip(rows, made["input_ids"].tolist(), made["attention_mask"].tolist(), strict=True):
            n = tokens.length[at]
            assert ids == [at + 1] * n + [-7] * (longest - n) and mask == [1] * n + [0] * (longest - n)
        assert made["input_ids"].dtype == made["attention_mask"].dtype == torch.int64


def test_tokens_read_from_a_read_only_map(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.arange(6, dtype=np.int32))
    flat = np.load(tmp_path / "flat.npy", mmap_mode="r")
    made = Tokens(flat, np.array([0, 2, 6]), 0).padded(np.array([1, 0]))
    assert made["input_ids"].tolist() == [[2, 3, 4, 5], [0, 1, 0, 0]]


# ---- by_length -------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 60), max_size=80), st.integers(1, 200), st.integers(1, 20))
def test_by_length_fills_batches_in_order_of_length(lengths: list[int], tokens: int, rows: int) -> None:
    length = np.array(lengths, dtype=int)
    batches = by_length(length, tokens, rows)
    flat = [int(i) for batch in batches for i in batch]
    assert flat == sorted(range(len(lengths)), key=lambda i: lengths[i])  # each once; ties keep their order
    for batch, following in zip(batches, [*batches[1:], None][: len(batches)], strict=True):
        assert 0 < len(batch) <= rows
        if len(batch) * length[batch].max() > tokens:
            assert len(batch) == 1 and length[batch[0]] > tokens  # longer than the budget: alone
        elif following is not None:  # one more row would have been too much
            assert len(batch) == rows or (len(batch) + 1) * length[following[0]] > tokens


def test_by_length_on_an_example() -> None:
    batches = by_length(np.array([50, 3, 4, 200, 3, 9]), tokens=12, rows=2)
    assert [b.tolist() for b in batches] == [[1, 4], [2], [5], [0], [3]]


# ---- train batches ---------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=200), st.integers(64, 500), st.integers(1, 9), st.integers(1, 4)
)
def test_a_plan_covers_each_row_once_within_the_budget(lengths: list[int], budget: int, rows: int, pool: int) -> None:
    batches = batches_of(np.array(lengths), budget=budget, rows=rows, pool=pool)
    for epoch in range(2):
        plan = batches.plan(epoch)
        assert sorted(np.concatenate(plan)) == list(range(len(lengths)))
        for batch in plan:
            size = batches[batch]["inputs"]["input_ids"].numel()
            assert len(batch) <= rows and (size <= budget or len(batch) == 1)


def test_plans_repeat_for_an_epoch_and_differ_between_epochs_and_seeds() -> None:
    length = np.random.default_rng(0).integers(5, 90, 3000)
    plans = [batches_of(length, seed=s).plan(e) for s, e in ((0, 0), (0, 0), (0, 1), (1, 0))]
    flat = [np.concatenate(plan) for plan in plans]
    assert np.array_equal(flat[0], flat[1]) and [*map(len, plans[0])] == [*map(len, plans[1])]
    for other in flat[2:]:
        assert (flat[0] == other).mean() < 0.05
    together = [{frozenset(batch.tolist()) for batch in plan} for plan in plans]
    assert not together[0] & together[2]  # no batch has the same rows again
    means = [length[batch].mean() for batch in plans[0]]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.25  # not short ones first


def test_padding_is_small_where_random_batches_waste_half() -> None:
    length = np.clip(np.random.default_rng(0).lognormal(3.5, 0.9, 6000), 3, 128).astype(int)
    batches = batches_of(length)

    def share(plan: list[np.ndarray]) -> float:
        return 1 - length.sum() / sum(len(b) * length[b].max() for b in plan)

    plan = batches.plan(0)
    random = np.array_split(np.random.default_rng(1).permutation(len(length)), len(plan))
    assert share(plan) < 0.06 and share(random) > 0.4


def test_a_batch_is_the_rows_at_their_places_with_their_labels() -> None:
    y = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    batches = LengthBatches(tokens_of([2, 5, 1, 3, 4]), np.array([4, 0, 4]), y, 64, 8, 0)
    batch = batches[np.array([2, 1])]
    assert batch["inputs"]["input_ids"].tolist() == [[5, 5, 5, 5], [1, 1, -7, -7]]
    assert batch["inputs"]["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch["y"].tolist() == [[4, 5], [2, 3]] and batch["y"].dtype == torch.float32
    batch["y"][:] = 9
    assert y.max() == 5  # the labels themselves are out of reach


def test_distinct_rows_and_what_the_others_are_like() -> None:
    tokens = Tokens(np.array([5, 6, 7, 5, 6, 5, 5, 6, 7, 8]), np.array([0, 3, 5, 6, 9, 10]), pad=0)
    first, again = distinct(tokens, np.array([4, 3, 0, 1, 4, 2]))
    assert first.tolist() == [4, 3, 1, 2] and again.tolist() == [0, 1, 1, 2, 0, 3]
