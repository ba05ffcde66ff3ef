"""Archive: the files inside a zip file, read where they lie, by many threads and processes at once."""

import os
import struct
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from kit.core.errors import KitError

LOCAL = struct.Struct("<4s22xHH")  # a file's own header: signature, …, length of its name and of its extra field
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


class ZipEntry(NamedTuple):
    """A file inside a zip file.

    Attributes:
        archive: name of the zip file.
        name: of the file, as the zip file has it.
        at: where its header begins.
        packed: bytes that it takes there.
        size: its own bytes.
        crc: their CRC-32.
        method: of packing, as in zip files: 0 none, 8 deflate.
    """

    archive: str
    name: str
    at: int
    packed: int
    size: int
    crc: int
    method: int


class Archive:
    """A zip file that stays open. Reads share no position, so threads and forked processes read side by side.

    Args:
        folder: where it lies.
        name: its path there.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path, self.name = folder / name, name

    @cached_property
    def _handle(self) -> int:
        return os.open(self.path, os.O_RDONLY)

    @cached_property
    def at(self) -> os.stat_result:
        """Size and time of the zip file."""
        return self.path.stat()

    def __del__(self) -> None:
        if (handle := self.__dict__.get("_handle")) is not None:
            os.close(handle)

    @cached_property
    def entries(self) -> dict[str, ZipEntry]:
        """Name → file, in the order of the archive; folders are left out.

        Raises:
            KitError: it is no whole zip file, or it is encrypted.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                infos = [info for info in archive.infolist() if not info.is_dir()]
        except BROKEN:
            raise KitError(f"{self.name}: not a whole zip file; fetch it again") from None
        if any(info.flag_bits & 1 for info in infos):
            raise KitError(f"{self.name}: is encrypted; unpack it with its password first")
        return {
            i.filename: ZipEntry(
                self.name, i.filename, i.header_offset, i.compress_size, i.file_size, i.CRC, i.compress_type
            )
            for i in infos
        }

    def read(self, entry: ZipEntry) -> bytes:
        """The bytes of a file.

        Raises:
            ValueError: they are not whole, or unpack to more than the archive says.
        """
        try:
            if entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                with zipfile.ZipFile(self.path) as archive:
                    return archive.read(entry.name)
            # some writers give the local header an extra field of another length than the directory's
            signature, name, extra = LOCAL.unpack(os.pread(self._handle, LOCAL.size, entry.at))
            data = os.pread(self._handle, entry.packed, entry.at + LOCAL.size + name + extra)
            if entry.method == zipfile.ZIP_DEFLATED:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, entry.size + 1)
        except (*BROKEN, struct.error):
            raise ValueError(f"damaged in {self.name}") from None
        if signature != b"PK\x03\x04" or len(data) != entry.size or zlib.crc32(data) != entry.crc:
            raise ValueError(f"damaged in {self.name}")
        return data
