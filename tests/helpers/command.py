"""`python -m kit` in a child of one clean process that has the libraries imported: it begins at once, not after seconds."""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

LIBRARIES = [
    "lightgbm", "matplotlib.figure", "numba", "optuna", "pandas", "pydantic", "rich.console", "scipy.stats",
    "sklearn.feature_extraction.text", "sklearn.linear_model", "sklearn.model_selection", "sqlalchemy", "torch", "typer",
]  # fmt: skip


def command(
    folder: Path, words: Sequence[str], environment: dict[str, str], seconds: float = 120
) -> "subprocess.CompletedProcess[str]":
    """How a command ends in a folder and with an environment, and what it prints. kit itself is imported anew."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    with tempfile.TemporaryDirectory() as place:
        said = [os.path.join(place, name) for name in ("out", "err")]
        process = context.Process(target=_child, args=(str(folder), list(words), environment, *said))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(list(words), seconds)
        out, err = (Path(path).read_text(encoding="utf-8") for path in said)
    return subprocess.CompletedProcess(list(words), process.exitcode, out, err)


def _child(folder: str, words: list[str], environment: dict[str, str], out: str, err: str) -> None:
    os.setsid()
    os.chdir(folder)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = (open(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the process that forks ignores it
    installed = [path for path in sys.path if path.startswith((sys.prefix, sys.base_prefix))]
    sys.path[:] = [folder, *environment.get("PYTHONPATH", "").split(os.pathsep), *installed]
    sys.argv = ["kit", *words]
    runpy.run_module("kit", run_name="__main__", alter_sys=True)
