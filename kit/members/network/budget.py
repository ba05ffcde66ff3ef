"""How many tokens a prediction's batch holds on a CPU: measured once, then kept."""

import platform
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kit.core.spec import digest
from kit.core.threads import threads
from kit.rows import Rows

FACTORS = (1, 0.25, 0.5, 2)  # budgets that are tried, as factors of the training budget; the first one wins a tie
FEW = 10  # training budgets: fewer tokens are predicted in about the time of a measurement
GAIN = 0.95  # another budget is chosen if it takes at most this share of the time per token
ROUNDS = 3  # in which it must be faster


measured: dict[str, int] = {}  # in this process: name → budget


def measured_budget(
    rows: Rows, net: Any, length: np.ndarray, tokens: int, most: int, seconds: Callable[[np.ndarray], float]
) -> int:
    """The number of padded tokens in a batch with which a network predicts fastest on this machine.

    The last bits of a prediction depend on its batch. So a budget is measured once a process, and kept in the cache of
    the source, where what is computed once lies for all folds, members and processes: a run that was killed goes on
    with the same one, and another process with rows of the same file, too.

    Args:
        rows: their source keeps the budget.
        net: the network.
        length: (n,) tokens of each row that is predicted.
        tokens: budget of a batch in training; also the result if there are too few rows for a measurement.
        most: largest number of rows in a batch.
        seconds: predicts the rows at some positions of `length` as one batch, on every thread at once, as predictions
            do: batches that fit the caches of one busy core need not fit those of all. Gives the time of a thread;
            what other programs do should count little.
    """
    if length.sum() < FEW * tokens:
        return tokens
    name = budget_name(net, tokens)

    def measure(_: Any) -> dict[str, np.ndarray]:
        if name not in measured:
            measured[name] = fastest(length, tokens, most, seconds)
        return {"tokens": np.array(measured[name])}

    measured[name] = int(rows.source.once(name, measure)["tokens"])
    return measured[name]


def budget_name(net: Any, tokens: int) -> str:
    """The same for networks of one shape on one machine, with one number of threads."""
    machine = [cpu_name(), torch.backends.cpu.get_cpu_capability(), torch.__version__, threads(), "all busy"]
    shapes = [[name, list(weight.shape)] for name, weight in net.named_parameters()]
    return "budget-" + digest([machine, shapes, tokens])[:16]


def fastest(length: np.ndarray, tokens: int, most: int, seconds: Callable[[np.ndarray], float]) -> int:
    """The budget with the least time per token on rows of medium length.

    Measurements are noisy. So the budget that was fastest in a first round is measured against `tokens` again, in
    turns, and has to be faster in every round, and clearly faster in all of them together.
    """
    order = np.argsort(length, kind="stable")
    batches: dict[int, np.ndarray] = {}
    for factor in FACTORS:
        count = min(most, max(1, int(factor * tokens / max(1, np.median(length)))))
        begin = max(0, (len(order) - count) // 2)
        batches[int(factor * tokens)] = order[begin : begin + count]

    def cost(budget: int) -> float:
        return seconds(batches[budget]) / length[batches[budget]].sum()

    seconds(batches[tokens])  # the first call pays for what is prepared once
    first = {budget: cost(budget) for budget in batches}
    best = min(first, key=lambda budget: first[budget])
    rounds = [(first[best], first[tokens])]
    while rounds[-1][0] < rounds[-1][1] and len(rounds) < ROUNDS:
        rounds.append((cost(best), cost(tokens)))
    repeated = all(ours < theirs for ours, theirs in rounds)
    ours, theirs = np.sum(rounds, axis=0)
    return best if repeated and ours < GAIN * theirs else tokens


@cache
def cpu_name() -> str:
    """The model of the processor, as the system calls it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "flags")))
    return digest(sorted(set(named))) if lines else platform.processor()
