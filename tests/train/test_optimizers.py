"""Optimizers against their papers' formulas, and going on from a saved state."""

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.train.optimizers import SGD, Adam, AdamW, Lamb, Lars, Lookahead, Optimizer, RAdam, set_momentum

ALL = [
    AdamW(), Adam(), SGD(), SGD(momentum=0), SGD(nesterov=True), RAdam(betas=(0.9, 0.95)), Lars(), Lamb(),
    Lookahead(k=3), Lookahead(inner=SGD(momentum=0), k=2), Lookahead(inner=Lamb(), k=2), Lookahead(inner=RAdam()),
]  # fmt: skip
START = np.array([[0.5, -1.0], [2.0, 0.25]], dtype=np.float32)
GRADS = np.random.default_rng(0).normal(size=(8, 2, 2)).astype(np.float32)


def group(params: list[nn.Parameter], lr: float = 0.1, weight_decay: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"params": params, "lr": lr, "peak": lr, "weight_decay": weight_decay, **more}


def walk(
    optimizer: Optimizer, grads: Any, start: Any = START, lr: float = 0.1, weight_decay: float = 0.0
) -> np.ndarray:
    """Weights after each step, (steps, …)."""
    weight = nn.Parameter(torch.tensor(start))
    built = optimizer.build([group([weight], lr, weight_decay)])
    path = []
    for grad in grads:
        weight.grad = torch.tensor(grad)
        built.step()
        path.append(weight.detach().clone())
    return torch.stack(path).numpy()


def moments(grads: np.ndarray, t: int, betas: tuple[float, float] = (0.9, 0.999)) -> tuple[np.ndarray, np.ndarray]:
    """Bias-corrected means of gradients and their squares after step t (from 1), from the definition's sums."""
    means = []
    for beta, values in zip(betas, (grads, grads.astype(float) ** 2), strict=True):
        weights = beta ** np.arange(t - 1, -1, -1)
        means.append(np.tensordot(weights / weights.sum(), values[:t], 1))
    return means[0], means[1]


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("kind", [AdamW, Adam])
def test_adam_and_adamw_follow_their_papers(kind: type[Optimizer], decay: float) -> None:
    w, grads = START.astype(float), []
    for t, grad in enumerate(GRADS, 1):
        grads.append(grad + decay * w if kind is Adam else grad)
        m, v = moments(np.array(grads), t)
        w = w * (1 - 0.1 * decay * (kind is AdamW)) - 0.1 * m / (np.sqrt(v) + 1e-6)
    np.testing.assert_allclose(walk(kind(), GRADS, weight_decay=decay)[-1], w, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e4])
def test_the_first_step_of_adam_has_the_rate_as_its_size(scale: float) -> None:
    step = START - walk(AdamW(), GRADS[:1] * scale)[0]
    np.testing.assert_allclose(step, 0.1 * np.sign(GRADS[0]), rtol=2e-3)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_takes_momentum_and_classic_weight_decay(nesterov: bool) -> None:
    w, v = START.astype(float), np.zeros((2, 2))
    for grad in GRADS:
        g = grad + 0.3 * w
        v = 0.9 * v + g
        w = w - 0.1 * (g + 0.9 * v if nesterov else v)
    np.testing.assert_allclose(walk(SGD(nesterov=nesterov), GRADS, weight_decay=0.3)[-1], w, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_radam_is_plain_momentum_at_first_and_rectified_adam_later(decay: float) -> None:
    grads = np.tile(GRADS, (3, 1, 1))
    path = np.concatenate([START[None], walk(RAdam(), grads, weight_decay=decay)])
    most, plain = 2 / (1 - 0.999) - 1, 0
    for t in range(1, len(grads) + 1):
        step, _ = m, v = moments(grads, t)
        length = most - 2 * t * 0.999**t / (1 - 0.999**t)
        if length > 5:
            certainty = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
            step = np.sqrt(certainty) * m / np.sqrt(v)
        plain += length <= 5
        np.testing.assert_allclose(path[t], path[t - 1] * (1 - 0.1 * decay) - 0.1 * step, rtol=1e-3, atol=2e-6)
    assert plain == 5  # as the authors say of β₂ = 0.999
    tenfold = walk(RAdam(), 10 * grads[:1])[0] - START  # no division by the gradient's size
    np.testing.assert_allclose(tenfold, -grads[0], rtol=1e-4)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_lamb_scales_adams_step_to_the_norm_of_the_matrix(decay: float) -> None:
    w = START.astype(float)
    for t in range(1, len(GRADS) + 1):
        m, v = moments(GRADS, t)
        u = m / (np.sqrt(v) + 1e-6) + decay * w
        w = w - 0.1 * np.linalg.norm(w) / np.linalg.norm(u) * u
    np.testing.assert_allclose(walk(Lamb(), GRADS, weight_decay=decay)[-1], w, rtol=1e-4, atol=1e-5)
    large = walk(Lamb(), 1e3 * GRADS, weight_decay=decay)  # nothing is clipped on the way
    np.testing.assert_allclose(large[-1], w, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_lars_moves_a_matrix_by_a_share_of_its_norm(decay: float) -> None:
    w, v = START.astype(float), np.zeros((2, 2))
    for grad in GRADS:
        trust = 0.02 * np.linalg.norm(w) / (np.linalg.norm(grad) + decay * np.linalg.norm(w))
        v = 0.9 * v + trust * (grad + decay * w)
        w = w - 0.1 * v
    np.testing.assert_allclose(walk(Lars(trust=0.02), GRADS, weight_decay=decay)[-1], w, rtol=1e-4, atol=1e-6)


def test_vectors_without_decay_take_the_plain_step_of_lamb_and_lars() -> None:
    vectors = GRADS[:, 0]
    plain = walk(AdamW(), vectors, START[0])
    np.testing.assert_allclose(walk(Lamb(), vectors, START[0]), plain, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(walk(Lars(), vectors, START[0]), walk(SGD(), vectors, START[0]), rtol=1e-5)


def test_every_group_keeps_its_rate_and_its_further_keys() -> None:
    for optimizer in ALL:
        matrix, vector, frozen = (nn.Parameter(torch.ones(shape)) for shape in ((2, 2), (2,), (3, 3)))
        built = optimizer.build([group([matrix, vector], 0.1, name="head"), group([frozen], 0.0, 0.5, name="body")])
        for p in (matrix, vector, frozen):
            p.grad = torch.ones_like(p)
        built.step()
        assert {(g["name"], g["peak"]) for g in built.param_groups} == {("head", 0.1), ("body", 0.0)}
        assert sum(len(g["params"]) for g in built.param_groups) == 3
        assert frozen.eq(1).all() and not matrix.eq(1).any() and not vector.eq(1).any()


@pytest.mark.parametrize("inner", [AdamW(), SGD()])
def test_lookahead_takes_slow_weights_a_share_of_the_way_every_k_steps(inner: Optimizer) -> None:
    path = walk(Lookahead(inner=inner, k=3, alpha=0.4), GRADS)
    weight = nn.Parameter(torch.tensor(START))
    fast, slow = inner.build([group([weight])]), START
    for t, grad in enumerate(GRADS, 1):
        weight.grad = torch.tensor(grad)
        fast.step()
        if t % 3 == 0:
            slow = slow + 0.4 * (weight.detach().numpy() - slow)
            weight.data = torch.tensor(slow)
        np.testing.assert_allclose(path[t - 1], weight.detach(), rtol=1e-5, atol=1e-6)


def test_lookahead_pulls_back_what_has_no_gradient_in_the_kth_step_and_starts_what_comes_late() -> None:
    early, late = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2, 2))
    built = Lookahead(inner=SGD(momentum=0), k=2).build([group([early, late], lr=1.0)])
    early.grad = -torch.ones(2, 2)
    built.step()
    early.grad, late.grad = None, -torch.ones(2, 2)
    built.step()
    assert early.eq(0.5).all() and late.eq(0.5).all()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into, self.norm, self.out = nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.norm(self.into(x)).relu())


def begin(optimizer: Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    net = Net()
    return net, optimizer.build(
        [group([*net.into.parameters(), *net.norm.parameters()], 0.01, 0.1), group([*net.out.parameters()], 0.05)]
    )


def train(net: nn.Module, built: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        for g in built.param_groups:
            g["lr"] = g["peak"] * (1 - step / 10)
        net(torch.randn(5, 4, generator=torch.Generator().manual_seed(step))).square().mean().backward()
        built.step()
        built.zero_grad()


@pytest.mark.parametrize("optimizer", ALL, ids=str)
def test_a_saved_run_goes_on_bit_for_bit(optimizer: Optimizer) -> None:
    whole, built = begin(optimizer)
    train(whole, built, range(7))
    part, built = begin(optimizer)
    train(part, built, range(3))
    file = io.BytesIO()
    torch.save({"model": part.state_dict(), "optimizer": built.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, map_location="cpu", weights_only=True)
    resumed, built = begin(optimizer)
    resumed.load_state_dict(state["model"])
    built.load_state_dict(state["optimizer"])
    train(resumed, built, range(3, 7))
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("optimizer", [AdamW(), SGD(), Lookahead(inner=Lamb())], ids=str)
def test_momentum_can_be_set_from_outside(optimizer: Optimizer) -> None:
    built = optimizer.build([group([nn.Parameter(torch.ones(2))])])
    set_momentum(built, 0.5)
    assert [g.get("momentum", g.get("betas", [0])[0]) for g in built.param_groups] == [0.5]


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        (AdamW, {"betas": (0.9, 1.0)}, r"betas = \(0.9, 1.0\) must be at least 0 and below 1"),
        (SGD, {"momentum": 0, "nesterov": True}, "nesterov needs a momentum above 0"),
        (RAdam, {"betas": (0.9, 0.5)}, "else RAdam never adapts a step"),
        (Lookahead, {"inner": Lookahead()}, "inner must not be another Lookahead"),
    ],
)
def test_impossible_settings_are_refused(kind: type[Spec], settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KitError, match=sentence):
        kind(**settings)


def test_settings_are_light_and_travel() -> None:
    spec = Lookahead(inner=SGD(nesterov=True), k=7)
    assert Spec.from_dict(spec.to_dict()) == spec and spec.override("inner.momentum=0.5").inner.momentum == 0.5  # type: ignore[attr-defined]
    code = "import sys; from kit.train import average, optimizers, schedule; average.EMA(), optimizers.Lookahead(), schedule.Cosine(); assert not {'torch', 'timm'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
