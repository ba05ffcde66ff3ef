"""Every technique does something to every kind of body: none is accepted and reaches no weight, input or step.

That a change of weights reaches every matrix of every body is in `tests/layers/test_regularisers.py`.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.layers.mixout import apply_mixout, apply_weight_noise, noisy_tune
from kit.layers.spectral import SpectralPenalty
from kit.losses import BCE, Flooding
from kit.models import Headed
from kit.train import (
    AWP,
    EMA,
    FGM,
    FGSM,
    PGD,
    SGD,
    SWA,
    VAT,
    Constant,
    EmbeddingMixup,
    FreeLB,
    GaussianNoise,
    GradientPenalty,
    LoopStage,
    MeanOfOutputs,
    NEFTune,
    NegativeCorrelation,
    RDrop,
    Supervised,
    UniformNoise,
    WithPenalty,
    train,
)
from tests.helpers.bodies import OneBatch, network

PLAIN = LoopStage(
    epochs=2, lr=0.1, warmup=0, clip=None, weight_decay=0, schedule=Constant(), optimizer=SGD(), precision="fp32"
)
GOAL = Supervised(MeanOfOutputs(BCE()))

STAGES: dict[str, dict[str, Any]] = {
    "FGM": {"perturb": FGM()},
    "FGSM": {"perturb": FGSM(eps=0.5)},
    "PGD": {"perturb": PGD(steps=2)},
    "FreeLB": {"perturb": FreeLB(steps=2)},
    "AWP": {"perturb": AWP(eps=0.1)},
    "VAT": {"perturb": VAT(link="sigmoid", xi=1.0)},
    "GradientPenalty": {"perturb": GradientPenalty(weight=9.0)},
    "NEFTune": {"noise": NEFTune()},
    "GaussianNoise": {"noise": GaussianNoise()},
    "UniformNoise": {"noise": UniformNoise()},
    "EmbeddingMixup": {"mix": EmbeddingMixup()},
    "EMA": {"average": EMA(decay=0.5)},
    "SWA": {"average": SWA(since=0)},
    "layer_decay": {"layer_decay": 0.5},
    "freeze_embeddings": {"freeze_embeddings": True},
    "gradual": {"gradual": 1},
    "only_head": {"only_head": True},
    "clip": {"clip": 1e-3},
    "weight_decay": {"weight_decay": 0.5},
}
INPUTS = [name for name, how in STAGES.items() if {"noise", "mix"} & how.keys()] + [
    "FGM", "FGSM", "PGD", "FreeLB", "VAT", "GradientPenalty",
]  # fmt: skip
CHANGES: dict[str, Callable[[Any], Any]] = {
    "mixout": lambda net: apply_mixout(net.body, 0.9),
    "weight_noise": lambda net: apply_weight_noise(net.body, 0.5),
    "noisy_tune": lambda net: noisy_tune(net.body, 0.5),
}
GOALS: dict[str, Callable[[Any], Any]] = {
    "R-Drop": lambda net: RDrop(GOAL, 5.0),
    "spectral penalty": lambda net: WithPenalty(GOAL, _of_body(SpectralPenalty(net.body)), 0.5),
    "flooding": lambda net: Supervised(MeanOfOutputs(Flooding(loss=BCE(), level=5.0))),
}


def _of_body(penalty: SpectralPenalty) -> Callable[[Any], Tensor]:
    return lambda net: penalty(net.body)


def learnt(
    body: str, stage: LoopStage = PLAIN, change: Any = None, goal: Any = None, **heads: Any
) -> dict[str, Tensor]:
    """The weights of the body after a few steps, all that is drawn drawn alike."""
    net, batch = network(body, **heads)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.3 if goal == "R-Drop" else 0.0
    if change:
        change(net)
    torch.manual_seed(1)
    objective = GOALS[goal](net) if isinstance(goal, str) else goal or GOAL
    train(net, objective, OneBatch(batch), stage)
    return {name: value.detach() for name, value in net.body.named_parameters()}


_plain: dict[str, dict[str, Tensor]] = {}


def plain(body: str) -> dict[str, Tensor]:
    if body not in _plain:
        _plain[body] = learnt(body)
    return _plain[body]


def differs(body: str, found: dict[str, Tensor], by: float = 1e-6) -> bool:
    """Whether some weight moved otherwise than in the plain run; parametrised ones have a longer name."""
    short = {name.replace("parametrizations.", "").replace(".original", ""): value for name, value in found.items()}
    return any((value - short[name]).abs().max() > by for name, value in plain(body).items())


def without_place(body: str, name: str) -> bool:
    """Whether a technique needs one place where inputs go in, or whole rows there, and this body has none."""
    return (body == "Concat" and name in INPUTS) or (body.startswith("Pieces") and name == "EmbeddingMixup")


KINDS = ["TextCNN", "HAN", "AWDLSTM", "ONLSTM", "Transformer", "GPT", "Pieces", "Concat"]
KINDS += ["Perceptron", "RealMLP", "TabM", "FTTransformer", "TabularResNet"]
ALIKE = ("EMA", "SWA", "clip", "weight_decay")  # all bodies are alike to these: a list of weights
CASES = [(name, body) for name in STAGES for body in (["LSTM"] if name in ALIKE else KINDS)]


@pytest.mark.parametrize("name, body", CASES, ids=map("-".join, CASES))
def test_every_technique_of_a_stage_changes_how_every_body_learns(name: str, body: str) -> None:
    stage = PLAIN.model_copy(update=STAGES[name])
    if body == "Concat" and name in INPUTS:
        with pytest.raises(KitError, match="Concat has an embedding in each part"):
            learnt(body, stage)
    elif not without_place(body, name):
        # the last two add to the plain gradient, which is the same to the last bit: any difference is theirs
        assert differs(body, learnt(body, stage), 0.0 if name in ("VAT", "GradientPenalty") else 1e-6)


class Flat(nn.Module):
    """A body whose layers lie side by side."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.inner, self.num_features = body, body.num_features

    def forward(self, **inputs: Tensor) -> Tensor:
        return self.inner(**inputs)

    def layer_of(self, name: str) -> int:
        return 0

    def part_of(self, name: str) -> tuple[int, ...]:
        return ()


@pytest.mark.parametrize("name", ["layer_decay", "freeze_embeddings"])
def test_settings_of_low_layers_need_layers_below_each_other(name: str) -> None:
    net, batch = network("Perceptron")
    with pytest.raises(KitError) as error:
        train(Headed(Flat(net.body), 2), GOAL, OneBatch(batch), PLAIN.model_copy(update=STAGES[name]))
    assert str(error.value) == (
        f"Stage.{name} needs a first and a last layer, but the layers of the Flat are all at the same depth"
    )


@pytest.mark.parametrize("body", ["LSTM", "GPT"])
@pytest.mark.parametrize("name", CHANGES)
def test_every_change_of_weights_changes_how_every_body_learns(name: str, body: str) -> None:
    assert differs(body, learnt(body, change=CHANGES[name]))


@pytest.mark.parametrize("body", ["DPCNN", "GRU", "GPT"])
@pytest.mark.parametrize("name", GOALS)
def test_every_objective_changes_how_every_body_learns(name: str, body: str) -> None:
    assert differs(body, learnt(body, goal=name))


@pytest.mark.parametrize("body", ["HAN", "GPT"])
def test_several_answers_change_how_every_body_learns(body: str) -> None:
    several = Supervised(MeanOfOutputs(BCE()))
    heads = learnt(body, goal=several, heads=3)
    assert differs(body, heads)
    apart = learnt(body, goal=NegativeCorrelation(several, 5.0), heads=3)
    assert any((value - apart[name]).abs().max() > 1e-6 for name, value in heads.items())
