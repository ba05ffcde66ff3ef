"""Curves: the score by the number of train rows, of folds, or of averaged seeds."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from kit.core.errors import KitError, nearest
from kit.core.files import replacing, write_json
from kit.core.spec import digest
from kit.evidence.overrides import overridden
from kit.evidence.significance import fold_scores, metric_of_fold_scores
from kit.metrics.intervals import Interval, bootstrap
from kit.run.check import check_members
from kit.run.events import OnEvent, ignore
from kit.run.jobs import Job, fit_jobs, raise_failures
from kit.run.oof import out_of_fold
from kit.run.run import Run

Over = Literal["rows", "folds", "seeds"]
EVEN = 0.01  # folds count as equally large if their numbers of train rows differ by less than this share
AXES = {"rows": "train rows of a fold", "folds": "folds", "seeds": "seeds averaged"}


@dataclass(frozen=True)
class CurvePoint:
    """One point of a curve.

    Attributes:
        at: number of rows, folds or seeds.
        score: score of all out-of-fold rows together, with its interval over rows or groups of rows.
        spread: standard deviation: of the folds' scores, or (over seeds) of sets that share no seed; None if there is
            only one value.
        seconds: seconds of all fits of this point.
    """

    at: int
    score: Interval
    spread: float | None
    seconds: float


@dataclass(frozen=True)
class ScoreCurve:
    """A curve and its file: `path` is JSON, with a PNG beside it."""

    member: str
    over: Over
    metric: str
    points: list[CurvePoint]
    path: Path


def curve(
    run: Run, member: str, over: str = "rows", points: Sequence[int] = (), folds: list[int] | None = None,
    on: str = "inline", on_event: OnEvent = ignore, rounds: int = 1000,
) -> ScoreCurve:  # fmt: skip
    """Fits what the curve needs, through the bank, and draws it.

    `rows`: each fold learns from this number of its train rows (a smaller set is a part of a larger one); the scored
    rows stay the same. No point has more rows than the smallest fold, so every point has all folds.
    `folds`: plans with this number of folds. `seeds`: the mean prediction of this number of seeds. Of K fitted seeds, K
    different sets are scored, each beginning with another seed, and the point is the mean of their scores.

    Args:
        run: recipe, rows and run folder.
        member: name of the member.
        over: what varies.
        points: rising numbers. Default: an eighth, a quarter, a half and all of the rows (of the smallest fold); or 2,
            3, 5, 10 folds; or 1, 2, 3, 5 seeds.
        folds: folds that are scored; all by default.
        on: the executor, see `kit.run.execute`.
        on_event: called with each event of `kit.run.events`.
        rounds: number of resamples of the bootstrap.

    Raises:
        KitError: there is no such curve of this member, or a fit fails.
    """
    if over not in get_args(Over):
        raise KitError(f"over={over}: no such curve" + nearest(over, list(get_args(Over))))
    check_members(run, [member])
    make = {"rows": _rows, "folds": _folds, "seeds": _seeds}[over]
    runs = make(run, member, list(points), folds)
    plans = {at: (some[0].chosen_folds(folds), some) for at, some in runs.items()}
    jobs = [
        Job(one, member, fold, f"{member}, {_label(over, at, draw_)}")
        for at, (numbers, some) in plans.items()
        for draw_, one in enumerate(some)
        for fold in numbers
    ]
    raise_failures(fit_jobs(jobs, on, on_event))
    drawn = [_point(at, numbers, some, member, over, rounds, run.clusters_of) for at, (numbers, some) in plans.items()]
    folders = [[one.store(member).folder.name for one in some] for _, some in plans.values()]
    key = digest([*folders, folds, list(plans)])[:8]
    metric = run.table.task.metric.name
    result = ScoreCurve(member, over, metric, drawn, run.root / "curves" / f"{member}-{over}-{key}.json")  # type: ignore[arg-type]
    write_json(result.path, {"member": member, "over": over, "metric": metric, "points": [_as_json(p) for p in drawn]})
    draw(result)
    return result


def _label(over: str, at: int, draw: int) -> str:
    return f"seed {draw}" if over == "seeds" else f"{at:,} {over}"


def _rows(run: Run, member: str, points: list[int], folds: list[int] | None) -> dict[int, list[Run]]:
    sizes = [len(run.split(fold)[0]) for fold in run.chosen_folds(folds)]
    whole, least = max(sizes), min(sizes)
    even = whole - least <= EVEN * whole
    most = whole if even else least
    points = points or sorted({max(most // part, 1) for part in (8, 4, 2, 1)})
    if points[-1] > whole:
        raise KitError(f"points={points[-1]}: a fold learns from {whole} rows, no more")
    if points[-1] > most:
        raise KitError(
            f"points={points[-1]}: the smallest fold learns from {least} rows, the largest from {whole}; with "
            f"more than {least}, some folds would have no score"
        )
    # with all rows it is the member itself, whose folds may be finished
    return {n: [run.with_fewer(None if even and n == whole else n)] for n in points}


def _folds(run: Run, member: str, points: list[int], folds: list[int] | None) -> dict[int, list[Run]]:
    if folds:
        raise KitError("over=folds always uses all folds; leave out folds=")
    if "n" not in type(run.recipe.folds).model_fields:
        raise KitError(f"folds of kind {type(run.recipe.folds).__name__} have no number of folds that can be changed")
    if points and points[0] < 2:
        raise KitError(f"points={points[0]}: a plan has at least 2 folds")
    return {n: [run.with_settings(f"folds.n={n}")] for n in points or [2, 3, 5, 10]}


def _seeds(run: Run, member: str, points: list[int], folds: list[int] | None) -> dict[int, list[Run]]:
    points = points or [1, 2, 3, 5]
    if not run.recipe.members[member].is_random:
        raise KitError(f"over=seeds: '{member}' gives the same result with every seed")
    every = [overridden(run, member, seed=seed) for seed in range(points[-1])]
    return dict.fromkeys(points, every)


def _point(
    at: int, folds: list[int], runs: list[Run], member: str, over: str, rounds: int,
    clusters_of: Callable[[np.ndarray], np.ndarray | None],
) -> CurvePoint:  # fmt: skip
    run = runs[0]
    rows = np.isin(run.plan, folds)
    metric, y = run.metric_of(rows), run.table.y[rows]
    oofs = [out_of_fold(one, one.gathered(member, folds)) for one in runs]
    several = len(oofs) if over == "seeds" else 1
    draws = [[(start + i) % several for i in range(at if over == "seeds" else 1)] for start in range(several)]
    if at == several:
        draws = draws[:1]
    scores, interval, single = [], None, np.array([])
    for draw_ in draws:
        single, predictions = fold_scores(run, np.mean([oofs[i] for i in draw_], axis=0), folds)
        predictions = predictions[rows]
        at_half = metric_of_fold_scores(metric, y, predictions)
        if interval is None:
            interval = bootstrap(at_half, y, predictions, rounds=rounds, groups=clusters_of(rows))
        scores.append(at_half(y, predictions))
    assert interval is not None
    mean = float(np.mean(scores))
    # the variation over rows is the same for every set: take the first set's interval, moved to the mean
    score = Interval(mean, interval.low + mean - interval.value, interval.high + mean - interval.value)
    # sets with common seeds are similar; only sets without show the variation of such means
    values = np.array(scores[: several - at + 1 : at]) if over == "seeds" else single
    values = values[~np.isnan(values)]
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    used = runs[:at] if over == "seeds" else runs
    seconds = sum(Job(one, member, fold).cost().get("seconds", 0.0) for one in used for fold in folds)
    return CurvePoint(at, score, spread, round(seconds, 1))


def _as_json(point: CurvePoint) -> dict[str, Any]:
    return asdict(replace(point)) | {"score": {k: None if v != v else v for k, v in asdict(point.score).items()}}


def draw(result: ScoreCurve) -> Path:
    """Writes the picture beside the JSON file and returns its path."""
    from matplotlib.figure import Figure

    at = np.array([p.at for p in result.points])
    score, low, high = (np.array([getattr(p.score, name) for p in result.points]) for name in ("value", "low", "high"))
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes: Any = figure.subplots()
    axes.fill_between(at, low, high, color="#1f5f8b", alpha=0.15, linewidth=0)
    axes.plot(at, score, marker="o", color="#1f5f8b")
    axes.set(xlabel=AXES[result.over], ylabel=result.metric, title=result.member)
    if result.over == "rows" and len(at) > 1:
        axes.set_xscale("log")
    axes.set_xticks(at, [f"{n:,}" for n in at])
    axes.minorticks_off()
    axes.ticklabel_format(axis="y", useOffset=False)
    path = result.path.with_suffix(".png")
    with replacing(path) as temporary, open(temporary, "wb") as file:
        figure.savefig(file, format="png", dpi=120)
    return path
