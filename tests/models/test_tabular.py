"""Networks of tables: against the modules of their papers, or against their equations written plainly."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.layers.numbers import LinearEmbedding, PiecewiseLinearEmbedding
from kit.losses import BCE
from kit.members.tabular.numbers import PiecewiseLinear
from kit.models import (
    ColumnTokens,
    ColumnVector,
    FTTransformerModule,
    Headed,
    PerceptronModule,
    RealMLPModule,
    TabMModule,
    TabularModule,
    TabularResNetModule,
)
from kit.train import MeanOfOutputs

X = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
IDS = torch.randint(0, 4, (12, 2), generator=torch.Generator().manual_seed(1))
NONE = torch.zeros(12, 0, dtype=torch.int64)


# ---- columns -----------------------------------------------------------------------------------


def test_a_row_as_one_vector() -> None:
    columns: Any = ColumnVector(3, (4, 9), width=2, one_hot=3, gaps=(1,))
    numbers = X.clone()
    numbers[0, 1] = torch.nan
    vector = columns(numbers, IDS)
    assert columns.chunks == [1, 1, 1, 1, 3, 2] and vector.shape == (12, columns.width) == (12, 9)
    assert vector[0, :4].tolist() == [X[0, 0], 0, X[0, 2], 1] and not vector[1:, 3].any()
    hot = F.one_hot(IDS[:, 0], 4)[:, 1:].float()  # the id 0 is all zeros
    torch.testing.assert_close(vector[:, 4:7], hot)
    torch.testing.assert_close(vector[:, 7:], columns.categories.tables[0](IDS[:, 1]))
    assert not columns(numbers, torch.zeros(12, 2, dtype=torch.int64))[:, 4:].any()  # what is unknown says nothing yet


def test_a_missing_number_has_a_vector_of_its_own() -> None:
    columns: Any = ColumnVector(3, (), LinearEmbedding(3, 2), gaps=(1,))
    assert columns.chunks == [2, 2, 2]
    nn.init.normal_(columns.numbers.missing)
    numbers = X.clone()
    numbers[::2, 1] = torch.nan
    vectors = columns(numbers, NONE).unflatten(1, (3, 2))
    torch.testing.assert_close(vectors[::2, 1], columns.numbers.missing[1].expand(6, 2))
    torch.testing.assert_close(vectors[1::2], columns.numbers.embedding(X)[1::2])
    vectors.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in columns.parameters())


# ---- TabM --------------------------------------------------------------------------------------


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.filterwarnings("ignore:When training=False")
def test_tabm_is_the_authors(embedded: bool) -> None:
    tabm = pytest.importorskip("tabm", reason="the extra 'tables' is not installed")
    rtdl = pytest.importorskip("rtdl_num_embeddings")
    edges = torch.tensor([[-2.0, -0.5, 0.5, 2.0]]).repeat(3, 1)
    theirs: Any = tabm.TabM.make(
        n_num_features=3,
        cat_cardinalities=[3, 3],
        d_out=2,
        k=4,
        d_block=6,
        n_blocks=2,
        dropout=0.0,
        num_embeddings=rtdl.PiecewiseLinearEmbeddings(list(edges), 5, activation=False, version="B")
        if embedded
        else None,
    )
    columns: Any = ColumnVector(3, (4, 4), PiecewiseLinearEmbedding(edges, 5) if embedded else None, one_hot=9)
    net: Any = TabMModule(columns.width, 6, 2, 4, 0.0, columns.chunks, signs=not embedded)
    ours: Any = Headed(TabularModule(columns, net), 2, 0.0, link="identity")
    drawn = net.blocks[0].r.detach().clone()
    with torch.no_grad():
        for block, other in zip(net.blocks, theirs.backbone.blocks, strict=True):
            block.load_state_dict(other[0].state_dict())
        ours.head.weight.copy_(theirs.output.weight)
        ours.head.bias.copy_(theirs.output.bias[:, None])
        if embedded:
            nn.init.normal_(theirs.num_module.linear.weight)
            columns.numbers.embedding.linear.load_state_dict(theirs.num_module.linear0.state_dict())
            columns.numbers.embedding.bins.load_state_dict(theirs.num_module.linear.state_dict())
    ids = IDS.clamp(min=1)
    expected = theirs(X, ids - 1)  # (n, members, outputs)
    torch.testing.assert_close(ours.train()(numbers=X, categories=ids), expected.transpose(0, 1))
    torch.testing.assert_close(ours.eval()(numbers=X, categories=ids), expected.mean(1))
    parts = drawn.split(columns.chunks, dim=1)  # the first scales: one number a column and member
    assert all((part == part[:, :1]).all() for part in parts) and len(drawn.unique()) > (1 if not embedded else 10)
    assert embedded or drawn.abs().unique().tolist() == [1.0]


def test_members_of_tabm_learn_from_the_mean_of_their_losses() -> None:
    net: Any = Headed(TabularModule(columns := ColumnVector(3, ()), TabMModule(columns.width, 6, 2, 4)), 1, 0.0)
    assert net.gives_several
    y = torch.randint(0, 2, (12, 1)).float()
    outputs = net.train()(numbers=X, categories=NONE)
    each = torch.stack([F.binary_cross_entropy_with_logits(one, y, reduction="none")[:, 0] for one in outputs])
    loss = MeanOfOutputs(BCE())(outputs, y)
    torch.testing.assert_close(loss, each.mean(0))
    of_mean = F.binary_cross_entropy(outputs.sigmoid().mean(0), y, reduction="none")[:, 0]
    assert (loss - of_mean).abs().max() > 1e-4
    torch.testing.assert_close(net.eval()(numbers=X, categories=NONE).sigmoid(), outputs.sigmoid().mean(0))


# ---- FT-Transformer ----------------------------------------------------------------------------


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """softmax(q kᵀ / √d) v for one row, head by head."""
    size = q.shape[1] // heads
    parts = [slice(i * size, (i + 1) * size) for i in range(heads)]
    return torch.cat([(q[:, p] @ k[:, p].T / math.sqrt(size)).softmax(1) @ v[:, p] for p in parts], 1)


def naive_transformer(net: Any, tokens: Tensor, heads: int) -> Tensor:
    """One row (columns, width), by section 3.3 of Gorishniy et al. (2021): pre-norm, no first norm, ReGLU."""
    states = torch.cat([net.first[None], tokens])
    for i, layer in enumerate(net.layers):
        normed = (
            states
            if i == 0
            else F.layer_norm(states, states.shape[1:], layer.attention_norm.weight, layer.attention_norm.bias)
        )
        k, v = layer.key_value(normed).chunk(2, dim=1)
        states = states + layer.out(attention(layer.query(normed), k, v, heads))
        a, b = layer.into(layer.norm(states)).chunk(2, dim=1)
        states = states + layer.back(a * torch.relu(b))
    return torch.relu(net.norm(states[0]))


@pytest.mark.parametrize("layers", [1, 3])
def test_ft_transformer_is_its_equations(layers: int) -> None:
    net: Any = FTTransformerModule(8, layers, 2, 6).eval()
    for weight in net.parameters():
        nn.init.normal_(weight, std=0.4)
    tokens = torch.randn(5, 4, 8)
    expected = torch.stack([naive_transformer(net, row, 2) for row in tokens])
    torch.testing.assert_close(net(tokens), expected, rtol=1e-4, atol=1e-5)


def test_tokens_of_columns() -> None:
    columns: Any = ColumnTokens(3, (4, 4), LinearEmbedding(3, 8), 8)
    tokens = columns(X, IDS)
    assert tokens.shape == (12, 5, 8) and columns.count == 5
    torch.testing.assert_close(
        tokens[:, 2], X[:, 2:] * columns.numbers.embedding.weight[2] + columns.numbers.embedding.bias[2]
    )
    torch.testing.assert_close(tokens[:, 4], columns.categories.tables[1](IDS[:, 1]) + columns.bias[1])


# ---- ResNet, perceptron, RealMLP ---------------------------------------------------------------


def test_resnet_is_its_equations() -> None:
    net: Any = TabularResNetModule(5, 6, 2, 7)
    x = torch.randn(30, 5)
    for _ in range(3):
        net.train()(x)  # batch norm gets statistics
    state = net.first(x)
    for norm, first, _, _, second, _ in net.eval().blocks:
        normed = (state - norm.running_mean) / torch.sqrt(norm.running_var + norm.eps) * norm.weight + norm.bias
        state = state + torch.relu(normed @ first.weight.T + first.bias) @ second.weight.T + second.bias
    torch.testing.assert_close(net(x), torch.relu(net.norm(state)))
    assert torch.isfinite(net.train()(x[:1])).all()  # a batch of one row


def test_perceptron_is_its_equations() -> None:
    net: Any = PerceptronModule(5, (6, 4)).eval()
    x = torch.randn(3, 5)
    first, second = net.layers
    hidden = torch.relu(x @ first.weight.T + first.bias)
    torch.testing.assert_close(net(x), torch.relu(hidden @ second.weight.T + second.bias))


def test_realmlp_is_its_equations() -> None:
    net: Any = RealMLPModule(5, (6, 4), "mish").eval()
    for weight in net.parameters():
        nn.init.normal_(weight)
    x = torch.randn(3, 5)
    state = x * net.scale.weight
    for layer in net.layers:
        made = state @ layer.linear.weight / math.sqrt(state.shape[1]) + layer.linear.bias
        state = made + layer.slope * (made * torch.tanh(torch.log1p(made.exp())) - made)
    torch.testing.assert_close(net(x), state)


def test_realmlp_begins_with_outputs_of_deviation_one_and_units_centred_at_rows() -> None:
    net: Any = RealMLPModule(5, (64, 32), "selu").eval()
    x = 30 * torch.randn(400, 5) + 7
    features = net.initialise(x)
    torch.testing.assert_close(net(x), features)
    first, second = net.layers
    for layer, given in ((first.linear, x), (second.linear, first(x))):
        made = given @ layer.weight / math.sqrt(given.shape[1])
        torch.testing.assert_close(made.std(0, correction=0), torch.ones(made.shape[1]), rtol=1e-3, atol=1e-3)
        low, high = -made.max(0).values, -made.min(0).values  # a mean of a few rows lies between them
        assert ((layer.bias >= low - 1e-3) & (layer.bias <= high + 1e-3)).all() and layer.bias.std() > 0.1


def test_rates_of_realmlp() -> None:
    columns: Any = ColumnVector(3, (4,), LinearEmbedding(3, 2))
    net: Any = Headed(TabularModule(columns, RealMLPModule(columns.width, (6,), "selu")), 1)
    found = {name: net.lr_scale(name) for name, _ in net.named_parameters()}
    assert found == {
        "body.columns.numbers.missing": 0.1,
        "body.columns.numbers.embedding.weight": 0.1,
        "body.columns.numbers.embedding.bias": 0.1,
        "body.columns.categories.tables.0.weight": 1,
        "body.net.scale.weight": 6,
        "body.net.layers.0.linear.weight": 1,
        "body.net.layers.0.linear.bias": 0.1,
        "body.net.layers.0.slope": 0.1,
        "head.weight": 1,
        "head.bias": 0.1,
    }
    assert net.decay_scale("body.net.scale.weight") == 6 and net.decay_scale("body.net.layers.0.linear.bias") == 0
    assert (
        net.decay_scale("body.net.layers.0.slope") == pytest.approx(0.1)
        and net.decay_scale("body.net.layers.0.linear.weight") == 1
    )


def test_layers_are_counted_from_the_top() -> None:
    body: Any = TabularModule(ColumnVector(3, (4,)), TabMModule(11, 6, 3, 2))
    layers = [body.layer_of(f"net.blocks.{i}.weight") for i in range(3)]
    assert layers == [2, 1, 0] and body.layer_of("columns.categories.tables.0.weight") == 3


def test_edges_of_bins_are_quantiles_of_known_numbers() -> None:
    numbers = np.stack([np.arange(101.0), np.full(101, np.nan)], axis=1)
    numbers[::2, 0] = np.nan
    edges = PiecewiseLinear(bins=4).edges(numbers)
    np.testing.assert_allclose(edges, [[1.0, 25.5, 50.0, 74.5, 99.0], [0.0] * 5])
