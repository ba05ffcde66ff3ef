"""Perturbations against the papers' formulas written out with autograd, on nets of a few numbers."""

import copy
import gc
import math
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import BertConfig, BertModel

import kit.train.perturb
from kit.core.errors import KitError
from kit.layers.mixout import apply_mixout
from kit.layers.spectral import SpectralPenalty, spectral_norm
from kit.losses import BCE, Flooding
from kit.models.han import by_sentence
from kit.models.pieces import PiecewiseEncoder
from kit.models.transformer import TransformerModule
from kit.train import Constant, LoopStage, MeanOfOutputs, RDrop, Supervised, WithPenalty, train
from kit.train.kernels import SMALL, training_kernels
from kit.train.perturb import (
    AWP,
    FGM,
    FGSM,
    PGD,
    VAT,
    FreeLB,
    GaussianNoise,
    GradientPenalty,
    HookPoint,
    NEFTune,
    Perturb,
    Replay,
    UniformNoise,
)
from kit.train.perturb.ball import anywhere, project
from kit.train.perturb.vat import kl_divergence
from tests.helpers.bodies import OneBatch

N, LENGTH, WIDTH, DIVISOR = 4, 5, 3, 8.0


class Words(nn.Module):
    """Embeddings, a nonlinear mean over all places (padding too: so that a shift of it would show), a head."""

    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        self.embed, self.inner, self.head = nn.Embedding(11, WIDTH), nn.Linear(WIDTH, 6), nn.Linear(6, outputs)
        self.drop = nn.Dropout(0.0)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.after(self.embed(input_ids))

    def after(self, embedded: Tensor) -> Tensor:
        return self.head(self.drop(torch.tanh(self.inner(embedded))).mean(1))


class Pixels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(torch.tanh(self.norm(self.conv(pixels))).mean((2, 3)))


Batch = dict[str, Tensor]
LOSS = nn.CrossEntropyLoss(reduction="sum")


def words() -> tuple[Words, Batch, Tensor]:
    torch.manual_seed(0)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 0]])
    batch = {"input_ids": torch.randint(1, 11, (N, LENGTH)), "attention_mask": mask}
    return Words().double(), batch, torch.tensor([0, 1, 1, 0])


def again(model: nn.Module, batch: Batch, y: Tensor) -> Replay:
    return Replay(lambda: LOSS(model(**batch), y) / DIVISOR, lambda: model(**batch), DIVISOR)


def seeded(model: nn.Module, batch: Batch) -> Tensor:
    """Outputs in training, with the same dropout each time; buffers and the generator's state stay."""
    kept = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        outputs = model(**batch)
        for name, buffer in model.named_buffers():
            buffer.copy_(kept[name])
    return outputs


def kind_of(case: object) -> str:
    return type(case).__name__


def gradients(model: nn.Module) -> list[Tensor]:
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in model.parameters()]


def added(perturb: Perturb, model: nn.Module, at: nn.Module | str, batch: Batch, y: Tensor) -> tuple[Tensor, Any, list]:
    """The loss and gradients that `add` adds after a plain pass, and what the model met at the point in its passes."""
    seen: list[Tensor] = []
    model.zero_grad()
    with HookPoint(model, at) as point:
        point.wanted = True
        this = again(model, batch, y)
        this.backward()
        before = gradients(model)
        shift = point.shifted

        def noting(delta: Tensor) -> Any:
            seen.append(delta.detach().clone())
            return shift(delta)

        point.shifted = noting  # type: ignore[method-assign]
        loss = perturb.add(model, point, this)
    return loss, [after - b for after, b in zip(gradients(model), before, strict=True)], seen


def words_loss(model: Words, embedded: Tensor, y: Tensor) -> Tensor:
    return LOSS(model.after(embedded), y) / DIVISOR


def by_rows(x: Tensor) -> Tensor:
    return x.flatten(1).norm(dim=1)[:, None, None]


def same(ours: list[Tensor], theirs: Any) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def gradient_there(model: Words, batch: Batch, y: Tensor, delta: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the parameters, the embeddings' own among them, with the embeddings shifted."""
    return torch.autograd.grad(words_loss(model, model.embed(batch["input_ids"]) + delta, y), list(model.parameters()))


def gradient_at(model: Words, batch: Batch, y: Tensor, delta: Tensor) -> Tensor:
    """Gradient with respect to the embeddings, zero at padding."""
    place = (model.embed(batch["input_ids"]) + delta).detach().requires_grad_()
    return torch.autograd.grad(words_loss(model, place, y), place)[0] * batch["attention_mask"][..., None]


# ---- adversarial inputs --------------------------------------------------------------------------


def ascended(
    model: Words, batch: Batch, y: Tensor, delta: Tensor, step: float, steps: int, eps: float, l2: bool
) -> Tensor:
    """Madry's ascent, a row at a time."""
    for _ in range(steps):
        gradient = gradient_at(model, batch, y, delta)
        delta = delta.clone()
        for row in range(len(delta)):
            if l2:
                delta[row] += step * gradient[row] / gradient[row].norm()
                delta[row] *= min(1.0, eps / float(delta[row].norm()))
            else:
                delta[row] = torch.clamp(delta[row] + step * torch.sign(gradient[row]), min=-eps, max=eps)
    return delta


CASES: list[tuple[Perturb, tuple[float, int, float, bool]]] = [  # with step, steps, eps, whether in L2
    (FGM(eps=0.7), (0.7, 1, 0.7, True)),
    (FGSM(eps=0.05), (0.05, 1, 0.05, False)),
    (FGSM(eps=0.05, random_start=True), (0.0625, 1, 0.05, False)),
    (PGD(eps=0.5, step=0.2, steps=4), (0.2, 4, 0.5, True)),
    (PGD(eps=0.5, step=0.2, steps=4, random_start=False), (0.2, 4, 0.5, True)),
    (PGD(eps=0.1, step=0.04, steps=3, norm="linf"), (0.04, 3, 0.1, False)),
]


@pytest.mark.parametrize("perturb, ascent", CASES, ids=kind_of)
def test_the_added_gradient_is_that_at_the_end_of_the_paper_s_ascent(perturb: Perturb, ascent: Any) -> None:
    model, batch, y = words()
    loss, ours, seen = added(perturb, model, model.embed, batch, y)
    drawn = getattr(perturb, "random_start", False)
    start = seen[0] if drawn else torch.zeros(N, LENGTH, WIDTH, dtype=torch.float64)
    assert start.any() == drawn
    delta = ascended(model, batch, y, start, *ascent)
    torch.testing.assert_close(seen[-1], delta, rtol=1e-9, atol=1e-12)
    same(ours, gradient_there(model, batch, y, delta))  # and nothing of the ascent's passes
    torch.testing.assert_close(loss, words_loss(model, model.embed(batch["input_ids"]) + delta, y).detach())
    assert loss > words_loss(model, model.embed(batch["input_ids"]), y)
    eps, l2 = ascent[2:]
    for shift in seen:
        assert not shift[batch["attention_mask"] == 0].any()
        assert ((by_rows(shift) if l2 else shift.abs()) <= eps + 1e-12).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-25, 1.0, 1e25])
@pytest.mark.parametrize("perturb", [FGM(eps=0.7), PGD(eps=0.7, step=0.7, steps=1), AWP(eps=0.3)], ids=kind_of)
def test_a_shift_has_its_length_however_small_or_large_the_gradient_is(perturb: Perturb, scale: float) -> None:
    """Squares of fp32 numbers below 1e-23 are zero: a length by them would be none, and a shift without bound."""
    torch.manual_seed(0)
    model, x = nn.Linear(3, 2, bias=False), torch.randn(4, 3)
    first = model.weight.detach().clone()
    places: list[Tensor] = []
    origin = first if isinstance(perturb, AWP) else x
    with HookPoint(model, "input") as point:
        point.wanted = True
        (model(x).sum() * scale).backward()
        value = lambda: (model(x).sum() * scale, places.append(point.value.detach()))[0]  # noqa: E731
        if isinstance(perturb, AWP):
            value = lambda: (places.append(model.weight.detach().clone()), model(x).sum() * scale)[1]  # noqa: E731
        perturb.add(model, point, Replay(value, lambda: model(x)))
    shift = places[-1] - origin
    if isinstance(perturb, AWP):
        torch.testing.assert_close(shift.norm(), 0.3 * first.norm(), rtol=1e-5, atol=0)
    else:
        torch.testing.assert_close(shift.norm(dim=1), torch.full((4,), 0.7), rtol=1e-5, atol=0)


def test_freelb_is_the_mean_over_an_ascent_from_a_random_place() -> None:
    model, batch, y = words()
    model.drop.p = 0.5
    freelb = FreeLB(eps=0.3, step=0.15, steps=4)
    places: list[Tensor] = []
    kept: list[Tensor] = []
    model.drop.register_forward_hook(lambda module, args, output: kept.append(output != 0))
    with HookPoint(model, model.embed) as point:
        this = again(model, batch, y)

        def noting() -> Tensor:
            loss = this.loss()
            places.append(point.value.detach())
            return loss

        loss = freelb.add(model, point, Replay(noting, this.output, DIVISOR))  # no plain pass: it replaces that
    assert freelb.replaces_plain and len(places) == 4
    assert all(torch.equal(kept[0], k) for k in kept) and not kept[0].all()  # the same units dropped

    after = model.head.forward
    inner = lambda x: after((torch.tanh(model.inner(x)) * kept[0] * 2).mean(1))  # noqa: E731
    embedded = model.embed(batch["input_ids"])
    delta = (places[0] - embedded).detach()
    tokens = batch["attention_mask"].sum(1)[:, None, None]
    bound = 0.3 / (tokens * WIDTH).sqrt()
    assert (delta.abs() <= bound + 1e-12).all() and (delta.abs() > bound / 2).flatten(1).any(1).all()
    assert not delta[batch["attention_mask"] == 0].any() and by_rows(delta).max() > 0.05
    mean, losses = [torch.zeros_like(p) for p in model.parameters()], []
    for place in places:
        torch.testing.assert_close(place, (embedded + delta).detach(), rtol=1e-9, atol=1e-12)
        there = embedded + delta
        losses.append(LOSS(inner(there), y) / DIVISOR)
        g, *theirs = torch.autograd.grad(losses[-1], [there, *model.parameters()], retain_graph=True)
        mean = [m + t / 4 for m, t in zip(mean, theirs, strict=True)]
        g = g * batch["attention_mask"][..., None]
        delta = delta + 0.15 * g / by_rows(g)
        delta = delta * (0.3 / by_rows(delta)).clamp_max(1)
    same(gradients(model), mean)
    torch.testing.assert_close(loss, torch.stack(losses).mean().detach())
    torch.rand(1)
    model(**batch)
    assert not torch.equal(kept[-1], kept[0])  # afterwards the generator goes on


@pytest.mark.parametrize("steps", [1, 3])
def test_freelb_moves_batch_norm_and_spectral_norm_as_the_plain_pass_that_it_replaces(steps: int) -> None:
    """With a ball of no size its passes are that pass, again and again; only one may count."""
    stage = LoopStage(lr=0.01, schedule=Constant(), warmup=0, precision="fp32")
    buffers = []
    for perturb in (None, FreeLB(eps=1e-12, step=1e-12, steps=steps)):
        torch.manual_seed(0)
        model = Pixels()
        model.embeddings = "pixels"
        spectral_norm(model, ["head"])
        batch = {"inputs": {"pixels": torch.randn(6, 2, 5, 5)}, "y": torch.eye(2).repeat(3, 1)}
        first = {name: buffer.clone() for name, buffer in model.named_buffers()}
        train(
            model,
            Supervised(BCE()),
            OneBatch(batch),
            stage.override("epochs=3").model_copy(update={"perturb": perturb}),
        )
        assert all(not torch.equal(buffer, first[name]) for name, buffer in model.named_buffers())
        buffers.append(dict(model.named_buffers()))
    assert buffers[0]["norm.num_batches_tracked"] == 3
    for name, buffer in buffers[0].items():
        torch.testing.assert_close(buffers[1][name], buffer, rtol=1e-2, atol=1e-3)


def test_freelb_s_shift_survives_a_gradient_that_overflows() -> None:
    """As in fp16, whose scale comes down after such a step, which is left out; the losses stay numbers."""
    model, batch, y = words()
    model.inner.register_full_backward_hook(lambda module, given, out: (given[0] * torch.inf,))
    places: list[Tensor] = []
    with HookPoint(model, model.embed) as point:
        this = again(model, batch, y)
        noting = lambda: (this.loss(), places.append(point.value.detach()))[0]  # noqa: E731
        loss = FreeLB(steps=3).add(model, point, Replay(noting, this.output, DIVISOR))
    assert loss.isfinite() and len(places) == 3 and all(place.isfinite().all() for place in places)


# ---- a loss that is turned round ---------------------------------------------------------------------


class Numbers(nn.Module):
    """Logits of numbers; tells what it was shifted by."""

    embeddings = "x"

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(4, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.inner(x)))


RAISING = [
    FGM(eps=0.3), FGSM(eps=0.05), FGSM(eps=0.05, random_start=True), PGD(eps=0.3, step=0.2, steps=2),
    PGD(eps=0.3, step=0.2, steps=2, random_start=False), FreeLB(eps=0.3, step=0.2, steps=3), AWP(eps=0.1),
]  # fmt: skip
WRAPPED: dict[str, Callable[[Any], Any]] = {
    "plain": Supervised,
    "several answers": lambda loss: Supervised(MeanOfOutputs(loss)),
    "R-Drop": lambda loss: RDrop(Supervised(loss)),
    "penalised": lambda loss: WithPenalty(Supervised(loss), lambda m: m.head.weight.square().sum(), 0.1),
}


@pytest.mark.parametrize("wrap", WRAPPED)
@pytest.mark.parametrize("perturb", RAISING, ids=str)
def test_perturbations_raise_the_loss_that_flooding_turns_round(perturb: Perturb, wrap: str) -> None:
    """Below the level the flooded loss falls where the loss rises, so its gradient led to the easiest place."""
    stage = LoopStage(lr=1e-9, schedule=Constant(), warmup=0, clip=None, precision="fp32")
    met: dict[float | None, list[Tensor]] = {}
    y = torch.eye(2).repeat(3, 1)
    for level in (None, 0.0, 9.0):  # unflooded, above the level, far below it
        torch.manual_seed(0)
        model, x, met[level] = Numbers(), torch.randn(6, 4), []
        loss = (BCE() if level is None else Flooding(loss=BCE(), level=level)).rows("multilabel")
        handle = model.inner.register_forward_hook(lambda m, given, out, met=met[level]: met.append(out.detach()))
        batch = OneBatch({"inputs": {"x": x}, "y": y})
        train(model, WRAPPED[wrap](loss), batch, stage.model_copy(update={"perturb": perturb}))
        handle.remove()
    plain, above, below = (places[-1] for places in met.values())
    torch.testing.assert_close(above, plain, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(below, plain, rtol=1e-4, atol=1e-5)


# ---- weights, predictions, gradients ---------------------------------------------------------------


def test_awp_shifts_each_matrix_by_its_own_length() -> None:
    model, batch, y = words()
    naive, eps = copy.deepcopy(model), 0.1
    _, ours, _ = added(AWP(eps=eps), model, model.embed, batch, y)
    loss = words_loss(naive, naive.embed(batch["input_ids"]), y)
    plain = torch.autograd.grad(loss, list(naive.parameters()))
    with torch.no_grad():
        for p, g in zip(naive.parameters(), plain, strict=True):
            if p.ndim > 1:
                p.add_(eps * p.norm() * g / g.norm())
    higher = words_loss(naive, naive.embed(batch["input_ids"]), y)
    assert higher > loss
    same(ours, torch.autograd.grad(higher, list(naive.parameters())))


def test_awp_puts_weights_back_bit_for_bit_even_when_the_pass_fails() -> None:
    model, batch, y = words()
    model.float()
    this = again(model, batch, y)
    this.backward()
    before = copy.deepcopy(model.state_dict())

    def fail() -> Tensor:
        assert not torch.equal(model.inner.weight, before["inner.weight"])
        raise KeyboardInterrupt

    with HookPoint(model, model.embed) as point, pytest.raises(KeyboardInterrupt):
        AWP(eps=0.3).add(model, point, Replay(fail, this.output))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def softmax_kl(p: Tensor, q: Tensor) -> Tensor:
    p, q = p.softmax(1), q.softmax(1)
    return (p * (p / q).log()).sum(1)


def sigmoid_kl(p: Tensor, q: Tensor) -> Tensor:
    p, q = p.sigmoid(), q.sigmoid()
    return (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean(1)


KL: dict[Any, Callable[[Tensor, Tensor], Tensor]] = {
    "softmax": softmax_kl, "sigmoid": sigmoid_kl, "identity": lambda p, q: ((p - q) ** 2).mean(1),
}  # fmt: skip


@pytest.mark.parametrize("link", KL)
def test_vat_adds_the_divergence_at_the_virtual_adversarial_place(link: Any) -> None:
    model, batch, y = words()
    clean, other = torch.randn(2, 9, 3) * 3
    torch.testing.assert_close(kl_divergence(clean, other, link), KL[link](clean, other), rtol=1e-4, atol=1e-5)

    vat = VAT(link=link, eps=0.8, xi=0.3, iterations=3, weight=2)
    loss, ours, seen = added(vat, model, model.embed, batch, y)
    embedded = model.embed(batch["input_ids"])
    clean, delta = model.after(embedded).detach(), seen[0]
    torch.testing.assert_close(by_rows(delta), torch.full((N, 1, 1), 0.3, dtype=torch.float64))
    for shift in seen[1:]:
        delta = delta.requires_grad_()
        (g,) = torch.autograd.grad(KL[link](clean, model.after(embedded.detach() + delta)).sum(), delta)
        g = g * batch["attention_mask"][..., None]
        delta = (0.8 if shift is seen[-1] else 0.3) * g / by_rows(g)
        torch.testing.assert_close(shift, delta, rtol=1e-3, atol=1e-3)  # ours takes the logits in fp32
    naive = 2 * KL[link](clean, model.after(embedded + seen[-1])).sum() / DIVISOR
    torch.testing.assert_close(loss.double(), naive.detach(), rtol=1e-4, atol=1e-6)
    for a, b in zip(ours, torch.autograd.grad(naive, list(model.parameters())), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)


def test_vat_finds_the_direction_of_the_largest_change_and_drops_the_same_units() -> None:
    torch.manual_seed(0)
    weight = torch.diag(torch.tensor([3.0, 1.0, 0.2]))
    model = nn.Sequential(nn.Linear(3, 3, bias=False))
    model[0].weight.data = weight
    batch, y = torch.randn(5, 3), torch.zeros(5, 3)
    this = Replay(lambda: (model(batch) - y).square().sum(), lambda: model(batch))
    with HookPoint(model, "input") as point:
        point.wanted = True
        this.backward()
        VAT(link="identity", eps=0.5, iterations=8).add(model, point, this)
        shift = point.value.detach() - batch
    torch.testing.assert_close(shift.abs(), torch.tensor([0.5, 0, 0]).expand(5, 3), rtol=1e-3, atol=1e-3)

    words_model, inputs, labels = words()
    words_model.drop.p = 0.5
    loss, *_ = added(VAT(link="softmax", eps=1e-9), words_model, words_model.embed, inputs, labels)
    assert abs(loss) < 1e-6  # other units would make the predictions differ without any shift


def test_vat_drops_the_same_units_in_attention_too() -> None:
    """On the CPU attention with gradients and attention without them were two kernels, which drew two masks."""
    torch.manual_seed(0)
    body = TransformerModule(8, 8, 1, 2, dropout=0.5)
    body.dropout.p = body.layers[0].dropout.p = 0.0
    model = Texts(body)
    n, length = 4, 64
    assert n * 2 * length * length > SMALL
    batch = {"input_ids": torch.randint(9, (n, length)), "attention_mask": torch.ones(n, length, dtype=torch.long)}
    for iterations in (1, 3):
        with HookPoint(model, model.embed) as point, training_kernels(torch.device("cpu")):
            point.wanted = True
            this = again(model, batch, torch.tensor([0, 1, 1, 0]))
            this.backward()
            loss = VAT(link="softmax", eps=1e-6, iterations=iterations).add(model, point, this)
        assert abs(loss) < 1e-6  # another mask makes the predictions differ without any shift; zero may round below it


class Texts(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.embed, self.body, self.head = nn.Embedding(9, 8), body, nn.Linear(8, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.body(self.embed(input_ids), attention_mask))


def test_vat_scales_the_divergence_that_it_searches_as_it_does_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients below 6e-8 are nothing in fp16: without the loss's scale there would be no direction."""
    model, batch, y = words()
    sizes, real = [], HookPoint.gradient_of

    def noting(self: HookPoint, *given: Any) -> Tensor:
        sizes.append(real(self, *given).norm())
        return real(self, *given)

    monkeypatch.setattr(HookPoint, "gradient_of", noting)
    for divisor in (4.0, torch.tensor(4.0) / 65536):
        torch.manual_seed(0)
        with HookPoint(model, model.embed) as point:
            this = Replay(lambda: LOSS(model(**batch), y), lambda: model(**batch), divisor)
            point.wanted = True
            this.backward()
            VAT(link="softmax").add(model, point, this)
    torch.testing.assert_close(sizes[1] / sizes[0], torch.tensor(65536.0, dtype=torch.float64), rtol=1e-3, atol=0)


def test_gradient_penalty_of_a_linear_model_in_closed_form() -> None:
    """Loss w·x of each row: its gradient is w, the penalty weight · n · ‖w‖² / divisor, and that's gradient 2 w …"""
    model, x = nn.Linear(3, 1), torch.randn(6, 3)
    this = Replay(lambda: model(x).sum() / DIVISOR, lambda: model(x), DIVISOR)
    with HookPoint(model, "input") as point:
        this.backward()
        before = gradients(model)
        penalty = GradientPenalty(weight=0.5).add(model, point, this)
    w = model.weight.detach()
    torch.testing.assert_close(penalty, 0.5 * 6 * w.square().sum() / DIVISOR)
    torch.testing.assert_close(gradients(model)[0] - before[0], 0.5 * 6 * 2 * w / DIVISOR)
    assert torch.equal(gradients(model)[1], before[1])


def test_gradient_penalty_against_finite_differences() -> None:
    model, batch, y = words()
    _, ours, _ = added(GradientPenalty(weight=3), model, model.embed, batch, y)

    def penalty() -> float:
        g = gradient_at(model, batch, y, torch.zeros(())) * DIVISOR
        return float(3 * g.square().sum() / DIVISOR)

    for p, gradient in zip(model.parameters(), ours, strict=True):
        way, kept = 1e-5 * torch.randn_like(p), p.data
        p.data = kept + way
        above = penalty()
        p.data = kept - way
        below = penalty()
        p.data = kept
        assert (above - below) / 2 == pytest.approx(float((gradient * way).sum()), rel=1e-5, abs=1e-14)


# ---- every perturbation, every kind of model -------------------------------------------------------

ALL: list[Perturb] = [
    FGM(), FGSM(), FGSM(random_start=True), PGD(steps=2), PGD(norm="linf", random_start=False), FreeLB(steps=2), AWP(),
    VAT(link="softmax"), GradientPenalty(),
]  # fmt: skip


def bert() -> tuple[nn.Module, nn.Module, Batch]:
    sizes: Any = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    encoder = BertModel(BertConfig(vocab_size=20, max_position_embeddings=8, **sizes))

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.head = encoder, nn.Linear(8, 2)

        def forward(self, **inputs: Tensor) -> Tensor:
            return self.head(self.encoder(**inputs).last_hidden_state[:, 0])

    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]])
    batch = {"input_ids": torch.randint(1, 20, (3, 4)), "attention_mask": mask}
    return Classifier(), encoder.embeddings.word_embeddings, batch


def place(kind: str) -> tuple[nn.Module, nn.Module | str, Batch]:
    torch.manual_seed(0)
    if kind == "bert":
        return bert()
    if kind == "pixels":
        return Pixels(), "pixels", {"pixels": torch.randn(3, 2, 5, 5)}
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)), "input", {"input": torch.randn(3, 4)}


@pytest.mark.parametrize("kind", ["bert", "pixels", "numbers"])
@pytest.mark.parametrize("perturb", ALL, ids=kind_of)
def test_only_gradients_change(perturb: Perturb, kind: str) -> None:
    model, at, batch = place(kind)
    y = torch.tensor([0, 1, 0])
    call = {k: v.clone() for k, v in batch.items()}
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    with HookPoint(model, at) as point:
        outputs = seeded(model, batch)
        point.wanted = True
        again(model, batch, y).backward()
        before, plain = copy.deepcopy(model.state_dict()), gradients(model)
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        loss = perturb.add(model, point, again(model, batch, y))
        assert torch.equal(seeded(model, batch), outputs)  # no shift is left behind
    assert math.isfinite(loss) and loss.shape == () and not loss.requires_grad
    assert any(not torch.equal(a, b) for a, b in zip(gradients(model), plain, strict=True))
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())
    moved = {name for name, buffer in model.named_buffers() if not torch.equal(buffer, buffers[name])}
    # FreeLB's passes are the only ones of a batch, so one of them counts for batch norm
    own = {"norm.running_mean", "norm.running_var", "norm.num_batches_tracked"}
    assert moved == (own if perturb.replaces_plain and kind == "pixels" else set())
    assert all(torch.equal(v, call[k]) and not v.requires_grad for k, v in batch.items())
    assert all(m.training for m in model.modules())
    assert hooks == [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]


def test_buffers_that_a_pass_replaces_come_back_and_constant_ones_are_not_copied() -> None:
    torch.manual_seed(0)
    model = apply_mixout(nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)), 0.5)
    penalty, x, y = SpectralPenalty(model), torch.randn(3, 4), torch.tensor([0, 1, 0])
    before = dict(model.named_buffers())
    values = {name: buffer.clone() for name, buffer in before.items()}

    class Copies(TorchDispatchMode):
        shapes: list[torch.Size] = []

        def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if op is torch.ops.aten.clone.default:
                self.shapes.append(args[0].shape)
            return op(*args, **(kwargs or {}))

    seen: list[bool] = []

    def loss() -> Tensor:
        total = LOSS(model(x), y) + penalty(model)
        seen.append(model[0].singular is not before["0.singular"])
        return total

    with Copies() as copies:
        _keeping(model, loss)
    assert seen == [True] and copies.shapes == [(4,), (3,)]  # the two vectors and no matrix
    after = dict(model.named_buffers())
    assert after.keys() == before.keys() and all(after[name] is before[name] for name in before)
    assert all(torch.equal(after[name], values[name]) for name in before)


def _keeping(model: nn.Module, loss: Callable[[], Tensor]) -> None:
    class Pass(Perturb):
        def _add(self, model: nn.Module, point: Any, replay: Replay) -> Tensor:
            return replay.backward()

    Pass().add(model, None, Replay(loss, loss))


def test_a_place_of_the_ball_is_drawn_uniformly() -> None:
    torch.manual_seed(0)
    flat = anywhere(torch.zeros(20_000, 3), 2.0, "l2", None).norm(dim=1)
    assert flat.max() <= 2 + 1e-5
    for radius in (0.5, 1.0, 1.7):
        assert (flat < radius).float().mean() == pytest.approx((radius / 2) ** 3, abs=0.01)
    mask = torch.tensor([[True, False]]).expand(20_000, 2)
    line = anywhere(torch.zeros(20_000, 2, 1), 2.0, "l2", mask)
    assert not line[:, 1].any() and (line[:, 0].abs() < 0.5).float().mean() == pytest.approx(0.25, abs=0.02)
    inside = torch.tensor([[0.3, 0.4], [3.0, 4.0]])
    torch.testing.assert_close(project(inside, 1.0, "l2"), torch.tensor([[0.3, 0.4], [0.6, 0.8]]))


# ---- the point -----------------------------------------------------------------------------------


def test_the_point_sees_values_masks_and_gradients() -> None:
    model, batch, y = words()
    value, expected = model.embed(batch["input_ids"]), gradient_at(model, batch, y, torch.zeros(())) * DIVISOR
    with HookPoint(model, model.embed) as point:
        with pytest.raises(RuntimeError, match="there was no forward pass yet"):
            _ = point.value
        LOSS(model(**batch), y).backward()
        assert torch.equal(point.value, value)
        with pytest.raises(RuntimeError, match="set `wanted`"):
            _ = point.grad
        point.wanted = True
        LOSS(model(**batch), y).backward()
        assert point.mask is not None and torch.equal(point.mask, batch["attention_mask"].bool())
        torch.testing.assert_close(point.grad, expected)
        with torch.no_grad(), point.shifted(torch.ones(N, LENGTH, WIDTH)):
            shifted = model(**batch)
    torch.testing.assert_close(shifted, model.after(value + 1))


@pytest.mark.parametrize("positional", [False, True])
def test_raw_inputs_are_left_as_they_were_given(positional: bool) -> None:
    model, _, batch = place("pixels")
    x, y = batch["pixels"], torch.tensor([0, 1, 0])
    (expected,) = torch.autograd.grad(LOSS(model(pixels=(z := x.clone().requires_grad_())), y), z)
    with HookPoint(model, "pixels") as point:
        point.wanted = True
        LOSS(model(x) if positional else model(pixels=x), y).backward()
        assert not x.requires_grad and x.grad is None and point.mask is None
        torch.testing.assert_close(point.grad, expected)
        with pytest.raises(KitError, match="without a float input 'pixels'"):
            model(pixels=x.long())
    with HookPoint(model, "numbers"), pytest.raises(KitError, match="without a float input 'numbers'"):
        model(pixels=x)


def test_transforms_come_outermost_first_and_training_ones_stay_out_of_eval() -> None:
    model, batch, _ = words()
    value = model.embed(batch["input_ids"])
    with HookPoint(model, model.embed) as point:
        with point.applied(lambda x: x + 1), point.applied(lambda x: x * 3, training_only=True):
            model(**batch)
            torch.testing.assert_close(point.value, (value + 1) * 3)
            model.eval()(**batch)
            torch.testing.assert_close(point.value, value + 1)
        model(**batch)
        assert torch.equal(point.value, value)


def test_a_removed_point_leaves_nothing_behind() -> None:
    model, batch, _ = words()
    gc.collect()
    gc.disable()  # what goes now has no cycle
    try:
        with HookPoint(model, model.embed) as point:
            model(**batch)
            gone = weakref.ref(point)
        del point
        assert gone() is None and not model._forward_pre_hooks and not model.embed._forward_hooks
        dead = weakref.ref(model)
        del model
        assert dead() is None
    finally:
        gc.enable()


def test_a_hooked_model_can_be_copied_and_the_copy_has_a_point_of_its_own() -> None:
    model, batch, y = words()
    with HookPoint(model, model.embed) as point:
        point.wanted = True
        LOSS(model(**batch), y).backward()
        value = point.value
        for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert torch.equal(copied(**batch), model.after(value)) and point.value is value


def test_the_mask_of_a_text_in_pieces_is_that_of_the_pieces_read() -> None:
    class Encode(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.num_features = nn.Embedding(9, 3), 3

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            return torch.tanh(self.embed(ids)).mean(1)

        def pieces(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
            return by_sentence(self, input_ids, attention_mask)

    torch.manual_seed(0)
    encode = Encode()
    model = PiecewiseEncoder(encode, "mean")
    mask = torch.tensor([[[1, 1, 1, 0], [1, 0, 0, 0]], [[1, 1, 0, 0], [0, 0, 0, 0]]])
    pieces = torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0]]).bool()
    batch = {"input_ids": torch.randint(9, (2, 2, 4)), "attention_mask": mask}
    with HookPoint(model, encode.embed) as point:
        point.wanted = True
        this = Replay(lambda: model(**batch).square().sum(), lambda: model(**batch))
        this.backward()
        value = point.value.detach()
        assert point.mask is not None and torch.equal(point.mask, pieces)
        FGM(eps=0.3).add(model, point, this)
        shift = point.value.detach() - value
        assert not shift[~pieces].any()
        torch.testing.assert_close(by_rows(shift).flatten(), torch.full((3,), 0.3))
        with NEFTune().at(point):
            model(**batch)
        moved = (point.value.detach() - value).any(-1)
        assert torch.equal(moved, pieces)


def test_wrong_points_and_uneven_batches_are_refused() -> None:
    model, batch, _ = words()
    with pytest.raises(KitError, match="the hook point Linear is not a module of the Words"):
        HookPoint(model, nn.Linear(1, 1))
    met = pytest.raises(KitError, match=r"a shift of shape \(1, 1, 3\) does not fit a batch of shape \(4, 5, 3\)")
    with HookPoint(model, model.embed) as point, point.shifted(torch.zeros(1, 1, WIDTH)), met:
        model(**batch)


# ---- noise ---------------------------------------------------------------------------------------


def test_noise_has_the_stated_size_spares_padding_and_is_drawn_again() -> None:
    torch.manual_seed(0)
    value, mask = torch.randn(3, 40, 25), torch.ones(3, 40, dtype=torch.bool)
    mask[1, 10:] = mask[2, 1:] = False
    for noise in (NEFTune(alpha=5), GaussianNoise(std=0.3), UniformNoise(width=0.2)):
        added = noise(value, mask) - value
        assert not added[~mask].any() and not torch.equal(noise(value, mask) - value, added)
        for row, length in enumerate((40, 10, 1)):
            real = added[row, :length]
            if isinstance(noise, GaussianNoise):
                assert abs(real.mean()) < 0.2 and float(real.std()) == pytest.approx(0.3, rel=0.4)
                continue
            bound = 0.2 if isinstance(noise, UniformNoise) else 5 / math.sqrt(length * 25)
            assert 0.8 * bound < real.abs().max() <= bound * 1.001 and real.min() < 0 < real.max()
            assert float(real.std()) == pytest.approx(bound / 3**0.5, rel=0.4)
    assert UniformNoise(width=0.2)(torch.zeros(4, 2, 6, 6)).abs().max() <= 0.2


def test_noise_is_for_training_and_comes_before_shifts() -> None:
    model, batch, y = words()
    value = model.embed(batch["input_ids"])
    with HookPoint(model, model.embed) as point, GaussianNoise(std=0.5).at(point):
        point.wanted = True
        this = again(model, batch, y)
        this.backward()
        assert torch.equal(point.value == value, (batch["attention_mask"] == 0)[..., None].expand_as(value))
        FGM().add(model, point, this)
        model.eval()
        assert torch.equal(model(**batch), model.after(value))


# ---- settings ------------------------------------------------------------------------------------


def test_a_perturbation_begins_after_some_epochs_or_at_a_score() -> None:
    assert FGM().active(0, None)
    late = FGM(start=2, start_score=0.9)
    assert [late.active(1.5, s) for s in (None, 0.89, 0.9)] == [False, False, True] and late.active(2, None)
    assert not FGM(start=2).active(1.9, 99)


@pytest.mark.parametrize("spec, settings, sentence", [
    (FGM, {"start_score": 0.9}, "start_score has no effect with start = 0"),
    (FGM, {"eps": 0}, "FGM.eps = 0: input should be greater than 0"),
    (PGD, {"norm": "l1"}, "PGD.norm = 'l1'"),
    (VAT, {"link": "logit"}, "VAT.link = 'logit'"),
    (FreeLB, {"steps": 0}, "FreeLB.steps = 0"),
])  # fmt: skip
def test_bad_settings_are_refused(spec: type[Perturb], settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KitError, match=sentence):
        spec(**settings)


def test_settings_come_without_torch(python: Callable[..., str]) -> None:
    code = """
        import sys, kit.train.perturb as p
        p.FGM(), p.FGSM(), p.PGD(), p.FreeLB(), p.AWP(), p.VAT(link="sigmoid"), p.GradientPenalty(), p.NEFTune()
        p.GaussianNoise(), p.UniformNoise(), p.Perturb, p.Noise
        print("torch" in sys.modules)
    """
    assert python(code) == "False"
    assert all(getattr(kit.train.perturb, name) for name in kit.train.perturb.__all__)


@pytest.mark.parametrize("link", ["sigmoid", "softmax", "identity"])
def test_divergence_of_several_answers_is_the_mean_of_theirs(link: Any) -> None:
    from kit.train.perturb.vat import kl_divergence

    a, b = torch.randn(3, 5, 4), torch.randn(3, 5, 4)
    each = torch.stack([kl_divergence(x, y, link) for x, y in zip(a, b, strict=True)])
    torch.testing.assert_close(kl_divergence(a, b, link), each.mean(0))
    assert kl_divergence(a, b, link).shape == (5,)
