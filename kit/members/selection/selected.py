"""Selected: a member that learns from some of its columns, chosen inside each fold."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field

from kit.core.files import read_json, write_json
from kit.core.spec import validator
from kit.member import Predictor
from kit.members.parts import load_parts, save_parts
from kit.members.selection.importance import NullImportance
from kit.members.selection.selection import ChosenColumns, Selection, innermost
from kit.members.wrapper import Wrapper
from kit.rows import Rows

if TYPE_CHECKING:
    import numpy as np

    from kit.train.stop import ShouldStop


class Selected(Wrapper):
    """Chooses columns by the train rows of each fold, and fits the member on these columns.

    No label of a row that is scored has a say in the choice, so the score is an honest one of choosing and fitting
    together (Ambroise & McLachlan 2002). The folds may keep different columns: `columns.json` beside a
    fold's model names those that stayed and those that went, with the figure that each was judged by.
    """

    by: Selection = Field(NullImportance(), description="how columns are chosen")

    @validator(mode="after")
    def _reads_columns(self) -> Self:
        inner = innermost(self.member)
        if "features" not in type(inner).model_fields:
            raise ValueError(f"{type(inner).__name__} reads no columns that could be chosen; take Boost or Linear")
        return self

    @property
    def is_random(self) -> bool:
        return True

    def learn(self, train: Rows, valid: Rows, work: Path) -> "SelectedPredictor":
        return self.learn_until(train, valid, work, None)

    def learn_until(
        self, train: Rows, valid: Rows, work: Path, should_stop: "ShouldStop | None"
    ) -> "SelectedPredictor":
        """Chooses, which is kept in `work/columns.json`, then fits the member in `work/member`."""
        path, folders = work / "columns.json", (work / "choice", work / "member")
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            saved = read_json(path)
            choice = ChosenColumns(saved["figures"], tuple(saved["kept"]), saved["fits"])
        else:
            choice = self.by.choose(self.member, train, valid, folders[0])
            write_json(path, _written(choice))
        seen = replace(train, columns=choice.kept)
        return SelectedPredictor(self.member.learn_until(seen, valid, folders[1], should_stop), choice)


class SelectedPredictor(Predictor):
    """A fitted member, and the columns that it reads.

    Attributes:
        predictor: of the member.
        choice: which columns stayed, and why.
    """

    def __init__(self, predictor: Predictor, choice: ChosenColumns) -> None:
        self.predictor, self.choice = predictor, choice

    def predict(self, rows: Rows) -> "np.ndarray":
        return self.predictor.predict(rows)

    def save(self, folder: Path) -> None:
        save_parts([self.predictor], folder)
        write_json(folder / "columns.json", _written(self.choice))

    @classmethod
    def load(cls, folder: Path) -> Self:
        saved = read_json(folder / "columns.json")
        return cls(load_parts(folder)[0], ChosenColumns(saved["figures"], tuple(saved["kept"]), saved["fits"]))


def _written(choice: ChosenColumns) -> dict[str, object]:
    gone = [name for name in choice.figures if name not in choice.kept]
    return {"kept": choice.kept, "dropped": gone, "figures": choice.figures, "fits": choice.fits}
