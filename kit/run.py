"""A run: a recipe opened on its rows, and the one job it is made of."""

import time
import traceback
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kit.bank import Fold, Shelf
from kit.data import Rows
from kit.duplicates import duplicate_groups
from kit.ensemble.threshold import says_yes
from kit.files import write_array
from kit.folds import fold_numbers, plan_digest
from kit.member import Predictor
from kit.recipe import Recipe
from kit.spec import KitError, Spec, digest
from kit.table import Table
from kit.threads import use_threads

Outcome = Literal["done", "kept", "busy", "failed"]


@dataclass(frozen=True)
class Brief:
    """Names that say which run is meant: what travels to another process or machine instead of data.

    Attributes:
        recipe: "module:Class".
        settings: overrides, presets spelled out.
        folder: where the competition's files lie.
        root: the run folder.
        cache: where what is computed once is kept.
        sample: train rows to keep, or None for all.
        threads: threads of numeric code, the same wherever the job runs.
        fewer: train rows of each fold to keep, or None for all; see `Run`.
    """

    recipe: str
    settings: tuple[str, ...]
    folder: Path
    root: Path
    cache: Path
    sample: int | None = None
    threads: int = 1
    fewer: int | None = None


@dataclass(frozen=True)
class Job:
    """One fold of one member."""

    brief: Brief
    member: str
    fold: int


class Run:
    """A recipe with its rows, fold plan and shelves.

    Args:
        recipe: with all overrides applied.
        table: its rows.
        root: folder for the plan, the members' shelves and what comes of them.
        fewer: each fold learns from this many of its train rows at most, drawn so that fewer are a part of more; it
            is judged on the same rows (learning curves).
    """

    def __init__(self, recipe: Recipe, table: Table, root: Path, fewer: int | None = None) -> None:
        self.recipe, self.table, self.root, self.fewer = recipe, table, root, fewer

    @cached_property
    def plan(self) -> np.ndarray:
        """(n,) the fold that judges each row, -1 for none; read from the run folder where `keep_plan` wrote it."""
        if self._plan_file.exists():
            return np.load(self._plan_file)
        task, train = self.table.task, self.table.train
        same = duplicate_groups(train, self.table.inputs, task.text)
        return self.recipe.folds.plan(train, self.table.y, same)

    @cached_property
    def _plan_file(self) -> Path:
        key = digest([self.recipe.folds.dump(), self.table.digest])[:8]
        return self.root / f"folds-{key}.npy"

    def keep_plan(self) -> None:
        """Writes the plan into the run folder."""
        if not self._plan_file.exists():
            write_array(self._plan_file, self.plan)

    @cached_property
    def folds(self) -> list[int]:
        return fold_numbers(self.plan)

    def chosen_folds(self, folds: list[int] | None) -> list[int]:
        """The folds asked for, all by default; a KitError names one that does not exist."""
        for fold in folds or []:
            if fold not in self.folds:
                raise KitError(f"fold {fold} does not exist; there are: {', '.join(map(str, self.folds))}")
        return sorted(set(folds)) if folds else self.folds

    def split(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Train rows that a fold learns from and those it is judged on, as positions."""
        train, valid = self.recipe.folds.split(self.plan, fold, self.table.train)
        if self.fewer is not None and self.fewer < len(train):
            turn = np.random.default_rng(0).permutation(len(self.plan))
            train = np.sort(train[np.argsort(turn[train])[: self.fewer]])
        return train, valid

    def shelf(self, name: str) -> Shelf:
        """Where a member's folds lie: the key holds settings, task, plan and rows, so nothing else can be mixed in."""
        member = self.recipe.chosen(name)[name]
        task = {k: v for k, v in self.table.task.dump().items() if k not in ("class", "slug", "metric")}
        identity = {
            "member": member.identity(),
            "task": task,
            "plan": plan_digest(self.plan),
            "data": self.table.digest,
            **self.recipe.folds.beside_plan(),
            **({} if self.fewer is None else {"fewer": self.fewer}),
        }
        return Shelf.of(self.root, name.partition("@")[0], identity)  # boost@7, a trial of boost, lies with boost's

    def fit(self, name: str, fold: int) -> Outcome:
        """Fits one fold of one member unless it is done or busy. A fault is written to its error.txt, not raised."""
        shelf = self.shelf(name)
        if shelf.read(fold) is not None:
            return "kept"
        self.keep_plan()
        with shelf.work(fold) as part:
            if part is None:
                return "kept" if shelf.state(fold) == "done" else "busy"
            try:
                self._fit(shelf, name, fold, part)
            except Exception as error:
                shelf.fail(fold, why(error))
                return "failed"
        return "done"

    def _fit(self, shelf: Shelf, name: str, fold: int, part: Path) -> None:
        started = time.monotonic()
        member, metric = self.recipe.members[name], self.table.task.metric
        train, valid = (self.table.rows(at) for at in self.split(fold))
        predictor = member.fit(train, valid, part)
        fitted = time.monotonic()
        shelf.discard_model(fold)
        (part / "model").mkdir()
        predictor.save(part / "model")
        predictions = [self._predicted(name, predictor, rows) for rows in (valid, self.table.test_rows)]
        cut = says_yes(metric, valid.labels, predictions[0])  # what comes of it later has thresholds of its own
        score = {
            "metric": f"{metric.name}@{metric.threshold}" if cut else metric.name,
            "score": metric(valid.labels, predictions[0]),
            "rows": {"train": len(train), "valid": len(valid), "test": len(predictions[1])},
            "seconds": {"fit": round(fitted - started, 3), "predict": round(time.monotonic() - fitted, 3)},
        }
        shelf.finish(fold, predictions[0], predictions[1], score)

    def _predicted(self, name: str, predictor: Predictor, rows: Rows) -> np.ndarray:
        shape = (len(rows), self.table.task.outputs)
        if not len(rows):  # a competition without a test file; most libraries refuse to predict nothing
            return np.empty(shape, np.float32)
        p = np.asarray(predictor.predict(rows), dtype=np.float32)
        if p.shape != shape:
            raise KitError(f"{name}: predictions have shape {p.shape}, not {shape}")
        if bad := int((~np.isfinite(p)).any(axis=1).sum()):
            raise KitError(f"{name}: {bad} predictions are NaN or infinite")
        return p

    def gathered(self, name: str) -> dict[int, Fold]:
        """A member's finished folds by number."""
        shelf = self.shelf(name)
        found = {fold: shelf.read(fold) for fold in self.folds}
        return {fold: kept for fold, kept in found.items() if kept is not None}


def why(error: BaseException) -> str:
    """What error.txt says: the sentence of a KitError, the traceback of a bug."""
    lines = [str(error)] if isinstance(error, KitError) else traceback.format_exception(error)
    return "".join(lines).rstrip() + "\n"


@lru_cache(maxsize=2)
def opened(brief: Brief) -> Run:
    """The run that a brief names; opened once in a process, for all its jobs."""
    module, _, name = brief.recipe.partition(":")
    cls: Any = getattr(import_module(module), name)
    recipe: Spec = cls().override(*brief.settings)
    assert isinstance(recipe, Recipe)
    table = recipe.load(brief.folder, brief.cache)
    if brief.sample is not None:
        table = table.subset(brief.sample)
    return Run(recipe, table, brief.root, brief.fewer)


def run_job(job: Job) -> Outcome:
    """Does one job, in whatever process it finds itself."""
    use_threads(job.brief.threads)
    return opened(job.brief).fit(job.member, job.fold)
