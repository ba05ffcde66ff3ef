"""Members that searches have chosen by their score: on the same rows, the score of their blend is optimistic."""

from pathlib import Path

from kit.core.files import read_json

FILE = "tuned.json"  # in the run folder; searches write it, see `kit.tune.preset`


def chosen_by_score(root: Path) -> set[str]:
    """Digests of the members (`Member.identity`) that searches have chosen by their score on these rows.

    Raises:
        DamagedFile: the file is damaged; without it, an optimistic score would look like an honest one.
    """
    if not (root / FILE).exists():
        return set()
    entries = read_json(root / FILE)
    return {entry["made"] for entry in entries.values() if entry.get("made")}
