"""A job: one fold of one member of one run."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kit.run.bank import Fold, FoldStore
from kit.run.run import Run


@dataclass(frozen=True)
class Job:
    """One fold of one member. It is pickled as names: another process opens the same run from them.

    Attributes:
        run: recipe, rows and folder.
        member: the member's name in the recipe.
        fold: the fold's number in the plan.
        label: a name to show, if the member's name does not say which settings it has.
    """

    run: Run
    member: str
    fold: int
    label: str = field(default="", compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return Job, (self.run, self.member, self.fold, self.label)

    def __str__(self) -> str:
        return f"{self.label or self.member} fold {self.fold}"

    @cached_property
    def store(self) -> FoldStore:
        """The folder of the member's folds."""
        return self.run.store(self.member)

    def read(self) -> Fold | None:
        """The fold, without predictions of test rows; None if it is not finished."""
        return self.store.read(self.fold, test=False)

    def cost(self) -> dict[str, float]:
        """Seconds of a finished fold (fit and predictions), and its peak memory in MiB if it is known."""
        if (fold := self.read()) is None:
            return {}
        mib = fold.score.get("mib")
        return {"seconds": sum(fold.score["seconds"].values()), **({} if mib is None else {"mib": mib})}
