"""Members made of members."""

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field

from kit.data import Rows
from kit.files import read_json, remove, rename_whole, write_json
from kit.member import Member, Predictor
from kit.members.boost import Boost
from kit.spec import KitError, Spec


class Seeds(Member):
    """Fits a member several times, each time with another seed, and predicts the mean (Hansen & Salamon 1990).

    Part i has the member's own seed plus n · seed + i, so that other seeds of this member share no part: with n=1 and
    seed=0 it is the member itself.
    """

    seed: int = Field(0, ge=0, description="n times this is added to the member's own seed")
    member: Member = Field(Boost(), description="what is fitted")
    n: int = Field(3, ge=1, description="fits, each with the next seed")

    @property
    def parts(self) -> list[Member]:
        """The members that are fitted."""
        return [reseeded(self.member, self.n * self.seed + i) for i in range(self.n)]

    @property
    def peeks(self) -> bool:
        return self.member.peeks

    @property
    def judges(self) -> bool:
        return self.member.judges

    @property
    def chance(self) -> bool:
        return self.member.chance

    def prepare(self, rows: Rows) -> None:
        self.member.prepare(rows)

    def fit(self, train: Rows, valid: Rows, work: Path) -> "SeedsPredictor":
        """Fits one part after another in `work/part<i>`; those that are finished stay in `work/done<i>`."""
        return SeedsPredictor([fitted_part(part, train, valid, work, i) for i, part in enumerate(self.parts)])


class SeedsPredictor(Predictor):
    """The mean of its parts."""

    def __init__(self, parts: Sequence[Predictor]) -> None:
        self.parts = list(parts)

    def predict(self, rows: Rows) -> np.ndarray:
        return np.mean([part.predict(rows) for part in self.parts], axis=0)

    def save(self, folder: Path) -> None:
        """Writes every part into a folder of its own, and the names of their classes."""
        for i, part in enumerate(self.parts):
            (folder / f"part{i}").mkdir()
            part.save(folder / f"part{i}")
        kinds = [type(part) for part in self.parts]
        write_json(folder / "parts.json", [f"{kind.__module__}:{kind.__qualname__}" for kind in kinds])

    @classmethod
    def load(cls, folder: Path) -> Self:
        kinds = map(_predictor_class, read_json(folder / "parts.json"))
        return cls([kind.load(folder / f"part{i}") for i, kind in enumerate(kinds)])


def reseeded(member: Member, by: int) -> Member:
    """The member with `by` added to its seed and to those of the members that it is made of."""
    fields = {name: getattr(member, name) for name in type(member).model_fields}
    inner = {name: _inner_reseeded(value, by) for name, value in fields.items()}
    return type(member)(**inner | {"seed": member.seed + by})


def _inner_reseeded(value: Any, by: int) -> Any:
    """A setting's value with the members in it, such as the further parts of a Concat, reseeded."""
    if isinstance(value, tuple):
        return tuple(_inner_reseeded(one, by) for one in value)
    return reseeded(value, by) if isinstance(value, Member) else value


def reseeding(name: str, member: Member, by: int) -> list[str]:
    """Settings that do to the recipe's member `name` what `reseeded` does; none where no seed changes the fit.

    `Seeds` reckons the seeds of its parts itself, so that it alone is told.
    """
    return list(_reseeding(name, member, by)) if by and member.chance else []


def _reseeding(path: str, member: Member, by: int) -> Iterator[str]:
    yield f"{path}.seed={member.seed + by}"
    for name in () if isinstance(member, Seeds) else type(member).model_fields:
        value = getattr(member, name)
        if isinstance(value, Member):
            yield from _reseeding(f"{path}.{name}", value, by)
        elif (other := _inner_reseeded(value, by)) != value:  # parts of a tuple have no names: they are set together
            yield f"{path}.{name}={_written(other)}"


def _written(value: Any) -> str:
    """A value as `Spec.override` reads it."""
    if isinstance(value, Spec):
        fields = {n: (getattr(value, n), info.get_default()) for n, info in type(value).model_fields.items()}
        given = [f"{n}={_written(own)}" for n, (own, default) in fields.items() if own != default]
        return f"{type(value).__name__}({', '.join(given)})"
    return "(" + "".join(f"{_written(one)}, " for one in value) + ")" if isinstance(value, tuple) else repr(value)


def fitted_part(part: Member, train: Rows, valid: Rows, work: Path, i: int) -> Predictor:
    """A part, fitted in `work/part<i>` unless it lies finished in `work/done<i>`; its checkpoints go once it does."""
    own, done, saving = work / f"part{i}", work / f"done{i}", work / f"done{i}.part"
    if done.exists():
        return SeedsPredictor.load(done).parts[0]
    own.mkdir(parents=True, exist_ok=True)
    predictor = part.fit(train, valid, own)
    remove(saving)  # what a killed process left
    saving.mkdir()
    SeedsPredictor([predictor]).save(saving)
    rename_whole(saving, done)
    (own / "last.pt").unlink(missing_ok=True)
    for finished in own.glob("done*"):  # parts of a part that is itself made of several
        remove(finished)
    return predictor


def _predictor_class(name: str) -> type[Predictor]:
    module, _, qualname = name.partition(":")
    try:
        cls: Any = importlib.import_module(module)
        for part in qualname.split("."):
            cls = getattr(cls, part)
    except (ImportError, AttributeError, ValueError):
        raise KitError(f"there is no class '{name}' to load a predictor with") from None
    if not (isinstance(cls, type) and issubclass(cls, Predictor)):
        raise KitError(f"'{name}' is not a Predictor")
    return cls
