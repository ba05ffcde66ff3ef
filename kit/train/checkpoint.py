"""Checkpoints: with them, a training that was killed goes on as if it had never stopped."""

import hashlib
import json
import pickle
import time
from pathlib import Path
from typing import Any

import torch

from kit.core.files import replacing, write_bytes
from kit.core.machine import writing
from kit.core.sums import remade, verify


class Checkpointer:
    """Saves and restores the state of a run in `folder/last.pt` and its log in `folder/log.jsonl`.

    Args:
        folder: folder of the files; None: nothing is saved.
        every: seconds between two saves; 0 saves after each step.
    """

    def __init__(self, folder: Path | None, every: float) -> None:
        self.folder, self.every = folder, every
        self._saved = time.monotonic()
        if folder is not None:
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)

    def restore(self) -> dict[str, Any]:
        """The last saved state, or {} if there is none. Also restores the state of torch's random generators."""
        state = self._last()
        if state:
            torch.set_rng_state(state["rng"])
            if "cuda" in state and torch.cuda.is_available():
                torch.cuda.set_rng_state(state["cuda"])
        self._shorten_log(*state.pop("log", (0, "")))
        return state

    def _last(self) -> dict[str, Any]:
        """The saved state; {} where there is none, or where its file is damaged and only a new start helps."""
        if self.folder is None or not (path := self.folder / "last.pt").exists():
            return {}
        try:
            if verify(path):
                return torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
            pass
        remade(path, "the training starts again")
        return {}

    def save(self, stage: int, step: int, parts: dict[str, Any], now: bool) -> None:
        """Saves the states of all parts if it is time to, or `now`; `step` steps of the stage are done."""
        if self.folder is None or (not now and time.monotonic() - self._saved < self.every):
            return
        kept = {name: part.state_dict() for name, part in parts.items()}
        kept |= {"stage": stage, "step": step, "rng": torch.get_rng_state(), "log": self._log_so_far()}
        if torch.cuda.is_available():
            kept["cuda"] = torch.cuda.get_rng_state()
        with replacing(self.folder / "last.pt", with_sum=True) as temporary, open(temporary, "wb") as file:
            torch.save(kept, file)
        self._saved = time.monotonic()

    def log(self, line: dict[str, Any]) -> None:
        if self.folder is not None:
            with writing(path := self.folder / "log.jsonl"), open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def _log_so_far(self) -> tuple[int, str]:
        """Bytes of the log, and their checksum."""
        assert self.folder is not None
        path = self.folder / "log.jsonl"
        logged = path.read_bytes() if path.exists() else b""
        return len(logged), hashlib.sha256(logged).hexdigest()

    def _shorten_log(self, size: int, checksum: str) -> None:
        """Drops what a killed run logged after its last save: those steps come once more."""
        if self.folder is None or not (path := self.folder / "log.jsonl").exists():
            return
        logged = path.read_bytes()[:size]
        if size and hashlib.sha256(logged).hexdigest() != checksum:
            remade(path, "its lines so far are left out")
            logged = b""
        write_bytes(path, logged)
