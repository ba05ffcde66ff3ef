"""Folders that are written completely or not at all, with checksums of all files; and removal of leftovers."""

import fcntl
import os
import re
from collections.abc import Iterable
from pathlib import Path

from kit.core.files import checksum, read_json, sync_folder, write_json
from kit.core.machine import writing

SUMS = "sums.json"


def finish_folder(part: Path, target: Path, without: Iterable[Path] = ()) -> None:
    """Writes the checksums of all files in `part` into its sums.json, then renames the folder to `target`.

    Args:
        part: the folder in which the files were written.
        target: its final name. A folder with this name is finished.
        without: files without a checksum, relative to `part`, because they are removed once the folder is finished.
    """
    skipped = {*without, Path(SUMS)}
    files = [path.relative_to(part) for path in sorted(part.rglob("*")) if path.is_file()]
    kept = [path for path in files if not skipped & {path, *path.parents}]
    write_json(part / SUMS, {path.as_posix(): checksum(part / path) for path in kept})
    rename_whole(part, target)


def is_whole(folder: Path, *names: str) -> bool:
    """Whether the files of a folder match their checksums.

    Args:
        folder: a folder that `finish_folder` finished.
        names: files that must exist, or folders such as `model/`; all by default.
    """
    try:
        sums = read_json(folder / SUMS)
        wanted = {name for name in names if not name.endswith("/")}
        wanted |= {name for name in sums if not names or name.startswith(tuple({*names} - wanted))}
        return all(checksum(folder / name) == sums[name] for name in wanted)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def rename_whole(source: Path, target: Path) -> None:
    """Renames a folder after all its files have been flushed to disk."""
    with writing(target):
        for path in source.rglob("*"):
            if path.is_file():
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
            else:
                sync_folder(path)
        sync_folder(source)
        os.rename(source, target)
        sync_folder(target.parent)


def remove_leftover(path: Path) -> bool:
    """Removes the file if it is a leftover: `kit.core.files.replacing` was killed while writing it. Returns whether."""
    if not re.fullmatch(r"\..+\.[a-z0-9_]{8}", path.name):
        return False
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()  # remove it while it is locked: a process that just created it checks whether it still exists
    except OSError:  # a running process has locked it, or it does not exist any more, or the folder is read-only
        return False
    return True
