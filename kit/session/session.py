"""Session: an opened recipe in a notebook: fit, show, blend, predict."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kit.core.console import make_console
from kit.core.errors import KitError
from kit.core.files import read_array
from kit.evidence.leaks import find_leaks
from kit.guess import as_frame
from kit.recipe import Recipe
from kit.run.check import check_members
from kit.run.jobs import Job, fit_jobs, jobs_of, unfinished
from kit.run.outcome import Outcome
from kit.run.plan_notes import plan_notes
from kit.run.run import Run
from kit.session.results import Blending, Curves, Leaderboard
from kit.table import Table

if TYPE_CHECKING:
    from rich.console import Console


class Session:
    """A recipe opened on its rows, see `Recipe.open`. What is fitted is kept in `folder`, also for later sessions.

    Attributes:
        run: rows, folds and bank.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    @property
    def recipe(self) -> Recipe:
        """The recipe with all its settings."""
        return self.run.recipe

    @property
    def table(self) -> Table:
        """The rows."""
        return self.run.table

    @property
    def folder(self) -> Path:
        """The run folder, with finished folds, submission and report."""
        return self.run.root

    @cached_property
    def console(self) -> "Console":
        """Where progress is shown."""
        return make_console()

    # ---- fitting -------------------------------------------------------------------------------

    def fit(
        self, only: str | Sequence[str] | None = None, folds: int | Sequence[int] | None = None, on: str = "inline"
    ) -> Leaderboard:
        """Fits what is not finished yet, with a progress bar.

        Args:
            only: members, such as "linear boost"; all by default.
            folds: folds to fit; all by default.
            on: inline, processes:N, ray or ray:ADDRESS, see `kit.run.execute`.

        Raises:
            KitError: a fold failed. What is finished is kept; call `fit` again to try the rest.
        """
        outcomes = self.fitted(only, folds, on)
        if failures := failures_of(outcomes):
            raise KitError(failure_sentence(failures, len(outcomes)))
        return self.leaderboard

    def fitted(
        self, only: str | Sequence[str] | None = None, folds: int | Sequence[int] | None = None, on: str = "inline"
    ) -> dict[Job, Outcome]:
        """Like `fit`, but failures are returned as outcomes and not raised."""
        from kit.report import Progress

        check_members(self.run, self.recipe.chosen(only if only is None or isinstance(only, str) else list(only)))
        jobs = jobs_of(self.run, only, [folds] if isinstance(folds, int) else folds)
        missing = unfinished(jobs)
        if kept := len(jobs) - len(missing):
            self.console.print(f"{kept} of {len(jobs)} folds were finished before", highlight=False)
        if missing:
            leaks = find_leaks(self.run.table, self.recipe.folds, quick=True)
            for note in (*plan_notes(self.run), *(leak.sentence for leak in leaks)):
                self.console.print(note, highlight=False)
        with Progress(missing, self.console) as progress:
            return fit_jobs(missing, on, progress.on_event)

    # ---- looking -------------------------------------------------------------------------------

    @property
    def leaderboard(self) -> Leaderboard:
        """The table of members and folds."""
        from kit.run.blend import last_blend

        return Leaderboard(self.run, list(self.recipe.members), last_blend(self.run))

    def oof(self, member: str | None = None) -> pd.DataFrame:
        """Out-of-fold predictions of the train rows: the id, then one column for each target (multiclass: each class).

        Rows of unfinished folds, and rows that are in no validation fold, are NaN.

        Args:
            member: name of the member. None: predictions of the last blend; each fold is blended with weights that were
                learnt without it.

        Raises:
            KitError: no fold of the member is finished, or there is no blend.
        """
        from kit.run.blend import last_blend
        from kit.run.oof import out_of_fold

        if member is None:
            if last_blend(self.run) is None:
                raise KitError("nothing was blended yet: run.blend() does it")
            whole = np.full((len(self.run.plan), self.table.task.outputs), np.nan)
            whole[self.run.plan >= 0] = read_array(self.folder / "blend" / "oof.npy")
            return self._frame(self.table.train, whole)
        (name,) = self.recipe.chosen([member])
        folds = self.run.gathered(name)
        if not folds:
            raise KitError(f"no fold of '{name}' is finished: run.fit(only='{name}') fits it")
        return self._frame(self.table.train, out_of_fold(self.run, folds))

    def _frame(self, rows: pd.DataFrame, predictions: np.ndarray) -> pd.DataFrame:
        task = self.table.task
        columns = {name: predictions[:, i] for i, name in enumerate(task.output_names)}
        return pd.DataFrame({task.id: rows[task.id].to_numpy(), **columns})

    def curves(self, member: str) -> Curves:
        """Training curves of a network: loss by step, and scores of epochs, for each fold.

        Raises:
            KitError: there is no such member, or it has no training log.
        """
        (name,) = self.recipe.chosen([member])
        return Curves(self.run, name)

    def report(self) -> Path:
        """Writes report.html into the run folder, prints where it is, and returns its path."""
        from kit.report.page import write_report

        path = write_report(self.run, list(self.recipe.members))
        self.console.print(f"report: {path}", highlight=False, soft_wrap=True)
        return path

    # ---- blending and predicting ---------------------------------------------------------------

    def blend(self, only: str | Sequence[str] | None = None) -> Blending:
        """Blends the members whose folds are all finished; writes submission.csv if there are test rows.

        Args:
            only: members to blend; all by default.

        Raises:
            KitError: no member is finished.
        """
        from kit.run.blend import blend
        from kit.run.faults import scorable
        from kit.run.oof import complete

        names = list(self.recipe.chosen(only if only is None or isinstance(only, str) else list(only)))
        if (report := blend(self.run, names)) is None:
            if unscored := scorable(self.run, complete(self.run, names))[1]:
                raise KitError(f"nothing to blend: {unscored[0]}; the predictions are kept")
            done = ", ".join(f"{name} has {len(self.run.gathered(name))}" for name in names)
            count = len(self.run.folds)
            raise KitError(f"nothing to blend: no member has all its {count} folds ({done}); run.fit() fits the rest")
        for warning in report.warnings:
            self.console.print(f"warning: {warning}", highlight=False)
        return Blending(self.run, names, report)

    def predict(self, rows: Any, member: str | None = None, sides: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Predictions of new rows: the mean of the predictions of all folds' models.

        Args:
            rows: a frame with the input columns. Without an id column, rows are numbered.
            member: name of a member; None: the blend (members are blended first if there is no blend).
            sides: name of a side table → rows that belong to these rows; None: those that the run was opened with.

        Returns:
            The id, then one column for each target (multiclass: each class).

        Raises:
            KitError: a column is missing, or the member has no finished fold.

        Warns:
            UserWarning: of cells that are not of their column's type, and of pictures that cannot be read.
        """
        from kit.run.blend import last_blend
        from kit.run.predict import new_rows, predict, predict_blend

        frame, task = as_frame(rows), self.table.task
        if member is not None:
            predictions = predict(self.run, [member], new_rows(self.run, frame, sides))[member]
        else:
            if last_blend(self.run) is None:
                self.blend()
            predictions = predict_blend(self.run, frame, new_rows(self.run, frame, sides))
        named = frame if task.id in frame else frame.assign(**{task.id: range(len(frame))})
        return self._frame(named, predictions)

    def __repr__(self) -> str:
        rows, task = len(self.table.train), self.table.task
        members = ", ".join(self.recipe.members)
        return f"{task.name}: {rows:,} rows, {len(self.run.folds)} folds, members {members}; kept in {self.folder}"


def failures_of(outcomes: dict[Job, Outcome]) -> dict[Job, Outcome]:
    """The jobs that are not finished: failed, or busy in another process."""
    return {job: outcome for job, outcome in outcomes.items() if not outcome.finished}


def failure_sentence(failures: dict[Job, Outcome], count: int) -> str:
    """A sentence about the first failure: its error, the file with the whole error, and the other failures."""
    (job, outcome), *others = failures.items()
    where = f" (all of it in {job.store.part(job.fold) / 'error.txt'})" if outcome.state == "failed" else ""
    more = f"; so did {', '.join(str(other) for other, _ in others)}" if others else ""
    return f"{job} of {count} folds to fit {outcome.state}: {outcome.sentence}{where}{more}; what is finished is kept"
