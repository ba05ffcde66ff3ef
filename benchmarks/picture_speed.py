"""Pictures a second of fine-tuning and of feature extraction, by kit and by a plain loop of timm and a DataLoader.

    python benchmarks/picture_speed.py [--size 160] [--pictures 640] [--rounds 3] [--only training]

The photos are drawn, 500 × 375 pixels as Kaggle's of cats and dogs, and lie as JPEG files in a folder. The plain loop
is what tutorials show: in each epoch Pillow decodes and torchvision scales and crops, in a DataLoader's workers; in
training the same augmentation of albumentations follows. Network, first weights, size, precision, batches, optimizer,
threads and number of workers are those of kit. It runs in torch's usual memory format, and once more in channels last,
as a careful person would write it; each in a process of its own. Training counts from the second epoch on, as kit
decodes before the first; extraction by the plain loop from its second batch on, when its workers have started.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
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


def plain_features(
    member: ImageEncoder, rows: Rows, folder: Path, layout: torch.memory_format
) -> tuple[float, np.ndarray]:
    """Photos a second once the workers have given a first batch, and features (n, width) of their centres."""
    dataset, device = member.make_dataset(rows), best_device()
    with torch.random.fork_rng():
        torch.manual_seed(member.seed)
        net = member.make_body(dataset, rows).backbone.to(device, memory_format=layout).eval()
    data = Plain(rows, folder, dataset)
    loader = DataLoader(data, member.batch_rows, num_workers=workers(), worker_init_fn=one_thread)
    found: list[np.ndarray] = []
    with torch.inference_mode(), autocast(device, member.stage.precision):
        for pixels, _ in loader:
            found.append(net(pixels.to(device, memory_format=layout)).float().cpu().numpy())
            if len(found) == 1:
                begun = time.perf_counter()
    return (len(rows) - len(found[0])) / (time.perf_counter() - begun), np.concatenate(found)


def kit_features(member: ImageEncoder, rows: Rows) -> tuple[float, np.ndarray]:
    """Photos a second from files to features, and these, of rows of which nothing has been computed."""
    with tempfile.TemporaryDirectory() as cache:
        source = Source(rows.frame, Path(cache), files=rows.source.files)
        begun = time.perf_counter()
        found = Embedding(encoder=member).of(Rows(rows.task, source, np.arange(len(rows))))
        return len(rows) / (time.perf_counter() - begun), np.array(found)


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


LAYOUTS = {"plain": torch.contiguous_format, "plain, channels last": torch.channels_last}


@dataclass(frozen=True)
class Measurement:
    """What is timed, for a process of its own: kit sets what memory the whole process keeps."""

    member: ImageEncoder
    photos: Path
    count: int

    def training(self, side: str) -> tuple[float, float]:
        """Photos a second, and the share of the time in which a step waited for its batch, of kit alone."""
        use_threads(threads())
        rows = rows_of(self.photos, self.count)
        if side in LAYOUTS:
            return plain_training(self.member, rows, self.photos, LAYOUTS[side]), 0.0
        with tempfile.TemporaryDirectory() as work:
            return kit_training(self.member, rows, Path(work))

    def extraction(self, side: str) -> tuple[float, np.ndarray]:
        """Photos a second, from files to features, and the features."""
        use_threads(threads())
        rows = rows_of(self.photos, self.count)
        if side in LAYOUTS:
            return plain_features(self.member, rows, self.photos, LAYOUTS[side])
        kit_features(self.member, rows.take(np.arange(32)))  # imports and library set-up are not the network's
        return kit_features(self.member, rows)


def apart(measure: Callable[[str], tuple[float, Any]], side: str) -> tuple[float, Any]:
    """What a measurement gives in a new process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(measure, side).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", default="tf_efficientnet_lite0", help="of timm, with random weights")
    parser.add_argument("--size", type=int, default=160, help="pixels that the network is shown")
    parser.add_argument("--pictures", type=int, default=640, help="a multiple of 32 is best")
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    parser.add_argument("--rounds", type=int, default=3, help="kit and the plain loops take turns")
    parser.add_argument("--only", choices=["training", "extraction"], help="both by default")
    args = parser.parse_args()
    stage = Stage(epochs=EPOCHS, precision=args.precision, augment=AUGMENT, augmented=1.0)
    member = ImageEncoder(weights=args.network, pretrained=False, size=args.size, stage=stage, workers=workers())
    shown = f"{args.pictures} photos of 500 × 375, shown with {args.size} pixels"
    print(f"{args.network}, {shown}, {threads()} threads, {workers()} worker", flush=True)
    ratios: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        measurement = Measurement(member, Path(scratch), args.pictures)
        rows_of(measurement.photos, args.pictures)
        wanted = {"training": measurement.training, "extraction": measurement.extraction}
        for what in [args.only] * args.rounds if args.only else list(wanted) * args.rounds:
            found = {side: apart(wanted[what], side) for side in ("kit", *LAYOUTS)}
            rates = ", ".join(f"{side} {rate:.1f}/s" for side, (rate, _) in found.items())
            if what == "training":
                print(f"training: {rates}; steps of kit waited {found['kit'][1]:.1%} of the time", flush=True)
            else:
                pairs = zip(found["kit"][1], found["plain"][1], strict=True)
                alike = np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs])
                print(f"extraction: {rates}; correlation of features {alike:.4f}", flush=True)
            for side in LAYOUTS:
                ratios.setdefault(f"{what}, against {side}", []).append(found["kit"][0] / found[side][0])
    for name, measured in ratios.items():
        print(f"{name}: kit is {min(measured):.2f} to {max(measured):.2f} times as fast")


if __name__ == "__main__":
    main()
