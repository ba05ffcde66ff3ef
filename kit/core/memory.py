"""Peak memory of a piece of work, in addition to what the process used before; pages of mapped files do not count."""

import ctypes
import gc
import mmap
import re
import sys
from pathlib import Path
from typing import Any

MIB = 2**20
STATUS = Path("/proc/self/status")


def begin_peak() -> float | None:
    """Memory in use now, in MiB: the start of a measurement by `peak_memory`. None if it cannot be measured.

    It is the memory allocated on the GPU if torch uses one, else the resident memory of this process. Only Linux lets a
    process reset its peak.
    """
    gc.collect()
    if (torch := _on_gpu()) is not None:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / MIB
    try:
        ctypes.CDLL(None).malloc_trim(0)  # give freed memory back to the system, so that it does not count
        Path("/proc/self/clear_refs").write_text("5")  # reset the peak to what is in use now
    except (OSError, AttributeError, TypeError):
        return None
    return _resident("VmRSS")


def peak_memory(before: float | None) -> float | None:
    """Peak memory since `begin_peak`, in MiB, minus `before`; None if it could not be measured."""
    if before is None:
        return None
    torch = _on_gpu()
    peak = _resident("VmHWM") if torch is None else torch.cuda.max_memory_allocated() / MIB
    return None if peak is None else max(peak - before, 0.0)


def release_pages(array: Any) -> None:
    """The pages of a memory-mapped file that were read leave this process; they are mapped again when asked for.

    They stay in the system's cache while it has room, so little is lost. Without this a process that reads all of a
    large file seems to hold all of it. Other arrays stay as they are.

    Args:
        array: as `np.load(…, mmap_mode="r")` gives it.
    """
    mapped = getattr(array, "_mmap", None)
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED") and not array.flags.writeable:
        mapped.madvise(mmap.MADV_DONTNEED)


def _on_gpu():  # type: ignore[no-untyped-def]
    """torch, if it is imported and has a GPU."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_available() else None


def _resident(entry: str) -> float | None:
    found = re.search(rf"{entry}:\s*(\d+) kB", STATUS.read_text()) if STATUS.exists() else None
    return int(found[1]) / 1024 if found else None
