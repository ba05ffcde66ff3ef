"""Pooling against naive loops over ragged rows."""

import math

import pytest
import torch
from torch import Tensor

from kit.layers import AttentionPool, ClsPool, MeanPool, pooling

LENGTHS = [5, 1, 3, 7]
NAMES = ["cls", "mean", "attention"]


def ragged(padding: float = 0.0, extra: int = 0) -> tuple[Tensor, Tensor]:
    """States (4, 7 + extra, 6) whose padding holds `padding`, and their mask."""
    states = torch.randn(4, 7, 6, generator=torch.Generator().manual_seed(0))
    states = torch.cat([states, torch.zeros(4, extra, 6)], dim=1)
    mask = (torch.arange(7 + extra) < torch.tensor(LENGTHS)[:, None]).long()
    return torch.where(mask[..., None] == 1, states, torch.tensor(padding)), mask


def made(name: str) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return pooling(name, 6)


@torch.no_grad()
def naive(name: str, pool: torch.nn.Module, row: Tensor) -> Tensor:
    """One row (length, width) without padding."""
    if name == "cls":
        return row[0]
    if name == "mean":
        return sum(row) / len(row)
    assert isinstance(pool, AttentionPool)
    scores = [float(pool.context.weight[0] @ torch.tanh(pool.hidden.weight @ t + pool.hidden.bias)) for t in row]
    total = sum(map(math.exp, scores))
    return sum(math.exp(s) / total * t for s, t in zip(scores, row, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_pooling_against_loops(name: str) -> None:
    states, mask = ragged()
    pool = made(name)
    expected = torch.stack([naive(name, pool, row[:n]) for row, n in zip(states, LENGTHS, strict=True)])
    torch.testing.assert_close(pool(states, mask), expected)


@pytest.mark.parametrize("name", NAMES)
def test_padding_never_changes_an_answer(name: str) -> None:
    pool = made(name)
    states, mask = ragged()
    other, longer = ragged(padding=1e4, extra=9)
    torch.testing.assert_close(pool(other, longer), pool(states, mask))
    torch.testing.assert_close(pool(states, mask.bool()), pool(states, mask))
    torch.testing.assert_close(pool(states[1:2, :1], mask[1:2, :1]), pool(states, mask)[1:2])


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_weight_and_no_padding(name: str) -> None:
    pool = made(name)
    states, mask = ragged()
    states.requires_grad_()
    (pool(states, mask) * torch.arange(1.0, 7)).sum().backward()
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in pool.parameters())
    assert states.grad is not None
    reached = states.grad.abs().sum(-1) > 0
    assert torch.equal(reached, (torch.arange(7) == 0).expand(4, 7) if name == "cls" else mask.bool())


@pytest.mark.parametrize("name", ["mean", "attention"])
def test_a_row_that_is_all_padding_is_zero(name: str) -> None:
    states, mask = ragged(padding=2.0)
    mask[2] = 0
    states.requires_grad_()
    out = made(name)(states, mask)
    out.sum().backward()
    assert torch.equal(out[2], torch.zeros(6)) and (out[[0, 1, 3]] != 0).all()
    assert states.grad is not None and states.grad.isfinite().all()


def test_attention_prefers_what_its_context_points_at() -> None:
    pool = AttentionPool(2)
    with torch.no_grad():
        pool.hidden.weight.copy_(torch.eye(2))
        pool.hidden.bias.zero_()
        pool.context.weight.copy_(torch.tensor([[50.0, 0.0]]))
    states = torch.tensor([[[-1.0, 3.0], [1.0, 5.0], [-1.0, 7.0]]])
    torch.testing.assert_close(pool(states, torch.ones(1, 3)), states[:, 1])


def test_names() -> None:
    assert [type(pooling(name, 4)) for name in NAMES] == [ClsPool, MeanPool, AttentionPool]
