"""The engine's techniques together: what learns, stages after stages, judging, and a killed run of any combination."""

import contextlib
import itertools
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.layers.mixout import apply_mixout, apply_weight_noise
from kit.layers.spectral import SpectralPenalty, spectral_norm
from kit.losses import BCE, Asymmetric, Flooding, Focal, SoftF1
from kit.train import (
    AWP,
    EMA,
    FGM,
    PGD,
    SGD,
    SWA,
    VAT,
    Adam,
    CosineRestarts,
    EmbeddingMixup,
    FreeLB,
    GaussianNoise,
    GradientPenalty,
    Lamb,
    Lars,
    Lookahead,
    LoopStage,
    NEFTune,
    OneCycle,
    Plateau,
    RAdam,
    RDrop,
    SlantedTriangular,
    Snapshots,
    Stage,
    Supervised,
    WithPenalty,
    train,
)  # fmt: skip
from kit.train.step_plan import StepPlan
from kit.train.stop import TrainingStopped
from kit.train.trainable import fresh_layers, set_trainable
from tests.helpers.engine import PLAIN, Net, Plain, TwelveRows, same


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(count)


def trained(
    stages: Any, fail_at: int | None = None, work: Path | None = None, **how: Any
) -> tuple[Net, Any, TwelveRows]:
    net, batches = Net(), TwelveRows(fail_at)
    torch.manual_seed(7)
    judged = train(net, how.pop("objective", Supervised(BCE())), batches, stages, work, **how)
    return net, judged, batches


# ---- a killed run ------------------------------------------------------------------------------

TECHNIQUES: dict[str, dict[str, Any]] = {
    "lamb": {"optimizer": Lamb(), "freeze": 1},
    "lookahead": {"optimizer": Lookahead(inner=Adam(), k=2)},
    "onecycle": {"schedule": OneCycle(), "optimizer": Adam()},
    "triangular": {"schedule": SlantedTriangular(), "accumulate": 2},
    "gradual": {"gradual": 1.0, "layer_decay": 0.8},
    "freeze": {"freeze": 1, "head_lr": 0.02},
    "focal": {"loss": Focal()},
    "fgm": {"perturb": FGM(start=1)},
    "pgd": {"perturb": PGD()},
    "freelb": {"perturb": FreeLB(start=1.5)},
    "awp": {"perturb": AWP()},
    "vat": {"perturb": VAT(link="sigmoid")},
    "neftune": {"noise": NEFTune()},
    "mixup": {"mix": EmbeddingMixup(alpha=0.5)},
    "ema": {"average": EMA(decay=0.9)},
    "swa": {"average": SWA(since=0.4)},
    "steps": {"steps": 8},
}
MORE: dict[str, dict[str, Any]] = {  # each beside a few others only
    "sgd": {"optimizer": SGD()},
    "radam": {"optimizer": RAdam()},
    "lars": {"optimizer": Lars(trust=0.1)},
    "plateau": {"schedule": Plateau(patience=0)},
    "snapshots": {"schedule": CosineRestarts(cycles=2), "average": Snapshots(cycles=2)},
    "only_head": {"only_head": True},
    "rdrop": {"rdrop": 1.0},
    "penalty": {"perturb": GradientPenalty()},
    "mixout": {},
    "weight_noise": {},
    "spectral_norm": {},
    "spectral_penalty": {},
}
EVERY = TECHNIQUES | MORE


def combined(names: Sequence[str]) -> Stage | None:
    """A stage of all these techniques, where they go together."""
    settings = [EVERY[name] for name in names]
    if len({key for one in settings for key in one}) < sum(map(len, settings)):
        return None
    try:
        return Stage(
            **{"lr": 0.02, "epochs": 3, "precision": "fp32"} | dict(itertools.chain(*(s.items() for s in settings)))
        )
    except KitError:
        return None


@dataclass
class Interrupted:
    """An objective that is interrupted at its n-th batch if told to."""

    inner: Any
    left: int | None

    def __call__(self, model: nn.Module, batch: dict[str, Any]) -> Any:
        if self.left is not None:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
        return self.inner(model, batch)


def run_of(
    names: Sequence[str], fail_at: int | None = None, work: Path | None = None
) -> tuple[Net, list[float], list[dict[str, Tensor]]]:
    """A run of techniques, interrupted at the n-th batch if told to."""
    stage, net = combined(names), Net()
    assert stage is not None
    torch.manual_seed(7)
    objective: Any = Supervised((stage.loss or BCE()).rows("multilabel"))
    if stage.rdrop:
        objective = RDrop(objective, stage.rdrop)
    if "mixout" in names:
        apply_mixout(net, 0.3)
    if "weight_noise" in names:
        apply_weight_noise(net, 0.1)
    if "spectral_norm" in names:
        spectral_norm(net)
    if "spectral_penalty" in names:
        objective = WithPenalty(objective, SpectralPenalty(net), 0.1)
    evaluate = (lambda net: net.head.weight.sum().item()) if "plateau" in names else None
    if "only_head" in names:  # its batches are not read again once their features are known
        objective = Interrupted(objective, fail_at)
    judged = train(net, objective, TwelveRows(fail_at), stage.for_loop(), work, evaluate=evaluate, save_every=0)
    return net, judged.scores, judged.snapshots


def assert_same_run(one: tuple[Net, list[float], list[Any]], other: tuple[Net, list[float], list[Any]]) -> None:
    assert same(one[0], other[0]) and one[1] == other[1] and len(one[2]) == len(other[2])
    for ours, theirs in zip(one[2], other[2], strict=True):
        assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


PAIRS = [*itertools.combinations(TECHNIQUES, 2), *itertools.product(MORE, ("gradual", "swa", "fgm"))]
PAIRS += [("plateau", "rdrop"), ("only_head", "plateau"), ("only_head", "rdrop"), ("only_head", "spectral_norm")]
PAIRS += [("snapshots", "mixout"), ("mixout", "spectral_penalty"), ("sgd", "spectral_penalty"), ("only_head", "steps")]
PAIRS = [pair for pair in PAIRS if combined(pair)]


@pytest.mark.parametrize("names", PAIRS, ids="+".join)
def test_a_killed_run_of_two_techniques_ends_in_the_same_bits(names: tuple[str, str], tmp_path: Path) -> None:
    for fail_at in (4, 2):  # batches read before it is killed; the second kill finds the first one's state
        with pytest.raises(KeyboardInterrupt):
            run_of(names, fail_at, tmp_path)
    if "swa" in names:  # killed again when the average is finished, with batches of its own
        with pytest.raises(KeyboardInterrupt):
            run_of(names, 4, tmp_path)
    assert_same_run(run_of(names), run_of(names, None, tmp_path))


@pytest.mark.parametrize("name", [*TECHNIQUES, "snapshots", "only_head", "plateau"])
def test_a_run_killed_again_and_again_ends_in_the_same_bits(name: str, tmp_path: Path) -> None:
    for _ in range(12):  # two batches each time, also in the middle of a step and when averages are finished
        with contextlib.suppress(KeyboardInterrupt):
            run_of([name], 2, tmp_path)
    assert_same_run(run_of([name]), run_of([name], None, tmp_path))


@pytest.mark.parametrize("fail_at", [9, 10, 11])
def test_a_run_killed_when_its_average_is_finished_renews_the_same_batch_norm(fail_at: int, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_of(("gradual", "swa"), fail_at, tmp_path)
    assert_same_run(run_of(("gradual", "swa")), run_of(("gradual", "swa"), None, tmp_path))


class Neighbourly(Net):
    """Features hang on the batch that they are computed in, as padding moves the last bits of a transformer's."""

    def features(self, x: Tensor) -> Tensor:
        return super().features(x) + x.sum()


@pytest.mark.parametrize("settings", [["epochs=3"], ["steps=5"], ["steps=2"]], ids=str)
@pytest.mark.parametrize("fail_at", [1, 2, 4, 6])
def test_fixed_features_are_those_of_the_first_epoch_after_a_kill(
    settings: list[str], fail_at: int, tmp_path: Path
) -> None:
    stages = [PLAIN.override("only_head=true", *settings)] * 2
    nets = [Neighbourly(), Neighbourly(), Neighbourly()]
    train(nets[0], Supervised(BCE()), TwelveRows(), stages)
    with contextlib.suppress(KeyboardInterrupt):  # in later epochs, too, in which no batch is read
        train(nets[1], Interrupted(Supervised(BCE()), fail_at), TwelveRows(), stages, tmp_path, save_every=0)
    train(nets[2], Supervised(BCE()), TwelveRows(), stages, tmp_path, save_every=0)
    assert same(nets[0], nets[2])


@pytest.mark.parametrize("fail_at", [1, 4, 8, 10, 13])
def test_a_killed_run_of_several_stages_ends_in_the_same_bits(fail_at: int, tmp_path: Path) -> None:
    stages = [
        PLAIN.override("only_head=true"),
        PLAIN.override("epochs=2", "average=EMA(decay=0.5)", "perturb=FGM"),
        PLAIN.override("optimizer=SGD", "accumulate=3", "steps=3", "noise=GaussianNoise", "freeze=1"),
    ]
    goals = [Supervised(BCE()), RDrop(Supervised(BCE())), Supervised(Flooding(loss=Asymmetric(), level=0.1))]
    evaluated: dict[str, Any] = {
        "objective": goals,
        "evaluate": lambda net: net.head.weight.sum().item(),
        "patience": 9,
    }
    whole, judged, _ = trained(stages, **evaluated)
    with pytest.raises(KeyboardInterrupt):
        trained(stages, fail_at, tmp_path, save_every=0, **evaluated)
    again, repeated, _ = trained(stages, None, tmp_path, save_every=0, **evaluated)
    assert same(whole, again) and judged.scores == repeated.scores and len(judged.scores) == 6


# ---- what learns -------------------------------------------------------------------------------


def learning(stage: LoopStage, epoch: int, net: Net) -> set[str]:
    set_trainable(net, stage, epoch, {name for name, _ in net.named_parameters()})
    return {name.rsplit(".", 2 if "layers" in name else 1)[0] for name, w in net.named_parameters() if w.requires_grad}


def test_what_learns() -> None:
    net, every = Net(), {"embed", "layers.0", "layers.1", "layers.2", "head"}
    assert learning(PLAIN, 1, net) == every
    assert learning(PLAIN.override("freeze=2"), 1, net) == {"layers.2", "head"}  # embeddings are below the layers
    assert learning(PLAIN.override("freeze_embeddings=true"), 1, net) == every - {"embed"}
    assert learning(PLAIN.override("only_head=true"), 9, net) == {"head"}
    steps = [learning(PLAIN.override("gradual=1"), epoch, net) for epoch in (1, 2, 3, 4, 5)]
    assert steps == [{"head"}, *({"head", *(f"layers.{i}" for i in range(low, 3))} for low in (2, 1, 0)), every]
    assert learning(PLAIN.override("gradual=0.5"), 2, net) == learning(PLAIN.override("gradual=1"), 2, net)


def test_what_is_frozen_is_in_eval_mode_and_bit_equal_afterwards() -> None:
    before = Net().state_dict()
    net, *_ = trained(PLAIN.override("freeze=1", "epochs=2"))
    after = net.state_dict()
    for name, value in before.items():  # batch norm's running statistics included
        assert torch.equal(value, after[name]) == name.startswith(("embed", "layers.0")), name
    set_trainable(net, PLAIN.override("freeze=1"), 1, {name for name, _ in net.named_parameters()})
    assert [layer[2].training for layer in net.layers] == [False, True, True] and net.training  # dropout


def test_what_the_caller_froze_stays_frozen_and_all_else_is_free_afterwards() -> None:
    net = Net()
    net.layers[2].requires_grad_(False)
    before = net.layers[2][0].weight.clone()
    train(net, Supervised(BCE()), TwelveRows(), PLAIN.override("only_head=true"))
    assert torch.equal(before, net.layers[2][0].weight)
    assert [name for name, w in net.named_parameters() if not w.requires_grad and "layers.2" not in name] == []


def test_a_head_only_stage_encodes_each_row_once_and_learns_the_same() -> None:
    stage = PLAIN.override("only_head=true", "epochs=5")
    cached, *_ = trained(stage)
    assert cached.calls == 3  # batches of the first epoch
    trained(stage, 3)  # and no other batch is read
    Net.features_are_fixed = False
    try:
        plain, *_ = trained(stage)
    finally:
        Net.features_are_fixed = True
    assert plain.calls == 15
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(value, cached.state_dict()[name])


def test_fixed_features_are_computed_in_halves_where_memory_runs_out() -> None:
    class Hungry(Net):
        def features(self, x: Tensor) -> Tensor:
            if len(x) > 1:
                raise torch.cuda.OutOfMemoryError("too large")
            return super().features(x)

    nets = [Net(), Hungry()]
    for net in nets:
        train(net, Supervised(BCE()), TwelveRows(), PLAIN.override("only_head=true"))
    for name, value in nets[0].state_dict().items():
        torch.testing.assert_close(value, nets[1].state_dict()[name])
    assert nets[1].calls == 12


def test_top_layers_start_afresh() -> None:
    from transformers import BertConfig, BertModel

    net = BertModel(BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=3, num_attention_heads=2), False)
    with torch.no_grad():
        for weight in net.parameters():
            weight.fill_(0.5)
            weight._is_hf_initialized = True  # as newer transformers mark what they loaded
    fresh_layers(net, 2, lambda name: 2 - int(name.split(".")[2]) if ".layer." in name else 3)
    for name, weight in net.named_parameters():
        kept = bool((weight == 0.5).all())
        assert kept == (".layer.1." not in name and ".layer.2." not in name), name
        if not kept and weight.ndim > 1:
            assert 0.01 < weight.std() < 0.03  # BERT's own 0.02


# ---- stages ------------------------------------------------------------------------------------


def test_the_plan_of_a_stage() -> None:
    plan = StepPlan.of(TwelveRows(), PLAIN.override("epochs=2", "accumulate=2"), before=3)
    assert [epoch for epoch, _ in plan.steps] == [1, 1, 2, 2] and plan.rows_a_step == 6
    assert plan.trained == [3, 3.5, 4, 4.5] and plan.epochs == 2
    assert [plan.begins(i) for i in range(4)] == [True, False, True, False]
    assert [plan.ends(i) for i in range(4)] == [False, True, False, True]
    np.testing.assert_array_equal(plan.steps[2][1][0], TwelveRows().plan(5)[0])  # epochs go on counting
    short = StepPlan.of(TwelveRows(), PLAIN.override("steps=4"))
    assert len(short.steps) == 4 and short.epochs == 2 and short.ends(3)


@pytest.mark.parametrize(
    "settings, steps, epochs",
    [("epochs=2", 6, 2), ("min_steps=7", 9, 3), ("epochs=4 min_steps=7", 12, 4), ("min_steps=7 steps=2", 2, 1)],
)
def test_a_stage_takes_further_epochs_where_rows_are_few(settings: str, steps: int, epochs: int) -> None:
    plan = StepPlan.of(TwelveRows(), PLAIN.override(*settings.split()))
    assert (len(plan.steps), plan.epochs) == (steps, epochs)
    assert plan.steps[-1][0] == epochs and plan.ends(steps - 1)


def test_two_stages_are_two_runs_one_after_the_other() -> None:
    one, two = PLAIN.override("epochs=2"), PLAIN.override("optimizer=SGD")
    both, *_ = trained([one, two], objective=[Supervised(BCE()), Supervised(SoftF1())])
    net, batches = Net(), TwelveRows()
    torch.manual_seed(7)
    train(net, Supervised(BCE()), batches, one)

    class Later(TwelveRows):
        def plan(self, epoch: int) -> list[np.ndarray]:
            return super().plan(epoch + 2)

    train(net, Supervised(SoftF1()), Later(), two)
    assert same(both, net)


def test_a_perturbation_begins_at_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[float] = []
    net, batches = Net(), TwelveRows()
    real = FGM.add
    monkeypatch.setattr(FGM, "add", lambda self, *args: begun.append(1) or real(self, *args))
    train(net, Supervised(BCE()), batches, PLAIN.override("epochs=3", "perturb=FGM(start=2)"))
    assert len(begun) == 3
    by_score = PLAIN.override("epochs=3", "perturb=FGM(start=9,start_score=0.5)")
    scores = iter((0.1, 0.6, 0.2))
    train(net, Supervised(BCE()), batches, by_score, evaluate=lambda _: next(scores))
    assert len(begun) == 6


def test_a_float_input_can_be_what_is_shifted() -> None:
    net, plain = nn.Linear(3, 2), nn.Linear(3, 2)
    plain.load_state_dict(net.state_dict())
    net.embeddings = "input"

    class Inputs(TwelveRows):
        def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
            batch = super().__getitem__(rows)
            return batch | {"inputs": {"input": batch["inputs"]["x"]}}

    for model, stage in ((net, PLAIN.override("perturb=FGM(eps=2)")), (plain, PLAIN)):
        train(model, Supervised(BCE()), Inputs(), stage)
    assert not same(net, plain)


def test_without_embeddings_what_needs_them_is_refused() -> None:
    for name, setting in {"perturb": "FGM", "noise": "NEFTune"}.items():
        sentence = (
            f"Stage.{name} needs to know where inputs are shifted: give the Plain an attribute 'embeddings', one of its "
            f"modules or the name of a float input"
        )
        with pytest.raises(KitError, match=sentence):
            train(Plain(), Supervised(BCE()), TwelveRows(), PLAIN.override(f"{name}={setting}"))


# ---- judging -----------------------------------------------------------------------------------


def test_the_best_epoch_is_kept_and_patience_ends_the_run() -> None:
    scores = iter((0.1, 0.5, 0.4, 0.5, 0.9))
    seen: list[dict[str, Tensor]] = []

    def evaluate(net: nn.Module) -> float:
        assert not net.training
        seen.append({name: value.clone() for name, value in net.state_dict().items()})
        return next(scores)

    net, judged, _ = trained(PLAIN.override("epochs=5"), evaluate=evaluate, patience=2)
    assert judged.scores == [0.1, 0.5, 0.4, 0.5] and judged.epoch == 2
    assert all(torch.equal(value, seen[1][name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("patience, epochs", [(1, 2), (2, 3), (9, 4)])
def test_patience_is_the_epochs_without_gain(patience: int, epochs: int) -> None:
    _, judged, _ = trained(PLAIN.override("epochs=4"), evaluate=lambda _: 0.5, patience=patience)
    assert len(judged.scores) == epochs and judged.epoch == 1


def test_batch_norm_is_validated_and_kept_as_an_average_ends_with_it() -> None:
    stage = PLAIN.override("epochs=3", "average=SWA(since=0.4)")
    seen: list[Tensor] = []
    evaluated: dict[str, Any] = {
        "evaluate": lambda net: seen.append(net.layers[0][1].running_mean.clone()) or len(seen)
    }
    plain, *_ = trained(stage)
    judged, *_ = trained(stage, **evaluated)
    assert same(plain, judged) and torch.equal(seen[-1], judged.layers[0][1].running_mean)
    raw, *_ = trained(stage.override("average=none"))
    assert not torch.equal(raw.layers[0][1].running_mean, seen[-1])


def test_the_averaged_weights_are_validated() -> None:
    sums: list[float] = []
    evaluated: dict[str, Any] = {"evaluate": lambda net: sums.append(net.head.weight.sum().item()) or len(sums)}
    raw, *_ = trained(PLAIN.override("epochs=3"))
    averaged, *_ = trained(PLAIN.override("epochs=3", "average=EMA(decay=0.9)"))
    judged, *_ = trained(PLAIN.override("epochs=3", "average=EMA(decay=0.9)"), **evaluated)
    assert sums[-1] == judged.head.weight.sum().item() == averaged.head.weight.sum().item()
    assert not torch.equal(raw.head.weight, judged.head.weight)


def test_plateau_gets_the_scores() -> None:
    logged: list[dict[str, Any]] = []
    scores = iter((0.5, 0.4, 0.3, 0.2) * 2)
    stage = PLAIN.override("epochs=4", "schedule=Plateau(drop=0.1,patience=0)")
    net, batches = Net(), TwelveRows()
    rates: list[float] = []
    real = torch.optim.AdamW.step

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return real(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", step)
        train(net, Supervised(BCE()), batches, [stage, stage], evaluate=lambda _: next(scores), on_log=logged.append)
    np.testing.assert_allclose(rates[::3], [0.01, 0.01, 0.001, 0.0001] * 2)  # a later stage hears its own alone
    assert logged[-1]["lr"] == pytest.approx(1e-4)


def test_snapshots_are_given_back() -> None:
    stage = PLAIN.override("epochs=4", "schedule=CosineRestarts(cycles=4)", "average=Snapshots(cycles=4,keep=3)")
    net, judged, _ = trained(stage)
    assert len(judged.snapshots) == 3
    assert all(torch.equal(value, judged.snapshots[-1][name]) for name, value in net.state_dict().items())


# ---- memory ------------------------------------------------------------------------------------


def test_batches_are_split_when_memory_runs_out() -> None:
    class Hungry(Net):
        def forward(self, x: Tensor | None = None, features: Tensor | None = None) -> Tensor:
            if x is not None and len(x) > 2 and self.training:
                raise torch.cuda.OutOfMemoryError("too large")
            return super().forward(x, features)

    def plain(net: Net) -> Net:
        for layer in net.layers:  # without them halves are as good as a whole
            layer[1], layer[2] = nn.Identity(), nn.Identity()
        return net

    whole, hungry = plain(Net()), plain(Hungry())
    train(whole, Supervised(BCE()), TwelveRows(), PLAIN)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        train(hungry, Supervised(BCE()), TwelveRows(), PLAIN)
    assert [str(w.message) for w in said] == ["out of memory: batches are now split in 2"]
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, hungry.state_dict()[name])


def test_a_single_row_that_does_not_fit_is_an_error() -> None:
    class Never(Net):
        def forward(self, x: Tensor | None = None, features: Tensor | None = None) -> Tensor:
            raise torch.cuda.OutOfMemoryError("too large")

    with pytest.warns(UserWarning, match="split in 4"), pytest.raises(torch.cuda.OutOfMemoryError):
        train(Never(), Supervised(BCE()), TwelveRows(), PLAIN)


def test_fp16_scales_its_loss_and_learns() -> None:
    stage = LoopStage(lr=0.05, epochs=8, precision="fp16")
    net, *_ = trained(stage)
    batches = TwelveRows()
    loss = Supervised(BCE())
    whole = batches[np.arange(12)]
    assert loss(net, whole).loss < 0.7 * loss(Net().eval(), whole).loss


# ---- settings ----------------------------------------------------------------------------------

REFUSED = {
    "lr=-1": ("", "Stage.lr = -1: input should be greater than 0"),
    "freeze=2": ("only_head=true", "Stage: only_head freezes the whole encoder; leave out freeze and gradual"),
    "optimizer=Lamb": (
        "gradual=1",
        "Stage: optimizer=Lamb counts steps of weights that are still frozen; leave out gradual",
    ),
    "average=Snapshots(cycles=3)": ("", "needs schedule=CosineRestarts(cycles=3)"),
    "steps=3": (
        "schedule=CosineRestarts(cycles=9)",
        "schedule=CosineRestarts: 9 cycles need at least 9 steps; there are 2 after warmup",
    ),
    "optimizer=AdamWW": ("", "no Optimizer is called 'AdamWW'; did you mean 'AdamW'?"),
}


@pytest.mark.parametrize("setting", REFUSED)
def test_bad_settings_are_refused_when_they_are_made(setting: str) -> None:
    other, sentence = REFUSED[setting]
    with pytest.raises(KitError) as error:
        Stage().override(*([other] if other else []), setting)
    assert sentence in str(error.value)


IMPOSSIBLE = {
    "schedule=CosineRestarts(cycles=9)": "9 cycles need at least 9 steps; there are 3",
    "warmup=0.5 schedule=CosineRestarts(cycles=2)": "2 cycles need at least 2 steps; there are 1 after warmup",
    "freeze=9": "nothing learns: Stage.freeze freezes every parameter of the Plain",
    "gradual=1": "nothing learns: Stage.gradual freezes every parameter of the Plain",
    "perturb=FGM": "Stage.perturb needs to know where inputs are shifted: give the Plain an attribute 'embeddings'",
    "noise=NEFTune": "Stage.noise needs to know where inputs are shifted: give the Plain an attribute 'embeddings'",
    "mix=EmbeddingMixup": "Stage.mix needs to know where inputs are mixed: give the Plain an attribute 'embeddings'",
}


@pytest.mark.parametrize("setting", IMPOSSIBLE)
def test_what_a_later_stage_cannot_do_is_said_before_the_first_begins(setting: str, tmp_path: Path) -> None:
    net = Plain()
    net.layer_of = lambda name: int("embed" in name)  # type: ignore[method-assign]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(KitError, match=re.escape(IMPOSSIBLE[setting])):
        stages = [PLAIN, PLAIN.override(*setting.split())]
        train(net, Supervised(BCE()), TwelveRows(0), stages, tmp_path)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_frozen_altogether_is_refused() -> None:
    with pytest.raises(KitError, match="nothing learns: the caller froze every parameter of the Net"):
        train(Net().requires_grad_(False), Supervised(BCE()), TwelveRows(), PLAIN)


def test_all_that_a_stage_can_name_round_trips() -> None:
    stage = Stage(
        optimizer=Lookahead(inner=SGD(nesterov=True)), schedule=CosineRestarts(cycles=2), perturb=PGD(start=1),
        noise=GaussianNoise(), mix=EmbeddingMixup(), average=Snapshots(cycles=2), loss=Flooding(loss=Focal(), level=0.2),
    )  # fmt: skip
    assert Stage.from_dict(stage.to_dict()) == stage
    assert stage.override("optimizer.inner.momentum=0.8").optimizer.inner.momentum == 0.8  # type: ignore[attr-defined]


def test_the_loop_cannot_be_given_what_it_does_not_read() -> None:
    assert not {"loss", "rdrop", "augment", "augmented"} & set(LoopStage.model_fields)
    assert set(LoopStage.model_fields) < set(Stage.model_fields)
    stage = Stage(loss=Focal(), rdrop=1, epochs=3, perturb=FGM())
    assert stage.for_loop() == LoopStage(epochs=3, perturb=FGM())
    with pytest.raises(KitError, match="train takes a LoopStage, not a Stage: objective and batches are arguments"):
        train(Net(), Supervised(BCE()), TwelveRows(), stage)  # type: ignore[arg-type]


def test_should_stop_ends_the_training_and_a_later_call_goes_on(tmp_path: Path) -> None:
    asked: list[tuple[int, float]] = []

    def should_stop(epoch: int, score: float) -> bool:
        asked.append((epoch, score))
        return epoch == 2

    how: dict[str, Any] = {"evaluate": lambda net: net.head.weight.sum().item(), "save_every": 1e9}
    stage = PLAIN.override("epochs=4")
    whole, judged, _ = trained(stage, **how)
    how["save_every"] = 0
    with pytest.raises(TrainingStopped):
        trained(stage, work=tmp_path, should_stop=should_stop, **how)
    assert asked == list(enumerate(judged.scores[:2], 1))
    resumed, again, _ = trained(stage, work=tmp_path, **how)
    assert same(whole, resumed) and again.scores == judged.scores
