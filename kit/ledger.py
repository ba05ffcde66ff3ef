"""Ledger: leaderboard scores beside cross-validated ones, what they have to do with each other, and when they part."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from kit.blending import last_blend
from kit.ensemble.nested import FEWER, MANY, ROUNDS
from kit.files import checksum, lock, read_json, replacing, write_array, write_json
from kit.gains import judged
from kit.intervals import Difference, bootstrap, paired
from kit.medals import Medals
from kit.metrics import Metric
from kit.run import Run
from kit.spec import KitError


@dataclass(frozen=True)
class Entry:
    """One submission and what it scored.

    Attributes:
        lb: the leaderboard's score.
        cv: nested out-of-fold score of the blend that was submitted, and its interval over rows where it is known.
        date: when it was entered, UTC.
        blend: key of the blend; empty where the score was given by hand.
        submission: SHA-256 of submission.csv, likewise.
        rows: digest of the rows that the CV was judged on, likewise; the blend's predictions of them lie in `ledger/`.
    """

    lb: float
    cv: float
    low: float | None = None
    high: float | None = None
    date: str = ""
    note: str = ""
    blend: str = ""
    submission: str = ""
    rows: str = ""


def ledger(root: Path) -> list[Entry]:
    """All entries of a run folder, oldest first."""
    path = root / "ledger.json"
    return [Entry(**entry) for entry in read_json(path)] if path.exists() else []


def record(run: Run, lb: float, note: str = "", cv: float | None = None) -> Entry:
    """Appends the score that the last blend's submission got.

    Args:
        lb: the leaderboard's score.
        cv: the cross-validated score, for a submission that lies no longer here; None: that of the last blend.

    Raises:
        KitError: a score is no finite number, there is no submission of the last blend, or it is in the ledger already.
    """
    for name, value in (("add", lb), ("cv", cv)):
        if value is not None and not math.isfinite(value):
            raise KitError(f"{name}={value}: a leaderboard score is a finite number")
    entry, said = _entry(run, lb, note, cv)
    run.root.mkdir(parents=True, exist_ok=True)
    with lock(run.root / "ledger.lock", wait=math.inf):
        kept = ledger(run.root)
        twins = [i for i, e in enumerate(kept, 1) if e.submission and (e.submission, e.lb) == (entry.submission, lb)]
        if twins:
            raise KitError(f"this submission is in the ledger already, as number {twins[0]} with {lb}")
        if said is not None:
            write_array(_kept(run.root, entry), said)
        write_json(run.root / "ledger.json", [asdict(e) for e in [*kept, entry]])
    return entry


def _entry(run: Run, lb: float, note: str, cv: float | None) -> tuple[Entry, np.ndarray | None]:
    """The entry, and what the blend said of the judged rows (decisions where the metric cuts), NaN of the others."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if cv is not None:
        return Entry(lb, cv, date=now, note=note), None
    report, submission = last_blend(run), run.root / "submission.csv"
    if report is None or not report.submission or not submission.exists():
        raise KitError(f"there is no submission of the present members in {run.root}; run make cv first, or give cv=")
    if report.summary is None or report.summary["nested"] is None:
        raise KitError("the last blend has no nested score (it has one fold only); give cv=")
    rows = run.plan >= 0
    oof = np.full((len(rows), run.table.task.outputs), np.nan)
    oof[rows] = np.load(run.root / "blend" / "oof.npy")
    said, y = judged(run, oof, run.folds)[1], run.table.y[rows]
    sure = bootstrap(_at_half(run, said), y, said[rows], _rounds(y), groups=run.clusters_of(rows))
    nested = float(report.summary["nested"])
    # the interval is of the pooled score; it stands around the nested one, which may differ in how it was cut
    low, high = (nested + end - sure.value for end in (sure.low, sure.high))
    key = read_json(run.root / "blend" / "report.json")["key"][:8]
    return Entry(lb, nested, low, high, now, note, key, checksum(submission), run.table.digest), said


def apart(run: Run, one: Entry, other: Entry) -> Difference | None:
    """By how much the CV of one is better than that of the other, judged on the same rows; None where that is unknown.

    Both entries' predictions must be kept, of the rows that `run` has.
    """
    paths = [_kept(run.root, entry) for entry in (one, other)]
    if any(entry.rows != run.table.digest for entry in (one, other)) or not all(path.exists() for path in paths):
        return None
    a, b = map(np.load, paths)
    rows = ~np.isnan(a).any(axis=1) & ~np.isnan(b).any(axis=1)
    y = run.table.y[rows]
    return paired(_at_half(run, a), y, a[rows], b[rows], _rounds(y), groups=run.clusters_of(rows))


def _kept(root: Path, entry: Entry) -> Path:
    return root / "ledger" / f"{entry.submission[:16]}.npy"


def _at_half(run: Run, said: np.ndarray) -> Metric:
    """The metric of what `judged` says: of decisions where it cuts."""
    metric = run.table.task.metric
    return metric.at(0.5) if metric.threshold is not None and run.table.y.shape == said.shape else metric


def _rounds(y: np.ndarray) -> int:
    return ROUNDS if y.size < MANY else FEWER


def correlation(entries: Sequence[Entry]) -> tuple[float, float] | None:
    """Pearson's and Spearman's correlation of CV and leaderboard; None below 3 entries or where one never varies."""
    from scipy.stats import pearsonr, spearmanr

    cv, lb = _scores(entries)
    if len(cv) < 3 or np.ptp(cv) == 0 or np.ptp(lb) == 0:
        return None
    return float(pearsonr(cv, lb)[0]), float(spearmanr(cv, lb)[0])


def warnings(
    entries: Sequence[Entry], compared: Callable[[Entry, Entry], Difference | None] = lambda one, other: None
) -> list[str]:
    """How the newest entry departs from the others, a sentence each; empty where it does not.

    Args:
        compared: by how much the CV of one entry is better than that of another, see `apart`.
    """
    if len(entries) < 2:
        return []
    *others, new = entries
    found = []
    if (span := foretold(others, new.cv)) is not None and not span[0] <= new.lb <= span[1]:
        found.append(
            f"the leaderboard's {new.lb:.5f} lies outside of {span[0]:.5f} to {span[1]:.5f}, which the other "
            f"{len(others)} submissions foretell (95 %) for a CV of {new.cv:.5f}: folds and leaderboard part"
        )
    turned = [i for i, e in enumerate(others, 1) if (new.cv - e.cv) * (new.lb - e.lb) < 0]
    if turned:
        nearest = max(turned, key=lambda i: abs(new.cv - others[i - 1].cv))
        other = others[nearest - 1]
        found.append(
            f"the order is reversed against {len(turned)} of {len(others)} other submissions: number {nearest} has a "
            f"{'higher' if other.cv > new.cv else 'lower'} CV ({other.cv:.5f}) but a "
            f"{'higher' if other.lb > new.lb else 'lower'} leaderboard score ({other.lb:.5f})"
            + _by_chance(compared(new, other))
        )
    return found


def _by_chance(difference: Difference | None) -> str:
    if difference is None or np.isnan(difference.low):
        return "; whether chance made it is not known, for the predictions of both are not kept"
    if difference.low <= 0 <= difference.high:
        return f"; on the same rows the CVs differ by {difference} (95 %), so it may be chance"
    return f"; on the same rows the CVs surely differ, by {difference} (95 %)"


def foretold(entries: Sequence[Entry], cv: float, level: float = 0.95) -> tuple[float, float] | None:
    """Prediction interval of the leaderboard's score at a CV, by a straight line through the entries.

    None below 4 entries: of 3 a line leaves one degree of freedom, and its interval says nothing.
    """
    from scipy.stats import t

    x, lb = _scores(entries)
    n = len(x)
    if n < 4 or np.ptp(x) == 0:
        return None
    slope, intercept = np.polyfit(x - x.mean(), lb, 1)
    spread = float(((x - x.mean()) ** 2).sum())
    error = float(np.sqrt(((lb - intercept - slope * (x - x.mean())) ** 2).sum() / (n - 2)))
    half = float(t.ppf(0.5 + level / 2, n - 2)) * error * math.sqrt(1 + 1 / n + (cv - x.mean()) ** 2 / spread)
    middle = float(intercept + slope * (cv - x.mean()))
    return middle - half, middle + half


def _scores(entries: Sequence[Entry]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([e.cv for e in entries]), np.array([e.lb for e in entries])


def draw(entries: Sequence[Entry], metric: str, medals: Medals | None, path: Path) -> None:
    """Leaderboard against CV, numbered in the order of entry, with intervals and medal lines."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes: Any = figure.subplots()
    cv, lb = _scores(entries)
    reach = [[0 if end is None else abs(e.cv - end) for e in entries for end in [getattr(e, side)]]
             for side in ("low", "high")]  # fmt: skip
    axes.errorbar(cv, lb, xerr=reach, fmt="o", color="#1f5f8b", ecolor="#b8c7d3", capsize=2)
    for number, entry in enumerate(entries, 1):
        axes.annotate(str(number), (entry.cv, entry.lb), xytext=(5, 5), textcoords="offset points", fontsize=8)
    if len(cv) > 1 and np.ptp(cv) > 0:
        ends = np.array([cv.min(), cv.max()])
        axes.plot(ends, np.polyval(np.polyfit(cv, lb, 1), ends), color="#999999", linewidth=1)
    for name, score in (medals.lines if medals else {}).items():
        axes.axhline(score, color="#c0a030", linewidth=0.8, linestyle="--")
        axes.annotate(name, (1, score), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7)
    axes.set(xlabel=f"CV ({metric})", ylabel=f"leaderboard ({metric})")
    axes.ticklabel_format(useOffset=False)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        figure.savefig(file, format="png", dpi=120)
