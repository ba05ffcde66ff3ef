"""How many threads numeric code uses: one number for every library, told by the job, the same on every executor.

Sums of floats depend on how they are split, so a training run gives the same bits only for the same number of threads.
"""

import os
import sys

_count = 0


def threads() -> int:
    """Threads to use: what `use_threads` set, else $KIT_THREADS, else one per core."""
    return _count or int(os.environ.get("KIT_THREADS", 0)) or os.cpu_count() or 1


def use_threads(count: int) -> None:
    """Limits BLAS and OpenMP pools, and torch where it is (or comes to be) imported, to `count` threads."""
    global _count
    _count = count
    os.environ["OMP_NUM_THREADS"] = str(count)  # read by libraries that load later
    from threadpoolctl import threadpool_limits

    threadpool_limits(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
