"""Finding wrong labels: some labels of photos are changed; how many of the rows that are named first are among them?

    KIT_DATA=data python benchmarks/label_errors.py [--share 0.03] [--draws 3] [--folds 5]

Linear models on frozen features of the photos, and boosting on colours and edges, are fitted on the changed labels, out
of fold. Of as many rows as were changed, precision is the share that really was, of kit's list (`label_quality`) and of
cleanlab alone on the same predictions: its `find_label_issues`, ranked in its two ways, then all other rows in that
order. Labels that were wrong before count as right, so that no list reaches 1.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from dogscats import enlarged

from competitions.dogscats.recipe import DogsCats
from kit import Boost, Embedding, Linear, Member, PictureStatistics, Stratified
from kit.core.threads import threads, use_threads
from kit.evidence.label_errors import label_quality
from kit.metrics import log_loss
from kit.rows import Rows

MEMBERS: dict[str, Member] = {
    "linear, 96 pixels": Linear(features=(Embedding(encoder=enlarged(96)),), C=0.0003),
    "linear, 160 pixels": Linear(features=(Embedding(encoder=enlarged(160)),), C=0.001),
    "boost": Boost(features=(PictureStatistics(),)),
}
RANKINGS = ("self_confidence", "normalized_margin")


def alone(y: np.ndarray, p: np.ndarray, ranking: str, count: int) -> np.ndarray:
    """The rows that cleanlab names first: those that it takes for errors, then the others."""
    labels, both = y[:, 0].astype(int), np.column_stack([1 - p[:, 0], p[:, 0]])
    issues = find_label_issues(labels, both, return_indices_ranked_by=ranking, n_jobs=1)
    order = np.argsort(get_label_quality_scores(labels, both, method=ranking), kind="stable")
    return np.concatenate([issues, order[~np.isin(order, issues)]])[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--share", type=float, default=0.03, help="of the labels are changed")
    parser.add_argument("--draws", type=int, default=3, help="sets of changed labels")
    parser.add_argument("--folds", type=int, default=5)
    args = parser.parse_args()
    use_threads(threads())
    recipe = DogsCats()
    folder = recipe.find_data()
    if folder is None:
        sys.exit("the competition's files are needed: data/dogscats/ or $KIT_DATA/dogscats/")
    table = recipe.load(folder, Path(os.environ.get("KIT_CACHE", "data/cache")))
    known = table.rows(np.arange(len(table.train)))
    alike = table.near_duplicates
    same = None if alike is None else alike.groups[: len(known)]
    count = round(args.share * len(known))
    print(f"{count} of {len(known)} labels changed, {args.draws} draws: precision at {count}, mean")
    found: dict[str, list[list[float]]] = {}
    for draw in range(args.draws):
        wrong = np.random.default_rng(draw).choice(len(known), count, replace=False)
        y = known.labels.copy()
        y[wrong] = 1 - y[wrong]
        plan = Stratified(n=args.folds).plan(table.train, y, same)
        predicted = {name: out_of_fold(member, known, y, plan) for name, member in MEMBERS.items()}
        lists = {name: ([p], p) for name, p in predicted.items()}
        lists["all three"] = list(predicted.values()), np.mean(list(predicted.values()), axis=0)
        for name, (all_of_them, p) in lists.items():
            named = [np.argsort(label_quality("binary", y, all_of_them), kind="stable")[:count]]
            named += [alone(y, p, ranking, count) for ranking in RANKINGS]
            precision = [float(np.isin(rows, wrong).mean()) for rows in named]
            found.setdefault(name, []).append([log_loss(y, p), *precision])
    print("| predictions | log loss | kit | cleanlab, " + " | cleanlab, ".join(RANKINGS) + " |\n|---|---|---|---|---|")
    for name, draws in found.items():
        loss, *precision = np.mean(draws, axis=0)
        print(f"| {name} | {loss:.4f} | " + " | ".join(f"{share:.3f}" for share in precision) + " |")


def out_of_fold(member: Member, known: Rows, y: np.ndarray, plan: np.ndarray) -> np.ndarray:
    """(n, 1) predictions of all rows, each by a model that has not seen it."""
    p = np.empty((len(known), 1))
    with tempfile.TemporaryDirectory() as work:
        for fold in np.unique(plan):
            train, valid = np.flatnonzero(plan != fold), known.take(np.flatnonzero(plan == fold))
            fitted = member.learn(replace(known.take(train), y=y[train]), valid, Path(work))
            p[plan == fold] = fitted.predict(valid)
    return p


if __name__ == "__main__":
    main()
