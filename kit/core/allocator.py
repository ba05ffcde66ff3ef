"""Memory that is freed stays with the process while a network learns on a CPU, for its next operation.

Each operation of a network asks for tens of MB and frees them a moment later. The C library gives blocks of this size
back to the system at once, and the system clears every page that it hands out again: a tenth of the time of a network
of pictures. Predictions of texts gain nothing, as their batches are small (`kit.members.network.budget`).
"""

import contextlib
import ctypes
import threading
from collections.abc import Iterator
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -3, -4, -8  # numbers of malloc.h
LARGEST = 2**25  # bytes: glibc takes no larger threshold; a larger block is given back at once, but not in the context
BLOCKS = 65536  # of those larger ones, by glibc's default
KEPT = 2**31 - 1  # bytes at the end of the heap that are not given back by themselves

_lock = threading.Lock()
_open = 0  # contexts, of any thread


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Context in which freed memory is not given back to the system; when it ends, it is.

    It changes nothing where the C library is not glibc. Contexts may be nested, and be open in several threads.
    """
    global _open
    libc = _glibc()
    if libc is None:
        yield
        return
    with _lock:
        _open += 1
        libc.mallopt(MMAP_MAX, 0)  # maps of a convolution are larger: they lie on the heap too
    try:
        yield
    finally:
        with _lock:
            _open -= 1
            if not _open:
                libc.mallopt(MMAP_MAX, BLOCKS)
                libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """glibc, set to keep freed memory; None where there is another library.

    The settings stay: glibc cannot go back to thresholds that follow the program.
    """
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018
        # one arena: those of other threads give their memory back whatever the threshold is
        for option, value in ((MMAP_THRESHOLD, LARGEST), (TRIM_THRESHOLD, KEPT), (ARENA_MAX, 1)):
            libc.mallopt(option, value)
    except (OSError, AttributeError, TypeError):
        return None
    return libc
