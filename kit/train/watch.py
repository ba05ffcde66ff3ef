"""Who hears how a training goes while it goes: the scores of judged epochs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Heard = Callable[[int, float], None]

_listener: ContextVar[Heard | None] = ContextVar("listener", default=None)


class Halt(BaseException):
    """Raised by a listener, ends the training. No Exception, so nothing on its way takes it for a fault."""


@contextmanager
def listening(heard: Heard) -> Iterator[None]:
    """Within the block `heard` is told each judged epoch, counted from 1, with its score, higher is better.

    It may raise Halt. It cannot change what is trained.
    """
    token = _listener.set(heard)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(epoch: int, score: float) -> None:
    """Says that an epoch was judged."""
    if (heard := _listener.get()) is not None:
        heard(epoch, score)
