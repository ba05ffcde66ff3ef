"""Trials as further members: what searches have fitted lies in the bank, and a blend may use the best of it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kit.files import read_json
from kit.member import Member
from kit.run import Run
from kit.spec import KitError, Spec

Say = Callable[[str], None]


def trials_file(root: Path, member: str, study: str) -> Path:
    """Where the trials of a study are listed."""
    return root / "tune" / member / f"trials-{study.rpartition('-')[2]}.json"


def searches(root: Path, member: str) -> list[dict[str, Any]]:
    """What is listed of each search of a member, the one that is judged by most folds first."""
    found = [read_json(path) for path in sorted((root / "tune" / member).glob("trials*.json"))]
    return sorted(found, key=lambda facts: -len(facts["folds"]))


def tuned_members(run: Run, member: str, top: int = 5, say: Say = lambda sentence: None) -> dict[str, Member]:
    """The best finished trials of a member's searches on these rows and folds, best first, as `boost@17`.

    Those judged by more folds come first, for scores on other folds do not compare. The recipe's own settings, which
    are a member already, and settings that were tried twice are left out. Their folds are in the bank:
    `run.gathered("boost@17")` has them once the name is among the recipe's members; of a search with a hold-out they
    are yet to be fitted on all rows.

    Args:
        say: told how many trials are left out because their folders are not here.

    Raises:
        KitError: the member was never tuned in this run folder.
    """
    listed = searches(run.root, member)
    if not listed:
        raise KitError(f"'{member}' was not tuned in {run.root}; make tune comp={run.table.task.name} member={member}")
    found: dict[str, Member] = {}
    used, gone = {run.shelf(member).folder.name}, 0
    for facts in listed:
        seen = Run(run.recipe, run.table, run.root, run.fewer, share) if (share := facts.get("holdout")) else run
        used.add(seen.shelf(member).folder.name)
        sign = -1 if facts["greater_is_better"] else 1
        done = [t for t in facts["trials"] if t["state"] == "complete"]
        for trial in sorted(done, key=lambda t: (sign * t["score"], t["number"])):
            if len(found) == top or trial["shelf"] in used:
                continue
            used.add(trial["shelf"])
            try:
                spec = Spec.revive(read_json(run.root / trial["shelf"] / "spec.json")["member"])
            except OSError:
                gone += 1
                continue
            assert isinstance(spec, Member)
            name = f"{member}@{trial['number']}"
            if name in found:  # two searches may have a trial of this number
                name += f".{facts['study'].rpartition('-')[2]}"
            # the key holds rows and folds too: a trial of others is no member of this run
            if further(seen, {name: spec}).shelf(name).folder.name == trial["shelf"] and spec not in found.values():
                found[name] = spec
    if gone:
        say(f"{gone} {'trial' if gone == 1 else 'trials'} of {member} left out: the folder is not here")
    return found


def with_trials(run: Run, top: int = 5, members: Iterable[str] = (), say: Say = lambda sentence: None) -> Run:
    """The run with the best trials of every tuned member as further members, for `blend` and the leaderboard.

    A trial that was judged on some of the folds is blended once the others are fitted, as any member.

    Args:
        top: trials of each.
        members: those whose trials are meant; all by default.
        say: told what is left out.

    Raises:
        KitError: none of them has a trial on these rows and folds.
    """
    wanted = list(members) or list(run.recipe.members)
    tuned = [name for name in wanted if searches(run.root, name)]
    found = {k: v for name in tuned for k, v in tuned_members(run, name, top, say).items()}
    if not found:
        what = "fitted on these rows and folds" if tuned else f"tuned in {run.root}"
        how = f"make tune comp={run.table.task.name} member=…"
        raise KitError(f"tuned={top}: no trial of {', '.join(tuned or wanted)} was {what}; {how}")
    return further(run, found)


def further(run: Run, members: dict[str, Member]) -> Run:
    """The run whose recipe has these members too."""
    other = run.under(run.recipe.with_members(members))
    other.plan = run.plan
    return other
