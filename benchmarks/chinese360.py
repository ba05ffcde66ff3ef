"""The 360 recipe on the contest's rows: F1 and ROC AUC of each member and of the blend, five folds, all out of fold.

    KIT_DATA=data python benchmarks/chinese360.py [--only boost] [--preset networks] [--set boost.trees=300]

F1 is taken at thresholds chosen on the other folds, the blend's weights too. Folds that `make cv comp=chinese360`
finished before are not fitted again.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from kit.cli import find_recipe
from kit.core.threads import threads, use_threads
from kit.ensemble.decide.threshold import out_of_fold_thresholds, score_at_folds
from kit.metrics import mean_roc_auc
from kit.reading.discovery import find_data
from kit.run.blend import blend
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.oof import out_of_fold
from kit.run.opened import Opened
from kit.run.run import run_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="members, with commas between")
    parser.add_argument("--set", default="", help="settings, as in make cv")
    parser.add_argument("--preset", help="as in make cv")
    parser.add_argument("--runs", default=os.environ.get("KIT_RUNS", "runs"), help="folder of the runs")
    parser.add_argument("--on", default="inline", help="inline, processes:N or ray")
    args = parser.parse_args()
    use_threads(threads())
    recipe = find_recipe("chinese360")
    settings = tuple(recipe.overrides(args.preset, args.set.split()))
    recipe = recipe.override(*settings)
    folder = find_data(recipe.task, recipe.files[0], recipe.form)
    if folder is None:
        sys.exit("the contest's files are needed: data/chinese360/ or $KIT_DATA/chinese360/")
    where = f"{type(recipe).__module__}:{type(recipe).__name__}"
    cache = Path(os.environ.get("KIT_CACHE", "data/cache"))
    run = run_of(Opened(where, settings, folder, Path(args.runs) / "chinese360", cache, None, threads()))
    names, metric = list(recipe.chosen(args.only)), run.table.task.metric
    fit_jobs(jobs_of(run, names), args.on)
    y, plan = run.table.y, run.plan
    print("| member | F1 | ROC AUC | fit, s | rows/s |\n|---|---|---|---|---|")
    for name in names:
        folds = run.gathered(name)
        p = out_of_fold(run, folds)
        cuts = out_of_fold_thresholds(metric, y, p, plan)
        seconds = sum(fold.score["seconds"]["fit"] for fold in folds.values())
        rate = sum(fold.score["rows"]["train"] for fold in folds.values()) / seconds
        score = score_at_folds(metric, y, p, plan, cuts)
        print(f"| `{name}` | {score:.4f} | {mean_roc_auc(y, p):.4f} | {seconds:.0f} | {rate:.0f} |")
    report = blend(run, names, submit=False)
    assert report is not None and report.summary is not None
    everything = score_at_folds(metric, y, np.ones_like(p), plan, dict.fromkeys(run.folds, (0.5,)))
    print(f"| blend, nested | {report.summary['nested']:.4f} | {report.auc:.4f} | | |")
    print(f"| (POSITIVE to all) | {everything:.4f} | 0.5 | | |")


if __name__ == "__main__":
    main()
