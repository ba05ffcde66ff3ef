"""Fine-tuning and prediction by kit and by Hugging Face Trainer: same model, rows, tokens, precision, one epoch.

    KIT_DATA=data python benchmarks/encoder_speed.py [--rows 4000] [--length 128] [--model minilm|bert-base]
                                                    [--untrained]

Trainer runs twice: plain (random batches, padded to their longest row) and grouped by length. It gets kit's own
parameter groups, schedule, starting weights and most rows a batch, so that only the work done for them differs. MFU is
the share of the machine's own matrix-product speed, measured in the same run, that the useful tokens' products make up
(6 · weights a token in training). Each runs in a process of its own, and they take turns. `--untrained` times
predictions alone, of networks before their first step, and those of kit if all threads share each batch (shared).
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import transformers
from torch import nn
from transformers import Trainer, TrainingArguments

from kit.core.threads import threads, use_threads
from kit.members import Encoder
from kit.members.network.fitted import NetworkPredictor, Scale
from kit.members.network.fitting import build
from kit.metrics import mean_roc_auc
from kit.models import Headed
from kit.rows import Rows
from kit.source import Source
from kit.task import Task
from kit.text.tokens import Tokens
from kit.train import parameter_groups, side_by_side
from kit.train.device import autocast, best_device, multiplies_bf16
from kit.train.lengths import LengthBatches
from kit.weights import find_weights

TARGETS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
TASK = Task(name="toxic", kind="multilabel", targets=TARGETS, text=("comment_text",), metric=mean_roc_auc)
BATCH = 32
MINILM = "sentence-transformers/all-MiniLM-L6-v2"


class ForTrainer(nn.Module):
    """kit's network in the form that Trainer wants: labels in, loss and logits out."""

    def __init__(self, net: Headed) -> None:
        super().__init__()
        self.net = net

    def forward(self, input_ids: Any, attention_mask: Any, labels: Any) -> dict[str, Any]:
        logits = self.net(input_ids=input_ids, attention_mask=attention_mask)
        return {"loss": nn.functional.binary_cross_entropy_with_logits(logits.float(), labels), "logits": logits}


@dataclass
class Dataset(torch.utils.data.Dataset):
    """Rows as Trainer takes them: lists of ids, and labels."""

    tokens: Tokens
    at: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, i: int) -> dict[str, Any]:
        begin, end = self.tokens.start[self.at[i] : self.at[i] + 2]
        return {"input_ids": self.tokens.flat[begin:end], "labels": self.y[i]}


@dataclass
class Collator:
    """Pads to the longest row of the batch; counts what it padded."""

    pad: int
    padded: int = 0
    real: int = 0

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        longest = max(len(r["input_ids"]) for r in rows)
        ids = torch.full((len(rows), longest), self.pad)
        for row, place in zip(rows, ids, strict=True):
            place[: len(row["input_ids"])] = torch.from_numpy(row["input_ids"].astype(np.int64))
        mask = (torch.arange(longest) < torch.tensor([[len(r["input_ids"])] for r in rows])).long()
        self.padded, self.real = self.padded + mask.numel(), self.real + int(mask.sum())
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "labels": torch.tensor(np.stack([r["labels"] for r in rows])).float(),
        }


@dataclass
class Trained:
    seconds: float
    padding: float  # share of padding among all tokens of training
    predict: Callable[[], float]  # the judged rows; gives their AUC


def product_speed(device: torch.device, precision: str) -> float:
    """FLOP/s of large matrix products."""
    with autocast(device, precision):
        a, b = torch.randn(4096, 2048, device=device), torch.randn(2048, 2048, device=device)
        a, b = (a.bfloat16(), b.bfloat16()) if torch.is_autocast_enabled(device.type) else (a, b)
        rates = []
        for _ in range(8):
            start = time.perf_counter()
            for _ in range(4):
                a @ b
            if device.type == "cuda":
                torch.cuda.synchronize()
            rates.append(4 * 2 * 4096 * 2048 * 2048 / (time.perf_counter() - start))
    return float(np.median(rates))


def by_kit(member: Encoder, train: Rows, valid: Rows, tokens: Tokens, work: Path, trains: bool) -> Trained:
    batches = LengthBatches(tokens, train.at, train.labels, member.batch_tokens, member.batch_rows, member.seed)
    length, plan = tokens.length[train.at], batches.plan(1)
    padded = sum(length[rows].max() * len(rows) for rows in plan)
    start = time.perf_counter()
    if trains:
        fitted = member.learn(train, valid, work)
    else:
        dataset, scale = member.make_dataset(train), Scale.of(train)
        torch.manual_seed(member.seed)
        fitted = NetworkPredictor(member, dataset, build(member, dataset, train, scale).eval(), scale)
    seconds = time.perf_counter() - start
    return Trained(seconds, 1 - length.sum() / padded, lambda: mean_roc_auc(valid.labels, fitted.predict(valid)))


def by_trainer(
    member: Encoder, train: Rows, valid: Rows, tokens: Tokens, work: Path, grouped: bool, trains: bool
) -> Trained:
    start = time.perf_counter()
    torch.manual_seed(member.seed)
    net = build(member, member.make_dataset(train), train, Scale.of(train))
    device = best_device()
    bf16 = multiplies_bf16(device.type)
    grouping = {"train_sampling_strategy": "group_by_length"} if grouped else {}
    arguments = TrainingArguments(
        str(work), per_device_train_batch_size=BATCH, per_device_eval_batch_size=BATCH, num_train_epochs=1, bf16=bf16,
        use_cpu=device.type == "cpu", save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True,
        max_grad_norm=member.stage.clip, remove_unused_columns=False, seed=member.seed, label_names=["labels"],
        **grouping,
    )  # fmt: skip
    optimizer = member.stage.optimizer.build(parameter_groups(net, member.stage))
    steps = -(-len(train) // BATCH)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(member.stage.warmup * steps), steps)
    collator = Collator(tokens.pad)
    trainer = Trainer(
        ForTrainer(net), arguments, collator, Dataset(tokens, train.at, train.labels), optimizers=(optimizer, schedule)
    )
    if trains:
        trainer.train()
    seconds, padding = time.perf_counter() - start, 1 - collator.real / max(1, collator.padded)

    def predict() -> float:
        answer = trainer.predict(Dataset(tokens, valid.at, valid.labels))
        return mean_roc_auc(answer.label_ids, answer.predictions.astype(float))  # grouped: rows come in another order

    return Trained(seconds, padding, predict)


@dataclass(frozen=True)
class Work:
    """What is timed, for a process of its own: libraries and memory are then as each side leaves them."""

    rows: int
    length: int
    weights: str
    trains: bool
    scratch: Path

    @property
    def member(self) -> Encoder:
        return Encoder(length=self.length, batch_rows=BATCH, weights=self.weights)

    def read(self) -> tuple[Rows, Rows, Tokens]:
        """Train rows, rows to predict, and the tokens of both."""
        path = Path(os.environ.get("KIT_DATA", "data")) / "toxic" / "train.csv"
        frame = pd.read_csv(path, nrows=self.rows * 3 // 2)
        rows = Rows(TASK, Source(frame[["comment_text"]]), np.arange(len(frame)), frame[list(TARGETS)].to_numpy(float))
        valid = rows.take(np.arange(self.rows, len(frame)))
        return rows.take(np.arange(self.rows)), valid, self.member.make_dataset(rows).inputs(rows)

    def fit(self, name: str, train: Rows, valid: Rows, tokens: Tokens) -> Trained:
        given = (self.member, train, valid, tokens, self.scratch / name)
        if name in ("kit", "shared"):
            return by_kit(*given, trains=self.trains)
        return by_trainer(*given, grouped=name == "grouped", trains=self.trains)


def serve(name: str, work: Work, line: Connection) -> None:
    """A process: fits, says how long that took, then predicts as often as it is asked."""
    use_threads(threads())
    transformers.utils.logging.disable_progress_bar()
    if name == "shared":
        side_by_side.MOST = 1  # all threads share each batch
    train, valid, tokens = work.read()
    if work.trains:
        few = train.take(np.arange(8 * BATCH))  # the first fit of a process pays for imports and library set-up
        replace(work, scratch=work.scratch / "first").fit(name, few, few, tokens)
    line.send("ready")
    line.recv()
    fitted = work.fit(name, train, valid, tokens)
    fitted.predict()
    line.send((fitted.seconds, fitted.padding, int(tokens.length[train.at].sum())))
    while line.recv():
        start = time.perf_counter()
        auc = fitted.predict()
        line.send((time.perf_counter() - start, auc))


def ask(line: Connection, what: str = "go on") -> Any:
    line.send(what)
    return line.recv()


def bert_base(folder: Path) -> str:
    """A folder with a BERT of the base size and random weights, read by MiniLM's tokenizer."""
    origin = find_weights(MINILM)
    tokenizer = transformers.AutoTokenizer.from_pretrained(origin)
    tokenizer.save_pretrained(folder)
    transformers.BertModel(transformers.BertConfig(vocab_size=len(tokenizer))).save_pretrained(folder)
    return str(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=4000, help="to train on; half as many are predicted")
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3, help="predictions of each, in turns; the median counts")
    parser.add_argument("--model", choices=["minilm", "bert-base"], default="minilm")
    parser.add_argument("--untrained", action="store_true", help="time predictions only, without any training")
    args = parser.parse_args()
    use_threads(threads())
    trains, device = not args.untrained, best_device()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        weights = MINILM if args.model == "minilm" else bert_base(folder / "base")
        work = Work(args.rows, args.length, weights, trains, folder)
        speed = product_speed(device, work.member.stage.precision) if trains else 0.0
        kind = f"{device}, {'bf16' if multiplies_bf16(device.type) else 'fp32'}"
        kind += f", {speed / 1e9:.0f} GFLOP/s" if trains else ", predictions of untrained networks"
        print(f"{args.model}, {args.rows} rows of at most {args.length} tokens, {kind}", flush=True)
        lines = {}
        spawn = multiprocessing.get_context("spawn")
        for name in ("kit", "Trainer", "grouped", *(["shared"] if args.untrained else [])):
            lines[name], other = spawn.Pipe()
            spawn.Process(target=serve, args=(name, work, other), daemon=True).start()
            lines[name].recv()
        fits = {name: ask(line) for name, line in lines.items()}  # one after the other
        told: dict[str, list[float]] = {name: [] for name in lines}
        auc = {}
        # in turns, so that a machine that slows down for minutes slows all of them
        for _ in range(args.rounds):
            for name, line in lines.items():
                seconds, auc[name] = ask(line)
                told[name].append(seconds)
        for line in lines.values():
            line.send("")  # the end
        transformers.utils.logging.disable_progress_bar()
        net = transformers.AutoModel.from_pretrained(find_weights(weights))
    products = sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Linear))
    predicted = {name: float(np.median(seconds)) for name, seconds in told.items()}
    for name, (seconds, padding, tokens) in fits.items():
        prediction = f"prediction {args.rows // 2 / predicted[name]:6.1f} rows/s"
        if args.untrained:
            print(f"{name:8} {prediction}")
            continue
        training = f"training {args.rows / seconds:6.1f} rows/s, padding {padding:5.1%}"
        mfu = f"MFU {6 * products * tokens / seconds / speed:5.1%}"
        print(f"{name:8} {training}, {mfu}; {prediction}; AUC {auc[name]:.5f}")
    for name in list(fits)[1:]:
        training = "" if args.untrained else f"training {fits[name][0] / fits['kit'][0]:.2f} times as fast, "
        print(f"kit against {name}: {training}prediction {predicted[name] / predicted['kit']:.2f} times as fast")


if __name__ == "__main__":
    main()
