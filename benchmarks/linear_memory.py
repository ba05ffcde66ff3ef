"""Peak memory of Linear and NBSVM, one fit and prediction each, on 160,000 made-up comments: must stay below 6 GiB.

python benchmarks/linear_memory.py [--rows N]
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from invented_comments import comments

from kit.members import NBSVM, Linear
from kit.metrics import mean_roc_auc
from kit.rows import Rows
from kit.source import Source
from kit.task import Task

LIMIT = 6.0  # GiB
TARGETS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=160_000)
    made = list(comments(parser.parse_args().rows, seed=0))
    frame, y = pd.DataFrame({"comment_text": [c.text for c in made]}), np.array([c.labels for c in made], float)
    del made
    task = Task(name="toxic", kind="multilabel", targets=TARGETS, text=("comment_text",), metric=mean_roc_auc)
    print(f"{len(frame)} comments of {frame['comment_text'].str.len().mean():.0f} characters on average", flush=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        rows = Rows(task, Source(frame[["comment_text"]], Path(folder)), np.arange(len(frame)), y)
        train, valid = rows.take(np.flatnonzero(rows.at % 5 != 0)), rows.take(np.flatnonzero(rows.at % 5 == 0))
        for member in (Linear(), NBSVM()):
            member.learn(train, valid, Path(folder)).predict(valid)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB
            print(
                f"{type(member).__name__}: {time.perf_counter() - start:.0f} s so far, peak {peak:.2f} GiB", flush=True
            )
    if peak > LIMIT:
        raise SystemExit(f"peak memory {peak:.2f} GiB is above {LIMIT:.0f} GiB")


if __name__ == "__main__":
    main()
