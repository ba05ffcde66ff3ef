"""The bank: a folder of finished folds, where existence means done.

    runs/toxic/linear-3f9a2c1d/spec.json                    what the folder's key was made of
                               fold0/valid.npy test.npy score.json sums.json model/
                               fold1.part/                  under way, interrupted or failed
                               fold1.lock                   held by the process that works on it
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kit.files import checksum, lock, read_json, remove, rename_whole, write_array, write_json, write_text
from kit.spec import digest

State = Literal["done", "busy", "failed", "part", "absent"]


@dataclass(frozen=True)
class Fold:
    """A finished fold.

    Attributes:
        valid: (judged rows, outputs) predictions of the fold's own rows, in the order of the table.
        test: (test rows, outputs) predictions.
        score: the fold's score, seconds and counts.
    """

    valid: np.ndarray
    test: np.ndarray
    score: dict[str, Any]


@dataclass(frozen=True)
class Shelf:
    """The folds of one member with certain settings on certain rows and folds."""

    folder: Path

    @classmethod
    def of(cls, root: Path, name: str, identity: dict[str, Any]) -> "Shelf":
        """The shelf of a member.

        Args:
            root: the run folder of a competition.
            name: the member's name in the recipe.
            identity: JSON-ready; all that the predictions depend on. Its digest is the key in the folder's name.
        """
        shelf = cls(root / f"{name}-{digest(identity)[:8]}")
        if not (shelf.folder / "spec.json").exists():
            write_json(shelf.folder / "spec.json", identity)
        return shelf

    def _fold(self, fold: int) -> Path:
        return self.folder / f"fold{fold}"

    def part(self, fold: int) -> Path:
        """The folder a fold is worked on in."""
        return self.folder / f"fold{fold}.part"

    def state(self, fold: int) -> State:
        """`done`, `busy` (another process holds it), `failed` (error.txt says why), `part` (interrupted) or `absent`."""
        if self._fold(fold).exists():
            return "done"
        with lock(self.folder / f"fold{fold}.lock") as free:
            if not free:
                return "busy"
        if (self.part(fold) / "error.txt").exists():
            return "failed"
        return "part" if self.part(fold).exists() else "absent"

    def read(self, fold: int) -> Fold | None:
        """A finished fold, or None where there is none; one whose checksums do not hold is put aside as `.damaged`."""
        folder = self._fold(fold)
        if not folder.exists():
            return None
        try:
            sums = read_json(folder / "sums.json")
            whole = all(checksum(folder / name) == wanted for name, wanted in sums.items())
        except (OSError, ValueError):
            whole = False
        if not whole:
            folder.rename(folder.with_name(f"{folder.name}.damaged-{time.time_ns()}"))
            return None
        valid, test = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("valid", "test"))
        return Fold(valid, test, read_json(folder / "score.json"))

    @contextlib.contextmanager
    def work(self, fold: int) -> Iterator[Path | None]:
        """Holds an unfinished fold and gives its `.part` folder; None if it is done or another process has it."""
        with lock(self.folder / f"fold{fold}.lock") as free:
            if not free or self._fold(fold).exists():  # it may have been finished between a look and the lock
                yield None
                return
            self.part(fold).mkdir(parents=True, exist_ok=True)
            (self.part(fold) / "error.txt").unlink(missing_ok=True)
            yield self.part(fold)

    def finish(self, fold: int, valid: np.ndarray, test: np.ndarray, score: dict[str, Any]) -> None:
        """Puts a fold in place, whole. To be called inside `work`."""
        part = self.part(fold)
        write_array(part / "valid.npy", valid)
        write_array(part / "test.npy", test)
        write_json(part / "score.json", score)
        (part / "last.pt").unlink(missing_ok=True)  # only an unfinished fit needs it, and it is the largest file
        write_json(part / "sums.json", {n: checksum(part / n) for n in ("valid.npy", "test.npy", "score.json")})
        rename_whole(part, self._fold(fold))

    def fail(self, fold: int, error: str) -> None:
        """Leaves `error.txt` in the fold's `.part` folder."""
        write_text(self.part(fold) / "error.txt", error)

    def discard_model(self, fold: int) -> None:
        """Removes a half-written model of a fold that is worked on."""
        remove(self.part(fold) / "model")
