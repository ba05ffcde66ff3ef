"""How to reproduce the run: command, digests, versions."""

import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kit import __version__
from kit.core.redact import redacted
from kit.folds import plan_digest
from kit.report.data import ReportData
from kit.report.html import Cell, code, definitions, paragraph, table
from kit.report.plots import Figures

PACKAGES = ("numpy", "pandas", "scipy", "scikit-learn", "lightgbm", "torch", "transformers", "timm", "optuna")


def command(data: ReportData) -> str:
    """The make command of this run, with the settings of its preset; empty if the run was opened in code."""
    opened = data.run.opened
    if opened is None:
        return ""
    module = opened.recipe.partition(":")[0].split(".")
    comp = module[1] if module[0] == "competitions" else data.task.name
    words = [f"make cv comp={comp}"]
    if len(data.names) < len(data.run.recipe.members):
        words.append(f'only="{" ".join(data.names)}"')
    if opened.settings:
        words.append("set=" + shlex.quote(" ".join(opened.settings)))
    if opened.sample is not None:
        words.append(f"sample={opened.sample}")
    return redacted(" ".join([*words, f"threads={opened.threads}"]))


def body(data: ReportData, figures: Figures) -> str:
    """The command, digests of rows and folds, versions, and the key of each member's folder."""
    run, table_ = data.run, data.run.table
    line = command(data)
    note = "" if line else paragraph("The run was opened in code; these settings differ from the recipe's own:")
    if not line:
        changed = type(run.recipe)().diff(run.recipe)
        line = "\n".join(f"{name}={value}" for name, (_, value) in changed.items()) or "(none)"
    pairs = [
        ("rows", f"{len(table_.train):,} train, {len(table_.test):,} test"),
        ("digest of the rows", table_.digest[:16]),
        ("digest of the fold plan", plan_digest(run.plan)[:16]),
        ("folds", f"{len(run.folds)}, {type(run.recipe.folds).__name__}"),
        ("kit", __version__),
        ("Python", f"{sys.version.split()[0]}, {platform.system()} {platform.machine()}"),
        ("threads", str(run.threads)),
        *((name, found) for name in PACKAGES if (found := _version(name))),
    ]
    rows: list[list[Cell]] = [[name, run.store(name).folder.name, len(data.folds[name])] for name in data.names]
    keys = table(["member", "folder", "finished folds"], rows, "A folder's key holds settings, rows and folds.")
    threads_note = paragraph("On a CPU the numbers depend on the number of threads, not on the executor.", "faint")
    return note + code(line) + definitions(pairs) + keys + threads_note


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def made_by(root: Path) -> str:
    """The page's last line."""
    return f"Made by kit {__version__} from {root.name}/; PNG files of the pictures lie in plots/."
