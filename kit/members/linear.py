"""Linear models on tf-idf of words and characters, all targets solved together."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array
from scipy.special import expit, log_softmax, softmax

from kit.data import Rows
from kit.files import read_json, replacing, write_json
from kit.member import Member, Predictor
from kit.spec import validator
from kit.text import Tfidf, Vectorizer

Link = Literal["sigmoid", "shares", "softmax", "identity"]


class Linear(Member):
    """Word and character tf-idf into logistic regression, one per target; softmax over classes; ridge for values.

    The penalty is scikit-learn's: ½‖w‖² + C · Σ loss, the intercept free (for regression alpha = 1 / C).
    """

    word: Tfidf | None = Field(
        Tfidf(ngram_range=(1, 2), min_df=3, sublinear_tf=True, strip_accents="unicode"), description="words, or none"
    )
    char: Tfidf | None = Field(
        Tfidf(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True, max_features=100_000),
        description="characters, or none",
    )
    C: float = Field(3.0, gt=0, description="how much the rows weigh against the penalty; smaller is smoother")
    balanced: bool = Field(False, description="weigh labels so that both (all) classes count the same")
    multinomial: bool = Field(True, description="multiclass: one softmax, else one against the rest, made to sum to 1")
    tol: float = Field(3e-3, gt=0, description="gradient at which solving stops, as a share of the first gradient")

    @validator(mode="after")
    def _reads_something(self) -> "Linear":
        if self.word is None and self.char is None:
            raise ValueError("word and char are both none; keep one of them")
        return self

    @property
    def chance(self) -> bool:
        return False  # the problem is convex, and nothing is drawn

    def prepare(self, rows: Rows) -> None:
        for view in views(self):
            view.counts(rows)

    def fit(self, train: Rows, valid: Rows, work: Path) -> "LinearPredictor":
        vectorizers = [view.fit(train) for view in views(self)]
        parts = [v.transform(train) for v in vectorizers]
        y, kind = train.labels, train.task.kind
        link: Link = "identity" if kind == "regression" else "sigmoid"
        if kind == "multiclass":
            y = one_hot(y, train.task.outputs)
            link = "softmax" if self.multinomial else "shares"
        weight = balance(y, link) if self.balanced and link != "identity" else None
        coef, intercept = solve(parts, y, self.C, link, weight, tol=self.tol)
        return LinearPredictor(vectorizers, coef, intercept, link)


def views(member: Member) -> list[Tfidf]:
    """The tf-idf settings of a member that has `word` and `char`."""
    return [view for view in (getattr(member, "word", None), getattr(member, "char", None)) if view is not None]


class LinearPredictor(Predictor):
    """Vectorizers, coefficients (features, outputs), intercepts (outputs,)."""

    def __init__(self, vectorizers: Sequence[Vectorizer], coef: np.ndarray, intercept: np.ndarray, link: Link) -> None:
        self.vectorizers, self.link = list(vectorizers), link
        self.coef, self.intercept = coef.astype(np.float32), intercept

    def predict(self, rows: Rows) -> np.ndarray:
        z = times([v.transform(rows) for v in self.vectorizers], self.coef) + self.intercept
        if self.link == "identity":
            return z
        if self.link == "softmax":
            return softmax(z, axis=1)
        p = expit(z)
        if self.link == "sigmoid":
            return p
        return p / np.maximum(p.sum(axis=1, keepdims=True), np.finfo(float).tiny)

    def save(self, folder: Path) -> None:
        for i, vectorizer in enumerate(self.vectorizers):
            vectorizer.save(folder, f"tfidf{i}")
        with replacing(folder / "linear.npz") as path, open(path, "wb") as file:
            np.savez(file, coef=self.coef, intercept=self.intercept)
        write_json(folder / "linear.json", {"link": self.link, "vectorizers": len(self.vectorizers)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        facts = read_json(folder / "linear.json")
        vectorizers = [Vectorizer.load(folder, f"tfidf{i}") for i in range(facts["vectorizers"])]
        with np.load(folder / "linear.npz", allow_pickle=False) as arrays:
            return cls(vectorizers, arrays["coef"], arrays["intercept"], facts["link"])


def one_hot(y: np.ndarray, classes: int) -> np.ndarray:
    """(n, classes) of class indices (n, 1)."""
    return (y.reshape(-1, 1) == np.arange(classes)).astype(np.float64)


def balance(y: np.ndarray, link: Link) -> np.ndarray:
    """(n, outputs) weights n / (classes · rows of the class), scikit-learn's class_weight="balanced"."""
    n, yes = len(y), y.sum(axis=0)
    if link == "softmax":
        present = yes > 0
        return (y @ (n / (present.sum() * np.maximum(yes, 1))))[:, None] * np.ones(y.shape[1])
    return np.where(y > 0.5, n / (2 * np.maximum(yes, 1)), n / (2 * np.maximum(n - yes, 1)))


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
    link: Link,
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
        y: (n, outputs) labels between 0 and 1; values for the identity link.
        weight: (n, outputs) of each label.
        scale: (features, outputs) factor of each feature, another one for every output.
        tol: ‖gradient‖ / ‖gradient at zero‖ to stop at.
        most: steps.

    Returns:
        coef (features, outputs), the scale multiplied in; intercept (outputs,), ±inf where all labels are the same.
    """
    coef = np.zeros((sum(p.shape[1] for p in parts), y.shape[1]), np.float32)
    mean = y.mean(axis=0)
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
    parts: Sequence[csr_array], y: np.ndarray, s: np.ndarray, r: np.ndarray, link: Link, tol: float, most: int
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


def _curve(p: np.ndarray, link: Link) -> np.ndarray:
    """Second derivative of the loss by z."""
    return np.ones_like(p) if link == "identity" else p * (1 - p)
