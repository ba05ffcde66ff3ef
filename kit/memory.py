"""The most memory that a piece of work held, beyond what its process held before."""

import ctypes
import gc
import re
import sys
from pathlib import Path

MIB = 2**20
STATUS = Path("/proc/self/status")


def begin_peak() -> float | None:
    """Memory held now, in MiB; `peak_memory` counts from here on. None where it cannot be measured.

    What counts is memory allocated on the GPU where torch uses one, else resident memory of this process, whose peak
    only Linux lets a process set back.
    """
    gc.collect()
    if (torch := _on_gpu()) is not None:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / MIB
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back to the system and is not taken for held
        Path("/proc/self/clear_refs").write_text("5")  # the peak becomes what is held now
    except (OSError, AttributeError, TypeError):
        return None
    return _resident("VmRSS")


def peak_memory(before: float | None) -> float | None:
    """Most memory held since `begin_peak`, in MiB, beyond what it gave; None where that could not measure."""
    if before is None:
        return None
    torch = _on_gpu()
    peak = _resident("VmHWM") if torch is None else torch.cuda.max_memory_allocated() / MIB
    return None if peak is None else max(peak - before, 0.0)


def _on_gpu():  # type: ignore[no-untyped-def]
    """torch, if it is in use and has a GPU."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_available() else None


def _resident(entry: str) -> float | None:
    found = re.search(rf"{entry}:\s*(\d+) kB", STATUS.read_text()) if STATUS.exists() else None
    return int(found[1]) / 1024 if found else None
