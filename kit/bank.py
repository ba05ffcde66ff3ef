"""The bank: a folder of finished folds, where existence means done.

runs/toxic/linear-3f9a2c1d/spec.json                    what the folder's key was made of
                           fold0/valid.npy test.npy score.json sums.json model/
                           fold1.part/                  under way, interrupted or failed
                           fold1.lock                   held by the process that works on it
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kit.files import checksum, lock, read_json, remove, rename_whole, write_array, write_json, write_text
from kit.spec import digest

State = Literal["done", "damaged", "busy", "failed", "part", "absent"]
SUMMED = ("valid.npy", "test.npy", "score.json")  # the files whose checksums are kept
LOOK = 0.5  # seconds to wait for a lock that may only be held by someone who looks whether it is held


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
    """The folds of one member with certain settings on certain rows and folds. Only `work` writes.

    Attributes:
        folder: where they lie.
        identity: what its key is made of, written into spec.json.
    """

    folder: Path
    identity: dict[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, root: Path, name: str, identity: dict[str, Any]) -> "Shelf":
        """The shelf of a member.

        Args:
            root: the run folder of a competition.
            name: the member's name in the recipe.
            identity: JSON-ready; all that the predictions depend on. Its digest is the key in the folder's name.
        """
        return cls(root / f"{name}-{digest(identity)[:8]}", identity)

    def _fold(self, fold: int) -> Path:
        return self.folder / f"fold{fold}"

    def _lock(self, fold: int) -> Path:
        return self.folder / f"fold{fold}.lock"

    def part(self, fold: int) -> Path:
        """The folder a fold is worked on in."""
        return self.folder / f"fold{fold}.part"

    def state(self, fold: int) -> State:
        """How far a fold is.

        `done`; `damaged`, its checksums do not hold; `busy`, another process holds it; `failed`, error.txt says why;
        `part`, interrupted; or `absent`.
        """
        if self._fold(fold).exists():
            return "damaged" if self.read(fold) is None else "done"
        if self._lock(fold).exists():
            with lock(self._lock(fold)) as free:
                if not free:
                    return "busy"
        if (self.part(fold) / "error.txt").exists():
            return "failed"
        return "part" if self.part(fold).exists() else "absent"

    def read(self, fold: int, test: bool = True) -> Fold | None:
        """A finished fold, or None where there is none or its checksums do not hold.

        Args:
            test: read the predictions of test rows too; without them `Fold.test` has no rows.
        """
        folder = self._fold(fold)
        try:
            sums = read_json(folder / "sums.json")
            if any(checksum(folder / name) != sums[name] for name in SUMMED):
                return None
        except (OSError, ValueError, LookupError, TypeError):
            return None
        valid = np.load(folder / "valid.npy", allow_pickle=False)
        asked = np.load(folder / "test.npy", allow_pickle=False) if test else valid[:0]
        return Fold(valid, asked, read_json(folder / "score.json"))

    @contextlib.contextmanager
    def work(self, fold: int) -> Iterator[Path | None]:
        """Holds an unfinished fold and gives its `.part` folder; None if it is done or another process has it.

        A finished fold that is damaged is put aside, to be fitted again.
        """
        with lock(self._lock(fold), wait=LOOK) as free:
            if not free or self.read(fold) is not None:  # it may have been finished between a look and the lock
                yield None
                return
            if (folder := self._fold(fold)).exists():
                folder.rename(folder.with_name(f"{folder.name}.damaged-{time.time_ns()}"))
            if not (self.folder / "spec.json").exists():
                write_json(self.folder / "spec.json", self.identity)
            part = self.part(fold)
            part.mkdir(exist_ok=True)
            (part / "error.txt").unlink(missing_ok=True)
            for stray in part.glob(".*"):  # a file that a killed process was writing
                stray.unlink()
            yield part

    def finish(self, fold: int, valid: np.ndarray, test: np.ndarray, score: dict[str, Any]) -> None:
        """Puts a fold in place, whole. To be called inside `work`."""
        part = self.part(fold)
        write_array(part / "valid.npy", valid)
        write_array(part / "test.npy", test)
        write_json(part / "score.json", score)
        write_json(part / "sums.json", {name: checksum(part / name) for name in SUMMED})
        rename_whole(part, self._fold(fold))
        # only an unfinished fit needs these, and they are large: checkpoints, and the parts of members made of members
        for left in (*self._fold(fold).rglob("last.pt"), *self._fold(fold).glob("done*")):
            left.unlink() if left.is_file() else remove(left)

    def fail(self, fold: int, error: str) -> None:
        """Leaves `error.txt` in the fold's `.part` folder."""
        write_text(self.part(fold) / "error.txt", error)

    def discard_model(self, fold: int) -> None:
        """Removes a half-written model of a fold that is worked on."""
        remove(self.part(fold) / "model")
