"""Trials as further members: what a search has fitted lies in the bank, and a blend may use the best of it."""

from collections.abc import Iterable

from kit.files import read_json
from kit.member import Member
from kit.run import Run
from kit.spec import KitError, Spec


def tuned_members(run: Run, member: str, top: int = 5) -> dict[str, Member]:
    """The best finished trials of a member's last search on these rows and folds, best first, as `boost@17`.

    The recipe's own settings, which are a member already, and settings that were tried twice are left out. Their
    folds are in the bank: `run.gathered("boost@17")` has them once the name is among the recipe's members.

    Raises:
        KitError: the member was never tuned in this run folder.
    """
    path = run.root / "tune" / member / "trials.json"
    if not path.exists():
        raise KitError(f"'{member}' was not tuned in {run.root}; make tune comp={run.table.task.name} member={member}")
    facts = read_json(path)
    ranked = sorted(
        (t for t in facts["trials"] if t["state"] == "complete"),
        key=lambda t: (-t["score"] if facts["greater_is_better"] else t["score"], t["number"]),
    )
    found: dict[str, Member] = {}
    used = {run.shelf(member).folder.name}
    for trial in ranked:
        if len(found) == top or trial["shelf"] in used:
            continue
        used.add(trial["shelf"])
        spec = Spec.revive(read_json(run.root / trial["shelf"] / "spec.json")["member"])
        assert isinstance(spec, Member)
        name = f"{member}@{trial['number']}"
        # the key holds rows and folds too: a trial of others is no member of this run
        if further(run, {name: spec}).shelf(name).folder.name == trial["shelf"]:
            found[name] = spec
    return found


def with_trials(run: Run, top: int = 5, members: Iterable[str] = ()) -> Run:
    """The run with the best trials of every tuned member as further members, for `blend` and the leaderboard.

    A trial that was judged on some of the folds is blended once the others are fitted, as any member.

    Args:
        top: trials of each.
        members: those whose trials are meant; all by default.
    """
    wanted = list(members) or list(run.recipe.members)
    names = [name for name in wanted if (run.root / "tune" / name / "trials.json").exists()]
    return further(run, {k: v for name in names for k, v in tuned_members(run, name, top).items()})


def further(run: Run, members: dict[str, Member]) -> Run:
    """The run whose recipe has these members too."""
    other = Run(run.recipe.with_members(members), run.table, run.root, run.fewer)
    other.plan = run.plan
    return other
