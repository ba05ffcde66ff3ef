"""Photos of cats and dogs: log loss out of fold of frozen features, of fine-tuning step by step, and of the blend.

    KIT_DATA=data python benchmarks/dogscats.py [--only frozen,seen] [--folds 0,1] [--runs runs]

The photos have 32 pixels, so the settings are those of small pictures: shown whole and enlarged. Each line is compared
with the one that it is built upon, on the same rows, with an interval of the paired bootstrap. Views are asked of the
fitted networks, so they cost predictions alone. Folds that lie in the run folder are not fitted again: a run that was
killed goes on.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from competitions.dogscats.recipe import DogsCats
from kit import (
    BCE,
    Concat,
    Embedding,
    Flips,
    ImageAugment,
    ImageEncoder,
    Linear,
    Member,
    Stratified,
    Views,
    fine_tuning,
)
from kit.core.threads import threads, use_threads
from kit.ensemble import nested
from kit.folds import Folds
from kit.members.views import ViewsPredictor
from kit.metrics.intervals import Difference, bootstrap, paired
from kit.run.jobs import fit_jobs, jobs_of, raise_failures
from kit.run.oof import complete, oof_of, out_of_fold
from kit.run.run import Run
from kit.train.average import EMA

SIZE = 112  # pixels that photos are enlarged to
RATES: dict[str, Any] = {
    "epochs": 7,
    "layer_decay": 0.9,
    "weight_decay": 0.05,
    "loss": BCE(smoothing=0.03),
    "average": EMA(decay=0.99),
    "precision": "fp32",
}
LIGHT: dict[str, Any] = {"augment": ImageAugment(strength="light"), "augmented": 1.0}
BARE, BLEND = "seen, without its views", "blend, nested"
BEFORE = {
    "plain": "frozen",
    BARE: "plain",
    "seen": BARE,
    "joined": BARE,
    BLEND: "seen",
}


def enlarged(size: int, **settings: Any) -> ImageEncoder:
    """EfficientNet-lite0 for photos enlarged to this size; of so few pixels none is cut off."""
    return ImageEncoder(size=size, crop=1.0, batch_rows=64, **settings)


class Photos(DogsCats):
    """The recipe with what it is made of, step by step."""

    folds: Folds = Stratified(n=3)
    frozen: Member = Linear(features=(Embedding(encoder=enlarged(96)), Embedding(encoder=enlarged(160))), C=0.001)
    plain: Member = enlarged(SIZE, **fine_tuning(**RATES))
    seen: Member = Views(member=enlarged(SIZE, **fine_tuning(**RATES, **LIGHT)), views=(Flips(),))
    joined: Member = Concat(
        a=enlarged(64), b=enlarged(96), batch_tokens=128, batch_rows=64, **fine_tuning(**RATES, **LIGHT)
    )


def without_views(run: Run, name: str, folds: list[int]) -> np.ndarray:
    """(n, outputs) out-of-fold predictions of a member of Views without its views; NaN in other folds."""
    whole = np.full((len(run.plan), run.table.task.outputs), np.nan)
    for fold in folds:
        valid = run.split(fold)[1]
        fitted = ViewsPredictor.load(run.store(name).folder / f"fold{fold}" / "model")
        whole[valid] = fitted.predictor.predict(run.table.rows(valid))
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="boost,frozen,plain,seen,joined", help="members, with commas between")
    parser.add_argument("--folds", default="", help="numbers, with commas between; all by default")
    parser.add_argument("--set", default="", help="settings, as in make cv")
    parser.add_argument("--runs", default=os.environ.get("KIT_RUNS", "runs"), help="folder of the runs")
    args = parser.parse_args()
    use_threads(threads())
    recipe = Photos().override(*args.set.split())
    folder = recipe.find_data()
    if folder is None:
        sys.exit("the competition's files are needed: data/dogscats/ or $KIT_DATA/dogscats/")
    table = recipe.load(folder, Path(os.environ.get("KIT_CACHE", "data/cache")))
    run = Run(recipe, table, Path(args.runs) / "dogscats-photos")
    numbers = [int(fold) for fold in args.folds.split(",") if fold] or run.folds
    judged = np.isin(run.plan, numbers)
    metric, y, same = table.task.metric, table.y[judged], run.clusters_of(judged)
    found: dict[str, np.ndarray] = {}
    steps: dict[str, Difference] = {}
    print("| member | log loss [95 %] | accuracy | better by [95 %] | than | fit, s |\n|---|---|---|---|---|---|")

    def tell(name: str, p: np.ndarray, seconds: str = "") -> None:
        found[name], before = p, BEFORE.get(name, "")
        gain = paired(metric, y, p, found[before], groups=same) if before in found else None
        if gain is not None:
            steps[f"{before} → {name}"] = gain
        right = ((p > 0.5) == (y > 0.5)).mean()
        shown = f"{bootstrap(metric, y, p, groups=same)} | {right:.4f} | {gain or ''} | {before if gain else ''}"
        print(f"| {name} | {shown} | {seconds} |", flush=True)

    names = list(recipe.chosen(args.only))
    for name in names:
        raise_failures(fit_jobs(jobs_of(run, [name], numbers)))
        folds = {fold: made for fold, made in run.gathered(name).items() if fold in numbers}
        if name == "seen":
            tell(BARE, without_views(run, name, numbers)[judged])
        tell(
            name, out_of_fold(run, folds)[judged], f"{sum(fold.score['seconds']['fit'] for fold in folds.values()):.0f}"
        )
    if numbers == run.folds and (honest := nested(recipe.blend, oof_of(run, complete(run, names)))):
        tell(BLEND, honest.predictions)
    if {"seen", "frozen"} <= found.keys():
        print(f"seen is better than frozen by {paired(metric, y, found['seen'], found['frozen'], groups=same)}")
    if steps:
        most = max(steps, key=lambda step: steps[step].value)
        print(f"what helped most: {most}, {steps[most]}")


if __name__ == "__main__":
    main()
