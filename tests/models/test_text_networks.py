"""Text networks: what all of them promise, and each one against a loop over rows without padding."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.layers.pooling import pooling
from kit.models.dpcnn import DPCNNModule
from kit.models.han import HANModule, by_sentence
from kit.models.hcn import HCNModule
from kit.models.rcnn import RCNNModule
from kit.models.textcnn import TextCNNModule
from tests.helpers.bodies import needs_bf16_lstm

INPUTS = 6
NETS: dict[str, Callable[[], Any]] = {
    "textcnn": lambda: TextCNNModule(INPUTS, filters=5, widths=(1, 2, 4)),
    "dpcnn": lambda: DPCNNModule(INPUTS, channels=8, blocks=4),
    "rcnn": lambda: RCNNModule(INPUTS, hidden=4, features=9),
    "han": lambda: HANModule(INPUTS, words=4, sentences=3),
    "hcn": lambda: HCNModule(INPUTS, filters=5, widths=(1, 3), sentence_widths=(1, 2)),
}
LENGTHS = [5, 1, 3, 11, 2]
DOCUMENTS = [[3, 2], [1], [2, 1, 7], [11, 1, 1, 2], [2]]  # words of each sentence
HIERARCHICAL = ["han", "hcn"]
WIDTHS = {"mean": 1, "max": 1, "last": 1, "concat": 3, "cls": 1, "attention": 1}  # of what a pooling gives

every_net = pytest.mark.parametrize("name", NETS)


def made(name: str) -> Any:
    torch.manual_seed(1)
    net = NETS[name]()
    for weight in net.parameters():  # no weight at 0 or 1, where a mistake would not show
        nn.init.normal_(weight, std=0.4)
    return net.eval()


def ragged(net: Any, padding: float = 0.0, extra: int = 0) -> tuple[Tensor, Tensor]:
    """States and mask of five texts; padding holds `padding`, `extra` more columns of it on every axis."""
    mask = torch.zeros(5, *((4, 11) if net.hierarchical else (11,)), dtype=torch.long)
    for i, (length, sentences) in enumerate(zip(LENGTHS, DOCUMENTS, strict=True)):
        if net.hierarchical:
            for j, words in enumerate(sentences):
                mask[i, j, :words] = 1
        else:
            mask[i, :length] = 1
    states = torch.randn(*mask.shape, INPUTS, generator=torch.Generator().manual_seed(0))
    more = (0, extra) * (mask.dim() - 1)
    states, mask = F.pad(states, (0, 0, *more)), F.pad(mask, more)
    return torch.where(mask.unsqueeze(-1) == 1, states, torch.tensor(padding)), mask


def rows(states: Tensor, mask: Tensor) -> Iterator[Any]:
    """Each text without its padding: an array (length, inputs), or a list of one for each sentence."""
    for text, kept in zip(states.numpy(), mask.bool().numpy(), strict=True):
        yield text[kept] if kept.ndim == 1 else [s[k] for s, k in zip(text, kept, strict=True) if k.any()]


# What all promise


@every_net
def test_shape_and_order_of_rows(name: str) -> None:
    net = made(name)
    states, mask = ragged(net)
    out = net(states, mask)
    assert out.shape == (5, net.num_features) and out.isfinite().all()
    order = torch.tensor([3, 0, 4, 2, 1])
    torch.testing.assert_close(net(states[order], mask[order]), out[order])
    for other in (mask.bool(), mask.float()):
        assert torch.equal(net(states, other), out)


@every_net
def test_padding_never_changes_an_answer_nor_a_gradient(name: str) -> None:
    net = made(name)
    answers = []
    for padding, extra in ((0.0, 0), (1e4, 0), (math.nan, 9)):
        states, mask = ragged(net, padding, extra)
        net.zero_grad()
        out = net(states.requires_grad_(), mask)
        out.square().sum().backward()
        assert states.grad is not None
        assert not states.grad[mask == 0].any()
        answers.append([out.detach(), states.grad[mask == 1], *(w.grad.clone() for w in net.parameters())])
    for other in answers[1:]:
        for a, b in zip(answers[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@every_net
def test_a_row_alone_is_the_row_in_its_batch(name: str) -> None:
    net = made(name)
    states, mask = ragged(net)
    out = net(states, mask)
    for i, (length, sentences) in enumerate(zip(LENGTHS, DOCUMENTS, strict=True)):
        cut = (slice(len(sentences)), slice(max(sentences))) if net.hierarchical else slice(length)
        torch.testing.assert_close(net(states[i][cut][None], mask[i][cut][None])[0], out[i], atol=1e-4, rtol=1e-4)


@every_net
def test_gradients_reach_every_weight_and_every_text(name: str) -> None:
    net = made(name)
    states, mask = ragged(net)
    net(states.requires_grad_(), mask).square().sum().backward()
    assert [n for n, w in net.named_parameters() if w.grad is None or not w.grad.any()] == []
    assert states.grad is not None and states.grad.flatten(1).any(1).all()


@every_net
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_under_bf16_autocast(name: str, dtype: Any) -> None:
    if name == "rcnn":
        needs_bf16_lstm()
    net = made(name)
    states, mask = ragged(net)
    expected = net(states, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(states.to(dtype), mask)
    torch.testing.assert_close(out.float(), expected, rtol=0.1, atol=0.1)
    out.float().square().sum().backward()
    assert all(w.grad.isfinite().all() for w in net.parameters())


@pytest.mark.parametrize("name, turned", [(n, "words") for n in NETS] + [(n, "sentences") for n in HIERARCHICAL])
def test_learns_which_of_two_comes_first(name: str, turned: str) -> None:
    """Each text is there in both orders, so that who sees no order is right half the time."""
    torch.manual_seed(0)
    net = NETS[name]()
    words = torch.randn(6, INPUTS)
    ids = torch.randint(2, 6, (16, 3, 7))
    places, columns = torch.randint(0, 6, (16,)), torch.arange(16)
    if turned == "words":
        ids[columns, 1, places], ids[columns, 1, places + 1] = 0, 1
    else:
        ids[columns, 1, places], ids[columns, 2, places] = 0, 1
    ids = torch.cat([ids, torch.where(ids < 2, 1 - ids, ids)])
    labels = torch.arange(32) // 16
    mask = torch.ones(32, 3, 7)
    mask[::2, 0] = mask[::2, 0] * (torch.arange(7) < 4)
    states = words[ids]
    if not net.hierarchical:
        states, mask = states[:, 1], mask[:, 1]
    head = nn.Linear(net.num_features, 2)
    optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=0.02)
    for _ in range(120):
        optimizer.zero_grad()
        loss = F.cross_entropy(head(net(states, mask)), labels)
        if loss < 0.1:
            return
        loss.backward()
        optimizer.step()
    pytest.fail(f"still at {loss:.2f}")


@pytest.mark.parametrize(
    "net", [TextCNNModule(3, 40, dropout=0.5), DPCNNModule(3, 120, dropout=0.5), HCNModule(3, 40, dropout=0.5)]
)
def test_dropout_drops_features_in_training_only(net: Any) -> None:
    torch.manual_seed(0)
    states = torch.randn(8, 3, 5, 3) if net.hierarchical else torch.randn(8, 5, 3)
    mask = torch.ones(states.shape[:-1])
    dropped, whole = net(states, mask), net.eval()(states, mask)
    lost = (dropped == 0)[whole != 0].float().mean()
    assert lost > 0.4 and torch.equal(net(states, mask), whole)


# Each against a loop


def weights(module: nn.Module) -> dict[str, Any]:
    return {name: weight.detach().numpy() for name, weight in module.named_parameters()}


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def window(x: Any, at: int, weight: Any, bias: Any) -> Any:
    """One answer (filters,) of a convolution whose window begins at token `at`; outside the text stand zeros."""
    places = [(i, at + i) for i in range(weight.shape[2]) if 0 <= at + i < len(x)]
    return bias + sum(weight[:, :, i] @ x[j] for i, j in places)


def textcnn(net: Any, x: Any) -> Any:
    found = []
    for convolution in net.convolutions:
        w = weights(convolution)
        windows = range(max(1, len(x) - w["weight"].shape[2] + 1))
        found.append(np.max([np.maximum(window(x, at, w["weight"], w["bias"]), 0) for at in windows], axis=0))
    return np.concatenate(found)


def dpcnn(net: Any, x: Any) -> Any:
    def same(x: Any, convolution: nn.Module) -> Any:
        return np.array([window(x, at - 1, *weights(convolution).values()) for at in range(len(x))])

    def passed(x: Any, block: Any) -> Any:
        first, second = block.convolutions
        return x + same(np.maximum(same(np.maximum(x, 0), first), 0), second)

    x = passed(same(x, net.region), net.blocks[0])
    for block in net.blocks[1:]:
        if len(x) == 1:
            break
        x = passed(np.array([x[max(0, at - 1) : at + 2].max(0) for at in range(0, len(x), 2)]), block)
    return x.max(0)


def lstm(net: nn.Module, xs: Any, start: Any) -> Any:
    w, h, cell = weights(net), start, 0 * start
    yield h
    for x in xs:
        gates = w["weight_ih_l0"] @ x + w["bias_ih_l0"] + w["weight_hh_l0"] @ h + w["bias_hh_l0"]
        into, forget, new, out = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(into) * np.tanh(new)
        h = sigmoid(out) * np.tanh(cell)
        yield h


def rcnn(net: Any, x: Any) -> Any:
    w = weights(net)
    left = list(lstm(net.left, x, w["edges"][0]))  # left[i]: having read all before word i
    right = list(lstm(net.right, x[::-1], w["edges"][1]))[::-1]  # right[i]: having read word i and all after it
    seen = [np.concatenate([left[i], x[i], right[i + 1]]) for i in range(len(x))]
    return np.max([np.tanh(w["projection.weight"] @ s + w["projection.bias"]) for s in seen], axis=0)


def gru(w: dict[str, Any], xs: Any, direction: str) -> Any:
    h = np.zeros(w[f"weight_hh_l0{direction}"].shape[1], dtype=np.float32)
    for x in xs:
        ir, iz, inew = np.split(w[f"weight_ih_l0{direction}"] @ x + w[f"bias_ih_l0{direction}"], 3)
        hr, hz, hnew = np.split(w[f"weight_hh_l0{direction}"] @ h + w[f"bias_hh_l0{direction}"], 3)
        z = sigmoid(iz + hz)
        h = (1 - z) * np.tanh(inew + sigmoid(ir + hr) * hnew) + z * h
        yield h


def read(net: Any, xs: Any) -> Any:
    w, p = weights(net.gru), weights(net.pool)
    both = zip(gru(w, xs, ""), list(gru(w, xs[::-1], "_reverse"))[::-1], strict=True)
    states = [np.concatenate(pair) for pair in both]
    scores = [float(p["context.weight"][0] @ np.tanh(p["hidden.weight"] @ s + p["hidden.bias"])) for s in states]
    return sum(math.exp(score) * s for score, s in zip(scores, states, strict=True)) / sum(map(math.exp, scores))


NAIVE: dict[str, Callable[[Any, Any], Any]] = {
    "textcnn": textcnn,
    "dpcnn": dpcnn,
    "rcnn": rcnn,
    "han": lambda net, text: read(net.sentences, [read(net.words, sentence) for sentence in text]),
    "hcn": lambda net, text: textcnn(net.sentences, np.array([textcnn(net.words, sentence) for sentence in text])),
}


@pytest.mark.parametrize("name", NAIVE)
@torch.no_grad()
def test_against_loops(name: str) -> None:
    net = made(name)
    states, mask = ragged(net, padding=3.0)
    expected = np.stack([NAIVE[name](net, text) for text in rows(states, mask)])
    np.testing.assert_allclose(net(states, mask), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_depth_of_a_dpcnn_follows_the_length_of_the_row() -> None:
    """A row of n tokens passes 1 + ⌈log2 n⌉ blocks: to spoil a later one does not touch it."""
    net = made("dpcnn")
    states, mask = ragged(net)
    out = net(states, mask)
    for level, block in enumerate(net.blocks):
        bias = block.convolutions[1].bias
        good = bias.clone()
        bias.add_(1)
        touched = (net(states, mask) != out).any(1)
        bias.copy_(good)
        assert touched.tolist() == [math.ceil(math.log2(n)) >= level for n in LENGTHS]


@torch.no_grad()
def test_only_sentences_with_words_are_encoded() -> None:
    net = made("han")
    states, mask = ragged(net, padding=math.nan, extra=3)
    seen = []

    def encode(states: Tensor, mask: Tensor) -> Tensor:
        seen.append((states.shape, mask.sum(1).tolist()))
        return states[:, 0]

    vectors, there = by_sentence(encode, states, mask)  # type: ignore[arg-type]
    assert seen == [((11, 11, INPUTS), [words for text in DOCUMENTS for words in text])]
    assert there.sum(1).tolist() == [len(text) for text in DOCUMENTS]
    torch.testing.assert_close(vectors, torch.where(there[..., None], states[:, :, 0], torch.tensor(0.0)))


# Pooling


@pytest.mark.parametrize("name", WIDTHS)
def test_a_pooling_tells_the_width_it_gives(name: str) -> None:
    pool = pooling(name, INPUTS)
    assert (
        pool.width == WIDTHS[name] * INPUTS and pool(torch.randn(2, 3, INPUTS), torch.ones(2, 3)).shape[1] == pool.width
    )


@pytest.mark.parametrize("name", ["max", "last", "concat"])
def test_pooling_against_loops_whatever_the_padding(name: str) -> None:
    pool = pooling(name, INPUTS)
    net = TextCNNModule(INPUTS)
    naive = {
        "max": lambda text: text.max(0),
        "last": lambda text: text[-1],
        "concat": lambda text: np.concatenate([text.mean(0), text.max(0), text[-1]]),
    }[name]
    for padding, extra in ((0.0, 0), (1e4, 3)):
        states, mask = ragged(net, padding, extra)
        expected = np.stack([naive(text - 3) for text in rows(states, mask)])
        for kept in (mask, mask.bool(), mask.float()):
            np.testing.assert_allclose(pool(states - 3, kept), expected, rtol=1e-5, atol=1e-6)
    flipped = states.flip(1), mask.flip(1)  # padding in front
    if name == "last":
        assert torch.equal(pool(*flipped), states[:, 0])


@pytest.mark.parametrize("name", ["max", "last", "concat"])
def test_pooling_of_nothing_is_zero_and_harms_no_gradient(name: str) -> None:
    states, mask = torch.full((2, 3, INPUTS), 2.0, requires_grad=True), torch.tensor([[1, 1, 0], [0, 0, 0]])
    out = pooling(name, INPUTS)(states, mask)
    out.sum().backward()
    assert (out[0] == 2).all() and not out[1].any()
    assert states.grad is not None and states.grad.isfinite().all() and not states.grad[mask == 0].any()
