"""Default losses and the plain objective against scikit-learn and closed forms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import log_loss, mean_squared_error
from torch import nn

from kit.losses import BCE, default
from kit.train import Supervised
from kit.train.objective import to_device


def test_losses_against_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    logits, y = rng.normal(0, 2, (40, 3)), rng.integers(0, 2, (40, 3))
    x = torch.from_numpy(logits)
    p = 1 / (1 + np.exp(-logits))
    for kind in ("binary", "multilabel"):
        rows = default(kind).rows(kind)(x, torch.from_numpy(y).double())
        assert rows.shape == (40,) and rows.mean().item() == pytest.approx(
            np.mean([log_loss(a, b) for a, b in zip(y.T, p.T, strict=True)]), rel=1e-5
        )
    index = rng.integers(0, 3, (40, 1))
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    rows = default("multiclass").rows("multiclass")(x, torch.from_numpy(index).float())
    np.testing.assert_allclose(rows, -np.log(softmax[np.arange(40), index[:, 0]]), rtol=1e-5)
    rows = default("regression").rows("regression")(x, torch.from_numpy(y).double())
    assert rows.shape == (40,) and rows.mean().item() == pytest.approx(mean_squared_error(y, logits), rel=1e-5)


def test_supervised_sums_rows_in_fp32() -> None:
    net, y = nn.Linear(3, 2).bfloat16(), torch.ones(5, 2)
    x = torch.ones(5, 3).bfloat16()
    net.forward = lambda x, forward=net.forward: forward(x)  # type: ignore[method-assign]
    step = Supervised(BCE())(net, {"inputs": {"x": x}, "y": y})
    assert step.loss.dtype == torch.float32 and step.output.dtype == torch.bfloat16
    expected = F.binary_cross_entropy_with_logits(step.output.float(), y, reduction="sum") / 2
    assert step.loss.item() == pytest.approx(expected.item())
    moved = to_device({"inputs": {"x": x}, "y": y}, torch.device("meta"))
    assert moved["y"].is_meta and moved["inputs"]["x"].is_meta
