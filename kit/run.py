"""A run: a recipe opened on its rows, and the one job it is made of."""

import json
import time
import traceback
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from kit.bank import Fold, Shelf
from kit.data import Rows
from kit.duplicates import duplicate_groups
from kit.ensemble.threshold import says_yes
from kit.files import read_json, write_array, write_json
from kit.folds import fold_numbers, plan_digest
from kit.holdout import HELD, planned
from kit.member import Member, Predictor
from kit.recipe import Recipe
from kit.spec import KitError, Spec, digest
from kit.table import Table
from kit.threads import use_threads

ATTEMPT = "attempt.json"  # when work on an unfinished fold began, and what was spent on it before
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
        holdout: share of the train rows that is held out; see `Run`.
        further: name and dumped spec, as JSON, of members that are none of the recipe's fields.
    """

    recipe: str
    settings: tuple[str, ...]
    folder: Path
    root: Path
    cache: Path
    sample: int | None = None
    threads: int = 1
    fewer: int | None = None
    holdout: float = 0.0
    further: tuple[tuple[str, str], ...] = ()


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
        holdout: about this share of the rows is held out (`kit.holdout`): no fold learns from them or is judged on
            them, and every fold's model predicts them in place of the test rows (tuning).
    """

    def __init__(
        self, recipe: Recipe, table: Table, root: Path, fewer: int | None = None, holdout: float = 0.0
    ) -> None:
        self.recipe, self.table, self.root, self.fewer, self.holdout = recipe, table, root, fewer, holdout

    def under(self, recipe: Recipe) -> "Run":
        """The same rows, folder and limits under another recipe."""
        return Run(recipe, self.table, self.root, self.fewer, self.holdout)

    @cached_property
    def plan(self) -> np.ndarray:
        """(n,) the fold that judges each row, -1 for none; read from the run folder where `keep_plan` wrote it.

        Rows that are held out have HELD.
        """
        if self._plan_file.exists():
            return np.load(self._plan_file)
        folds, train, y, same = self.recipe.folds, self.table.train, self.table.y, self._duplicates
        return planned(folds, self.holdout, train, y, same) if self.holdout else folds.plan(train, y, same)

    @cached_property
    def held(self) -> np.ndarray:
        """Positions of the rows that are held out."""
        return np.flatnonzero(self.plan == HELD)

    @property
    def asked(self) -> Rows:
        """The rows that every fold's model predicts, without labels: those of the test file, or those held out."""
        return replace(self.table.rows(self.held), y=None) if self.holdout else self.table.test_rows

    @cached_property
    def clusters(self) -> np.ndarray | None:
        """(n,) a number a train row, equal for rows that the fold plan keeps together: groups, duplicates.

        None where every row stands alone. They err alike, so intervals draw them together (`clusters_of`).
        """
        return self.recipe.folds.clusters(self.table.train, self._duplicates)

    def clusters_of(self, rows: np.ndarray) -> np.ndarray | None:
        """The clusters of some train rows, by mask or position: what a bootstrap over these rows takes as groups."""
        return None if self.clusters is None else self.clusters[rows]

    @cached_property
    def _duplicates(self) -> np.ndarray:
        return duplicate_groups(self.table.train, self.table.inputs, self.table.task.text)

    @cached_property
    def _plan_file(self) -> Path:
        without = [self.holdout] if self.holdout else []
        key = digest([self.recipe.folds.dump(), self.table.digest, *without])[:8]
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
        train = train[self.plan[train] != HELD]
        if self.fewer is not None and self.fewer < len(train):
            turn = np.random.default_rng(0).permutation(len(self.plan))
            train = np.sort(train[np.argsort(turn[train])[: self.fewer]])
        return train, valid

    @property
    def ground(self) -> dict[str, Any]:
        """What all fits of this run stand on: task, plan and rows."""
        return {
            "task": {k: v for k, v in self.table.task.dump().items() if k not in ("class", "slug", "metric")},
            "plan": plan_digest(self.plan),
            "data": self.table.digest,
            **self.recipe.folds.beside_plan(),
            **({} if self.fewer is None else {"fewer": self.fewer}),
        }

    def shelf(self, name: str) -> Shelf:
        """Where a member's folds lie: the key holds settings, task, plan and rows, so nothing else can be mixed in.

        The metric is a part of it where fits choose by it; otherwise another metric judges the same predictions.
        """
        member = self.recipe.chosen(name)[name]
        identity = {"member": member.identity(), **self.ground}
        if member.judges:
            identity["metric"] = self.table.task.metric.name
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
        before, started = spent_before(part), time.monotonic()
        member, metric = self.recipe.members[name], self.table.task.metric
        train, valid = (self.table.rows(at) for at in self.split(fold))
        predictor = member.fit(train, valid, part)
        fitted = time.monotonic()
        shelf.discard_model(fold)
        (part / "model").mkdir()
        predictor.save(part / "model")
        predictions = [self._predicted(name, predictor, rows) for rows in (valid, self.asked)]
        cut = says_yes(metric, valid.labels, predictions[0])  # what comes of it later has thresholds of its own
        score = {
            "metric": f"{metric.name}@{metric.threshold}" if cut else metric.name,
            "score": metric(valid.labels, predictions[0]),
            "rows": {"train": len(train), "valid": len(valid), "test": len(predictions[1])},
            "seconds": {"fit": round(before + fitted - started, 3), "predict": round(time.monotonic() - fitted, 3)},
        }
        (part / ATTEMPT).unlink()
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


def spent_before(part: Path) -> float:
    """Seconds that earlier attempts at a fold took, as long as they left traces in its folder; another one begins."""
    path, before = part / ATTEMPT, 0.0
    if path.exists():
        told = read_json(path)
        last = max(file.stat().st_mtime for file in part.rglob("*") if file.is_file())
        before = told["before"] + max(0.0, last - told["began"])
    write_json(path, {"before": before, "began": time.time()})
    return before


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
    # members have no part in reading rows, so a search or an ablation reads them once for all its settings
    untouched = recipe.model_copy(update={name: getattr(cls(), name) for name in recipe.members})
    table = _table(untouched, brief.folder, brief.cache, brief.sample)
    recipe = recipe.with_members({name: cast(Member, Spec.revive(json.loads(text))) for name, text in brief.further})
    return Run(recipe, table, brief.root, brief.fewer, brief.holdout)


@lru_cache(maxsize=2)
def _table(recipe: Recipe, folder: Path, cache: Path, sample: int | None) -> Table:
    table = recipe.load(folder, cache)
    return table if sample is None else table.subset(sample)


def run_job(job: Job) -> Outcome:
    """Does one job, in whatever process it finds itself."""
    use_threads(job.brief.threads)
    return opened(job.brief).fit(job.member, job.fold)
