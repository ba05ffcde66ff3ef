"""Drills: one random fault each, and what is wrong with how kit takes it. Tests try a few, `tests.helpers.soak` many."""

import atexit
import random
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis.strategies import sampled_from

from kit.core.files import read_json
from tests.helpers.changed_files import PACKINGS, check_read, mutated
from tests.helpers.faults import (
    COMMANDS,
    READING,
    Ended,
    Fault,
    artefacts,
    copied,
    leftovers,
    plain,
    results,
    run,
    sandbox,
    together,
)
from tests.helpers.fuzz import SETTINGS, check_setting, quickly

Drill = Callable[[random.Random, Path], tuple[str, str]]  # (rng, scratch folder) → what was tried, what is wrong or ""
HARMS = ("first byte", "middle byte", "last byte", "cut", "emptied")
FIT = (("cv", "faults"),)


@lru_cache(maxsize=1)
def room() -> Path:
    """A folder for the sandboxes that many drills begin from."""
    folder = Path(tempfile.mkdtemp(prefix="kit-faults-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@lru_cache(maxsize=1)
def finished() -> Path:
    """A sandbox where every command was run."""
    folder = sandbox(room() / "finished")
    ended = run(folder, COMMANDS, seconds=600)
    assert not set(ended.codes) - {0} and len(ended.codes) == len(COMMANDS), ended
    return folder


@lru_cache(maxsize=1)
def read() -> tuple[Ended, dict[str, bytes]]:
    """What the commands that only read say of it, and its numbers."""
    folder = copied(finished(), room() / "read")
    return run(folder, READING, seconds=600), results(folder)


@lru_cache(maxsize=1)
def fitted() -> tuple[list[str], dict[str, bytes]]:
    """The file operations of a run from nothing to the submission, and its numbers."""
    folder = sandbox(room() / "fitted")
    ended = run(folder, FIT, seconds=600)
    assert ended.codes == [0], ended
    return ended.operations, results(folder)


def damage(path: Path, how: str) -> bool:
    """Damages a file; False where that leaves it as it was."""
    content = bytearray(path.read_bytes())
    if not content:
        return False
    if how.endswith("byte"):
        content[{"first byte": 0, "middle byte": len(content) // 2, "last byte": -1}[how]] ^= 4
    path.write_bytes(content[: len(content) // 2 if how == "cut" else 0] if how in ("cut", "emptied") else content)
    return True


def bug(ended: Ended, name: str = "") -> str:
    """What is wrong with how commands ended: a bug's traceback, or a refusal that is not one sentence with a name."""
    if "Traceback" in ended.err or set(ended.codes) - {0, 2}:
        return f"exit codes {ended.codes}\n{ended.err}"
    lines = [line for line in ended.err.splitlines() if line.strip()]
    if 2 in ended.codes and not any(line.startswith("kit: ") and name in line for line in lines):
        return f"refused without a sentence about {name}\n{ended.err}"
    return ""


def bits(rng: random.Random, scratch: Path) -> tuple[str, str]:
    """A damaged artefact: the next commands say the same numbers, or refuse it by its name."""
    return damaged(rng.choice(artefacts(finished())), rng.choice(HARMS), scratch)


def damaged(artefact: Path, how: str, scratch: Path) -> tuple[str, str]:
    """Tries one artefact. Of a cache the first folds are removed, so that they are fitted from it again."""
    before, numbers = read()
    folder, tried = copied(finished(), scratch / "damaged"), f"{artefact}, {how}"
    if not damage(folder / artefact, how):
        return tried, ""
    if artefact.parts[0] == "data":
        for fold in folder.glob("runs/faults/*/fold0"):
            shutil.rmtree(fold)
    ended = run(folder, READING)
    owner = re.sub(r"(fold\d).*", r"\1", str(artefact))  # a fold or a cache is named as a whole
    owner = str(artefact.parent) if artefact.parts[0] == "data" else owner
    if wrong := bug(ended, Path(owner).name):
        return tried, wrong
    if results(folder) != numbers:
        differing = [name for name in numbers if results(folder).get(name) != numbers[name]]
        return tried, f"other numbers: {differing}\n{ended.err}"
    for words, code, said, wanted in zip(READING, ended.codes, ended.out, before.out, strict=True):
        if code == 0 and _numbers(said) != _numbers(wanted):
            return tried, f"{' '.join(words)} says another thing\n{said}\n{wanted}\n{ended.err}"
    return tried, ""


def _numbers(said: str) -> list[str]:
    """The numbers that a command prints, times left out; a command that goes on prints more lines, not other numbers."""
    lines = [line for line in plain(said).splitlines() if "TIME" not in line or "│" in line]
    lines = [re.sub(r"│ TIME │", "│", line) for line in lines if not re.match(r"\d+ of \d+ folds", line)]
    return [word for line in lines for word in re.findall(r"\d+\.\d{4,}", line)]


def kills(rng: random.Random, scratch: Path) -> tuple[str, str]:
    """Killed at a file operation, before or within it: the next run ends in the same bytes, and nothing is left over."""
    return killed(rng.randrange(len(fitted()[0])), rng.choice(("kill", "torn")), scratch)


def killed(at: int, kind: str, scratch: Path) -> tuple[str, str]:
    """Tries one operation of a run."""
    operations, numbers = fitted()
    folder, tried = sandbox(_empty(scratch / "killed")), f"{kind} at operation {at}: {operations[at]}"
    if (ended := run(folder, FIT, Fault(kind, at))).exit != 137:
        return tried, f"not killed: {ended}"
    return tried, goes_on(folder, numbers)


def unfinished(rng: random.Random, scratch: Path) -> tuple[str, str]:
    """Killed, and then a file of what was under way is damaged: checkpoint, log, part, block, cache."""
    at, how = rng.randrange(len(fitted()[0])), rng.choice(HARMS)
    folder = sandbox(_empty(scratch / "unfinished"))
    run(folder, FIT, Fault("kill", at))
    found = artefacts(folder)
    under_way = [path for path in found if {".part", ".blocks"} & {parent.suffix for parent in path.parents}]
    if not found:
        return "nothing was written yet", ""
    artefact = rng.choice(under_way or found)
    damage(folder / artefact, how)
    return f"killed at operation {at}, then {artefact}, {how}", goes_on(folder, fitted()[1])


def full(rng: random.Random, scratch: Path) -> tuple[str, str]:
    """The disk is full from some file operation on: one sentence and exit 2; with room again, the same bytes."""
    return filled(Fault("full", rng.randrange(len(fitted()[0]))), scratch)


def small(rng: random.Random, scratch: Path) -> tuple[str, str]:
    """No file may grow beyond some size, so that writes fail in the middle: the same."""
    return filled(Fault("size", int(10 ** rng.uniform(1, 4.5))), scratch)


def filled(fault: Fault, scratch: Path) -> tuple[str, str]:
    """Tries one point at which the disk is full."""
    folder, tried = sandbox(_empty(scratch / "full")), f"{fault.kind} {fault.at}"
    ended = run(folder, FIT, fault)
    if fault.kind == "full" and ended.codes == [0]:
        return tried, "" if fault.at > len(fitted()[0]) * 0.9 else f"nothing failed: {ended}"
    if wrong := bug(ended, "cannot") or ("" if set(ended.codes) <= {0, 2} else f"exit {ended.codes}: {ended.err}"):
        return tried, wrong
    failed = list(folder.glob("runs/faults/*/fold*.part/error.txt"))
    if failed:
        return tried, f"a member was blamed: {failed[0].read_text()}"
    return tried, goes_on(folder, fitted()[1])


SEARCH = (("tune", "faults", "boost", "--trials", "3", "--rescore", "0"),)


@lru_cache(maxsize=1)
def searched() -> tuple[int, list[Any]]:
    """The number of file operations of a search, and its trials."""
    folder = sandbox(room() / "searched")
    ended = run(folder, SEARCH, seconds=600)
    assert ended.codes == [0], ended
    return len(ended.operations), _trials(folder)


def _trials(folder: Path) -> list[Any]:
    (path,) = folder.glob("runs/faults/tune/boost/trials-*.json")
    return [{k: v for k, v in trial.items() if k != "seconds"} for trial in read_json(path)["trials"]]


def search(rng: random.Random, scratch: Path) -> tuple[str, str]:
    """A search whose disk gets full, or that is killed: none of its trials is burnt, the next call ends as it would."""
    operations, trials = searched()
    fault = Fault(rng.choice(("full", "kill")), rng.randrange(operations))
    folder, tried = sandbox(_empty(scratch / "search")), f"{fault.kind} at operation {fault.at} of a search"
    ended = run(folder, SEARCH, fault)
    if fault.kind == "full" and (wrong := bug(ended, "cannot")):
        return tried, wrong
    again = run(folder, SEARCH)
    if again.codes != [0] or "Traceback" in again.err:
        return tried, f"the next search: {again}"
    return tried, "" if (found := _trials(folder)) == trials else f"other trials: {found}\n{trials}"


# two folds, as a process takes seconds to begin
PARALLEL = (("cv", "faults", "--on", "processes:2", "--only", "net", "--folds", "0,1"),)
BROKEN = {  # what goes wrong under on=processes: where, and how
    "a worker is killed": Fault("kill", workers=True),
    "a worker is killed as it writes": Fault("torn", workers=True),
    "the disk is full for the workers": Fault("full", workers=True),
    "the command is killed": Fault("kill"),
}


def workers(rng: random.Random, scratch: Path) -> tuple[str, str]:
    """Folds are fitted by two processes, and one of them, or what began them, meets a fault."""
    what = rng.choice(list(BROKEN))
    return worked(what, rng.randrange(20 if BROKEN[what].workers else 10), scratch)


def worked(what: str, at: int, scratch: Path) -> tuple[str, str]:
    """Tries one fault. A worker that dies costs nothing: its folds are fitted again at once."""
    fault, (_, numbers) = replace(BROKEN[what], at=at), fitted()
    folder, tried = sandbox(_empty(scratch / "workers")), f"{what} at operation {at}"
    ended = run(folder, PARALLEL, fault)
    if fault.kind == "full":
        if wrong := bug(ended, "cannot"):
            return tried, wrong
        if failed := list(folder.glob("runs/faults/*/fold*.part/error.txt")):
            return tried, f"a member was blamed: {failed[0].read_text()}"
    elif fault.workers:
        if not (folder / "told/0/died").exists():
            return tried, f"no worker died: {ended}"
        if ended.codes != [0] or "Traceback" in ended.err:
            return tried, f"the run whose worker died: {ended}"
        found = {name: value for name, value in results(folder).items() if name.startswith("net-")}
        if len(found) < 4 or not found.items() <= numbers.items():
            return tried, f"other numbers than inline: {sorted(found)}\n{ended.err}"
    elif ended.exit != 137:
        return tried, f"not killed: {ended}"
    return tried, goes_on(folder, numbers)


BESIDE = (FIT, PARALLEL, SEARCH, (("report", "faults"),), (("show", "faults"),), (("blend", "faults"),))


def at_once(rng: random.Random, scratch: Path) -> tuple[str, str]:
    """A fit and another command on one run at once: no traceback, and in the end the same bytes and trials."""
    return both(rng.randrange(len(BESIDE)), rng.random() < 0.5, scratch)


def both(beside: int, begun: bool, scratch: Path) -> tuple[str, str]:
    """Tries one command beside a fit, on a fresh run or on one that lacks some folds."""
    other, folder = BESIDE[beside], scratch / "both"
    if begun:
        copied(finished(), folder)
        for fold in folder.glob("runs/faults/*/fold[01]"):
            shutil.rmtree(fold)
    else:
        sandbox(_empty(folder))
    tried = f"cv and {' '.join(other[0])} at once on a {'begun' if begun else 'fresh'} run"
    ended = together(folder, [FIT, other])
    for one in ended:
        # 1: folds were under way in the other command, or none was finished yet
        early = one.codes == [1] and "Traceback" not in one.err and "kit: " in one.err
        if not early and (wrong := bug(one)):
            return tried, wrong
    if other == SEARCH and not begun and (found := _trials(folder)) != searched()[1]:
        return tried, f"other trials: {found}"
    return tried, goes_on(folder, fitted()[1], others=begun or other == SEARCH)


def goes_on(folder: Path, numbers: dict[str, bytes], others: bool = False) -> str:
    """What is wrong with the run that follows; `others`: folds of other settings, as of trials, may be there too."""
    ended = run(folder, FIT)
    if ended.codes != [0] or "Traceback" in ended.err:
        return f"the next run: {ended}"
    found = results(folder)
    if differing := [name for name in numbers if found.get(name) != numbers[name]]:
        return f"other numbers: {differing}"
    if not others and (more := [name for name in found if name not in numbers]):
        return f"more numbers: {more}"
    return f"left over: {left}" if (left := leftovers(folder)) else ""


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def reader(rng: random.Random, scratch: Path) -> tuple[str, str]:
    """2000 changed files are read or refused."""
    place = Path(tempfile.mkdtemp(dir=scratch))

    @hypothesis.seed(rng.getrandbits(32))
    @hypothesis.settings(quickly(2000), derandomize=False)
    @hypothesis.given(name=sampled_from([*PACKINGS]), data=mutated())
    def fuzz(name: str, data: bytes) -> None:
        check_read(place, name, PACKINGS[name](data))

    return "2000 changed files", _problem(fuzz)


def setting(rng: random.Random, scratch: Path) -> tuple[str, str]:
    """2000 settings are taken or refused."""

    @hypothesis.seed(rng.getrandbits(32))
    @hypothesis.settings(quickly(2000), derandomize=False)
    @hypothesis.given(text=SETTINGS)
    def fuzz(text: str) -> None:
        check_setting(text)

    return "2000 settings", _problem(fuzz)


def _problem(fuzz: Callable[[], None]) -> str:
    try:
        fuzz()
    except Exception as error:
        notes = " ".join(getattr(error, "__notes__", []))
        return f"{type(error).__name__}: {str(error)[:500]} {notes[:500]}"
    return ""


DRILLS: dict[str, Drill] = {
    "reader": reader,
    "settings": setting,
    "bits": bits,
    "kills": kills,
    "unfinished": unfinished,
    "full": full,
    "small": small,
    "search": search,
    "workers": workers,
    "together": at_once,
}
