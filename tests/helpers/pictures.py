"""Rows of pictures whose bars tell the label, and a member with a tiny network of random weights."""

import io
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from kit.members import ImageEncoder
from kit.metrics import log_loss, mean_roc_auc, rmse, roc_auc
from kit.rows import Rows
from kit.task import Task
from kit.testing import sample_rows
from kit.train import Stage

QUICK = Stage(epochs=2, lr=1e-3, head_lr=1e-2, precision="fp32")
TASKS = {
    "binary": Task(name="b", kind="binary", targets=("y",), images=("i",), metric=roc_auc),
    "multilabel": Task(name="m", kind="multilabel", targets=("a", "b", "c"), images=("i",), metric=mean_roc_auc),
    "multiclass": Task(
        name="c", kind="multiclass", targets=("y",), images=("i",), classes=("u", "v", "w"), metric=log_loss
    ),
    "regression": Task(name="r", kind="regression", targets=("y",), images=("i",), metric=rmse),
    "all": Task(
        name="a", kind="binary", targets=("y",), text=("t",), images=("i",), inputs=("t", "i", "x"), metric=roc_auc
    ),
}


def picture_rows(kind: str = "binary", n: int = 32) -> Rows:
    return sample_rows(TASKS[kind], n)


def png(pixels: np.ndarray) -> bytes:
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def noise(seed: int, height: int = 40, width: int = 40) -> np.ndarray:
    """A picture of random coarse blocks, (height, width, 3) uint8."""
    blocks = np.random.default_rng(seed).integers(0, 256, (-(-height // 4), -(-width // 4), 3), dtype=np.uint8)
    return blocks.repeat(4, 0).repeat(4, 1)[:height, :width]


def rows_of(cells: list[Any], y: Any = None) -> Rows:
    """Rows with these cells of pictures."""
    labels = np.arange(len(cells)) % 2 if y is None else y
    frame = pd.DataFrame({"i": pd.Series(cells, dtype=object)})
    return Rows.of(TASKS["binary"].model_copy(update={"inputs": ("i",)}), frame, labels)


def tiny(network: str = "test_resnet", **settings: Any) -> ImageEncoder:
    """A member that is fitted in less than a second."""
    given = {"weights": network, "pretrained": False, "size": 32, "stage": QUICK, "batch_rows": 8}
    return ImageEncoder(**given | settings)
