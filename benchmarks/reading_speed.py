"""Reading a table: `read_table` (encoding, header, types of all columns, labels, ids) against plain pandas.read_csv.

    make bench name=reading_speed args="--rows 300000 --turns 3"

122 columns: an id, labels, fractions with gaps, whole numbers, yes and no, words of few values. Both take turns in one
process; of each the least processor time counts, as other work on the machine only ever adds to it. The digest, by
which finished folds are known again, is timed by itself.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from kit.metrics import roc_auc
from kit.table import read_table
from kit.task import Task

TASK = Task(name="wide", kind="binary", targets="y", metric=roc_auc)


def table_of(rows: int) -> pd.DataFrame:
    """Invented rows: 50 columns of fractions, 54 of whole numbers, 16 of words."""
    rng = np.random.default_rng(0)
    columns = {"id": np.arange(rows) + 100_000, "y": (rng.random(rows) < 0.1).astype(int)}
    for i in range(50):
        columns[f"fraction{i}"] = np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows).round(6))
    for i in range(54):
        columns[f"whole{i}"] = rng.integers(0, 1000 if i < 40 else 2, rows)
    for i in range(16):
        columns[f"word{i}"] = rng.choice(np.array([*(f"kind {k}" for k in range(3 + 4 * i)), None], object), rows)
    return pd.DataFrame(columns)


def seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.csv")
        table_of(given.rows).to_csv(path, index=False)
        found: dict[str, list[float]] = {"pandas.read_csv": [], "read_table": [], "digest": []}
        for _ in range(given.turns):
            found["pandas.read_csv"].append(seconds(lambda: pd.read_csv(path)))
            begun = time.process_time()
            table = read_table(TASK, path, None, None)
            found["read_table"].append(time.process_time() - begun)
            found["digest"].append(seconds(lambda table=table: (table.digest, table.source.digest)))
    print(f"{given.rows:,} rows, 122 columns, {given.turns} turns, seconds of the processor: least (all)")
    for name, times in found.items():
        print(f"{name:16} {min(times):6.2f}  ({', '.join(f'{t:.2f}' for t in times)})")
    print(f"read_table / pandas.read_csv: {min(found['read_table']) / min(found['pandas.read_csv']):.2f}")


if __name__ == "__main__":
    main()
