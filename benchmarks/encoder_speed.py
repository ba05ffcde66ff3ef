"""Fine-tuning and prediction by kit and by Hugging Face Trainer: same model, rows, tokens, precision, one epoch.

    KIT_DATA=data python benchmarks/encoder_speed.py [--rows 4000] [--length 128] [--model minilm|bert-base]
                                                    [--untrained]

Trainer runs twice: plain (random batches, padded to their longest row) and grouped by length. It gets kit's own
parameter groups, schedule, starting weights and most rows a batch, so that only the work done for them differs. MFU is
the share of the machine's own matrix-product speed, measured in the same run, that the useful tokens' products make up
(6 · weights a token in training). `--untrained` times predictions alone, of networks before their first step,
and those of kit if all threads share each batch (shared).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
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


def by_kit(member: Encoder, train: Rows, valid: Rows, tokens: Tokens, work: Path, trains: bool = True) -> Trained:
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
    member: Encoder, train: Rows, valid: Rows, tokens: Tokens, work: Path, grouped: bool, trains: bool = True
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


def one_batch_at_once(kit: Trained) -> float:
    """kit's prediction if all threads share each batch."""
    most, side_by_side.MOST = side_by_side.MOST, 1
    try:
        return kit.predict()
    finally:
        side_by_side.MOST = most


def bert_base(folder: Path) -> str:
    """A folder with a BERT of the base size and random weights, read by MiniLM's tokenizer."""
    origin = find_weights("sentence-transformers/all-MiniLM-L6-v2")
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
    frame = pd.read_csv(Path(os.environ.get("KIT_DATA", "data")) / "toxic" / "train.csv", nrows=args.rows * 3 // 2)
    rows = Rows(TASK, Source(frame[["comment_text"]]), np.arange(len(frame)), frame[list(TARGETS)].to_numpy(float))
    train, valid = rows.take(np.arange(args.rows)), rows.take(np.arange(args.rows, len(frame)))
    device = best_device()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        member = Encoder(length=args.length, batch_rows=BATCH)
        if args.model == "bert-base":
            member = Encoder(length=args.length, batch_rows=BATCH, weights=bert_base(folder / "base"))
        tokens = member.make_dataset(rows).inputs(rows)
        trains = not args.untrained
        speed = product_speed(device, member.stage.precision) if trains else 0.0
        kind = f"{device}: {speed / 1e9:.0f} GFLOP/s" if trains else f"{device}, predictions of untrained networks"
        print(f"{args.model}, {args.rows} rows of at most {args.length} tokens, {kind}", flush=True)
        if trains:
            few = rows.take(np.arange(8 * BATCH))  # the first fit of a process pays for imports and library set-up
            by_kit(member, few, few, tokens, folder / "first")
            by_trainer(member, few, few, tokens, folder / "first", grouped=False)
        results = {
            "kit": by_kit(member, train, valid, tokens, folder / "kit", trains),
            "Trainer": by_trainer(member, train, valid, tokens, folder / "plain", False, trains),
            "grouped": by_trainer(member, train, valid, tokens, folder / "grouped", True, trains),
        }
        if args.untrained:
            results["shared"] = Trained(0, 0, lambda: one_batch_at_once(results["kit"]))
            for trained in results.values():
                trained.predict()
        net = build(member, member.make_dataset(train), train, Scale.of(train))
    products = sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Linear))
    useful = 6 * products * int(tokens.length[train.at].sum())
    # in turns, so that a machine that slows down for minutes slows all of them
    told: dict[str, list[float]] = {name: [] for name in results}
    auc = {}
    for _ in range(args.rounds):
        for name, trained in results.items():
            start = time.perf_counter()
            auc[name] = trained.predict()
            told[name].append(time.perf_counter() - start)
    predicted = {name: float(np.median(seconds)) for name, seconds in told.items()}
    for name, r in results.items():
        if args.untrained:
            print(f"{name:8} prediction {len(valid) / predicted[name]:6.1f} rows/s")
            continue
        training = f"training {args.rows / r.seconds:6.1f} rows/s, padding {r.padding:5.1%}"
        mfu = f"MFU {useful / r.seconds / speed:5.1%}"
        print(f"{name:8} {training}, {mfu}; prediction {len(valid) / predicted[name]:6.1f} rows/s; AUC {auc[name]:.5f}")
    for name in list(results)[1:]:
        if args.untrained:
            print(f"kit against {name}: prediction {predicted[name] / predicted['kit']:.2f} times as fast")
            continue
        training, prediction = results[name].seconds / results["kit"].seconds, predicted[name] / predicted["kit"]
        print(f"kit against {name}: training {training:.2f} times as fast, prediction {prediction:.2f}")


if __name__ == "__main__":
    main()
