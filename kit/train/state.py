"""Everything that a killed run needs to go on as if it had never stopped."""

import json
import pickle
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kit.files import replacing, write_text


class Keeper:
    """Saves and restores the state of a run in `folder/last.pt` and its log in `folder/log.jsonl`.

    Args:
        folder: where they lie; None keeps nothing.
        every: seconds between two saves; 0 saves after each step.
    """

    def __init__(self, folder: Path | None, every: float) -> None:
        self.folder, self.every = folder, every
        self._saved = time.monotonic()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """Puts the last saved state in place; gives the number of steps done before it, 0 where nothing was saved."""
        if (state := self._last()) is None:
            self._cut_log(0)
            return 0
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        if "cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state(state["cuda"])
        self._cut_log(state["step"])
        return state["step"]

    def _last(self) -> dict[str, Any] | None:
        """The saved state; None where there is none, or where its file is damaged and only a new start helps."""
        if self.folder is None or not (self.folder / "last.pt").exists():
            return None
        try:
            return torch.load(self.folder / "last.pt", map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError):
            return None

    def save(self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, now: bool) -> None:
        """Saves if it is time to, or `now`."""
        if self.folder is None or (not now and time.monotonic() - self._saved < self.every):
            return
        state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        state["rng"] = torch.get_rng_state()
        if torch.cuda.is_available():
            state["cuda"] = torch.cuda.get_rng_state()
        with replacing(self.folder / "last.pt") as temporary:
            torch.save(state, temporary)
        self._saved = time.monotonic()

    def log(self, line: dict[str, Any]) -> None:
        if self.folder is not None:
            with open(self.folder / "log.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def _cut_log(self, step: int) -> None:
        """Drops what a killed run logged after its last save: those steps are done, and logged, again."""
        if self.folder is None or not (path := self.folder / "log.jsonl").exists():
            return
        lines = path.read_text(encoding="utf-8").splitlines()
        whole = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        write_text(path, "".join(line + "\n" for line in whole))
