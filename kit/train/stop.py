"""Stopping a training from outside, for example to prune a trial of a search."""

from collections.abc import Callable

ShouldStop = Callable[[int, float], bool]
"""(number of validated epochs, last score, higher is better) → whether training stops now."""


class TrainingStopped(BaseException):
    """`should_stop` ended the training, so there is no model.

    It derives from BaseException, so `except Exception` does not take it for an error.
    """
