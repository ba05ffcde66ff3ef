"""The training loop, its schedules, groups and state against closed forms and naive versions."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.losses import BCE
from kit.train import AdamW, LinearDecay, LoopStage, Supervised, parameter_groups, train
from kit.train.device import autocast
from kit.train.objective import Step
from kit.train.schedule import warmed
from tests.helpers.loop import PLAIN, BatchesOf, Net


def weights(net: nn.Module) -> dict[str, Tensor]:
    return {name: w.detach().clone() for name, w in net.named_parameters()}


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


# ---- schedule --------------------------------------------------------------------------------------


def test_rates_follow_the_schedule_for_every_group(tmp_path: Path) -> None:
    stage = LoopStage(epochs=4, lr=0.02, head_lr=0.3, warmup=0.25, precision="fp32")
    logged: list[dict[str, Any]] = []
    net = Net()
    net.layer_of = lambda name: None if "head" in name else 0
    train(net, Supervised(BCE()), BatchesOf([5] * 20), stage, tmp_path, on_log=logged.append)
    assert [line["step"] for line in logged] == [1, 20, 40, 60, 80] and logged == lines(tmp_path)
    assert [line["epoch"] for line in logged] == [1, 1, 2, 3, 4] and {line["steps"] for line in logged} == {80}
    np.testing.assert_allclose(
        [line["lr"] for line in logged], [0.02 * warmed(LinearDecay(), s, 80, 0.25) for s in (0, 19, 39, 59, 79)]
    )
    groups = torch.load(tmp_path / "last.pt", weights_only=True)["optimizer"]["param_groups"]
    assert {g["peak"] for g in groups} == {0.02, 0.3}
    for group in groups:
        assert group["lr"] == pytest.approx(group["peak"] * warmed(LinearDecay(), 79, 80, 0.25))


def test_the_log_says_what_share_of_the_time_steps_waited_for_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, shares = [0.0], list[float]()
    monkeypatch.setattr("kit.train.meter.time", SimpleNamespace(monotonic=lambda: clock[0]))

    class Late(BatchesOf):
        def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
            clock[0] += 3
            return super().__getitem__(rows)

    class Slow(Net):
        def forward(self, **inputs: Tensor) -> Tensor:
            clock[0] += 1
            return super().forward(**inputs)

    train(Slow(), Supervised(BCE()), Late([5] * 40), LoopStage(), on_log=lambda line: shares.append(line["waiting"]))
    assert len(shares) > 1 and set(shares) == {0.75}


def test_scores_of_validated_epochs_are_logged(tmp_path: Path) -> None:
    scores = iter([0.3, 0.9, 0.6])
    train(Net(), Supervised(BCE()), BatchesOf([5] * 4), LoopStage(epochs=3), tmp_path, evaluate=lambda _: next(scores))
    said = [(line["step"], line["score"]) for line in lines(tmp_path) if "score" in line]
    assert said == [(4, 0.3), (8, 0.9), (12, 0.6)]


# ---- parameter groups and optimizer ----------------------------------------------------------------


def test_parameter_groups() -> None:
    net = nn.ModuleDict(
        {
            "bottom": nn.Linear(2, 2),
            "top": nn.Linear(2, 2),
            "head": nn.Linear(2, 1),
            "ice": nn.Linear(2, 2),
        }
    )
    net["ice"].requires_grad_(False)
    below = {"bottom": 3, "top": 0, "head": None}
    stage = LoopStage(lr=0.1, head_lr=0.7, layer_decay=0.5, weight_decay=0.02)
    assert {g["lr"] for g in parameter_groups(net, stage)} == {0.1}  # no layers: everything at lr
    net.layer_of = lambda name: below[name.split(".")[0]]
    groups = parameter_groups(net, stage)
    found = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert all(g["peak"] == g["lr"] for g in groups)
    for part, rate in (("bottom", 0.1 * 0.5**3), ("top", 0.1), ("head", 0.7)):
        assert found.pop(id(net[part].weight)) == (pytest.approx(rate), 0.02)
        assert found.pop(id(net[part].bias)) == (pytest.approx(rate), 0.0)
    assert not found and sum(len(g["params"]) for g in groups) == 6  # each once, frozen ones absent
    net.layer_of = lambda name: None
    assert {g["lr"] for g in parameter_groups(net, LoopStage(lr=0.1))} == {0.1}  # no head_lr: lr


def test_adamw_is_the_paper_s_with_bias_correction() -> None:
    stage = LoopStage(lr=0.1, weight_decay=0.3, optimizer=AdamW(betas=(0.8, 0.95), eps=1e-3))
    rng = np.random.default_rng(0)
    w = rng.normal(size=(4, 3))
    weight = nn.Parameter(torch.tensor(w))
    optimizer = stage.optimizer.build([{"params": [weight], "lr": 0.1, "weight_decay": 0.3}])
    m = v = np.zeros_like(w)
    for t in range(1, 7):
        grad = rng.normal(size=w.shape)
        m, v = 0.8 * m + 0.2 * grad, 0.95 * v + 0.05 * grad**2
        w = w * (1 - 0.1 * 0.3) - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3)
        weight.grad = torch.tensor(grad)
        optimizer.step()
        np.testing.assert_allclose(weight.detach().numpy(), w, rtol=1e-9)


def test_first_step_moves_by_the_rate_against_the_gradient() -> None:
    net, batches = Net(), BatchesOf([12])
    before = weights(net)
    grads = gradient(Net(), batches, 12)
    train(net, Supervised(BCE()), batches, PLAIN)
    for name, w in net.named_parameters():
        moved = grads[name].abs() > 1e-3  # eps is small beside it
        torch.testing.assert_close((w - before[name])[moved], -0.01 * grads[name].sign()[moved], rtol=3e-3, atol=0)


# ---- accumulation, unequal batches, clipping ---------------------------------------------------------


def gradient(net: nn.Module, batches: BatchesOf, divided_by: float) -> dict[str, Tensor]:
    batch = batches[np.arange(len(batches.x))]
    (Supervised(BCE())(net, batch).loss / divided_by).backward()
    return {name: w.grad for name, w in net.named_parameters()}


def test_accumulating_equals_one_large_batch() -> None:
    small, large = Net(), Net()
    stage = LoopStage(epochs=3, lr=0.05, precision="fp32", clip=0.5)
    train(small, Supervised(BCE()), BatchesOf([4] * 6, shuffled=False), stage.override("accumulate=3"))
    train(large, Supervised(BCE()), BatchesOf([12] * 2, shuffled=False), stage)
    for a, b in zip(small.parameters(), large.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(small.head.weight, Net().head.weight, atol=0.01)


@pytest.fixture
def steps_taken(monkeypatch: pytest.MonkeyPatch) -> list[dict[tuple[int, ...], Tensor]]:
    """The gradients at each optimizer step, while no weight moves."""
    taken: list[dict[tuple[int, ...], Tensor]] = []

    def step(self: torch.optim.Optimizer) -> None:
        taken.append({tuple(p.shape): p.grad.clone() for g in self.param_groups for p in g["params"]})

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    return taken


@pytest.mark.parametrize("accumulate", [1, 2, 9])
def test_every_row_weighs_the_same_in_an_epoch(steps_taken: list, accumulate: int) -> None:
    sizes, net = [1, 9, 2, 14, 4], Net()
    train(net, Supervised(BCE()), BatchesOf(sizes), PLAIN.override(f"accumulate={accumulate}"))
    count = -(-len(sizes) // accumulate)
    assert len(steps_taken) == count
    whole = gradient(Net(), BatchesOf(sizes), sum(sizes))  # mean over all rows
    for weight in (net.body.weight, net.head.weight):
        summed = sum(taken[tuple(weight.shape)] for taken in steps_taken) / count
        name = "body.weight" if weight is net.body.weight else "head.weight"
        torch.testing.assert_close(summed, whole[name], rtol=1e-4, atol=1e-6)


def test_clip_limits_the_norm_of_the_whole_gradient(steps_taken: list) -> None:
    for clip in ("none", "0.01"):
        train(Net(), Supervised(BCE()), BatchesOf([6]), PLAIN.override(f"clip={clip}"))
    free, clipped = (torch.cat([g.flatten() for g in taken.values()]) for taken in steps_taken)
    shared = free.norm()
    assert shared > 0.02 and clipped.norm() <= 0.0101
    torch.testing.assert_close(clipped / clipped.norm(), free / shared, rtol=1e-3, atol=1e-5)  # only shorter


def test_frozen_weights_stay_and_the_model_ends_in_eval_mode() -> None:
    net = Net(dropout=0.5)
    net.body.requires_grad_(False)
    before = weights(net)
    train(net.eval(), Supervised(BCE()), BatchesOf([6, 6]), PLAIN)
    assert not net.training and torch.equal(net.body.weight, before["body.weight"])
    assert not torch.equal(net.head.weight, before["head.weight"])


def test_logged_loss_is_the_mean_over_rows(tmp_path: Path) -> None:
    batches, net = BatchesOf([2, 3, 9], shuffled=False), Net()
    first, others = (Supervised(BCE())(net, batches[rows]).loss.item() for rows in np.split(np.arange(14), [2]))
    train(net, Supervised(BCE()), batches, PLAIN.override("lr=1e-12"), tmp_path / "new" / "folder")
    losses = [line["loss"] for line in lines(tmp_path / "new" / "folder")]
    assert losses == [pytest.approx(first / 2, rel=1e-5), pytest.approx(others / 12, rel=1e-5)]


def test_a_loss_that_is_no_number_ends_the_run_before_it_is_saved(tmp_path: Path) -> None:
    batches = BatchesOf([6, 6])
    batches.x[0, 0] = math.nan  # a label that is nan is missing, and teaches nothing
    with pytest.raises(KitError, match="the loss is nan by step [12] of 2; lower lr or set clip"):
        train(Net(), Supervised(BCE()), batches, PLAIN, tmp_path)
    assert not (tmp_path / "last.pt").exists()


def test_bf16_multiplies_in_bf16_and_learns_in_fp32() -> None:
    dtypes = []

    def objective(model: nn.Module, batch: dict[str, Any]) -> Step:
        step = Supervised(BCE())(model, batch)
        dtypes.append((step.output.dtype, step.loss.dtype))
        return step

    net = Net()
    train(net, objective, BatchesOf([6]), PLAIN.override("precision=bf16"))
    train(Net(), objective, BatchesOf([6]), PLAIN)
    assert dtypes == [(torch.bfloat16, torch.float32), (torch.float32, torch.float32)]
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    with autocast(torch.device("cpu"), "fp32"):
        assert net(torch.zeros(1, 3)).dtype == torch.float32


# ---- going on after a kill ---------------------------------------------------------------------------

LONG = LoopStage(epochs=3, lr=0.05, accumulate=2, precision="fp32")  # 3 × 23 batches make 3 × 12 steps
SIZES = [1, 5, 3] * 7 + [4, 2]


def attempt(net: Net, work: Path, fail_at: int | None, save_every: float = 0) -> BatchesOf:
    batches = BatchesOf(SIZES, fail_at)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        if fail_at is None:
            train(net, Supervised(BCE()), batches, LONG, work, save_every=save_every)
        else:
            with pytest.raises(KeyboardInterrupt):
                train(net, Supervised(BCE()), batches, LONG, work, save_every=save_every)
    return batches


@pytest.mark.parametrize("fail_at", [[0], [1], [2], [17], [23, 1, 30], [44], [68]])
def test_a_killed_run_ends_in_the_same_bits(tmp_path: Path, fail_at: list[int]) -> None:
    whole, resumed = Net(0.4), Net(0.4)
    attempt(whole, tmp_path / "whole", None)
    for k in fail_at:
        attempt(resumed, tmp_path / "part", k)
        torch.rand(5)  # a new process has other numbers ahead, and weights that only a saved state replaces
        resumed = Net(0.4, seed=99 if (tmp_path / "part" / "last.pt").exists() else 0)
    attempt(resumed, tmp_path / "part", None)
    assert same(whole, resumed) and not same(whole, Net(0.4))
    a, b = lines(tmp_path / "whole"), lines(tmp_path / "part")
    assert [(x["step"], x["epoch"], x["lr"]) for x in a] == [(x["step"], x["epoch"], x["lr"]) for x in b]
    assert [x["step"] for x in a] == [1, 20, 36]


def test_a_kill_in_on_log_repeats_no_line_and_a_finished_run_trains_no_further(tmp_path: Path) -> None:
    def stop(line: dict[str, Any]) -> None:
        if line["step"] == 20:
            raise KeyboardInterrupt

    whole, net = Net(0.4), Net(0.4)
    attempt(whole, tmp_path / "whole", None)
    with torch.random.fork_rng(), pytest.raises(KeyboardInterrupt):
        torch.manual_seed(3)  # killed between the log line and the state of step 20
        train(net, Supervised(BCE()), BatchesOf(SIZES), LONG, tmp_path, on_log=stop, save_every=0)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"stage": 0, "step": 21, "steps": 3')  # and the next line half-written
    attempt(net := Net(seed=7, dropout=0.4), tmp_path, None)
    assert same(whole, net) and [line["step"] for line in lines(tmp_path)] == [1, 20, 36]
    again = Net(0.4, seed=8)
    assert attempt(again, tmp_path, None, save_every=1e9).seen == [] and same(again, whole) and not again.training
    assert [line["step"] for line in lines(tmp_path)] == [1, 20, 36]


def test_the_last_step_is_saved_and_a_stale_log_without_state_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"stage": 0, "step": 20}\n')
    net = Net()
    attempt(net, tmp_path, None, save_every=1e9)
    assert [line["step"] for line in lines(tmp_path)] == [1, 20, 36] and "loss" in lines(tmp_path)[0]
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert state["step"] == 36 and all(torch.equal(state["model"][n], w) for n, w in weights(net).items())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.pt", "log.jsonl"]


def test_a_damaged_state_is_a_new_start(tmp_path: Path) -> None:
    whole, net = Net(0.4), Net(0.4)
    attempt(whole, tmp_path / "whole", None)
    attempt(Net(0.4), tmp_path, 17)
    state = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(state[: len(state) // 2])
    attempt(net, tmp_path, None)
    assert same(whole, net)


def whole_bytes(model: dict[str, torch.Tensor]) -> bytes:
    """The first weights of a state as they lie in its file."""
    return next(iter(model.values())).contiguous().numpy().tobytes()


def test_a_bit_of_the_state_that_was_turned_is_a_new_start_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, net = Net(0.4), Net(0.4)
    attempt(whole, tmp_path / "whole", None)
    attempt(Net(0.4), tmp_path, 17)
    state = bytearray((tmp_path / "last.pt").read_bytes())
    weights_at = state.index(whole_bytes(torch.load(tmp_path / "last.pt", weights_only=True)["model"]))
    state[weights_at + 2] ^= 1  # torch does not check what it loads
    (tmp_path / "last.pt").write_bytes(bytes(state))
    attempt(net, tmp_path, None)
    assert same(whole, net)
    assert f"kit: {tmp_path}/last.pt is damaged; the training starts again" in capsys.readouterr().err


def test_a_log_that_was_changed_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempt(whole := Net(0.4), tmp_path, None)
    log = tmp_path / "log.jsonl"
    log.write_text(log.read_text().replace("loss", "lost"))
    attempt(again := Net(0.4, seed=8), tmp_path, None)
    assert lines(tmp_path) == [] and same(again, whole)
    assert f"kit: {log} is damaged; its lines so far are left out" in capsys.readouterr().err
