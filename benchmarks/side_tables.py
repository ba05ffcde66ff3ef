"""Features of side tables: `SideAggregates` against the same polars query written by hand.

    make bench name=side_tables args="--rows 30000000"

Invented tables in the form of Home Credit's: two thirds of the rows are payments of clients, the others are months of
loans, which belong to clients. Both sides count, and take mean, least, greatest, sum and standard deviation of three
columns, shares of three categories, and go over loans for the months. Each runs in a process of its own, which reports
its time (of the clock and of the processor, all threads) and the peak of its resident memory; they take turns, and the
least time counts. What kit does once when the files are opened, checksums and types, is timed by itself. The numbers of
both sides are compared.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

BLOCK = 1_000_000  # rows that are written at once
VALUES = ("AMT_INSTALMENT", "AMT_PAYMENT", "DAYS_ENTRY_PAYMENT")
STATISTICS = ("mean", "min", "max", "sum", "std")
WORDS = ("Active", "Completed", "Signed")


def generate(folder: Path, rows: int) -> None:
    """Writes applications.csv, payments.csv, loans.csv and months.csv."""
    import polars as pl

    rng = np.random.default_rng(0)
    payments, clients, loans = rows * 2 // 3, rows // 90, rows // 18
    months = rows - payments - loans
    ids = rng.permutation(clients) + 100_001
    frame = pl.DataFrame({"SK_ID_CURR": ids, "AMT_CREDIT": rng.normal(5e5, 1e5, clients).round(1), "TARGET": ids % 2})
    frame.write_csv(folder / "applications.csv")

    def parts(name: str, count: int, block: Any) -> None:
        with open(folder / name, "wb") as file:
            for start in range(0, count, BLOCK):
                n = min(BLOCK, count - start)
                pl.DataFrame(block(start, n)).write_csv(file, include_header=not start)

    def words(n: int) -> Any:
        return pl.Series(WORDS)[rng.integers(0, 3, n)]

    def payment(start: int, n: int) -> dict[str, Any]:
        due = -rng.integers(1, 2900, n)
        amount = rng.gamma(2, 5000, n).round(2)
        return {
            "SK_ID_PREV": rng.integers(10**6, 3 * 10**6, n), "SK_ID_CURR": rng.choice(ids, n),
            "NUM_INSTALMENT_NUMBER": rng.integers(1, 30, n), "DAYS_INSTALMENT": due.astype(float),
            "DAYS_ENTRY_PAYMENT": due - rng.integers(-20, 20, n).astype(float), "AMT_INSTALMENT": amount,
            "AMT_PAYMENT": (amount * rng.choice([1.0, 1.0, 0.5], n)).round(2), "NAME_CONTRACT_STATUS": words(n),
        }  # fmt: skip

    parts("payments.csv", payments, payment)
    parts(
        "loans.csv",
        loans,
        lambda start, n: {
            "SK_ID_CURR": rng.choice(ids, n), "SK_ID_BUREAU": np.arange(start, start + n) + 5 * 10**6,
            "DAYS_CREDIT": -rng.integers(1, 2900, n), "AMT_CREDIT_SUM": rng.gamma(2, 9e4, n).round(1),
        },
    )  # fmt: skip
    parts(
        "months.csv",
        months,
        lambda start, n: {
            "SK_ID_BUREAU": rng.integers(0, loans, n) + 5 * 10**6, "MONTHS_BALANCE": -rng.integers(0, 96, n),
            "STATUS": words(n),
        },
    )  # fmt: skip


def by_hand(folder: Path) -> tuple[dict[str, float], np.ndarray]:
    """The query as a person writes it."""
    import polars as pl

    rows = pl.read_csv(folder / "applications.csv")
    begun, used = time.perf_counter(), time.process_time()
    status = pl.col("NAME_CONTRACT_STATUS")
    payments = pl.scan_csv(folder / "payments.csv").group_by("SK_ID_CURR").agg(
        pl.len().alias("count"),
        *(getattr(pl.col(c), s)().alias(f"{s} {c}") for c in VALUES for s in STATISTICS),
        *((status == word).mean().alias(f"share {word}") for word in WORDS),
    )  # fmt: skip
    months = pl.scan_csv(folder / "months.csv").group_by("SK_ID_BUREAU").agg(
        pl.len().alias("count"),
        pl.col("MONTHS_BALANCE").min().alias("first"),
        *((pl.col("STATUS") == word).mean().alias(f"share {word}") for word in WORDS),
    )  # fmt: skip
    loans = pl.scan_csv(folder / "loans.csv").join(months, on="SK_ID_BUREAU", how="left").group_by("SK_ID_CURR").agg(
        pl.col("count").fill_null(0).sum().alias("sum of counts"),
        pl.col("count").fill_null(0).mean().alias("mean of counts"),
        pl.col("first").mean().alias("mean of firsts"),
        *(pl.col(f"share {word}").mean().alias(f"mean of shares {word}") for word in WORDS),
    )  # fmt: skip
    first = payments.collect(engine="streaming")
    second = loans.collect(engine="streaming")
    found = rows.join(first, on="SK_ID_CURR", how="left", maintain_order="left")
    found = found.join(second, on="SK_ID_CURR", how="left", maintain_order="left")
    found = found.with_columns(pl.col("count", "sum of counts").fill_null(0))
    values = found.drop("SK_ID_CURR", "AMT_CREDIT", "TARGET").to_numpy().astype(np.float32)
    return {"seconds": time.perf_counter() - begun, "processor": time.process_time() - used}, values


def by_kit(folder: Path) -> tuple[dict[str, float], np.ndarray]:
    """The same, declared."""
    from kit.features.sides.aggregates import SideAggregates
    from kit.metrics import roc_auc
    from kit.sides.side import Side
    from kit.table import read_table
    from kit.task import Task

    task = Task(name="loans", kind="binary", id="SK_ID_CURR", targets="TARGET", metric=roc_auc)
    sides = (
        Side(file="payments.csv", key="SK_ID_CURR", time="DAYS_INSTALMENT"),
        Side(file="loans.csv", key="SK_ID_CURR", time="DAYS_CREDIT"),
        Side(file="months.csv", key="SK_ID_BUREAU", of="loans", time="MONTHS_BALANCE"),
    )
    features = (
        SideAggregates(side="payments", columns=VALUES, statistics=STATISTICS, categories="NAME_CONTRACT_STATUS"),
        SideAggregates(side="months", columns="MONTHS_BALANCE", statistics="min", categories="STATUS", then="mean"),
    )
    begun = time.perf_counter()
    table = read_table(task, folder / "applications.csv", None, None, folder / "cache", sides=sides)
    source = table.source  # reads all bytes for their checksums
    plans = [one.plan(table.sides) for one in features]  # finds the values of categories
    for side in table.sides.values():
        side.whole(side.side.key)
    opened = time.perf_counter() - begun
    source.folder = None  # values are made each time
    begun, used = time.perf_counter(), time.process_time()
    values = np.hstack([one.compute(source, task) for one in features])
    seconds, processor = time.perf_counter() - begun, time.process_time() - used
    names = [aggregate.name for plan in plans for aggregate in plan]
    return {"seconds": seconds, "processor": processor, "opening": opened}, values[:, _order(names)]


def _order(names: list[str]) -> list[int]:
    """kit tells categories apart in the order of their frequency; here they are in that of `WORDS`."""
    plain = [n for n in names if " = " not in n]
    found = {word: [n for n in names if n.split(" = ")[-1].split(")")[0] == word] for word in WORDS}
    cut = next(i for i, n in enumerate(plain) if "months" in n)
    wanted = [*plain[:cut], *(found[w][0] for w in WORDS), *plain[cut:], *(found[w][1] for w in WORDS)]
    return [names.index(name) for name in wanted]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=30_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--side", choices=("hand", "kit"))
    given = parser.parse_args()
    if given.side:
        facts, values = (by_hand if given.side == "hand" else by_kit)(given.folder)
        np.save(given.folder / f"{given.side}.npy", values)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({**facts, "gib": peak}))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        begun = time.perf_counter()
        generate(folder, given.rows)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 2**30
        print(f"{given.rows:,} rows, {size:.2f} GiB of CSV, written in {time.perf_counter() - begun:.0f} s", flush=True)
        found: dict[str, list[dict[str, float]]] = {"hand": [], "kit": []}
        for _ in range(given.turns):
            for side, facts in found.items():
                command = [sys.executable, __file__, "--side", side, "--folder", place]
                said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                facts.append(json.loads(said.splitlines()[-1]))
                print(side, {name: round(value, 2) for name, value in facts[-1].items()}, flush=True)
        hand, kit = (np.load(folder / f"{side}.npy") for side in found)
        np.testing.assert_allclose(kit, hand, rtol=1e-4, atol=1e-3)
        print(f"{kit.shape[0]:,} rows × {kit.shape[1]} numbers, equal on both sides")
    for name in ("seconds", "processor"):
        hand_least, kit_least = (min(fact[name] for fact in facts) for facts in found.values())
        print(f"kit / by hand, least {name}: {kit_least:.2f} / {hand_least:.2f} = {kit_least / hand_least:.2f}")


if __name__ == "__main__":
    main()
