"""FittedBlend: a fitted blend, which combines members' predictions of any rows."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import pandas as pd

from kit.core.classes import class_named
from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.ensemble.predictions import Predictions, as_float, by_member, scaled_ranks, weighted_mean


class FittedBlend(ABC):
    """A fitted blend. `save` writes a small readable file; after `load` it gives the same numbers.

    A new kind is a frozen dataclass with `combine`, `to_dict` and `from_dict`. The saved file names its class, which is
    looked up among kit's own classes and those defined in this process.

    Attributes:
        members: names, in the order in which `predict` takes their predictions.
        thresholds: (outputs,) what a blended prediction must reach to say yes; for grades the lowest one, then the
            prediction from which each next grade begins; empty without thresholds.
    """

    compact: ClassVar[bool] = False  # True: float32 and memory-mapped predictions reach `combine` as they are
    members: tuple[str, ...]
    thresholds: tuple[float, ...]

    @property
    @abstractmethod
    def weights(self) -> dict[str, float]:
        """Member name → its share in the blend, the mean over columns; for display."""

    @abstractmethod
    def combine(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        """Blended predictions (n, outputs) of checked predictions (members, n, outputs)."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """All values, as JSON values."""

    @classmethod
    @abstractmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """The fitted blend that `to_dict` described."""

    def predict(self, predictions: Predictions, columns: pd.DataFrame | None = None) -> np.ndarray:
        """Blended predictions before any threshold, (n, outputs); (n,) if the given ones have the shape (members, n).

        Args:
            predictions: as in `Blend.fit`: an array (members, n) or (members, n, outputs), members in the order of
                `self.members`; a dict of name → array, or a frame with a column a member, in any order; other
                members are ignored. Ranks are taken among these n rows, so pass rows together that are scored together.
            columns: (n, …) original columns, if the blend was fitted with some.

        Raises:
            KitError: a member is missing, or a prediction is NaN or infinite.
        """
        array, _, flat = by_member(predictions, self.members)
        blended = self.predict_checked(array, columns)
        return blended[:, 0] if flat else blended

    def predict_checked(self, predictions: np.ndarray, columns: pd.DataFrame | None = None) -> np.ndarray:
        """`predict` for predictions (members, n, outputs) that are already checked."""
        return self.combine(as_float(predictions, self.compact), columns)

    def for_test(self) -> "FittedBlend":
        """The blend for the test set: this one, unless the test set is known to differ (PriorShift)."""
        return self

    def with_thresholds(self, thresholds: tuple[float, ...]) -> Self:
        """The same blend with these thresholds."""
        return cast(Self, replace(cast(Any, self), thresholds=thresholds))

    @property
    def is_mean(self) -> bool:
        """Whether it is a mean of its members: then it overfits the learnt rows only slightly."""
        return False

    def explanation(self) -> dict[str, Any]:
        """How the blend was found, as JSON values; for display."""
        return {}

    def save(self, path: Path) -> None:
        """Writes what `load` reads."""
        write_json(path, with_kind(self))

    @staticmethod
    def load(path: Path) -> "FittedBlend":
        """The blend that `save` wrote; it gives the same numbers.

        Raises:
            KitError: its kind or form is unknown, for example because an earlier version of kit wrote it.
        """
        try:
            return restored(read_json(path))
        except KitError as error:
            raise KitError(f"{path.name}: {error}; if an earlier version of kit wrote it, blend again") from None


def with_kind(fitted: FittedBlend) -> dict[str, Any]:
    """`to_dict` with the name of the class, as `restored` reads it."""
    return {"kind": type(fitted).__name__, **fitted.to_dict()}


def restored(saved: dict[str, Any]) -> FittedBlend:
    """The blend that `with_kind` described.

    Raises:
        KitError: neither kit nor this process has a fitted blend of this name, or it is saved in another form.
    """
    if not isinstance(saved, dict) or not isinstance(name := saved.get("kind"), str):
        raise KitError("this is not a saved blend: it has no 'kind'")
    kind = class_named(name, FittedBlend)  # type: ignore[type-abstract]
    try:
        return kind.from_dict({key: value for key, value in saved.items() if key != "kind"})
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise KitError(f"a saved {name} of another form ({type(error).__name__}: {error})") from None


class FittedWrapper(FittedBlend):
    """A fitted blend that contains another one, to which it delegates what it does not define itself.

    Attributes:
        inner: the fitted blend inside.
    """

    compact: ClassVar[bool] = True
    inner: FittedBlend

    @property
    def members(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.inner.members

    @property
    def weights(self) -> dict[str, float]:
        return self.inner.weights

    @property
    def is_mean(self) -> bool:
        return self.inner.is_mean

    def explanation(self) -> dict[str, Any]:
        return self.inner.explanation()


@dataclass(frozen=True)
class WeightedMean(FittedBlend):
    """A weighted mean of members.

    Attributes:
        method: class of the Blend that found the weights.
        members: names, in the order in which `predict` takes their predictions.
        shares: the weight of each member, in the same order; they sum to 1.
        ranks: whether the mean is taken over ranks, not over the predictions.
        thresholds: (outputs,) from which blended prediction on the answer is yes; empty without thresholds.
        limits: the lowest and highest value that the mean may take, if weights may be negative; () for none.
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

    @property
    def is_mean(self) -> bool:
        return True

    def combine(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        total = weighted_mean(scaled_ranks(predictions) if self.ranks else predictions, np.array(self.shares))
        return total.clip(self.limits[0], self.limits[1]) if self.limits else total

    def to_dict(self) -> dict[str, Any]:
        # a list, because write_json sorts the keys of a dict and predict needs the members' order
        weights = [{"member": name, "weight": share} for name, share in self.weights.items()]
        found = {"method": self.method, "ranks": self.ranks, "weights": weights, "thresholds": list(self.thresholds)}
        return found | ({"limits": list(self.limits)} if self.limits else {})

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        members, shares = zip(*((entry["member"], entry["weight"]) for entry in saved["weights"]), strict=True)
        limits = tuple(saved.get("limits", ()))
        return cls(saved["method"], members, shares, saved["ranks"], tuple(saved["thresholds"]), limits)
