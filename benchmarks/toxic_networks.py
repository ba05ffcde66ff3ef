"""Networks of words, joined networks and views at test time on Toxic comments: mean column AUC out of fold.

    KIT_DATA=data python benchmarks/toxic_networks.py [--only cnn,gru] [--views cnn] [--folds 0,1] [--runs runs]

What is compared stands on the same folds and rows, with an interval of the paired bootstrap. Folds that lie in the run
folder are not fitted again. Views are asked of the fitted models, so they cost predictions alone.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from competitions.toxic.recipe import Toxic
from kit.augment import AEDA
from kit.core.threads import threads, use_threads
from kit.members import Concat, Encoder, TextNet, Views
from kit.members.network.fitted import NetworkPredictor
from kit.members.textnet.nets import RNN, TextCNN
from kit.members.views import ViewsPredictor
from kit.metrics.intervals import bootstrap, paired
from kit.reading.discovery import find_data
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.oof import out_of_fold
from kit.run.run import Run
from kit.text.vectors import FastText
from kit.tta import Augmented, Window

GRU = TextNet(net=RNN(kind="gru"), vectors=FastText())
VIEWS = {
    "and its last 90 words": (Window(place="tail", size=90),),
    "and two edits by AEDA": (Augmented(augment=AEDA(), count=2),),
}


class ToxicNetworks(Toxic):
    """The recipe with networks of words beside its members."""

    cnn: TextNet = TextNet(net=TextCNN(), vectors=FastText())
    gru: TextNet = GRU
    joined: Concat = Concat(a=Encoder(), b=GRU, rates=(1, 10))


def seen_by(run: Run, name: str, folds: list[int], spec: Views) -> np.ndarray:
    """(n, outputs) out-of-fold predictions of a finished network with views; NaN in other folds."""
    whole = np.full((len(run.plan), run.table.task.outputs), np.nan)
    for fold in folds:
        valid = run.split(fold)[1]
        fitted = NetworkPredictor.load(run.store(name).folder / f"fold{fold}" / "model")
        whole[valid] = ViewsPredictor(spec, fitted).predict(run.table.rows(valid))
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="cnn,gru,minilm,joined", help="members, with commas between")
    parser.add_argument("--views", default="cnn", help="of these, views too; none: leave them out")
    parser.add_argument("--sample", type=int, help="train rows; all by default")
    parser.add_argument("--folds", default="", help="numbers, with commas between; all by default")
    parser.add_argument("--runs", default=os.environ.get("KIT_RUNS", "runs"), help="folder of the runs")
    args = parser.parse_args()
    use_threads(threads())
    recipe = ToxicNetworks()
    folder = find_data(recipe.task)
    if folder is None:
        sys.exit("the competition's files are needed: data/toxic/ or $KIT_DATA/toxic/")
    table = recipe.load(folder, Path(os.environ.get("KIT_CACHE", "data/cache")))
    if args.sample:
        table = table.subset(args.sample)
    run = Run(recipe, table, Path(args.runs) / (f"toxic-{args.sample}-rows" if args.sample else "toxic"))
    numbers = [int(fold) for fold in args.folds.split(",") if fold] or run.folds
    judged = np.isin(run.plan, numbers)
    metric, y, same = table.task.metric, table.y[judged], run.clusters_of(judged)
    found: dict[str, np.ndarray] = {}
    print("| member | AUC out of fold [95 %] | difference [95 %] | to | fit, s |\n|---|---|---|---|---|")

    def tell(name: str, p: np.ndarray, twin: str, seconds: str) -> None:
        gain = str(paired(metric, y, p, found[twin], groups=same)) if twin in found else ""
        score = bootstrap(metric, y, p, groups=same)
        print(f"| {name} | {score} | {gain} | {twin if gain else ''} | {seconds} |", flush=True)

    for name in recipe.chosen(args.only):
        fit_jobs(jobs_of(run, [name], numbers))
        folds = {fold: made for fold, made in run.gathered(name).items() if fold in numbers}
        if len(folds) < len(numbers):
            sys.exit(f"{name}: a fold failed, see error.txt below {run.store(name).folder}")
        found[name] = out_of_fold(run, folds)[judged]
        fitting = sum(fold.score["seconds"]["fit"] for fold in folds.values())
        tell(f"`{name}`", found[name], "minilm" if name == "joined" else "", f"{fitting:.0f}")
        for title, views in VIEWS.items() if name in args.views.split(",") else ():
            spec = Views(member=recipe.members[name], views=views)
            tell(f"`{name}` {title}", seen_by(run, name, numbers, spec)[judged], name, "")


if __name__ == "__main__":
    main()
