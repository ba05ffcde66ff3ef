"""log.jsonl: the training log of a network, in the folder of its fold."""

import json
from pathlib import Path
from typing import Any

from kit.core.folders import SUMS, is_whole
from kit.core.sums import remade
from kit.report.data import ReportData

Log = list[dict[str, Any]]


def logs(folder: Path) -> dict[str, Log]:
    """Every log.jsonl below a fold's folder, by its part of the fit ("" if there is only one part).

    The `step` of the lines rises over all stages. A log of a finished fold is left out if its checksum does not match.
    """
    found = {}
    for path in sorted(folder.rglob("log.jsonl")):
        if (folder / SUMS).exists() and not is_whole(folder, path.relative_to(folder).as_posix()):
            remade(path, "it is not shown")
            continue
        texts = path.read_text(encoding="utf-8", errors="replace").splitlines()
        lines = [line for text in texts if (line := _line(text))]
        before, stage, last = 0, None, 0
        for line in lines:
            if line.get("stage") != stage:
                before, stage = before + last, line.get("stage")
            last = int(line.get("steps", line["step"]))
            line["step"] += before
        if lines:
            found[str(path.parent.relative_to(folder)).removeprefix(".")] = lines
    return found


def fold_logs(data: ReportData, name: str) -> dict[str, Log]:
    """The logs of a member's folds, finished or not, by the name of the fold: fold 0, fold 1 …"""
    store, found = data.run.store(name), {}
    for fold in data.run.folds:
        for folder in (store.folder / f"fold{fold}", store.part(fold)):
            for part, log in logs(folder).items() if folder.is_dir() else ():
                found[f"fold {fold} {part}".rstrip()] = log
    return found


def _line(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:  # the line is being written
        return None
    whole = isinstance(line, dict) and isinstance(line.get("step"), int)
    return line if whole else None
