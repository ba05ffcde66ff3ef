"""One batch's gradients: what needs a point, memory that runs out, and a scale that is not waited for."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kit.core.errors import KitError
from kit.losses import BCE
from kit.train import (
    AWP,
    FGM,
    SGD,
    VAT,
    EmbeddingMixup,
    HookPoint,
    LoopStage,
    NEFTune,
    Stage,
    Supervised,
    train,
)
from kit.train.device import scaler_for
from kit.train.step import GradientStep
from tests.helpers.engine import PLAIN, Net, Plain, TwelveRows, same


def gradient_step(
    stage: LoopStage, net: Net, point: HookPoint | None = None, scaler: torch.amp.GradScaler | None = None
) -> GradientStep:
    scaler = scaler or scaler_for(torch.device("cpu"), stage.precision)
    return GradientStep(net, Supervised(BCE()), stage, scaler, point)


def test_a_perturbation_of_weights_needs_no_embeddings() -> None:
    plain, net, pointed = Net(), Plain(), Net()
    for model, stage in (
        (plain, PLAIN), (net, PLAIN.override("perturb=AWP(eps=0.5)")), (pointed, PLAIN.override("perturb=AWP(eps=0.5)"))
    ):  # fmt: skip
        torch.manual_seed(0)
        train(model, Supervised(BCE()), TwelveRows(), stage)
    assert same(net, pointed) and not same(net, plain)


def test_what_moves_inputs() -> None:
    moving = [Stage(perturb=FGM()), Stage(noise=NEFTune()), Stage(mix=EmbeddingMixup())]
    still = [Stage(), Stage(perturb=AWP())]
    assert all(stage.moves_inputs for stage in moving) and not any(stage.moves_inputs for stage in still)
    heads = [stage.override("only_head=true") for stage in (*moving, *still)]
    assert [stage.features_are_fixed for stage in heads] == [False] * 3 + [True] * 2
    assert [stage.needs_hook_point for stage in (*moving, *still)] == [True] * 3 + [False] * 2


def test_what_cannot_run_is_refused_before_the_first_batch() -> None:
    net = Net()
    with pytest.raises(KitError, match="Stage.mix needs to know where inputs are mixed: give the Net an attribute"):
        gradient_step(LoopStage(mix=EmbeddingMixup()), net)
    with (
        HookPoint(net, net.embed) as point,
        pytest.raises(KitError, match="VAT.link is not set, and outside a member"),
    ):
        gradient_step(LoopStage(perturb=VAT()), net, point)


def test_batches_are_split_by_a_torch_that_has_only_the_old_name_of_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch, "OutOfMemoryError", raising=False)

    class Hungry(Net):
        def forward(self, x: Any = None, features: Any = None) -> Any:
            if self.training and len(x) > 2:
                raise torch.cuda.OutOfMemoryError("too large")
            return super().forward(x, features)

    with pytest.warns(UserWarning, match="batches are now split in 2"):
        train(Hungry(), Supervised(BCE()), TwelveRows(), PLAIN)


class Waits(TorchDispatchMode):
    """Fails where a number is asked for, which on a GPU waits for all that was begun."""

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert op is not torch.ops.aten._local_scalar_dense.default
        return op(*args, **(kwargs or {}))


@pytest.mark.parametrize("perturb", [None, FGM(), VAT(link="sigmoid"), AWP()], ids=str)
def test_the_scale_of_fp16_is_not_waited_for_and_cancels(perturb: Any) -> None:
    net, batches = Net(), TwelveRows()
    rows = batches.plan(1)[:1]
    net.eval()  # both passes alike
    with HookPoint(net, net.embed) as point:
        found = []
        for scale in (1.0, 1024.0):
            torch.manual_seed(0)
            net.zero_grad()
            scaler = torch.amp.GradScaler("cpu", init_scale=scale)
            scaler.scale(torch.zeros(()))  # it makes its state only now
            made = gradient_step(LoopStage(precision="fp16", perturb=perturb), net, point, scaler)
            with Waits():
                loss = made(batches, rows, 4.0, 0.0, None)
            found.append([loss, *(p.grad / scale for p in net.parameters() if p.grad is not None)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_gradient_is_clipped_in_its_own_size_and_not_in_that_of_fp16_s_scale(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clipped before it is unscaled, a gradient would shrink by the scale, to a 65,536th in the first steps."""
    real, lengths = torch.optim.SGD.step, list[float]()

    def step(self: Any, *given: Any, **more: Any) -> Any:
        gradients = [p.grad.flatten() for group in self.param_groups for p in group["params"]]
        lengths.append(float(torch.cat(gradients).norm()))
        return real(self, *given, **more)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    stage = LoopStage(steps=12, lr=1e-3, clip=0.01, optimizer=SGD(), precision=precision)
    train(Plain(), Supervised(BCE()), TwelveRows(), stage)
    assert lengths == pytest.approx([0.01] * len(lengths), rel=1e-3) and lengths  # steps that overflow are left out
