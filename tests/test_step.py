"""One batch's gradients: what needs a point, memory that runs out, and a scale that is not waited for."""

from typing import Any

import pytest
import torch
from test_engine import PLAIN, Cut, Net, same
from torch.utils._python_dispatch import TorchDispatchMode

from kit.losses import BCE
from kit.members.fitting import _arranged
from kit.spec import KitError
from kit.train import AWP, FGM, VAT, EmbeddingMixup, NEFTune, Point, Stage, Supervised, train
from kit.train.device import scaler_for
from kit.train.step import Gradients


def gradients(stage: Stage, net: Net, point: Point | None = None) -> Gradients:
    cpu = torch.device("cpu")
    return Gradients(net, Supervised(BCE()), stage, point, None, scaler_for(cpu, stage.precision), cpu)


def test_a_perturbation_of_weights_needs_no_point() -> None:
    plain, net, pointed = Net(), Net(), Net()
    for model, stage in ((plain, PLAIN), (net, PLAIN.override("perturb=AWP(eps=0.5)"))):
        torch.manual_seed(0)
        train(model, Supervised(BCE()), Cut(), stage)
    torch.manual_seed(0)
    with Point(pointed, pointed.embed) as point:
        train(pointed, Supervised(BCE()), Cut(), PLAIN.override("perturb=AWP(eps=0.5)"), point=point)
    assert same(net, pointed) and not same(net, plain)


def test_what_moves_inputs() -> None:
    moving = [Stage(perturb=FGM()), Stage(noise=NEFTune()), Stage(mix=EmbeddingMixup())]
    still = [Stage(), Stage(perturb=AWP())]
    assert all(stage.moves_inputs for stage in moving) and not any(stage.moves_inputs for stage in still)
    assert [stage.override("only_head=true").features_are_fixed for stage in (*moving, *still)] == [False] * 3 + [
        True
    ] * 2

    class Body:
        arranged = dict

    class Spec:
        class regularise:
            language = 0.0

    spec: Any = Spec
    arranged = [bool(_arranged(spec, stage, Body)) for stage in (*moving, *still)]  # type: ignore[arg-type]
    assert arranged == [False] * 3 + [True] * 2


def test_what_cannot_run_is_refused_before_the_first_batch() -> None:
    net = Net()
    with pytest.raises(KitError, match="Stage.mix needs to know where inputs are mixed: give train a point"):
        gradients(Stage(mix=EmbeddingMixup()), net)
    with Point(net, net.embed) as point, pytest.raises(KitError, match="VAT.link is not set, and only members know"):
        gradients(Stage(perturb=VAT()), net, point)


def test_batches_are_cut_by_a_torch_that_has_only_the_old_name_of_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch, "OutOfMemoryError", raising=False)

    class Hungry(Net):
        def forward(self, x: Any = None, features: Any = None) -> Any:
            if self.training and len(x) > 2:
                raise torch.cuda.OutOfMemoryError("too large")
            return super().forward(x, features)

    with pytest.warns(UserWarning, match="batches are now cut in 2"):
        train(Hungry(), Supervised(BCE()), Cut(), PLAIN)


class Waits(TorchDispatchMode):
    """Fails where a number is asked for, which on a GPU waits for all that was begun."""

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert op is not torch.ops.aten._local_scalar_dense.default
        return op(*args, **(kwargs or {}))


@pytest.mark.parametrize("perturb", [None, FGM(), VAT(link="sigmoid"), AWP()], ids=str)
def test_the_scale_of_fp16_is_not_waited_for_and_cancels(perturb: Any) -> None:
    net, batches = Net(), Cut()
    batch = batches[batches.plan(1)[0]]
    net.eval()  # both passes alike
    with Point(net, net.embed) as point:
        found = []
        for scale in (1.0, 1024.0):
            torch.manual_seed(0)
            net.zero_grad()
            made = gradients(Stage(precision="fp16", perturb=perturb), net, point)
            made.scaler._scale.fill_(scale)  # type: ignore[union-attr]
            with Waits():
                loss = made.add(batch, 4.0, 0.0, None)
            found.append([loss, *(p.grad / scale for p in net.parameters() if p.grad is not None)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0.05, atol=1e-3)
