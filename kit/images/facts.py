"""Facts of pictures: checksum, what is wrong, a perceptual hash; found once and kept by size and time of the files."""

import hashlib
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kit.core.files import digest, replacing
from kit.core.sums import remade, verify
from kit.core.threads import threads
from kit.images.decode import PictureFault, decode

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = 1  # of decoding and hashing: what another one has found is not used
SIDE = 64  # pixels of the picture that is hashed
COLOURS = 4  # cells along each side whose mean colour is kept
BLOCK = 2000  # pictures that a kill loses at most
PROGRESS_EVERY = 30  # seconds


class PictureFacts(NamedTuple):
    """What is known of one picture.

    Attributes:
        sum: SHA-256 of its bytes; "" where there are none.
        fault: why it cannot be read; "" where it can.
        hash: its perceptual hash, 16 hexadecimal digits; "" where it cannot be read, or imagehash is not installed.
        colours: mean colours of the cells of a small grid, two hexadecimal digits each.
    """

    sum: str = ""
    fault: str = ""
    hash: str = ""
    colours: str = ""


def facts_of(data: bytes) -> PictureFacts:
    """The facts of one picture."""
    sum_ = hashlib.sha256(data).hexdigest()
    try:
        picture = decode(data, (SIDE, SIDE))
    except PictureFault as fault:
        return PictureFacts(sum_, str(fault))
    colours = np.asarray(picture.resize((COLOURS, COLOURS))).tobytes().hex()
    return PictureFacts(sum_, "", perceptual_hash(picture), colours)


def perceptual_hash(picture: "Image") -> str:
    """The hash of a picture (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions").

    Pictures that a person takes for the same differ in few of its 64 bits: which low frequencies exceed the median.
    """
    try:
        import imagehash
    except ImportError:
        return ""
    return str(imagehash.phash(picture))


class KeptFacts:
    """Facts of pictures by the key of each, in a file that is read once and grows.

    Args:
        path: of the file; None keeps them in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self.path, self.known = path, dict[str, PictureFacts]()
        if path is not None and path.exists():
            try:
                verify(path)
                lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
                whole = [line for line in lines if len(line) == 1 + len(PictureFacts._fields)]
                self.known = {key: PictureFacts(*rest) for key, *rest in whole}
            except ValueError:
                remade(path)

    def keep(self) -> None:
        """Writes the file, whole."""
        if self.path is not None:
            lines = ["\t".join((key, *facts)) for key, facts in self.known.items()]
            with replacing(self.path, with_sum=True) as temporary:
                temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")

    def of(self, keys: Sequence[str], cells: Sequence[Any], read: Any) -> list[PictureFacts]:
        """The facts of pictures; those that are not known are found, by several threads, and kept.

        Args:
            keys: change with place, size and time of each picture.
            cells: the pictures.
            read: gives the bytes of a cell.
        """

        def find(cell: Any) -> PictureFacts:
            try:
                return facts_of(read(cell))
            except PictureFault as fault:
                return PictureFacts(fault=str(fault))

        missing = {key: cell for key, cell in zip(keys, cells, strict=True) if key not in self.known}
        todo, begun = list(missing), time.monotonic()
        printed = begun
        with ThreadPoolExecutor(threads()) as pool:
            for i in range(0, len(todo), BLOCK):
                part = todo[i : i + BLOCK]
                self.known |= dict(zip(part, pool.map(find, [missing[key] for key in part]), strict=True))
                self.keep()
                if (now := time.monotonic()) - printed > PROGRESS_EVERY and i + BLOCK < len(todo):
                    printed, minutes = now, (now - begun) / (i + BLOCK) * (len(todo) - i - BLOCK) / 60
                    said = f"pictures: {i + BLOCK} of {len(todo)} looked at, {minutes:.0f} minutes left"
                    print(said, file=sys.stderr)
        return [self.known[key] for key in keys]


def facts_file(cache: Path | None, folder: Path | None) -> Path | None:
    """Where the facts of the pictures below a folder are kept."""
    name = digest([str(folder.resolve()) if folder else "", VERSION])[:16]
    return cache / f"pictures-{name}.tsv" if cache else None
