"""The ledger: what it records and refuses, correlation and prediction interval, planted divergence, medals."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import linregress
from scipy.stats import t as student

from competitions.toxic.recipe import Toxic
from kit.core.errors import KitError
from kit.core.files import checksum
from kit.evidence.ledger import Entry, correlation, cv_difference, draw, lb_interval, ledger, record, warnings
from kit.metrics import roc_auc
from kit.metrics.intervals import Difference, bootstrap, paired
from kit.run.blend import blend
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from kit.task import Medals
from tests.helpers.evidence import run_in, sited_in
from tests.helpers.house import House


def blended(folder: Path, *settings: str) -> Run:
    run = run_in(folder, "folds.n=2", *settings)
    fit_jobs(jobs_of(run, ["m"]))
    blend(run, ["m"])
    return run


def test_an_entry_says_what_was_submitted(tmp_path: Path) -> None:
    run = blended(tmp_path)
    entry = record(run, 0.81, "first")
    report = json.loads((tmp_path / "blend" / "report.json").read_text())
    assert entry.cv == report["summary"]["nested"] and entry.blend == report["key"][:8]
    assert entry.submission == checksum(tmp_path / "submission.csv") and entry.note == "first" and entry.date
    assert entry.low is not None and entry.high is not None and entry.low < entry.cv < entry.high
    with pytest.raises(KitError, match="^this submission is in the ledger already, as number 1 with 0.81$"):
        record(run, 0.81)
    second = record(blended(tmp_path, "m.noise=0.1"), 0.83)
    assert second.cv > entry.cv and second.blend != entry.blend
    assert ledger(tmp_path) == [entry, second]
    by_hand = record(run, 0.7, cv=0.72)
    assert (by_hand.blend, by_hand.low, by_hand.submission) == ("", None, "") and ledger(tmp_path)[:2] == [
        entry,
        second,
    ]


def test_entries_are_compared_on_the_same_rows(tmp_path: Path) -> None:
    first = record(blended(tmp_path), 0.81)
    run = blended(tmp_path, "m.noise=0.6")
    second = record(run, 0.82)
    found = cv_difference(run, first, second)
    one, two = (np.load(tmp_path / "ledger" / f"{e.submission[:16]}-{e.blend}.npy") for e in (first, second))
    assert found == paired(roc_auc, run.table.y, one, two) and found.value == pytest.approx(first.cv - second.cv)
    assert (
        first.low is not None and first.high is not None
    )  # the noise is mostly shared: pairs see what single ones do not
    assert found.high - found.low < 0.5 * (first.high - first.low)
    assert cv_difference(run, record(run, 0.7, cv=0.7), second) is None
    assert cv_difference(run_in(tmp_path, n=300), first, second) is None  # other rows
    (tmp_path / "ledger" / f"{first.submission[:16]}-{first.blend}.npy").unlink()
    assert cv_difference(run, first, second) is None


def test_rows_of_a_group_are_drawn_together(tmp_path: Path) -> None:
    run = sited_in(tmp_path)
    fit_jobs(jobs_of(run, ["m"]))
    blend(run, ["m"])
    entry = record(run, 0.8)
    oof = np.load(tmp_path / "blend" / "oof.npy")
    sure = bootstrap(roc_auc, run.table.y, oof, groups=run.clusters)
    assert (entry.low, entry.high) == pytest.approx((sure.low, sure.high))


def test_a_submission_is_entered_once_with_each_score(tmp_path: Path) -> None:
    run = blended(tmp_path)
    record(run, 0.81)
    record(run, 0.79)  # the private leaderboard's, say
    for score, number in ((0.79, 2), (0.81, 1)):
        with pytest.raises(
            KitError, match=f"^this submission is in the ledger already, as number {number} with {score}$"
        ):
            record(run, score)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="^there is no submission of the present members in .*; run make cv first, or"):
        record(run_in(tmp_path), 0.8)
    with pytest.raises(KitError, match="^add=nan: a leaderboard score is a finite number$"):
        record(run_in(tmp_path), float("nan"))
    blended(tmp_path)
    with pytest.raises(KitError, match="^there is no submission of the present members"):
        record(run_in(tmp_path, "folds.n=2", "m.noise=0.7"), 0.8)  # other settings than those that were blended
    assert ledger(tmp_path) == []


def entries(cv: list[float], lb: list[float]) -> list[Entry]:
    return [Entry(b, a, a - 0.002, a + 0.002) for a, b in zip(cv, lb, strict=True)]


CV = [0.970, 0.975, 0.978, 0.980, 0.983, 0.985]
NOISE = [0.0003, -0.0002, 0.0001, -0.0003, 0.0002, -0.0001]


def test_the_prediction_interval_is_the_textbook_s() -> None:
    lb = [0.9 * c + 0.09 + e for c, e in zip(CV, NOISE, strict=True)]
    found = lb_interval(entries(CV, lb), 0.99)
    fit, x = linregress(CV, lb), np.array(CV)
    s = np.sqrt(((np.array(lb) - fit.intercept - fit.slope * x) ** 2).sum() / 4)
    half = student.ppf(0.975, 4) * s * np.sqrt(1 + 1 / 6 + (0.99 - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
    middle = fit.intercept + fit.slope * 0.99
    assert found == pytest.approx((middle - half, middle + half))
    assert lb_interval(entries(CV[:3], lb[:3]), 0.99) is None and lb_interval(entries([0.9] * 5, lb[:5]), 0.9) is None


def test_warnings_come_with_divergence_alone() -> None:
    lb = [c - 0.002 + e for c, e in zip(CV, NOISE, strict=True)]
    kept = entries(CV, lb)
    both = correlation(kept)
    assert both is not None and both[0] > 0.99 and both[1] == 1
    assert warnings([*kept, Entry(0.9859, 0.988)]) == []
    outside, turned = warnings([*kept, Entry(0.975, 0.988, 0.986, 0.990)])
    assert (
        outside.startswith("the leaderboard's 0.97500 is outside of 0.98")
        and "folds and leaderboard disagree" in outside
    )
    assert turned.startswith(
        "the order is reversed against 4 of 6 other submissions: number 3 has a lower CV (0.97800)"
    )
    assert "but a higher leaderboard score" in turned
    new = Entry(0.98305, 0.9845, 0.9825, 0.9865)
    asked = []
    for low, said in (
        (-0.001, "so it may be random"),
        (0.0001, "the CVs differ significantly, by +0.00050 [+0.00010, "),
    ):
        found = Difference(0.0005, low, 0.002, 0.1)
        (near,) = warnings([*kept, new], lambda *pair, found=found: asked.append(pair) or found)  # type: ignore[misc]
        assert said in near
    assert asked == [(new, kept[-1])] * 2  # the one that lies farthest away of those it is turned against
    (near,) = warnings([*kept, new])
    assert near.endswith("whether this is random is not known, because the predictions of both are not kept")
    assert warnings(kept[:1]) == [] and correlation(kept[:2]) is None
    assert correlation(entries([0.9] * 4, lb[:4])) is None


def test_losses_are_read_the_same_way() -> None:
    kept = entries([0.5, 0.45, 0.4, 0.35], [0.51, 0.455, 0.412, 0.358])
    assert warnings([*kept, Entry(0.31, 0.3)]) == []
    assert len(warnings([*kept, Entry(0.52, 0.3)])) == 2


def test_the_picture_and_the_medals(tmp_path: Path) -> None:
    draw(entries(CV, CV), "mean_roc_auc", Medals(teams=1000, winner=0.9885), tmp_path / "ledger.png")
    assert (tmp_path / "ledger.png").read_bytes().startswith(b"\x89PNG")
    draw([Entry(0.8, 0.9)], "roc_auc", None, tmp_path / "one.png")
    toxic = Toxic.medals
    assert toxic.ranks == {"gold": 19, "silver": 227, "bronze": 455} and toxic.lines == {"winner": 0.9885}
    assert Medals(teams=99).ranks == {"gold": 9, "silver": 19, "bronze": 39}
    assert Medals(teams=249).ranks == {"gold": 10, "silver": 49, "bronze": 99}
    assert Medals(teams=500).ranks == {"gold": 11, "silver": 50, "bronze": 100}


@pytest.mark.slow
def test_the_commands(house: House) -> None:
    """All four in one house, as a person types them."""
    assert house.kit("cv", "small").returncode == 0
    empty = house.kit("lb", "small")
    assert empty.returncode == 0 and "no scores yet; add one with make lb comp=small add=SCORE" in empty.stdout
    added = house.kit("lb", "small", "--add", "0.8123", "--note", "first")
    assert added.returncode == 0 and "0.81230" in added.stdout and "first" in added.stdout, added.stderr
    assert (house.runs / "ledger.png").exists() and len(ledger(house.runs)) == 1

    done = house.kit("compare", "small", "--a", "boost", "--b", "boost boost.trees=1", "--seeds", "1")
    assert done.returncode == 0, done.stderr
    assert "a less b, 4 folds × 1 seed, corrected t:" in done.stdout and "paired bootstrap: " in done.stdout
    assert len(list((house.runs / "compare").glob("*.json"))) == 1

    done = house.kit("ablate", "small", "boost", "--arms", "more leaves,L1", "--seeds", "1", "--folds", "0,1")
    assert done.returncode == 0 and "more leaves" in done.stdout, done.stderr
    (page,) = house.runs.glob("ablate/*/table.md")
    first = 'make ablate comp=small member=boost arms="more leaves,L1" seeds=1 folds=0,1'
    assert page.read_text().startswith(f"# Ablation of `boost` on small\n\n```\n{first}\n```\n")

    done = house.kit("curve", "small", "boost", "--points", "30,90")
    assert done.returncode == 0 and "train rows of a fold" in done.stdout, done.stderr
    assert len(list((house.runs / "curves").glob("boost-rows-*.png"))) == 1

    for words, said in (
        (("curve", "small", "boost", "--points", "9,3"), "kit: points=9,3: not rising whole numbers such as 1,2,4\n"),
        (("ablate", "small", "boost", "--pass", "of"), "kit: pass=of: no such pass; did you mean 'off'?\n"),
        (("lb", "small", "--note", "x"), "kit: note= and cv= belong to a score: give add= as well\n"),
        (("compare", "small", "--a", "boost", "--b", "boots"), "kit: 'boots' is no member and no run; did you mean"),
    ):
        refused = house.kit(*words)
        assert refused.returncode == 2 and refused.stderr.startswith(said), refused.stderr
