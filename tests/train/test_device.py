"""Every model, objective and technique trains on another device: no tensor that it makes stays on the CPU."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch

import kit.losses
import kit.models
import kit.train
from kit.layers.mixout import apply_mixout, apply_weight_noise
from kit.layers.spectral import SpectralPenalty, spectral_norm
from kit.losses import BCE, Flooding, Focal, Loss
from kit.losses.cross_entropy import CrossEntropy
from kit.models import Headed
from kit.pretrain import LanguageModelling
from kit.pretrain.language import TextBlocks
from kit.train import (
    EMA,
    SWA,
    VAT,
    CosineRestarts,
    CutMix,
    EmbeddingMixup,
    LoopStage,
    MeanOfOutputs,
    Mixup,
    NegativeCorrelation,
    Noise,
    Optimizer,
    Perturb,
    RDrop,
    Snapshots,
    Supervised,
    WithPenalty,
    train,
)
from kit.train.objective import Objective
from kit.train.objectives import WithLanguageModel, causal
from tests.helpers.bodies import BODIES, CAUSAL, UNITS, WIDTH, OneBatch, network
from tests.helpers.elsewhere import PLACE, elsewhere, moved
from tests.helpers.losses import concrete_losses

STAGE = LoopStage(epochs=1, lr=0.01, precision="fp32")
PLAIN = Supervised(MeanOfOutputs(BCE()))


def trained(net: Headed, batch: dict[str, Any], stage: LoopStage = STAGE, objective: Any = PLAIN) -> None:
    """Trains on the other device; something moves, and all of it stays there."""
    first = {name: weight.detach().cpu().clone() for name, weight in net.named_parameters()}
    with elsewhere():
        train(moved(net), objective, OneBatch(batch), stage)
        assert all(weight.device == PLACE for weight in net.parameters())
        assert any(not torch.equal(weight.detach().cpu(), first[name]) for name, weight in net.named_parameters())


def test_the_other_device_refuses_what_a_gpu_refuses() -> None:
    with elsewhere() as place:
        layer = moved(torch.nn.Linear(3, 2))
        assert layer(torch.ones(4, 3, device=place)).device == PLACE
        with pytest.raises(RuntimeError, match=r"a tensor of shape \(4, 3\) lies on the CPU"):
            layer(torch.ones(4, 3))
        layer.bias = torch.nn.Parameter(torch.zeros(2))
        with pytest.raises(RuntimeError, match=r"a tensor of shape \(2,\) lies on the CPU"):
            layer(torch.ones(4, 3).to(place))


@pytest.mark.parametrize("body", BODIES)
def test_every_body_learns_there(body: str) -> None:
    trained(*network(body))


@pytest.mark.parametrize("settings", [{"heads": 3}, {"samples": 3}], ids=str)
def test_every_head_learns_there(settings: dict[str, Any]) -> None:
    trained(*network("TextCNN", **settings), objective=Supervised(MeanOfOutputs(BCE())))


def concrete(cls: Any) -> list[Any]:
    """The classes below a class that can be made."""
    own = [] if inspect.isabstract(cls) else [cls]
    return own + [one for below in cls.__subclasses__() for one in concrete(below)]


def techniques() -> list[dict[str, Any]]:
    perturbs = [VAT(link="sigmoid") if cls is VAT else cls() for cls in concrete(Perturb)]
    return [
        *({"perturb": perturb} for perturb in [*perturbs, kit.train.FGSM(random_start=True)]),
        *({"noise": cls()} for cls in concrete(Noise)),
        {"mix": EmbeddingMixup()},
        {"average": EMA()},
        {"average": SWA(since=0)},
        {"average": Snapshots(cycles=2), "schedule": CosineRestarts(cycles=2), "warmup": 0.0},
        *({"optimizer": cls()} for cls in concrete(Optimizer)),
        {"only_head": True},
    ]


@pytest.mark.parametrize("settings", techniques(), ids=lambda s: str(next(iter(s.values()))))
def test_every_technique_of_a_stage_works_there(settings: dict[str, Any]) -> None:
    steps = STAGE.model_copy(update={"epochs": 2 if "average" in settings else 1})
    trained(*network("TextCNN"), steps.model_copy(update=settings))


@pytest.mark.parametrize("mix", [Mixup(), CutMix()], ids=str)
def test_every_mix_of_inputs_works_there(mix: Any) -> None:
    class Pixels(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = torch.nn.Conv2d(1, 2, 3), torch.nn.Linear(2, 2)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.head(self.conv(pixels).mean((2, 3)))

    batch = {"inputs": {"pixels": torch.randn(4, 1, 5, 5)}, "y": torch.eye(2).repeat(2, 1), "weight": torch.ones(4)}
    trained(Pixels(), batch, STAGE.model_copy(update={"mix": mix}))  # type: ignore[arg-type]


def made_losses() -> list[tuple[str, Loss]]:
    special = [Flooding(loss=BCE()), Focal(alpha=(0.3, 0.7)), BCE(pos_weight=(2.0, 3.0))]
    special.append(CrossEntropy(class_weights=(1.0, 2.0)))
    made = [loss for loss, _ in concrete_losses() if type(loss) not in [type(one) for one in special]]
    return [(kind, loss) for loss in dict.fromkeys([*special, *made]) for kind in sorted(loss.kinds)]


@pytest.mark.parametrize("kind, loss", made_losses(), ids=str)
def test_every_loss_counts_there(kind: str, loss: Loss) -> None:
    net, batch = network("Perceptron")
    if kind == "multiclass":
        batch["y"] = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    batch["weight"] = torch.ones(4)
    trained(net, batch, objective=Supervised(loss.rows(kind)))


def test_every_objective_learns_there() -> None:
    several = Supervised(MeanOfOutputs(BCE()))
    trained(*network("TextCNN"), objective=RDrop(PLAIN))
    trained(*network("TextCNN", heads=2), objective=NegativeCorrelation(several))
    net, batch = network("TextCNN")
    with elsewhere():
        penalised: Objective = WithPenalty(PLAIN, SpectralPenalty(moved(net)), 0.1)
    trained(net, batch, objective=penalised)
    net, batch = network("GPT")
    trained(net, batch, objective=WithLanguageModel(PLAIN, causal(net.body.backbone), 0.5))


def test_every_change_of_weights_works_there() -> None:
    changes: dict[str, Any] = {
        "GPT": lambda m: apply_mixout(m, 0.5), "LSTM": lambda m: apply_weight_noise(m, 0.1), "TextCNN": spectral_norm
    }  # fmt: skip
    for body, change in changes.items():
        net, batch = network(body)
        change(net.body)
        trained(net, batch)


@pytest.mark.parametrize("net", CAUSAL)
@pytest.mark.parametrize("drop", [0.0, 0.1])
def test_a_language_model_is_learnt_there(net: str, drop: float) -> None:
    """Its bias, which no embedding or network brings along, was left on the CPU."""
    torch.manual_seed(0)
    embedding, body = torch.nn.Embedding(UNITS, WIDTH), CAUSAL[net]()
    ids = np.random.default_rng(0).integers(2, UNITS, 60)
    windows = TextBlocks(ids, np.array([0, 20, 60]), 8)
    spec = LanguageModelling(window=8, stage=STAGE, embedding_dropout=drop, dropout=drop)
    first = embedding.weight.detach().clone()
    with elsewhere():
        nats = spec.learn(moved(embedding), moved(body), windows, 0)  # type: ignore[arg-type]
        assert embedding.weight.device == PLACE and np.isfinite(nats)
        assert not torch.equal(embedding.weight.detach().cpu(), first)


def test_an_adaptive_softmax_works_there() -> None:
    model = kit.models.LanguageModel(UNITS, WIDTH, CAUSAL["AWDLSTM"](), cutoffs=[4], backwards=True)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    with elsewhere() as place:
        loss = moved(model)(torch.ones(2, 3, dtype=torch.long).to(place), mask.to(place))
        loss.sum().backward()
        assert loss.device == PLACE and all(w.grad is not None for w in model.embedding.parameters())


def test_no_network_is_left_out() -> None:
    """A network that is new in `kit.models` has a place in `tests.helpers.bodies`."""
    built = [network(body)[0].body for body in BODIES]
    classes = {type(module).__name__ for body in built for module in body.modules()}
    assert set(kit.models.__all__) - classes == {"Headed", "LanguageModel", "TimmEncoder"}
