"""Objectives that wrap others, against naive numpy and closed forms."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.layers.dropout import MultiSampleDropout
from kit.layers.heads import LINKS, Heads
from kit.layers.spectral import SpectralPenalty
from kit.train import Supervised
from kit.train.mix import Mixup
from kit.train.objective import Batch
from kit.train.objectives import MeanOfOutputs, NegativeCorrelation, RDrop, WithLanguageModel, WithPenalty

LOSSES: dict[str, Callable[..., Tensor]] = {
    "multilabel": lambda z, y, w=1: w * F.binary_cross_entropy_with_logits(z, y, reduction="none").mean(1),
    "multiclass": lambda z, y, w=1: w * F.cross_entropy(z, y[:, 0].long(), reduction="none"),
    "regression": lambda z, y, w=1: w * (z - y).square().mean(1),
}
KINDS = list(LOSSES)
PLAIN = Supervised(LOSSES["multilabel"])


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Says(nn.Module):
    """Gives the outputs that it was told, one a call."""

    def __init__(self, *outputs: Tensor) -> None:
        super().__init__()
        self.outputs, self.calls = outputs, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.outputs[(self.calls - 1) % len(self.outputs)]


def batch(kind: str, n: int = 5) -> Batch:
    y = torch.randint(3, (n, 1)).float() if kind == "multiclass" else torch.randint(2, (n, 3)).float()
    return {"inputs": {"x": torch.randn(n, 6)}, "y": y}


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


def kl(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return p * np.log(p / q)


def naive_divergence(kind: str, a: np.ndarray, b: np.ndarray) -> float:
    """Summed over rows."""
    if kind == "regression":
        return float(((a - b) ** 2).mean(1).sum())
    if kind == "multiclass":
        p, q = softmax(a), softmax(b)
        return float((kl(p, q) + kl(q, p)).sum() / 2)
    p, q = 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(-b))
    return float((kl(p, q) + kl(1 - p, 1 - q) + kl(q, p) + kl(1 - q, 1 - p)).mean(1).sum() / 2)


@pytest.mark.parametrize("kind", KINDS)
def test_rdrop_against_naive_divergences(kind: str) -> None:
    a, b = (torch.randn(5, 3, requires_grad=True) for _ in range(2))
    model, data = Says(a, b), batch(kind)
    step = RDrop(Supervised(LOSSES[kind]), alpha=0.7, link=LINKS[kind])(model, data)
    plain = (LOSSES[kind](a, data["y"]).sum() + LOSSES[kind](b, data["y"]).sum()) / 2
    apart = naive_divergence(kind, a.detach().double().numpy(), b.detach().double().numpy())
    assert step.loss.item() == pytest.approx(plain.item() + 0.7 * apart, rel=1e-5) and model.calls == 2
    assert step.parts["divergence"].item() == pytest.approx(apart, rel=1e-5) and apart > 0
    grads = torch.autograd.grad(step.loss - plain, (a, b))
    assert all(g.abs().sum() > 1e-3 for g in grads)  # neither pass is a fixed target


def test_rdrop_without_dropout_or_alpha_is_the_plain_loss() -> None:
    model, data = nn.Sequential(nn.Linear(6, 3)), batch("multilabel")
    model.forward = lambda x, f=model.forward: f(x)  # type: ignore[method-assign]
    plain = PLAIN(model, data).loss
    torch.testing.assert_close(RDrop(PLAIN, alpha=5)(model, data).loss, plain)


def test_rdrop_draws_two_masks_and_averages_over_members() -> None:
    a, b = torch.randn(4, 5, 3), torch.randn(4, 5, 3)
    data = batch("multiclass")
    step = RDrop(Supervised(MeanOfOutputs(LOSSES["multiclass"])), link="softmax")(Says(a, b), data)
    mean = np.mean([naive_divergence("multiclass", p, q) for p, q in zip(a.numpy(), b.numpy(), strict=True)])
    assert step.parts["divergence"].item() == pytest.approx(mean, rel=1e-4)
    step = RDrop(PLAIN)(Net(nn.Dropout(0.5), nn.Linear(6, 3)), batch("multilabel"))
    assert step.parts["divergence"] > 0


class Net(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:  # by name, as models are called
        return super().forward(x)


def test_each_averages_losses_not_logits() -> None:
    layer, data = MultiSampleDropout(nn.Linear(6, 3), 0.5, 4), batch("multilabel")
    out = layer(data["inputs"]["x"])
    expected = np.mean(
        [[F.binary_cross_entropy_with_logits(o[i], data["y"][i]).item() for i in range(5)] for o in out], 0
    )
    loss = MeanOfOutputs(LOSSES["multilabel"])
    np.testing.assert_allclose(loss(out, data["y"]).detach(), expected, rtol=1e-5)
    assert (loss(out, data["y"]) > LOSSES["multilabel"](out.mean(0), data["y"])).all()  # Jensen
    assert torch.equal(loss(out[0], data["y"]), LOSSES["multilabel"](out[0], data["y"]))


@pytest.mark.parametrize("kind", KINDS)
def test_negative_correlation_against_the_paper_s_sum(kind: str) -> None:
    z, data = torch.randn(4, 5, 3), batch(kind)
    plain = Supervised(MeanOfOutputs(LOSSES[kind]))
    step = NegativeCorrelation(plain, 0.6, LINKS[kind])(Says(z), data)
    x = z.double().numpy()
    f = {"multilabel": 1 / (1 + np.exp(-x)), "multiclass": softmax(x), "regression": x}[kind]
    penalty, mean = 0.0, f.mean(0)
    for i in range(4):
        rows = (f[i] - mean) * sum(f[j] - mean for j in range(4) if j != i)
        penalty += (rows.sum(1) if kind == "multiclass" else rows.mean(1)).sum() / 4
    assert penalty < 0 and step.loss.item() == pytest.approx(plain(Says(z), data).loss.item() + 0.6 * penalty, rel=1e-5)


def test_at_weight_one_only_the_ensemble_s_own_squared_error_is_left() -> None:
    z, data = torch.randn(4, 5, 3, requires_grad=True), batch("regression")
    step = NegativeCorrelation(Supervised(MeanOfOutputs(LOSSES["regression"])), 1.0, "identity")(Says(z), data)
    alone = LOSSES["regression"](z.mean(0), data["y"]).sum()
    torch.testing.assert_close(step.loss, alone)
    torch.testing.assert_close(*(torch.autograd.grad(x, z)[0] for x in (step.loss, alone)))


def test_members_grow_apart_with_the_weight() -> None:
    data = batch("multilabel", 24)
    spread = []
    for strength in (0.0, 0.7, 1.4):
        torch.manual_seed(1)
        model = Net(Heads(lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)), 3))
        objective = NegativeCorrelation(Supervised(MeanOfOutputs(LOSSES["multilabel"])), strength)
        parameters = list(model.parameters())
        for _ in range(12):
            step = objective(model, data)
            for weight, gradient in zip(parameters, torch.autograd.grad(step.loss / 24, parameters), strict=True):
                weight.data -= 1.0 * gradient
        spread.append(step.parts["variance"].item())
    assert spread[0] < spread[1] < spread[2]


@pytest.mark.parametrize("wrap", [RDrop, NegativeCorrelation])
def test_a_row_of_weight_two_counts_like_two_and_one_of_weight_zero_like_none(wrap: type) -> None:
    outputs, data = [torch.randn(4, 3, 3) for _ in range(2)], batch("multilabel", 3)
    objective, rows = wrap(Supervised(MeanOfOutputs(LOSSES["multilabel"]))), [0, 0, 2]
    weighted = objective(Says(*outputs), data | {"weight": torch.tensor([2.0, 0.0, 1.0])})
    repeated = objective(Says(*(o[:, rows] for o in outputs)), data | {"y": data["y"][rows]})
    torch.testing.assert_close(weighted.loss, repeated.loss)


def test_penalised_adds_the_penalty_once_a_row_and_combines() -> None:
    model, data = Net(nn.Linear(6, 3)), batch("multilabel")
    plain = PLAIN(model, data)
    step = WithPenalty(PLAIN, lambda m: m[0].weight.square().sum(), 0.1)(model, data)
    decay = model[0].weight.square().sum()
    torch.testing.assert_close(step.loss / 5, plain.loss / 5 + 0.1 * decay)
    assert torch.equal(step.output, plain.output) and step.parts["penalty"] == pytest.approx(0.5 * decay.item())
    spectral = SpectralPenalty(model)
    both = RDrop(WithPenalty(PLAIN, spectral, 0.1), 2.0)(model, data)
    both.loss.backward()  # two penalties in one graph
    assert set(both.parts) == {"penalty", "divergence"}
    sigma = torch.linalg.svdvals(model[0].weight)[0]
    torch.testing.assert_close(both.loss, plain.loss + 5 * 0.1 * sigma**2 / 2, rtol=1e-3, atol=0)


def test_bad_settings_are_refused() -> None:
    for make, sentence in (
        (lambda: RDrop(PLAIN, -1.0), "RDrop.alpha = -1.0 is negative"),
        (lambda: RDrop(PLAIN, 1.0, "logit"), "there is no link 'logit'"),
        (lambda: NegativeCorrelation(PLAIN, -1.0), "NegativeCorrelation.weight = -1.0 is negative"),
        (lambda: NegativeCorrelation(PLAIN, 1.5, "identity"), "above 1 the loss has no minimum"),
        (lambda: WithPenalty(PLAIN, lambda m: torch.zeros(()), -1.0), "WithPenalty.weight = -1.0 is negative"),
        (lambda: NegativeCorrelation(PLAIN)(Net(nn.Linear(6, 3)), batch("multilabel")), "needs outputs \\(members"),
    ):
        with pytest.raises(KitError, match=sentence):
            make()


def test_the_language_model_refuses_mixed_rows() -> None:
    mixed, _ = Mixup().batch({"inputs": {"x": torch.randn(4, 6)}, "y": torch.rand(4, 3)})
    with pytest.raises(KitError) as error:
        WithLanguageModel(PLAIN, nn.Identity(), 0.5)(Net(nn.Linear(6, 3)), mixed)
    assert str(error.value) == (
        "a language model predicts the next token of one text, and mix makes one row of two; leave mix out"
    )
