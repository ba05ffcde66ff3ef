"""Kaggle's forms of picture competitions: names that carry labels, a folder a class, CSV beside a zip, Parquet."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kit import KitError, LabelledPictures, Recipe, Resize, Task, log_loss
from kit.images import pictures
from kit.table import Table

TASK = Task(name="p", kind="binary", id="id", images="image", targets="label", metric=log_loss)


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def packed(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def placed(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def read(folder: Path, task: Task = TASK, files: object = None) -> Table:
    class Mine(Recipe):
        pass

    Mine.task = task
    if files is not None:
        Mine.files = files  # type: ignore[assignment]
    return Mine().load(folder)


def seen(table: Table) -> list[int]:
    """The seed of each picture, train rows first."""
    found = pictures(table.source, table.task.images[0], Resize(size=6))
    known = {np.asarray(Image.open(io.BytesIO(png(seed)))).tobytes(): seed for seed in range(40)}
    assert found.ok.all()
    return [known[pixels.tobytes()] for pixels in found.pixels]


def test_labels_in_names_of_zip_files_with_their_folder_or_without(tmp_path: Path) -> None:
    names = ["cat.0.jpg", "dog.0.jpg", "cat.10.jpg", "cat.2.jpg"]
    forms = LabelledPictures(label=r"^(cat|dog)\.")
    for way in ("train/", ""):
        folder = tmp_path / f"data{len(way)}"
        packed(folder / "train.zip", {f"{way}{name}": png(i) for i, name in enumerate(names)} | {"train/._x.jpg": b""})
        packed(folder / "test.zip", {f"{way and 'test/'}{i}.jpg": png(i + 10) for i in (10, 1, 2)})
        (folder / "sample_submission.csv").write_text("id,label\n1,0.5\n2,0.5\n10,0.5\n")
        table = read(folder, TASK, forms)
        assert table.train["id"].tolist() == ["cat.0", "cat.2", "cat.10", "dog.0"]  # numbers in their order
        assert table.y[:, 0].tolist() == [0, 0, 0, 1] and table.test["id"].tolist() == ["1", "2", "10"]
        assert seen(table) == [0, 3, 2, 1, 11, 12, 20]
        assert forms.holds(folder) and not LabelledPictures(label="cow").holds(folder)
    with pytest.raises(KitError, match=r"train: 3 pictures have names without the label, dog: cat.0.jpg"):
        read(folder, TASK, LabelledPictures(label="dog"))


def test_a_folder_a_class(tmp_path: Path) -> None:
    placed(
        tmp_path, {f"train/{kind}/{i}.png": png(i + 5 * (kind == "bees")) for kind in ("ants", "bees") for i in (1, 2)}
    )
    placed(tmp_path, {"test/unknown/7.png": png(7), "test/unknown/8.png": png(8)})
    (tmp_path / "sample_submission.csv").write_text("file,label\n7.png,0\n8.png,0\n")
    table = read(tmp_path, TASK, LabelledPictures())
    assert table.task.classes == ("ants", "bees") and table.train["file"].tolist() == [
        "ants/1",
        "ants/2",
        "bees/1",
        "bees/2",
    ]
    assert table.test["file"].tolist() == ["7.png", "8.png"] and seen(table) == [1, 2, 6, 7, 7, 8]
    with pytest.raises(KitError, match=r"holds no pictures in none.zip or none/"):
        read(tmp_path, TASK, LabelledPictures(train="none"))


@pytest.mark.parametrize("ending", ["", ".png"])
@pytest.mark.parametrize("images", ["file", "image"])
def test_ids_of_a_csv_name_pictures_of_a_zip_file(tmp_path: Path, ending: str, images: str) -> None:
    packed(tmp_path / "images.zip", {f"images/{i:04}.png": png(i) for i in range(6)})
    (tmp_path / "train.csv").write_text("file,label\n" + "".join(f"{i:04}{ending},{'ba'[i % 2]}\n" for i in range(4)))
    (tmp_path / "test.csv").write_text("file\n" + "".join(f"{i:04}{ending}\n" for i in (5, 4)))
    (tmp_path / "sample_submission.csv").write_text("file,label\n" + "".join(f"{i:04}{ending},0\n" for i in (5, 4)))
    table = read(tmp_path, Task(**TASK.model_dump() | {"metric": log_loss, "id": "file", "images": images}))
    assert seen(table) == [0, 1, 2, 3, 5, 4] and table.test["file"].tolist() == [f"{i:04}{ending}" for i in (5, 4)]
    assert table.inputs == list(table.task.images) and table.y[:, 0].tolist() == [1, 0, 1, 0]


def test_without_test_csv_the_sample_names_the_pictures(tmp_path: Path) -> None:
    placed(tmp_path / "train", {f"{i}.png": png(i) for i in range(4)})
    packed(tmp_path / "test.zip", {f"{i}.png": png(i + 10) for i in range(3)})
    (tmp_path / "train.csv").write_text("id,label\n" + "".join(f"{i},{i % 2}\n" for i in range(4)))
    (tmp_path / "sample_submission.csv").write_text("id,label\n2,0.5\n0,0.5\n")
    assert seen(read(tmp_path)) == [0, 1, 2, 3, 12, 10]


def test_parquet_with_bytes_and_several_pictures_a_row(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    train = pd.DataFrame({"image": [{"bytes": png(i), "path": f"{i}.png"} for i in range(4)], "label": [0, 1, 0, 1]})
    train["views"] = [[png(i), png(i + 20)] for i in range(4)]
    train.to_parquet(tmp_path / "train.parquet")
    train.drop(columns="label").iloc[:2].to_parquet(tmp_path / "test.parquet")
    table = read(tmp_path, Task(**TASK.model_dump() | {"metric": log_loss, "id": None, "images": ("image", "views")}))
    assert seen(table) == [0, 1, 2, 3, 0, 1]
    views = pictures(table.source, "views", Resize(size=6))
    assert views.start.tolist() == [0, 2, 4, 6, 8, 10, 12] and np.array_equal(views.pixels[10], views.pixels[2])
