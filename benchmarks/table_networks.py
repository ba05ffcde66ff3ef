"""Networks of tables: steps a second against a plain PyTorch loop, and scores out of fold against Boost.

    python benchmarks/table_networks.py speed [--steps 400] [--rounds 3]
    python benchmarks/table_networks.py scores [--data homecredit tumours diabetes] [--folds 3] [--members …]

`speed`: the same module, batches, loss, clipping and fused AdamW, learnt by a member and by a loop written by hand, on
one thread. Of each, the processor time of a short fit is taken from that of a long one, so that only steps count. They
take turns; medians are shown.

`scores`: every member on the same folds, with its defaults. Home Credit's rows are read from $KIT_DATA/homecredit; the
others are scikit-learn's.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import KFold, StratifiedKFold
from torch import Tensor

import kit.members
from kit.core.threads import use_threads
from kit.layers.heads import LINKS
from kit.members.tabular.network import TabularNetwork
from kit.members.tabular.numbers import Periodic, PiecewiseLinear
from kit.metrics import log_loss, rmse, roc_auc
from kit.models import Headed
from kit.rows import Rows
from kit.task import Task
from kit.train import Constant, Stage

THREADS, ROWS, SHORT = 2, 4000, 50
NETWORKS = ["Perceptron", "RealMLP", "TabM", "TabularResNet", "FTTransformer"]
TASK = Task(name="speed", kind="binary", targets=("y",), metric=roc_auc)


# ---- speed -------------------------------------------------------------------------------------


def table() -> Rows:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(ROWS, 30)), columns=[f"x{i}" for i in range(30)])
    for i in range(5):
        frame[f"k{i}"] = rng.choice([f"v{j}" for j in range(6)], ROWS)
    return Rows.of(TASK, frame, (frame["x0"].to_numpy() > 0).astype(float))


def by_kit(member: TabularNetwork, rows: Rows, steps: int) -> None:
    stage = member.stage.model_copy(update={"steps": steps, "max_steps": None})
    spec = member.model_copy(update={"stage": stage, "stop": "none", "patience": None})
    with tempfile.TemporaryDirectory() as work:
        spec.learn(rows, rows, Path(work))


def by_hand(member: TabularNetwork, rows: Rows, steps: int) -> None:
    dataset = member.make_dataset(rows)
    net = Headed(member.make_body(dataset, rows), 1, member.dropout, link=LINKS["binary"]).train()
    arrays = {name: torch.from_numpy(array) for name, array in dataset.inputs(rows).arrays.items()}
    y, size, done = torch.tensor(rows.labels, dtype=torch.float32), member.batch_rows, 0
    decay = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    groups: Any = [{"params": decay, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)
    while done < steps:
        order = torch.randperm(len(y))
        for at in order.split(size):
            output: Tensor = net(**{name: array[at] for name, array in arrays.items()})
            target = y[at].expand_as(output)
            F.binary_cross_entropy_with_logits(output, target).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            done += 1
            if done == steps:
                break


def seconds(fit: Callable[[TabularNetwork, Rows, int], None], member: TabularNetwork, rows: Rows, steps: int) -> float:
    """Seconds of `steps` steps, without what comes before and after them."""
    times = []
    for count in (SHORT, SHORT + steps):
        start = time.process_time()
        fit(member, rows, count)
        times.append(time.process_time() - start)
    return times[1] - times[0]


def speed(steps: int, rounds: int) -> None:
    rows = table()
    print(
        "| member | rows a step | steps a second of processor time, kit | plain loop | ratio |\n|---|---|---|---|---|"
    )
    for name in NETWORKS:
        for size in (64, 256):
            stage = Stage(lr=1e-3, precision="fp32", schedule=Constant(), warmup=0.0)
            member = getattr(kit.members, name)(batch_rows=size, stage=stage)
            few = steps // 4 if name in ("TabM", "FTTransformer") else steps
            runs = [[seconds(fit, member, rows, few) for fit in (by_kit, by_hand)] for _ in range(rounds)]
            ours, theirs = np.median(runs, axis=0)
            ratio = np.median([b / a for a, b in runs])
            print(f"| `{name}` | {size} | {few / ours:.0f} | {few / theirs:.0f} | {ratio:.2f} |", flush=True)


# ---- scores ------------------------------------------------------------------------------------


def homecredit() -> tuple[pd.DataFrame, np.ndarray, str]:
    frame = pd.read_csv(Path(os.environ.get("KIT_DATA", "data")) / "homecredit" / "application_train.csv")
    return frame.drop(columns=["SK_ID_CURR", "TARGET"]), frame["TARGET"].to_numpy(), "binary"


def of_sklearn(load: Callable[..., Any], kind: str) -> tuple[pd.DataFrame, np.ndarray, str]:
    found = load(as_frame=True)
    return found.data, found.target.to_numpy(), kind


DATA: dict[str, Callable[[], tuple[pd.DataFrame, np.ndarray, str]]] = {
    "homecredit": homecredit,
    "tumours": lambda: of_sklearn(load_breast_cancer, "binary"),
    "diabetes": lambda: of_sklearn(load_diabetes, "regression"),
}
MEMBERS: dict[str, Callable[[], Any]] = {
    "Boost": kit.members.Boost,
    "Perceptron": kit.members.Perceptron,
    "Perceptron, PiecewiseLinear": lambda: kit.members.Perceptron(numbers=PiecewiseLinear()),
    "Perceptron, Periodic": lambda: kit.members.Perceptron(numbers=Periodic()),
    "RealMLP": kit.members.RealMLP,
    "TabM": kit.members.TabM,
    "TabularResNet": kit.members.TabularResNet,
    "FTTransformer": kit.members.FTTransformer,
}


def scores(names: list[str], folds: int, members: list[str]) -> None:
    print("| rows | member | score | log loss | seconds |\n|---|---|---|---|---|")
    for name in names:
        frame, y, kind = DATA[name]()
        splitter = KFold if kind == "regression" else StratifiedKFold
        plan = list(splitter(folds, shuffle=True, random_state=0).split(frame, y))
        for called in members:
            p, start = np.zeros(len(y)), time.perf_counter()
            for train, valid in plan:
                fitted = MEMBERS[called]().fit(frame.iloc[train], y[train], kind=kind, text=())
                p[valid] = fitted.predict(frame.iloc[valid])[:, 0]
            spent, truth = time.perf_counter() - start, y[:, None].astype(float)
            metric, loss = (rmse, "") if kind == "regression" else (roc_auc, f"{log_loss(truth, p[:, None]):.4f}")
            score = metric(truth, p[:, None])
            print(f"| {name} | {called} | {metric.name} {score:.4f} | {loss} | {spent:.0f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "scores"])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--members", nargs="+", default=list(MEMBERS), choices=list(MEMBERS))
    given = parser.parse_args()
    use_threads(1 if given.what == "speed" else THREADS)
    if given.what == "speed":
        speed(given.steps, given.rounds)
    else:
        scores(given.data, given.folds, given.members)
