"""Recurrent networks and the language model, against loops over time and rows without padding."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.layers.weight_drop import EmbeddingDropout, LockedDropout, WeightDropLSTM
from kit.models.awdlstm import AWDLSTMModule
from kit.models.language_model import LanguageModel
from kit.models.onlstm import ONLSTMModule
from kit.models.rnn import RNNModule, reverse
from kit.models.transformer import TransformerModule
from kit.train import Stage
from kit.train.optim import parameter_groups
from tests.helpers.bodies import needs_bf16_lstm

LENGTHS = (6, 3, 1)

NETS: dict[str, Any] = {
    "lstm": lambda: RNNModule(5, 4, layers=2, dropout=0.2, pool="attention"),
    "gru": lambda: RNNModule(5, 4, kind="gru"),
    "onlstm": lambda: ONLSTMModule(5, 6, layers=2, chunk=2, dropout=0.2, weight_drop=0.2),
    "onlstm both ways": lambda: ONLSTMModule(5, 6, layers=2, chunk=2, bidirectional=True, pool="last"),
    "awdlstm": lambda: AWDLSTMModule(5, 6, layers=2, last=3),
}


def rows(width: int = 5) -> tuple[Tensor, Tensor]:
    """Vectors (3, 6, width) and their mask."""
    torch.manual_seed(0)
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)).float()
    return torch.randn(*mask.shape, width), mask


@pytest.mark.parametrize("name", NETS)
def test_padding_never_changes_an_answer(name: str) -> None:
    x, mask = rows()
    net = NETS[name]().eval()
    answers = net(x, mask)
    assert answers.shape == (3, net.num_features)
    for row, length, answer in zip(x, LENGTHS, answers, strict=True):
        torch.testing.assert_close(net(row[None, :length], torch.ones(1, length))[0], answer)
    garbage = x.masked_fill(mask.unsqueeze(-1) == 0, float("nan"))
    longer = F.pad(garbage, (0, 0, 0, 2), value=float("inf")), F.pad(mask, (0, 2)).bool()
    torch.testing.assert_close(net(*longer), answers)


@pytest.mark.parametrize("name", NETS)
def test_gradients_reach_every_parameter_and_bf16_stays_finite(name: str) -> None:
    if "lstm" in name:
        needs_bf16_lstm()
    x, mask = rows()
    net = NETS[name]()
    with torch.autocast("cpu", torch.bfloat16):
        out = net(x, mask)
    out.float().square().sum().backward()
    for parameter, p in net.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.any(), parameter


def test_rows_are_turned_within_their_length() -> None:
    ids, mask = torch.arange(18).view(3, 6), rows()[1]
    assert reverse(ids, mask).tolist() == [[5, 4, 3, 2, 1, 0], [8, 7, 6, 9, 10, 11], [12, 13, 14, 15, 16, 17]]
    assert torch.equal(reverse(reverse(ids, mask), mask), ids)


@pytest.mark.parametrize("kind, make", [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_rnn_is_torch_s_bidirectional_one_row_by_row(kind: Any, make: Any) -> None:
    x, mask = rows()
    net, theirs = RNNModule(5, 4, layers=2, kind=kind), make(5, 4, num_layers=2, bidirectional=True, batch_first=True)
    ways = {"ahead": "", "back": "_reverse"}
    named = {}
    for name, p in net.layers.named_parameters():
        layer, way, weight = name.split(".")
        named[weight.replace("_l0", f"_l{layer}") + ways[way]] = p
    theirs.load_state_dict(named)
    states, pooled = net.states(x, mask), net(x, mask)
    for i, length in enumerate(LENGTHS):
        expected, hidden = theirs(x[i : i + 1, :length])
        torch.testing.assert_close(states[i, :length], expected[0])
        last = hidden[0] if kind == "lstm" else hidden
        ahead, back = expected[0].chunk(2, -1)
        parts = [
            part for way, end in ((ahead, last[-2, 0]), (back, last[-1, 0])) for part in (way.mean(0), way.amax(0), end)
        ]
        torch.testing.assert_close(pooled[i], torch.cat(parts))


def naive_lstm(x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
    """(n, length, inputs) → (n, length, hidden), gate by gate and step by step."""
    h = c = x.new_zeros(len(x), w_hh.shape[1])
    seen = []
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t] @ w_ih.T + h @ w_hh.T + bias).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        seen.append(h)
    return torch.stack(seen, 1)


def test_weight_drop_is_an_lstm_with_one_masked_matrix_and_gradients_go_to_the_raw_one() -> None:
    x, layer = rows()[0], WeightDropLSTM(5, 4, p=0.5)
    lstm = layer.lstm
    torch.manual_seed(1)
    out = layer(x)
    torch.manual_seed(1)
    scale = F.dropout(torch.ones(16, 4), 0.5)
    raw = lstm.weight_hh_l0.detach().clone().requires_grad_()
    expected = naive_lstm(x, lstm.weight_ih_l0, scale * raw, lstm.bias_ih_l0 + lstm.bias_hh_l0)
    torch.testing.assert_close(out, expected)
    weighing = torch.randn_like(out)
    (out * weighing).sum().backward()
    (expected * weighing).sum().backward()
    assert 0 < (scale == 0).sum() < 64
    torch.testing.assert_close(lstm.weight_hh_l0.grad, raw.grad)
    assert torch.equal(lstm.weight_hh_l0.grad == 0, scale == 0)
    assert not torch.equal(layer(x), out)
    assert copy.deepcopy(layer).state_dict().keys() == layer.state_dict().keys()  # a step leaves nothing behind
    assert torch.equal(layer.eval()(x), lstm(x)[0])


def test_locked_dropout_has_one_mask_a_row_and_embedding_dropout_one_a_batch() -> None:
    torch.manual_seed(0)
    x = torch.ones(40, 9, 50)
    locked = LockedDropout(0.3)
    y = locked(x)
    assert (y == y[:, :1]).all() and not (y == y[:1]).all()
    torch.testing.assert_close(y.unique(), torch.tensor([0, 1 / 0.7]))
    assert abs((y[:, 0] == 0).float().mean() - 0.3) < 0.04
    ids = torch.randint(200, (40, 9))
    types = EmbeddingDropout(200, 0.3)
    z = types(x, ids)
    kept = {int(i): float(v) for i, v in zip(ids.flatten(), z[..., 0].flatten(), strict=True)}
    assert torch.equal(z, torch.tensor([kept[int(i)] for i in ids.flatten()]).view(40, 9, 1).expand_as(z))
    assert 0.15 < sum(v == 0 for v in kept.values()) / len(kept) < 0.45
    assert torch.equal(locked.eval()(x), x) and torch.equal(types.eval()(x, ids), x)


def test_awdlstm_drops_inputs_weights_and_layers_in_its_places() -> None:
    x, mask = rows()
    net = AWDLSTMModule(
        5, 6, layers=2, last=3, input_dropout=0.3, hidden_dropout=0.4, output_dropout=0.5, weight_drop=0.6, pool="mean"
    )
    torch.manual_seed(2)
    pooled = net(x, mask)
    torch.manual_seed(2)
    states = x * mask.unsqueeze(-1)
    for layer, width, p in zip(net.layers, (5, 6), (0.3, 0.4), strict=True):
        lstm: Any = layer.lstm
        states = states * F.dropout(torch.ones(3, 1, width), p)
        weight = lstm.weight_hh_l0 * F.dropout(torch.ones_like(lstm.weight_hh_l0), 0.6)
        states = naive_lstm(states, lstm.weight_ih_l0, weight, lstm.bias_ih_l0 + lstm.bias_hh_l0)
    states = states * F.dropout(torch.ones(3, 1, 3), 0.5) * mask.unsqueeze(-1)
    torch.testing.assert_close(pooled, states.sum(1) / mask.sum(1, keepdim=True))
    plain = net.layers[1].lstm(net.layers[0].lstm(x)[0])[0]
    torch.testing.assert_close(net.eval().states(x, mask)[0], plain[0])


def naive_onlstm(x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, chunk: int) -> Tensor:
    """One row (length, inputs) → (length, hidden), equations (6) to (14) of the paper, every neuron with its gate."""
    hidden = len(w_hh)
    levels = hidden // chunk
    h = c = x.new_zeros(hidden)
    seen = []
    for t in range(len(x)):
        z = x[t] @ w_ih + h @ w_hh + bias
        forget = torch.stack([z[:levels].softmax(0)[: k + 1].sum() for k in range(levels)]).repeat_interleave(chunk)
        put = 1 - torch.stack(
            [z[levels : 2 * levels].softmax(0)[: k + 1].sum() for k in range(levels)]
        ).repeat_interleave(chunk)
        f, i, o, g = z[2 * levels :].chunk(4)
        both = forget * put
        f = f.sigmoid() * both + (forget - both)
        i = i.sigmoid() * both + (put - both)
        c = f * c + i * g.tanh()
        h = o.sigmoid() * c.tanh()
        seen.append(h)
    return torch.stack(seen)


@pytest.mark.parametrize("both_ways", [False, True])
def test_onlstm_follows_the_paper_s_equations(both_ways: bool) -> None:
    x, mask = rows()
    net = ONLSTMModule(5, 6, layers=1, chunk=2, bidirectional=both_ways, weight_drop=0.5)
    layer: Any = net.layers[0]
    torch.manual_seed(3)
    states = net.states(x, mask)
    torch.manual_seed(3)
    dropped, bias = F.dropout(layer.weight_hh, 0.5), layer.bias.view(1 + both_ways, -1)
    for i, length in enumerate(LENGTHS):
        way = [x[i, :length], x[i, :length].flip(0)][: 1 + both_ways]
        seen = [naive_onlstm(w, layer.weight_ih[d], dropped[d], bias[d], 2) for d, w in enumerate(way)]
        expected = torch.cat([seen[0], *(back.flip(0) for back in seen[1:])], -1)
        torch.testing.assert_close(states[i, :length], expected)


def test_onlstm_s_bias_is_a_vector_and_has_no_weight_decay() -> None:
    decayed, plain = parameter_groups(
        ONLSTMModule(5, 6, layers=2, chunk=2, bidirectional=True), Stage(weight_decay=0.1)
    )
    assert decayed["weight_decay"] == 0.1 and all(p.ndim == 3 for p in decayed["params"])
    assert plain["weight_decay"] == 0 and [p.shape for p in plain["params"][:2]] == [(60,), (60,)]


BODIES: dict[str, Any] = {
    "awdlstm": lambda: AWDLSTMModule(8, 10, layers=2, last=8),
    "onlstm": lambda: ONLSTMModule(8, 8, chunk=4, layers=2),
    "transformer": lambda: TransformerModule(8, 8, layers=1, heads=2, causal=True, dropout=0.0),
}


def text(units: int = 11) -> tuple[Tensor, Tensor]:
    """Ids and mask (3, 6)."""
    mask = rows()[1]
    return torch.randint(units, mask.shape), mask


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("backwards", [False, True])
def test_the_language_model_s_loss_is_that_of_rows_read_one_by_one(body: str, backwards: bool) -> None:
    ids, mask = text()
    model = LanguageModel(11, 8, BODIES[body](), backwards=backwards).eval()
    nn.init.normal_(model.bias)
    losses, surprise, states = model(ids, mask), model.surprise(ids, mask), model.states(ids, mask)
    for i, length in enumerate(LENGTHS):
        row = ids[i, :length].flip(0) if backwards else ids[i, :length]
        seen = model.body.states(model.embedding(row)[None], torch.ones(1, length))[0]
        logits = seen @ model.embedding.weight.T + model.bias
        nats = torch.tensor([0.0] + [-logits[t].log_softmax(0)[row[t + 1]].item() for t in range(length - 1)])
        torch.testing.assert_close(losses[i], nats.sum())
        torch.testing.assert_close(surprise[i], F.pad(nats.flip(0) if backwards else nats, (0, 6 - length)))
        torch.testing.assert_close(states[i, :length], seen.flip(0) if backwards else seen)


def test_the_backwards_twin_is_the_forward_model_on_reversed_rows() -> None:
    ids, mask = text()
    forward = LanguageModel(11, 8, BODIES["onlstm"]()).eval()
    twin = LanguageModel(11, 8, BODIES["onlstm"](), backwards=True).eval()
    twin.load_state_dict(forward.state_dict())
    torch.testing.assert_close(twin(ids, mask), forward(reverse(ids, mask), mask))
    assert not torch.allclose(twin(ids, mask)[:2], forward(ids, mask)[:2])


@pytest.mark.parametrize("cutoffs", [(), (4,)])
def test_logits_in_chunks_give_the_same_loss_and_gradients(cutoffs: tuple[int, ...]) -> None:
    ids, mask = text()
    whole = LanguageModel(11, 8, BODIES["onlstm"](), embedding_dropout=0, dropout=0, cutoffs=cutoffs)
    chunked = LanguageModel(11, 8, BODIES["onlstm"](), embedding_dropout=0, dropout=0, cutoffs=cutoffs, logits=33)
    chunked.load_state_dict(whole.state_dict())
    losses = [model(ids, mask) for model in (whole, chunked)]
    torch.testing.assert_close(*losses)
    for loss in losses:
        loss.sum().backward()
    for p, q in zip(whole.parameters(), chunked.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)
        assert p.grad.any()


def test_the_adaptive_softmax_is_torch_s() -> None:
    ids, mask = text()
    model = LanguageModel(11, 8, AWDLSTMModule(8, 16, layers=1), cutoffs=(4, 8)).eval()
    assert model.adaptive is not None
    likely = model.adaptive.log_prob(model.states(ids, mask)[:, :-1].flatten(0, 1)).view(3, 5, 11)
    nats = -likely.gather(-1, ids[:, 1:, None]).squeeze(-1) * mask[:, 1:]
    torch.testing.assert_close(model(ids, mask), nats.sum(1))
    needs_bf16_lstm()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(model(ids, mask), nats.sum(1), rtol=0.02, atol=0.02)


def test_activation_regularisation_is_of_dropped_states_and_the_temporal_one_of_whole_ones() -> None:
    ids, mask = text()
    model = LanguageModel(11, 8, BODIES["onlstm"](), embedding_dropout=0, dropout=0.5, ar=2.0, tar=3.0)
    torch.manual_seed(4)
    loss = model(ids, mask)
    torch.manual_seed(4)
    dropout = F.dropout(torch.ones(3, 1, 8), 0.5)
    states = model.states(ids, mask)
    logits = (states * dropout) @ model.embedding.weight.T + model.bias
    for i, length in enumerate(LENGTHS):
        expected = F.cross_entropy(logits[i, : length - 1], ids[i, 1:length], reduction="sum")
        for t in range(length - 1):
            expected = expected + 2 * (states[i, t] * dropout[i, 0]).square().mean()
        for t in range(length - 2):  # of states that something is predicted from
            expected = expected + 3 * (states[i, t + 1] - states[i, t]).square().mean()
        torch.testing.assert_close(loss[i], expected)


CARRYING = {
    "awdlstm": lambda: AWDLSTMModule(8, 6, 2, 8, weight_drop=0.0, input_dropout=0.0, hidden_dropout=0.0),
    "onlstm": lambda: ONLSTMModule(8, 8, 2, 4),
}


@pytest.mark.parametrize("body", CARRYING)
def test_what_is_remembered_of_a_text_makes_its_windows_one_text(body: str) -> None:
    torch.manual_seed(0)
    model = LanguageModel(11, 8, CARRYING[body](), embedding_dropout=0, dropout=0, rows=3)
    ids, places = torch.randint(1, 11, (2, 13)), torch.tensor([2, 0])
    whole = model(ids, torch.ones(2, 13))
    parts, alone = [], []
    for begin in range(0, 12, 4):  # the last unit of a window is the first of the next
        window, mask = ids[:, begin : begin + 5], torch.ones(2, 5)
        parts.append(model(window, mask, places, torch.full((2,), int(begin == 0))))
        alone.append(model(window, mask))
    torch.testing.assert_close(sum(parts), whole)
    assert not torch.allclose(sum(alone), whole)
    parts[-1].sum().backward()  # no gradient goes into earlier windows, which are freed by then
    assert not any(model.get_buffer(name).requires_grad for name in model.memories)
    fresh = model(ids[:, :5], torch.ones(2, 5), places, torch.ones(2))
    torch.testing.assert_close(fresh, parts[0])
    one = model(ids[1:, 4:9], torch.ones(1, 5), places[1:], torch.zeros(1))  # its place, not its row
    torch.testing.assert_close(one, parts[1][1:])
    state = {k: v.clone() for k, v in model.state_dict().items()}
    assert [k for k in state if k.startswith("memory")] == ["memory_0", "memory_1"]


def test_a_transformer_remembers_nothing() -> None:
    model = LanguageModel(
        11, 8, TransformerModule(8, 8, causal=True, dropout=0.0), dropout=0, embedding_dropout=0, rows=3
    )
    ids, mask, places = torch.randint(1, 11, (2, 5)), torch.ones(2, 5), torch.tensor([0, 1])
    assert not model.memories
    torch.testing.assert_close(model(ids, mask, places, torch.zeros(2)), model(ids, mask))


@pytest.mark.parametrize("body", BODIES)
def test_a_language_model_learns_a_periodic_language(body: str) -> None:
    torch.manual_seed(5)
    cycle = torch.tensor([1, 2, 3, 1, 4, 5])  # 1 is followed by 2 or 4: one unit before does not tell
    ids = torch.stack([cycle.roll(-i).repeat(3) for i in range(6)])
    mask = torch.ones(ids.shape)
    wide = {
        "awdlstm": lambda: AWDLSTMModule(16, 32, layers=1, last=16, input_dropout=0, weight_drop=0.1),
        "onlstm": lambda: ONLSTMModule(16, 16, chunk=4),
        "transformer": lambda: TransformerModule(16, 16, layers=2, heads=2, causal=True, dropout=0.0),
    }
    model = LanguageModel(6, 16, wide[body](), embedding_dropout=0, dropout=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        model(ids, mask).mean().backward()
        optimizer.step()
    assert model.eval().surprise(ids, mask)[:, 3:].mean() < 0.05


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: RNNModule(5, kind="lsmt"), "there is no recurrent network 'lsmt'; did you mean 'lstm'"),
        (lambda: ONLSTMModule(5, 10, chunk=4), "ONLSTM.chunk = 4 does not divide hidden = 10"),
        (lambda: LanguageModel(9, 5, ONLSTMModule(5, 8, bidirectional=True)), "sees the words that it should predict"),
        (lambda: LanguageModel(9, 5, TransformerModule(5, 8)), "this TransformerModule sees the words"),
        (lambda: LanguageModel(9, 5, ONLSTMModule(5, 8)), "states of width 8 cannot be tied to an embedding of 5"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(KitError, match=sentence):
        make()
