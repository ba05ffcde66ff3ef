"""Every blend on the finished members of a run: nested scores with intervals, and whether Auto keeps up with the best.

    python benchmarks/blends.py runs/toxic [--comp toxic] [--only linear,minilm]
    python benchmarks/blends.py runs/toxic --blends "Greedy(rounds=50)" "Stack(cross=true)"

The second form judges blends written as in `set="blend=…"` instead. Both tell how many seconds one fit to all rows
takes, and how many the nested score, which takes one a fold; KIT_THREADS=1 times one core.

Members are the folders in which all folds of the same rows and plan are finished, under whatever settings.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

from kit.cli import find_recipe
from kit.core.files import read_json
from kit.core.threads import threads, use_threads
from kit.ensemble import Auto, Blend, OutOfFold, fit_thresholded, nested
from kit.ensemble.fitted_auto import as_settings
from kit.folds import plan_digest
from kit.reading.discovery import find_data
from kit.run.bank import FoldStore
from kit.run.oof import out_of_fold
from kit.run.run import Run


def bank(run: Run, only: list[str]) -> dict[str, np.ndarray]:
    """Out-of-fold predictions of every finished folder whose rows and plan are those of `run`."""
    found = {}
    for folder in sorted(path.parent for path in run.root.glob("*/spec.json")):
        made = read_json(folder / "spec.json")
        if only and folder.name.partition("-")[0] not in only:
            continue
        if (made["plan"], made["data"]) != (plan_digest(run.plan), run.table.digest):
            continue
        folds = {number: fold for number in run.folds if (fold := FoldStore(folder).read(number)) is not None}
        if len(folds) == len(run.folds):
            found[folder.name] = out_of_fold(run, folds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", type=Path, help="a run folder")
    parser.add_argument("--comp", default="toxic")
    parser.add_argument("--only", default="", help="members, with commas between; all by default")
    parser.add_argument("--blends", nargs="+", default=[], help="settings of blends; by default Auto and its choices")
    args = parser.parse_args()
    use_threads(threads())
    recipe = find_recipe(args.comp)
    folder = find_data(recipe.task, recipe.files[0], recipe.form)
    if folder is None:
        sys.exit(f"the competition's files are needed: data/{args.comp}/ or $KIT_DATA/{args.comp}/")
    run = Run(recipe, recipe.load(folder, Path(os.environ.get("KIT_CACHE", "data/cache"))), args.root)
    members = bank(run, [name for name in args.only.split(",") if name])
    if len(members) < 2:
        sys.exit(f"{args.root}: fewer than two finished members")
    y, metric = run.table.y, run.table.task.metric
    print(
        f"{len(members)} members, {len(y):,} rows: {', '.join(f'{n} {metric(y, p):.5f}' for n, p in members.items())}"
    )
    print(f"\n| blend | nested {metric.name} [95 %] | gain over the best member [95 %] | fit, s | nested, s |")
    print("|---|---|---|---|---|")
    scores = {}
    blends: list[Blend] = [recipe.override(f"blend={setting}").blend for setting in args.blends]
    blends = blends or [*Auto().choices, Auto()]
    columns = run.table.train[[*dict.fromkeys(name for blend in blends for name in blend.needs)]]
    oof = OutOfFold(members, y, metric, plan=run.plan, columns=columns)
    for name, blend in zip(as_settings(blends), blends, strict=True):
        start = time.perf_counter()
        fit_thresholded(blend, oof)
        fit, start = time.perf_counter() - start, time.perf_counter()
        found = nested(blend, oof)
        assert found is not None
        scores[name], seconds = found.score, time.perf_counter() - start
        print(f"| {name} | {found.interval} | {found.gain_interval} | {fit:.1f} | {seconds:.0f} |", flush=True)
    if args.blends:
        return
    *others, auto = scores.values()
    best = max(others) if metric.greater_is_better else min(others)
    side = "below" if metric.better(best, auto) else "above"
    print(f"\nAuto is {abs(best - auto):.5f} {side} the best of its choices")


if __name__ == "__main__":
    main()
