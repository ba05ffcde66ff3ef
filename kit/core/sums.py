"""Checksums inside files: a damaged file is noticed when it is read.

The last key of a JSON object is "sum"; the last line of an array or a checkpoint is `sha256:…`; a finished folder has a
`sums.json` (`kit.core.folders`). A file and its checksum are always written together, so a kill cannot separate them.
"""

import hashlib
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from kit.core.errors import KitError

SUM = "sum"  # the last key of every JSON object that kit writes: the checksum of all others
MARK = "sha256:"
TRAIL = len(f"\n{MARK}\n") + 64  # bytes of this line at the end of a file


class DamagedFile(KitError, ValueError):
    """A file differs from what kit wrote. If kit cannot make it again, the command ends with this error."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"{self.path} is damaged: its checksum does not hold; restore it or remove it (if you have edited it, take "
            f'its "{SUM}" out)'
        )


@lru_cache(maxsize=1024)  # a command says each sentence only once
def remade(what: object, how: str = "it is made again") -> None:
    """Says in one line on standard error that a file was damaged, and what happens now."""
    print(f"kit: {what} is damaged; {how}", file=sys.stderr, flush=True)


def append_sum(file: BinaryIO) -> None:
    """Writes the checksum at the end of an open file. numpy, zip and torch do not read this far."""
    file.seek(0)
    found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0, os.SEEK_END)
    file.write(f"\n{MARK}{found}\n".encode())
    file.flush()


def verify(path: Path) -> bool:
    """Whether a file has a checksum at its end; older versions of kit wrote none.

    Raises:
        DamagedFile: the file does not match its checksum.
    """
    size, found = path.stat().st_size - TRAIL, hashlib.sha256()
    with open(path, "rb") as file:
        file.seek(max(size, 0))
        trail = file.read()
        if not trail.startswith(f"\n{MARK}".encode()):
            return False
        file.seek(0)
        while size > 0 and (block := file.read(min(size, 1 << 20))):
            found.update(block)
            size -= len(block)
    if trail != f"\n{MARK}{found.hexdigest()}\n".encode():
        raise DamagedFile(path)
    return True
