"""Everything that a killed run needs to go on as if it had never stopped."""

import json
import pickle
import time
from pathlib import Path
from typing import Any

import torch

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

    def restore(self) -> dict[str, Any]:
        """The last saved state, {} where nothing was saved; torch's generators go on from it."""
        state = self._last()
        if state:
            torch.set_rng_state(state["rng"])
            if "cuda" in state and torch.cuda.is_available():
                torch.cuda.set_rng_state(state["cuda"])
        self._cut_log((state.get("stage", 0), state.get("step", 0)))
        return state

    def _last(self) -> dict[str, Any]:
        """The saved state; {} where there is none, or where its file is damaged and only a new start helps."""
        if self.folder is None or not (self.folder / "last.pt").exists():
            return {}
        try:
            return torch.load(self.folder / "last.pt", map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError):
            return {}

    def save(self, stage: int, step: int, parts: dict[str, Any], now: bool) -> None:
        """Saves the states of all parts if it is time to, or `now`; `step` steps of the stage are done."""
        if self.folder is None or (not now and time.monotonic() - self._saved < self.every):
            return
        kept = {name: part.state_dict() for name, part in parts.items()}
        kept |= {"stage": stage, "step": step, "rng": torch.get_rng_state()}
        if torch.cuda.is_available():
            kept["cuda"] = torch.cuda.get_rng_state()
        with replacing(self.folder / "last.pt") as temporary:
            torch.save(kept, temporary)
        self._saved = time.monotonic()

    def log(self, line: dict[str, Any]) -> None:
        if self.folder is not None:
            with open(self.folder / "log.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def _cut_log(self, done: tuple[int, int]) -> None:
        """Drops what a killed run logged after its last save: those steps are done, and logged, again."""
        if self.folder is None or not (path := self.folder / "log.jsonl").exists():
            return
        whole = [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        kept = [line for line in whole if (json.loads(line)["stage"], json.loads(line)["step"]) <= done]
        write_text(path, "".join(line + "\n" for line in kept))
