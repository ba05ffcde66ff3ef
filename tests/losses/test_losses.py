"""Losses against naive numpy, closed forms and what their papers say of them."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.optimize import brentq
from sklearn.metrics import f1_score, roc_auc_score
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kit.core.errors import KitError
from kit.losses import (
    BCE,
    Asymmetric,
    BiTempered,
    CrossEntropy,
    Flooding,
    Focal,
    Huber,
    Loss,
    Ordinal,
    Quantile,
    SoftAUC,
    SoftF1,
    Squared,
    default,
    weighted_mean,
)
from kit.losses.base import SUGGESTED
from kit.losses.bitempered import log_tempered_softmax

rng = np.random.default_rng(0)
START = rng.bit_generator.state

# every loss with a kind that it serves
CASES: list[tuple[Loss, str]] = [
    (BCE(), "multilabel"),
    (BCE(pos_weight=(3, 1, 0.5), smoothing=0.1), "multilabel"),
    (CrossEntropy(), "multiclass"),
    (CrossEntropy(class_weights=(3, 1, 0.5), smoothing=0.1, temperature=0.5), "multiclass"),
    (Focal(), "multilabel"),
    (Focal(gamma=0.5, alpha=0.25), "multilabel"),
    (Focal(gamma=0.5, alpha=(0.2, 0.9, 0.5)), "multiclass"),
    (Asymmetric(), "multilabel"),
    (Asymmetric(gamma_positive=0.5, gamma_negative=0.5, clip=0), "multilabel"),
    (BiTempered(), "multilabel"),
    (BiTempered(t1=0.3, t2=2, smoothing=0.1), "multiclass"),
    (BiTempered(t1=1, t2=1), "multiclass"),
    (SoftF1(), "multilabel"),
    (SoftF1(), "multiclass"),
    (SoftAUC(margin=0.5), "multilabel"),
    (Squared(), "regression"),
    (Huber(), "regression"),
    (Quantile(q=0.9), "regression"),
    (Ordinal(), "multiclass"),
    (Ordinal(score="squared"), "multiclass"),
    (Flooding(loss=Focal(), level=0.2), "multilabel"),
    (Flooding(loss=SoftF1(), level=0.9), "multiclass"),
]
every = pytest.mark.parametrize("loss, kind", CASES, ids=[f"{loss!r} {kind}" for loss, kind in CASES])


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """A test draws the same numbers alone as among the others."""
    rng.bit_generator.state = START


def labels(kind: str, n: int = 12) -> Tensor:
    if kind == "multiclass":
        return torch.from_numpy(rng.permutation(np.arange(n) % 3)[:, None])
    return torch.from_numpy(
        rng.integers(0, 2, (n, 3)) if kind == "multilabel" else rng.normal(0, 2, (n, 3)).round(1)
    ).float()


def logits(n: int = 12, scale: float = 2.0) -> Tensor:
    return torch.from_numpy(rng.normal(0, scale, (n, 3))).float().requires_grad_()


def gradient(of: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad(of, x)[0]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


# ---- what holds for every loss ----------------------------------------------------------------------------


@every
def test_a_weight_counts_like_copies_of_a_row(loss: Loss, kind: str) -> None:
    rows, x, y = loss.rows(kind), logits(), labels(kind)
    times = torch.tensor([1, 0, 2, 1, 3, 1, 1, 0, 1, 2, 1, 1])
    copies = torch.arange(12).repeat_interleave(times)
    weighted, copied = rows(x, y, times), rows(x[copies], y[copies])
    assert weighted.shape == (12,) and weighted.dtype == torch.float32
    torch.testing.assert_close(weighted.sum(), copied.sum(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient(weighted.sum(), x), gradient(copied.sum(), x), rtol=1e-4, atol=1e-6)
    assert torch.equal(rows(x, y), rows(x, y, torch.ones(12)))
    torch.testing.assert_close(rows(x, y, torch.full((12,), 3.0)), 3 * rows(x, y))
    assert not rows(x, y, torch.zeros(12)).any() and not gradient(rows(x, y, torch.zeros(12)).sum(), x).any()


@every
def test_values_and_gradients_stay_finite(loss: Loss, kind: str) -> None:
    y = labels(kind)
    right = torch.nn.functional.one_hot(y[:, 0], 3).float() if kind == "multiclass" else y
    x = torch.stack([scale * (2 * right - 1) for scale in (80, -80, -120, 0)]).requires_grad_()  # right, wrong, at odds
    for labelled in [y, y[:1], y * 0, right * 0.9 + 0.1 / 3]:
        rows = torch.stack([loss.rows(kind)(part[: len(labelled)], labelled) for part in x])
        assert rows.isfinite().all() and gradient(rows.sum(), x).isfinite().all()


@every
def test_the_gradient_is_that_of_the_value(loss: Loss, kind: str) -> None:
    rows, y, w = loss.rows(kind), labels(kind), torch.from_numpy(rng.uniform(0, 2, 12))
    at = logits().detach().round(decimals=1) + 0.05  # no error is near 0, where Quantile has a kink
    x = at.clone().requires_grad_()
    slope = gradient(rows(x, y, w).sum(), x)
    for way in torch.eye(3)[:, None]:
        rise = (rows(at + 0.01 * way, y, w).double().sum() - rows(at - 0.01 * way, y, w).double().sum()) / 0.02
        assert (slope * way).sum().item() == pytest.approx(rise.item(), rel=0.01, abs=1e-3)


@every
def test_half_precision_output_is_computed_in_fp32_and_settings_round_trip(loss: Loss, kind: str) -> None:
    x, y = logits().detach().bfloat16(), labels(kind)
    assert torch.equal(loss.rows(kind)(x, y), loss.rows(kind)(x.float(), y))
    assert Loss.from_dict(loss.to_dict()) == loss


# ---- labels, kinds, settings ------------------------------------------------------------------------------


def test_a_loss_of_two_families_reads_labels_by_shape_or_by_kind() -> None:
    x, index = logits(), labels("multiclass")
    shares = torch.nn.functional.one_hot(index[:, 0], 3).float()
    for loss in (Focal(), BiTempered(), SoftF1(), Flooding(loss=Focal(), level=0)):
        multiclass, multilabel = loss.rows("multiclass"), loss.rows("multilabel")
        torch.testing.assert_close(multiclass(x, shares), multiclass(x, index))
        assert torch.equal(loss(x, index), multiclass(x, index)) and torch.equal(loss(x, shares), multilabel(x, shares))
        assert not torch.allclose(multiclass(x, shares).mean(), multilabel(x, shares).mean())
    assert torch.equal(CrossEntropy()(x, shares), CrossEntropy()(x, index))


@pytest.mark.parametrize("loss, output, y, sentence", [
    (BCE(), (4, 3), (4, 1), "BCE needs labels of the output's shape, not (4, 1) for an output (4, 3)"),
    (Squared(), (4, 1), (4,), "Squared needs labels of the output's shape, not (4,) for an output (4, 1)"),
    (CrossEntropy(), (4, 3), (4, 2), "CrossEntropy needs class indices (n, 1) or shares (n, classes ≥ 2), not (4, 2) for an output (4, 3)"),
    (CrossEntropy(), (4, 1), (4, 1), "CrossEntropy needs class indices (n, 1) or shares (n, classes ≥ 2), not (4, 1) for an output (4, 1)"),
    (BCE(pos_weight=(1, 2)), (4, 3), (4, 3), "BCE.pos_weight has 2 numbers, but the output has 3 columns"),
    (CrossEntropy(class_weights=(1,)), (4, 3), (4, 1), "CrossEntropy.class_weights has 1 numbers, but the output has 3 columns"),
    (Focal(alpha=(0.5, 0.5)), (4, 3), (4, 3), "Focal.alpha has 2 numbers, but the output has 3 columns"),
    (Focal(alpha=0.25), (4, 3), (4, 1), "Focal.alpha = 0.25 is one number; a multiclass task needs one for each class"),
])  # fmt: skip
def test_labels_that_do_not_fit_are_refused(loss: Loss, output: tuple, y: tuple, sentence: str) -> None:
    with pytest.raises(KitError) as error:
        loss(torch.zeros(output), torch.zeros(y))
    assert str(error.value) == sentence


def test_one_weight_per_row_is_needed() -> None:
    with pytest.raises(KitError, match=r"Squared needs one weight per row \(4,\), not \(4, 1\)"):
        Squared()(torch.zeros(4, 1), torch.zeros(4, 1), torch.ones(4, 1))


@pytest.mark.parametrize("loss, kind, sentence", [
    (Focal(), "regression", "Focal cannot be the loss of a regression task; take Squared, Huber or Quantile"),
    (Flooding(loss=Focal()), "regression", "Focal cannot be the loss of a regression task; take Squared, Huber or Quantile"),
    (BCE(), "multiclass", "BCE cannot be the loss of a multiclass task; take CrossEntropy, Focal or BiTempered"),
    (Huber(), "multilabel", "Huber cannot be the loss of a multilabel task; take BCE, Focal or Asymmetric"),
    (BCE(), "multilable", "there is no kind of task 'multilable'; did you mean 'multilabel'?"),
])  # fmt: skip
def test_a_kind_that_is_not_served_is_refused(loss: Loss, kind: str, sentence: str) -> None:
    with pytest.raises(KitError) as error:
        loss.rows(kind)
    assert str(error.value) == sentence


def test_what_is_suggested_and_the_defaults_serve_their_kind() -> None:
    by_name = {cls.__name__: cls for cls in Loss.__subclasses__()}
    for kind, names in SUGGESTED.items():
        assert all(kind in by_name[name].kinds for name in names.replace(" or ", ", ").split(", "))
        default(kind).rows(kind)
    assert [type(default(kind)).__name__ for kind in SUGGESTED] == ["BCE", "BCE", "CrossEntropy", "Squared"]
    with pytest.raises(KitError, match="no kind of task 'regresion'; did you mean 'regression'"):
        default("regresion")
    assert Flooding(loss=SoftAUC()).kinds == SoftAUC.kinds


@pytest.mark.parametrize("make, sentence", [
    (lambda: BCE(pos_weight=(1, 0)), "BCE.pos_weight.1 = 0: input should be greater than 0"),
    (lambda: BCE(smoothing=1), "BCE.smoothing = 1: input should be less than 1"),
    (lambda: Focal(gamma=-1), "Focal.gamma = -1: input should be greater than or equal to 0"),
    (lambda: Focal(alpha=(0.5, 2)), "Focal: alpha = (0.5, 2.0) is not between 0 and 1"),
    (lambda: BiTempered(t1=1.1), "BiTempered.t1 = 1.1: input should be less than or equal to 1"),
    (lambda: BiTempered(t2=0.9), "BiTempered.t2 = 0.9: input should be greater than or equal to 1"),
    (lambda: Quantile(q=1), "Quantile.q = 1: input should be less than 1"),
    (lambda: Flooding(), "Flooding.loss: field required"),
])  # fmt: skip
def test_bad_settings_are_refused(make: Any, sentence: str) -> None:
    with pytest.raises(KitError) as error:
        make()
    assert str(error.value) == sentence


def test_naming_losses_imports_no_torch() -> None:
    code = "import sys; from kit.losses import *; from kit.losses import Focal, Flooding; Flooding(loss=Focal(gamma=1)); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


# ---- each loss --------------------------------------------------------------------------------------------


def naive_bce(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    p = sigmoid(z)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


@pytest.fixture
def columns() -> tuple[np.ndarray, np.ndarray]:
    """Logits and soft labels (9, 3); the last column has no positives."""
    y = rng.choice([0, 0.3, 1], (9, 3))
    y[:, 2] = 0
    return rng.normal(0, 2, (9, 3)), y


def compare(loss: Loss, kind: str, z: np.ndarray, y: np.ndarray, expected: np.ndarray) -> None:
    assert_allclose(loss.rows(kind)(torch.from_numpy(z), torch.from_numpy(y)), expected, rtol=2e-5, atol=2e-6)


def test_bce(columns: tuple) -> None:
    z, y = columns
    compare(BCE(), "multilabel", z, y, naive_bce(z, y).mean(1))
    compare(BCE(smoothing=0.2), "multilabel", z, y, naive_bce(z, y * 0.8 + 0.1).mean(1))
    p, w = sigmoid(z), np.array([2, 0.5, 7])
    expected = -(w * y * np.log(p) + (1 - y) * np.log(1 - p)).mean(1)
    compare(BCE(pos_weight=(2, 0.5, 7)), "multilabel", z, y, expected)


def test_cross_entropy() -> None:
    z, y, w = rng.normal(0, 2, (9, 4)), rng.dirichlet(np.ones(4), 9), np.array([2, 0.5, 7, 1])
    compare(CrossEntropy(), "multiclass", z, y, -(y * np.log(softmax(z))).sum(1))
    loss = CrossEntropy(class_weights=(2, 0.5, 7, 1), smoothing=0.2, temperature=3)
    smooth = lambda y: -((y * 0.8 + 0.05) * w * np.log(softmax(z / 3))).sum(1)  # noqa: E731
    compare(loss, "multiclass", z, y, smooth(y))
    index = rng.integers(0, 4, (9, 1))
    compare(loss, "multiclass", z, index, smooth(np.eye(4)[index[:, 0]]))


def test_focal(columns: tuple) -> None:
    z, y = columns
    p = sigmoid(z)
    for gamma in (0, 0.5, 2):
        expected = -(0.25 * y * (1 - p) ** gamma * np.log(p) + 0.75 * (1 - y) * p**gamma * np.log(1 - p)).mean(1)
        compare(Focal(gamma=gamma, alpha=0.25), "multilabel", z, y, expected)
        compare(Focal(gamma=gamma, alpha=(0.25,) * 3), "multilabel", z, y, expected)
        q, index, alpha = softmax(z), rng.integers(0, 3, (9, 1)), np.array([0.2, 0.9, 0.5])
        right = np.take_along_axis(q, index, 1)[:, 0]
        expected = -alpha[index[:, 0]] * (1 - right) ** gamma * np.log(right)
        compare(Focal(gamma=gamma, alpha=(0.2, 0.9, 0.5)), "multiclass", z, index, expected)
    compare(Focal(gamma=0), "multilabel", z, y, naive_bce(z, y).mean(1))
    compare(Focal(gamma=0), "multiclass", z, index, -np.log(right))


def test_asymmetric(columns: tuple) -> None:
    z, y = columns
    p = sigmoid(z)
    for plus, minus, clip in ((0, 4, 0.05), (1, 2, 0), (0.5, 0, 0.3)):
        m = np.maximum(p - clip, 0)
        expected = -(y * (1 - p) ** plus * np.log(p) + (1 - y) * m**minus * np.log(1 - m)).mean(1)
        compare(Asymmetric(gamma_positive=plus, gamma_negative=minus, clip=clip), "multilabel", z, y, expected)
    compare(Asymmetric(gamma_positive=0, gamma_negative=0, clip=0), "multilabel", z, y, naive_bce(z, y).mean(1))


def test_asymmetric_gives_up_easy_negatives() -> None:
    z = torch.tensor([[-3.0], [-2.8]], requires_grad=True)  # p = 0.047 and 0.057
    rows = Asymmetric(clip=0.05)(z, torch.zeros(2, 1))
    slope = gradient(rows.sum(), z)
    assert rows[0] == 0 < rows[1] and slope[0] == 0 < slope[1]


def naive_bitempered(a: np.ndarray, y: np.ndarray, t1: float, t2: float) -> float:
    """One row (classes,); the normalisation by bisection in fp64."""
    log = lambda x, t: np.log(x) if t == 1 else (x ** (1 - t) - 1) / (1 - t)  # noqa: E731
    exp = lambda x, t: np.exp(x) if t == 1 else (1 + (1 - t) * x) ** (1 / (1 - t))  # noqa: E731
    p = exp(a - brentq(lambda shift: exp(a - shift, t2).sum() - 1, a.max(), a.max() + 1e4, xtol=1e-12), t2)
    ylog = sum(v * log(v, t1) for v in y if v > 0)
    return ylog - (y * log(p, t1)).sum() - (y ** (2 - t1) - p ** (2 - t1)).sum() / (2 - t1)


@pytest.mark.parametrize("t1, t2", [(1, 1), (0.8, 1.2), (0, 1), (1, 1.001), (0.2, 4)])
def test_bitempered(t1: float, t2: float, columns: tuple) -> None:
    z, y = columns
    of_columns = [[naive_bitempered(np.array([a, 0]), np.array([b, 1 - b]), t1, t2) for a, b in zip(*r, strict=True)] for r in zip(z, y, strict=True)]  # fmt: skip
    compare(BiTempered(t1=t1, t2=t2), "multilabel", z, y, np.mean(of_columns, 1))
    shares = rng.dirichlet(np.ones(3), 9)
    smooth = [naive_bitempered(a, b * 0.7 + 0.1, t1, t2) for a, b in zip(z, shares, strict=True)]
    compare(BiTempered(t1=t1, t2=t2, smoothing=0.3), "multiclass", z, shares, np.array(smooth))


def test_bitempered_is_cross_entropy_at_one_and_one() -> None:
    x, index, y = logits(), labels("multiclass"), labels("multilabel")
    for ours, theirs in (
        (BiTempered(t1=1, t2=1)(x, index), CrossEntropy()(x, index)),
        (BiTempered(t1=1, t2=1)(x, y), BCE()(x, y)),
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(gradient(ours.sum(), x), gradient(theirs.sum(), x), rtol=1e-5, atol=1e-6)


def test_bitempered_is_bounded_below_t1_one() -> None:
    wrong = torch.tensor([[80.0, -80.0, 0.0]])
    one = torch.ones(1, 1)
    assert CrossEntropy()(wrong, one) > 100
    assert BiTempered(t1=0.5, t2=1)(wrong, one) <= 1 / 0.5 + 1e-5  # −log_t 0 = 1 / (1 − t), the other terms cancel


@pytest.mark.parametrize("t", [1.0, 1.0001, 1.2, 2, 4])
def test_the_tempered_softmax_is_normalised(t: float) -> None:
    for classes in (2, 10, 1000):
        for scale in (0.1, 10, 80):
            x = torch.from_numpy(rng.normal(0, scale, (20, classes))).float().clamp(-80, 80)
            p = log_tempered_softmax(x, t).exp()
            assert_allclose(p.sum(1), 1, atol=2e-6)
            assert torch.equal(p.gather(1, x.argmax(1, keepdim=True))[:, 0], p.amax(1))


@pytest.mark.parametrize("kind", ["multilabel", "multiclass"])
def test_soft_f1_of_sure_answers_is_scikit_learn_s(kind: str) -> None:
    y, guess = labels(kind, 40), labels(kind, 40)
    if kind == "multilabel":
        y[:, 2] = guess[:, 1] = 0  # nothing to find, nothing found
        x = guess * 160 - 80
    else:
        x = torch.nn.functional.one_hot(guess[:, 0], 3) * 80.0
    rows = SoftF1().rows(kind)(x, y)
    assert_allclose(rows, 1 - f1_score(y, guess, average="macro", zero_division=0), rtol=1e-6)


def test_soft_f1_weighs_probabilities(columns: tuple) -> None:
    z, y = columns
    p, w = sigmoid(z), rng.uniform(0, 2, 9)
    hit, false, missed = w @ (p * y), w @ (p * (1 - y)), w @ ((1 - p) * y)
    expected = 1 - np.mean(2 * hit / (2 * hit + false + missed))
    rows = SoftF1()(*map(torch.from_numpy, (z, y, w)))
    assert_allclose(rows, w * expected, rtol=1e-5)
    x = torch.zeros(9, 3, requires_grad=True)
    for _ in range(30):
        x = (x - 100 * gradient(SoftF1()(x, torch.from_numpy(y).round()).mean(), x)).detach().requires_grad_()
    assert SoftF1()(x, torch.from_numpy(y).round()).mean() < 1 / 3 + 0.02  # the empty column is lost


def test_soft_auc_is_the_mean_over_pairs_of_columns_with_both_classes() -> None:
    z, y, w = rng.normal(0, 2, (9, 4)), rng.integers(0, 2, (9, 4)), rng.uniform(0, 2, 9)
    y[:, 1], y[:, 3], y[0, [0, 2]], y[1, [0, 2]] = 0, 1, 0, 1
    expected = []
    for c in (0, 2):
        pairs = [(w[i] * w[j], np.log1p(np.exp(0.5 - z[i, c] + z[j, c]))) for i in range(9) for j in range(9) if y[i, c] > y[j, c]]  # fmt: skip
        weights, losses = zip(*pairs, strict=True)
        expected.append(np.average(losses, weights=weights))
    rows = SoftAUC(margin=0.5)(*map(torch.from_numpy, (z, y, w)))
    assert_allclose(rows, w * np.mean(expected), rtol=1e-5)
    x = torch.from_numpy(z).requires_grad_()
    none = SoftAUC()(x, torch.ones(9, 4))
    assert not none.any() and not gradient(none.sum(), x).any()


def test_soft_auc_falls_to_nothing_when_ranked_and_its_descent_ranks() -> None:
    y = torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    assert SoftAUC()(y * 40 + 7, y).max() < 1e-6
    features = torch.from_numpy(rng.normal(0, 1, (80, 3))).float()
    target = (features @ torch.tensor([[1.0], [-2.0], [0.5]]) > 2).float()
    w = torch.tensor([[-1.0], [1.0], [0.0]], requires_grad=True)
    before = roc_auc_score(target, (features @ w).detach())
    for _ in range(40):
        w = (w - 3 * gradient(SoftAUC()(features @ w, target).mean(), w)).detach().requires_grad_()
    assert before < 0.2 and roc_auc_score(target, (features @ w).detach()) > 0.99


def test_values() -> None:
    x, y = logits(), labels("regression")
    error = np.abs(x.detach().numpy() - y.numpy())
    squared, absolute = (error**2).mean(1), error.mean(1)
    huber = np.where(error < 0.7, error**2 / 2, 0.7 * (error - 0.35)).mean(1)
    for loss, expected in (
        (Squared(), squared),
        (Huber(delta=0.7), huber),
        (Huber(delta=1e3), squared / 2),
        (Huber(delta=1e-4), 1e-4 * absolute),
        (Quantile(q=0.5), absolute / 2),
    ):
        assert_allclose(loss(x, y).detach(), expected, rtol=2e-4)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_the_best_constant_of_quantile_is_the_quantile(q: float) -> None:
    y = torch.from_numpy(np.sort(rng.normal(0, 1, 101))).float()
    losses = Quantile(q=q)(y[:, None].expand(101, 101).reshape(-1, 1), y.repeat(101)[:, None]).view(101, 101).mean(1)
    assert y[losses.argmin()].item() == pytest.approx(np.quantile(y, q))


def test_ordinal() -> None:
    z, shares = rng.normal(0, 2, (9, 4)), rng.dirichlet(np.ones(4), 9)
    p, q = softmax(z).cumsum(1)[:, :-1], shares.cumsum(1)[:, :-1]
    compare(Ordinal(score="squared"), "multiclass", z, shares, ((p - q) ** 2).mean(1))
    compare(Ordinal(), "multiclass", z, shares, -(q * np.log(p) + (1 - q) * np.log(1 - p)).mean(1))
    two, index = z[:, :2], rng.integers(0, 2, (9, 1))
    compare(Ordinal(), "multiclass", two, index, -np.log(np.take_along_axis(softmax(two), index, 1)[:, 0]))


@pytest.mark.parametrize("score", ["log", "squared"])
def test_ordinal_forgives_near_misses_and_learns_true_probabilities(score: Any) -> None:
    loss = Ordinal(score=score)
    sure = torch.tensor([[8.0, 0.0, 0.0, 0.0]]).expand(4, 4)
    costs = loss(sure, torch.arange(4)[:, None])
    assert (costs.diff() > 0.1).all()
    true = torch.tensor([[0.1, 0.5, 0.15, 0.25]])
    at = true.log().requires_grad_()
    assert gradient(loss(at, true).sum(), at).abs().max() < 1e-6  # proper: the truth is where the loss is least
    away = at.detach() + torch.from_numpy(rng.normal(0, 0.3, (20, 4))).float()
    assert (loss(away, true.expand(20, 4)) > loss(at, true)).all()


def test_the_log_score_still_learns_from_a_sure_mistake() -> None:
    x = torch.tensor([[40.0, 0.0, 0.0]], requires_grad=True)
    two = torch.full((1, 1), 2)
    assert gradient(Ordinal()(x, two).sum(), x)[0, 0] > 0.5
    assert gradient(Ordinal(score="squared")(x, two).sum(), x)[0, 0] < 1e-6


@pytest.mark.parametrize("inner", [BCE(), SoftF1()])
def test_flooding_turns_the_gradient_round_below_its_level(inner: Loss) -> None:
    x, y = logits(), labels("multilabel")
    w = BCE()(x, y).detach()  # so that the weighted mean is not near the plain one
    mean = weighted_mean(inner(x, y), w) if isinstance(inner, BCE) else inner(x, y, w).sum() / w.sum()
    slope = gradient(inner(x, y, w).sum(), x)
    for level, sign in ((mean.item() - 0.01, 1), (mean.item() + 0.01, -1)):
        rows = Flooding(loss=inner, level=level)(x, y, w)
        torch.testing.assert_close(rows.sum(), ((mean - level).abs() + level) * w.sum())
        torch.testing.assert_close(gradient(rows.sum(), x), sign * slope)


def test_weighted_mean() -> None:
    values, weight = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([2.0, 0.0, 1.0])
    assert weighted_mean(values, weight) == pytest.approx(8 / 3) and weighted_mean(values, weight * 0) == 0


@pytest.mark.parametrize(
    "loss", [BCE(pos_weight=(1.0, 2.0)), CrossEntropy(class_weights=(1.0, 2.0)), Focal(alpha=(0.3, 0.6))], ids=str
)
def test_a_setting_s_numbers_go_to_the_device_without_waiting_for_it(loss: Loss) -> None:
    class Moves(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[bool] = []

        def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if op is torch.ops.aten._to_copy.default and not args[0].is_meta:
                self.seen.append(kwargs.get("non_blocking", False))
            return op(*args, **(kwargs or {}))

    y = torch.zeros(3, 2, device="meta")
    with Moves() as moves:
        losses = loss.per_row(torch.zeros_like(y), y, y[:, 0], isinstance(loss, CrossEntropy))
    assert losses.is_meta and moves.seen == [True]
