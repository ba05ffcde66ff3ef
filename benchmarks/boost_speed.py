"""LightGBM through kit against the plain library: seconds and peak memory of fit and prediction, one process each side.

    python benchmarks/boost_speed.py [--rows 500000] [--columns 100] [--trees 50]

Both sides get the same frame of float64 numbers, and the same settings; the data are made before the clock starts.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd

from kit import Boost, Rows, Task, rmse
from kit.core.threads import threads
from kit.schema.schema import Schema


def data(rows: int, columns: int) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(rows, columns)), columns=[f"x{i}" for i in range(columns)])
    y = frame["x0"] * 2 + np.sin(frame["x1"] * 3) + frame["x2"] * frame["x3"] + rng.normal(size=rows)
    return frame, y.to_numpy()


def side(name: str, rows: int, columns: int, trees: int) -> None:
    """Prints seconds, peak MiB and the sum of the predictions of one side."""
    frame, y = data(rows, columns)
    member = Boost(trees=trees, patience=None)
    task = Task(name="speed", kind="regression", targets="y", metric=rmse)
    every = Rows.of(task, frame, y, Schema()) if name == "kit" else None
    if every is not None:
        del frame  # the rows have their own
    params = member._params(task) | {"num_threads": threads()}
    begin = time.perf_counter()
    if every is not None:
        with tempfile.TemporaryDirectory() as work:
            p = member.learn(every, every.take(np.arange(0)), Path(work)).predict(every)[:, 0]
    else:
        p = lgb.train(params, lgb.Dataset(frame, y), trees).predict(frame, num_threads=threads())
    seconds = time.perf_counter() - begin
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, float(np.sum(p)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("rows", 500_000), ("columns", 100), ("trees", 50)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--side", choices=["kit", "lightgbm"])
    args = parser.parse_args()
    if args.side:
        side(args.side, args.rows, args.columns, args.trees)
        return
    found = {}
    for name in ("lightgbm", "kit"):
        command = [sys.executable, __file__, "--side", name]
        command += [f"--{key}={getattr(args, key)}" for key in ("rows", "columns", "trees")]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[name] = [float(value) for value in out.split()[-3:]]
        print(f"{name:10} {found[name][0]:7.1f} s {found[name][1]:8.0f} MiB   sum of predictions {found[name][2]:.6f}")
    print(
        "ratio      " + "  ".join(f"{k / p:.2f}" for k, p in zip(found["kit"][:2], found["lightgbm"][:2], strict=True))
    )


if __name__ == "__main__":
    main()
