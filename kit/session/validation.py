"""Members cross-validated on a frame, without a recipe."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from kit.core.errors import KitError, nearest
from kit.ensemble import Blend, Greedy
from kit.folds import Folds, KFold, Multilabel, Stratified
from kit.guess import as_frame, as_labels, guess_id, guess_task
from kit.member import Member
from kit.members.estimator.estimator import Estimator
from kit.members.usual import usual_members
from kit.metrics import Metric
from kit.reading.labels import label_texts
from kit.recipe import Recipe, RecipeType
from kit.run.run import Run
from kit.session.opening import table_of
from kit.session.results import Blending, Leaderboard
from kit.session.session import Session, failures_of
from kit.task import Task

FOLDS: dict[str, Folds] = {
    "binary": Stratified(), "multiclass": Stratified(), "multilabel": Multilabel(), "regression": KFold(),
}  # fmt: skip


class CrossValidation:
    """The result of `cross_validate`: out-of-fold predictions, scores, and the models of every fold.

    Attributes:
        session: the session, as for a recipe: more can be fitted.
        failures: sentences about folds that failed.
    """

    def __init__(self, session: Session, failures: Sequence[str], folder: Any = None) -> None:
        self.session, self.failures = session, list(failures)
        self._folder = folder  # a temporary folder; it is removed when this object is deleted

    @cached_property
    def oof(self) -> pd.DataFrame:
        """Out-of-fold predictions: the id, then one column per member (with several outputs, per member and output)."""
        task, frames = self.session.table.task, {}
        for name in self.session.recipe.members:
            if self.session.run.gathered(name):
                frame = self.session.oof(name).set_index(task.id)
                frames[name] = frame.set_axis([name] if task.outputs == 1 else [f"{name}_{c}" for c in frame], axis=1)
        return pd.concat(frames.values(), axis=1).reset_index()

    @property
    def leaderboard(self) -> Leaderboard:
        """The table of members and folds."""
        return self.session.leaderboard

    def predict(self, frame: Any, member: str | None = None) -> pd.DataFrame:
        """Predictions of new rows by the blend, or by a member, see `Session.predict`."""
        return self.session.predict(frame, member)

    def blend(self, only: str | Sequence[str] | None = None) -> Blending:
        """Blends the members, see `Session.blend`."""
        return self.session.blend(only)

    def __str__(self) -> str:
        return "\n".join([str(self.leaderboard), *self.failures])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        lines = [f"<p>{line}</p>" for line in self.failures]
        return "".join([self.leaderboard._repr_html_(), *lines])


def cross_validate(
    frame: Any,
    *,
    target: str | Sequence[str],
    members: Member | Sequence[Member] | Mapping[str, Member] | None = None,
    text: str | Sequence[str] | None = None,
    folds: Folds | int | None = None,
    metric: Metric | None = None,
    blend: Blend | None = None,
    kind: str | None = None,
    id: str | None = None,
    aside: str | Sequence[str] = (),
    test: Any = None,
    extra: Any = None,
    folder: str | Path | None = None,
    on: str = "inline",
) -> CrossValidation:
    """Fits members on the folds of a frame: `cross_validate(frame, target="sold", members=[Linear(), Boost()])`.

    Args:
        frame: rows with inputs and targets.
        target: the column to predict, or several columns.
        members: one or several members, named by their class in lower case; or a dict of name → member. None: the
            usual ones for such columns, see `kit.members.usual`.
        text: columns with text; None: they are guessed.
        folds: how rows are split, or the number of folds. None: five folds, with equal shares of each label.
        metric: the metric; None: the usual one of this kind of task.
        blend: how `blend` combines members; None: Greedy.
        kind: binary, multilabel, multiclass or regression; None: it is guessed from the labels, and printed.
        id: the column with the names of rows; None: a column called id, or else rows are numbered.
        aside: columns that members do not see but folds can read, such as a group.
        test: test rows, which every fold's model predicts, for a submission.
        extra: rows without labels, a frame or several: who learns from all rows learns from them, too.
        folder: folder in which folds are kept for the next time; None: they are kept as long as the result exists.
        on: inline, processes:N, ray or ray:ADDRESS.

    Raises:
        KitError: a column does not exist, labels fit no kind, or no fold could be fitted.
    """
    train, targets = as_frame(frame, "frame"), [target] if isinstance(target, str) else list(target)
    asides = [aside] if isinstance(aside, str) else list(aside)
    for name in [*targets, *asides, *([id] if id else [])]:
        if name not in train:
            raise KitError(f"frame: there is no column '{name}'" + nearest(name, list(train.columns)))
    labels = as_labels(train[targets], len(train))
    inputs = train.drop(columns=[*targets, *asides])
    named = id or guess_id(inputs)
    task = guess_task(inputs, labels, "cross_validate", kind, text, metric, aside=tuple(asides), id=named)
    kept = None if folder is not None else tempfile.TemporaryDirectory(prefix="kit-")
    chosen = usual_members(task, len(train)) if members is None else members
    recipe = recipe_of(task, chosen, _folds(folds, task), blend or Greedy())
    run = Run(recipe, table_of(task, train, test, extra=extra), Path(kept.name if kept else str(folder)))
    session = Session(run)
    session.console.print(_described(task, train, named, kind, text), highlight=False)
    outcomes = session.fitted(on=on)
    failures = [f"{job} {outcome.state}: {outcome.sentence}" for job, outcome in failures_of(outcomes).items()]
    if failures and not any(run.gathered(name) for name in recipe.members):
        raise KitError(failures[0])
    return CrossValidation(session, failures, kept)


def recipe_of(
    task: Task, members: Member | Sequence[Member] | Mapping[str, Member], folds: Folds, blend: Blend
) -> Recipe:
    """A recipe with these members; its class is created here."""
    named = members if isinstance(members, Mapping) else names_of([members] if isinstance(members, Member) else members)
    if not named:
        raise KitError("members: there are none; give one or several, such as [Linear(), Boost()]")
    body = {"__module__": __name__, "__qualname__": "CrossValidated", "task": task, "folds": folds, "blend": blend}
    made: Any = RecipeType("CrossValidated", (Recipe,), {**body, **named})
    return made()


def names_of(members: Sequence[Member]) -> dict[str, Member]:
    """Name → member. The name is the class in lower case, with a number if several members have the same class."""
    named: dict[str, Member] = {}
    for member in members:
        if not isinstance(member, Member):
            shown = (
                f"the class {member.__name__}; write {member.__name__}()" if isinstance(member, type) else repr(member)
            )
            raise KitError(f"members: not a member, but {shown}")
        kind = member.estimator.of.rpartition(".")[2] if isinstance(member, Estimator) else type(member).__name__
        name = re.sub(r"(?<=[a-z])(?=[A-Z][a-z]|[A-Z]{2,}$)", "_", kind).lower()
        same = sum(re.fullmatch(rf"{name}(_\d+)?", other) is not None for other in named)
        named[f"{name}_{same + 1}" if same else name] = member
    return named


def _folds(folds: Folds | int | None, task: Task) -> Folds:
    if isinstance(folds, Folds):
        return folds
    usual = FOLDS[task.kind]
    return usual if folds is None else type(usual)(n=folds)  # type: ignore[call-arg]


def _described(task: Task, frame: pd.DataFrame, named: str | None, kind: str | None, text: Any) -> str:
    """One line that says what was guessed: kind, metric, text columns, ids."""
    values = [f"'{name}' has {label_texts(frame[name]).nunique()} different values" for name in task.targets]
    guessed = "" if kind else f" (guessed: {', '.join(values)})"
    if task.kind == "binary" and task.classes:
        guessed += f", {task.classes[1]!r} counts as positive"
    texts = (f"text in {', '.join(task.text)}" if task.text else "no text") + (" (guessed)" if text is None else "")
    ids = f"ids from '{named}'" if named else "rows are numbered"
    texts += f", pictures in {', '.join(task.images)}" if task.images else ""
    count = len(task.tabular(task.inputs))
    others = "1 other column" if count == 1 else f"{count} other columns"
    return f"{task.kind}{guessed}, scored by {task.metric.name}; {texts}, {others}; {ids}"
