"""The child of `tests.helpers.faults`: runs commands, and does to itself what is to be tried."""

import contextlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

# all that commands import: a child then begins at once
import lightgbm  # noqa: F401
import matplotlib.figure  # noqa: F401
import numpy as np
import optuna  # noqa: F401
import sklearn.model_selection  # noqa: F401
import torch  # noqa: F401

import kit
import kit.cli
import kit.ensemble.stack.stack
import kit.evidence.compare
import kit.evidence.ledger
import kit.report.page
import kit.run.execute
import kit.tune.search
from kit.members import Boost, Linear, Perceptron, TextNet  # noqa: F401
from tests.helpers.fault_hook import install

if TYPE_CHECKING:
    from tests.helpers.faults import Fault


def child(folder: str, told: str, commands: list[list[str]], fault: "Fault") -> None:
    """Runs commands one after another, as `python -m kit` would, and writes how each ended into the folder `told`."""
    place = Path(told)
    for old in place.iterdir():
        old.unlink()
    os.chdir(folder)
    os.environ.update(KIT_THREADS="1", KIT_KAGGLE_INPUT="nowhere", KIT_REPORT="no")
    for name in ("KIT_DATA", "KIT_RUNS", "KIT_CACHE"):
        os.environ.pop(name, None)
    sys.path.insert(0, folder)
    err = os.open(place / "err", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(err, 2)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    codes = open(place / "codes", "a", buffering=1)  # noqa: SIM115
    outs = [open(place / f"out{number:02d}", "w", buffering=1) for number in range(len(commands))]  # noqa: SIM115
    given = (fault.kind, fault.at, Path(folder), place / "operations")
    if fault.workers:
        made = kit.run.execute.worker_pool
        kit.run.execute.worker_pool = lambda count: made(count, install, *given, place / "died")  # type: ignore[assignment, misc]
    else:
        install(*given)
    for words, out in zip(commands, outs, strict=True):
        with contextlib.redirect_stdout(out):
            codes.write(f"{_ended(words)}\n")
    sys.stderr.flush()
    os._exit(0)


def _ended(words: list[str]) -> int | str:
    sys.argv = ["kit", *words]
    try:
        predict() if words == ["predict"] else kit.cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return "traceback"
    return 0


def predict() -> None:
    """Predicts the test rows by the models of all folds."""
    from kit.cli import find_recipe
    from kit.core.errors import KitError
    from kit.run.predict import predict as predicted
    from kit.run.run import Run

    recipe: Any = find_recipe("faults")
    table = recipe.load(Path("data/faults"), Path("data/cache"))
    run = Run(recipe, table, Path("runs/faults"))
    try:
        found = predicted(run, None, table.test_rows)
    except KitError as error:
        print(f"kit: {error}", file=sys.stderr)
        sys.exit(2)
    print({name: np.asarray(p).ravel().tolist() for name, p in found.items()})
