"""The 360 recipe on the contest's rows: F1 and ROC AUC of each member and of the blend, five folds, all out of fold.

    KIT_DATA=data python benchmarks/chinese360.py [--only boost,cnn] [--set boost.trees=300] [--runs runs]

F1 is taken at thresholds chosen on the other folds, the blend's weights too. Folds that `make cv comp=chinese360`
finished before are not fitted again.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from kit.blending import blend, out_of_fold
from kit.cli import find_recipe
from kit.cv import fit_missing, todo
from kit.ensemble.threshold import judge_folds, unseen_thresholds
from kit.metrics import mean_roc_auc
from kit.recipe import find_data
from kit.run import Brief, opened
from kit.threads import threads, use_threads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="members, with commas between")
    parser.add_argument("--set", default="", help="settings, as in make cv")
    parser.add_argument("--runs", default=os.environ.get("KIT_RUNS", "runs"), help="folder of the runs")
    parser.add_argument("--on", default="inline", help="inline, processes:N or ray")
    args = parser.parse_args()
    use_threads(threads())
    settings = tuple(args.set.split())
    recipe = find_recipe("chinese360").override(*settings)
    folder = find_data(recipe.task, recipe.files[0], recipe.form)
    if folder is None:
        sys.exit("the contest's files are needed: data/chinese360/ or $KIT_DATA/chinese360/")
    where = f"{type(recipe).__module__}:{type(recipe).__name__}"
    cache = Path(os.environ.get("KIT_CACHE", "data/cache"))
    brief = Brief(where, settings, folder, Path(args.runs) / "chinese360", cache, None, threads())
    run = opened(brief)
    names, metric = list(recipe.chosen(args.only)), run.table.task.metric
    fit_missing(run, todo(run, names, run.folds).missing, args.on, brief)
    y, plan = run.table.y, run.plan
    print("| member | F1 | ROC AUC | fit, s | rows/s |\n|---|---|---|---|---|")
    for name in names:
        folds = run.gathered(name)
        p = out_of_fold(run, folds)
        cuts = unseen_thresholds(metric, y, p, plan)
        seconds = sum(fold.score["seconds"]["fit"] for fold in folds.values())
        rate = sum(fold.score["rows"]["train"] for fold in folds.values()) / seconds
        score = judge_folds(metric, y, p, plan, cuts)
        print(f"| `{name}` | {score:.4f} | {mean_roc_auc(y, p):.4f} | {seconds:.0f} | {rate:.0f} |")
    report = blend(run, names, submit=False)
    assert report is not None and report.summary is not None
    everything = judge_folds(metric, y, np.ones_like(p), plan, dict.fromkeys(run.folds, (0.5,)))
    print(f"| blend, nested | {report.summary['nested']:.4f} | {report.auc:.4f} | | |")
    print(f"| (POSITIVE to all) | {everything:.4f} | 0.5 | | |")


if __name__ == "__main__":
    main()
