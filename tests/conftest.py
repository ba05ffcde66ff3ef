"""Fixtures that several test files share."""

import gc
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# workers beside each other share the cores, also where they start processes; a lone process has one thread, as more of
# them only wait for each other on so few rows. Set before numpy and torch are loaded
if _workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", os.cpu_count() or 1)):
    for _name in ("KIT_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(_name, str(max(1, (os.cpu_count() or 1) // _workers)))

from tests.helpers.house import ROOT, House

# `make test` hands its own flags and depth down to every `make` that a test starts, which then prints and reads other
# things than at a person's prompt
for _name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"):
    os.environ.pop(_name, None)

# a suite that a shell began in the background has inherited that these are ignored, and would hand that down
for _number, _default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _default)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers take whole files in this order: those with slow tests first, so that none is left to one worker at the end."""
    for item in items:  # workers compare what they have collected
        if re.search(r" at 0x[0-9a-f]{6,}", item.nodeid):
            raise pytest.UsageError(f"an address in memory is no name of a test, give ids=: {item.nodeid}")
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="module", autouse=True)
def _garbage_of_earlier_tests() -> Iterator[None]:
    """Each fit collects garbage before its memory is measured: what lies there by now need not be gone through again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def python() -> Iterator[Callable[..., str]]:
    """Runs a script in a fresh interpreter and gives what it prints."""

    def run(script: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, capture_output=True, text=True, timeout=60,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    yield run
