"""What it takes to get the same numbers again."""

import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import kit
from kit.folds import plan_digest
from kit.report.facts import Facts
from kit.report.html import Cell, code, paragraph, table
from kit.report.html import facts as listed
from kit.report.pictures import Pictures
from kit.threads import threads

PACKAGES = ("numpy", "pandas", "scipy", "scikit-learn", "lightgbm", "torch", "transformers", "timm", "optuna")


def command(facts: Facts) -> str:
    """The make line that asks for this run, presets spelled out; empty where it was opened in code."""
    brief = facts.brief
    if brief is None:
        return ""
    module = brief.recipe.partition(":")[0].split(".")
    comp = module[1] if module[0] == "competitions" else facts.task.name
    words = [f"make cv comp={comp}"]
    if len(facts.names) < len(facts.run.recipe.members):
        words.append(f'only="{" ".join(facts.names)}"')
    if brief.settings:
        words.append("set=" + shlex.quote(" ".join(brief.settings)))
    if brief.sample is not None:
        words.append(f"sample={brief.sample}")
    return " ".join([*words, f"threads={brief.threads}"])


def body(facts: Facts, pictures: Pictures) -> str:
    """The command, digests of rows and folds, versions, and the key of each member's folder."""
    run, table_ = facts.run, facts.run.table
    line = command(facts)
    said = "" if line else paragraph("The run was opened in code; these settings differ from the recipe's own:")
    if not line:
        changed = type(run.recipe)().diff(run.recipe)
        line = "\n".join(f"{name}={value}" for name, (_, value) in changed.items()) or "(none)"
    pairs = [
        ("rows", f"{len(table_.train):,} train, {len(table_.test):,} test"),
        ("digest of the rows", table_.digest[:16]),
        ("digest of the fold plan", plan_digest(run.plan)[:16]),
        ("folds", f"{len(run.folds)}, {type(run.recipe.folds).__name__}"),
        ("kit", kit.__version__),
        ("Python", f"{sys.version.split()[0]}, {platform.system()} {platform.machine()}"),
        ("threads", str(facts.brief.threads if facts.brief else threads())),
        *((name, found) for name in PACKAGES if (found := _version(name))),
    ]
    rows: list[list[Cell]] = [[name, run.shelf(name).folder.name, len(facts.folds[name])] for name in facts.names]
    keys = table(["member", "folder", "finished folds"], rows, "A folder's key holds settings, rows and folds.")
    note = paragraph("On a CPU the numbers depend on the number of threads; the executor does not matter.", "faint")
    return said + code(line) + listed(pairs) + keys + note


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def made_by(root: Path) -> str:
    """The page's last line."""
    return f"Made by kit {kit.__version__} from {root.name}/; PNG files of the pictures lie in plots/."
