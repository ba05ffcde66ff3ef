"""The bank: a folder of finished folds. A fold whose folder exists is finished.

runs/toxic/linear-3f9a2c1d/spec.json                    what the folder's key was made of
                           fold0/valid.npy test.npy score.json sums.json model/
                           fold1.part/                  a fold that is being fitted, was interrupted, or failed
                           fold1.lock                   locked by the process that fits this fold
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kit.core.errors import KitError
from kit.core.files import lock, read_json, remove, write_array, write_json, write_text
from kit.core.folders import finish_folder, is_whole
from kit.core.machine import MachineFault, writing
from kit.core.spec import digest
from kit.core.sums import DamagedFile, remade
from kit.run.outcome import last_line

FoldState = Literal["done", "damaged", "busy", "failed", "part", "absent"]
PREDICTIONS = ("valid.npy", "test.npy", "score.json")  # their checksums are verified at each read
LOOK = 0.5  # seconds to wait for a lock: another process may hold it for a moment, only to test it


@dataclass(frozen=True)
class Fold:
    """A finished fold.

    Attributes:
        valid: (rows, outputs) predictions of the fold's own rows, in the order of the table.
        test: (test rows, outputs) predictions.
        score: the fold's score, seconds and counts.
    """

    valid: np.ndarray
    test: np.ndarray
    score: dict[str, Any]


@dataclass(frozen=True)
class FoldStore:
    """The folder of one member's folds, for certain settings, rows and fold plan. Write into it only inside `work`.

    Attributes:
        folder: the folder of these folds.
        identity: everything that the key in the folder's name is computed from; it is written into spec.json.
    """

    folder: Path
    identity: dict[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, root: Path, name: str, identity: dict[str, Any]) -> "FoldStore":
        """The folds of a member.

        Args:
            root: the run folder of a competition.
            name: the member's name in the recipe.
            identity: everything that the predictions depend on, as JSON values. Its digest is the key in the folder's
                name.
        """
        return cls(root / f"{name}-{digest(identity)[:8]}", identity)

    def _fold(self, fold: int) -> Path:
        return self.folder / f"fold{fold}"

    def _lock(self, fold: int) -> Path:
        return self.folder / f"fold{fold}.lock"

    def part(self, fold: int) -> Path:
        """The folder in which a fold is fitted, before it is finished."""
        return self.folder / f"fold{fold}.part"

    def state(self, fold: int) -> FoldState:
        """The state of a fold.

        `done`; `damaged`, its checksums do not hold; `busy`, another process holds it; `failed`, error.txt says why;
        `part`, interrupted; or `absent`.
        """
        if self._fold(fold).exists():
            return "damaged" if self.read(fold) is None else "done"
        if self._lock(fold).exists():
            try:
                with lock(self._lock(fold)) as free:
                    if not free:
                        return "busy"
            except MachineFault:  # a folder that is read-only: nobody works here
                pass
        if (self.part(fold) / "error.txt").exists():
            return "failed"
        return "part" if self.part(fold).exists() else "absent"

    def read(self, fold: int, test: bool = True) -> Fold | None:
        """A finished fold; None if it is not finished, or if its files do not match their checksums.

        Args:
            test: whether to read the predictions of the test rows too; if not, `Fold.test` has no rows.
        """
        folder = self._fold(fold)
        if not is_whole(folder, *PREDICTIONS):
            return None
        valid = np.load(folder / "valid.npy", allow_pickle=False)
        rows = np.load(folder / "test.npy", allow_pickle=False) if test else valid[:0]
        return Fold(valid, rows, read_json(folder / "score.json"))

    @contextlib.contextmanager
    def work(self, fold: int) -> Iterator[Path | None]:
        """Locks an unfinished fold and gives its `.part` folder; None if it is finished or locked by another process.

        A finished fold that is damaged gets another name and counts as unfinished.
        """
        with lock(self._lock(fold), wait=LOOK) as free:
            if not free or self.read(fold) is not None:  # another process may have finished it just now
                yield None
                return
            with writing(self.folder):
                if (folder := self._fold(fold)).exists():
                    aside = folder.rename(folder.with_name(f"{folder.name}.damaged-{time.time_ns()}"))
                    remade(folder, f"it is kept as {aside.name} and fitted again")
                part = self.part(fold)
                part.mkdir(exist_ok=True)
                (part / "error.txt").unlink(missing_ok=True)
                for stray in part.glob(".*"):  # half-written files of a process that was killed
                    stray.unlink()
            self._keep_spec()
            yield part

    def _keep_spec(self) -> None:
        path = self.folder / "spec.json"
        try:
            if path.exists() and read_json(path):
                return
        except DamagedFile:
            remade(path)
        write_json(path, self.identity)

    def finish(self, fold: int, valid: np.ndarray, test: np.ndarray, score: dict[str, Any]) -> None:
        """Moves a finished fold to its place in one step. Call it inside `work`."""
        part = self.part(fold)
        write_array(part / "valid.npy", valid)
        write_array(part / "test.npy", test)
        write_json(part / "score.json", score)
        rest = unneeded(part)
        finish_folder(part, self._fold(fold), without=(path.relative_to(part) for path in rest))
        remove_unneeded(self._fold(fold))

    def model(self, fold: int) -> Path:
        """The folder of a finished fold's model.

        A fit may take hours, so a model is not fitted again automatically: the fold keeps its predictions, and the
        sentence says how to fit it again.

        Raises:
            KitError: the model is missing, or its files do not match their checksums.
        """
        folder = self._fold(fold)
        if not (folder / "model").is_dir() or not is_whole(folder, "model/"):
            name = self.folder.name.rpartition("-")[0]
            raise KitError(
                f"the model of {name} fold {fold} is gone or damaged: {folder / 'model'}; the fold's predictions are "
                f"whole, and blends go on with them. To fit it again: mv {folder} {folder}.old, then the command that "
                f"fitted it, with only={name} folds={fold}"
            )
        return folder / "model"

    def fail(self, fold: int, error: str) -> None:
        """Writes `error.txt` into the fold's `.part` folder."""
        write_text(self.part(fold) / "error.txt", error)

    def why(self, fold: int) -> str:
        """Why a fold failed: the last line of its error.txt; empty if there is no such file."""
        try:
            return last_line((self.part(fold) / "error.txt").read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return ""

    def discard_model(self, fold: int) -> None:
        """Removes the half-written model of an unfinished fold."""
        remove(self.part(fold) / "model")


def finished_plans(root: Path, data: str) -> set[str]:
    """Digests of the fold plans with at least one finished fold on these rows.

    Args:
        root: the run folder.
        data: digest of the rows.
    """
    found = set()
    for path in root.glob("*/spec.json"):
        if any(fold.name.removeprefix("fold").isdecimal() for fold in path.parent.glob("fold*")):
            with contextlib.suppress(OSError, DamagedFile, LookupError, TypeError, AttributeError):
                made = read_json(path)
                found |= {made["plan"]} if made["data"] == data else set()
    return found


def unneeded(folder: Path) -> list[Path]:
    """Large files that only an unfinished fit needs: checkpoints, and finished parts of members made of members."""
    return [*folder.rglob("last.pt"), *folder.glob("done*")]


def remove_unneeded(folder: Path) -> None:
    """Removes these files from a finished fold."""
    for left in unneeded(folder):
        remove(left) if left.is_dir() else left.unlink(missing_ok=True)
