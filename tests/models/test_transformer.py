"""Self-attention and the small TransformerModule, against einsum."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kit.core.errors import KitError
from kit.layers.attention import SelfAttention, rotate, visible
from kit.models.transformer import TransformerModule

LENGTHS = (6, 3, 1)


def rows(width: int = 8) -> tuple[Tensor, Tensor]:
    """Vectors (3, 6, width) and their mask."""
    torch.manual_seed(0)
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)).float()
    return torch.randn(*mask.shape, width), mask


def naive_attention(layer: SelfAttention, row: Tensor, causal: bool) -> Tensor:
    """One row (length, width) → the same shape, as in the listings of Shazeer et al. (2020)."""
    w, b = layer.into.weight.view(3, layer.heads, layer.size, -1), layer.into.bias.view(3, layer.heads, 1, layer.size)
    q, k, v = torch.einsum("lw,phsw->phls", row, w) + b
    scores = torch.einsum("hqs,hks->hqk", q, k) / layer.size**0.5
    if layer.mix_scores is not None:
        scores = torch.stack([sum(m * s for m, s in zip(mix, scores, strict=True)) for mix in layer.mix_scores])
    if causal:
        later = torch.ones(len(row), len(row)).triu(1) == 1
        scores = scores.masked_fill(later, float("-inf"))
    weights = scores.softmax(-1)
    if layer.mix_weights is not None:
        weights = torch.stack([sum(m * s for m, s in zip(mix, weights, strict=True)) for mix in layer.mix_weights])
    return torch.einsum("hqk,hks->qhs", weights, v).flatten(1) @ layer.out.weight.T + layer.out.bias


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("talking", [False, True])
@pytest.mark.parametrize("size", [None, 5])
def test_attention_is_its_definition_row_by_row(causal: bool, talking: bool, size: int | None) -> None:
    x, mask = rows()
    layer = SelfAttention(8, 2, size, talking_heads=talking).eval()
    for mix in (layer.mix_scores, layer.mix_weights):
        if mix is not None:
            torch.nn.init.normal_(mix)
    out = layer(x, visible(mask, causal))
    for i, length in enumerate(LENGTHS):
        torch.testing.assert_close(out[i, :length], naive_attention(layer, x[i, :length], causal))


def test_heads_that_do_not_talk_yet_are_plain_ones() -> None:
    x, mask = rows()
    plain, talking = SelfAttention(8, 2), SelfAttention(8, 2, talking_heads=True)
    talking.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(talking(x, visible(mask)), plain(x, visible(mask)))


def test_talking_heads_drop_weights_in_training_only() -> None:
    x, mask = rows()
    layer = SelfAttention(8, 2, dropout=0.5, talking_heads=True)
    assert not torch.equal(layer(x, visible(mask)), layer(x, visible(mask)))
    layer.eval()
    assert torch.equal(layer(x, visible(mask)), layer(x, visible(mask)))


def test_products_of_turned_vectors_depend_on_distance_alone() -> None:
    q, k = torch.randn(6), torch.randn(6)
    scores = rotate(q.expand(9, 6)) @ rotate(k.expand(9, 6)).T
    for distance in range(-8, 9):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    torch.testing.assert_close(scores[0, 0], q @ k)
    assert scores[0].unique().numel() == 9


def test_sinusoidal_positions_are_the_paper_s() -> None:
    x, mask = rows()
    net = TransformerModule(8, 8, layers=0, heads=2, positions="sinusoidal").eval()
    added = [
        [(torch.sin if f < 4 else torch.cos)(torch.tensor(t / 10_000 ** (f % 4 / 4))).item() for f in range(8)]
        for t in range(6)
    ]
    torch.testing.assert_close(net.states(x, mask)[0], F.layer_norm(x[0] + torch.tensor(added), (8,)))


OPTIONS: dict[str, dict[str, Any]] = {
    "rotary": {},
    "learnt": {"positions": "learnt"},
    "sinusoidal": {"positions": "sinusoidal", "width": 7, "heads": 7},
    "talking": {"talking_heads": True, "head_size": 6, "pool": "attention"},
    "causal": {"causal": True, "pool": "last"},
    "causal and talking": {"causal": True, "talking_heads": True, "pool": "concat"},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_padding_never_changes_an_answer(name: str) -> None:
    x, mask = rows(5)
    net = TransformerModule(5, **{"width": 8, "heads": 2, **OPTIONS[name]}).eval()
    answers = net(x, mask)
    assert answers.shape == (3, net.num_features)
    for row, length, answer in zip(x, LENGTHS, answers, strict=True):
        torch.testing.assert_close(net(row[None, :length], torch.ones(1, length))[0], answer)
    garbage = x.masked_fill(mask.unsqueeze(-1) == 0, float("nan"))
    longer = F.pad(garbage, (0, 0, 0, 2), value=float("inf")), F.pad(mask, (0, 2)).bool()
    torch.testing.assert_close(net(*longer), answers)


@pytest.mark.parametrize("name", OPTIONS)
def test_gradients_reach_every_parameter_and_bf16_stays_finite(name: str) -> None:
    x, mask = rows(5)
    net = TransformerModule(5, **{"width": 8, "heads": 2, "length": 6, **OPTIONS[name]})
    with torch.autocast("cpu", torch.bfloat16):
        out = net(x, mask)
    (out.float() * torch.randn(net.num_features)).sum().backward()
    for parameter, p in net.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.any(), parameter


@pytest.mark.parametrize("talking", [False, True])
def test_order_matters_and_later_tokens_change_earlier_states_only_without_causal(talking: bool) -> None:
    x, mask = rows()
    changed = x.clone()
    changed[0, 4:] = torch.randn(2, 8)
    for causal in (False, True):
        net = TransformerModule(8, 8, heads=2, causal=causal, talking_heads=talking).eval()
        before, after = net.states(x, mask)[0], net.states(changed, mask)[0]
        assert torch.allclose(before[:4], after[:4]) == causal
        assert not torch.allclose(before[4:], after[4:])
        swapped = net.states(x[:, [1, 0, 2, 3, 4, 5]], mask)[0]
        assert not torch.allclose(swapped[5], before[5])


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"heads": 3}, "3 heads do not divide the width 8: give head_size"),
        ({"heads": 2, "head_size": 3}, "rotary positions need an even head size, not 3"),
        ({"positions": "learned"}, "there are no positions 'learned'; did you mean 'learnt'"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KitError, match=sentence):
        TransformerModule(8, 8, **options)


def test_a_row_beyond_the_learnt_positions_is_refused() -> None:
    x, mask = rows()
    with pytest.raises(KitError, match="a row of 6 tokens: TransformerModule.length is 5"):
        TransformerModule(8, 8, positions="learnt", length=5)(x, mask)
