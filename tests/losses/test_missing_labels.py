"""Losses where labels are missing in some columns: they are left out, and the others count as before."""

from typing import Any

import pytest
import torch
from torch import Tensor

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
)
from kit.train.mix import Mixup

torch.manual_seed(0)
Z, Y = torch.randn(9, 3), (torch.rand(9, 3) < 0.5).float()
KNOWN = torch.rand(9, 3) < 0.6
KNOWN[0] = False
HOLED = torch.where(KNOWN, Y, torch.nan)
CELLS = [
    BCE(), BCE(pos_weight=(2.0, 1.0, 0.5), smoothing=0.1), Focal(alpha=(0.2, 0.5, 0.9)), Asymmetric(), BiTempered(),
    Squared(), Huber(delta=(0.5, 1.0, 2.0)), Quantile(q=0.3),
]  # fmt: skip


def gradient(loss: Any, y: Tensor, z: Tensor = Z, **given: Any) -> tuple[Tensor, Tensor]:
    z = z.clone().requires_grad_()
    rows = loss(z, y, **given)
    rows.sum().backward()
    assert z.grad is not None
    return rows.detach(), z.grad


@pytest.mark.parametrize("loss", CELLS, ids=str)
def test_the_known_labels_count_as_they_do_beside_all_others(loss: Loss) -> None:
    rows, slope = gradient(loss, HOLED)
    # a label's part of the loss, found by flipping nothing but what stands in the gaps
    whole, whole_slope = gradient(loss, Y)
    assert torch.allclose(slope, torch.where(KNOWN, whole_slope, 0.0), atol=1e-6)
    assert rows[0] == 0 and torch.isfinite(rows).all()
    full = KNOWN.all(1)
    assert torch.equal(rows[full], whole[full]) and full.any()
    total = sum(gradient(loss, torch.where(torch.eye(3)[j] > 0, Y, torch.nan))[0] for j in range(3))
    assert torch.allclose(torch.as_tensor(total), whole, atol=1e-6)  # columns add up


@pytest.mark.parametrize("loss", [SoftF1(), SoftAUC()], ids=str)
def test_losses_of_a_batch_compare_known_rows_alone(loss: Loss) -> None:
    rows, slope = gradient(loss, HOLED)
    assert (slope[~KNOWN] == 0).all() and (slope[KNOWN] != 0).any() and rows[0] == 0
    value = rows[KNOWN.all(1)][0]  # that of the batch
    columns = []
    for j in range(3):
        known = KNOWN[:, j]
        columns.append(loss(Z[known, j : j + 1], Y[known, j : j + 1])[0])
    assert torch.allclose(value, torch.stack(columns).mean(), atol=1e-6)


def test_flooding_looks_at_the_mean_over_known_labels() -> None:
    mean = float(torch.stack([BCE()(Z[i : i + 1], HOLED[i : i + 1])[0] for i in range(9)]).sum() * 3 / KNOWN.sum())
    below, above = (gradient(Flooding(loss=BCE(), level=mean * factor), HOLED)[1] for factor in (0.99, 1.01))
    assert torch.allclose(below, -above) and torch.allclose(below, gradient(BCE(), HOLED)[1])


def test_weights_of_rows_still_count() -> None:
    weight = torch.rand(9)
    assert torch.allclose(BCE()(Z, HOLED, weight), weight * BCE()(Z, HOLED))


def test_kits_losses_say_that_they_leave_gaps_out() -> None:
    assert all(loss.gaps for loss in (*CELLS, SoftF1(), SoftAUC(), CrossEntropy(), Ordinal(), Flooding(loss=BCE())))
    assert not Loss.gaps  # one's own says it


@pytest.mark.parametrize("loss", [BCE(), Flooding(loss=BCE(), level=0.01)], ids=str)
def test_of_mixed_rows_each_label_that_is_known_counts_with_its_rows_share(loss: Loss) -> None:
    torch.manual_seed(1)
    batch, _ = Mixup().batch({"inputs": {"x": torch.randn(9, 2)}, "y": HOLED})
    mixed = batch["mixed"]
    rows = mixed.losses(loss, Z)
    (own, other), share = mixed.labels, mixed.share
    plain = share * BCE()(Z, own) + (1 - share) * BCE()(Z, other)
    assert torch.allclose(rows, plain, atol=1e-6) and torch.isfinite(rows).all()  # above the flood level
