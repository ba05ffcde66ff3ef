"""Target encoding of a fold: kit, all columns at once, against scikit-learn's TargetEncoder in a loop over columns.

    make bench name=target_encoding args="--rows 200000 --columns 20 --rounds 3"

Both cross-fit in five inner folds, in one process, and take turns; seconds of the processor. kit's groups are found
once for all folds and members; that time is told by itself and also added. Before timing, numbers are compared:
kit's with those of scikit-learn's encoder fitted without each inner fold.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.preprocessing import TargetEncoder

from kit import Rows, TargetEncoding, Task, roc_auc
from kit.features.targets import inner_folds

TASK = Task(name="wide", kind="binary", targets="y", metric=roc_auc)


def rows_of(rows: int, columns: int) -> Rows:
    """Invented categories of 4 to about 2,000 values."""
    rng = np.random.default_rng(0)
    sizes = np.geomspace(4, 2000, columns).astype(int)
    words = {
        f"word{i}": np.array([f"kind {k}" for k in range(n)])[rng.integers(0, n, rows)] for i, n in enumerate(sizes)
    }
    return Rows.of(TASK, pd.DataFrame(words), (rng.random(rows) < 0.3).astype(float))


def seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rows, spec = rows_of(given.rows, given.columns), TargetEncoding()
    x, y = rows.frame.astype(object), rows.labels[:, 0].astype(int)
    once = seconds(lambda: spec.prepare(rows))
    _, ours = spec.fit_transform(rows)
    plan = inner_folds(rows, spec.inner, spec.seed)
    for fold in range(spec.inner):
        rest = TargetEncoder().fit(x[plan != fold], y[plan != fold]).transform(x[plan == fold])
        np.testing.assert_allclose(ours[plan == fold], rest, rtol=1e-9)
    print(f"{given.rows:,} rows, {given.columns} columns: equal numbers; groups found once in {once:.2f} s")

    def theirs() -> None:
        for column in x:
            TargetEncoder().fit_transform(x[[column]], y)

    for _ in range(given.rounds):
        kit, sklearn = seconds(lambda: spec.fit_transform(rows)), seconds(theirs)
        print(f"kit {kit:.2f} s, scikit-learn {sklearn:.2f} s: {sklearn / kit:.1f}x, groups of one fold counted "
              f"{sklearn / (kit + once):.1f}x")  # fmt: skip


if __name__ == "__main__":
    main()
