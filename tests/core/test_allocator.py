"""Freed memory stays for the next operation, and goes back to the system when the work is done."""

import json
import platform
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory its own way")
SCRIPT = """
import json, resource
from concurrent.futures import ThreadPoolExecutor
import torch
from kit.core.allocator import freed_memory_kept

PAGE = resource.getpagesize()

def touch():
    # writes to every page of some large blocks, then frees them
    for block in [torch.empty({mib} * 2**20, dtype=torch.uint8) for _ in range(4)]:
        block.fill_(1)

def pages_of_a_round():
    for _ in range(5):  # blocks are aligned, so they find their places after some rounds only
        touch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        touch()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 5

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

before = resident()
with freed_memory_kept():
    with freed_memory_kept():  # a prediction in the middle of training
        here = pages_of_a_round()
    again = pages_of_a_round()
    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(pages_of_a_round).result()
    kept = resident() - before
all = 4 * {mib} * 2**20 / PAGE
print(json.dumps([here / all, again / all, there / all, kept / all, (resident() - before) / all]))
"""


@pytest.mark.parametrize("mib", [20, 40])
def test_pages_are_used_again_and_go_back_at_the_end(python: Callable[..., str], mib: int) -> None:
    """Blocks of 40 MiB are above the largest threshold of glibc."""
    here, again, there, kept, left = json.loads(python(SCRIPT.replace("{mib}", str(mib))))
    assert max(here, again, there) < 0.3  # of the pages that each round writes to
    assert kept > 0.6 and left < 0.5
