"""Pictures a second of fine-tuning and of feature extraction, by kit and by a plain loop of timm and a DataLoader.

    python benchmarks/picture_speed.py [--size 160] [--pictures 640] [--rounds 3] [--only training]

The photos are drawn, 500 × 375 pixels as Kaggle's of cats and dogs, and lie as JPEG files in a folder. The plain loop
is what tutorials show: in each epoch Pillow decodes and torchvision scales and crops, in a DataLoader's workers; in
training the same augmentation of albumentations follows. Network, first weights, size, precision, batches, optimizer,
threads and number of workers are those of kit. It runs in torch's usual memory format, and once more in channels last,
as a careful person would write it. Training counts from the second epoch on: kit decodes before the first.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from decoders import photo
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms

from kit import Embedding, ImageAugment, ImageEncoder, Stage, Task, roc_auc
from kit.augment import Augment
from kit.core.threads import threads, use_threads
from kit.images.store import PictureFiles
from kit.members.image_encoder.backbone import input_of
from kit.members.image_encoder.dataset import PictureDataset
from kit.members.network.fitted import Scale
from kit.members.network.fitting import build
from kit.rows import Rows
from kit.source import Source
from kit.train import parameter_groups
from kit.train.device import autocast, best_device

TASK = Task(name="photos", kind="binary", images=("image",), targets=("y",), metric=roc_auc)
EPOCHS = 3
AUGMENT = ImageAugment(strength="light")


class Plain(torch.utils.data.Dataset[tuple[torch.Tensor, float]]):
    """Photos that are decoded each time: augmented ones to learn from, else their centres.

    Args:
        rows: name the photos.
        folder: they lie in it.
        shown: how kit shows them to the network.
        augment: done to the scaled photo, if anything is.
    """

    def __init__(self, rows: Rows, folder: Path, shown: PictureDataset, augment: Augment | None = None) -> None:
        self.names, self.y, self.folder = rows.frame["image"].tolist(), rows.labels[:, 0].tolist(), folder
        self.augment, self.rng = augment, np.random.default_rng(0)
        whole, side, asked = shown.resize.size, shown.side, input_of(shown.config)
        scale = transforms.Resize(whole, transforms.InterpolationMode(shown.resize.interpolation))
        self.scaled = transforms.Compose([scale, transforms.CenterCrop(whole)])
        self.cut = transforms.CenterCrop(side)
        self.tensor = transforms.Compose([transforms.ToTensor(), transforms.Normalize(asked["mean"], asked["std"])])

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, float]:
        picture = self.scaled(Image.open(self.folder / self.names[i]).convert("RGB"))
        if self.augment is not None:
            picture = Image.fromarray(self.augment(np.asarray(picture), self.rng))
        return self.tensor(self.cut(picture)), self.y[i]


def one_thread(worker: int) -> None:
    """Workers decode on one thread each; OpenCV would take all."""
    use_threads(1)


def plain_net(member: ImageEncoder, rows: Rows, layout: torch.memory_format) -> tuple[nn.Module, Any]:
    """kit's network before its first step without kit's code around it, and its parameter groups."""
    net = build(member, member.make_dataset(rows), rows, Scale.of(rows))
    groups = parameter_groups(net, member.stage)
    backbone = net.body.backbone.to(memory_format=layout)
    return nn.Sequential(backbone, nn.Dropout(member.dropout), net.head), groups


def plain_training(member: ImageEncoder, rows: Rows, folder: Path, layout: torch.memory_format) -> float:
    """Photos a second from the second epoch on."""
    torch.manual_seed(0)
    device = best_device()
    net, groups = plain_net(member, rows, layout)
    optimizer, loss = member.stage.optimizer.build(groups), nn.BCEWithLogitsLoss()
    data = Plain(rows, folder, member.make_dataset(rows), AUGMENT)
    loader = DataLoader(
        data, member.batch_rows, shuffle=True, num_workers=workers(), persistent_workers=True, worker_init_fn=one_thread
    )
    for epoch in range(EPOCHS):
        if epoch == 1:
            begun = time.perf_counter()
        for pixels, y in loader:
            pixels = pixels.to(device, memory_format=layout)
            with autocast(device, member.stage.precision):
                found = net(pixels)
            loss(found[:, 0].float(), y.float().to(device)).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return (EPOCHS - 1) * len(rows) / (time.perf_counter() - begun)


def kit_training(member: ImageEncoder, rows: Rows, work: Path) -> tuple[float, float]:
    """Photos a second from the second epoch on, and the share of that time in which a step waited for its batch."""
    member.learn(rows, rows.take(np.arange(0)), work)
    lines = [json.loads(text) for text in (work / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    begin = max(line["step"] for line in lines if line["epoch"] == 1)
    seconds = waited = 0.0
    before = begin
    for line in lines:
        if line["step"] > begin:
            took = (line["step"] - before) / line["steps_per_second"]
            seconds, waited, before = seconds + took, waited + took * line["waiting"], line["step"]
    return (EPOCHS - 1) * len(rows) / seconds, waited / seconds


def plain_features(member: ImageEncoder, rows: Rows, folder: Path, layout: torch.memory_format) -> np.ndarray:
    """(n, width) features of the centres of the photos."""
    dataset, device = member.make_dataset(rows), best_device()
    with torch.random.fork_rng():
        torch.manual_seed(member.seed)
        net = member.make_body(dataset, rows).backbone.to(device, memory_format=layout).eval()
    data = Plain(rows, folder, dataset)
    loader = DataLoader(data, member.batch_rows, num_workers=workers(), worker_init_fn=one_thread)
    with torch.inference_mode(), autocast(device, member.stage.precision):
        return np.concatenate(
            [net(pixels.to(device, memory_format=layout)).float().cpu().numpy() for pixels, _ in loader]
        )


def workers() -> int:
    """Of the DataLoader: as many as kit has."""
    return max(1, threads() - 1)


def rows_of(folder: Path, count: int) -> Rows:
    """Drawn photos in a folder."""
    for i in range(count):
        if not (folder / f"{i}.jpg").exists():
            (folder / f"{i}.jpg").write_bytes(photo(500, 375, i))
    frame = pd.DataFrame({"image": [f"{i}.jpg" for i in range(count)]})
    y = np.arange(count, dtype=float)[:, None] % 2
    return Rows(TASK, Source(frame, files=PictureFiles(folder)), np.arange(count), y)


def anew(rows: Rows, cache: Path | None = None) -> Rows:
    """The same rows, of which nothing has been computed."""
    return Rows(rows.task, Source(rows.source.frame, cache, files=rows.source.files), rows.at, rows.y)


LAYOUTS = {"plain": torch.contiguous_format, "plain, channels last": torch.channels_last}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", default="tf_efficientnet_lite0", help="of timm, with random weights")
    parser.add_argument("--size", type=int, default=160, help="pixels that the network is shown")
    parser.add_argument("--pictures", type=int, default=640, help="a multiple of 32 is best")
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    parser.add_argument("--rounds", type=int, default=3, help="kit and the plain loops take turns")
    parser.add_argument("--only", choices=["training", "extraction"], help="both by default")
    args = parser.parse_args()
    use_threads(threads())
    stage = Stage(epochs=EPOCHS, precision=args.precision, augment=AUGMENT, augmented=1.0)
    member = ImageEncoder(weights=args.network, pretrained=False, size=args.size, stage=stage, workers=workers())
    print(f"{args.network}, {args.pictures} photos of 500 × 375, shown with {args.size} pixels, "
          f"{threads()} threads, {workers()} worker")  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch) / "photos"
        photos.mkdir()
        rows = rows_of(photos, args.pictures)
        few = rows.take(np.arange(64))
        kit_training(member, few, Path(scratch) / "first")  # imports and library set-up are not the network's
        found: dict[str, list[float]] = {}
        for number in range(args.rounds):
            if args.only != "extraction":
                rate, waited = kit_training(member, anew(rows), Path(scratch) / f"work{number}")
                rates = {"kit": rate} | {
                    name: plain_training(member, rows, photos, layout) for name, layout in LAYOUTS.items()
                }
                tell("training", rates, found, f"; steps of kit waited {waited:.1%} of the time")
            if args.only != "training":
                tell("extraction", extraction(member, rows, Path(scratch) / f"cache{number}"), found)
    for name, ratios in found.items():
        print(f"{name}: kit is {min(ratios):.2f} to {max(ratios):.2f} times as fast")


def extraction(member: ImageEncoder, rows: Rows, cache: Path) -> dict[str, float]:
    """Photos a second of each, from files to features."""
    folder, rates, features = rows.source.files.folder, {}, {}
    for name, layout in {"kit": None, **LAYOUTS}.items():
        begun = time.perf_counter()
        if layout is None:
            features[name] = Embedding(encoder=member).of(anew(rows, cache))
        else:
            features[name] = plain_features(member, rows, folder, layout)
        rates[name] = len(rows) / (time.perf_counter() - begun)
    alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(features["kit"], features["plain"], strict=True)]
    if np.mean(alike) < 0.99:  # a little less than 1: JPEG files are decoded at a smaller scale
        raise SystemExit(f"features of the two differ: their correlation is {np.mean(alike):.3f}")
    return rates


def tell(what: str, rates: dict[str, float], found: dict[str, list[float]], more: str = "") -> None:
    """Prints a round, and keeps its ratios."""
    for name in LAYOUTS:
        found.setdefault(f"{what}, against {name}", []).append(rates["kit"] / rates[name])
    print(f"{what}: " + ", ".join(f"{name} {rate:.1f}/s" for name, rate in rates.items()) + more, flush=True)


if __name__ == "__main__":
    main()
