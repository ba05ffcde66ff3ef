"""Predictions on a CPU with a batch for each thread.

Threads that share a batch wait for each other after each operation of the network, and longest where other programs
need the cores too. Threads with a batch of their own do not wait.
"""

import contextlib
import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

import torch
from torch import nn

from kit.train.device import device_of

MOST = 16  # batches at once; with more cores, each batch has several
ENOUGH = 10**8  # multiplications in a batch: for fewer, Python's own work, which runs on one core, counts too much
G = TypeVar("G")
R = TypeVar("R")


@contextlib.contextmanager
def threads_each(count: int) -> Iterator[None]:
    """Context in which an operation of torch or numpy runs on `count` threads, whichever thread calls it."""
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(count):
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def side_by_side(nets: Sequence[Any], predict: Callable[[Any, G], R], given: Iterable[G]) -> Iterator[R]:
    """`predict(net, one)` for each of `given`, in order; as many at once as there are networks.

    Call it in `threads_each`. Contexts of torch that belong to a thread, such as autocast, are entered in `predict`.

    Args:
        nets: one for each thread, see `copies`.
        predict: called in another thread; no two calls have the same network at the same time.
        given: read in the calling thread, a few ahead of what is computed.
    """
    free: SimpleQueue[Any] = SimpleQueue()
    for net in nets:
        free.put(net)

    def one(given: G) -> R:
        net = free.get()
        try:
            return predict(net, given)
        finally:
            free.put(net)

    waiting: deque[Future[R]] = deque()
    begin = (torch.set_num_threads, (torch.get_num_threads(),))  # OpenMP has a number for each thread that calls it
    with ThreadPoolExecutor(len(nets), "batch", *begin) as pool:
        try:
            for item in given:
                waiting.append(pool.submit(one, item))
                if len(waiting) == 2 * len(nets):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def copies(net: nn.Module, count: int) -> list[Any]:
    """The network and copies that share its weights, `count` in all; only the network if it cannot be copied.

    Copies, because a module may keep something of its own between two lines of `forward`.
    """
    tensors = {id(tensor): tensor for tensor in (*net.parameters(), *net.buffers())}
    try:
        return [net, *(copy.deepcopy(net, dict(tensors)) for _ in range(count - 1))]
    except Exception:  # a user's module may hold anything
        return [net]


def batches_at_once(net: nn.Module, tokens: int) -> int:
    """How many batches of some tokens to compute side by side; 1: all threads should share each batch."""
    able = device_of(net).type == "cpu" and getattr(net, "_compiled_call_impl", None) is None
    return min(MOST, torch.get_num_threads()) if able and products(net) * tokens >= ENOUGH else 1


def products(net: nn.Module) -> int:
    """Number of weights that each token is multiplied with, about: all but those of embeddings."""
    looked_up = {id(weight) for m in net.modules() if isinstance(m, nn.Embedding) for weight in m.parameters()}
    return sum(weight.numel() for weight in net.parameters() if id(weight) not in looked_up)
