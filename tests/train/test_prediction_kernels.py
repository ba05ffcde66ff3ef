"""Attention and layer norms of CPU predictions against torch's."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.train import prediction_kernels as module
from kit.train.cpu_linear import packs
from kit.train.prediction_kernels import attention, layer_norm, prediction_kernels

SHAPE = (3, 2, 7, 8)


def bf16() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def masks(length: int, others: int) -> list[Tensor | None]:
    may = torch.ones(3, 1, 1, others, dtype=torch.bool)
    may[1, :, :, 4:] = False
    wide, numbers = may.expand(3, 1, length, others).clone(), torch.randn(3, 2, length, others)
    causal = torch.ones(length, others, dtype=torch.bool).tril()[None, None]
    return [None, may, wide, causal, numbers, torch.zeros(wide.shape).masked_fill(~may, float("-inf"))]


@pytest.mark.parametrize("mask", range(6))
@pytest.mark.parametrize(("length", "others"), [(7, 7), (20, 20), (32, 32), (61, 61), (5, 47), (40, 36)])
@pytest.mark.parametrize("scale", [None, 0.3])
@torch.inference_mode()
def test_attention_equals_torch_s_within_bf16(mask: int, length: int, others: int, scale: float | None) -> None:
    torch.manual_seed(mask)
    query, key, value = (torch.randn(3, count, 2, 8).transpose(1, 2) for count in (length, others, others))
    given = masks(length, others)[mask]
    expected = F.scaled_dot_product_attention(query, key, value, given, scale=scale)
    with bf16():
        found = attention(query, key, value, given, scale=scale)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=0.04)
    assert (found.float() - expected).abs().mean() < 0.006


CASES: dict[str, dict[str, Any]] = {
    "causal": {"is_causal": True}, "grouped": {"enable_gqa": True}, "fp32": {}, "long": {}, "three": {},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@torch.inference_mode()
def test_other_attention_is_left_to_torch(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "bmm", lambda *given: pytest.fail("it was replaced"))
    query = torch.randn(*SHAPE)
    key = query[:, :1] if case == "grouped" else query
    if case == "long":
        query = key = torch.randn(1, 1, 513, 4)
    if case == "three":
        query = key = torch.randn(3, 7, 8)
    with torch.autocast("cpu", torch.bfloat16, enabled=case != "fp32"):
        found = attention(query, key, key, **CASES[case])
        assert torch.equal(found, F.scaled_dot_product_attention(query, key, key, **CASES[case]))


@torch.inference_mode()
def test_a_norm_is_computed_in_fp32_and_given_in_bf16() -> None:
    x, weight, bias = torch.randn(5, 16) * 3 + 40, torch.randn(16), torch.randn(16)
    expected = F.layer_norm(x, (16,), weight, bias)
    assert torch.equal(layer_norm(x, [16], weight, bias), expected)
    with bf16():
        assert torch.equal(layer_norm(x, [16], weight, bias), expected.bfloat16())


class Net(nn.Module):
    """Calls attention and norms the ways that models do."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.norm, self.out = nn.Linear(8, 24), nn.LayerNorm(8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (t.transpose(1, 2) for t in self.into(x).unflatten(-1, (3, 1, 8)).unbind(2))
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.out(self.norm(x + seen))


@torch.inference_mode()
def test_a_network_answers_within_bf16_and_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    if not packs():
        pytest.skip("this CPU or build of torch has no bf16 products of its own")
    torch.manual_seed(0)
    net, x, calls = Net().eval(), torch.randn(4, 5, 8), list[str]()
    for name in ("attention", "layer_norm"):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, n=name, f=real, **k: [calls.append(n), f(*a, **k)][1])
    expected = net(x)
    with pytest.raises(RuntimeError, match="stopped"), bf16(), prediction_kernels(net):
        torch.testing.assert_close(net(x).float(), expected, rtol=0, atol=0.05)
        raise RuntimeError("stopped")
    assert calls == ["attention", "layer_norm"]
    assert torch.equal(net(x), expected) and len(calls) == 2
    with prediction_kernels(net):  # in fp32 nothing changes
        torch.testing.assert_close(net(x), expected, rtol=1e-6, atol=1e-6)
