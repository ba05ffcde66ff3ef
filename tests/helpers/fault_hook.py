"""The fault itself, at an operation that changes files; it imports little, as worker processes load it as well."""

import errno
import os
import resource
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
INPUTS = ("competitions", "data/faults", "told")  # what no run writes: all else in a sandbox is an artefact


def install(kind: str, at: int, folder: Path, operations: Path, once: Path | None = None) -> None:
    """Counts this process's operations that change files of a sandbox, and does what is asked for at one of them.

    Args:
        kind: see `tests.helpers.faults.Fault`.
        at: number of the operation, from 0.
        folder: the sandbox.
        operations: file that names them.
        once: file that the first process to die makes; the others live on. None: each may die.
    """
    import sys

    if kind == "size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (at, at))
        return
    log, count, inside = open(operations, "a", buffering=1), 0, False  # noqa: SIM115
    apart = tuple(f"{folder / name}/" for name in INPUTS)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal count, inside
        if inside or not (event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & WRITES)):
            return
        if not isinstance(args[0], (str, bytes, os.PathLike)):
            return
        path = os.path.abspath(os.fsdecode(args[0]))
        if not path.startswith(f"{folder}/") or path.startswith(apart):
            return
        count += 1
        inside = True
        try:
            log.write(f"{event} {os.path.relpath(path, folder)}\n")
            if kind in ("kill", "torn") and count - 1 == at and _first(once):
                if kind == "torn" and event == "open":
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
                os._exit(137)
        finally:
            inside = False
        if kind == "readonly":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        if kind == "full" and count - 1 >= at and event in ("open", "os.mkdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    sys.addaudithook(hook)


def _first(once: Path | None) -> bool:
    """Whether this process is the one to die."""
    try:
        if once is not None:
            os.close(os.open(once, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
