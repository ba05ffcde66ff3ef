"""Content: the unpacked bytes of a file. How it is packed is seen from its first bytes, not from its name."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from kit.core.errors import KitError
from kit.reading.phrases import some

Container = Literal["text", "parquet", "excel"]

PACKED: dict[bytes, tuple[str, Callable[..., IO[bytes]]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),  # type: ignore[dict-item]
    b"\xfd7zXZ\x00": ("xz", lzma.open),  # type: ignore[dict-item]
    b"BZh": ("bzip2", bz2.open),  # type: ignore[dict-item]
}
ZIP = b"PK\x03\x04"
REFUSED = {
    b"\x28\xb5\x2f\xfd": "a Zstandard file; unpack it with: zstd -d",
    b"7z\xbc\xaf": "a 7z file; unpack it with: 7z x",
    b"Rar!": "a RAR file; unpack it with: unrar x",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls); save it as .xlsx or CSV",
    b"%PDF": "a PDF file, not a table",
    b"\x89PNG": "a picture, not a table",
    b"\xff\xd8\xff": "a picture, not a table",
}
DEEPEST = 3  # how often a file may be packed, one packing in another
BOMB_RATIO, BOMB_BYTES = 300, 1 << 30  # a file that unpacks to more than both is no table


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Attributes:
        data: its bytes, unpacked.
        kind: kind of file.
        packing: how the file was packed, outermost first, for its note.
    """

    data: bytes
    kind: Container
    packing: tuple[str, ...] = ()


def content_of(path: Path) -> Content:
    """A file's bytes, unpacked.

    Raises:
        KitError: it is damaged or encrypted, holds several files, or is of a kind that kit does not read.
    """
    data, packing = path.read_bytes(), list[str]()
    for _ in range(DEEPEST):
        if data.startswith(ZIP):
            if (inner := _only_file(path, data)) is None:
                return Content(data, "excel", tuple(packing))
            data = inner
            packing.append("zip")
            continue
        found = next((entry for magic, entry in PACKED.items() if data.startswith(magic)), None)
        if found is None:
            break
        name, opened = found
        try:
            with opened(io.BytesIO(data)) as file:
                data = _bounded(path, file, len(data))
        except (OSError, EOFError, zlib.error, lzma.LZMAError):
            raise KitError(f"{path.name}: not a whole {name} file; fetch it again") from None
        packing.append(name)
    for magic, what in REFUSED.items():
        if data.startswith(magic):
            raise KitError(f"{path.name}: {what}")
    return Content(data, "parquet" if data.startswith(b"PAR1") else "text", tuple(packing))


def _only_file(path: Path, data: bytes) -> bytes | None:
    """The one file of an archive; None if the archive is an Excel workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
            if "xl/workbook.xml" in entries:
                return None
            names = [n for n in entries if "__MACOSX" not in n.split("/") and not n.rsplit("/", 1)[-1].startswith(".")]
            if len(names) != 1:
                listed = f": {some(names)}" if names else ""
                raise KitError(f"{path.name}: holds {len(names)} files, not one{listed}")
            if entries[names[0]].flag_bits & 1:
                raise KitError(f"{path.name}: is encrypted; unpack it with its password first")
            with archive.open(names[0]) as file:
                return _bounded(path, file, len(data))
    except NotImplementedError as error:
        raise KitError(f"{path.name}: {error}; unpack it first") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, lzma.LZMAError, ValueError):
        raise KitError(f"{path.name}: not a whole zip file; fetch it again") from None


def _bounded(path: Path, file: Any, packed: int) -> bytes:
    most = max(BOMB_BYTES, BOMB_RATIO * packed)
    data = file.read(most + 1)
    if len(data) > most:
        raise KitError(f"{path.name}: {packed:,} bytes that unpack to more than {most:,} are no table")
    return data
