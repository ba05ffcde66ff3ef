"""Compare: is one member, blend or finished run really better than another, on the same folds and seeds?"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kit.core.errors import KitError, nearest
from kit.core.files import checksum, read_array, read_json, write_json
from kit.core.spec import digest
from kit.evidence.overrides import overridden
from kit.evidence.significance import corrected_t, fold_scores, seeds_difference, valid_train_ratio
from kit.metrics.intervals import Difference
from kit.run.bank import Fold, FoldStore
from kit.run.blend import last_blend
from kit.run.events import OnEvent, ignore
from kit.run.jobs import Job, fit_jobs, raise_failures
from kit.run.oof import out_of_fold
from kit.run.run import Run


@dataclass(frozen=True)
class ComparedSide:
    """One side of a comparison.

    Attributes:
        label: the side as it was typed.
        scores: (folds, seeds).
        predictions: (n, outputs) for each seed: predictions, or decisions if the metric uses a threshold.
        key: names of its folders in the bank.
    """

    label: str
    scores: np.ndarray
    predictions: list[np.ndarray]
    key: list[str]


@dataclass(frozen=True)
class Comparison:
    """The difference of two sides; positive if `a` is better.

    Attributes:
        t: the test over folds and seeds, by `corrected_t`.
        rows: the paired bootstrap of all out-of-fold predictions, over rows or over groups of rows that the fold plan
            keeps together.
        verdict: the result in one sentence.
        note: which sides were fitted with one seed only, and why; empty if there are none.
        path: the file of the result.
    """

    a: ComparedSide
    b: ComparedSide
    folds: list[int]
    t: Difference
    rows: Difference
    verdict: str
    note: str
    path: Path


def compare(
    run: Run, a: str, b: str, seeds: int = 3, folds: list[int] | None = None, on: str = "inline",
    on_event: OnEvent = ignore, rounds: int = 1000,
) -> Comparison:  # fmt: skip
    """Fits both sides on the same folds and seeds, through the bank, and tests their difference.

    Args:
        a: a member with settings, such as "minilm minilm.stage.epochs=2"; or a finished folder of the run folder, or
            the beginning of its name, such as "blend"; such a folder is only read.
        b: the other side, in the same form.
        seeds: number of seeds, beginning with the member's own. A finished folder has one seed; so does a member that
            uses no random numbers.
        on_event: called with each event of `kit.run.events`.
        rounds: number of resamples of the bootstrap.

    Raises:
        KitError: a side does not exist, has other rows or folds, or a fit fails.
    """
    chosen = run.chosen_folds(folds)
    if len(chosen) < 2:
        raise KitError(f"compare needs at least 2 folds to tell a gain from random variation; it got {len(chosen)}")
    sources = [_source(run, text, seeds, chosen) for text in (a, b)]
    jobs = [job for source in sources if isinstance(source, _Runs) for job in source.jobs(chosen)]
    raise_failures(fit_jobs(jobs, on, on_event))
    fixed = [source.text for source in sources if isinstance(source, _Runs) and not source.is_random]
    note = f"no seed changes {' nor '.join(fixed)}: fitted once a fold" if fixed and seeds > 1 else ""
    if len(fixed) == 2:
        sources = [replace(source, runs=source.runs[:1]) for source in sources if isinstance(source, _Runs)]
    first, second = (_side(run, text, source, chosen) for text, source in zip((a, b), sources, strict=True))
    plan, y = run.plan, run.table.y
    scored = np.isin(plan, chosen)
    metric = run.metric_of(scored)
    sign = 1 if metric.greater_is_better else -1
    t = corrected_t(sign * (first.scores - second.scores), valid_train_ratio(run, chosen))
    one, two = ([p[scored] for p in side.predictions] for side in (first, second))
    rows = seeds_difference(metric, y[scored], one, two, rounds, run.clusters_of(scored))
    sentence = verdict(first, second, t, rows, metric.name)
    key = digest([first.key, second.key, chosen])[:8]
    path = run.root / "compare" / f"{key}.json"
    write_json(path, {
        "metric": metric.name, "folds": chosen, "seeds": first.scores.shape[1], "rows": int(scored.sum()),
        "a": _as_json(first), "b": _as_json(second), "t_test": _finite(t), "bootstrap": _finite(rows),
        "verdict": sentence, "note": note,
    })  # fmt: skip
    return Comparison(first, second, chosen, t, rows, sentence, note, path)


@dataclass(frozen=True)
class _Runs:
    """A side that is fitted: one run for each seed; several of them can be the same run."""

    text: str
    member: str
    runs: list[Run]

    @property
    def is_random(self) -> bool:
        return self.runs[0].recipe.members[self.member].is_random

    def jobs(self, folds: list[int]) -> list[Job]:
        seeds = {id(run): run for run in self.runs}.values()
        return [Job(run, self.member, f, f"{self.text}, seed {seed}") for seed, run in enumerate(seeds) for f in folds]


def _source(run: Run, text: str, seeds: int, folds: list[int]) -> _Runs | Path:
    """The member to fit, or the finished folder."""
    name, *settings = text.split() or [""]
    if name in run.recipe.members:
        own = _Runs(text, name, [overridden(run, name, settings)] * seeds)
        others = [overridden(run, name, settings, seed) for seed in range(1, seeds)] if own.is_random else []
        return replace(own, runs=[own.runs[0], *others]) if others else own
    folders = {p.name: p for p in sorted(run.root.glob("*")) if (p / "spec.json").exists() or (p / "oof.npy").exists()}
    found = [name] if name in folders else [f for f in folders if name and f.startswith(name)]
    if len(found) != 1:
        if found:
            raise KitError(f"'{name}' is the beginning of several runs: {', '.join(found)}")
        raise KitError(f"'{name}' is no member and no run" + nearest(name, [*run.recipe.members, *folders]))
    if settings:
        raise KitError(
            f"'{name}' is a finished run and takes no settings: {' '.join(settings)}; name its member instead"
        )
    if seeds > 1:
        raise KitError(f"seeds={seeds}: '{found[0]}' is a finished run of one seed; take seeds=1, or name its member")
    _check_same_rows(run, folders[found[0]], folds)
    return folders[found[0]]


def _check_same_rows(run: Run, folder: Path, folds: list[int]) -> None:
    if not (folder / "spec.json").exists():
        if folder.name == "blend" and last_blend(run) is None:
            raise KitError("'blend' was made of other members, settings or rows; run make blend")
        if len(read_array(folder / "oof.npy", mmap_mode="r")) != (run.plan >= 0).sum():
            raise KitError(f"'{folder.name}' was made on other rows or folds")
        return
    made, context = read_json(folder / "spec.json"), run.context
    made.pop("member", None)
    if "metric" in made:  # for a member whose fit uses the metric
        context["metric"] = run.table.task.metric.identity()
    if others := [key for key in sorted({*made, *context}) if digest(made.get(key)) != digest(context.get(key))]:
        named = {"data": "set of rows", "plan": "fold plan", "fewer": "number of train rows"}
        differing = " and ".join(named.get(key, key) for key in others)
        raise KitError(f"'{folder.name}' was fitted with another {differing}; a comparison needs the same")
    for fold in folds:
        _read(folder, fold)


def _read(folder: Path, number: int) -> Fold:
    if (kept := FoldStore(folder).read(number)) is None:
        raise KitError(f"'{folder.name}' has no finished fold {number}; take folds= that both have")
    return kept


def _side(run: Run, text: str, source: _Runs | Path, folds: list[int]) -> ComparedSide:
    if isinstance(source, Path):
        whole = np.full((len(run.plan), run.table.task.outputs), np.nan)
        if (source / "spec.json").exists():
            for fold in folds:
                whole[run.plan == fold] = _read(source, fold).valid
        else:
            whole[run.plan >= 0] = read_array(source / "oof.npy")
        oofs, key = [whole], [source.name, *([checksum(p)[:8] for p in source.glob("oof.npy")])]
    else:
        oofs = [out_of_fold(one, one.gathered(source.member, folds)) for one in source.runs]
        key = [one.store(source.member).folder.name for one in source.runs]
    scores, predictions = zip(*(fold_scores(run, p, folds) for p in oofs), strict=True)
    return ComparedSide(text, np.stack(scores, axis=1), list(predictions), key)


def verdict(a: ComparedSide, b: ComparedSide, t: Difference, rows: Difference, metric: str) -> str:
    """The result of both tests, in one sentence.

    Args:
        t: the test over folds and seeds; positive if `a` is better.
        rows: the test over rows, likewise.
        metric: name of the metric.
    """
    if all(np.array_equal(p, q, equal_nan=True) for p, q in zip(a.predictions, b.predictions, strict=True)):
        return "No difference: both sides predict the same numbers."
    if not np.isfinite(t.low):
        known = int((~np.isnan(a.scores - b.scores)).any(axis=1).sum())
        why = "all folds and seeds gain the same" if known > 1 else f"{metric} can score {('no', 'only 1')[known]} fold"
        return _by_rows(why, rows)
    better, gain = ("a", t) if t.value >= 0 else ("b", Difference(-t.value, -t.high, -t.low, t.p))
    over_fits = (
        f"{gain.value:.5f} {metric} (95 % from {gain.low:+.5f} to {gain.high:+.5f}, p = {t.p:.3g}, folds and seeds)"
    )
    agree = (t.value > 0) == (rows.value > 0)
    significant = [test.low > 0 or test.high < 0 for test in (t, rows)]
    if all(significant) and agree:
        return f"{better} is better by {over_fits}; the bootstrap over rows agrees (p = {rows.p:.3g})."
    if all(significant):
        return f"The tests disagree: {better} is ahead by {over_fits}, but behind when all rows are scored together."
    if any(significant):
        same = all((side.scores == side.scores[:, :1]).all() for side in (a, b))  # the seed changes nothing
        lacking = "rows or folds" if same else "seeds or rows"
        only = "over folds and seeds" if significant[0] else "over rows"
        return f"{better} seems better by {over_fits}, but only the test {only} says so: take more {lacking}."
    return f"No difference shown: {better} is ahead by {over_fits}, which may well be random."


def _by_rows(why: str, rows: Difference) -> str:
    """The verdict if the test over folds and seeds cannot tell a gain from random variation."""
    if np.isnan(rows.value):
        return f"Nothing is known: {why}, and all rows together cannot be scored either."
    better, gain = ("a", rows) if rows.value >= 0 else ("b", Difference(-rows.value, -rows.high, -rows.low, rows.p))
    return (
        f"Only the test over rows has a result, because {why}: {better} is ahead by {gain.value:.5f} when all rows are "
        f"scored together (95 % from {gain.low:+.5f} to {gain.high:+.5f}, p = {gain.p:.3g})."
    )


def _as_json(side: ComparedSide) -> dict[str, Any]:
    known = side.scores[~np.isnan(side.scores)]
    return {
        "side": side.label, "made_of": side.key, "mean": float(known.mean()) if len(known) else None,
        "scores": [[None if np.isnan(s) else float(s) for s in fold] for fold in side.scores],
    }  # fmt: skip


def _finite(difference: Difference) -> dict[str, float | None]:
    return {k: float(v) if np.isfinite(v) else None for k, v in asdict(difference).items()}
