"""Compares the database of a search with its list of trials, which has a checksum, to notice a damaged database."""

import json
from collections.abc import Sequence
from pathlib import Path

from kit.core.errors import KitError
from kit.core.files import read_json
from kit.core.redact import redacted
from kit.core.sums import DamagedFile, remade
from kit.tune.results import TrialResult


def check_trials(trials: Sequence[TrialResult], path: Path, storage: str) -> None:
    """Refuses a database whose trials differ from the list of trials.

    Args:
        trials: trials of the database that have ended; they never change again.
        path: the list that the last search wrote. Trials that are not in the list are not checked.
        storage: address of the database.

    Raises:
        KitError: a trial has another score or other settings than in the list.
    """
    try:
        listed = read_json(path)["trials"]
    except FileNotFoundError:
        return
    except DamagedFile:
        remade(path)
        return
    now = {trial["number"]: trial for trial in json.loads(json.dumps(list(trials)))}
    for trial in listed:
        if now.get(trial["number"], trial) != trial:
            raise KitError(
                f"storage={redacted(storage)} is damaged: trial {trial['number']} is not what {path} says; restore it, "
                "or remove it and search again: what was fitted is in the bank"
            )
