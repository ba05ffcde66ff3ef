"""What kit.train.train costs a step beyond a loop written by hand: a linear layer, batches from memory, one thread.

    python benchmarks/loop_overhead.py [--steps 2000] [--rounds 7]

Both loops do the same: AdamW (fused) over the same groups, clipping, a linear schedule with warmup, and a mean loss read
now and then. They take turns, and the fastest round of each counts: what else runs on the machine only ever adds time.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from kit.losses import BCE
from kit.threads import use_threads
from kit.train import ArrayBatches, Stage, Supervised, parameter_groups, train
from kit.train.schedule import warmed

LIMIT = 100  # µs
ROWS, WIDTH, BATCH = 1024, 16, 32
STAGE = Stage(lr=1e-3, precision="fp32")


class Memory(ArrayBatches):
    """The batches of every epoch, cut once: reading one costs nothing, in either loop."""

    def __init__(self, steps: int) -> None:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(ROWS, WIDTH))
        super().__init__({"input": x}, (x[:, 0] > 0).astype(float), BATCH)
        cut = super().plan(1)
        self.cut = [cut[i % len(cut)] for i in range(steps)]
        self.made = {rows.tobytes(): super(Memory, self).__getitem__(rows) for rows in cut}

    def plan(self, epoch: int) -> list[np.ndarray]:
        return self.cut

    def __getitem__(self, rows: np.ndarray) -> dict:
        return self.made[rows.tobytes()]


def by_kit(batches: Memory) -> nn.Module:
    net = model()
    train(net, Supervised(BCE()), batches, STAGE)
    return net


def by_hand(batches: Memory) -> nn.Module:
    net = model().train()
    optimizer = torch.optim.AdamW(parameter_groups(net, STAGE), eps=1e-6, fused=True)
    total, seen = torch.zeros(()), 0
    plan = batches.plan(1)
    for step, rows in enumerate(plan):
        rate = warmed(STAGE.schedule, step, len(plan), STAGE.warmup)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        batch = batches[rows]
        loss = F.binary_cross_entropy_with_logits(net(**batch["inputs"]), batch["y"])
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), STAGE.clip)
        optimizer.step()
        optimizer.zero_grad()
        total += loss.detach() * len(rows)
        seen += len(rows)
        if (step + 1) % 20 == 0:
            total.item() / seen
            total, seen = torch.zeros(()), 0
    return net


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(WIDTH, 1)


def seconds(loop: Callable[[Memory], nn.Module], batches: Memory) -> float:
    start = time.process_time()
    loop(batches)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=2000, help="a round")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    use_threads(1)
    batches = Memory(args.steps)
    for a, b in zip(by_kit(batches).parameters(), by_hand(batches).parameters(), strict=True):
        torch.testing.assert_close(a, b)  # the same work, or the comparison means nothing
    times = np.array([[seconds(loop, batches) for loop in (by_hand, by_kit)] for _ in range(args.rounds)])
    hand, kit = times.min(0) / args.steps * 1e6
    spread = np.ptp(times, axis=0) / times.min(0)
    print(f"by hand {hand:.0f} µs a step, kit {kit:.0f} µs (rounds differ by {spread[0]:.0%} and {spread[1]:.0%})")
    print(f"overhead {kit - hand:.0f} µs a step; wanted: below {LIMIT} µs")


if __name__ == "__main__":
    main()
