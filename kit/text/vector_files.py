"""Files of word vectors, read for some units only: word2vec's text and binary, GloVe's, fastText's own, numpy's .npz.

A file of two million vectors is 2 to 7 GB. All formats are read as streams; only the requested vectors are kept.
"""

import contextlib
import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from kit.core.errors import KitError
from kit.core.files import replacing

ENDINGS = re.compile(r"\.((txt|vec|bin)(\.gz)?|npz|zip)$", re.IGNORECASE)
DAMAGE = (EOFError, OSError, zipfile.BadZipFile, zlib.error)  # errors of a truncated file
ROWS = 1024  # rows of an .npz looked through together
FASTTEXT = 793712314  # first four bytes of fastText's own files

Found = dict[str, np.ndarray]


def read_vectors(path: Path, wanted: Collection[str]) -> Found:
    """Vectors (width,) fp32 of the requested units that the file has; of a unit that occurs twice the first counts.

    Args:
        path: its ending decides the format. .txt and .vec: a line a unit, with word2vec's first line (units, width) or
            without it, as GloVe's files are. .bin: word2vec's binary format or a model of fastText, in which every
            unit with subwords has a vector. .npz: unicode array `words` (n,) and `vectors` (n, width).
            All but the last may end in .gz, or lie as the only file in a .zip.
        wanted: units, as the file writes them.

    Raises:
        KitError: no such file, a wrong format, or a truncated file; the sentence names the line or the unit.
    """
    try:
        if path.suffix.lower() == ".npz":
            return _npz(path, set(wanted))
        with _opened(path) as (name, stream):
            if not name.lower().endswith(".bin"):
                return _text(path, stream, {unit.encode(errors="surrogatepass"): unit for unit in wanted})
            (start,) = struct.unpack("<i", stream.peek(4)[:4].ljust(4))
            return (_fasttext if start == FASTTEXT else _word2vec)(path, stream, set(wanted))
    except FileNotFoundError:
        raise KitError(f"there is no file of word vectors {path}") from None
    except DAMAGE as error:
        raise KitError(f"{path} cannot be read: {error}") from None


def save_vectors(path: Path, words: Sequence[str], vectors: np.ndarray) -> None:
    """Writes an .npz that `read_vectors` reads: `words` (n,) unicode and `vectors` (n, width) fp32."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, words=np.array(words, dtype=np.str_), vectors=np.asarray(vectors, dtype=np.float32))


def gensim_models() -> Any:
    """gensim.models, which is slow to import and not part of every installation.

    Raises:
        KitError: gensim is not installed.
    """
    try:
        import gensim.models
    except ImportError:
        raise KitError("word vectors need gensim: pip install 'kit[text]'") from None
    return gensim.models


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[str, io.BufferedReader]]:
    """The file's name without .gz or .zip, and its unpacked bytes."""
    with contextlib.ExitStack() as stack:
        name, stream = path.name, stack.enter_context(open(path, "rb"))
        if path.suffix.lower() == ".gz":
            name, stream = path.stem, io.BufferedReader(stack.enter_context(gzip.open(stream)))  # type: ignore[arg-type]
        elif path.suffix.lower() == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(stream))
            names = [n for n in archive.namelist() if re.search(r"\.(txt|vec|bin)$", n, re.IGNORECASE)]
            if len(names) != 1:
                raise KitError(f"{path} should hold one .txt, .vec or .bin, not {len(names)}: unpack the one you want")
            name, stream = names[0], io.BufferedReader(stack.enter_context(archive.open(names[0])))  # type: ignore[arg-type]
        yield name, stream


def _text(path: Path, stream: IO[bytes], wanted: dict[bytes, str]) -> Found:
    beginnings = {unit.split(b" ")[0] for unit in wanted}  # GloVe's units may contain blanks
    found: Found = {}
    width = announced = number = 0
    for number, line in enumerate(stream, 1):
        if number == 1:
            first = line.split()
            if len(first) == 2 and all(part.isdigit() for part in first):
                announced, width = map(int, first)
                continue
            width = len(first) - 1
        if line.split(b" ", 1)[0] not in beginnings:
            continue
        written, *numbers = line.rstrip().rsplit(b" ", width)
        unit = wanted.get(written)
        if unit is None or unit in found:
            continue
        try:
            vector = np.array([float(part) for part in numbers], dtype=np.float32)
        except ValueError:
            vector = np.empty(0, dtype=np.float32)
        found[unit] = _checked(vector, width, f"{path}, line {number}")
    if width < 1 or (announced and number - 1 < announced):
        wanting = (
            f"its first line announces {announced:,} vectors, it has {number - 1:,}" if announced else "no vectors"
        )
        raise KitError(f"{path}: {wanting}")
    return found


def _checked(vector: np.ndarray, width: int, where: str) -> np.ndarray:
    if vector.shape != (width,) or not np.isfinite(vector).all():
        raise KitError(f"{where}: not a unit and its {width} numbers")
    return vector


def _word2vec(path: Path, stream: io.BufferedReader, wanted: set[str]) -> Found:
    header = re.fullmatch(rb"(\d+) (\d+)\s*", stream.readline(100))
    if not header:
        raise KitError(f"{path} is neither word2vec's binary format nor a model of fastText")
    units, width = map(int, header.groups())
    found: Found = {}
    for number in range(1, units + 1):
        unit = (
            _until(stream, b" ").lstrip(b"\n").decode(errors="replace")
        )  # some programs write a newline after each vector
        numbers = stream.read(4 * width)
        if len(numbers) < 4 * width:
            raise KitError(f"{path}: its first line announces {units:,} vectors, it has {number - 1:,}")
        if unit in wanted and unit not in found:
            found[unit] = _checked(np.frombuffer(numbers, dtype="<f4"), width, f"{path}, vector {number}")
    return found


def _until(stream: io.BufferedReader, end: bytes) -> bytes:
    read = bytearray()
    while (byte := stream.read(1)) not in (end, b""):
        read += byte
    return bytes(read)


def _fasttext(path: Path, stream: io.BufferedReader, wanted: set[str]) -> Found:
    """Vectors as fastText gives them: the mean of a unit's own row, if it has one, and its subwords' rows."""

    def numbers(layout: str) -> tuple[int, ...]:
        size = struct.calcsize(f"<{layout}")
        if len(read := stream.read(size)) < size:
            raise EOFError("it ends early")
        return struct.unpack(f"<{layout}", read)

    hashes: Callable[..., list[int]] = gensim_models().fasttext.ft_ngram_hashes
    *_, buckets, shortest, longest, _, _ = numbers("14id")
    units, _, labels, _, pruned = numbers("3i2q")
    parts: dict[str, list[int]] = {unit: [] for unit in wanted}  # rows of the matrix
    for number in range(units):
        unit = _until(stream, b"\0").decode(errors="replace")
        if unit in wanted:
            parts[unit].append(number)
        numbers("qb")
    quantized, _, width = numbers("?2q")
    if labels or quantized or pruned > 0:
        raise KitError(f"{path} is a fastText classifier or a quantized model; word vectors are read from neither")
    if longest:  # 0 in a model without subwords
        for unit, needed in parts.items():
            needed += [units + bucket for bucket in hashes(unit, shortest, longest, buckets)]
    begin, vectors = stream.tell(), {}
    for number in sorted({number for needed in parts.values() for number in needed}):
        stream.seek(begin + 4 * width * number)
        vectors[number] = np.array(numbers(f"{width}f"), dtype=np.float32)
    return {unit: np.mean([vectors[n] for n in needed], axis=0) for unit, needed in parts.items() if needed}


def _npz(path: Path, wanted: set[str]) -> Found:
    found: Found = {}
    with zipfile.ZipFile(path) as archive:
        if missing := {"words.npy", "vectors.npy"} - set(archive.namelist()):
            raise KitError(f"{path}: no array '{min(missing)[:-4]}'; it should hold words (n,) and vectors (n, width)")
        with archive.open("words.npy") as first, archive.open("vectors.npy") as second:
            (n, words), (m, vectors) = _blocks(path, first, 1, "U"), _blocks(path, second, 2, "f")
            if n != m:
                raise KitError(f"{path} holds {n:,} words, but {m:,} vectors")
            for units, values in zip(words, vectors, strict=True):
                for unit, vector in zip(units.tolist(), values, strict=True):
                    if unit in wanted and unit not in found:
                        found[unit] = _checked(vector.astype(np.float32), len(vector), f"{path}, unit '{unit}'")
    return found


def _blocks(path: Path, stream: IO[bytes], dimensions: int, kind: str) -> tuple[int, Iterator[np.ndarray]]:
    """Rows of an .npy of this many dimensions and kind of number, and these rows, some at a time."""
    layout = np.lib.format
    version = layout.read_magic(stream)
    read = layout.read_array_header_1_0 if version == (1, 0) else layout.read_array_header_2_0
    shape, by_column, dtype = read(stream)
    if len(shape) != dimensions or dtype.kind != kind or by_column:
        raise KitError(f"{path}: words should be unicode (n,), vectors (n, width) floats in C order")
    size, rows = dtype.itemsize * int(np.prod(shape[1:])), shape[0]
    parts = (min(ROWS, rows - at) for at in range(0, rows, ROWS))
    return rows, (np.frombuffer(stream.read(size * n), dtype=dtype).reshape(n, *shape[1:]) for n in parts)
