"""All pictures of a column in one array: where they lie, how they become of one size, what is kept."""

import io
import pickle
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kit import Linear, PictureStatistics
from kit.core.errors import KitError
from kit.guess import guess_images
from kit.images import PictureFiles, Resize, StreamedPixels, pictures
from kit.metrics import log_loss
from kit.rows import Rows
from kit.schema.pictures import picture_cell
from kit.source import Source
from kit.table import Table, read_table
from kit.tables.columns import Columns
from kit.task import Task

TASK = Task(name="p", kind="binary", id="id", images=("image",), targets=("label",), metric=log_loss)


def png(seed: int, width: int = 20, height: int = 10) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def array(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Rows 1-4 of train in train.zip, 1 and 2 of test as files; names are equal in both."""
    data = tmp_path / "data"
    (data / "test").mkdir(parents=True)
    with zipfile.ZipFile(data / "train.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(1, 5):
            archive.writestr(f"train/{i}.png", png(i))
    for i in range(1, 3):
        (data / f"test/{i}.png").write_bytes(png(10 + i))
    (data / "train.csv").write_text("id,label\n" + "".join(f"{i},{i % 2}\n" for i in range(1, 5)))
    (data / "test.csv").write_text("id\n1\n2\n")
    return data


def read(folder: Path, cache: Path | None = None) -> Table:
    return read_table(TASK, folder / "train.csv", folder / "test.csv", None, cache)


def test_names_without_ending_are_found_in_zip_and_folder_of_their_own_part(folder: Path) -> None:
    table = read(folder)
    assert table.train["image"].tolist() == [f"train/{i}.png" for i in range(1, 5)]
    assert table.test["image"].tolist() == ["test/1.png", "test/2.png"]
    found = pictures(table.source, "image", Resize(size=10, mode="squash"))
    assert found.ok.all() and found.start.tolist() == list(range(7)) and found.pixels.shape == (6, 10, 10, 3)
    for at, seed in enumerate((1, 2, 3, 4, 11, 12)):
        naive = Image.open(io.BytesIO(png(seed))).resize((10, 10), Image.Resampling.BICUBIC)
        assert np.array_equal(found.pixels[at], np.asarray(naive))


def test_the_array_is_made_once_and_shared(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pictures(read(folder, tmp_path / "cache").source, "image", Resize(size=8))
    monkeypatch.setattr(PictureFiles, "read", lambda *_: pytest.fail("a picture was read again"))
    monkeypatch.setattr(PictureFiles, "digest", lambda *_: "")
    source = read(folder, tmp_path / "cache").source
    monkeypatch.undo()
    again = pictures(source, "image", Resize(size=8))
    assert np.array_equal(first.pixels, again.pixels) and isinstance(again.pixels, np.memmap)
    assert pictures(source, "image", Resize(size=8, mode="fit")).pixels.shape == (6, 8, 8, 3)


def test_a_changed_picture_is_another_competition(folder: Path) -> None:
    before = read(folder)
    assert read(folder).digest == before.digest and read(folder).source.digest == before.source.digest
    (folder / "test/2.png").write_bytes(png(99))
    assert read(folder).digest != before.digest and read(folder).source.digest != before.source.digest


def test_modes_keep_what_they_say() -> None:
    wide = Image.fromarray(np.repeat(np.arange(40, dtype=np.uint8)[None, :, None] * 6, 20, 0).repeat(3, 2))
    crop, squash, fit = (Resize(size=20, mode=m).apply(wide) for m in ("crop", "squash", "fit"))  # type: ignore[arg-type]
    assert np.array_equal(crop, np.asarray(wide)[:, 10:30])  # not scaled: the middle
    assert np.array_equal(squash, np.asarray(wide.resize((20, 20), Image.Resampling.BICUBIC)))
    assert (fit[:5] == 128).all() and (fit[15:] == 128).all() and (fit[5:15] != 128).any(axis=2).mean() > 0.9


def test_several_pictures_a_row_bytes_paths_and_gaps(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    frame = pd.DataFrame({"image": [[png(2), png(3)], tmp_path / "a.png", None, str(tmp_path / "a.png"), b"no"]})
    rows = Rows.of(TASK.model_copy(update={"inputs": ("image",)}), frame)
    found = pictures(rows.source, "image", Resize(size=5, mode="squash"))
    assert found.start.tolist() == [0, 2, 3, 4, 5, 6] and found.ok.tolist() == [True, True, True, False, True, False]
    assert np.array_equal(found.pixels[2], found.pixels[4]) and not found.pixels[3].any()
    assert found.of(np.array([3, 0])).tolist() == [4, 0, 1]
    assert picture_cell({"bytes": b"x", "path": "y"}) == b"x" and picture_cell({"bytes": None, "path": "y"}) == "y"
    with pytest.raises(KitError, match="holds names or bytes, not True"):
        picture_cell(True)


def test_files_pickle_as_their_folder(folder: Path) -> None:
    files = PictureFiles(folder)
    assert len(files.index) == 6
    again = pickle.loads(pickle.dumps(files))
    assert len(pickle.dumps(files)) < 400 and again.read("train/3.png") == png(3)


def test_a_path_does_not_leave_the_folder(folder: Path) -> None:
    (folder.parent / "secret.png").write_bytes(png(5))
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    frame = pd.DataFrame(
        {"image": ["../secret.png", str(folder.parent / "secret.png"), "test/../../secret.png", "link.png"]}
    )
    source = Source(frame, files=PictureFiles(folder))
    assert not pictures(source, "image", Resize(size=4)).ok.any()


def test_a_task_says_what_cannot_be() -> None:
    for changed, words in (
        ({"text": ("image",)}, "holds text or pictures"),
        ({"inputs": ("x",)}, "image column 'image' is not among the inputs"),
        ({"targets": ("image",)}, "is also an input"),
    ):
        with pytest.raises(KitError, match=words):
            Task(**(TASK.model_dump() | {"metric": log_loss} | changed))


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_is_too_large_is_streamed_and_said(
    folder: Path, tmp_path: Path, on_disk: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resize, cache = Resize(size=9, mode="squash"), tmp_path / "cache" if on_disk else None
    kept = pictures(read(folder).source, "image", resize)
    (folder / "test/2.png").write_bytes(b"")
    source = read(folder, cache).source
    free = SimpleNamespace(free=9 * 9 * 3 * 6 * 2)  # the array and its blocks would leave nothing
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: free)
        patch.setattr("os.sysconf", lambda _: 38)  # bytes of a page, and pages: less than twice the array
        found = pictures(source, "image", resize)
    assert "kit: 6 pictures of 9 pixels would take 0.0 GB" in capsys.readouterr().err
    assert isinstance(found.pixels, StreamedPixels) and not list(tmp_path.glob("cache/*/pictures-*"))
    assert found.ok.tolist() == [True] * 5 + [False] and found.start.tolist() == kept.start.tolist()
    pixels = pickle.loads(pickle.dumps(found.pixels))
    whole = np.array(kept.pixels)
    whole[5] = 0
    parts = ((3, slice(2, 5)), (slice(None, 0), slice(3)), (np.array([4, 1]), slice(None), slice(1, 2)))
    for at in (2, slice(1, 6, 2), np.array([5, 0, 0]), np.array([[1, 2]]), np.array([True, False] * 3), *parts):
        assert np.array_equal(pixels[at], whole[at])
    assert pixels.shape == whole.shape and len(pixels) == 6
    assert isinstance(pictures(source, "image", resize).pixels, np.ndarray)  # where there is room, it is kept


def test_a_member_of_pictures_refuses_a_task_without_any() -> None:
    class Looks(Linear):
        @property
        def needs_images(self) -> bool:
            return True

    Looks().check(TASK)
    with pytest.raises(KitError, match="Looks reads pictures, and task 't' names no column of them; set Task.images"):
        Looks().check(Task(name="t", kind="binary", targets=("y",), text=("x",), metric=log_loss))


def test_pictures_are_no_columns_of_tables(folder: Path) -> None:
    rows = read(folder).rows(np.arange(4))
    assert rows.task.tabular(rows.frame.columns) == []
    with pytest.raises(KitError, match="no column to read"):
        Columns.fit(rows)
    figures = PictureStatistics(size=8, cells=2, directions=3).of(rows)
    assert figures.shape == (6, 2 * 2 * (3 + 3)) and np.isfinite(figures).all()
    halves = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    halves[:, 4:] = 255  # one edge, which runs across: all gradients are vertical
    plain = PictureStatistics(size=8, cells=2, directions=2).of_pixels(halves)[0]
    assert plain[:12].tolist() == [0.0] * 6 + [1.0] * 6 and (plain[12::2] == 0).all() and (plain[13::2] > 0.4).all()


def test_a_frame_of_pictures_is_guessed() -> None:
    frame = pd.DataFrame({"photo": ["a.jpg", "b/c.PNG"] * 3, "code": ["png", "jpg"] * 3, "seen": [b"1"] * 6})
    assert guess_images(frame) == ("photo", "seen")
