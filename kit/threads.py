"""How many threads numeric code uses: one number for every library, told by the job, the same on every executor.

Sums of floats depend on how they are split, so a training run gives the same bits only for the same number of threads.
"""

import os
import sys

from kit.spec import KitError

# A waiting thread sleeps instead of spinning. Spinning gains nothing measurable when the machine is ours alone, and
# costs a factor of three when anything else runs beside us. Libraries read this when they load.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_count = 0


def threads() -> int:
    """Threads to use: what `use_threads` set, else $KIT_THREADS, else one per core."""
    if not (told := os.environ.get("KIT_THREADS", "0")).isdecimal():
        raise KitError(f"KIT_THREADS = '{told}' is not a number of threads")
    return _count or int(told) or os.cpu_count() or 1


def use_threads(count: int) -> None:
    """Limits BLAS and OpenMP pools, and torch where it is (or comes to be) imported, to `count` threads."""
    global _count
    _count = count
    os.environ["OMP_NUM_THREADS"] = str(count)  # read by libraries that load later
    from threadpoolctl import threadpool_limits

    threadpool_limits(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
