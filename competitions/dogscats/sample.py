"""Drawn cats and dogs in Kaggle's own files, so that the recipe runs where nothing has been downloaded.

Cats have pointed ears, whiskers and a thin tail that is raised; dogs have hanging ears, a long muzzle and a tongue.
Both come in the same coats, in any size, place and light, so colours alone say little. As in the real files, some
pictures are odd: of train one is cut off, one is no picture at all, one is CMYK, one is turned by its EXIF data, one
occurs twice; of test one is empty, and one is a picture of train.

The pictures depend on the seed alone: the generator is the one whose stream is promised never to change
(`random.Random.random`).
"""

import argparse
import io
import math
import os
import random
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

KINDS = ("cat", "dog")
COATS = ["#3b3029", "#8a5a2b", "#c58a3d", "#d9c7a5", "#6d6d70", "#efe9df", "#1f1d1c", "#a4622c"]
GROUNDS = ["#7d9b6b", "#b8a78c", "#8fa7c0", "#c9b4b4", "#5e6b55", "#d6d2c4", "#94887d", "#6f8592"]
Points = list[tuple[float, float]]


class Creature:
    """Draws one creature: head, ears, body and tail, in units of its head."""

    def __init__(self, dice: random.Random) -> None:
        from PIL import Image, ImageDraw

        self.random = dice.random
        self.width, self.height = 80 + self.below(70), 70 + self.below(60)
        self.image = Image.new("RGB", (self.width, self.height), self.pick(GROUNDS))
        self.draw = ImageDraw.Draw(self.image)
        self.unit = min(self.width, self.height) * (0.16 + 0.1 * self.random())
        self.x = self.width * (0.4 + 0.2 * self.random())
        self.y = self.height * (0.35 + 0.15 * self.random())
        self.lean = (self.random() - 0.5) * 0.5
        self.coat, self.shade = self.pick(COATS), self.pick(COATS)

    def below(self, n: int) -> int:
        return int(self.random() * n)

    def pick(self, choices: list[str]) -> str:
        return choices[self.below(len(choices))]

    def at(self, right: float, down: float) -> tuple[float, float]:
        """A place on the picture, of one that is given in units of the head, from its middle, and leans with it."""
        sin, cos = math.sin(self.lean), math.cos(self.lean)
        return (
            self.x + self.unit * (right * cos - down * sin),
            self.y + self.unit * (right * sin + down * cos),
        )

    def blob(self, right: float, down: float, wide: float, high: float, colour: str) -> None:
        rim = [math.tau * i / 24 for i in range(24)]
        self.shape([(right + wide * math.cos(a), down + high * math.sin(a)) for a in rim], colour)

    def shape(self, points: Points, colour: str) -> None:
        self.draw.polygon([self.at(*point) for point in points], fill=colour)

    def line(self, points: Points, colour: str, wide: float) -> None:
        self.draw.line([self.at(*point) for point in points], fill=colour, width=max(1, round(wide * self.unit)))

    def scene(self) -> None:
        """Things behind the creature."""
        for _ in range(3 + self.below(4)):
            x, y, r = self.width * self.random(), self.height * self.random(), self.unit * (0.3 + self.random())
            self.draw.ellipse((x - r, y - r * 0.6, x + r, y + r * 0.6), fill=self.pick(GROUNDS))

    def face(self) -> None:
        for side in (-0.38, 0.38):
            self.blob(side, -0.15, 0.14, 0.17, "#f4f2d0")
            self.blob(side, -0.15, 0.06, 0.15, "#101010")

    def cat(self) -> None:
        self.line([(1.0, 3.2), (1.9, 2.6), (2.1, 1.4), (1.8, 0.8)], self.coat, 0.22)
        self.blob(0, 2.3, 1.0, 1.3, self.coat)
        for side in (-1, 1):
            self.shape([(side * 0.95, -0.3), (side * 0.8, -1.5), (side * 0.2, -0.8)], self.coat)
            self.shape([(side * 0.8, -0.5), (side * 0.75, -1.2), (side * 0.4, -0.75)], "#e3a8a0")
        self.blob(0, 0, 1.0, 0.9, self.coat)
        self.face()
        self.shape([(-0.1, 0.2), (0.1, 0.2), (0, 0.35)], "#c66a6a")
        for side in (-1, 1):
            for slope in (-0.15, 0.05, 0.25):
                self.line([(side * 0.25, 0.35), (side * 1.4, 0.35 + slope)], "#f7f7f7", 0.04)

    def dog(self) -> None:
        self.line([(1.0, 3.0), (1.7, 2.5)], self.coat, 0.4)
        self.blob(0, 2.4, 1.15, 1.4, self.coat)
        self.blob(0, 0, 0.95, 1.0, self.coat)
        for side in (-1, 1):
            self.blob(side * 1.0, 0.2, 0.35, 0.95, self.shade)
        self.face()
        self.blob(0, 0.65, 0.5, 0.5, self.shade)
        self.blob(0, 0.35, 0.22, 0.16, "#151212")
        if self.random() < 0.7:
            self.blob(0.05, 1.15, 0.18, 0.35, "#d9707a")

    def picture(self, kind: str) -> Any:
        """The whole picture, with the noise of a camera in poor light."""
        from PIL import Image, ImageEnhance

        self.scene()
        getattr(self, kind)()
        noise = bytes(self.below(256) for _ in range(1024))
        grain = Image.frombytes("L", (32, 32), noise).resize(self.image.size).convert("RGB")
        blended = Image.blend(self.image, grain, 0.1 + 0.15 * self.random())
        return ImageEnhance.Brightness(blended).enhance(0.6 + 0.7 * self.random())


def drawn(kind: str, seed: str) -> Any:
    """A picture of a creature, the same for the same seed."""
    return Creature(random.Random(seed)).picture(kind)


def jpeg(picture: Any, **options: Any) -> bytes:
    """A picture as the bytes of a JPEG file."""
    picture.save(file := io.BytesIO(), "JPEG", quality=85, **options)
    return file.getvalue()


def odd(kind: str, seed: str) -> list[bytes]:
    """Pictures as cameras and uploads spoil them: CMYK, turned by EXIF data, cut off, a page of text."""
    from PIL import Image

    turned = Image.Exif()
    turned[0x0112] = 6  # was taken with the camera on its side
    whole = jpeg(drawn(kind, f"{seed}/cut"))
    return [
        jpeg(drawn(kind, f"{seed}/cmyk").convert("CMYK")),
        jpeg(drawn(kind, f"{seed}/turned").transpose(Image.Transpose.ROTATE_90), exif=turned),
        whole[: len(whole) * 3 // 4],
        b"<html>404 Not Found</html>",
    ]


def _zip(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Writes under another name first, so that a file of this name is always whole; dates are those of the epoch."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with zipfile.ZipFile(partial, "w") as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content)
    os.replace(partial, path)


def write(folder: Path, train: int = 300, test: int = 100, seed: int = 0) -> None:
    """Writes train.zip, test.zip and sample_submission.csv into `folder`, in Kaggle's form."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [
        (f"train/{kind}.{i}.jpg", jpeg(drawn(kind, f"{seed}/{kind}/{i}"))) for kind in KINDS for i in range(train // 2)
    ]
    for i, content in enumerate(odd("dog", f"{seed}/odd")):
        files[-1 - i] = (files[-1 - i][0], content)
    files[1] = (files[1][0], files[0][1])  # the same cat twice
    _zip(folder / "train.zip", files)
    dice = random.Random(f"{seed}/test").random
    seen = [(f"test/{i}.jpg", jpeg(drawn(KINDS[dice() < 0.5], f"{seed}/test/{i}"))) for i in range(1, test + 1)]
    if test > 1:
        seen[0] = (seen[0][0], files[2][1])  # a cat of train
        seen[-1] = (seen[-1][0], b"")
    _zip(folder / "test.zip", seen)
    rows = "".join(f"{i},0.5\n" for i in range(1, test + 1))
    partial = folder / f".sample_submission.csv.{os.getpid()}"
    partial.write_text(f"id,label\n{rows}", encoding="utf-8", newline="\n")
    os.replace(partial, folder / "sample_submission.csv")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the embedded sample of Dogs vs. Cats.")
    parser.add_argument("folder", type=Path)
    for argument, default in (("train", 300), ("test", 100), ("seed", 0)):
        parser.add_argument(argument, type=int, nargs="?", default=default)
    write(**vars(parser.parse_args()))
