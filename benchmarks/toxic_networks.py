"""Networks from scratch, joined networks and views at test time on Toxic comments: mean column AUC out of fold.

    KIT_DATA=data python benchmarks/toxic_networks.py [--only cnn,gru] [--sample 8000] [--runs runs]

Each member is compared with its plainer twin on the same folds and rows, with a bootstrap interval. Folds that are in the
run folder are not fitted again.
"""

import argparse
import os
import sys
from pathlib import Path

from competitions.toxic.recipe import Toxic
from kit.augment import AEDA
from kit.blending import out_of_fold
from kit.cv import fit_missing, todo
from kit.intervals import bootstrap, paired
from kit.members import Concat, Encoder, TextNet, Views
from kit.members.nets import RNN, TextCNN
from kit.recipe import find_data
from kit.run import Run
from kit.text.vectors import FastText
from kit.threads import threads, use_threads
from kit.tta import Augmented, Window

CNN, GRU = (TextNet(net=net, vectors=FastText()) for net in (TextCNN(), RNN(kind="gru")))
TWINS = {"joined": "minilm", "windows": "cnn", "edits": "cnn"}  # what a member is compared with


class ToxicNetworks(Toxic):
    """The recipe with networks of words beside its members."""

    cnn: TextNet = CNN
    gru: TextNet = GRU
    joined: Concat = Concat(a=Encoder(), b=GRU, rates=(1, 10))
    windows: Views = Views(member=CNN, views=(Window(place="head"), Window(place="tail")))
    edits: Views = Views(member=CNN, views=(Augmented(augment=AEDA(), count=2),))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="cnn,gru,windows,edits,minilm,joined", help="members, with commas between")
    parser.add_argument("--sample", type=int, help="train rows; all by default")
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
    names, y, found = list(recipe.chosen(args.only)), run.table.y, {}
    print("| member | AUC out of fold [95 %] | against | difference [95 %] | fit, s |\n|---|---|---|---|---|")
    for name in names:
        fit_missing(run, todo(run, [name], run.folds).missing)
        folds = run.gathered(name)
        if len(folds) < len(run.folds):
            sys.exit(f"{name}: a fold failed, see error.txt below {run.shelf(name).folder}")
        p = found[name] = out_of_fold(run, folds)
        alone, twin = bootstrap(table.task.metric, y, p), TWINS.get(name, "")
        more = ""
        if twin in found:
            d = paired(table.task.metric, y, p, found[twin])
            more = f"{d.value:+.5f} [{d.low:+.5f}, {d.high:+.5f}]"
        seconds = sum(fold.score["seconds"]["fit"] for fold in folds.values())
        score = f"{alone.value:.5f} [{alone.low:.5f}, {alone.high:.5f}]"
        print(f"| `{name}` | {score} | {twin if more else ''} | {more} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
