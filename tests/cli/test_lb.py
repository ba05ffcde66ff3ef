"""`kit lb add=`: the submission that lies there is entered, whatever it was blended with."""

from kit.core.files import read_json
from tests.helpers.house import House


def test_a_score_is_entered_for_the_submission_that_lies_there(house: House) -> None:
    assert house.kit("cv", "comp=small", "preset=tiny", "only=boost", "set=folds.n=3").returncode == 0
    nested = read_json(house.runs / "blend" / "report.json")["summary"]["nested"]
    added = house.kit("lb", "comp=small", "add=0.81", "note=first")
    assert added.returncode == 0, added.stderr
    said = "entered: the submission in runs/small, which was blended with folds.n=3 (4 here), boost.trees=3 (8 here)"
    assert said in added.stdout
    (entry,) = read_json(house.runs / "ledger.json")["entries"]
    assert entry["cv"] == nested and entry["note"] == "first" and entry["submission"]
    with_its_settings = house.kit("lb", "comp=small", "add=0.82", "preset=tiny", "set=folds.n=3")
    assert with_its_settings.returncode == 0 and "entered: " not in with_its_settings.stdout
    assert len(read_json(house.runs / "ledger.json")["entries"]) == 2
