"""The kind of target of out-of-fold predictions: labels, classes or values."""

from typing import Literal

import numpy as np

from kit.core.errors import KitError
from kit.ensemble.oof import OutOfFold

TargetKind = Literal["labels", "classes", "values"]


def target_kind(oof: OutOfFold) -> TargetKind:
    """`classes` if predictions have a column for each class; `labels` if labels are between 0 and 1; else `values`.

    Raises:
        KitError: labels and predictions have different columns, or a label is a class without predictions.
    """
    y, outputs = oof.y, oof.outputs
    if oof.classes:
        if (bad := (y != np.floor(y)) | (y < 0) | (y >= outputs)).any():
            raise KitError(f"blend: labels must be class indices 0 to {outputs - 1}; found {y[bad][0]:g}")
        return "classes"
    if y.shape[1] != outputs:
        raise KitError(f"blend: labels have {y.shape[1]} columns, but predictions have {outputs}")
    return "values" if oof.metric.needs == "value" or np.nanmin(y) < 0 or np.nanmax(y) > 1 else "labels"
