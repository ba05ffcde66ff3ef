"""Writing so that a file is whole or absent, checksums, and locks that die with their process."""

import contextlib
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
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from kit.errors import KitError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; on success it is flushed to disk and takes the name, else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner reads
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes sorted and indented JSON, whole or not at all: two such files can be compared line by line."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """What a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_array(path: Path, array: np.ndarray) -> None:
    """Saves in numpy's own format, the same bytes for the same numbers."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` survive a power cut (where the system can sync folders)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def rename_whole(source: Path, target: Path) -> None:
    """Renames a folder once all that lies in it has reached the disk."""
    for path in source.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(source)
    os.rename(source, target)
    sync_folder(target.parent)


def checksum(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def contents(place: str | Path, *patterns: str) -> str:
    """Checksum of a file, or of the files that lie in a folder; "" where there is none. Read again only once changed.

    Args:
        place: file or folder; ~ is one's home.
        patterns: files of a folder that count; by default all.
    """
    with contextlib.suppress(OSError, ValueError):  # no name that a file could have
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
    """What `Spec.reads` says of settings that name files: those that are there, each with its `contents`."""
    return {name: found for name, place in named.items() if place and (found := contents(place))}


@contextlib.contextmanager
def lock(path: Path, wait: float = 0) -> Iterator[bool]:
    """Holds the lock file `path` for the block; gives False where another has it for longer than `wait` seconds.

    The operating system drops the lock when its process ends, however it ends.

    Raises:
        KitError: this is a worker process that is still running its parent's script. It would wait for ever for what
            the parent holds until the worker is ready.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise KitError("worker processes begin by running your script: put its work under if __name__ == '__main__':")
    path.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(path)
    try:
        held.acquire(timeout=-1 if math.isinf(wait) else wait, poll_interval=0.02)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        held.release()


def remove(folder: Path) -> None:
    """Removes a folder with all that lies in it, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)
