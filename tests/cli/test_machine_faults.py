"""Where kit may not write: one sentence, exit 2, and how to go on."""

import pytest

from tests.helpers.house import House, in_process


@pytest.mark.parametrize("place", ["runs", "data/cache"])
def test_a_place_that_cannot_be_written_is_named(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    (house.folder / place).write_text("a file where a folder is needed")
    words = ["cv", "small", "--only", "boost"] if place == "runs" else ["cv", "toxic", "--only", "nbsvm"]
    assert in_process(house, words, monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kit: cannot") and f" {place}/" in line
    assert line.endswith(f"; what is finished is kept. To go on: kit {' '.join(words)}")
