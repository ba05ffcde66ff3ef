"""Freed memory stays for the next operation, and goes back to the system when the work is done."""

import platform
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from kit.core.allocator import freed_memory_kept

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory its own way")
BLOCK, BLOCKS = 20 * 2**20, 4  # bytes of a block, blocks in use at once
PAGES = BLOCK * BLOCKS // resource.getpagesize()


def touch() -> None:
    """Writes to every page of some large blocks, then frees them."""
    for block in [torch.empty(BLOCK, dtype=torch.uint8) for _ in range(BLOCKS)]:
        block.fill_(1)


def in_this_thread(work: Callable[[], object]) -> None:
    work()


def in_another_thread(work: Callable[[], object]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


@pytest.mark.parametrize("run", [in_this_thread, in_another_thread])
def test_pages_are_used_again(run: Callable[[Callable[[], object]], None]) -> None:
    faults = []

    def work() -> None:
        for _ in range(5):  # blocks are aligned, so they find their places after some rounds only
            touch()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(5):
            touch()
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

    with freed_memory_kept():
        run(work)
    assert faults[0] < PAGES / 2  # each of five rounds would ask for all of them anew


def test_the_system_gets_them_back() -> None:
    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1])

    before = resident()
    with freed_memory_kept():
        touch()
        assert resident() - before > PAGES / 2
    assert resident() - before < PAGES / 2
