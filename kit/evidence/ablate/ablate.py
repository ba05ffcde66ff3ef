"""The ablation: blocks of fits, the race between the arms, and the result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.core.spec import digest
from kit.evidence.ablate.arms import Arm, arms_of, joined
from kit.evidence.ablate.budget import Budget
from kit.evidence.ablate.race import Race
from kit.evidence.overrides import overridden
from kit.evidence.significance import corrected_t, fold_scores, valid_train_ratio
from kit.metrics.intervals import Difference
from kit.run.events import OnEvent, ignore
from kit.run.jobs import Job, raise_failures
from kit.run.oof import out_of_fold
from kit.run.run import Run

Pass = Literal["on", "off"]
GAIN = ("gain", "low", "high", "p")


@dataclass(frozen=True)
class Row:
    """The result of an arm.

    Attributes:
        arm: the arm.
        gain: how much better the score is with the technique, over folds and seeds; None if nothing was fitted.
        fits: number of fits.
        seconds: time of a fit with the technique, divided by the time without it.
        mib: peak memory of a fit with the technique, divided by that without it; None if it is not known.
        note: why the arm stopped early or failed; empty if it did not.
    """

    arm: Arm
    gain: Difference | None = None
    fits: int = 0
    seconds: float | None = None
    mib: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Ablation:
    """The result of an ablation.

    Attributes:
        member: name of the member.
        switch: "on": each technique is added to the recipe's settings; "off": each is left out of the best set.
        base: overrides of the settings that all arms are compared with; none for the recipe's own settings.
        rows: results of the arms: the largest gain first, refused arms last.
        folds: numbers of the folds.
        scores: (folds, seeds) of the base; NaN if there was no time for the fit.
        seconds: seconds of all fits, also of those from earlier calls.
        mib: peak memory of a fit of the base; None if it is not known.
        folder: folder of the table.
    """

    member: str
    switch: Pass
    base: tuple[str, ...]
    rows: list[Row]
    folds: list[int]
    scores: np.ndarray
    seconds: float
    mib: float | None
    folder: Path


@dataclass
class _Arms:
    """State of the race: for each arm one run for each seed, its scores (folds, seeds), and why it stopped."""

    runs: dict[str, list[Run]]
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def going_on(self) -> list[str]:
        """Names of the arms that have not stopped."""
        return [name for name in self.runs if name not in self.notes]


def ablate(
    run: Run, member: str, switch: Pass = "on", techniques: Sequence[str] = (), seeds: int = 2,
    folds: list[int] | None = None, hours: float | None = None, on: str = "inline", on_event: OnEvent = ignore,
    on_drop: Callable[[str, str], None] = lambda arm, why: None, race: Race = Race(),
) -> Ablation:  # fmt: skip
    """Fits the base and every arm, one block after another, through the bank. A block is one fold with one seed.

    Args:
        run: recipe, rows and run folder.
        member: name of the member.
        switch: "on": each technique is added to the recipe's settings. "off": each is left out of a set: `techniques`,
            or else all that helped with "on".
        techniques: names of techniques; all that are declared by default.
        seeds: number of seeds. A member that uses no random numbers is fitted once for each fold.
        folds: numbers of the folds; all by default.
        hours: no fit begins that would probably end later than this from now; None: no limit. Finished fits are kept,
            and the next call goes on.
        on: the executor, see `kit.run.execute`.
        on_event: called with each event of `kit.run.events`.
        on_drop: called with the name of an arm that stops, and the reason.
        race: rule by which arms stop early.

    Raises:
        KitError: nothing can be ablated, or a fit of the base fails.
    """
    chosen = run.chosen_folds(folds)
    if len(chosen) < 2:
        raise KitError(f"ablate needs at least 2 folds to tell a gain from random variation; it got {len(chosen)}")
    seeds = seeds if run.recipe.members[member].is_random else 1
    overrides, arms = _arms(run, member, switch, techniques, chosen, seeds)
    tried = [arm for arm in arms if not arm.refused]
    base, *others = (
        [overridden(run, member, how, seed) for seed in range(seeds)]
        for how in [overrides, *(arm.overrides for arm in tried)]
    )

    def job(name: str, seed: int, fold: int) -> Job:
        runs = state.runs[name] if name else base
        return Job(runs[seed], member, fold, f"{name or 'base'}, seed {seed}")

    state = _Arms({arm.name: runs for arm, runs in zip(tried, others, strict=True)})
    shape, share = (len(chosen), seeds), valid_train_ratio(run, chosen)
    known = [cost["seconds"] for s in range(seeds) for f in chosen if "seconds" in (cost := job("", s, f).cost())]
    budget = Budget(hours, on, float(np.median(known)) if known else 0.0)
    own = np.full(shape, np.nan)
    state.scores = {name: np.full(shape, np.nan) for name in state.runs}
    blocks = [(s, f) for s in range(seeds) for f in range(len(chosen))]
    for done, (seed, at) in enumerate(blocks):
        jobs = {name: job(name, seed, chosen[at]) for name in ["", *state.going_on()]}
        outcomes, whole = budget.fit(list(jobs.values()), on_event)
        raise_failures({j: outcome for j, outcome in outcomes.items() if j == jobs[""]})
        for name in state.going_on():
            if (outcome := outcomes.get(jobs[name])) and not outcome.finished:
                state.notes[name] = f"failed: {outcome.sentence}"
                on_drop(name, state.notes[name])
        here = chosen[: at + 1]
        for name in ["", *state.going_on()]:
            if jobs[name].read() is not None:  # without time for a fit, its score stays unknown
                one, scores = jobs[name].run, state.scores[name] if name else own
                scores[: at + 1, seed] = fold_scores(run, out_of_fold(one, one.gathered(member, here)), here)[0]
        if not whole:
            break
        if done + 1 < len(blocks):
            gains = {name: _gain(run, switch, own, state.scores[name]) for name in state.going_on()}
            for name in race.losers(gains, share):
                state.notes[name] = f"stopped after {done + 1} of {len(blocks)} fits: it costs score"
                on_drop(name, state.notes[name])
    folder = _folder(run, member, switch, arms, chosen, seeds)
    result = _result(run, member, switch, overrides, arms, chosen, base, own, state, share, folder)
    write_json(folder / "table.json", _as_json(result, run))
    return result


def _gain(run: Run, switch: Pass, base: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Gain of a technique: of the arm over the base with "on", of the base over the arm with "off"."""
    sign = (1 if run.table.task.metric.greater_is_better else -1) * (1 if switch == "on" else -1)
    return sign * (arm - base)


def _arms(
    run: Run, member: str, switch: Pass, techniques: Sequence[str], folds: list[int], seeds: int
) -> tuple[tuple[str, ...], list[Arm]]:
    """Overrides of the base, and the arms."""
    arms = arms_of(run, member, techniques)
    if switch == "on":
        return (), arms
    if not techniques:
        path = _folder(run, member, "on", arms, folds, seeds) / "table.json"
        if not path.exists():
            raise KitError("pass=off starts from the best set of pass=on, which has not been run with these settings; "
                           "run it first, or name the set with arms=")  # fmt: skip
        gains = {r["name"]: r["gain"] for r in read_json(path)["rows"] if (r["gain"] or 0) > 0 and not r["note"]}
        if not gains:
            raise KitError("pass=off switches off the techniques that helped in pass=on, but none of them helped")
        arms = sorted((arm for arm in arms if arm.name in gains), key=lambda arm: -gains[arm.name])
    taken, left = joined(run, member, [arm for arm in arms if not arm.refused])
    whole = tuple(s for arm in taken for s in arm.overrides)
    off = [
        replace(arm, overrides=tuple(s for other in taken if other is not arm for s in other.overrides))
        for arm in taken
    ]
    together = [Arm("all together", ())] if len(taken) > 1 else []
    return whole, [*together, *off, *left, *(arm for arm in arms if arm.refused)]


def _folder(run: Run, member: str, switch: Pass, arms: list[Arm], folds: list[int], seeds: int) -> Path:
    key = digest([run.store(member).folder.name, switch, [[a.name, list(a.overrides)] for a in arms], folds, seeds])
    return run.root / "ablate" / f"{member}-{switch}-{key[:8]}"


def _result(
    run: Run, member: str, switch: Pass, overrides: tuple[str, ...], arms: list[Arm], folds: list[int],
    base: list[Run], own: np.ndarray, state: _Arms, share: float, folder: Path,
) -> Ablation:  # fmt: skip
    costs = {"": _costs(base, member, folds, own)} | {
        name: _costs(state.runs[name], member, folds, scores) for name, scores in state.scores.items()
    }
    rows = []
    for arm in arms:
        fitted = state.scores.get(arm.name, np.full_like(own, np.nan))
        if np.isnan(fitted).all():
            rows.append(Row(arm, note=arm.refused or state.notes.get(arm.name, "there was no time for it")))
            continue
        gain = corrected_t(_gain(run, switch, own, fitted), share)
        with_it, without = (arm.name, "") if switch == "on" else ("", arm.name)
        seconds, mib = (_ratio(costs[with_it], costs[without], what) for what in ("seconds", "mib"))
        rows.append(Row(arm, gain, int((~np.isnan(fitted)).sum()), seconds, mib, state.notes.get(arm.name, "")))
    rows.sort(key=lambda row: -row.gain.value if row.gain and row.gain.value == row.gain.value else np.inf)
    total = sum(cost["seconds"] for found in costs.values() for cost in found.values())
    peaks = [cost["mib"] for cost in costs[""].values() if "mib" in cost]
    mib = float(np.median(peaks)) if peaks else None
    return Ablation(member, switch, overrides, rows, folds, own, total, mib, folder)


Costs = dict[tuple[int, int], dict[str, float]]


def _costs(runs: list[Run], member: str, folds: list[int], scores: np.ndarray) -> Costs:
    fitted = zip(*np.nonzero(~np.isnan(scores)), strict=True)
    return {(int(f), int(s)): Job(runs[s], member, folds[f]).cost() for f, s in fitted}


def _ratio(mine: Costs, base: Costs, what: str) -> float | None:
    """The median over blocks, so that a block in which the machine was slow does not count."""
    pairs = [(mine[k][what], base[k][what]) for k in mine if what in mine[k] and base.get(k, {}).get(what)]
    return float(np.median([a / b for a, b in pairs])) if pairs else None


def _as_json(result: Ablation, run: Run) -> dict[str, Any]:
    return {
        "member": result.member, "pass": result.switch, "base": list(result.base), "folds": result.folds,
        "metric": run.table.task.metric.name, "rows_in_folds": int(np.isin(run.plan, result.folds).sum()),
        "base_scores": [[None if np.isnan(s) else float(s) for s in fold] for fold in result.scores],
        "seconds": round(result.seconds, 1), "base_mib": result.mib,
        "rows": [
            {
                "name": row.arm.name, "settings": list(row.arm.overrides), "fits": row.fits, "note": row.note,
                "time": row.seconds, "memory": row.mib, **_parts(row.gain),
            }
            for row in result.rows
        ],
    }  # fmt: skip


def _parts(gain: Difference | None) -> dict[str, float | None]:
    found = {} if gain is None else {"gain": gain.value, "low": gain.low, "high": gain.high, "p": gain.p}
    return {name: found[name] if np.isfinite(found.get(name, np.nan)) else None for name in GAIN}
