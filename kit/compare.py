"""Compare: is one member, blend or finished run really better than another, on the same folds and seeds?"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kit.bank import Fold, Shelf
from kit.blending import last_blend
from kit.files import checksum, read_json, write_json
from kit.gains import corrected_t, judged, paired_seeds, ratio
from kit.intervals import Difference
from kit.run import Brief, Run
from kit.spec import KitError, digest, nearest
from kit.variants import Fit, Told, Variant, fit_all, insist, vary


@dataclass(frozen=True)
class Side:
    """What is compared.

    Attributes:
        label: as it was asked for.
        scores: (folds, seeds).
        predictions: one (n, outputs) a seed, cut where the metric cuts.
        key: what it was made of.
    """

    label: str
    scores: np.ndarray
    predictions: list[np.ndarray]
    key: list[str]


@dataclass(frozen=True)
class Comparison:
    """The difference of two sides; positive where `a` is the better one.

    Attributes:
        t: over folds and seeds, by `corrected_t`.
        rows: of the pooled out-of-fold predictions, by paired bootstrap over rows, or over the groups of rows that the
            fold plan keeps together.
        verdict: one sentence.
        note: which sides were fitted under one seed alone, and why; empty where none was.
        path: where it was written.
    """

    a: Side
    b: Side
    folds: list[int]
    t: Difference
    rows: Difference
    verdict: str
    note: str
    path: Path


def compare(
    run: Run, brief: Brief | None, a: str, b: str, seeds: int = 3, folds: list[int] | None = None,
    on: str = "inline", told: Told = lambda fit, outcome: None, rounds: int = 1000,
) -> Comparison:  # fmt: skip
    """Fits both sides on the same folds and seeds, through the bank, and tests their difference.

    Args:
        a: a member with settings, such as "minilm minilm.stage.epochs=2"; or the folder of a finished run below that
            of the competition (a unique beginning of its name will do), "blend" among them, taken as it lies.
        b: the same.
        seeds: how many, beginning with the member's own; a finished run has one, and so has a member that uses none.
        rounds: of the bootstrap.

    Raises:
        KitError: a side is not known, was made on other rows or folds, or a fit fails.
    """
    chosen = run.chosen_folds(folds)
    if len(chosen) < 2:
        raise KitError(f"compare needs 2 folds at least to tell a gain from chance; asked for {len(chosen)}")
    parsed = [_parsed(run, brief, text, seeds, chosen) for text in (a, b)]
    fits = [
        Fit(v, f) for v in dict.fromkeys(v for side in parsed if isinstance(side, list) for v in side) for f in chosen
    ]
    insist(fit_all(fits, on, told))
    fixed = [text for text, side in zip((a, b), parsed, strict=True) if isinstance(side, list) and not side[0].chance]
    note = f"no seed changes {' nor '.join(fixed)}: fitted once a fold" if fixed and seeds > 1 else ""
    if len(fixed) == 2:
        parsed = [side[:1] for side in parsed if isinstance(side, list)]
    first, second = (_side(run, text, side, chosen) for text, side in zip((a, b), parsed, strict=True))
    metric, plan, y = run.table.task.metric, run.plan, run.table.y
    sign = 1 if metric.greater_is_better else -1
    t = corrected_t(sign * (first.scores - second.scores), ratio(run, chosen))
    judged_rows = np.isin(plan, chosen)
    one, two = ([p[judged_rows] for p in side.predictions] for side in (first, second))
    rows = paired_seeds(metric, y[judged_rows], one, two, rounds, run.clusters_of(judged_rows))
    verdict = _verdict(first, second, t, rows, metric.name)
    key = digest([first.key, second.key, chosen])[:8]
    path = run.root / "compare" / f"{key}.json"
    write_json(path, {
        "metric": metric.name, "folds": chosen, "seeds": first.scores.shape[1], "rows": int(judged_rows.sum()),
        "a": _facts(first), "b": _facts(second), "t_test": _finite(t), "bootstrap": _finite(rows), "verdict": verdict,
        "note": note,
    })  # fmt: skip
    return Comparison(first, second, chosen, t, rows, verdict, note, path)


def _parsed(run: Run, brief: Brief | None, text: str, seeds: int, folds: list[int]) -> list[Variant] | Path:
    """The variants to fit, one a seed, or the folder of what is finished."""
    name, *settings = text.split() or [""]
    if name in run.recipe.members:
        own = vary(run, brief, name, settings)
        if not own.chance:
            return [own] * seeds
        return [own, *(vary(run, brief, name, settings, seed) for seed in range(1, seeds))]
    folders = {p.name: p for p in sorted(run.root.glob("*")) if (p / "spec.json").exists() or (p / "oof.npy").exists()}
    found = [name] if name in folders else [f for f in folders if name and f.startswith(name)]
    if len(found) != 1:
        said = f"'{name}' stands for several runs: {', '.join(found)}" if found else f"'{name}' is no member and no run"
        raise KitError(said + ("" if found else nearest(name, [*run.recipe.members, *folders])))
    if settings:
        raise KitError(
            f"'{name}' is a finished run and takes no settings: {' '.join(settings)}; name its member instead"
        )
    if seeds > 1:
        raise KitError(f"seeds={seeds}: '{found[0]}' is a finished run of one seed; take seeds=1, or name its member")
    _refuse_foreign(run, folders[found[0]], folds)
    return folders[found[0]]


def _refuse_foreign(run: Run, folder: Path, folds: list[int]) -> None:
    if not (folder / "spec.json").exists():
        if folder.name == "blend" and last_blend(run) is None:
            raise KitError("'blend' was made of other members, settings or rows; run make blend again")
        if len(np.load(folder / "oof.npy", mmap_mode="r")) != (run.plan >= 0).sum():
            raise KitError(f"'{folder.name}' was made on other rows or folds")
        return
    made, ground = read_json(folder / "spec.json"), run.ground
    made.pop("member", None)
    if others := [key for key in sorted({*made, *ground}) if digest(made.get(key)) != digest(ground.get(key))]:
        named = {"data": "set of rows", "plan": "fold plan", "fewer": "number of train rows"}
        said = " and ".join(named.get(key, key) for key in others)
        raise KitError(f"'{folder.name}' was fitted with another {said}; a comparison needs the same")
    for fold in folds:
        _read(folder, fold)


def _read(folder: Path, number: int) -> Fold:
    if (kept := Shelf(folder).read(number)) is None:
        raise KitError(f"'{folder.name}' has no finished fold {number}; take folds= that both have")
    return kept


def _side(run: Run, text: str, source: list[Variant] | Path, folds: list[int]) -> Side:
    if isinstance(source, Path):
        whole = np.full((len(run.plan), run.table.task.outputs), np.nan)
        if (source / "spec.json").exists():
            for fold in folds:
                whole[run.plan == fold] = _read(source, fold).valid
        else:
            whole[run.plan >= 0] = np.load(source / "oof.npy")
        oofs, key = [whole], [source.name, *([checksum(p)[:8] for p in source.glob("oof.npy")])]
    else:
        oofs, key = [v.predictions(folds) for v in source], [v.shelf for v in source]
    scores, said = zip(*(judged(run, p, folds) for p in oofs), strict=True)
    return Side(text, np.stack(scores, axis=1), list(said), key)


def _verdict(a: Side, b: Side, t: Difference, rows: Difference, metric: str) -> str:
    if all(np.array_equal(p, q, equal_nan=True) for p, q in zip(a.predictions, b.predictions, strict=True)):
        return "No difference: both sides predict the same numbers."
    if not np.isfinite(t.low):
        known = int((~np.isnan(a.scores - b.scores)).any(axis=1).sum())
        why = (
            "all folds and seeds gain the very same"
            if known > 1
            else f"{metric} can judge {('no', 'only 1')[known]} fold"
        )
        return _by_rows(why, rows)
    better, gain = ("a", t) if t.value >= 0 else ("b", Difference(-t.value, -t.high, -t.low, t.p))
    over_fits = (
        f"{gain.value:.5f} {metric} (95 % from {gain.low:+.5f} to {gain.high:+.5f}, p = {t.p:.3g}, folds and seeds)"
    )
    agree = (t.value > 0) == (rows.value > 0)
    sure = [test.low > 0 or test.high < 0 for test in (t, rows)]
    if all(sure) and agree:
        return f"{better} is better by {over_fits}; the bootstrap over rows agrees (p = {rows.p:.3g})."
    if all(sure):
        return f"The tests disagree: {better} is ahead by {over_fits}, but behind when all rows are judged together."
    if any(sure):
        same = all((side.scores == side.scores[:, :1]).all() for side in (a, b))  # the seed changes nothing
        lacking = "rows or folds" if same else "seeds or rows"
        only = "over folds and seeds" if sure[0] else "over rows"
        return f"{better} seems better by {over_fits}, but only the test {only} says so: more {lacking} would tell."
    return f"No difference shown: {better} is ahead by {over_fits}, which chance may well have made."


def _by_rows(why: str, rows: Difference) -> str:
    """The verdict where folds and seeds cannot tell a gain from chance."""
    if np.isnan(rows.value):
        return f"Nothing can be said: {why}, nor can all rows be judged together."
    better, gain = ("a", rows) if rows.value >= 0 else ("b", Difference(-rows.value, -rows.high, -rows.low, rows.p))
    return (
        f"The test over rows stands alone, for {why}: {better} is ahead by {gain.value:.5f} when all rows are judged "
        f"together (95 % from {gain.low:+.5f} to {gain.high:+.5f}, p = {gain.p:.3g})."
    )


def _facts(side: Side) -> dict[str, Any]:
    known = side.scores[~np.isnan(side.scores)]
    return {
        "asked": side.label, "made_of": side.key, "mean": float(known.mean()) if len(known) else None,
        "scores": [[None if np.isnan(s) else float(s) for s in fold] for fold in side.scores],
    }  # fmt: skip


def _finite(difference: Difference) -> dict[str, float | None]:
    return {k: float(v) if np.isfinite(v) else None for k, v in asdict(difference).items()}
