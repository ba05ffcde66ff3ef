"""Mixing of rows against naive numpy."""

import copy
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from kit.core.errors import KitError
from kit.losses import BCE, Flooding, Huber, Loss, Ordinal
from kit.train import MeanOfOutputs, Supervised
from kit.train.mix import CutMix, EmbeddingMixup, Mix, Mixup
from kit.train.objective import Batch
from tests.helpers.losses import concrete_losses

MIXES = [Mixup(alpha=1.0), CutMix(), EmbeddingMixup()]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def pictures(n: int = 6, height: int = 7, width: int = 5) -> Batch:
    """Each picture is filled with its own row number, and so are its labels."""
    rows = torch.arange(n).float()
    return {
        "inputs": {"pixels": rows.view(n, 1, 1, 1).expand(n, 2, height, width).clone()},
        "y": torch.eye(n),
        "id": rows,
    }


def drawn(seed: int, n: int, alpha: float = 1.0) -> tuple[float, Tensor]:
    """What a mix draws, in its order."""
    torch.manual_seed(seed)
    torch.rand(())
    return torch.distributions.Beta(alpha, alpha).sample().item(), torch.randperm(n)


def test_mixup_mixes_inputs_and_labels_alike() -> None:
    data = {
        "inputs": {"numbers": torch.randn(6, 4), "pixels": torch.rand(6, 1, 2, 2)},
        "y": torch.rand(6, 3),
    }
    lam, perm = drawn(3, 6)
    torch.manual_seed(3)
    mixed, transform = Mixup(alpha=1.0).batch(data)
    assert transform is None and 0 < lam < 1 and not torch.equal(perm, torch.arange(6))
    for ours, given in (
        (mixed["y"], data["y"]),
        *((mixed["inputs"][k], data["inputs"][k]) for k in data["inputs"]),
    ):
        expected = np.stack([lam * given[i].numpy() + (1 - lam) * given[perm[i]].numpy() for i in range(6)])
        np.testing.assert_allclose(ours, expected, rtol=1e-6)
        assert ours.dtype == torch.float32


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_a_row_s_share_has_the_moments_of_a_symmetric_beta(alpha: float) -> None:
    mix = Mixup(alpha=alpha)
    data = {"inputs": {"x": torch.zeros(2, 1)}, "y": torch.eye(2)}
    shares: list[float] = []
    while len(shares) < 800:
        y = mix.batch(data)[0]["y"]
        if y[0, 1] != 0:  # swapped: row 0 keeps λ of its own label
            shares.append(y[0, 0].item())
    variance = 1 / (4 * (2 * alpha + 1))
    assert np.mean(shares) == pytest.approx(0.5, abs=4 * (variance / 800) ** 0.5)
    assert np.var(shares) == pytest.approx(variance, rel=0.2)


def test_cutmix_s_labels_are_the_areas_also_at_the_border() -> None:
    data, clipped, sizes = pictures(), 0, set()
    for seed in range(80):
        lam, perm = drawn(seed, 6)
        torch.manual_seed(seed)
        mixed, transform = CutMix().batch(data)
        assert transform is None
        for i in range(6):
            picture = mixed["inputs"]["pixels"][i]
            expected = [(picture[0] == j).double().mean().item() for j in range(6)]  # a picture's own labels
            np.testing.assert_allclose(mixed["y"][i], expected, atol=1e-6)
            assert torch.equal(picture[0], picture[1]) and set(picture.unique().tolist()) <= {float(i), float(perm[i])}
        i = int((perm != torch.arange(6)).nonzero()[0])
        foreign = mixed["inputs"]["pixels"][i, 0] == perm[i]
        whole = int(7 * (1 - lam) ** 0.5) * int(5 * (1 - lam) ** 0.5)
        assert foreign.sum() == foreign.any(0).sum() * foreign.any(1).sum() <= whole  # one rectangle
        clipped += int(foreign.sum() < whole)
        sizes.add(int(foreign.sum()))
    assert clipped > 15 and len(sizes) > 10


def test_embedding_mixup_mixes_later_what_it_cannot_mix_now() -> None:
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]])
    data = {"inputs": {"input_ids": torch.arange(12).view(3, 4), "attention_mask": mask}, "y": torch.rand(3, 2)}
    lam, perm = drawn(3, 3)
    torch.manual_seed(3)
    mixed, transform = EmbeddingMixup().batch(data)
    assert transform is not None and not torch.equal(perm, torch.arange(3))
    states = torch.randn(3, 4, 5, requires_grad=True)
    out = transform(states)
    for i in range(3):
        torch.testing.assert_close(out[i], lam * states[i] + (1 - lam) * states[perm[i]])
        torch.testing.assert_close(mixed["y"][i], lam * data["y"][i] + (1 - lam) * data["y"][perm[i]])
        assert torch.equal(mixed["inputs"]["attention_mask"][i], mask[i] | mask[perm[i]])
    assert torch.equal(mixed["inputs"]["input_ids"], data["inputs"]["input_ids"])
    assert mixed["inputs"]["attention_mask"].dtype == mask.dtype
    out.sum().backward()
    torch.testing.assert_close(states.grad, torch.ones(3, 4, 5))
    table = {"inputs": {"codes": torch.zeros(3, 4).long()}, "y": torch.rand(3, 2)}
    assert EmbeddingMixup().batch(table)[0]["inputs"]["codes"] is table["inputs"]["codes"]


@pytest.mark.parametrize("mix", MIXES, ids=lambda m: type(m).__name__)
def test_a_state_of_torch_s_generator_decides_and_the_batch_given_stays(mix: Mix) -> None:
    data = pictures()
    before = copy.deepcopy(data)
    np.random.seed(0)
    state = torch.get_rng_state()
    first, transform = mix.batch(data)
    np.random.seed(1)
    torch.set_rng_state(state)
    second, again = mix.batch(data)
    third, _ = mix.batch(data)
    assert torch.equal(first["y"], second["y"]) and not torch.equal(first["y"], third["y"])
    assert torch.equal(first["inputs"]["pixels"], second["inputs"]["pixels"])
    if transform is not None and again is not None:
        assert torch.equal(transform(data["y"]), again(data["y"]))
    assert torch.equal(data["y"], before["y"]) and torch.equal(data["inputs"]["pixels"], before["inputs"]["pixels"])
    assert first["id"] is data["id"]


@pytest.mark.parametrize("mix", MIXES, ids=lambda m: type(m).__name__)
def test_class_indices_become_shares(mix: Mix) -> None:
    data = pictures() | {"y": torch.tensor([[0.0], [3.0], [1.0], [1.0], [2.0], [0.0]])}
    mixed = mix.batch(data, classes=4)[0]["y"]
    assert mixed.shape == (6, 4) and mixed.dtype == torch.float32
    torch.testing.assert_close(mixed.sum(1), torch.ones(6))
    shares = data | {"y": torch.eye(4)[data["y"][:, 0].long()]}
    for classes in (4, None):  # shares are mixed as they are
        torch.manual_seed(7)
        expected = mix.batch(data, classes=4)[0]["y"]
        torch.manual_seed(7)
        assert torch.equal(mix.batch(shares, classes=classes)[0]["y"], expected)


def test_mixed_labels_mean_the_mixed_loss() -> None:
    """Cross-entropy is linear in its labels: λ · loss(y) + (1 − λ) · loss(y[perm]), as in the paper."""
    data, logits = {"inputs": {"x": torch.rand(6, 2)}, "y": torch.randint(2, (6, 3)).float()}, torch.randn(6, 3)
    lam, perm = drawn(3, 6)
    torch.manual_seed(3)
    y = Mixup(alpha=1.0).batch(data)[0]["y"]
    loss = partial(F.binary_cross_entropy_with_logits, reduction="none")
    torch.testing.assert_close(
        loss(logits, y), lam * loss(logits, data["y"]) + (1 - lam) * loss(logits, data["y"][perm])
    )


LOSSES = concrete_losses()
LINEAR = ("BCE", "CrossEntropy", "Focal", "Asymmetric")  # in the label, so that the loss of the mean label is the same
WEIGHT = torch.tensor([0.0, 2.0, 0.5, 0.0, 1.0, 3.0])


class Says(nn.Module):
    """Gives the same output for any input."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        return self.output


def labelled(kind: str) -> Tensor:
    if kind == "multiclass":
        return torch.randint(3, (6, 1)).float()
    return torch.randn(6, 3) if kind == "regression" else torch.randint(2, (6, 3)).float()


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
@pytest.mark.parametrize("loss, kind", LOSSES, ids=str)
def test_a_mixed_loss_is_the_sum_of_both_rows_losses_each_with_its_own_weight(
    loss: Loss, kind: str, weight: Tensor | None
) -> None:
    rows, y, answers = loss.rows(kind), labelled(kind), torch.randn(2, 6, 3, requires_grad=True)
    data = {"inputs": {"x": torch.rand(6, 2)}, "y": y} | ({} if weight is None else {"weight": weight})
    lam, perm = drawn(5, 6)
    torch.manual_seed(5)
    mixed, _ = Mixup(alpha=1.0).batch(data, 3 if kind == "multiclass" else None)
    assert 0.2 < lam < 0.8 and not torch.equal(y, y[perm])
    others = (y[perm], *([] if weight is None else [weight[perm]]))
    given = (y, *([] if weight is None else [weight]))
    naive = [lam * rows(one, *given) + (1 - lam) * rows(one, *others) for one in answers]
    found = Supervised(rows)(Says(answers[0]), mixed).loss
    torch.testing.assert_close(found, naive[0].sum())
    slopes = (torch.autograd.grad(value, answers)[0] for value in (found, naive[0].sum()))
    torch.testing.assert_close(*slopes)
    several = Supervised(MeanOfOutputs(rows))(Says(answers), mixed).loss
    torch.testing.assert_close(several, (naive[0] + naive[1]).sum() / 2)
    of_mean = rows(answers[0], mixed["y"], *([] if weight is None else [mixed["weight"]])).sum()
    linear = type(loss).__name__ in LINEAR or (isinstance(loss, Ordinal) and loss.score == "log")
    if linear or kind == "regression":
        assert torch.allclose(of_mean, naive[0].sum(), rtol=1e-4) == linear


def test_a_loss_of_one_s_own_is_summed_over_both_labels_too() -> None:
    y, output = torch.rand(6, 1), torch.rand(6, 1)
    lam, perm = drawn(5, 6)
    torch.manual_seed(5)
    mixed, _ = Mixup(alpha=1.0).batch({"inputs": {"x": torch.zeros(6, 2)}, "y": y, "weight": WEIGHT})
    quartic = lambda output, y, weight: weight * ((output - y) ** 4)[:, 0]  # noqa: E731
    naive = lam * quartic(output, y, WEIGHT) + (1 - lam) * quartic(output, y[perm], WEIGHT[perm])
    torch.testing.assert_close(Supervised(quartic)(Says(output), mixed).loss, naive.sum())


@pytest.mark.parametrize("weight", [None, WEIGHT, 0 * WEIGHT], ids=["equal", "weighted", "none counts"])
@pytest.mark.parametrize("inner, kind", [(BCE(), "multilabel"), (Huber(delta=0.3), "regression")], ids=str)
def test_flooding_holds_the_mean_of_the_mixed_losses(inner: Loss, kind: str, weight: Tensor | None) -> None:
    """A flood on each label's loss would drive an output away from the label that it already knows."""
    y = labelled(kind)
    known = 2 * y - 1 if kind == "multilabel" else y  # near the own label, so that the flood lies between both losses
    output = (known + 0.1 * torch.randn(6, 3)).requires_grad_()
    data = {"inputs": {"x": torch.rand(6, 2)}, "y": y} | ({} if weight is None else {"weight": weight})
    lam, perm = drawn(5, 6)
    torch.manual_seed(5)
    mixed, _ = Mixup(alpha=1.0).batch(data)
    weight = torch.ones(6) if weight is None else weight
    rows = inner.rows(kind)
    losses = (lam * rows(output, y, weight) + (1 - lam) * rows(output, y[perm], weight[perm])).sum()
    total = (lam * weight + (1 - lam) * weight[perm]).sum()
    for above in (-0.1, 0.1):
        level = max(0.0, float(losses.detach() / total.clamp(min=1e-9)) + above)
        flooding = Flooding(loss=inner, level=level).rows(kind)
        naive = ((losses / total - level).abs() + level) * total if total else losses * 0
        step = Supervised(flooding)(Says(output), mixed)
        torch.testing.assert_close(step.loss, naive)
        torch.testing.assert_close(step.unflooded, losses)
        slopes = (torch.autograd.grad(value, output, retain_graph=True)[0] for value in (step.loss, naive))
        torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("mix", MIXES, ids=lambda m: type(m).__name__)
def test_a_row_of_weight_zero_teaches_nothing_whatever_its_label(mix: Mix) -> None:
    weight, taught = torch.tensor([1.0, 0.0, 2.0, 0.0, 1.0, 0.0]), []
    for wrong in (0.0, 1.0):
        data = pictures() | {"y": torch.rand(6, 2, generator=torch.Generator().manual_seed(1)), "weight": weight}
        data["y"][weight == 0] = wrong
        torch.manual_seed(3)
        mixed, _ = mix.batch(data)
        counts = mixed["weight"] > 0
        taught.append(mixed["y"][counts])
        assert mixed["y"].isfinite().all()
    torch.testing.assert_close(*taught)


def test_equal_weights_mix_as_none_do() -> None:
    data = {"inputs": {"x": torch.rand(6, 2)}, "y": torch.rand(6, 3)}
    torch.manual_seed(3)
    plain = Mixup().batch(data)[0]
    torch.manual_seed(3)
    mixed = Mixup().batch(data | {"weight": torch.full((6,), 2.0)})[0]
    torch.testing.assert_close(mixed["y"], plain["y"])
    torch.testing.assert_close(mixed["weight"], torch.full((6,), 2.0))


def test_a_share_of_batches_is_mixed() -> None:
    data = pictures()
    mix = EmbeddingMixup(share=0.3)
    untouched = sum(mix.batch(data)[0] is data for _ in range(1000))
    assert abs(untouched / 1000 - 0.7) < 0.06


def test_what_cannot_be_mixed_is_refused() -> None:
    y = torch.eye(2)
    for mix, inputs, sentence in (
        (Mixup(), {"ids": torch.ones(2, 3).long()}, "input 'ids' is torch.int64: use EmbeddingMixup"),
        (CutMix(), {"x": torch.ones(2, 3)}, r"input 'x' is \(2, 3\)"),
        (CutMix(), {"a": torch.ones(2, 1, 4, 4), "b": torch.ones(2, 1, 4, 5)}, "pictures of one size"),
    ):
        with pytest.raises(KitError, match=sentence):
            mix.batch({"inputs": inputs, "y": y})
    for bad in (dict(alpha=0), dict(share=0), dict(share=1.1)):
        with pytest.raises(KitError):
            Mixup(**bad)


@pytest.mark.parametrize("mix", MIXES, ids=lambda m: type(m).__name__)
def test_the_drawn_order_is_moved_once_and_not_waited_for(mix: Mix) -> None:
    class Moves(TorchDispatchMode):
        seen: list[bool] = []

        def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if op is torch.ops.aten._to_copy.default:
                self.seen.append(kwargs.get("non_blocking", False))
            return op(*args, **(kwargs or {}))

    there = {"device": "meta"}
    inputs = {name: torch.zeros(4, 1, 3, 3, **there) for name in ("pixels", "attention_mask")}  # type: ignore[arg-type]
    batch = {"inputs": inputs, "y": torch.zeros(4, 2, **there), "weight": torch.ones(4, **there)}  # type: ignore[arg-type]
    with Moves() as moves:
        mixed, transform = mix.batch(batch)
        assert transform is None or transform(inputs["pixels"]).is_meta
    assert mixed["y"].is_meta and moves.seen == [True]


def test_naming_a_mix_imports_no_torch() -> None:
    code = "import sys; from kit.train.mix import CutMix; CutMix(alpha=0.5).fingerprint(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
