"""Greedy ensemble selection over a bank of members: kit against AutoGluon, hillclimbers and the plain loop.

    python benchmarks/ensemble.py [--metric mean_roc_auc] [--rows 160000] [--members 50] [--columns 6] [--rounds 50]
                                  [--autogluon PYTHON] [--rival-rounds 5] [--climb] [--huge]

The bank is generated: labels rare and correlated over columns, members that err alike. `--autogluon` names a Python in
which `autogluon.core` (and, for `--climb`, `hillclimbers`) is installed; without it the present one is tried, and if it
has none, the plain loop that AutoGluon runs is timed in its place: the metric of scikit-learn for every candidate. Both
sides read the same file in a process of their own and get the same labels, members and number of rounds.

Peak memory is the most that the process held beyond what it held with everything imported and the bank not yet loaded;
the bank is part of it, and of a memory-mapped bank its pages, though the system may drop them at any time.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ensemble_bank import bank

CLIMB = 0.05  # distance of the weights that `--climb` tries


def memory(field: str) -> int:
    """Bytes of this process by /proc: VmHWM is the most that was resident, VmRSS and RssAnon what is now."""
    return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) * 1024


def started() -> int:
    """Bytes held now; from here on the peak counts anew."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def timed(work: Callable[[], Any], before: int) -> tuple[dict[str, Any], Any]:
    """Seconds, seconds of processors and peak memory of some work, and what it gave."""
    start, cpu = time.perf_counter(), time.process_time()
    result = work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "peak": memory("VmHWM") - before}, result


def warm(args: argparse.Namespace) -> tuple[Any, Any]:
    """kit's search and metric, after a first use on a few rows."""
    from kit.ensemble import Greedy, HillClimb
    from kit.metrics import metric_named

    metric = metric_named(args.metric)
    search = HillClimb(grid=CLIMB, rounds=args.rounds) if args.climb else Greedy(rounds=args.rounds - 1)
    p = np.random.default_rng(0).random((2, 100_000, args.columns)).astype(np.float32)
    search.override("rounds=1").fit(p, (p[0] > 0.5).astype(float), metric)
    return search, metric


def kit_side(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    search, metric = warm(args)
    before = started()
    p, y = np.load(folder / "bank.npy", mmap_mode="r" if args.huge else None), np.load(folder / "y.npy")
    facts, fitted = timed(lambda: search.fit(p, y, metric), before)
    return facts | {"weights": list(fitted.weights.values()), "own": memory("RssAnon") - before}


def scorer(metric: str) -> Any:
    """What AutoGluon's users would judge by: the scikit-learn metric, a mean over columns."""
    from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, log_loss, roc_auc_score

    def columns(fn: Any) -> Any:
        return lambda y, p: float(np.mean([fn(y[:, c], p[:, c]) for c in range(y.shape[1])]))

    return {
        "mean_roc_auc": columns(roc_auc_score),
        "log_loss": columns(log_loss),
        "rmse": columns(lambda y, p: np.sqrt(((y - p) ** 2).mean())),
        "f1": columns(lambda y, p: f1_score(y, p >= 0.5)),
        "accuracy": columns(lambda y, p: accuracy_score(y, p >= 0.5)),
        "quadratic_kappa": columns(
            lambda y, p: cohen_kappa_score(y, np.floor(p + 0.5).clip(0, 4), weights="quadratic")
        ),
    }[metric]


def autogluon_side(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    from autogluon.core.metrics import make_scorer
    from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection

    lower = args.metric in ("log_loss", "rmse")
    judge = make_scorer(
        args.metric, scorer(args.metric), optimum=0 if lower else 1, greater_is_better=not lower, needs_proba=True
    )
    before = started()
    p, y = list(np.load(folder / "bank.npy")), np.load(folder / "y.npy")
    search = EnsembleSelection(args.rival_rounds, "binary", judge)
    return timed(lambda: search.fit(p, y), before)[0] | {"weights": search.weights_.tolist()}


def plain_side(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The loop that AutoGluon runs, where it cannot be installed; the first of equals wins."""
    judge, sign = scorer(args.metric), -1 if args.metric in ("log_loss", "rmse") else 1
    before = started()
    p, y = np.load(folder / "bank.npy"), np.load(folder / "y.npy")

    def search() -> np.ndarray:
        total, chosen, path = np.zeros(p.shape[1:]), [], []
        for size in range(1, args.rival_rounds + 1):
            scores = [sign * judge(y, (total + member) / size) for member in p]
            chosen.append(int(np.argmax(scores)))
            path.append(max(scores))
            total += p[chosen[-1]]
        kept = chosen[: int(np.argmax(path)) + 1]
        return np.bincount(kept, minlength=len(p)) / len(kept)

    facts, weights = timed(search, before)
    return facts | {"weights": weights.tolist()}


def hillclimbers_side(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The package judges one column, so it gets the first; its own class of metrics, its own grid of the same step."""
    import pandas as pd
    from hillclimbers import climb_hill, partial

    judge = scorer(args.metric)

    def metric(y: Any, p: Any) -> float:
        counted.append(1)
        if time.perf_counter() - start > args.limit:
            raise TimeoutError
        return judge(np.asarray(y)[:, None], np.asarray(p)[:, None])

    counted: list[int] = []
    before = started()
    p, y = np.load(folder / "bank.npy")[:, :, 0], np.load(folder / "y.npy")[:, 0]
    train, oof = pd.DataFrame({"y": y}), pd.DataFrame(p.T.astype(np.float64), columns=[str(i) for i in range(len(p))])
    objective = "minimize" if args.metric in ("log_loss", "rmse") else "maximize"
    start = time.perf_counter()

    def climb() -> dict[str, Any]:
        try:
            _, blend = climb_hill(
                train,
                oof,
                oof[:1],
                "y",
                objective,
                partial(metric),
                True,
                CLIMB,
                plot_hill=False,
                return_oof_preds=True,
            )
            return {"score": judge(y[:, None], np.asarray(blend)[:, None])}
        except TimeoutError:
            return {}

    facts, found = timed(climb, before)
    return facts | found | {"judged": len(counted)}


SIDES = {
    "warm": lambda folder, args: timed(lambda: warm(args), 0)[0],
    "kit": kit_side,
    "autogluon": autogluon_side,
    "plain": plain_side,
    "hillclimbers": hillclimbers_side,
}


def run(python: str, side: str, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """One side in a process of its own."""
    told = json.dumps(vars(args))
    done = subprocess.run([python, __file__, "--side", side, str(folder), told], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.decode().splitlines()[-1])


def score(folder: Path, metric: str, weights: list[float], columns: slice = slice(None)) -> float:
    """kit's metric of the weighted mean."""
    from kit.ensemble.predictions import weighted_mean
    from kit.metrics import metric_named

    p, y = np.load(folder / "bank.npy", mmap_mode="r"), np.load(folder / "y.npy")
    blend = weighted_mean(p[:, :, columns], np.array(weights))
    return metric_named(metric)(y[:, columns], blend.clip(0, 1) if metric == "log_loss" else blend)


def has(python: str, module: str) -> bool:
    if python == sys.executable:
        return importlib.util.find_spec(module.split(".")[0]) is not None
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


def tell(name: str, size: int, facts: dict[str, Any], rest: str) -> None:
    seconds = f"{name:13} {facts['seconds']:8.1f} s ({facts['cpu']:.1f} s of CPU)"
    print(f"{seconds}, peak {facts['peak'] / size:.2f} times the bank, {rest}", flush=True)


def compare(folder: Path, args: argparse.Namespace) -> None:
    """Prints both sides of one metric."""
    size = (folder / "bank.npy").stat().st_size
    first = run(sys.executable, "warm", folder, args)["seconds"]  # kernels are compiled, once a machine
    ours = run(sys.executable, "kit", folder, args)
    best = score(folder, args.metric, ours["weights"])
    used = sum(w != 0 for w in ours["weights"])
    tell("kit", size, ours, f"{used} members used, {args.metric} {best:.7f}; first use on a few rows {first:.1f} s")
    if args.huge:
        print(f"of kit's peak {ours['own'] / size:.3f} times the bank is its own, the rest are pages of the file")
        return
    if args.climb:
        theirs = run(args.autogluon, "hillclimbers", folder, args)
        steps = min(used, args.rounds)  # the last may have found nothing
        judged = args.members + round(1 / CLIMB) * sum(args.members - step for step in range(1, steps + 1))
        note = f"{args.metric} {theirs['score']:.7f}" if "score" in theirs else "stopped unfinished"
        tell("hillclimbers", size, theirs, f"{theirs['judged']} blends judged, {note}")
        each = ours["seconds"] / judged, theirs["seconds"] / theirs["judged"]
        print("seconds a blend: {:.5f} and {:.5f},".format(*each), f"kit is {each[1] / each[0]:.1f} times faster")
        return
    side = "autogluon" if has(args.autogluon, "autogluon.core.metrics") else "plain"
    theirs = run(args.autogluon if side == "autogluon" else sys.executable, side, folder, args)
    rival, factor = score(folder, args.metric, theirs["weights"]), args.rounds / args.rival_rounds
    fewer = run(sys.executable, "kit", folder, argparse.Namespace(**vars(args) | {"rounds": args.rival_rounds}))
    mine = fewer if factor > 1 else ours
    whole = theirs["seconds"] * factor
    note = f", timed for {args.rival_rounds} rounds; {args.rounds} would take {whole:.0f} s" if factor > 1 else ""
    tell(side, size, theirs, f"{args.metric} {rival:.7f}{note}")
    equal = np.allclose(mine["weights"], theirs["weights"], atol=1e-9)
    same = score(folder, args.metric, mine["weights"])
    print(
        f"kit is {whole / ours['seconds']:.1f} times faster; after {args.rival_rounds} rounds kit has {same:.7f}, "
        f"{side} {rival:.7f}, weights {'equal' if equal else 'not equal'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--metric", default="mean_roc_auc", help="also log_loss, rmse, f1, accuracy, quadratic_kappa")
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--rows", type=int, default=160_000)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--rival-rounds", type=int, help="time the rival for fewer rounds, at least 2")
    parser.add_argument("--autogluon", default=sys.executable, help="a Python that has autogluon.core")
    parser.add_argument("--climb", action="store_true", help="hill climbing, against hillclimbers; one column")
    parser.add_argument("--limit", type=float, default=120, help="seconds after which hillclimbers is stopped")
    parser.add_argument("--huge", action="store_true", help="500 members x 1,000,000 rows x 1 column, memory-mapped")
    parser.add_argument("--folder", type=Path, help="where the bank is written; kept, and used again if it is there")
    args = parser.parse_args()
    args.rival_rounds = args.rival_rounds or args.rounds
    if args.huge:
        args.members, args.rows = 500, 1_000_000
    if args.huge or args.climb or args.metric == "quadratic_kappa":
        args.columns = 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        args.folder = str(folder)
        if not (folder / "bank.npy").exists():
            bank(folder, args.metric, args.members, args.rows, args.columns)
        shape = np.load(folder / "bank.npy", mmap_mode="r").shape
        print("{} members x {} rows x {} columns, float32;".format(*shape), f"{args.rounds} rounds", flush=True)
        compare(folder, args)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        side, folder, told = sys.argv[2:]
        print(json.dumps(SIDES[side](Path(folder), argparse.Namespace(**json.loads(told)))))
    else:
        main()
