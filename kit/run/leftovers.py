"""Files that killed commands left behind: the next command removes them, unless a running process uses them."""

import contextlib
import os
import re
from pathlib import Path

from kit.core.files import lock, remove
from kit.core.folders import remove_leftover
from kit.core.machine import MachineFault
from kit.run.bank import remove_unneeded


def sweep(root: Path, cache: Path | None) -> None:
    """Removes half-written files, checkpoints of finished folds and unfinished caches; skips what it cannot remove.

    What an unfinished fold or computation continues from is kept: `fold0.part`, blocks of rows.

    Args:
        root: the run folder.
        cache: folder of what is computed once; None: it is kept in memory.
    """
    for top in (root, cache):
        for place, folders, files in os.walk(top) if top else ():
            for name in files:
                remove_leftover(Path(place, name))
            for name in folders:
                if top == root and re.fullmatch(r"fold\d+", name):  # killed just after the fold was finished
                    with contextlib.suppress(OSError):
                        remove_unneeded(Path(place, name))
                elif top == cache and name.endswith(".part"):
                    _remove_part(Path(place, name))


def _remove_part(part: Path) -> None:
    """Removes an unfinished folder of `Source.once`, unless a running process is writing it."""
    path = part.with_suffix(".lock")
    if path.exists():
        with contextlib.suppress(MachineFault), lock(path) as free:
            if free:
                remove(part)
