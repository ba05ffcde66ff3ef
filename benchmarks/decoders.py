"""JPEG decoders side by side: pictures per second of Pillow, simplejpeg and torchvision.io, whole or scaled.

    python benchmarks/decoders.py

Pictures are noisy smooth colours at the size of Kaggle's Dogs vs. Cats (500 × 375, quality 90), and at 12 megapixels as
a telephone takes them. Each decoder is timed in turn by the processor time of one thread, several times over, and the
best round of each counts. In brackets: the ratio to Pillow in the same run.
"""

import argparse
import io
import time
from collections.abc import Callable

import numpy as np
import simplejpeg
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg


def photo(width: int, height: int, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    layers = list[np.ndarray]()
    for n in (6, 24, 96):
        small = Image.fromarray(rng.integers(0, 255, (n, n, 3), dtype=np.uint8))
        layers.append(np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32))
    pixels = sum(layers) / 3 + rng.normal(0, 6, (height, width, 1))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file := io.BytesIO(), "JPEG", quality=90)
    return file.getvalue()


def with_pillow(data: bytes, size: int | None) -> np.ndarray:
    picture = Image.open(io.BytesIO(data))
    if size:
        picture.draft("RGB", (2 * size, 2 * size))
    return np.asarray(picture.convert("RGB"))


def with_simplejpeg(data: bytes, size: int | None) -> np.ndarray:
    if size is None:
        return simplejpeg.decode_jpeg(data)
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    side = min(2 * size, height, width)
    return simplejpeg.decode_jpeg(data, min_height=side, min_width=side, min_factor=2)


def with_torchvision(data: bytes, size: int | None) -> np.ndarray:
    found = decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), mode=ImageReadMode.RGB)
    return found.permute(1, 2, 0).numpy()  # it has no smaller scales


DECODERS: dict[str, Callable[[bytes, int | None], np.ndarray]] = {
    "Pillow": with_pillow,
    "simplejpeg": with_simplejpeg,
    "torchvision": with_torchvision,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for width, height, count in ((500, 375, 40), (4000, 3000, 3)):
        pictures = [photo(width, height, seed) for seed in range(count)]
        for size in (None, 224, 64):
            best = dict.fromkeys(DECODERS, np.inf)
            for _ in range(rounds):
                for name, decoder in DECODERS.items():
                    begun = time.process_time()
                    for data in pictures:
                        decoder(data, size)
                    best[name] = min(best[name], time.process_time() - begun)
            rates = {name: count / seconds for name, seconds in best.items()}
            line = "  ".join(f"{name} {rate:7.1f}/s ({rate / rates['Pillow']:.2f}×)" for name, rate in rates.items())
            print(f"{width} × {height}, {'whole' if size is None else f'for {size} pixels'}: {line}", flush=True)


if __name__ == "__main__":
    main()
