"""A competition whose run writes artefacts of every kind, and commands on it that are killed or find the disk full.

Commands run in children of one process that has everything imported, so that hundreds of them can be tried.
"""

import multiprocessing
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.helpers.fault_hook import INPUTS
from tests.helpers.house import write_csvs

RECIPE = '''
"""Members of every kind that leaves something on the disk: text, trees, a network with a checkpoint, parts."""

from kit.ensemble import Stack
from kit.folds import KFold
from kit.members import Boost, Linear, Perceptron, Seeds, TextNet
from kit.members.textnet.nets import TextCNN
from kit.metrics import roc_auc
from kit.recipe import Recipe
from kit.task import Task
from kit.text import Tfidf
from kit.train import Stage

STAGE = Stage(epochs=2, lr=1e-2, precision="fp32")


class Faults(Recipe):
    task = Task(name="faults", kind="binary", targets=("y",), text=("words",), metric=roc_auc)
    folds = KFold(n=3)
    linear = Linear(word=Tfidf(min_df=1), char=None)
    boost = Boost(trees=4, num_leaves=3, min_leaf=5)
    net = TextNet(net=TextCNN(filters=4, widths=(2,)), width=4, min_count=1, stage=STAGE, save_every=0)
    pair = Seeds(member=Perceptron(hidden=(4,), stage=STAGE, save_every=0), n=2)
    blend = Stack()
'''

# What a person may run on it: together they read every artefact.
COMMANDS = (
    ("cv", "faults"),
    ("tune", "faults", "boost", "--trials", "2", "--rescore", "0"),
    ("compare", "faults", "--a", "boost", "--b", "blend", "--seeds", "1"),
    ("lb", "faults", "--add", "0.7", "--note", "first"),
    ("cv", "faults", "--tuned", "1"),
    ("lb", "faults", "--add", "0.8"),
    ("report", "faults"),
)
READING = (
    ("cv", "faults", "--tuned", "1"),
    ("show", "faults"),
    ("lb", "faults"),
    ("compare", "faults", "--a", "boost", "--b", "blend", "--seeds", "1"),
    ("tune", "faults", "boost", "--trials", "2", "--rescore", "0"),
    ("report", "faults"),
    ("predict",),  # not of kit's command line: all models predict the test rows
)


@dataclass
class Fault:
    """What goes wrong while commands run.

    Attributes:
        kind: "count" nothing, operations are only counted; "kill" the process dies instead of operation `at`; "torn" it
            dies in it: the file is there, but empty; "full" from operation `at` on the disk is full; "size" no file
            may grow beyond `at` bytes; "readonly" nothing may be changed.
        at: number of the operation, from 0.
        workers: it goes wrong in the worker processes of a command, each counting its own operations; the first one to
            come so far dies, the others live on.
    """

    kind: str = "count"
    at: int = -1
    workers: bool = False


@dataclass
class Ended:
    """How commands ended in a child.

    Attributes:
        codes: exit code of each that came to an end; "traceback" for a bug.
        out: what they printed.
        err: the same on standard error.
        operations: file operations below the folder, by name.
    """

    codes: list[Any] = field(default_factory=list)
    out: list[str] = field(default_factory=list)
    err: str = ""
    operations: list[str] = field(default_factory=list)
    exit: int | None = 0


def sandbox(folder: Path) -> Path:
    """A folder with the competition and its rows, where nothing was run yet."""
    (folder / "competitions/faults").mkdir(parents=True)
    (folder / "competitions/faults/recipe.py").write_text(RECIPE)
    write_csvs(folder / "data/faults", n=60, n_test=12)
    return folder


def copied(folder: Path, target: Path) -> Path:
    """A copy of a sandbox, times of files included."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)
    return target


def artefacts(folder: Path) -> list[Path]:
    """Every file of a sandbox but its inputs, relative to it; less the locks, which are empty, and Python's caches."""
    found = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    found = [path for path in found if not any(path.is_relative_to(name) for name in INPUTS)]
    return [path for path in found if path.suffix != ".lock" and "__pycache__" not in path.parts]


def results(folder: Path) -> dict[str, bytes]:
    """The numbers of a run, by place: predictions of folds and of the blend, and the submission."""
    top = folder / "runs/faults"
    found = [*top.glob("*/fold?/*.npy"), *top.glob("blend/*.npy"), *top.glob("submission.csv")]
    return {str(p.relative_to(top)): p.read_bytes() for p in found}


def leftovers(folder: Path) -> list[str]:
    """What a finished run should not have."""
    found = [*folder.glob("runs/**/.*.????????"), *folder.glob("data/cache/**/.*.????????"), *folder.rglob("*.part")]
    found += [*folder.glob("runs/*/*/fold?/**/last.pt"), *folder.glob("runs/*/*/fold?/done*")]
    return [str(p.relative_to(folder)) for p in found]


def run(folder: Path, commands: Sequence[Sequence[str]], fault: Fault = Fault(), seconds: float = 300) -> Ended:
    """Runs commands in a child process of a clean one that has all of kit imported."""
    return together(folder, [commands], fault, seconds)[0]


def together(
    folder: Path, commands: Sequence[Sequence[Sequence[str]]], fault: Fault = Fault(), seconds: float = 300
) -> list[Ended]:
    """The same of several children at once, each with commands of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.helpers.faults_child"])
    from tests.helpers.faults_child import child

    places = [folder / "told" / str(number) for number in range(len(commands))]
    processes = []
    for place, own in zip(places, commands, strict=True):
        place.mkdir(parents=True, exist_ok=True)
        args = (str(folder), str(place), list(map(list, own)), fault)
        processes.append(context.Process(target=child, args=args))
        processes[-1].start()
    for process in processes:
        process.join(seconds)
        assert process.exitcode is not None, f"{commands} took more than {seconds} seconds"
    return [told(place, process.exitcode or 0) for place, process in zip(places, processes, strict=True)]


def told(place: Path, code: int) -> Ended:
    """What a child has written of how its commands ended."""
    texts = {path.name: path.read_text(errors="replace") for path in sorted(place.iterdir())}
    codes = [int(c) if c.lstrip("-").isdigit() else c for c in texts.get("codes", "").split()]
    out = [text for name, text in texts.items() if name.startswith("out")]
    return Ended(codes, out, texts.get("err", ""), texts.get("operations", "").splitlines(), code)


def plain(out: str) -> str:
    """What a command printed, less times and dates, which differ from run to run."""
    out = re.sub(r"[\d.]+ (ms|s|min|h)\b( \d+ (s|min)\b)?", "TIME", out)
    return re.sub(r" +", " ", re.sub(r"[─━]+", "─", re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "DATE", out)))
