"""Our CPU dropout and attention against torch's."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.train.kernels import SMALL, attention, dropout, training_kernels

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.97])
def test_dropout_drops_its_share_keeps_the_mean_and_passes_gradients_where_it_keeps(p: float, dtype: Any) -> None:
    torch.manual_seed(0)
    x = torch.ones(1001, 999, dtype=dtype, requires_grad=True)
    y = dropout(x, p)
    kept = y != 0
    n, spread = x.numel(), (p * (1 - p) / x.numel()) ** 0.5
    assert y.dtype == dtype and abs((~kept).float().mean() - p) < 4 * spread + 2**-17
    assert torch.allclose(y[kept].float(), torch.tensor(1 / (1 - p)), rtol=1e-2 if dtype == torch.bfloat16 else 1e-6)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    for shift in (1, 999, 8):  # neighbours in memory, in a column, eight on: kept independently
        both = (kept.view(-1)[shift:] & kept.view(-1)[:-shift]).float().mean()
        assert abs(both - (1 - p) ** 2) < 6 / n**0.5


def test_torch_s_seed_alone_decides_and_every_call_differs() -> None:
    x = torch.ones(SMALL)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, second = dropout(x, 0.5), dropout(x, 0.5)
    torch.set_rng_state(state)
    assert torch.equal(dropout(x, 0.5), first) and torch.equal(dropout(x, 0.5), second)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("p, training", [(0.0, True), (0.3, False)])
def test_without_dropout_nothing_happens(p: float, training: bool) -> None:
    x = torch.randn(2 * SMALL)
    assert torch.equal(dropout(x, p, training), x)
    assert not dropout(x, 1.0).any() and not dropout(x[:8], 1.0).any()


def masks() -> list[Tensor | None]:
    may = torch.ones(3, 1, 7, 9, dtype=torch.bool)
    may[1, :, :, 4:] = False
    return [None, may, torch.randn(3, 2, 7, 9), torch.zeros(3, 1, 7, 9).masked_fill(~may, float("-inf"))]


@pytest.mark.parametrize("mask", range(4))
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_and_its_gradients_equal_torch_s(mask: int, scale: float | None) -> None:
    torch.manual_seed(mask)
    shapes = ((3, 2, 7, 8), (3, 2, 9, 8), (3, 2, 9, 8))
    ours = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]
    theirs = [t.detach().clone().requires_grad_() for t in ours]
    given = masks()[mask]
    given = given.double() if given is not None and given.dtype != torch.bool else given
    a, b = attention(*ours, given, scale=scale), F.scaled_dot_product_attention(*theirs, given, scale=scale)
    torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)  # our softmax is in fp32
    for out in (a, b):
        (out * torch.arange(8)).sum().backward()
    for x, y in zip(ours, theirs, strict=True):
        torch.testing.assert_close(x.grad, y.grad, rtol=1e-5, atol=1e-5)


def test_attention_drops_weights_not_outputs() -> None:
    torch.manual_seed(0)
    query = torch.randn(64, 2, 16, 4, requires_grad=True)
    values = torch.eye(16).expand(64, 2, 16, 16)  # so that the output is the weights themselves
    weights = attention(query, query, values)
    dropped = attention(query, query, values, dropout_p=0.25)
    kept = dropped != 0
    assert abs((~kept).float().mean() - 0.25) < 0.02
    torch.testing.assert_close(dropped[kept], weights[kept] / 0.75)


@pytest.mark.parametrize("case", ["causal", "grouped"])
def test_causal_and_grouped_attention_are_left_to_torch(case: str) -> None:
    query, key = torch.randn(1, 4, 5, 8, requires_grad=True), torch.randn(1, 2 if case == "grouped" else 4, 5, 8)
    options: dict[str, Any] = {"is_causal": True} if case == "causal" else {"enable_gqa": True}
    expected = F.scaled_dot_product_attention(query, key, key, **options)
    assert torch.equal(attention(query, key, key, **options), expected)


class Net(nn.Module):
    """Calls attention and dropout the ways that models do."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.drop = nn.Linear(8, 24), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.into(x).unflatten(-1, (3, 1, 8)).unbind(2)
        seen = F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)), dropout_p=0.5 * self.training)
        return self.drop(seen)


def test_the_context_serves_a_model_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    for name in ("attention", "dropout"):
        real = getattr(torch.nn.functional, "scaled_dot_product_attention" if name == "attention" else "dropout")
        monkeypatch.setattr(f"kit.train.kernels.{name}", lambda *a, n=name, f=real, **k: calls.append(n) or f(*a, **k))
    net, x = Net(), torch.randn(2, 5, 8)
    with training_kernels(CPU):
        net(x)
    assert calls == ["attention", "dropout"]
    net(x)
    with training_kernels(torch.device("cuda")):
        net(x)
    assert len(calls) == 2


def test_in_eval_mode_a_model_answers_the_same_with_and_without() -> None:
    net, x = Net().eval(), torch.randn(2, 5, 8)
    with training_kernels(CPU):
        ours = net(x)
    torch.testing.assert_close(ours, net(x))


@pytest.mark.parametrize("size", [8, 96])
def test_what_attention_drops_does_not_depend_on_whether_gradients_are_wanted(size: int) -> None:
    query, key, value = torch.randn(3, 2, 2, size, 8).unbind(0)
    drawn = []
    for wanted in (True, False):
        torch.manual_seed(3)
        with training_kernels(CPU), torch.set_grad_enabled(wanted):
            given = query.clone().requires_grad_(wanted)
            drawn.append(F.scaled_dot_product_attention(given, key, value, dropout_p=0.5).detach())
    torch.testing.assert_close(*drawn)
