"""Speed of each text network: rows a second in training and prediction, and the share of time spent on making batches.

    KIT_DATA=data python benchmarks/text_networks.py [--rows 4000] [--length 200] [--only HAN,RNN]

The first rows of the Toxic competition (generated comments where its files are absent), vectors of 100 numbers that
begin at random, one epoch. Words, vocabulary and the network are made before the clock starts.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from invented_comments import comments

from competitions.toxic.recipe import Toxic
from kit.core.threads import threads, use_threads
from kit.members import TextNet
from kit.rows import Rows
from kit.source import Source
from kit.train import Stage
from kit.train.lengths import LengthBatches

NETS = {
    "TextCNN": "TextCNN", "DPCNN": "DPCNN(channels=100)", "RCNN": "RCNN", "HAN": "HAN", "HCN": "HCN",
    "BiLSTM": "RNN(kind=lstm)", "BiGRU": "RNN(kind=gru)", "ON-LSTM": "ONLSTM", "AWD-LSTM": "AWDLSTM",
    "Transformer": "Transformer", "Transformer, wide talking heads": "Transformer(head_size=32,talking=true)",
}  # fmt: skip


def rows_of(count: int) -> Rows:
    """Comments with labels."""
    task, file = Toxic.task, Path(os.environ.get("KIT_DATA", "data")) / "toxic" / "train.csv"
    if file.is_file():
        frame = pd.read_csv(file, nrows=count)
        texts, y = frame[["comment_text"]], frame[list(task.targets)].to_numpy(float)
    else:
        made = list(comments(count))
        texts, y = pd.DataFrame({"comment_text": [c.text for c in made]}), np.array([c.labels for c in made], float)
    return Rows(task, Source(texts), np.arange(len(texts)), y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--only", default="", help="names, separated by commas")
    args = parser.parse_args()
    use_threads(threads())
    rows = rows_of(args.rows)
    wanted = args.only.split(",") if args.only else list(NETS)
    print(f"{len(rows)} comments of at most {args.length} words, {threads()} threads\n")
    print("| network | training, rows/s | waiting for data | prediction, rows/s |\n|---|---|---|---|")
    get = LengthBatches.__getitem__
    for name in wanted:
        spec = TextNet(length=args.length, stage=Stage(lr=1e-3)).override(f"net={NETS[name]}")
        spec.prepare(rows)
        few = rows.take(np.arange(64))
        waited = [0.0]

        def timed(self: LengthBatches, at: np.ndarray, waited: list[float] = waited) -> dict:
            start = time.perf_counter()
            batch = get(self, at)
            waited[0] += time.perf_counter() - start
            return batch

        with tempfile.TemporaryDirectory() as folder, mock.patch.object(LengthBatches, "__getitem__", timed):
            spec.learn(few, few, Path(folder) / "first")  # imports and library set-up are not the network's
            waited[0], start = 0.0, time.perf_counter()
            fitted = spec.learn(rows, rows, Path(folder) / "whole")
            trained = time.perf_counter() - start
        start = time.perf_counter()
        fitted.predict(rows)
        told = time.perf_counter() - start
        share = f"{waited[0] / trained:.1%}"
        print(f"| {name} | {len(rows) / trained:.0f} | {share} | {len(rows) / told:.0f} |", flush=True)


if __name__ == "__main__":
    main()
