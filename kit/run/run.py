"""A run: a recipe opened on its rows, with its fold plan and its bank."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kit.core.errors import KitError
from kit.core.files import read_array, write_array
from kit.core.machine import MachineFault
from kit.core.spec import digest
from kit.core.sums import DamagedFile, remade
from kit.core.threads import threads as default_threads
from kit.folds import fold_numbers, plan_digest
from kit.member import Member
from kit.metrics import Metric
from kit.recipe import Recipe
from kit.rows import Rows
from kit.run.bank import Fold, FoldStore, finished_plans
from kit.run.duplicates import duplicate_groups, linked_groups
from kit.run.holdout import HELD, planned
from kit.run.opened import Opened
from kit.table import Table

NO_NAMES = (
    "the run was opened from frames, or its recipe class is in no module that can be imported; write the rows to files "
    "and the recipe to a module, and open that recipe on the folder of these files"
)


class Run:
    """A recipe with its rows, its fold plan and the folders of its members' folds.

    A run is pickled as the names that it was opened from, so rows are never sent to other processes. Another process
    reads recipe and rows when they are first needed, so an error in them is an error of its job.

    Args:
        recipe: with all overrides applied.
        table: its rows.
        root: folder for the plan, the members' folds and all results.
        fewer: for learning curves: each fold learns from at most this many of its train rows. They are drawn so that a
            smaller number is a subset of a larger one. The scored rows stay the same.
        holdout: for tuning: about this share of the rows is held out (`kit.run.holdout`). No fold learns from them or
            is scored on them; every fold's model predicts them in place of the test rows.
        opened: names from which another process opens the same run; None if that is impossible, as with frames.
    """

    def __init__(
        self, recipe: Recipe, table: Table, root: Path, fewer: int | None = None, holdout: float = 0.0,
        opened: Opened | None = None,
    ) -> None:  # fmt: skip
        self.recipe, self.table, self.root, self.fewer, self.holdout = recipe, table, root, fewer, holdout
        self.opened = opened

    def __reduce__(self) -> tuple[Any, ...]:
        return run_of, (self._names("the run cannot be pickled"),)

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe with all overrides applied."""
        return self._names("there is no recipe").read_recipe()

    @cached_property
    def table(self) -> Table:
        """Its rows."""
        return self._names("there are no rows").read_table()

    def _names(self, otherwise: str) -> Opened:
        if self.opened is None:
            raise KitError(f"{otherwise}: {NO_NAMES}")
        return self.opened

    def check_can_travel(self, on: str) -> None:
        """Raises a KitError if processes of this executor cannot open the run."""
        if on != "inline":
            self._names(f"on={on} needs a run that other processes can open")

    @property
    def threads(self) -> int:
        """Threads of numeric code, the same wherever a fold is fitted."""
        return self.opened.threads if self.opened else default_threads()

    # ---- runs that differ in something ---------------------------------------------------------

    def with_settings(self, *settings: str) -> "Run":
        """The same run with more override strings, for members or folds."""
        if not settings:
            return self
        fields = type(self.recipe).model_fields
        further = {name: member for name, member in self.recipe.members.items() if name not in fields}
        recipe = self.recipe.override(*settings)
        opened = self.opened and replace(self.opened, settings=(*self.opened.settings, *settings))
        return self._like(recipe.with_members(further) if further else recipe, opened)

    def with_members(self, members: Mapping[str, Member]) -> "Run":
        """The same run with more members that are not fields of its recipe, such as `boost@17`, a trial of a search."""
        return self._like(self.recipe.with_members(members), self.opened and self.opened.with_members(members))

    def with_fewer(self, fewer: int | None) -> "Run":
        """The same run, but each fold learns from at most `fewer` of its train rows."""
        return self._like(self.recipe, self.opened and replace(self.opened, fewer=fewer), fewer=fewer)

    def with_holdout(self, share: float) -> "Run":
        """The same run with this share of its rows held out."""
        return self._like(self.recipe, self.opened and replace(self.opened, holdout=share), holdout=share)

    def with_threads(self, threads: int) -> "Run":
        """The same run with this number of threads; a run without names has the threads of its process."""
        return self._like(self.recipe, self.opened and replace(self.opened, threads=threads))

    def _like(self, recipe: Recipe, opened: Opened | None, **limits: Any) -> "Run":
        limits = {"fewer": self.fewer, "holdout": self.holdout} | limits
        other = Run(recipe, self.table, self.root, **limits, opened=opened)
        if recipe.folds == self.recipe.folds and other.holdout == self.holdout:
            for name in {"plan", "clusters", "_duplicates"} & self.__dict__.keys():  # these depend on nothing else
                setattr(other, name, self.__dict__[name])
        return other

    # ---- rows and folds ------------------------------------------------------------------------

    @cached_property
    def plan(self) -> np.ndarray:
        """(n,) the fold in which each row is scored; -1: in none; HELD: the row is held out.

        If `keep_plan` has written the plan into the run folder, it is read from there.
        """
        if self._plan_file.exists():
            try:
                return read_array(self._plan_file)
            except DamagedFile:
                plan = self._drawn()
                self._check_drawn(plan)
                remade(self._plan_file, "the folds are drawn again")
                with contextlib.suppress(MachineFault):  # a run can be shown even if its folder cannot be written
                    write_array(self._plan_file, plan)
                return plan
        return self._drawn()

    def _check_drawn(self, plan: np.ndarray) -> None:
        """Refuses a plan that is drawn in place of a damaged one, and is not that of the folds finished on these rows.

        Another version of a library may draw other folds. What is finished would then be fitted again, or be blended
        with folds of other rows.
        """
        found = finished_plans(self.root, self.table.digest)
        if found and plan_digest(plan) not in found:
            raise KitError(
                f"{self._plan_file} is damaged, and the folds that are drawn again are not those of the finished "
                "folds; restore the file, or remove it to begin with other folds (the finished ones stay, unused)"
            )

    def _drawn(self) -> np.ndarray:
        folds, train, y, same = self.recipe.folds, self.table.train, self.table.y, self._duplicates
        return planned(folds, self.holdout, train, y, same) if self.holdout else folds.plan(train, y, same)

    @cached_property
    def held(self) -> np.ndarray:
        """Positions of the rows that are held out."""
        return np.flatnonzero(self.plan == HELD)

    @property
    def predicted_rows(self) -> Rows:
        """The rows that every fold's model predicts, without labels: the test rows, or the rows held out."""
        return replace(self.table.rows(self.held), y=None) if self.holdout else self.table.test_rows

    @cached_property
    def clusters(self) -> np.ndarray | None:
        """(n,) a number for each train row, equal for rows that stay in the same fold: rows of a group, duplicates.

        Such rows have similar errors, so intervals resample them together. None: all rows are independent.
        """
        return self.recipe.folds.clusters(self.table.train, self._duplicates)

    def clusters_of(self, rows: np.ndarray) -> np.ndarray | None:
        """The clusters of some train rows (mask or positions): the groups for a bootstrap over these rows."""
        return None if self.clusters is None else self.clusters[rows]

    def metric_of(self, rows: np.ndarray | slice = slice(None)) -> Metric:
        """The task's metric for some train rows (mask or positions), with the columns that it reads of these rows.

        Raises:
            KitError: the train rows do not have such a column.
        """
        return self.table.task.metric.on(self.table.train).take(rows)

    @cached_property
    def _duplicates(self) -> np.ndarray:
        table = self.table
        same = duplicate_groups(table.train, table.inputs, table.task.text)
        alike = table.near_duplicates
        return same if alike is None else linked_groups(same, alike.groups[: len(same)])

    @cached_property
    def _plan_file(self) -> Path:
        without = [self.holdout] if self.holdout else []
        key = digest([self.recipe.folds.identity(), self.table.digest, *without])[:8]
        return self.root / f"folds-{key}.npy"

    def keep_plan(self) -> None:
        """Writes the plan into the run folder."""
        if not self._plan_file.exists():
            write_array(self._plan_file, self.plan)

    @cached_property
    def folds(self) -> list[int]:
        return fold_numbers(self.plan)

    def chosen_folds(self, folds: list[int] | None) -> list[int]:
        """These folds (all by default), sorted; a KitError if one does not exist."""
        for fold in folds or []:
            if fold not in self.folds:
                raise KitError(f"fold {fold} does not exist; there are: {', '.join(map(str, self.folds))}")
        return sorted(set(folds)) if folds else self.folds

    def split(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the train rows that a fold learns from, and of the rows that it is scored on.

        A row whose labels are all missing is not learnt from.
        """
        train, valid = self.recipe.folds.split(self.plan, fold, self.table.train)
        train = train[(self.plan[train] != HELD) & ~np.isnan(self.table.y[train]).all(axis=1)]
        if self.fewer is not None and self.fewer < len(train):
            turn = np.random.default_rng(0).permutation(len(self.plan))
            train = np.sort(train[np.argsort(turn[train])[: self.fewer]])
        return train, valid

    @property
    def context(self) -> dict[str, Any]:
        """Everything except the member that a fit of this run depends on: task, plan and rows."""
        return {
            "task": {k: v for k, v in self.table.task.to_dict().items() if k not in self._beside},
            "plan": plan_digest(self.plan),
            "data": self.table.digest,
            **self.recipe.folds.beside_plan(),
            **({} if self.fewer is None else {"fewer": self.fewer}),
        }

    @property
    def _beside(self) -> tuple[str, ...]:
        """Facts of the task on which no fit depends; older banks know no `images` and no `weight`."""
        task = self.table.task
        unused = [*(() if task.images else ("images", "bad_images")), *(() if task.weight else ("weight",))]
        return ("class", "slug", "metric", *unused)

    def store(self, name: str) -> FoldStore:
        """The folder of a member's folds. Its key is made of settings, task, plan and rows.

        The metric is a part of the key only if the fit uses it (early stopping); otherwise the same predictions can be
        scored by another metric.
        """
        member = self.recipe.chosen(name)[name]
        identity = {"member": member.identity(), **self.context}
        if member.uses_metric:
            identity["metric"] = self.table.task.metric.identity()
        # boost@7, a trial of boost, has its folder beside those of boost
        return FoldStore.of(self.root, name.partition("@")[0], identity)

    def gathered(self, name: str, folds: Iterable[int] | None = None) -> dict[int, Fold]:
        """A member's finished folds by number, among `folds` (None: all)."""
        store = self.store(name)
        found = {fold: store.read(fold) for fold in (self.folds if folds is None else folds)}
        return {fold: kept for fold, kept in found.items() if kept is not None}


@lru_cache(maxsize=16)
def run_of(opened: Opened) -> Run:
    """The run that these names open; all jobs of a process share it."""
    run = Run.__new__(Run)
    run.root, run.fewer, run.holdout, run.opened = opened.root, opened.fewer, opened.holdout, opened
    return run
