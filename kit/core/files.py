"""Files that are written whole or not at all, checksums, and locks that end with their process."""

import contextlib
import fcntl
import hashlib
import json
import math
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from kit.core.errors import KitError
from kit.core.machine import writing
from kit.core.sums import MARK, SUM, DamagedFile, append_sum, verify


@contextlib.contextmanager
def replacing(path: Path, with_sum: bool = False) -> Iterator[Path]:
    """Context with a temporary path. On success, the file is flushed to disk and renamed to `path`; else it is removed.

    Args:
        path: the file to replace. It is always complete: after a kill it is either the old file or the new one.
        with_sum: whether to write a checksum at the end of the file, which `kit.core.sums.verify` reads.

    Raises:
        MachineFault: the file cannot be written.
    """
    with writing(path), contextlib.ExitStack() as stack:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = stack.enter_context(_temporary(path))
        yield temporary
        with open(temporary, "rb+") as file:
            if with_sum:
                append_sum(file)
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
        sync_folder(path.parent)


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A new file beside `path`. Its process holds a lock on it, so it is not mistaken for a leftover of a kill."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with contextlib.suppress(OSError):  # this file system has no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(name):  # else another process removed it before it was locked
            break
        os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Writes a text in UTF-8, completely or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file, completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Writes sorted and indented JSON, completely or not at all. Two such files can be compared line by line.

    The last key of an object is its checksum, "sum".
    """
    value = json.loads(json.dumps(value, sort_keys=True))  # the checksum needs keys as text, as they will be read
    if isinstance(value, dict):
        assert SUM not in value, f"{path}: the key '{SUM}' is kit's own"
        value[SUM] = MARK + digest(value)
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The contents of a JSON file, without its checksum.

    Raises:
        DamagedFile: the checksum does not match, or it is no JSON. DamagedFile is a ValueError as well.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise DamagedFile(path) from None
    if isinstance(value, dict) and value:
        last = next(reversed(value))
        if last == SUM or str(value[last]).startswith(MARK):
            found = value.pop(last)
            if last != SUM or found != MARK + digest(value):
                raise DamagedFile(path)
    return value


def write_array(path: Path, array: np.ndarray) -> None:
    """Saves in numpy's own format, the same bytes for the same numbers, with a checksum at the end."""
    with replacing(path, with_sum=True) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: Path, mmap_mode: Literal["r"] | None = None) -> np.ndarray:
    """The array that `write_array` saved.

    Raises:
        DamagedFile: the checksum does not match, or it is no array.
    """
    verify(path)
    try:
        return np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (ValueError, EOFError, SyntaxError):  # the file is cut off, or its header is damaged
        raise DamagedFile(path) from None


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` survive a power failure, if the system can sync folders."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def checksum(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a JSON-ready value in canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def contents(place: str | Path, *patterns: str) -> str:
    """Checksum of a file, or of the files in a folder; "" if it does not exist. Unchanged files are not read again.

    Args:
        place: file or folder; ~ is the home folder.
        patterns: patterns of the files of a folder that count; all by default.
    """
    with contextlib.suppress(OSError, ValueError):  # not a valid file name
        path = Path(place).expanduser()
        if path.is_file():
            return _kept_checksum(path)
        found = {p for pattern in patterns or ("*",) for p in path.glob(pattern) if p.is_file()} if place else set()
        sums = "".join(f"{p.name}\n{_kept_checksum(p)}\n" for p in sorted(found))
        return hashlib.sha256(sums.encode(errors="surrogateescape")).hexdigest() if sums else ""
    return ""


def _kept_checksum(path: Path) -> str:
    at = path.stat()
    return _checksum(path.resolve(), at.st_mtime_ns, at.st_size)


@lru_cache(maxsize=1024)
def _checksum(path: Path, changed: int, size: int) -> str:
    return checksum(path)


def checksums(**named: str | None) -> dict[str, str]:
    """Setting → checksum, for settings that name an existing file or folder."""
    return {name: found for name, place in named.items() if place and (found := contents(place))}


@contextlib.contextmanager
def lock(path: Path, wait: float = 0) -> Iterator[bool]:
    """Context that locks the file `path`; gives False if another process still has the lock after `wait` seconds.

    The operating system releases the lock when the process ends, even if it is killed.

    Raises:
        KitError: a worker process tries this while it still runs its parent's script. It would wait for its parent,
            and the parent waits for the worker.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise KitError("worker processes begin by running your script: put its work under if __name__ == '__main__':")
    held = FileLock(path)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            held.acquire(timeout=-1 if math.isinf(wait) else wait, poll_interval=0.02)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        held.release()


def remove(folder: Path) -> None:
    """Removes a folder and everything in it, if it exists."""
    shutil.rmtree(folder, ignore_errors=True)
