"""Drills for hours: `make soak hours=2` tries random faults until the time is up, and lists what kit took badly.

Each drill of `tests.helpers.drills.DRILLS` in turn, under seeds that go on rising; the seed of what failed repeats it:
`make soak hours=0 seed=1234`.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.helpers.drills import DRILLS


def soak(hours: float, seed: int, names: list[str]) -> int:
    """Tries each drill once at least; gives how many trials went wrong."""
    end, tried, wrong, begun = time.monotonic() + 3600 * hours, Counter[str](), [], seed
    with tempfile.TemporaryDirectory(prefix="kit-soak-") as folder:
        while seed == begun or time.monotonic() < end:
            for name in names:
                what, problem = DRILLS[name](random.Random(seed), Path(folder))
                tried[name] += 1
                if problem:
                    wrong.append(f"{name}, seed {seed}: {what}: {problem}")
                    print(wrong[-1], flush=True)
            seed += 1
    print(f"tried: {', '.join(f'{count} {name}' for name, count in tried.items())}; wrong: {len(wrong)}")
    return len(wrong)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--drills", nargs="+", default=list(DRILLS), choices=list(DRILLS))
    given = parser.parse_args()
    sys.exit(1 if soak(given.hours, given.seed, given.drills) else 0)
