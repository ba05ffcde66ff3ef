"""Pictures that occur twice or nearly so: found, kept in one fold, told."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from kit import KFold, Recipe, Task, log_loss
from kit.images import PictureFiles
from kit.images.duplicates import near_duplicates
from kit.images.facts import facts_of
from kit.run.duplicates import linked_groups
from kit.run.run import Run
from kit.table import Table

pytest.importorskip("imagehash")
TASK = Task(name="p", kind="binary", id="id", images=("image",), targets=("label",), metric=log_loss)


def photo(seed: int) -> Image.Image:
    """Smooth random colours, as photos have them."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((96, 72), Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    image.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


def test_scaled_saved_again_and_brightened_pictures_are_alike_and_others_are_not() -> None:
    first = photo(0)
    same = [first, first.resize((60, 45)), ImageEnhance.Brightness(first).enhance(1.05), first]
    cells = [saved(same[0]), saved(same[1]), saved(same[2], "JPEG", quality=40), saved(same[3])]
    cells += [saved(photo(seed)) for seed in range(1, 120)]
    cells += [saved(Image.new("RGB", (20, 20), colour)) for colour in ("red", "blue")]  # hashes without any sign
    found = near_duplicates(PictureFiles(), pd.DataFrame({"image": cells}), ["image"])
    assert {*map(tuple, found.pairs.tolist())} >= {(0, 1), (0, 2), (0, 3)} and found.pairs.max() < 4
    assert found.bits[found.pairs.tolist().index([0, 3])] == 0
    assert len(np.unique(found.groups)) == len(cells) - 3 and len(np.unique(found.groups[:4])) == 1


def test_few_pictures_have_no_duplicates() -> None:
    for cells in ([], [saved(photo(0))], [saved(photo(0)), saved(photo(1))], [b"none", b"none"]):  # or are no pictures
        found = near_duplicates(PictureFiles(), pd.DataFrame({"image": cells}), ["image"])
        assert found.pairs.shape == (0, 2) and found.groups.tolist() == list(range(len(cells)))


def test_pairs_are_those_of_a_naive_comparison() -> None:
    rng = np.random.default_rng(0)
    noisy = [
        np.asarray(photo(seed % 10), dtype=float) + rng.normal(0, 6 * (seed // 10), (72, 96, 1)) for seed in range(50)
    ]
    cells = [saved(Image.fromarray(pixels.clip(0, 255).astype(np.uint8))) for pixels in noisy]
    facts = [facts_of(cell) for cell in cells]
    bits = np.array([[bin(int(a.hash, 16) ^ int(b.hash, 16)).count("1") for b in facts] for a in facts])
    naive = {(i, j) for i in range(50) for j in range(i + 1, 50) if bits[i, j] <= 4}
    found = near_duplicates(PictureFiles(), pd.DataFrame({"image": cells}), ["image"])
    assert {*map(tuple, found.pairs.tolist())} == naive and 20 < len(naive) < 500
    assert [bits[i, j] for i, j in found.pairs] == found.bits.tolist()


def test_they_stay_in_one_fold_and_are_noted(tmp_path: Path) -> None:
    cells = [saved(photo(seed)) for seed in range(12)]
    cells[7], cells[11] = cells[2], saved(photo(2), "JPEG", quality=60)
    train = pd.DataFrame({"id": [str(i) for i in range(12)], "image": cells, "label": [0, 1] * 6})
    test = pd.DataFrame({"id": ["20", "21"], "image": [saved(photo(30)), cells[5]]})
    table = Table(TASK, train, test)
    assert [note for note in table.notes if "nearly so" in note] == [
        "train.csv: 3 pictures are there more than once, or nearly so, and stay in one fold: 'row 2' and 'row 7'",
        "test.csv: 1 picture is in train.csv as well, or nearly so: 'row 5' and 'row 13'",
    ]

    class Mine(Recipe):
        task = TASK
        folds = KFold(n=4)

    run = Run(Mine(), table, tmp_path)
    assert len(set(run.plan[[2, 7, 11]])) == 1 and len(np.unique(run.plan)) == 4
    assert run.clusters is not None and len(np.unique(run.clusters)) == 10


def test_groups_are_linked_through_either_rule() -> None:
    a, b = np.array([0, 0, 1, 2, 3]), np.array([5, 6, 6, 7, 7])
    assert linked_groups(a, b).tolist() == [0, 0, 0, 1, 1]
    assert linked_groups(a[:0], b[:0]).tolist() == []
