"""The default loss of each kind of task."""

from kit.losses.base import Loss, check_kind
from kit.losses.cross_entropy import BCE, CrossEntropy
from kit.losses.regression import Squared

DEFAULTS: dict[str, Loss] = {
    "binary": BCE(),
    "multilabel": BCE(),
    "multiclass": CrossEntropy(),
    "regression": Squared(),
}


def default(kind: str) -> Loss:
    """The default loss of a kind of task.

    Raises:
        KitError: there is no such kind of task.
    """
    check_kind(kind)
    return DEFAULTS[kind]
