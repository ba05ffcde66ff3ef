"""Words that no train row has: unknown to a TextNet, or known with a vector that stays as it was drawn.

    KIT_DATA=data python benchmarks/unknown_words.py [--rows 6000] [--seeds 5] [--net RNN]

The first rows of the Toxic competition, a third of them held out, another third with each seed. Both networks of a pair
learn from the same rows with the same seed; what they score on the held-out rows is compared pair by pair.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from competitions.toxic.recipe import Toxic
from kit.core.threads import threads, use_threads
from kit.members import TextNet
from kit.metrics import mean_roc_auc
from kit.rows import Rows
from kit.source import Source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--net", default="TextCNN")
    args = parser.parse_args()
    use_threads(threads())
    task = Toxic.task
    frame = pd.read_csv(Path(os.environ.get("KIT_DATA", "data")) / "toxic" / "train.csv", nrows=args.rows)
    rows = Rows(task, Source(frame[["comment_text"]]), np.arange(len(frame)), frame[list(task.targets)].to_numpy(float))
    print("| seed | units of train rows | units of all rows |\n|---|---|---|")
    pairs = []
    for seed in range(args.seeds):
        order = np.random.default_rng(seed).permutation(len(rows))
        train, test = rows.take(np.sort(order[len(rows) // 3 :])), rows.take(np.sort(order[: len(rows) // 3]))
        scores = []
        for vocabulary in ("train", "all"):
            spec = TextNet(seed=seed).override(f"net={args.net}", f"vocabulary={vocabulary}")
            with tempfile.TemporaryDirectory() as work:
                scores.append(mean_roc_auc(test.labels, spec.learn(train, test, Path(work)).predict(test)))
        pairs.append(scores)
        print(f"| {seed} | {scores[0]:.4f} | {scores[1]:.4f} |", flush=True)
    gain = np.diff(np.array(pairs)[:, ::-1], axis=1)[:, 0]
    error = gain.std(ddof=1) / len(gain) ** 0.5
    print(f"\nunits of train rows, less those of all: {gain.mean():+.4f}, standard error {error:.4f}")


if __name__ == "__main__":
    main()
