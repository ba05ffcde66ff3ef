"""What kit.train.train costs a step beyond a loop written by hand: a linear layer, batches from memory, one thread.

    python benchmarks/loop_overhead.py [--steps 200] [--rounds 60]

Both do the same: fused AdamW over the same groups, clipping, a linear schedule with warmup, a mean loss read every 20
steps. They take turns, and the median over rounds counts: of processor time, and of how much more of it kit took than
the hand-written loop just before. What `train` does before its first step is counted too. A third loop is kit's with
its own BCE, which checks shapes and weighs rows; that is the loss's cost, not the loop's.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.core.threads import use_threads
from kit.losses import BCE
from kit.train import ArrayBatches, LoopStage, Supervised, parameter_groups, train
from kit.train.schedule import warmed

LIMIT = 100  # µs
ROWS, WIDTH, BATCH = 1024, 16, 32
STAGE = LoopStage(lr=1e-3, precision="fp32")


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


def rows_loss(output: Tensor, y: Tensor) -> Tensor:
    """Binary cross-entropy of each row, (n,)."""
    return F.binary_cross_entropy_with_logits(output, y, reduction="none").mean(1)


def by_kit(batches: Memory, loss: Callable[..., Tensor] = rows_loss) -> nn.Module:
    net = model()
    train(net, Supervised(loss), batches, STAGE)
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


LOOPS: dict[str, Callable[[Memory], nn.Module]] = {
    "by hand": by_hand,
    "kit": by_kit,
    "kit with its BCE": partial(by_kit, loss=BCE()),
}


def seconds(loop: Callable[[Memory], nn.Module], batches: Memory) -> float:
    start = time.process_time()
    loop(batches)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=200, help="of a round")
    parser.add_argument("--rounds", type=int, default=60)
    args = parser.parse_args()
    use_threads(1)
    batches = Memory(args.steps)
    wanted = list(by_hand(batches).parameters())
    for loop in LOOPS.values():
        torch.testing.assert_close(list(loop(batches).parameters()), wanted)  # the same work, or nothing is compared
    times = np.array([[seconds(loop, batches) for loop in LOOPS.values()] for _ in range(args.rounds)])
    taken, more = (np.median(t, axis=0) / args.steps * 1e6 for t in (times, times - times[:, :1]))
    for name, microseconds, beyond in zip(LOOPS, taken, more, strict=True):
        print(f"{name:16} {microseconds:5.0f} µs a step, {beyond:+5.0f} µs")
    print(f"wanted of kit: at most {LIMIT:+} µs")


if __name__ == "__main__":
    main()
