"""Trials as members: the folds of all trials are in the bank, and a blend can use the best ones."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kit.core.errors import KitError
from kit.core.files import read_json
from kit.member import Member
from kit.run.run import Run

Say = Callable[[str], None]


def trials_file(root: Path, member: str, study: str) -> Path:
    """The file that lists the trials of a study."""
    return root / "tune" / member / f"trials-{study.rpartition('-')[2]}.json"


def searches(root: Path, member: str) -> list[dict[str, Any]]:
    """The saved searches of a member, each with its trials; the search with the most folds first."""
    found = [read_json(path) for path in sorted((root / "tune" / member).glob("trials*.json"))]
    return sorted(found, key=lambda search: -len(search["folds"]))


def tuned_members(run: Run, member: str, top: int = 5, say: Say = lambda sentence: None) -> dict[str, Member]:
    """The best finished trials of a member's searches on these rows and folds, best first, as `boost@17`.

    Trials with more folds come first, because scores on different folds cannot be compared. Left out are the recipe's
    own settings, which are a member already, and repeated settings. The folds of a trial are in the bank: they are
    `run.gathered("boost@17")` as soon as the run has a member of this name. After a search with a hold-out, the folds
    must be fitted again, on all rows.

    Args:
        run: recipe, rows and run folder.
        member: name of the member.
        top: largest number of trials.
        say: called with a sentence about trials that are left out because their folders are missing.

    Raises:
        KitError: the member was never tuned in this run folder.
    """
    listed = searches(run.root, member)
    if not listed:
        raise KitError(f"'{member}' was not tuned in {run.root}; make tune comp={run.table.task.name} member={member}")
    found: dict[str, Member] = {}
    used, gone = {run.store(member).folder.name}, 0
    for search in listed:
        seen = run.with_holdout(share) if (share := search.get("holdout")) else run
        used.add(seen.store(member).folder.name)
        sign = -1 if search["greater_is_better"] else 1
        done = [t for t in search["trials"] if t["state"] == "complete"]
        for trial in sorted(done, key=lambda t: (sign * t["score"], t["number"])):
            if len(found) == top or trial["store"] in used:
                continue
            used.add(trial["store"])
            try:
                saved = read_json(run.root / trial["store"] / "spec.json")["member"]
                spec = Member.from_dict(saved, type(run.recipe).__module__)
            except OSError:
                gone += 1
                continue
            name = f"{member}@{trial['number']}"
            if name in found:  # two searches may have a trial of this number
                name += f".{search['study'].rpartition('-')[2]}"
            # the key holds rows and folds too: a trial of others is no member of this run
            if seen.with_members({name: spec}).store(name).folder.name == trial["store"] and spec not in found.values():
                found[name] = spec
    if gone:
        say(f"{gone} {'trial' if gone == 1 else 'trials'} of {member} left out: the folder is not here")
    return found


def with_trials(run: Run, top: int = 5, members: Iterable[str] = (), say: Say = lambda sentence: None) -> Run:
    """The run with the best trials of tuned members as more members, for `blend` and the leaderboard.

    A trial that was scored on some folds only takes part in a blend as soon as its other folds are fitted.

    Args:
        run: recipe, rows and run folder.
        top: largest number of trials of each member.
        members: names of the members; all by default.
        say: called with a sentence about trials that are left out.

    Raises:
        KitError: no member has a trial on these rows and folds.
    """
    names = list(members) or list(run.recipe.members)
    tuned = [name for name in names if searches(run.root, name)]
    found = {k: v for name in tuned for k, v in tuned_members(run, name, top, say).items()}
    if not found:
        what = "fitted on these rows and folds" if tuned else f"tuned in {run.root}"
        how = f"make tune comp={run.table.task.name} member=…"
        raise KitError(f"tuned={top}: no trial of {', '.join(tuned or names)} was {what}; {how}")
    return run.with_members(found)
