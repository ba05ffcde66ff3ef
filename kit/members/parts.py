"""Parts: for members made of several predictors, which are fitted one after another and saved in one folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core.classes import class_named
from kit.core.files import read_json, remove, write_json
from kit.core.folders import finish_folder, is_whole
from kit.core.sums import remade
from kit.member import Member, Predictor
from kit.rows import Rows

if TYPE_CHECKING:
    from kit.train.stop import ShouldStop


def save_parts(parts: Sequence[Predictor], folder: Path) -> None:
    """Writes every predictor into a folder of its own, and the names of their classes."""
    for i, part in enumerate(parts):
        (folder / f"part{i}").mkdir()
        part.save(folder / f"part{i}")
    write_json(folder / "parts.json", [type(part).__name__ for part in parts])


def load_parts(folder: Path) -> list[Predictor]:
    """The predictors that `save_parts` wrote.

    Raises:
        KitError: neither kit nor this process has a Predictor of a saved name.
    """
    names = map(str, read_json(folder / "parts.json"))
    return [class_named(name, Predictor).load(folder / f"part{i}") for i, name in enumerate(names)]


def fitted_part(
    part: Member, train: Rows, valid: Rows, work: Path, i: int, should_stop: "ShouldStop | None" = None
) -> Predictor:
    """A part, fitted in `work/part<i>` unless it lies finished in `work/done<i>`; its checkpoints go once it does."""
    own, done, saving = work / f"part{i}", work / f"done{i}", work / f"done{i}.part"
    if done.exists():
        if is_whole(done):
            return load_parts(done)[0]
        remade(done, "the part is fitted again")
        remove(done)
    own.mkdir(parents=True, exist_ok=True)
    predictor = part.learn_until(train, valid, own, should_stop)
    remove(saving)  # what a killed process left
    saving.mkdir()
    save_parts([predictor], saving)
    finish_folder(saving, done)
    (own / "last.pt").unlink(missing_ok=True)
    for finished in own.glob("done*"):  # parts of a part that is itself made of several
        remove(finished)
    return predictor
