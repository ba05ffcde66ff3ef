"""HookPoint: the place in a model where its inputs are shifted, made noisy or mixed."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Self

import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.train.perturb.ball import real

Transform = Callable[[Tensor], Tensor]


class HookPoint:
    """The output of an embedding module, or a float input of the model. It can be read and transformed until `remove`.

    Attributes:
        mask: (n, length) or (n, sentences, words), True at real tokens; None if the model was called without a mask
            that fits `value`. If the model encodes a text in pieces, each as a row of its own, this is the mask of the
            pieces that hold tokens, (pieces, length).
        wanted: whether forward passes keep the gradient at `value`.
    """

    def __init__(self, model: nn.Module, at: nn.Module | str, mask: str = "attention_mask") -> None:
        """Hooks the model.

        Args:
            model: the model that is called with a batch.
            at: one of its modules, whose output is the point; or the name of a float input. If the model is called
                without that name, its first positional argument is used.
            mask: name of the input that is 1 at real tokens.

        Raises:
            KitError: `at` is not a module of the model; or, when the model is called, there is no such float input.
        """
        if isinstance(at, nn.Module) and not any(at is module for module in model.modules()):
            raise KitError(f"the hook point {type(at).__name__} is not a module of the {type(model).__name__}")
        self.mask: Tensor | None = None
        self.wanted = False
        self._value: Tensor | None = None
        self._input = at if isinstance(at, str) else None
        self._mask_name, self._given_mask, self._training = mask, None, model.training
        self._transforms: list[tuple[Transform, bool]] = []
        self._hooks = [model.register_forward_pre_hook(self._enter, with_kwargs=True)]
        if isinstance(at, nn.Module):
            self._hooks.append(at.register_forward_hook(self._leave))

    @contextlib.contextmanager
    def applied(self, transform: Transform, training_only: bool = False) -> Iterator[None]:
        """Context in which forward passes use `transform(value)`. In nested contexts the outer transform comes first.

        Args:
            transform: (n, …) → the same shape. When it is called, `point.mask` is the mask of this pass.
            training_only: whether passes in eval mode are not transformed.
        """
        entry = (transform, training_only)
        self._transforms.append(entry)
        try:
            yield
        finally:
            self._transforms.remove(entry)

    def shifted(self, delta: Tensor) -> contextlib.AbstractContextManager[None]:
        """Context in which forward passes add `delta`, which has the shape of `value`."""

        def shift(value: Tensor) -> Tensor:
            if value.shape != delta.shape:
                raise KitError(
                    f"a shift of shape {tuple(delta.shape)} does not fit a batch of shape {tuple(value.shape)}: "
                    "with a perturbation, the objective must call the model with the same batch each time"
                )
            return value + delta

        return self.applied(shift)

    @property
    def value(self) -> Tensor:
        """The tensor at this point in the last forward pass, (n, …), after all transforms."""
        if self._value is None:
            raise RuntimeError("there was no forward pass yet, so the hook point has no value")
        return self._value

    @property
    def grad(self) -> Tensor:
        """The gradient at `value` after a backward pass, zero at padding."""
        value = self.value
        if not (value.is_leaf or value.retains_grad) or value.grad is None:
            raise RuntimeError("no gradient was kept at the hook point: set `wanted` before the forward pass")
        return real(value.grad, self.mask)

    def gradient_of(self, scalar: Callable[[], Tensor], delta: Tensor, create_graph: bool = False) -> Tensor:
        """Gradient of `scalar()` with respect to `delta`, in a pass shifted by `delta`; zero at padding.

        The gradients of parameters do not change.

        Args:
            scalar: runs a forward pass and gives a scalar.
            delta: the shift, in the shape of `value`.
            create_graph: whether the gradient can be differentiated itself.
        """
        delta = delta.detach().requires_grad_()
        with self.shifted(delta):
            (gradient,) = torch.autograd.grad(scalar(), delta, create_graph=create_graph)
        return real(gradient, self.mask)

    def remove(self) -> None:
        """Removes the hooks from the model, and the tensors of the last pass."""
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._transforms = [], []
        self._value = self.mask = self._given_mask = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()

    def __getstate__(self) -> dict[str, Any]:
        """The state without tensors: a tensor with a graph cannot be copied, and a copied model had no pass yet."""
        return self.__dict__ | {"_value": None, "mask": None, "_given_mask": None}

    def _enter(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._training, self._given_mask = model.training, kwargs.get(self._mask_name)
        if self._input is None:
            return None
        given = kwargs.get(self._input, args[0] if args else None)
        if not (isinstance(given, Tensor) and given.is_floating_point()):
            raise KitError(f"the model was called without a float input '{self._input}'")
        if self._input in kwargs:
            return args, kwargs | {self._input: self._pass(given)}
        return (self._pass(given), *args[1:]), kwargs

    def _leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> Tensor:
        if not isinstance(output, Tensor):
            raise KitError(f"the hook point {type(module).__name__} gives a {type(output).__name__}, not a tensor")
        return self._pass(output)

    def _pass(self, value: Tensor) -> Tensor:
        mask = self._given_mask
        if mask is not None and mask.ndim == value.ndim == 3:  # texts in pieces
            mask = mask[mask.any(-1)][:, : value.shape[1]]
        self.mask = mask.bool() if mask is not None and mask.shape == value.shape[:-1] else None
        for transform, training_only in self._transforms:
            if self._training or not training_only:
                value = transform(value)
        if self.wanted and torch.is_grad_enabled():
            if not value.requires_grad:  # a raw input, or the output of a frozen embedding
                value = value.detach().requires_grad_()
            value.retain_grad()
        self._value = value
        return value
