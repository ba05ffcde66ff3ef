"""The file of a side table as plain UTF-8 or Parquet, and what is found out about it once."""

import bz2
import codecs
import gzip
import hashlib
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from kit.core.errors import KitError
from kit.core.files import digest, read_json, replacing, write_json
from kit.core.sums import DamagedFile, remade
from kit.reading.content import REFUSED
from kit.reading.encoding import NAMES, as_utf8

VERSION = 2  # of what is kept about a file: facts that another version has found are not used
BLOCK = 1 << 20
HEAD, PIECES, PIECE = 1 << 20, 24, 1 << 17  # bytes by which columns are typed: the beginning, and pieces of the rest
OPENERS: dict[bytes, Callable[..., IO[bytes]]] = {
    b"\x1f\x8b": gzip.open,  # type: ignore[dict-item]
    b"\xfd7zXZ\x00": lzma.open,  # type: ignore[dict-item]
    b"BZh": bz2.open,  # type: ignore[dict-item]
}


class SideFile:
    """One file, as it lies in the folder.

    Args:
        path: of the file.
        cache: folder for facts, and for a plain copy of what is packed or in another encoding; None: facts stay in
            memory, and copies in a temporary folder.
    """

    def __init__(self, path: Path, cache: Path | None) -> None:
        self.path, self.cache = path, cache
        self._known: dict[str, Any] = {}

    @cached_property
    def _key(self) -> str:
        """Changes with place, size and time of the file."""
        at = self.path.stat()
        return digest([str(self.path.resolve()), at.st_size, at.st_mtime_ns, VERSION])[:16]

    @cached_property
    def _folder(self) -> Path:
        if self.cache:
            return self.cache / "sides"
        self._temporary = tempfile.TemporaryDirectory(prefix="kit-sides-")
        return Path(self._temporary.name)

    def kept(self, what: str, find: Callable[[], Any]) -> Any:
        """A fact about the file as JSON values, found out once and kept by place, size and time.

        Args:
            what: names it, in a file's name.
            find: finds it out.
        """
        if what not in self._known:
            path = self._folder / f"{self._key}-{what}.json" if self.cache else None
            found = None
            if path is not None and path.exists():
                try:
                    found = read_json(path)
                except DamagedFile:
                    remade(path)
            if found is None:
                found = {what: find()}
                if path is not None:
                    write_json(path, found)
            self._known[what] = found[what]
        return self._known[what]

    @cached_property
    def unpacked(self) -> Path:
        """The file, or an unpacked copy of it.

        Raises:
            KitError: it is damaged, encrypted, or holds several files.
        """
        with open(self.path, "rb") as file:
            start = file.read(8)
        for magic, what in REFUSED.items():
            if start.startswith(magic):
                raise KitError(f"{self.path.name}: {what}")
        opener = next((found for magic, found in OPENERS.items() if start.startswith(magic)), None)
        if not start.startswith(b"PK\x03\x04") and opener is None:
            return self.path
        target = self._folder / f"{self._key}-unpacked"
        if not target.exists():
            with _reading(self.path, opener) as packed, replacing(target) as part, open(part, "wb") as plain:
                shutil.copyfileobj(packed, plain, BLOCK)
        return target

    @property
    def is_parquet(self) -> bool:
        """Whether it is a Parquet file."""
        with open(self.unpacked, "rb") as file:
            return file.read(4) == b"PAR1"

    @property
    def sum(self) -> str:
        """SHA-256 of its bytes, unpacked."""
        return self._read["sum"]

    @property
    def encoding(self) -> str:
        """Name of its encoding; "" for UTF-8."""
        return self._read["encoding"]

    @property
    def may_hold_nan(self) -> bool:
        """Whether some field of a text could be the word NaN, in any letters: polars reads it as a number."""
        return self._read["nan"]

    @property
    def _read(self) -> dict[str, Any]:
        return self.kept("bytes", self._find_bytes)

    def _find_bytes(self) -> dict[str, Any]:
        """One pass over all bytes: their checksum, whether they are UTF-8, and whether "nan" occurs."""
        found, decoder, plain, odd = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")(), True, b""
        parquet, nan, end = self.is_parquet, False, b""
        with open(self.unpacked, "rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
                nan = nan or b"nan" in (end + block).lower()
                end = block[-2:]
                if not parquet and plain and not (block.isascii() and not decoder.getstate()[0] and b"\0" not in block):
                    try:
                        plain = b"\0" not in block and decoder.decode(block) is not None
                    except UnicodeDecodeError:
                        plain = False
                    odd = odd or block
        name = "" if plain else as_utf8(self.path, odd)[1]
        return {"sum": found.hexdigest(), "encoding": name, "nan": nan or bool(name)}

    @cached_property
    def plain(self) -> Path:
        """The file in UTF-8, or a copy of it that is; or the Parquet file."""
        if not self.encoding:
            return self.unpacked
        target = self._folder / f"{self._key}-utf8"
        if not target.exists():
            codec = {name: codec for codec, name in reversed(NAMES.items())}.get(self.encoding, self.encoding)
            codec = {"utf-16-le": "utf-16", "utf-16-be": "utf-16"}.get(codec, codec)
            with (
                open(self.unpacked, encoding=codec, errors="replace", newline="") as file,
                replacing(target) as part,
                open(part, "w", encoding="utf-8", newline="") as plain,
            ):
                shutil.copyfileobj(file, plain, BLOCK)
        return target

    def sample(self) -> bytes:
        """The beginning of the plain file and pieces of the rest, each made of whole lines."""
        with open(self.plain, "rb") as file:
            head = file.read(HEAD)
            size = self.plain.stat().st_size
            if size <= HEAD + PIECES * PIECE:
                return head + file.read()
            parts = [head[: head.rfind(b"\n") + 1]]
            for i in range(PIECES):
                file.seek(HEAD + (size - HEAD - PIECE) * i // (PIECES - 1))
                piece = file.read(PIECE)
                parts.append(piece[piece.find(b"\n") + 1 : piece.rfind(b"\n") + 1])
        return b"".join(parts)


@contextmanager
def _reading(path: Path, opener: Callable[..., IO[bytes]] | None) -> Iterator[IO[bytes]]:
    try:
        if opener is not None:
            with opener(path) as file:
                yield file
            return
        with zipfile.ZipFile(path) as archive:
            hidden = ("__MACOSX", ".")
            names = [e.filename for e in archive.infolist() if not e.is_dir()]
            names = [n for n in names if not n.startswith(hidden) and not n.rsplit("/", 1)[-1].startswith(".")]
            if len(names) != 1 or "xl/workbook.xml" in names:
                raise KitError(
                    f"{path.name}: a side table is one file, delimited text or Parquet, alone in its archive"
                )
            with archive.open(names[0]) as file:
                yield file
    except (zipfile.BadZipFile, zlib.error, EOFError, lzma.LZMAError, RuntimeError, gzip.BadGzipFile) as error:
        raise KitError(f"{path.name}: not a whole archive, or encrypted: {error}; fetch it again") from None
