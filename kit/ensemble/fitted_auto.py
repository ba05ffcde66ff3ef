"""FittedAuto: the blend that Auto chose, and the score of each choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from kit.core.spec import Spec
from kit.ensemble.fitted import FittedBlend, FittedWrapper, restored, with_kind
from kit.metrics.intervals import Difference


@dataclass(frozen=True)
class TriedBlend:
    """The score of one choice of Auto.

    Attributes:
        blend: its class, with the settings that differ from the defaults.
        nested: its nested score; None if it has none.
        difference: how much better it is than the chosen blend, with a paired 95 % interval; None if there is none.
        refused: why it cannot be used here; empty if it can.
    """

    blend: str
    nested: float | None
    difference: Difference | None
    refused: str = ""

    def to_dict(self) -> dict[str, Any]:
        """All values, JSON-ready."""
        found = self.difference
        return {
            "blend": self.blend,
            "nested": self.nested,
            "against the chosen": found.value if found else None,
            "interval": [found.low, found.high] if found else None,
            "p": found.p if found else None,
            "refused": self.refused,
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """The one that `to_dict` described."""
        found = None
        if saved["interval"] is not None:
            low, high = saved["interval"]
            found = Difference(saved["against the chosen"], low, high, saved["p"])
        return cls(saved["blend"], saved["nested"], found, saved["refused"])


@dataclass(frozen=True)
class FittedAuto(FittedWrapper):
    """A fitted Auto.

    Attributes:
        inner: the chosen blend, learnt on all rows.
        choice: its class, with the settings that differ from the defaults.
        reason: why it was chosen, in a sentence.
        tried: the score of each choice.
        thresholds: (outputs,) from which blended prediction on the answer is yes; empty without thresholds.
    """

    inner: FittedBlend
    choice: str
    reason: str
    tried: tuple[TriedBlend, ...]
    thresholds: tuple[float, ...] = ()

    def combine(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        return self.inner.predict_checked(predictions, columns)

    def explanation(self) -> dict[str, Any]:
        return {"choice": self.choice, "reason": self.reason, "choices": [one.to_dict() for one in self.tried]}

    def to_dict(self) -> dict[str, Any]:
        return {"blend": with_kind(self.inner), **self.explanation(), "thresholds": list(self.thresholds)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        tried = tuple(map(TriedBlend.from_dict, saved["choices"]))
        inner, cuts = restored(saved["blend"]), tuple(saved["thresholds"])
        return cls(inner, saved["choice"], saved["reason"], tried, cuts)


def as_settings(specs: Sequence[Spec]) -> list[str]:
    """Blends as text, such as `Greedy(bags=10)`: class, and settings that differ from the defaults."""
    names = []
    for spec in specs:
        given = {name: getattr(spec, name) for name, info in type(spec).model_fields.items()
                if getattr(spec, name) != info.default}  # fmt: skip
        inside = ", ".join(f"{name}={_text(value)}" for name, value in given.items())
        names.append(type(spec).__name__ + (f"({inside})" if inside else ""))
    return names


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))}{',' if len(value) == 1 else ''})"
    return as_settings((value,))[0] if isinstance(value, Spec) else repr(value)
