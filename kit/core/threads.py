"""The number of threads of numeric code: one number for every library, the same on every executor.

Sums of floats depend on how they are split, so a training run gives the same bits only for the same number of threads.
"""

import os
import sys

from kit.core.errors import KitError

# A waiting thread sleeps, it does not spin. Spinning is not measurably faster on a quiet machine, and it is three times
# slower if another process runs too. Libraries read this variable when they are loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_count = 0


def threads() -> int:
    """Threads to use: what `use_threads` set, else $KIT_THREADS, else one per core."""
    if not (text := os.environ.get("KIT_THREADS", "0")).isdecimal():
        raise KitError(f"KIT_THREADS = '{text}' is not a number of threads")
    return _count or int(text) or os.cpu_count() or 1


def use_threads(count: int) -> None:
    """Limits BLAS, OpenMP and torch to `count` threads, also those that are imported later."""
    global _count
    _count = count
    os.environ["OMP_NUM_THREADS"] = str(count)  # read by libraries that load later
    from threadpoolctl import threadpool_limits

    threadpool_limits(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
