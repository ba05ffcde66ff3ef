"""Which members searches have chosen by their score: a blend of them is scored too well on the same rows."""

from pathlib import Path

from kit.core.files import read_json

FILE = "tuned.json"  # in the run folder; searches write it, see `kit.tune.preset`


def chosen_by_score(root: Path) -> set[str]:
    """Digests of the members (`Member.identity`) that searches have chosen by their score on these rows.

    Raises:
        DamagedFile: without the file a blend of chosen members would be taken for an honest one.
    """
    if not (root / FILE).exists():
        return set()
    entries = read_json(root / FILE)
    return {entry["made"] for entry in entries.values() if entry.get("made")}
