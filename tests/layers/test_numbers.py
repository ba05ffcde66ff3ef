"""Embeddings of numbers: against naive loops and against the package of the papers' authors."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from kit.layers.numbers import (
    LinearEmbedding,
    PBLDEmbedding,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    PiecewiseLinearEncoding,
)

rtdl = pytest.importorskip("rtdl_num_embeddings", reason="the extra 'tables' is not installed")

X = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
EDGES = torch.tensor([[-1.0, 0.0, 0.5, 2.0], [-2.0, -2.0, 1.0, 1.0], [-1.0, 0.25, 0.25, 1.5]])  # 3, 1 and 2 bins


def bins() -> list[torch.Tensor]:
    return [row.unique() for row in EDGES]


def test_piecewise_linear_encoding_is_that_of_a_loop() -> None:
    found = PiecewiseLinearEncoding(EDGES)(X)
    for i, row in enumerate(X.tolist()):
        for j, value in enumerate(row):
            edges = np.unique(EDGES[j].numpy())
            shares = []
            for t in range(len(edges) - 1):
                share = (value - edges[t]) / (edges[t + 1] - edges[t])
                if t > 0:
                    share = max(share, 0.0)
                if t < len(edges) - 2:
                    share = min(share, 1.0)
                shares.append(share)
            *first, last = shares
            assert found[i, j].tolist() == pytest.approx([*first, *[0.0] * (3 - len(shares)), last], abs=1e-5)


@pytest.mark.filterwarnings("ignore:The 1-th feature has just two bin edges")
def test_piecewise_linear_embedding_is_the_authors() -> None:
    ours = PiecewiseLinearEmbedding(EDGES, 5)
    theirs = rtdl.PiecewiseLinearEmbeddings(bins(), 5, activation=False, version="B")
    torch.testing.assert_close(ours(X), ours.linear(X))  # the part of the bins begins at zero
    torch.nn.init.normal_(ours.bins.weight)
    theirs.linear0.load_state_dict(ours.linear.state_dict())
    theirs.linear.load_state_dict(ours.bins.state_dict())
    torch.testing.assert_close(ours(X), theirs(X))


@pytest.mark.parametrize("shared", [False, True])
def test_periodic_embedding_is_the_authors(shared: bool) -> None:
    ours = PeriodicEmbedding(3, 7, 5, 0.5, shared)
    theirs = rtdl.PeriodicEmbeddings(3, 5, n_frequencies=7, frequency_init_scale=0.5, lite=shared)
    theirs.periodic.weight.data.copy_(ours.weight)
    theirs.linear.load_state_dict(ours.linear.state_dict())
    torch.testing.assert_close(ours(X), theirs(X))
    assert 0.2 < ours.weight.std() < 0.8 and ours.weight.abs().max() <= 1.5


@pytest.mark.parametrize("relu", [False, True])
def test_linear_embedding_is_the_authors(relu: bool) -> None:
    ours = LinearEmbedding(3, 5, relu)
    theirs = (rtdl.LinearReLUEmbeddings if relu else rtdl.LinearEmbeddings)(3, 5)
    (theirs.linear if relu else theirs).load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(X), theirs(X))


def test_pbld_is_that_of_a_loop() -> None:
    layer: Any = PBLDEmbedding(3, 7, 4, sigma=0.3)
    found = layer(X)
    for j in range(3):
        pairs = zip(layer.weight[j], layer.bias[j], strict=True)
        waves = torch.stack([torch.cos(2 * math.pi * w * X[:, j] + b) for w, b in pairs])
        expected = waves.T @ layer.linear.weight[j] + layer.linear.bias[j]
        torch.testing.assert_close(found[:, j], torch.cat([expected, X[:, j : j + 1]], 1))
    assert layer.bias.abs().max() <= math.pi


def test_a_constant_column_becomes_zeros() -> None:
    assert not PiecewiseLinearEncoding(torch.full((1, 4), 2.0))(torch.tensor([[2.0], [9.0]])).any()
