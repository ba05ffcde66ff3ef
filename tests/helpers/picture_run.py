"""A small run of a competition of pictures: pictures that occur twice, labels that are wrong, and two kinds of member."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from kit import Boost, KFold, PictureStatistics, Recipe, Task, Views, log_loss
from kit.augment import ImageAugment
from kit.ensemble import Blend, Mean
from kit.folds import Folds
from kit.run.run import Run
from kit.table import Table
from kit.tta import Flips
from tests.helpers.pictures import QUICK, tiny

TASK = Task(
    name="pets", kind="binary", id="id", images="image", targets="kind", classes=("cat", "<b>dog"), metric=log_loss
)
WRONG = (7, 20)  # train rows whose label is wrong
TWINS = (3, 4)  # train rows with the same picture, but other labels
SEEN = 10  # a train row whose picture the first test row has as well


class Pets(Recipe):
    """Is the picture dark or bright?"""

    task = TASK
    folds: Folds = KFold(n=2)
    stats: Boost = Boost(trees=12, num_leaves=4, min_leaf=2, features=(PictureStatistics(size=16, cells=2),))
    net: Views = Views(
        member=tiny(stage=QUICK.model_copy(update={"augment": ImageAugment(), "augmented": 0.6})), views=(Flips(),)
    )
    blend: Blend = Mean()


def photo(seed: int, bright: bool) -> bytes:
    """Smooth random colours, dark or bright."""
    low, high = (110, 255) if bright else (0, 145)
    small = np.random.default_rng(seed).integers(low, high, (6, 6, 3), dtype=np.uint8)
    picture = Image.fromarray(small).resize((72, 54), Image.Resampling.BICUBIC)
    picture.save(file := io.BytesIO(), "JPEG", quality=90)
    return file.getvalue()


def pets(root: Path, n: int = 40, tests: int = 8, cache: Path | None = None) -> Run:
    """The run, nothing fitted; the last test picture cannot be read."""
    bright = np.arange(n + tests) % 2 == 1
    cells = [photo(i, bool(b)) for i, b in enumerate(bright)]
    cells[TWINS[1]] = cells[TWINS[0]]
    cells[n], cells[-1] = cells[SEEN], b"<html>"
    label = bright[:n].copy()
    label[[*WRONG]] ^= True
    frame = pd.DataFrame({"id": [f"p{i:02d}" for i in range(n + tests)], "image": pd.Series(cells, dtype=object)})
    train = frame[:n].assign(kind=np.array(TASK.classes)[label.astype(int)])
    return Run(Pets(), Table(TASK, train, frame[n:].reset_index(drop=True), None, cache), root)
