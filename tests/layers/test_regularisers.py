"""Dropout, heads, noise on weights and spectral norms against loops and closed forms."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.layers.attention import SelfAttention
from kit.layers.dropout import MultiSampleDropout, WordDropout
from kit.layers.heads import Heads, HiddenHead, Link
from kit.layers.matrices import WeightMatrix, matrices, unparametrize
from kit.layers.mixout import Mixout, WeightNoise, apply_mixout, apply_weight_noise, noisy_tune
from kit.layers.spectral import SpectralPenalty, spectral_norm
from tests.helpers.bodies import BODIES, network


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 3))


def svd(weight: Tensor) -> float:
    return float(torch.linalg.svdvals(weight.detach().flatten(1))[0])


# ---- dropout ---------------------------------------------------------------------------------------


def test_multi_sample_dropout_is_the_head_under_several_masks() -> None:
    head, x = nn.Linear(6, 3), torch.randn(5, 6)
    layer = MultiSampleDropout(head, 0.4, 3)
    torch.manual_seed(1)
    out = layer(x)
    torch.manual_seed(1)
    masks = nn.functional.dropout(torch.ones(3, 5, 6), 0.4)
    torch.testing.assert_close(out, torch.stack([head(x * mask) for mask in masks]))
    assert not torch.equal(masks[0], masks[1])
    assert torch.equal(layer.eval()(x), head(x))
    assert len(list(layer.parameters())) == 2  # one head, shared


def test_multi_sample_dropout_needs_a_sample() -> None:
    with pytest.raises(KitError, match="samples = 0: at least one"):
        MultiSampleDropout(nn.Linear(2, 1), 0.1, 0)


def test_word_dropout_drops_whole_tokens_and_keeps_the_mean() -> None:
    layer, x = WordDropout(0.25), torch.rand(50, 40, 4) + 1
    out = layer(x)
    kept = (out != 0).all(-1)
    assert torch.equal(kept, (out != 0).any(-1)) and abs(kept.float().mean() - 0.75) < 0.03
    torch.testing.assert_close(out[kept], x[kept] / 0.75)
    assert torch.equal(layer.eval()(x), x)


# ---- heads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["sigmoid", "softmax", "identity"])
def test_heads_answer_apart_in_training_and_with_their_mean_prediction_in_eval(link: Link) -> None:
    heads, x = Heads(lambda: nn.Linear(6, 3), 4, link), 3 * torch.randn(5, 6)
    out = heads(x)
    assert out.shape == (4, 5, 3) and all(torch.equal(o, h(x)) for o, h in zip(out, heads.heads, strict=True))
    assert not torch.equal(heads.heads[0].weight, heads.heads[1].weight)
    to = {"sigmoid": torch.sigmoid, "softmax": lambda z: z.softmax(-1), "identity": lambda z: z}[link]
    torch.testing.assert_close(to(heads.eval()(x)), to(out).mean(0))


def test_the_hidden_head_is_ulmfit_s() -> None:
    head, x = HiddenHead(6, 3, hidden=5, dropout=0.0, hidden_dropout=0.0), torch.randn(9, 6) * 3 + 1

    def normed(z: Tensor) -> Tensor:
        return (z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt()

    hidden = normed((normed(x) @ head.into.weight.T).relu())
    torch.testing.assert_close(head(x), hidden @ head.out.weight.T + head.out.bias, rtol=1e-4, atol=1e-5)
    dropped = HiddenHead(6, 3, dropout=0.5, hidden_dropout=0.5)
    assert not torch.equal(dropped(x), dropped(x)) and torch.equal(dropped.eval()(x), dropped(x))


def test_a_batch_of_one_row_passes_the_hidden_head_as_at_prediction() -> None:
    head, x = HiddenHead(6, 3, dropout=0.0, hidden_dropout=0.0), torch.randn(9, 6)
    head(x)
    state = copy.deepcopy(head.state_dict())
    out = head(x[:1])
    assert all(torch.equal(value, state[name]) for name, value in head.state_dict().items())
    torch.testing.assert_close(out, head.eval()(x[:1]))


def test_certain_heads_lose_no_digits() -> None:
    heads, x = Heads(lambda: nn.Linear(1, 1), 2), torch.tensor([[200.0], [-200.0]])
    for head in heads.heads:
        nn.init.ones_(head.weight)
        nn.init.zeros_(head.bias)
    torch.testing.assert_close(heads.eval()(x), x)


def test_unknown_links_are_refused() -> None:
    with pytest.raises(KitError, match="there is no link 'sigmod'; did you mean 'sigmoid'"):
        Heads(lambda: nn.Linear(1, 1), 2, "sigmod")  # type: ignore[arg-type]


# ---- noise on weights ------------------------------------------------------------------------------


def test_mixout_is_the_paper_s_equation_and_unbiased() -> None:
    u, w, p = torch.randn(7, 9), torch.randn(7, 9, requires_grad=True), 0.3
    mixout = Mixout(u, p)
    out = mixout(w)
    exchanged = torch.isclose(out, u)
    mask = (~exchanged).float()
    torch.testing.assert_close(out, (mask * w + (1 - mask) * u - p * u) / (1 - p))
    out.sum().backward()
    torch.testing.assert_close(w.grad, mask / (1 - p))
    draws = torch.stack([mixout(w.detach()) for _ in range(4000)])
    error = (draws.mean(0) - w.detach()).abs() / (w.detach() - u).abs()
    assert error.max() < 5 * (p / (1 - p) / 4000) ** 0.5
    share = torch.isclose(draws, u).float().mean()
    assert abs(share - p) < 0.01
    assert mixout.eval()(w) is w


def test_weight_noise_has_the_weight_s_scale_and_a_straight_gradient() -> None:
    w = (3 * torch.randn(20, 30)).requires_grad_()
    noise = WeightNoise(0.1)
    shift = (noise(w) - w).detach()
    assert abs(shift.std() / w.std() - 0.1).item() < 0.01 and abs(shift.mean()) < 0.05
    (noise(w) * torch.arange(30)).sum().backward()
    assert w.grad is not None and torch.equal(w.grad, torch.arange(30).float().expand(20, 30))
    assert noise.eval()(w) is w


@pytest.mark.parametrize("kind", ["mixout", "noise", "both"])
def test_noise_is_on_in_training_only_and_ends_with_the_old_names(kind: str) -> None:
    model, x = net(), torch.randn(4, 6)
    names, weights = list(model.state_dict()), dict(model.named_parameters())
    before = model(x)
    if kind != "noise":
        assert apply_mixout(model, 0.5) is model
    if kind != "mixout":
        assert apply_weight_noise(model, 0.5) is model
    with torch.no_grad():
        for weight in model.parameters():  # as if it had learnt: mixout has something to go back to
            weight += 0.1
    noisy = model(x)
    assert not torch.equal(noisy, model(x)) and "0.parametrizations.weight.original" in model.state_dict()
    noisy.sum().backward()
    clean = model.eval()(x)
    unparametrize(model.train())
    assert set(model.state_dict()) == set(names)
    after = dict(model.named_parameters())
    assert all(after[name] is weights[name] and after[name].grad is not None for name in weights)
    assert torch.equal(model(x), clean) and not torch.equal(clean, before)


def test_a_tied_weight_stays_tied_and_only_the_linear_layer_is_noisy() -> None:
    model = nn.ModuleDict({"embed": nn.Embedding(5, 4), "out": nn.Linear(4, 5, bias=False)})
    model["out"].weight = model["embed"].weight
    apply_weight_noise(model, 0.5)
    model["out"](model["embed"](torch.tensor([1, 2]))).sum().backward()
    assert len(list(model.parameters())) == 1 and torch.equal(model["embed"].weight[0], model["embed"](torch.tensor(0)))
    unparametrize(model)
    assert model["out"].weight is model["embed"].weight


def test_a_noisy_model_s_state_loads_into_another() -> None:
    first, second = apply_mixout(net(), 0.5), apply_mixout(net(), 0.5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    x = torch.randn(4, 6)
    outs = []
    for model in (first, second):
        torch.manual_seed(5)
        outs.append(model(x))
    assert torch.equal(*outs)


def test_noisy_tune_moves_each_matrix_by_its_own_scale() -> None:
    model = nn.ModuleDict(
        {"a": nn.Linear(80, 50), "b": nn.Linear(50, 80), "norm": nn.LayerNorm(9), "one": nn.Linear(1, 1)}
    )
    with torch.no_grad():
        model["a"].weight *= 100
    before = copy.deepcopy(model.state_dict())
    noisy_tune(model, 0.2)
    after = model.state_dict()
    for name in ("a.weight", "b.weight"):
        shift = (after[name] - before[name]) / before[name].std()
        assert shift.abs().max() <= 0.1001 and abs(shift.std() - 0.2 / 12**0.5) < 0.002
    assert all(torch.equal(after[n], before[n]) for n in ("norm.weight", "norm.bias", "one.weight"))


def test_bad_settings_are_refused() -> None:
    with pytest.raises(KitError, match=r"p = 1.0 is not in \[0, 1\)"):
        apply_mixout(net(), 1.0)
    with pytest.raises(KitError, match="negative"):
        apply_weight_noise(net(), -0.1)


# ---- spectral --------------------------------------------------------------------------------------


def test_spectral_norm_makes_the_chosen_layers_largest_singular_value_one() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 5))
    other = model[2].weight
    spectral_norm(model, ["0"])
    for _ in range(60):
        model[0](torch.randn(1, 3, 3, 3))
    assert svd(model[0].weight) == pytest.approx(1, rel=1e-3) and model[2].weight is other
    spectral_norm(model, ["2"])
    names = set(unparametrize(model).state_dict())
    assert names == {"0.weight", "0.bias", "2.weight", "2.bias"} and svd(model[0].weight) == pytest.approx(1, rel=1e-3)


def converged(model: nn.Module, penalty: SpectralPenalty) -> Tensor:
    for _ in range(120):
        penalty(model)
    return penalty(model)


def test_spectral_penalty_and_its_gradient_against_svd() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 5))
    value = converged(model, SpectralPenalty(model))
    assert value.item() == pytest.approx((svd(model[0].weight) ** 2 + svd(model[2].weight) ** 2) / 2, rel=1e-4)
    value.backward()
    for layer in (model[0], model[2]):
        u, s, v = np.linalg.svd(layer.weight.detach().flatten(1).numpy(), full_matrices=False)
        np.testing.assert_allclose(layer.weight.grad.flatten(1), s[0] * np.outer(u[:, 0], v[0]), atol=5e-3)


def test_spectral_penalty_follows_a_weight_and_is_in_fp32_under_autocast() -> None:
    model = net()
    penalty = SpectralPenalty(model, ["2"])
    for _ in range(50):
        with torch.no_grad():
            model[2].weight += 0.01 * torch.randn(3, 8)
        penalty(model)
    assert penalty(model).item() == pytest.approx(svd(model[2].weight) ** 2 / 2, rel=0.01)
    exact = converged(model, penalty)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert penalty(model).item() == pytest.approx(exact.item(), rel=1e-5)


def test_spectral_penalty_counts_a_weight_that_began_at_zero() -> None:
    model = net()
    nn.init.zeros_(model[2].weight)
    penalty = SpectralPenalty(model, ["2"])
    assert penalty(model) == 0
    nn.init.normal_(model[2].weight)
    assert converged(model, penalty).item() == pytest.approx(svd(model[2].weight) ** 2 / 2, rel=1e-4)


def test_spectral_penalty_s_state_resumes_and_leaves() -> None:
    model = net()
    names = list(model.state_dict())
    penalty = SpectralPenalty(model)
    twin = net()
    SpectralPenalty(twin)
    twin.load_state_dict(model.state_dict())
    assert torch.equal(penalty(model), penalty(twin))
    penalty.remove(model)
    assert list(model.state_dict()) == names


@pytest.mark.parametrize(
    "make, kind", [(spectral_norm, "linear or convolution layer"), (SpectralPenalty, "layer with a matrix")]
)
def test_unknown_layers_are_named(make: type, kind: str) -> None:
    with pytest.raises(KitError, match=f"no {kind} is called '1'"):
        make(net(), ["1"])


# ---- every matrix of every body ----------------------------------------------------------------------

REACHED = {  # what must be among the matrices of a body, found by reading its class, not by kit.layers.matrices
    "TextCNN": "net.convolutions.0.weight", "DPCNN": "net.blocks.1.convolutions.0.weight", "RCNN": "net.left.weight_hh_l0",
    "HAN": "net.words.gru.weight_hh_l0_reverse", "HCN": "net.words.convolutions.0.weight",
    "LSTM": "net.layers.1.ahead.weight_ih_l0", "GRU": "net.layers.0.back.weight_hh_l0", "ONLSTM": "net.layers.0.weight_hh",
    "AWDLSTM": "net.layers.1.lstm.weight_hh_l0", "Transformer": "net.layers.0.attention.into.weight",
    "TransformerLearnt": "net.layers.0.attention.mix_scores", "TransformerSines": "net.into.weight",
    "BERT": "backbone.encoder.layer.1.attention.self.query.weight", "BERTAttention": "pool.hidden.weight",
    "GPT": "backbone.h.0.attn.c_attn.weight", "Pieces": "encoder.backbone.pooler.dense.weight",
    "PiecesGRU": "join.gru.weight_ih_l0", "Perceptron": "net.layers.0.weight",
    "RealMLP": "net.layers.1.linear.weight", "TabM": "net.blocks.1.weight", "FTTransformer": "net.layers.1.key_value.weight",
    "TabularResNet": "net.blocks.0.4.weight",
    "Concat": "parts.0.backbone.encoder.layer.0.output.dense.weight",
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_every_matrix_but_tables_is_found_once(body: str) -> None:
    made = BODIES[body][0]()
    found = [f"{m.path}.{m.name}" for m in matrices(made)]
    tables = [f"{path}.weight" for path, module in made.named_modules() if isinstance(module, nn.Embedding)]
    wide = [name for name, weight in made.named_parameters() if weight.ndim > 1 and min(weight.shape[:2]) > 1]
    assert len(found) == len(set(found)) and REACHED[body] in found
    assert {name for name in wide if name not in tables} <= set(found)
    assert not set(tables) & set(found)


@pytest.mark.parametrize("change", [apply_mixout, apply_weight_noise], ids=lambda f: f.__name__)
@pytest.mark.parametrize("body", BODIES)
def test_a_change_of_weights_reaches_what_each_body_computes(body: str, change: Any) -> None:
    """With each matrix changed alone: torch's recurrent layers would compute with the plain one, and not a word said."""
    net, batch = network(body)
    net.dropout.p, inputs = 0.0, batch["inputs"]
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, SelfAttention):
            module.p = 0.0
    plain, names = net(**inputs).detach(), list(net.state_dict())
    torch.testing.assert_close(net(**inputs).detach(), plain)
    change(net.body, 0.9)
    if change is apply_mixout:
        with torch.no_grad():  # as if it had learnt: mixout has something to go back to
            for weight in net.body.parameters():
                weight += 0.5 * torch.randn_like(weight)
    first, second, third = net(**inputs), net(**inputs), net(**inputs)
    assert (first - second).abs().max() > 1e-6 and (second - third).abs().max() > 1e-6  # drawn again in each pass
    first.sum().backward()
    unreached = [f"{m.path}.{m.name}" for m in matrices(net.body) if _original(m).grad is None]
    assert all("pooler" in name for name in unreached)  # BERT's own pooler is not asked
    copied = copy.deepcopy(net).eval()(**inputs)
    clean = net.eval()(**inputs)
    assert torch.equal(copied, clean)
    unparametrize(net)
    assert set(net.state_dict()) == set(names)
    torch.testing.assert_close(net(**inputs), clean)
    if body not in ("TabM", "TabularResNet"):  # in training: several outputs a row, statistics of the batch
        torch.testing.assert_close(net.train()(**inputs), clean)


def _original(matrix: WeightMatrix) -> Tensor:
    return getattr(matrix.layer.parametrizations, matrix.name).original  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_each_weight_of_a_recurrent_layer_is_noisy(kind: str) -> None:
    make = nn.LSTM if kind == "lstm" else nn.GRU
    for name in ("weight_ih_l0", "weight_hh_l0"):
        layer, x = make(3, 4, batch_first=True), torch.randn(2, 5, 3)
        plain = layer(x)[0]
        apply_mixout(layer, 0.5)
        for matrix in matrices(layer):
            changed = matrix.layer.parametrizations[matrix.name][0]  # type: ignore[index, union-attr]
            changed.p = 0.999 if matrix.name == name else 0.0
            changed.pretrained.zero_()
        assert not torch.equal(layer(x)[0], plain) and not torch.equal(layer(x)[0], plain)
        torch.testing.assert_close(layer.eval()(x)[0], plain)


def test_a_network_without_a_matrix_is_refused() -> None:
    empty = nn.Sequential(nn.LayerNorm(3), nn.Embedding(4, 3))
    for technique, change in (("mixout", apply_mixout), ("weight noise", apply_weight_noise)):
        with pytest.raises(KitError, match=f"{technique} changes matrices, and the Sequential has none"):
            change(empty, 0.1)
    with pytest.raises(KitError, match="a spectral penalty needs matrices, and the Sequential has none"):
        SpectralPenalty(empty)


@pytest.mark.parametrize("body", ["TextCNN", "RCNN", "GRU", "ONLSTM", "TransformerLearnt", "GPT"])
def test_the_spectral_penalty_is_on_every_matrix(body: str) -> None:
    made = BODIES[body][0]()
    expected = 0.0
    for matrix in matrices(made):
        conv = isinstance(matrix.layer, (nn.Conv1d, nn.Conv2d))
        weight = matrix.value.detach().flatten(1) if conv else matrix.value.detach()
        expected += float(torch.linalg.svdvals(weight)[..., 0].square().sum()) / 2
    penalty, names = SpectralPenalty(made), list(made.state_dict())
    assert converged(made, penalty).item() == pytest.approx(expected, rel=1e-2)
    penalty.remove(made)
    assert not any("singular" in name for name in made.state_dict()) and any("singular" in name for name in names)
