"""Blend and Blended: how members are joined, and what was found on rows whose labels are known."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from kit.ensemble.judged import Judged
from kit.files import read_json, write_json
from kit.metrics import Metric
from kit.spec import KitError, Spec


class Blended(ABC):
    """What a Blend found. `save` writes it as a small file that a person can read; `load` gives the same numbers.

    A kind of it is a frozen dataclass that gives `join`, `facts` and `of`.

    Attributes:
        members: names, in the order in which `apply` takes their predictions.
        thresholds: (outputs,) what a blended prediction must reach to say yes; of grades the lowest one, then what it
            must reach for each next; empty where nothing is cut.
    """

    compact: ClassVar[bool] = False  # True: float32 and memory-mapped predictions reach `join` as they are
    members: tuple[str, ...]
    thresholds: tuple[float, ...]

    @property
    @abstractmethod
    def weights(self) -> dict[str, float]:
        """Member name → its share in the blend, a mean over columns, for people to read."""

    @abstractmethod
    def join(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        """Blended predictions (n, outputs) of checked ones (members, n, outputs)."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """All of it, ready for JSON."""

    @classmethod
    @abstractmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        """What gave these `facts`."""

    def apply(self, predictions: np.ndarray, columns: pd.DataFrame | None = None) -> np.ndarray:
        """Blended predictions, (n, outputs), before any threshold.

        Args:
            predictions: (members, n, outputs), members in the order of `self.members`. Ranks are taken among these
                n rows, so rows that will be judged together are passed together.
            columns: (n, …) original columns, where the blend was fitted with some.

        Raises:
            KitError: another number of members, or a prediction that is NaN or infinite.
        """
        return self.join(checked(predictions, self.members, self.compact), columns)

    def join_inside(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        """`join` for a blend around this one, whose predictions may be more compact than this one takes."""
        return self.join(sized(predictions, self.compact), columns)

    def for_test(self) -> "Blended":
        """The blend that joins the test set: this one, but where that set is known to differ (PriorShift)."""
        return self

    def story(self) -> dict[str, Any]:
        """What a person should read of how it was found, ready for JSON."""
        return {}

    def save(self, path: Path) -> None:
        """Writes what `load` reads."""
        write_json(path, {"kind": type(self).__name__, **self.facts()})

    @staticmethod
    def load(path: Path) -> "Blended":
        """The blend that `save` wrote; it gives the same numbers."""
        return revived(read_json(path))


class Around(Blended):
    """A blend with something done to it.

    Attributes:
        blended: the blend within.
    """

    compact: ClassVar[bool] = True
    blended: Blended

    @property
    def members(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.blended.members

    @property
    def weights(self) -> dict[str, float]:
        return self.blended.weights

    def story(self) -> dict[str, Any]:
        return self.blended.story()


def revived(facts: dict[str, Any]) -> Blended:
    """The blend whose `facts` and kind these are."""
    import kit.ensemble  # noqa: F401 (every kind must be known)

    kinds: dict[str, type[Blended]] = {}
    waiting: list[Any] = [Blended]
    while waiting:
        kind = waiting.pop()
        kinds[kind.__name__] = kind
        waiting += kind.__subclasses__()
    if facts["kind"] not in kinds:
        raise KitError(f"a blend of kind '{facts['kind']}' is not known to this version of kit")
    return kinds[facts["kind"]].of({k: v for k, v in facts.items() if k != "kind"})


@dataclass(frozen=True)
class Weighted(Blended):
    """A weighted mean of members.

    Attributes:
        method: class of the Blend that found the weights.
        members: names, in the order in which `apply` takes their predictions.
        shares: one weight a member, same order; they sum to 1.
        ranks: the mean is taken over ranks, not over the predictions themselves.
        thresholds: (outputs,) what a blended prediction must reach to say yes; empty where nothing is cut.
        limits: the lowest and highest value that the mean may take, where weights may be negative; () for none.
    """

    compact: ClassVar[bool] = True
    method: str
    members: tuple[str, ...]
    shares: tuple[float, ...]
    ranks: bool = False
    thresholds: tuple[float, ...] = ()
    limits: tuple[float, ...] = ()

    @property
    def weights(self) -> dict[str, float]:
        return dict(zip(self.members, self.shares, strict=True))

    def join(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        total = weighted(scaled_ranks(predictions) if self.ranks else predictions, np.array(self.shares))
        return total.clip(self.limits[0], self.limits[1]) if self.limits else total

    def facts(self) -> dict[str, Any]:
        # a list, because write_json sorts the keys of a dict and apply needs the members' order
        weights = [{"member": name, "weight": share} for name, share in self.weights.items()]
        facts = {"method": self.method, "ranks": self.ranks, "weights": weights, "thresholds": list(self.thresholds)}
        return facts | ({"limits": list(self.limits)} if self.limits else {})

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        members, shares = zip(*((entry["member"], entry["weight"]) for entry in facts["weights"]), strict=True)
        limits = tuple(facts.get("limits", ()))
        return cls(facts["method"], members, shares, facts["ranks"], tuple(facts["thresholds"]), limits)


class Blend(Spec):
    """A way to join members. A frozen spec; `fit` gives back a Blended. A new one gives `learn`."""

    compact: ClassVar[bool] = False  # True: float32 and memory-mapped predictions reach `learn` as they are

    @property
    def needs(self) -> tuple[str, ...]:
        """Original columns that the blend reads beside the predictions."""
        return ()

    @property
    def folds_needed(self) -> int:
        """Folds that learning takes: 0 where labels are not read, 2 and more where a part learns out of fold."""
        return 1

    @property
    def fickle(self) -> bool:
        """Whether it may take another kind of blend on other rows, whose predictions have another scale (Auto)."""
        return False

    def fit(
        self,
        predictions: np.ndarray,
        y: np.ndarray,
        metric: Metric,
        names: Sequence[str] = (),
        plan: np.ndarray | None = None,
        columns: pd.DataFrame | None = None,
        groups: np.ndarray | None = None,
        goal: Metric | None = None,
    ) -> Blended:
        """Learns on rows whose labels are known.

        Args:
            predictions: (members, n, outputs) out-of-fold predictions of judged rows.
            y: (n, targets) labels.
            metric: what the blend is judged by.
            names: one a member; empty calls them by their index.
            plan: (n,) fold number of each row.
            columns: (n, …) the original columns of `needs`.
            groups: (n,) group of each row, where rows of a group are alike.
            goal: see `Judged`.

        Raises:
            KitError: shapes disagree, a prediction is NaN or infinite, or the metric cannot judge such a blend.
        """
        names = tuple(names) or tuple(str(i) for i in range(len(predictions)))
        predictions = checked(predictions, names, self.compact)
        if len(y) != predictions.shape[1]:
            raise KitError(f"blend: {len(y)} rows of labels, but predictions of {predictions.shape[1]} rows")
        return self.learn(Judged(predictions, y, metric, names, plan, columns, groups, goal))

    def learn_inside(self, judged: Judged) -> Blended:
        """`learn` for a blend around this one, whose predictions may be more compact than this one takes."""
        return self.learn(replace(judged, predictions=sized(judged.predictions, self.compact)))

    @abstractmethod
    def learn(self, judged: Judged) -> Blended:
        """Learns; what `fit` checked need not be checked again."""


class WeightedBlend(Blend):
    """A way to find one weight a member. A new one gives `weigh`."""

    ranks: ClassVar[bool] = False  # True: members are turned into ranks before they are averaged

    def learn(self, judged: Judged) -> Blended:
        shares = self.weigh(judged.predictions, judged.y, judged.metric)
        return Weighted(type(self).__name__, judged.names, tuple(map(float, shares)), self.ranks)

    @abstractmethod
    def weigh(self, predictions: np.ndarray, y: np.ndarray, metric: Metric) -> np.ndarray:
        """Weights (members,) that sum to 1."""


def checked(predictions: np.ndarray, names: Sequence[str], compact: bool = False) -> np.ndarray:
    """The predictions (members, n, outputs), all finite, one `names` entry a member.

    They are float64; with `compact` float32 and what is memory-mapped stay as they are.
    """
    array = sized(np.asarray(predictions), compact)
    if array.ndim != 3 or 0 in array.shape:
        raise KitError(f"blend: predictions have shape {array.shape}, not (members, rows, outputs), at least 1 of each")
    if len(names) != len(array):
        raise KitError(f"blend: predictions of {len(array)} members, but {len(names)} names: {', '.join(names)}")
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        raise KitError(f"blend: member name '{twice[0]}' occurs twice")
    for index, (name, member) in enumerate(zip(names, array, strict=True)):
        if bad := int((~np.isfinite(member)).any(axis=1).sum()):
            raise KitError(
                f"blend: member {index} ('{name}') has {bad} of {len(member)} rows with NaN or infinite predictions; "
                "blend only rows that every member has judged"
            )
    return array


def sized(array: np.ndarray, compact: bool) -> np.ndarray:
    """The array as float64; float32, and what is memory-mapped, stays where `compact`."""
    return array if array.dtype == np.float64 or (compact and array.dtype == np.float32) else array.astype(np.float64)


def weighted(predictions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean (n, outputs), float64, of predictions (members, n, outputs); the weights sum to 1.

    With weights that are positive or 0 it lies within the range of the members; with negative ones it may leave it.

    A plain loop: unlike BLAS it adds in the same order on every machine, so a blend is the same to the last bit.
    """
    total = np.zeros(predictions.shape[1:])
    used = np.flatnonzero(weights)
    for index in used:
        total += np.multiply(predictions[index], weights[index], dtype=np.float64)
    if (weights < 0).any():
        return total
    # a mean of ones may be rounded to a little over 1, which is no probability
    return total.clip(min(predictions[i].min() for i in used), max(predictions[i].max() for i in used))


def scaled_ranks(predictions: np.ndarray) -> np.ndarray:
    """Ranks within each column, scaled so that the lowest possible is 0 and the highest 1; ties share their average.

    Args:
        predictions: (…, n, outputs).
    """
    n = predictions.shape[-2]
    if n == 1:
        return np.full(predictions.shape, 0.5)
    return np.asarray((rankdata(predictions, method="average", axis=-2) - 1) / (n - 1))
