"""Errors of the machine, such as a full disk or a read-only folder. They end a command with one sentence."""

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path

from kit.core.errors import KitError

# These end the whole command: the next member or trial would fail as well.
STOPS = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "EFBIG", "EMFILE", "ENFILE", "ENODEV", "ENXIO", "ESTALE")
    if hasattr(errno, name)
}
# These end a command unless they are handled: they may concern only one file of one member.
REFUSES = STOPS | {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}
SQLITE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")
# Libraries that are not written in Python, such as safetensors, give the error of the system as text only.
SAYINGS = ("No space left on device", "Disk quota exceeded", "Read-only file system", "File too large")


class MachineFault(KitError):
    """A file cannot be written or read. What is finished is kept; the same command continues from there."""


def machine_fault(error: BaseException, known: set[int] = STOPS) -> MachineFault | None:
    """The error of the machine that caused this error; None if there is none.

    Args:
        error: the error, with its chain of causes and contexts.
        known: error numbers that count.
    """
    one: BaseException | None = error
    while one is not None:
        if isinstance(one, MachineFault):
            return one
        if isinstance(one, OSError) and one.errno in known:
            place = f"{one.filename}: " if one.filename else ""
            return MachineFault(f"cannot read or write {place}{one.strerror}")
        if (said := _said(one)) is not None:
            return MachineFault(f"cannot write: {said}")
        one = one.__cause__ or one.__context__
    return None


def _said(error: BaseException) -> str | None:
    """The error of the machine in the text of a library that raises no OSError."""
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorname", "").startswith(SQLITE):
        return str(error)
    return next((saying for saying in SAYINGS if saying in str(error)), None)


SHORTAGES = ("DataLoader worker", "terminated abruptly", "Cannot allocate memory", "out of memory")


def is_shortage(error: BaseException) -> bool:
    """Whether a fit failed because memory ran out or a process was killed. It may succeed another time."""
    one: BaseException | None = error
    while one is not None:
        if isinstance(one, (MemoryError, BrokenExecutor)):
            return True
        if isinstance(one, (RuntimeError, OSError)) and any(saying in str(one) for saying in SHORTAGES):
            return True  # torch raises RuntimeErrors for memory and for killed workers
        one = one.__cause__ or one.__context__
    return False


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Context in which an error of the machine becomes a MachineFault that names `path`."""
    try:
        yield
    except (MachineFault, TimeoutError):  # another process has the lock
        raise
    except OSError as error:
        raise MachineFault(f"cannot write {path}: {error.strerror or error}") from error
    except Exception as error:  # torch wraps the OSError of a file that it writes to
        fault = machine_fault(error)
        if fault is None:
            raise
        raise MachineFault(f"cannot write {path}: {str(fault).rpartition(': ')[2]}") from error
