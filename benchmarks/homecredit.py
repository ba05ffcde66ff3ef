"""What groups of features give on Home Credit's applications: LightGBM with one group more at each step.

    KIT_DATA=data make bench name=homecredit args="--seeds 2 --trees 150"

Five stratified folds for each seed, trees without early stopping, so that nothing is chosen by the rows that are
scored. The AUC is that of out-of-fold predictions, averaged over the seeds; its differences are paired, with 95 %
intervals by bootstrap over the rows. Features that read labels are fitted inside each fold.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

from competitions.homecredit.features import Application
from competitions.homecredit.recipe import HomeCredit
from kit import (
    Arithmetic,
    Boost,
    Features,
    FrequencyEncoding,
    GroupStatistics,
    MissingPatterns,
    NeighbourTargets,
    Rows,
    TargetEncoding,
    roc_auc,
)

JOBS = ("ORGANIZATION_TYPE", "OCCUPATION_TYPE", "NAME_EDUCATION_TYPE")
AMOUNTS = ("AMT_CREDIT", "AMT_ANNUITY", "AMT_INCOME_TOTAL", "EXT_SOURCE_1", "EXT_SOURCE_2", "EXT_SOURCE_3")
SCORES = ("EXT_SOURCE_1", "EXT_SOURCE_2", "EXT_SOURCE_3")
STEPS: dict[str, tuple[Features, ...]] = {
    "plain columns": (),
    "ratios, statistics of scores (Application)": (Application(),),
    "groups by job and education": (
        GroupStatistics(by=(*JOBS, ("CODE_GENDER", "NAME_EDUCATION_TYPE")), columns=AMOUNTS,
                        statistics=("mean", "difference", "rank")),
    ),
    "frequencies and missing cells": (FrequencyEncoding(), MissingPatterns(most=10)),
    "pairs chosen by trees": (Arithmetic(keep=15),),
    "target encoding": (TargetEncoding(keys=(*JOBS, ("ORGANIZATION_TYPE", "CODE_GENDER"))),),
    "labels of 500 neighbours": (NeighbourTargets(columns=(*SCORES, "AMT_CREDIT"), k=500),),
}  # fmt: skip
ROUNDS = 1000


def out_of_fold(rows: Rows, member: Boost, seeds: int, work: Path) -> np.ndarray:
    """(n, 1) mean over the seeds."""
    total = np.zeros((len(rows), 1))
    for seed in range(seeds):
        fold = np.random.default_rng(seed).permutation(len(rows))
        fold = np.argsort(np.lexsort((fold, rows.labels[:, 0]))) % 5  # stratified: by label, then drawn
        for i in range(5):
            train, valid = (rows.take(np.flatnonzero((fold == i) == judged)) for judged in (False, True))
            total[valid.at] += member.model_copy(update={"seed": seed}).learn(train, valid, work).predict(valid)
    return total / seeds


def interval(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """How much better b is than a, paired: value and 95 % interval."""
    rng, found = np.random.default_rng(0), []
    for _ in range(ROUNDS):
        at = rng.integers(0, len(y), len(y))
        found.append(roc_auc(y[at], b[at]) - roc_auc(y[at], a[at]))
    low, high = np.quantile(found, [0.025, 0.975])
    return roc_auc(y, b) - roc_auc(y, a), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--trees", type=int, default=150)
    given = parser.parse_args()
    table = HomeCredit().load(Path(os.environ.get("KIT_DATA", "data")) / "homecredit")
    rows = table.rows(np.arange(len(table.y)))
    features: tuple[Features, ...] = ()
    before: np.ndarray | None = None
    with tempfile.TemporaryDirectory() as folder:
        for name, more in STEPS.items():
            features += more
            member = Boost(trees=given.trees, patience=None, num_leaves=15, features=features)
            member.prepare(rows)
            p = out_of_fold(rows, member, given.seeds, Path(folder))
            said = ""
            if before is not None:
                value, low, high = interval(rows.labels, before, p)
                said = f", {value:+.4f} [{low:+.4f}, {high:+.4f}] against the step before"
            print(f"{name}: AUC {roc_auc(rows.labels, p):.4f}{said}", flush=True)
            before = p


if __name__ == "__main__":
    main()
