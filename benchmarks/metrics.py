"""Metrics: kit's against scikit-learn's, and a metric of your own against the same one of kit.

    make bench name=metrics args="--rows 50000 --members 20"
    make bench name=metrics args="--only sklearn --turns 25"

Against scikit-learn, on one thread: one call; the bootstrap, for which scikit-learn scores the drawn rows of each
resample; and the best threshold, for which it scores 200 cuts. All take turns, and of each the least processor time
counts: other work on the machine only ever adds to it.

Your own: F-beta is written as a person would write it in a notebook: a function, and the function with `row_stats` and
`from_sums`. Both ways and kit's own `f_beta(2)` take turns, so that other work on the machine hits all alike. Of each
turn the ratio to kit's own is taken; printed are its median and its range over the turns.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn import metrics as theirs

from kit.core.threads import use_threads
from kit.ensemble import Greedy
from kit.ensemble.decide.threshold import best_threshold
from kit.metrics import METRICS, Metric, f_beta
from kit.metrics.intervals import bootstrap


def f2(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    hits, truth, predicted = f2_rows(y, p, threshold).sum(axis=0)
    return float(5 * hits / max(4 * truth + predicted, 1))


def f2_rows(y: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
    return np.stack([(y == 1) & (p >= threshold), y == 1, p >= threshold], axis=1)


def f2_of_sums(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    hits, truth, predicted = sums
    return 5 * hits / np.maximum(4 * truth + predicted, 1)


PLAIN = Metric(f2, greater_is_better=True, needs="label", threshold=0.5)
FAST = Metric(
    f2, greater_is_better=True, needs="label", threshold=0.5, row_stats=f2_rows, from_sums=f2_of_sums
)  # fmt: skip
WAYS = {"kit's own": f_beta(2), "yours with row_stats": FAST, "yours, function alone": PLAIN}


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()  # of the processor: what else runs on the machine has less part in it
    work()
    return time.process_time() - start


def compare(title: str, work: Callable[[Metric], object], turns: int) -> None:
    """Prints the processor seconds of each way, and the ratio to kit's own."""
    spent: dict[str, list[float]] = {name: [] for name in WAYS}
    for metric in WAYS.values():
        work(metric)  # kernels are compiled and caches are warm
    for _ in range(turns):
        for name, metric in WAYS.items():
            spent[name].append(seconds(partial(work, metric)))
    print(title)
    for name, times in spent.items():
        ratios = np.array(times) / np.array(spent["kit's own"])
        print(
            f"  {name:22} {np.median(times):8.3f} s, {np.median(ratios):6.2f} times kit's own "
            f"({ratios.min():.2f} to {ratios.max():.2f})"
        )


Scores = Callable[[np.ndarray, np.ndarray], float]
SKLEARN: dict[str, Scores] = {
    "accuracy": lambda y, p: theirs.accuracy_score(y, p >= 0.5),
    "f1": lambda y, p: theirs.f1_score(y, p >= 0.5),
    "mcc": lambda y, p: theirs.matthews_corrcoef(y, p >= 0.5),
    "roc_auc": theirs.roc_auc_score,
    "log_loss": theirs.log_loss,
    "mae": theirs.mean_absolute_error,
    "rmse": theirs.root_mean_squared_error,
}
FEW, CUTS, CALLS = 5, 200, 5  # resamples that scikit-learn scores; cuts that it scores; calls that are timed together


def resampled_by_sklearn(score: Scores, y: np.ndarray, p: np.ndarray) -> None:
    """Scores FEW resamples."""
    rng = np.random.default_rng(0)
    for _ in range(FEW):
        rows = rng.integers(0, len(y), len(y))
        score(y[rows], p[rows])


def cut_by_sklearn(score: Scores, y: np.ndarray, p: np.ndarray) -> None:
    """Scores a tenth of CUTS."""
    for cut in np.quantile(p, np.linspace(0, 1, CUTS // 10)):
        score(y, (p >= cut).astype(float))


def against_sklearn(y: np.ndarray, p: np.ndarray, resamples: int, turns: int) -> None:
    """Prints the least processor milliseconds of both, and their ratio."""
    labels, values = y[:, 0], p[:, 0].astype(np.float64)
    work: dict[str, tuple[tuple[Callable[[], object], float], tuple[Callable[[], object], float]]] = {}
    for name, score in SKLEARN.items():
        metric = METRICS[name]
        one = (lambda metric=metric: [metric(y, p) for _ in range(CALLS)], 1 / CALLS)
        other = (lambda score=score: [score(labels, values) for _ in range(CALLS)], 1 / CALLS)
        work[f"{name}, one call"] = one, other
        work[f"{name}, {resamples} resamples"] = (
            (lambda metric=metric: bootstrap(metric, y, p, rounds=resamples), 1),
            (lambda score=score: resampled_by_sklearn(score, labels, values), resamples / FEW),
        )
        if metric.threshold is not None:
            work[f"{name}, best threshold"] = (
                (lambda metric=metric: best_threshold(metric, y, p), 1),
                (lambda score=score: cut_by_sklearn(score, labels, values), 10),
            )
    least = {name: [np.inf, np.inf] for name in work}
    for _ in range(turns):
        for name, sides in work.items():
            for i, (do, factor) in enumerate(sides):
                least[name][i] = min(least[name][i], 1000 * factor * seconds(do))
    print(f"{len(y):,} rows, one column, the least of {turns} turns, processor milliseconds")
    for name, (ours, other) in least.items():
        print(f"  {name:26} kit {ours:10.3f}   scikit-learn {other:10.3f}   {other / ours:7.1f} times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=20, help="of the greedy search")
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--only", choices=["sklearn", "own"], help="one of both parts")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    y = (rng.random((args.rows, 1)) < 0.3).astype(float)
    bank = 1 / (1 + np.exp(0.5 - y + rng.normal(0, 1.5, (args.members, *y.shape))))
    bank = bank.astype(np.float32)
    if args.only != "own":
        use_threads(1)  # processor time of waiting threads would count
        against_sklearn(y, bank[0], args.resamples, args.turns)
    if args.only == "sklearn":
        return
    print(f"{args.rows:,} rows, {args.members} members, {args.turns} turns")
    compare(
        f"bootstrap, {args.resamples} resamples",
        lambda metric: bootstrap(metric, y, bank[0], rounds=args.resamples),
        args.turns,
    )
    compare(
        f"greedy search, {args.rounds} rounds",
        lambda metric: Greedy(rounds=args.rounds).fit(bank, y, metric),
        args.turns,
    )


if __name__ == "__main__":
    main()
