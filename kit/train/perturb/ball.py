"""Shifts of limited size for each row: `x` is (n, …), a mask is (n, length) with True at real tokens, or None."""

from typing import TYPE_CHECKING, Literal

from kit.core.lazy import later

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
    from torch import Tensor
else:
    torch, F = later("torch"), later("torch.nn.functional")

Norm = Literal["l2", "linf"]


def real(x: "Tensor", mask: "Tensor | None") -> "Tensor":
    """`x` with zeros at padding."""
    return x if mask is None else x.masked_fill(~_like(mask, x), 0)


def size(x: "Tensor", mask: "Tensor | None") -> "Tensor":
    """How many numbers each row has, without padding, as (n, 1, …)."""
    count = torch.ones_like(x) if mask is None else _like(mask, x).expand_as(x)
    return _column(count.reshape(len(x), -1).sum(1, dtype=torch.float32), x).to(x.dtype)


def unit(x: "Tensor") -> "Tensor":
    """Each row at L2 length one, however small or large its numbers are; zero rows stay zero."""
    rows = x.reshape(len(x), -1)
    largest = rows.abs().amax(1, keepdim=True)
    rows = rows / torch.where(largest > 0, largest, 1)  # squares of less than 1e-23 would be nothing in fp32
    return F.normalize(rows, dim=1).view_as(x)


def steepest(gradient: "Tensor", norm: Norm) -> "Tensor":
    """The shift of size one that increases a linear function with this gradient the most."""
    return unit(gradient) if norm == "l2" else gradient.sign()


def project(x: "Tensor", eps: float, norm: Norm) -> "Tensor":
    """Projects each row to the nearest point of the ball of radius `eps`."""
    if norm == "linf":
        return x.clamp(-eps, eps)
    length = _column(torch.linalg.vector_norm(x.reshape(len(x), -1), dim=1), x)
    return torch.where(length > eps, unit(x) * eps, x)


def anywhere(like: "Tensor", eps: float, norm: Norm, mask: "Tensor | None") -> "Tensor":
    """A shift of the shape of `like`, each row drawn uniformly from the ball of radius `eps`; zero at padding."""
    if norm == "linf":
        return real(torch.empty_like(like).uniform_(-eps, eps), mask)
    radius = _column(torch.rand_like(like.reshape(len(like), -1)[:, 0]), like) ** (1 / size(like, mask))
    return eps * radius * unit(real(torch.randn_like(like), mask))


def _like(mask: "Tensor", x: "Tensor") -> "Tensor":
    return mask.view(*mask.shape, *(1,) * (x.ndim - mask.ndim))


def _column(row: "Tensor", x: "Tensor") -> "Tensor":
    return row.view(-1, *(1,) * (x.ndim - 1))
