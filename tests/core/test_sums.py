"""Checksums of JSON, arrays and folders: whatever is changed in a file is noticed, or changes nothing that it says."""

import json
from pathlib import Path

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.core.files import read_array, read_json, replacing, write_array, write_json
from kit.core.folders import finish_folder, is_whole
from kit.core.sums import DamagedFile, verify

FACTS = {"score": 0.1234, "names": ["a", "ü"], "deep": {"2": None, "10": True}, "key": "sha256"}


def flips(path: Path) -> list[bytes]:
    """The file with one bit changed, for each of its bits; cut after each byte; empty."""
    whole = path.read_bytes()
    flipped = [
        whole[:i] + bytes([whole[i] ^ (1 << bit)]) + whole[i + 1 :] for i in range(len(whole)) for bit in range(8)
    ]
    return [*flipped, *(whole[:i] for i in range(len(whole)))]


def test_json_says_the_same_or_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_json(path, FACTS)
    assert read_json(path) == FACTS and list(json.loads(path.read_text()))[-1] == "sum"
    noticed = 0
    for content in flips(path):
        path.write_bytes(content)
        try:
            assert read_json(path) == FACTS
        except DamagedFile:
            noticed += 1
    assert noticed > 8 * len(json.dumps(FACTS))  # every bit that says something


def test_an_array_is_the_same_or_is_damaged(tmp_path: Path) -> None:
    path, array = tmp_path / "array.npy", np.arange(12.0).reshape(4, 3)
    write_array(path, array)
    np.testing.assert_array_equal(np.load(path), array)  # any program that knows numpy's files reads it
    np.testing.assert_array_equal(read_array(path, mmap_mode="r"), array)
    for content in flips(path):
        path.write_bytes(content)
        try:
            np.testing.assert_array_equal(read_array(path), array)
        except DamagedFile as error:
            assert str(path) in str(error)


def test_files_of_an_older_kit_and_edited_ones_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "old.npy", np.ones(3))
    assert not verify(tmp_path / "old.npy") and read_array(tmp_path / "old.npy").sum() == 3
    path = tmp_path / "facts.json"
    write_json(path, FACTS)
    lines = path.read_text().splitlines()
    path.write_text(path.read_text().replace("0.1234", "0.9"))
    with pytest.raises(KitError) as error:
        read_json(path)
    said = f'{path} is damaged: its checksum does not hold; restore it or remove it (if you have edited it, take its "sum" out)'
    assert str(error.value) == said
    edited = [line.replace("0.1234", "0.9") for line in lines if '"sum"' not in line]
    path.write_text("\n".join(edited).replace("0.9,", "0.9"))
    assert read_json(path) == FACTS | {"score": 0.9}


def test_numbers_as_keys_and_odd_numbers_keep_their_sum(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_json(path, {10: 1e-300, 2: float("inf"), 1: [float("nan")]})
    assert list(read_json(path)) == ["1", "2", "10"]  # in the order of the numbers, as they were given
    write_json(path, {})
    assert read_json(path) == {}


def test_a_folder_is_whole_with_all_that_was_in_it(tmp_path: Path) -> None:
    part = tmp_path / "part"
    (part / "model").mkdir(parents=True)
    for name in ("a.txt", "model/b.txt", "last.pt"):
        (part / name).write_text(name)
    finish_folder(part, folder := tmp_path / "done", without=[Path("last.pt")])
    assert not part.exists() and is_whole(folder)
    (folder / "last.pt").unlink()
    assert is_whole(folder) and is_whole(folder, "a.txt", "model/")
    (folder / "model/b.txt").write_text("other")
    assert not is_whole(folder) and not is_whole(folder, "model/") and is_whole(folder, "a.txt")
    assert not is_whole(folder, "c.txt") and not is_whole(tmp_path / "none")
    (folder / "sums.json").write_text("")
    assert not is_whole(folder, "a.txt")


def test_a_file_is_its_old_self_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
