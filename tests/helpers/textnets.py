"""Small settings for networks of text, and texts in which the order of words tells the label."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from kit.metrics import roc_auc
from kit.rows import Rows
from kit.source import Source
from kit.task import Task
from kit.train import Stage

TASK = Task(name="t", kind="binary", targets=("y",), text=("text",), inputs=("text", "size"), metric=roc_auc)
STAGE = Stage(epochs=6, lr=1e-2, precision="fp32")


SMALL: dict[str, Any] = {
    "width": 16, "min_count": 1, "batch_rows": 16, "batch_tokens": 512, "stage": STAGE, "word_dropout": 0.0
}  # fmt: skip


def rows_of(n: int = 160, seed: int = 0, folder: Path | None = None) -> Rows:
    """Rows are positive where 'cat' comes before 'dog', or, seldom, are large: order matters, words do not."""
    rng, texts = np.random.default_rng(seed), []
    y = rng.integers(0, 2, n)
    for positive in y:
        words = [str(w) for w in rng.choice(list("abcdefgh"), rng.integers(4, 24))]
        first, second = sorted(rng.choice(len(words), 2, replace=False))
        words[first], words[second] = ("cat", "dog") if positive else ("dog", "cat")
        words[int(rng.integers(len(words)))] += "."
        texts.append(" ".join(words))
    frame = pd.DataFrame({"text": texts, "size": y + rng.normal(0, 2, n)})
    return Rows(TASK, Source(frame, folder), np.arange(n), y[:, None].astype(float))


def auc(fitted: Any, rows: Rows) -> float:
    return float(roc_auc_score(rows.labels[:, 0], fitted.predict(rows)[:, 0]))
