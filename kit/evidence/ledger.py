"""Ledger: leaderboard scores beside cross-validated scores, their correlation, and where they disagree."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from kit.core.errors import KitError
from kit.core.files import checksum, lock, read_array, read_json, replacing, write_array, write_json
from kit.core.redact import redacted
from kit.core.sums import DamagedFile
from kit.ensemble.nested import FEWER, MANY, ROUNDS
from kit.evidence.significance import fold_scores, metric_of_fold_scores
from kit.metrics import Metric
from kit.metrics.intervals import Difference, bootstrap, paired
from kit.run.blend import last_blend
from kit.run.run import Run
from kit.task import Medals


@dataclass(frozen=True)
class Entry:
    """One submission and its scores.

    Attributes:
        lb: the leaderboard score.
        cv: nested out-of-fold score of the submitted blend, and its interval over rows if it is known.
        date: date of the entry, UTC.
        blend: key of the blend; empty if the CV score was given by hand.
        submission: SHA-256 of submission.csv; empty if the CV score was given by hand.
        rows: digest of the rows of the CV; empty if it was given by hand. The blend's predictions of them are in
            `ledger/`.
        predictions: SHA-256 of that file.
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
    predictions: str = ""


def ledger(root: Path) -> list[Entry]:
    """All entries of a run folder, oldest first.

    Raises:
        DamagedFile: the file is damaged. It must be restored, because the scores are nowhere else.
    """
    path = root / "ledger.json"
    if not path.exists():
        return []
    kept = read_json(path)
    return [Entry(**entry) for entry in (kept["entries"] if isinstance(kept, dict) else kept)]  # else an older kit's


def record(run: Run, lb: float, note: str = "", cv: float | None = None) -> Entry:
    """Appends the leaderboard score of the last blend's submission.

    Args:
        run: the run of the blend.
        lb: the leaderboard score.
        note: a note for the entry.
        cv: the cross-validated score, if the submission does not exist any more; None: the score of the last blend.

    Raises:
        KitError: a score is not finite, the last blend has no submission, or the ledger has this submission already.
    """
    for name, value in (("add", lb), ("cv", cv)):
        if value is not None and not math.isfinite(value):
            raise KitError(f"{name}={value}: a leaderboard score is a finite number")
    entry, predictions = _entry(run, lb, note, cv)
    with lock(run.root / "ledger.lock", wait=math.inf):
        kept = ledger(run.root)
        twins = [i for i, e in enumerate(kept, 1) if e.submission and (e.submission, e.lb) == (entry.submission, lb)]
        if twins:
            raise KitError(f"this submission is in the ledger already, as number {twins[0]} with {lb}")
        if predictions is not None:
            write_array(path := _path(run.root, entry), predictions)
            entry = replace(entry, predictions=checksum(path))
        write_json(run.root / "ledger.json", {"entries": [asdict(e) for e in [*kept, entry]]})
    return entry


def _entry(run: Run, lb: float, note: str, cv: float | None) -> tuple[Entry, np.ndarray | None]:
    """The entry, and the blend's out-of-fold predictions (or decisions, with a threshold); NaN in other rows."""
    now, note = datetime.now(UTC).isoformat(timespec="seconds"), redacted(note)
    if cv is not None:
        return Entry(lb, cv, date=now, note=note), None
    report, submission = last_blend(run), run.root / "submission.csv"
    if report is None or not report.submission or not submission.exists():
        raise KitError(f"there is no submission of the present members in {run.root}; run make cv first, or give cv=")
    if report.summary is None or report.summary["nested"] is None:
        raise KitError("the last blend has no nested score (it has one fold only); give cv=")
    rows = run.plan >= 0
    oof = np.full((len(rows), run.table.task.outputs), np.nan)
    oof[rows] = read_array(run.root / "blend" / "oof.npy")
    decided, y = fold_scores(run, oof, run.folds)[1], run.table.y[rows]
    interval = bootstrap(_metric_of(run, rows, decided), y, decided[rows], _rounds(y), groups=run.clusters_of(rows))
    nested = float(report.summary["nested"])
    # the interval of the pooled score is moved to the nested score, whose thresholds may differ
    low, high = (nested + end - interval.value for end in (interval.low, interval.high))
    key = read_json(run.root / "blend" / "report.json")["key"][:8]
    return Entry(lb, nested, low, high, now, note, key, checksum(submission), run.table.digest), decided


def cv_difference(run: Run, one: Entry, other: Entry) -> Difference | None:
    """How much better the CV of one entry is than that of another, on the same rows; None if that is unknown.

    The ledger must have the predictions of both entries, for the rows of `run`.

    Raises:
        DamagedFile: a file of predictions is damaged.
    """
    paths = [_kept(run.root, entry) for entry in (one, other)]
    if any(entry.rows != run.table.digest for entry in (one, other)) or not all(path.exists() for path in paths):
        return None
    for entry, path in zip((one, other), paths, strict=True):
        if entry.predictions and checksum(path) != entry.predictions:
            raise DamagedFile(path)
    a, b = map(read_array, paths)
    rows = ~np.isnan(a).any(axis=1) & ~np.isnan(b).any(axis=1)
    y = run.table.y[rows]
    return paired(_metric_of(run, rows, a), y, a[rows], b[rows], _rounds(y), groups=run.clusters_of(rows))


def _path(root: Path, entry: Entry) -> Path:
    """The file of an entry's predictions. Two blends may decide alike, so their submissions are the same bytes."""
    return root / "ledger" / f"{entry.submission[:16]}-{entry.blend}.npy"


def _kept(root: Path, entry: Entry) -> Path:
    """The same, or the file as earlier versions of kit called it."""
    path = _path(root, entry)
    return path if path.exists() else path.with_name(f"{entry.submission[:16]}.npy")


def _metric_of(run: Run, rows: np.ndarray, decided: np.ndarray) -> Metric:
    """The metric of these rows, for the decisions of `fold_scores` (n, outputs)."""
    return metric_of_fold_scores(run.metric_of(rows), run.table.y, decided)


def _rounds(y: np.ndarray) -> int:
    return ROUNDS if y.size < MANY else FEWER


def correlation(entries: Sequence[Entry]) -> tuple[float, float] | None:
    """Pearson's and Spearman's correlation of CV and leaderboard; None for fewer than 3 entries or a constant score."""
    from scipy.stats import pearsonr, spearmanr

    cv, lb = _scores(entries)
    if len(cv) < 3 or np.ptp(cv) == 0 or np.ptp(lb) == 0:
        return None
    return float(pearsonr(cv, lb)[0]), float(spearmanr(cv, lb)[0])


def warnings(
    entries: Sequence[Entry], compared: Callable[[Entry, Entry], Difference | None] = lambda one, other: None
) -> list[str]:
    """Sentences about contradictions between the newest entry and the others; empty if there are none.

    Args:
        compared: how much better the CV of one entry is than that of another, see `cv_difference`.
    """
    if len(entries) < 2:
        return []
    *others, new = entries
    found = []
    if (span := lb_interval(others, new.cv)) is not None and not span[0] <= new.lb <= span[1]:
        found.append(
            f"the leaderboard's {new.lb:.5f} is outside of {span[0]:.5f} to {span[1]:.5f}, which the other "
            f"{len(others)} submissions predict (95 %) for a CV of {new.cv:.5f}: folds and leaderboard disagree"
        )
    turned = [i for i, e in enumerate(others, 1) if (new.cv - e.cv) * (new.lb - e.lb) < 0]
    if turned:
        nearest = max(turned, key=lambda i: abs(new.cv - others[i - 1].cv))
        other = others[nearest - 1]
        found.append(
            f"the order is reversed against {len(turned)} of {len(others)} other submissions: number {nearest} has a "
            f"{'higher' if other.cv > new.cv else 'lower'} CV ({other.cv:.5f}) but a "
            f"{'higher' if other.lb > new.lb else 'lower'} leaderboard score ({other.lb:.5f})"
            + _perhaps_random(compared(new, other))
        )
    return found


def _perhaps_random(difference: Difference | None) -> str:
    if difference is None or np.isnan(difference.low):
        return "; whether this is random is not known, because the predictions of both are not kept"
    if difference.low <= 0 <= difference.high:
        return f"; on the same rows the CVs differ by {difference} (95 %), so it may be random"
    return f"; on the same rows the CVs differ significantly, by {difference} (95 %)"


def lb_interval(entries: Sequence[Entry], cv: float, level: float = 0.95) -> tuple[float, float] | None:
    """Prediction interval of the leaderboard score at a CV score, from a straight line through the entries.

    None with fewer than 4 entries: with 3, only one degree of freedom is left, and the interval means nothing.
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
    """Draws leaderboard against CV, numbered in the order of entry, with intervals and medal lines."""
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
