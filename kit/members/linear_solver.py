"""The solver of the linear members: all outputs of an L2-penalised linear model in one pass over sparse matrices."""

from collections import deque
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.special import expit, log_softmax, softmax

LinkName = Literal["sigmoid", "shares", "softmax", "identity"]


def balance(y: np.ndarray, link: LinkName, weight: np.ndarray | None = None) -> np.ndarray:
    """(n, outputs) weights n / (classes · rows of the class), scikit-learn's class_weight="balanced"; 0 for a gap.

    With weights (n,) of rows, the sums of weights stand for the numbers of rows, and the result is times them.
    """
    own, least = (np.ones(len(y)), 1.0) if weight is None else (weight, np.finfo(float).tiny)
    if link == "softmax":
        n, yes = own.sum(), own @ y
        present = yes > 0
        return (own * (y @ (n / (present.sum() * np.maximum(yes, least)))))[:, None] * np.ones(y.shape[1])
    known = ~np.isnan(y)
    n, yes = own @ known, own @ np.where(known, y, 0)
    shares = np.where(y > 0.5, n / (2 * np.maximum(yes, least)), n / (2 * np.maximum(n - yes, least)))
    return own[:, None] * known * shares


def times(parts: Sequence[csr_array], v: np.ndarray) -> np.ndarray:
    """[parts] @ v in float64; the products are made in float32."""
    padded = _padded(v)
    z, start = np.zeros((parts[0].shape[0], padded.shape[1])), 0
    for part in parts:
        stop = start + part.shape[1]
        z += part @ padded[start:stop]
        start = stop
    return z[:, : v.shape[1]]


def back(parts: Sequence[csr_array], u: np.ndarray) -> np.ndarray:
    """[parts]ᵀ @ u in float32."""
    padded = _padded(u)
    return np.concatenate([part.T @ padded for part in parts])[:, : u.shape[1]]


def _padded(v: np.ndarray) -> np.ndarray:
    """`v` in float32, with columns of zeros up to a multiple of 4: SciPy's loop over columns then runs by vectors."""
    wide = np.zeros((len(v), v.shape[1] if v.shape[1] < 3 else -(-v.shape[1] // 4) * 4), np.float32)
    wide[:, : v.shape[1]] = v
    return wide


def solve(
    parts: Sequence[csr_array],
    y: np.ndarray,
    c: float,
    link: LinkName,
    weight: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    tol: float = 1e-3,
    most: int = 1000,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimises ½‖w‖² + c · Σ weight · loss(z, y), z = x·(scale ∘ w) + b, for all columns of y together.

    L-BFGS (Liu & Nocedal, 1989) from the inverse of the Hessian's diagonal. One pass over x serves every output, and
    the step along a direction needs none, z being linear in it. Runs in one thread, so its bits never depend on cores.

    Args:
        parts: matrices (n, features) that stand side by side.
        y: (n, outputs) labels between 0 and 1; values for the identity link. An output is learnt from the rows where
            its label is known (not NaN), as if there were no others; of classes all are.
        weight: (n, outputs) of each label.
        scale: (features, outputs) factor of each feature, another one for every output.
        tol: ‖gradient‖ / ‖gradient at zero‖ to stop at.
        most: steps.

    Returns:
        coef (features, outputs), the scale multiplied in; intercept (outputs,), ±inf where all labels are the same.
    """
    coef = np.zeros((sum(p.shape[1] for p in parts), y.shape[1]), np.float32)
    if (known := ~np.isnan(y)).all():
        mean = y.mean(axis=0)
    else:
        mean = np.nanmean(y, axis=0)
        y, weight = np.where(known, y, 0), known * (1.0 if weight is None else weight)
    intercept = np.where(mean > 0, np.inf, -np.inf)
    lone = ((mean == 0) | ((mean == 1) & (link != "softmax"))) & (link != "identity")  # labels that are all the same
    live = np.flatnonzero(~lone)
    if link == "softmax" and len(live) == 1:
        intercept[live] = 0.0  # the only class there is, all others stand at -inf
    elif len(live):
        y, weight = y[:, live], c * (np.ones((len(y), len(live))) if weight is None else weight[:, live])
        r = np.ones((1, 1), np.float32) if scale is None else scale[:, live].astype(np.float32)
        coef[:, live], intercept[live] = _lbfgs(parts, y, weight, r, link, tol, most)
    return coef, intercept


def _lbfgs(
    parts: Sequence[csr_array], y: np.ndarray, s: np.ndarray, r: np.ndarray, link: LinkName, tol: float, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """`solve` where every output varies. Vectors are (outputs, features + 1) with the intercept at the end."""

    def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        products = (a * b).sum(axis=1, dtype=np.float64)[:, None]
        return (
            np.full_like(products, products.sum()) if link == "softmax" else products
        )  # there outputs are one problem

    def outputs(z: np.ndarray) -> np.ndarray:
        return z if link == "identity" else softmax(z, axis=0) if link == "softmax" else expit(z)

    def loss(z: np.ndarray) -> np.ndarray:
        if link == "identity":
            return dot(s, (z - y) ** 2 / 2)
        return dot(s, -y * log_softmax(z, axis=0) if link == "softmax" else np.logaddexp(0, z) - y * z)

    def gradient(w: np.ndarray, p: np.ndarray) -> np.ndarray:
        slope = s * (p - y)
        return np.hstack([w[:, :-1] + r * back(parts, slope.T).T, slope.sum(axis=1, keepdims=True)]).astype(np.float32)

    y, s, r = np.ascontiguousarray(y.T), np.ascontiguousarray(s.T), np.ascontiguousarray(r.T)
    share = (s * y).sum(axis=1) / s.sum(axis=1)
    w = np.zeros((len(y), sum(p.shape[1] for p in parts) + 1))
    w[:, -1] = share if link == "identity" else np.log(share) - (0 if link == "softmax" else np.log1p(-share))
    z = np.zeros(y.shape) + w[:, -1:]
    p = outputs(z)
    curve = s * _curve(p, link)
    squares = back([csr_array((q.data**2, q.indices, q.indptr), shape=q.shape) for q in parts], curve.T)
    inverse = (1 / np.hstack([1 + r**2 * squares.T, curve.sum(axis=1, keepdims=True)])).astype(np.float32)
    g = gradient(w, p)
    first = np.sqrt(dot(g, g))
    past: deque[tuple[np.ndarray, np.ndarray, np.ndarray]] = deque(maxlen=16)  # steps, gradient changes, 1 / their dot
    gamma = np.ones((len(y), 1))
    for _ in range(most):
        running = np.sqrt(dot(g, g)) > tol * first
        if not running.any():
            break
        d, shares = -g, []
        for step, change, rho in reversed(past):
            shares.append((rho * dot(step, d)).astype(np.float32))
            d -= shares[-1] * change
        d *= inverse * gamma.astype(np.float32)
        for (step, change, rho), a in zip(past, reversed(shares), strict=True):
            d += (a - (rho * dot(change, d)).astype(np.float32)) * step
        d *= running
        dz = times(parts, (r * d[:, :-1]).T).T + d[:, -1:]
        bent = dz * (dz - (p * dz).sum(axis=0)) * p if link == "softmax" else dz**2 * _curve(p, link)
        v, u = w[:, :-1], d[:, :-1]
        ww, wd, dd, descent = dot(v, v), dot(v, u), dot(u, u), dot(g, d)
        t = np.where(running, -descent / np.maximum(dd + dot(s, bent), 1e-300), 0)  # where the parabola is lowest
        old = loss(z) + ww / 2
        for _ in range(40):  # halve until the value falls enough (Armijo)
            bad = loss(z + t * dz) + ww / 2 + t * wd + t**2 * dd / 2 > old + 1e-4 * t * descent + 1e-12 * np.abs(old)
            if not bad.any():
                break
            t = np.where(bad, t / 2, t)
        w, z, last = w + t * d, z + t * dz, g
        p = outputs(z)
        g = gradient(w, p)
        step, change = (t * d).astype(np.float32), g - last
        along, curved = dot(step, change), dot(change, change * inverse)
        past.append((step, change, np.where(along > 0, 1 / np.maximum(along, 1e-300), 0)))
        gamma = np.where(along > 0, along / np.maximum(curved, 1e-300), gamma)
    return (r * w[:, :-1]).T, w[:, -1]


def _curve(p: np.ndarray, link: LinkName) -> np.ndarray:
    """Second derivative of the loss by z."""
    return np.ones_like(p) if link == "identity" else p * (1 - p)
