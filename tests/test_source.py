"""Source.blocks: killed and gone on with, in several processes, in memory and on disk."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.source import Arrays, Named, Source
from tests.helpers.house import wait_until

FRAME = pd.DataFrame({"x": np.arange(10.0), "w": [*"abcdefghij"]})
EXPECTED = {"twice": FRAME["x"] * 2, "first": [0, 3, 6, 9]}
PROGRAM = """
import os, sys, time, numpy as np, pandas as pd
from pathlib import Path
from kit.source import Source
folder = Path(sys.argv[1])
def compute(frame):
    with open(folder / "calls", "a") as file: file.write(f"{frame['x'].iloc[0]:.0f} {os.getpid()}\\n")
    if frame["x"].iloc[0] >= 6: time.sleep(60)
    return {"twice": frame["x"].to_numpy() * 2}
if __name__ == "__main__":
    frame = pd.DataFrame({"x": np.arange(10.0), "w": [*"abcdefghij"]})
    Source(frame, folder / "cache").blocks("twice", compute, size=3, processes=2)
"""


def double(frame: pd.DataFrame) -> Arrays:
    return {"twice": frame["x"].to_numpy() * 2, "first": frame["x"].to_numpy()[:1]}


def total(blocks: Iterable[Arrays]) -> Named:
    """Goes through the blocks twice, as whoever counts first does."""
    most = max(block["twice"].max() for block in blocks)
    yield "share", np.concatenate([block["twice"] / most for block in blocks])


def refuse(frame: pd.DataFrame) -> Arrays:
    if 6 in frame["x"].to_numpy():
        raise KitError("row 6 is bad")
    return double(frame)


def die(frame: pd.DataFrame) -> Arrays:
    os._exit(1)


def equal(arrays: Arrays) -> bool:
    return set(arrays) == set(EXPECTED) and all(np.array_equal(arrays[k], EXPECTED[k]) for k in EXPECTED)


@pytest.mark.parametrize("on_disk, processes", [(True, 1), (False, 1), (True, 2)])
def test_blocks_are_the_rows_in_order_and_read_only(tmp_path: Path, on_disk: bool, processes: int) -> None:
    source = Source(FRAME, tmp_path if on_disk else None)
    arrays = source.blocks("double", double, size=3, processes=processes)
    assert equal(arrays) and source.blocks("double", refuse) is arrays
    assert isinstance(arrays["twice"], np.memmap) == on_disk
    with pytest.raises(ValueError, match="read-only"):
        arrays["twice"][0] = 1
    assert not list(tmp_path.glob("*/*.blocks"))  # the whole has taken their place


@pytest.mark.parametrize("on_disk", [True, False])
def test_gather_sees_every_block_again_and_again(tmp_path: Path, on_disk: bool) -> None:
    source = Source(FRAME, tmp_path if on_disk else None)
    assert source.blocks("share", double, total, size=4)["share"].tolist() == (FRAME["x"] / 9).tolist()


def test_no_rows_make_empty_arrays() -> None:
    assert Source(FRAME[:0]).blocks("double", double)["twice"].shape == (0,)


def test_after_an_error_only_the_rest_is_computed(tmp_path: Path) -> None:
    calls = []

    def counted(frame: pd.DataFrame) -> Arrays:
        calls.append(int(frame["x"].iloc[0]))
        return double(frame)

    with pytest.raises(KitError, match="row 6 is bad"):
        Source(FRAME, tmp_path).blocks("double", refuse, size=3)
    (blocks,) = tmp_path.glob("*/double.blocks")
    assert sorted(path.name for path in blocks.iterdir()) == ["0-3.npz", "3-6.npz"]
    assert equal(Source(FRAME, tmp_path).blocks("double", counted, size=3))
    assert calls == [6, 9] and not blocks.exists()


def test_other_sizes_and_names_and_rows_find_nothing(tmp_path: Path) -> None:
    with pytest.raises(KitError):
        Source(FRAME, tmp_path).blocks("double", refuse, size=3)
    assert equal(Source(FRAME, tmp_path).blocks("other", double, size=3))
    changed = Source(FRAME.assign(x=FRAME["x"] + 1), tmp_path).blocks("double", double, size=3)
    assert changed["twice"].tolist() == (FRAME["x"] * 2 + 2).tolist()
    assert Source(FRAME, tmp_path).blocks("double", double, size=5)["first"].tolist() == [0, 5]


def test_a_damaged_cache_is_computed_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for cache, name in (("a", "twice.npy"), ("b", "sums.json")):
        whole = Source(FRAME, tmp_path / cache).once("double", double)
        (folder,) = tmp_path.glob(f"{cache}/*/double")
        content = bytearray((folder / name).read_bytes())
        content[-9] ^= 1
        (folder / name).write_bytes(bytes(content))
        again = Source(FRAME, tmp_path / cache).once("double", double)
        assert again["twice"].tolist() == (FRAME["x"] * 2).tolist() and whole.keys() == again.keys()
        assert f"kit: {folder} is damaged; it is made again" in capsys.readouterr().err


def test_a_damaged_block_is_computed_again(tmp_path: Path) -> None:
    calls = []

    def counted(frame: pd.DataFrame) -> Arrays:
        calls.append(int(frame["x"].iloc[0]))
        return double(frame)

    with pytest.raises(KitError, match="row 6 is bad"):
        Source(FRAME, tmp_path).blocks("double", refuse, size=3)
    (block,) = tmp_path.glob("*/double.blocks/3-6.npz")
    content = bytearray(block.read_bytes())
    content[len(content) // 2] ^= 1
    block.write_bytes(bytes(content))
    assert equal(Source(FRAME, tmp_path).blocks("double", counted, size=3)) and calls == [3, 6, 9]


def test_killed_run_leaves_its_blocks_and_no_processes(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen([sys.executable, str(program), str(tmp_path)])
    calls = tmp_path / "calls"
    wait_until(lambda: calls.exists() and calls.read_text().count("\n") == 4)  # two are done, two sleep
    (blocks,) = tmp_path.glob("cache/*/twice.blocks")
    wait_until(lambda: len(list(blocks.glob("*.npz"))) == 2)
    process.kill()
    process.wait()
    workers = {int(line.split()[1]) for line in calls.read_text().splitlines()}
    wait_until(lambda: not any(alive(worker) for worker in workers), seconds=20)
    seen = []

    def compute(frame: pd.DataFrame) -> Arrays:
        seen.append(int(frame["x"].iloc[0]))
        return {"twice": frame["x"].to_numpy() * 2}

    arrays = Source(FRAME, tmp_path / "cache").blocks("twice", compute, size=3)
    assert seen == [6, 9] and arrays["twice"].tolist() == (FRAME["x"] * 2).tolist()


def test_a_script_without_a_main_guard_gets_an_error_and_does_not_wait_for_itself(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    lines = PROGRAM.partition('if __name__ == "__main__":\n')
    program.write_text(lines[0] + "\n".join(line.strip() for line in lines[2].splitlines()))
    ended = subprocess.run(
        [sys.executable, str(program), str(tmp_path)], stderr=subprocess.PIPE, text=True, timeout=300
    )
    assert ended.returncode and "put its work under if __name__ == '__main__':" in ended.stderr
    assert "a worker process died" in ended.stderr.splitlines()[-1]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_process_that_dies_is_reported() -> None:
    with pytest.raises(KitError, match="a worker process died"):
        Source(FRAME).blocks("double", die, size=3, processes=2)
