"""A device of the test's own: tensors that lie elsewhere than on the CPU, and what a GPU refuses is refused.

`Elsewhere` holds its numbers in main memory but says that it lies on torch's meta device, so code that makes a tensor on
the CPU, or forgets to move one, is found without a GPU. Unlike real meta tensors these have values: loops, masks and
losses run as they do anywhere.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map, tree_map_only

PLACE = torch.device("meta")
# a GPU's kernels take these from the CPU: sizes of packed rows, places of an index, the source of a copy
FROM_CPU = (
    "_to_copy", "copy_", "index", "index_put_", "_index_put_impl_", "_pack_padded_sequence",
    "_pack_padded_sequence_backward",
)  # fmt: skip


class Elsewhere(Tensor):
    """A tensor that says that it lies on `PLACE`."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "Elsewhere":
        made = Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            device=PLACE,
        )  # fmt: skip
        made.inner = inner
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Elsewhere({self.inner})"

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with _Device():
            return op(*args, **(kwargs or {}))


class _Device(TorchDispatchMode):
    """Runs every operation on the numbers, and says where the result lies."""

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        given: dict[int, Elsewhere] = {}
        here: list[Tensor] = []

        def seen(value: Tensor) -> Tensor:
            if isinstance(value, Elsewhere):
                given[id(value.inner)] = value
                return value.inner
            here.append(value)
            return value

        outer = args
        args, kwargs = tree_map_only(Tensor, seen, (args, kwargs))
        name = op._schema.name.removeprefix("aten::")
        if (
            given
            and name not in FROM_CPU
            and (mixed := [tuple(value.shape) for value in here if value.ndim and value.numel()])
        ):
            raise RuntimeError(f"{name}: a tensor of shape {mixed[0]} lies on the CPU, others do not")
        place = kwargs.get("device")
        if place is not None:
            kwargs["device"] = torch.device("cpu")
        there = bool(given) if place is None else torch.device(place).type == PLACE.type
        found = op(*args, **kwargs)
        if torch.Tag.inplace_view in op.tags:  # such as transpose_: the shape that is shown changes, too
            with no_dispatch():
                op(*outer)

        def placed(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            if id(value) in given:
                return given[id(value)]
            return Elsewhere(value) if there else value

        if there and name == "_pack_padded_sequence":  # the sizes of its steps stay on the CPU
            return placed(found[0]), found[1]
        return tree_map(placed, found)


@contextlib.contextmanager
def elsewhere() -> Iterator[torch.device]:
    """Context in which `PLACE` is a device with numbers; gives it."""
    generator = torch.Generator

    class OnCPU:
        """A generator for `PLACE`, which has none of its own."""

        def __new__(cls, device: Any = None) -> Any:
            return generator()

    class Autocast(torch.autocast):
        """That of the CPU: `PLACE` has none of its own."""

        def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
            super().__init__("cpu" if device_type == PLACE.type else device_type, *args, **kwargs)

    tensor = torch.tensor

    def made(data: Any, *, device: Any = None, **kwargs: Any) -> Tensor:
        there = device is not None and torch.device(device).type == PLACE.type
        return Elsewhere(tensor(data, **kwargs)) if there else tensor(data, device=device, **kwargs)

    with (
        mock.patch("torch.tensor", made),  # real meta tensors have no numbers
        mock.patch("torch.Generator", OnCPU),
        mock.patch("kit.train.perturb.freelb.torch.Generator", OnCPU),  # which may know torch's own from before
        mock.patch("torch.autocast", Autocast),
        mock.patch("torch.optim.adam._device_dtype_check_for_fused"),  # its kernel runs wherever the numbers are
        _Device(),
    ):
        yield PLACE


def moved(model: nn.Module) -> nn.Module:
    """The model with all that it has on `PLACE`; what is shared stays shared. Within `elsewhere`."""
    parameters: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, weight in list(module._parameters.items()):
            if weight is not None and not isinstance(weight, Elsewhere):
                made = nn.Parameter(Elsewhere(weight.detach()), weight.requires_grad)
                module._parameters[name] = parameters.setdefault(id(weight), made)
        for name, buffer in list(module._buffers.items()):
            if buffer is not None and not isinstance(buffer, Elsewhere):
                module._buffers[name] = Elsewhere(buffer.detach())
    return model
