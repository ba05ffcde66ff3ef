"""Memory of feature extraction: 100,000 photos of 224 pixels in a zip file, through a tiny network.

    python benchmarks/picture_memory.py [--pictures 100000] [--size 224] [--folder /tmp]

1,000 photos are drawn, and lie in the zip file under as many names as there are pictures. `Embedding` decodes them into
its cache, as for any member, and computes the features. Printed is the most memory that the process and its children
hold at a time, sampled every 50 ms, and what of it belongs to mapped files, whose pages the system takes back when it
needs them. The cache takes 15 GB for 100,000 pictures, and for a while twice as much; where a disk has not so much,
pictures are decoded in passing, and kit says so.
"""

import argparse
import re
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from types import TracebackType

import numpy as np
import pandas as pd
from decoders import photo

from kit import Embedding, ImageEncoder, Task, roc_auc
from kit.core.threads import threads, use_threads
from kit.images.store import PictureFiles
from kit.rows import Rows
from kit.source import Source

TASK = Task(name="photos", kind="binary", images=("image",), targets=("y",), metric=roc_auc)
DRAWN = 1000
GIB = 2**20  # of KiB


class Watch(threading.Thread):
    """Samples the resident memory of this process and its children while its context lasts.

    Attributes:
        most: largest number of KiB at a time.
        mapped: KiB of it that belonged to mapped files.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.mapped, self.ended = 0, 0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.05):
            held = [_held(process) for process in _family()]
            total = sum(resident for resident, _ in held)
            if total > self.most:
                self.most, self.mapped = total, sum(mapped for _, mapped in held)

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.ended.set()
        self.join()


def _family() -> list[Path]:
    """This process and all below it."""
    found, below = [], [Path("/proc/self").resolve()]
    while below:
        process = below.pop()
        found.append(process)
        for children in process.glob("task/*/children"):
            try:
                below += [Path("/proc") / child for child in children.read_text().split()]
            except OSError:  # it has ended
                continue
    return found


def _held(process: Path) -> tuple[int, int]:
    """KiB that a process holds, and of them those of mapped files."""
    try:
        status = (process / "status").read_text()
    except OSError:
        return 0, 0
    resident, mapped = (re.search(rf"{entry}:\s*(\d+) kB", status) for entry in ("VmRSS", "RssFile"))
    return int(resident[1]) if resident else 0, int(mapped[1]) if mapped else 0


def write_zip(path: Path, count: int, side: int) -> None:
    """The same photos under other names, so that as many are decoded as there are names."""
    drawn = [photo(side, side, seed) for seed in range(min(DRAWN, count))]
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(count):
            archive.writestr(zipfile.ZipInfo(f"{i}.jpg"), drawn[i % len(drawn)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=224, help="their pixels, all of which the network is shown")
    parser.add_argument("--network", default="test_efficientnet", help="of timm, with random weights")
    parser.add_argument("--folder", type=Path, help="where the zip file and the cache lie for a while")
    args = parser.parse_args()
    use_threads(threads())
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        folder = Path(scratch)
        write_zip(folder / "photos.zip", args.pictures, args.size)
        frame = pd.DataFrame({"image": [f"{i}.jpg" for i in range(args.pictures)]})
        source = Source(frame, folder / "cache", files=PictureFiles(folder))
        encoder = ImageEncoder(weights=args.network, pretrained=False, size=args.size, crop=1.0)
        begun = time.perf_counter()
        with Watch() as watch:
            found = Embedding(encoder=encoder).of(Rows(TASK, source, np.arange(len(frame))))
        seconds = time.perf_counter() - begun
        print(f"{len(found):,} pictures of {args.size} pixels, {seconds:.0f} s: at most {watch.most / GIB:.2f} GiB "
              f"resident, {watch.mapped / GIB:.2f} GiB of them mapped files")  # fmt: skip


if __name__ == "__main__":
    main()
