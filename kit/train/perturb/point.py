"""Point: the place in a model where its inputs can be shifted."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Self

import torch
from torch import Tensor, nn

from kit.spec import KitError
from kit.train.perturb.ball import real

Transform = Callable[[Tensor], Tensor]


class Point:
    """The output of an embedding module, or a float input of the model; watched and transformed until `remove`.

    Attributes:
        mask: (n, length) or (n, sentences, words), True at real tokens; None where the model was given no mask that
            fits `value`. Where a model reads texts in pieces, as rows of their own and only those that hold tokens,
            this is the mask of these pieces (pieces, length).
        wanted: whether forward passes keep the gradient at `value`.
    """

    def __init__(self, model: nn.Module, at: nn.Module | str, mask: str = "attention_mask") -> None:
        """Hooks the model.

        Args:
            model: what is called with the batch.
            at: a module of it whose output is the point, or the name of a float input; where the model is called
                without that name, its first positional argument is meant.
            mask: name of the input that is 1 at real tokens.

        Raises:
            KitError: the module is none of the model's, or, when the model is called, there is no such float input.
        """
        if isinstance(at, nn.Module) and not any(at is module for module in model.modules()):
            raise KitError(f"the point {type(at).__name__} is no module of the {type(model).__name__}")
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
        """Context whose forward passes go on with `transform(value)`; the outermost context's comes first.

        Args:
            transform: (n, …) → the same shape; `point.mask` is that of the pass when it is called.
            training_only: leave passes in eval mode alone.
        """
        entry = (transform, training_only)
        self._transforms.append(entry)
        try:
            yield
        finally:
            self._transforms.remove(entry)

    def shifted(self, delta: Tensor) -> contextlib.AbstractContextManager[None]:
        """Context whose forward passes add `delta`, of the batch's shape at the point."""

        def shift(value: Tensor) -> Tensor:
            if value.shape != delta.shape:
                raise KitError(
                    f"a shift of shape {tuple(delta.shape)} met a batch of shape {tuple(value.shape)}: "
                    "perturbations need an objective that gives the model one and the same batch"
                )
            return value + delta

        return self.applied(shift)

    @property
    def value(self) -> Tensor:
        """What the model went on with in its last forward pass, (n, …), after all transforms."""
        if self._value is None:
            raise RuntimeError("the point has seen no forward pass")
        return self._value

    @property
    def grad(self) -> Tensor:
        """The gradient at `value` after a backward pass, zero at padding."""
        value = self.value
        if not (value.is_leaf or value.retains_grad) or value.grad is None:
            raise RuntimeError("no gradient was kept at the point: set `wanted` before the forward pass")
        return real(value.grad, self.mask)

    def gradient_of(self, scalar: Callable[[], Tensor], delta: Tensor, create_graph: bool = False) -> Tensor:
        """Gradient of what `scalar()` gives in a pass shifted by `delta`, with respect to `delta`, zero at padding.

        Gradients of parameters stay as they are.
        """
        delta = delta.detach().requires_grad_()
        with self.shifted(delta):
            (gradient,) = torch.autograd.grad(scalar(), delta, create_graph=create_graph)
        return real(gradient, self.mask)

    def remove(self) -> None:
        """Takes the hooks off the model and forgets the last pass."""
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._transforms = [], []
        self._value = self.mask = self._given_mask = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()

    def __getstate__(self) -> dict[str, Any]:
        """Without tensors: those within a graph can't be copied, and a copied model has had no pass yet."""
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
            raise KitError(f"the point {type(module).__name__} gives a {type(output).__name__}, not a tensor")
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
