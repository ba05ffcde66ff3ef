"""What each technique costs: seconds a training step and peak memory of MiniLM, as ratios to plain settings.

    python benchmarks/techniques.py [--only FGM,EMA] [--steps 4] [--rows 16] [--repeats 3]

Every batch is `rows` comments of exactly 64 tokens. A fit makes one step more than `steps`; the first, which also makes
the optimizer's state, is not timed. A plain fit stands right beside each fit with a technique, and the ratio is the
median over such pairs, so that a machine that slows down for minutes slows both. Saving is left out. Peak memory is
what the fit needs beyond what the process held before: memory allocated on CUDA, resident memory of the process on a
CPU (Linux only). What grows with the weights (optimizers, averages, mixout) weighs less beside larger batches.
"""

import argparse
import ctypes
import gc
import re
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import torch
from invented_comments import comments

from competitions.toxic.recipe import Toxic
from kit.core.threads import threads, use_threads
from kit.members import Encoder
from kit.members.encoder.dataset import tokens_of
from kit.rows import Rows
from kit.source import Source
from kit.train.checkpoint import Checkpointer
from kit.train.device import best_device
from kit.weights import find_weights

LENGTH = 64
MIB = 2**20

# name: settings of Encoder, as in docs/techniques.md
TECHNIQUES = {
    "FGM": "perturb=FGM",
    "FGSM": "perturb=FGSM",
    "fast FGSM": "perturb=FGSM(random_start=true)",
    "PGD": "perturb=PGD",
    "FreeLB": "perturb=FreeLB",
    "AWP": "perturb=AWP",
    "VAT": "perturb=VAT(link=sigmoid)",
    "GradientPenalty": "perturb=GradientPenalty",
    "R-Drop": "rdrop=1",
    "NEFTune": "noise=NEFTune",
    "GaussianNoise": "noise=GaussianNoise(std=0.02)",
    "UniformNoise": "noise=UniformNoise(width=0.03)",
    "EmbeddingMixup": "mix=EmbeddingMixup",
    "EMA": "average=EMA(decay=0.99)",
    "SWA": "average=SWA(since=0)",
    "Snapshots": "schedule=CosineRestarts(cycles=2) average=Snapshots(cycles=2)",
    "Adam": "optimizer=Adam",
    "SGD": "optimizer=SGD",
    "RAdam": "optimizer=RAdam",
    "Lars": "optimizer=Lars",
    "Lamb": "optimizer=Lamb",
    "Lookahead": "optimizer=Lookahead",
    "layer decay": "layer_decay=0.9",
    "Focal": "loss=Focal",
    "Asymmetric": "loss=Asymmetric",
    "BiTempered": "loss=BiTempered",
    "SoftF1": "loss=SoftF1",
    "SoftAUC": "loss=SoftAUC",
    "Flooding": "loss=Flooding(loss=BCE,level=0.05)",
    "dropout samples": "samples=5",
    "joint heads": "heads=3",
    "diversity": "heads=3 diversity=0.5",
    "mixout": "mixout=0.1",
    "weight noise": "weight_noise=0.05",
    "spectral norm": "spectral_norm=true",
    "spectral penalty": "spectral_penalty=0.01",
    "attention pooling": "pool=attention",
    "freeze": "freeze=3",
    "freeze embeddings": "freeze_embeddings=true",
    "head alone": "only_head=true",
    "checkpointing": "checkpointing=true",
}


def measured(member: Encoder, rows: Rows) -> tuple[float, float]:
    """Mean seconds a step after the first, and MiB at the peak beyond what was held before."""
    ends: list[float] = []

    def end_of_step(*_: object, **__: object) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        ends.append(time.perf_counter())

    before = begin_peak()
    with tempfile.TemporaryDirectory() as work, mock.patch.object(Checkpointer, "save", end_of_step):
        fitted = member.learn(rows, rows, Path(work))
        peak = peak_memory() - before
    del fitted
    return (ends[-1] - ends[0]) / (len(ends) - 1), peak


def begin_peak() -> float:
    """Memory held now, in MiB; `peak_memory` counts from here on."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / MIB
    ctypes.CDLL(None).malloc_trim(0)  # what earlier fits freed goes back to the system
    Path("/proc/self/clear_refs").write_text("5")  # the peak becomes what is held now
    return resident("VmRSS")


def peak_memory() -> float:
    """Most memory held since `begin_peak`, in MiB."""
    return torch.cuda.max_memory_allocated() / MIB if torch.cuda.is_available() else resident("VmHWM")


def resident(entry: str) -> float:
    found = re.search(rf"{entry}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def long_rows(member: Encoder, count: int, folder: Path) -> Rows:
    """Generated comments that fill all tokens, so that batches of all fits have one shape."""
    made = list(comments(6 * count))  # every second one is long enough
    frame, y = pd.DataFrame({"comment_text": [c.text for c in made]}), np.array([c.labels for c in made], float)
    rows = Rows(Toxic.task, Source(frame, folder), np.arange(len(frame)), y)
    full = np.flatnonzero(tokens_of(rows, find_weights(member.weights), LENGTH).length == LENGTH)
    return rows.take(full[:count])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="names of techniques, with commas between")
    parser.add_argument("--steps", type=int, default=4, help="timed steps of a fit, at least 2")
    parser.add_argument("--rows", type=int, default=16, help="rows a batch")
    parser.add_argument("--repeats", type=int, default=3, help="fits of each technique, with a plain one beside each")
    args = parser.parse_args()
    chosen = [name for name in args.only.split(",") if name] or list(TECHNIQUES)
    if unknown := [name for name in chosen if name not in TECHNIQUES]:
        parser.error(f"no technique is called '{unknown[0]}'; there are: {', '.join(TECHNIQUES)}")
    use_threads(threads())
    plain = Encoder(length=LENGTH, batch_rows=args.rows, batch_tokens=LENGTH * args.rows)
    plain = plain.override(f"stage.steps={args.steps + 1}")
    with tempfile.TemporaryDirectory() as folder:
        rows = long_rows(plain, args.rows * (args.steps + 1), Path(folder))
        seconds, memory = np.array([measured(plain, rows) for _ in range(2)])[1]  # the first is slower: all is cold
        print(
            f"plain, {args.rows} rows of {LENGTH} tokens on {best_device()}: {seconds:.2f} s a step, {memory:.0f} MiB\n"
        )
        print("| technique | settings | time | memory |\n|---|---|---|---|")
        for names in (chosen[i : i + 2] for i in range(0, len(chosen), 2)):
            first, *second = [plain.override(*TECHNIQUES[name].split()) for name in names]
            members = [first, plain, *second]  # one plain fit between two others serves both
            runs = np.array([[measured(member, rows) for member in members] for _ in range(args.repeats)])
            ratios = np.median(runs / runs[:, 1:2], axis=0)
            for name, (slower, larger) in zip(names, np.delete(ratios, 1, axis=0), strict=True):
                print(f"| {name} | `{TECHNIQUES[name]}` | {slower:.2f} | {larger:.2f} |", flush=True)


if __name__ == "__main__":
    main()
