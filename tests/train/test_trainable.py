"""Frozen layers: what cuDNN asks of recurrent ones, and what dropout does there."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from kit.losses import BCE
from kit.train import FGM, FGSM, PGD, VAT, Constant, FreeLB, GradientPenalty, LoopStage, Supervised, train
from kit.train.trainable import restore_dropout, set_trainable
from tests.helpers.bodies import BODIES, OneBatch, network

STAGE = LoopStage(epochs=1, lr=0.01, schedule=Constant(), warmup=0, precision="fp32")
RECURRENT = [body for body in BODIES if any(isinstance(m, nn.RNNBase) for m in network(body)[0].modules())]


@contextlib.contextmanager
def cudnn_rule() -> Iterator[None]:
    """Context in which no gradient passes through a recurrent layer that ran in eval mode, as on a GPU."""

    def ruled(real: Any) -> Any:
        def call(*given: Any) -> Any:
            found = real(*given)
            if not _training(given) and found[0].requires_grad:

                def refuse(gradient: Tensor) -> Tensor:
                    raise RuntimeError("cudnn RNN backward can only be called in training mode")

                found[0].register_hook(refuse)
            return found

        return call

    module = torch.nn.modules.rnn._VF
    real = {name: getattr(module, name) for name in ("lstm", "gru")}
    with contextlib.ExitStack() as stack:
        for name, function in real.items():
            stack.enter_context(mock.patch.object(module, name, ruled(function), create=True))
        stack.enter_context(mock.patch("torch.lstm", ruled(torch.lstm)))
        yield


def _training(given: tuple[Any, ...]) -> bool:
    """The argument `train` of torch's recurrent functions: has_biases, layers, dropout, train, …"""
    flags = [i for i, value in enumerate(given) if isinstance(value, bool)]
    return given[flags[0] + 3]


def test_the_rule_is_cudnn_s() -> None:
    layer, x = nn.LSTM(3, 4, batch_first=True), torch.randn(2, 5, 3, requires_grad=True)
    with cudnn_rule():
        layer(x)[0].sum().backward()
        layer.eval()
        with torch.no_grad():
            layer(x)
        with pytest.raises(RuntimeError, match="cudnn RNN backward can only be called in training mode"):
            layer(x)[0].sum().backward()


PERTURBS = [FGM(), FGSM(random_start=True), PGD(steps=2), FreeLB(steps=2), VAT(link="sigmoid"), GradientPenalty()]


@pytest.mark.parametrize("body", RECURRENT)
@pytest.mark.parametrize("perturb", [None, *PERTURBS], ids=lambda p: type(p).__name__)
def test_a_frozen_recurrent_layer_passes_gradients_on_a_gpu_too(perturb: Any, body: str) -> None:
    net, batch = network(body)
    frozen = {name: weight.detach().clone() for name, weight in net.body.named_parameters()}
    stage = STAGE.model_copy(update={"only_head": True, "perturb": perturb})
    with cudnn_rule():
        train(net, Supervised(BCE()), OneBatch(batch), stage)
    for name, weight in net.body.named_parameters():
        assert torch.equal(weight, frozen[name]) != name.startswith(("pool.", "join."))
    assert not any(module.training for module in net.modules())


@pytest.mark.parametrize("body", RECURRENT)
def test_a_frozen_recurrent_layer_answers_as_in_eval_mode(body: str) -> None:
    net, batch = network(body)
    net.eval()
    expected = net.body(**batch["inputs"])
    set_trainable(net, LoopStage(only_head=True), 1, dict(net.named_parameters()))
    torch.testing.assert_close(net.body(**batch["inputs"]), expected)


def test_the_dropout_of_a_frozen_layer_comes_back() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(3, 4, 2, batch_first=True, dropout=0.5), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.lstm(x)[0][:, -1])

        def layer_of(self, name: str) -> int | None:
            return None if name.startswith("head") else 0

    net, x = Own(), torch.randn(4, 5, 3)
    expected = net.eval()(x)
    free = dict(net.named_parameters())
    set_trainable(net, LoopStage(only_head=True), 1, free)
    assert net.lstm.training and net.lstm.dropout == 0
    torch.testing.assert_close(net(x), expected)
    set_trainable(net, LoopStage(only_head=True), 2, free)  # again frozen
    set_trainable(net, LoopStage(), 1, free)
    assert net.lstm.dropout == 0.5 and not torch.equal(net(x), net(x))
    set_trainable(net, LoopStage(only_head=True), 1, free)
    restore_dropout(net)
    assert net.lstm.dropout == 0.5
    train(
        net,
        Supervised(BCE()),
        OneBatch({"inputs": {"x": x}, "y": torch.eye(2).repeat(2, 1)}),
        STAGE.override("only_head=true"),
    )
    assert net.lstm.dropout == 0.5 and not net.lstm.training
