"""Curves: score against rows learnt from, against the number of folds, against seeds averaged."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from kit.files import replacing, write_json
from kit.gains import judged
from kit.intervals import Interval, bootstrap
from kit.run import Brief, Run
from kit.spec import KitError, digest, nearest
from kit.variants import Fit, Told, Variant, fit_all, insist, revised, vary

Over = Literal["rows", "folds", "seeds"]
EVEN = 0.01  # folds whose numbers of train rows differ by less than this share are taken for equal
AXES = {"rows": "train rows of a fold", "folds": "folds", "seeds": "seeds averaged"}


@dataclass(frozen=True)
class Point:
    """One point of a curve.

    Attributes:
        at: rows, folds or seeds.
        score: of all out-of-fold rows together, and its interval over rows (or over groups of them).
        spread: (rows, folds) standard deviation of the folds' scores; (seeds) of the scores of draws that share no
            seed; None where there is one only.
        seconds: of all fits of this point.
    """

    at: int
    score: Interval
    spread: float | None
    seconds: float


@dataclass(frozen=True)
class Curve:
    """A curve, and where it was written: `path` is JSON, a PNG lies beside it."""

    member: str
    over: Over
    metric: str
    points: list[Point]
    path: Path


def curve(
    run: Run, brief: Brief | None, member: str, over: str = "rows", points: Sequence[int] = (),
    folds: list[int] | None = None, on: str = "inline", told: Told = lambda fit, outcome: None, rounds: int = 1000,
) -> Curve:  # fmt: skip
    """Fits what the curve needs, through the bank, and draws it.

    `rows`: each fold learns from so many of its train rows, fewer being a part of more, and is judged on the same ones.
    No point lies beyond the smallest fold, so that each is of all folds alike.
    `folds`: plans with so many folds. `seeds`: the mean of the predictions of so many seeds; of K seeds there are K
    such draws, each beginning with another one, and the score is their mean.

    Args:
        points: rising; by default eighths, quarters, halves and all of the rows (of the smallest fold), 2 3 5 10
            folds, or 1 2 3 5 seeds.
        folds: that are judged; all by default.
        rounds: of the bootstrap.

    Raises:
        KitError: there is no such curve of this member, or a fit fails.
    """
    if over not in get_args(Over):
        raise KitError(f"over={over}: no such curve" + nearest(over, list(get_args(Over))))
    run.recipe.chosen(member)
    make = {"rows": _rows, "folds": _folds, "seeds": _seeds}[over]
    variants = make(run, brief, member, list(points), folds)
    plans = {at: (chosen[0].run.chosen_folds(folds), chosen) for at, chosen in variants.items()}
    fits = [Fit(v, fold) for numbers, chosen in plans.values() for v in chosen for fold in numbers]
    insist(fit_all(list(dict.fromkeys(fits)), on, told))
    drawn = [_point(at, numbers, chosen, over, rounds, run.clusters_of) for at, (numbers, chosen) in plans.items()]
    key = digest([[v.shelf for v in chosen] for _, chosen in plans.values()] + [folds, list(plans)])[:8]
    metric = run.table.task.metric.name
    result = Curve(member, over, metric, drawn, run.root / "curves" / f"{member}-{over}-{key}.json")  # type: ignore[arg-type]
    write_json(result.path, {"member": member, "over": over, "metric": metric, "points": [_facts(p) for p in drawn]})
    draw(result)
    return result


def _rows(run: Run, brief: Brief | None, member: str, points: list[int], folds: list[int] | None) -> dict[int, Any]:
    sizes = [len(run.split(fold)[0]) for fold in run.chosen_folds(folds)]
    whole, least = max(sizes), min(sizes)
    even = whole - least <= EVEN * whole
    most = whole if even else least
    points = points or sorted({max(most // part, 1) for part in (8, 4, 2, 1)})
    if points[-1] > whole:
        raise KitError(f"points={points[-1]}: a fold has {whole} rows to learn from, no more")
    if points[-1] > most:
        raise KitError(
            f"points={points[-1]}: the smallest fold has {least} rows to learn from, the largest {whole}; beyond "
            f"{least} a point would not be of all folds"
        )
    # with all rows it is the plain member, whose folds may be finished
    return {n: [vary(run, brief, member, fewer=None if even and n == whole else n)] for n in points}


def _folds(run: Run, brief: Brief | None, member: str, points: list[int], folds: list[int] | None) -> dict[int, Any]:
    if folds:
        raise KitError("over=folds judges all folds of each plan; leave out folds=")
    if "n" not in type(run.recipe.folds).model_fields:
        raise KitError(f"folds of kind {type(run.recipe.folds).__name__} have no number that could be varied")
    if points and points[0] < 2:
        raise KitError(f"points={points[0]}: a plan has 2 folds at least")
    return {n: [revised(run, brief, member, [f"folds.n={n}"])] for n in points or [2, 3, 5, 10]}


def _seeds(run: Run, brief: Brief | None, member: str, points: list[int], folds: list[int] | None) -> dict[int, Any]:
    points = points or [1, 2, 3, 5]
    if not run.recipe.members[member].chance:
        raise KitError(f"over=seeds: no seed changes '{member}'")
    every = [vary(run, brief, member, seed=seed) for seed in range(points[-1])]
    return dict.fromkeys(points, every)


def _point(
    at: int, folds: list[int], variants: list[Variant], over: str, rounds: int,
    clusters_of: Callable[[np.ndarray], np.ndarray | None],
) -> Point:  # fmt: skip
    run = variants[0].run
    rows = np.isin(run.plan, folds)
    metric, y = run.table.task.metric, run.table.y[rows]
    oofs = [v.predictions(folds) for v in variants]
    several = len(oofs) if over == "seeds" else 1
    draws = [[(start + i) % several for i in range(at if over == "seeds" else 1)] for start in range(several)]
    if at == several:
        draws = draws[:1]
    scores, sure, single = [], None, np.array([])
    for draw_ in draws:
        single, said = judged(run, np.mean([oofs[i] for i in draw_], axis=0), folds)
        at_half = metric.at(0.5) if metric.threshold is not None and y.shape == said[rows].shape else metric
        if sure is None:
            sure = bootstrap(at_half, y, said[rows], rounds=rounds, groups=clusters_of(rows))
        scores.append(at_half(y, said[rows]))
    assert sure is not None
    mean = float(np.mean(scores))
    # rows vary alike in every draw: the first one's interval, moved to the mean
    score = Interval(mean, sure.low + mean - sure.value, sure.high + mean - sure.value)
    # draws that overlap are alike: only those that share no seed tell how far apart two such means lie
    values = np.array(scores[: several - at + 1 : at]) if over == "seeds" else single
    values = values[~np.isnan(values)]
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    used = variants[:at] if over == "seeds" else variants
    seconds = sum(v.cost(fold).get("seconds", 0.0) for v in used for fold in folds)
    return Point(at, score, spread, round(seconds, 1))


def _facts(point: Point) -> dict[str, Any]:
    return asdict(replace(point)) | {"score": {k: None if v != v else v for k, v in asdict(point.score).items()}}


def draw(result: Curve) -> Path:
    """Writes the picture beside the JSON and gives its path."""
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
