"""The report: a whole page for every kind of task and state of a run, that no text of the data can break."""

import base64
import hashlib
import io
import math
import re
from dataclasses import replace
from html import escape
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import spearmanr

from kit.core.files import read_json, write_json
from kit.ensemble import Auto, Greedy, OutOfFold, diversity
from kit.ensemble.decide.threshold import best_threshold
from kit.metrics import Metric, f1
from kit.report import page
from kit.report.data import ReportData
from kit.report.history import history, remember
from kit.report.leaderboard import leaderboard
from kit.report.page import parts, try_report, write_report
from kit.report.plots import Figures, thinned
from kit.report.script import SCRIPT
from kit.report.sections import (
    blend,
    calibration,
    changes,
    errors,
    left_out,
    members,
    ranking,
    reproduce,
    residuals,
    scores,
    timing,
    top_losses,
)
from kit.report.sections.reproduce import command
from kit.report.settings import flat_settings
from kit.report.track.tracked import tracked_runs
from kit.run.blend import blend as blend_again
from kit.run.blend import last_blend
from kit.run.opened import Opened
from kit.run.run import Run
from tests.helpers.house import House
from tests.helpers.reporting import EVIL, KINDS, PNG, Guess, Read, fitted, made


def written(run: Run) -> str:
    return write_report(run, list(run.recipe.members), debug=True).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def multilabel(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    run = fitted(made("multilabel", tmp_path_factory.mktemp("multilabel") / "run"))
    return run, written(run)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_for_every_kind_of_task(kind: str, tmp_path: Path) -> None:
    run = fitted(made(kind, tmp_path / "run"))
    html = written(run)
    read = Read(html)
    assert not read.open and len(read.ids) == len(set(read.ids))
    assert {link[1:] for link in read.links} <= set(read.ids)
    assert all(found.startswith("data:") for found in read.fetched)
    assert "could not be drawn" not in html and "url(http" not in html and "@import" not in html
    for slug, title, _ in parts(run.table.task.kind):
        assert f'<section id="{slug}"' in html and f'<a href="#{slug}">{title}</a>' in html
    named = {"scores-folds", "blend-weights", "errors-correlation", "calibration-reliability", "training-good"}
    named |= {"timing-members", "drift-psi"}
    named |= {
        "multiclass": {"confusion-matrix"},
        "regression": {f"residuals-{i}-{what}" for i in range(run.table.task.outputs) for what in ("cloud", "spread")},
    }.get(run.table.task.kind, {"ranking-roc", "ranking-precision-recall"})
    pictures = {path.stem: path.read_bytes() for path in (run.root / "plots").glob("*.png")}
    assert set(pictures) == named and all(data.startswith(PNG) for data in pictures.values())
    assert html.count("<svg ") == len(named) == html.count('role="img" aria-label="')


def test_no_text_of_the_data_becomes_part_of_the_page(multilabel: tuple[Run, str]) -> None:
    html = multilabel[1]
    assert "&lt;script&gt;window.hit = 1&lt;/script&gt;" in html and "&lt;b&gt;loud&lt;/b&gt;" in html
    assert EVIL not in html and "<script>window" not in html and "<b>loud" not in html
    read = Read(html)
    assert read.tags.count("script") == 1 and "b" not in read.tags


def test_only_the_pages_own_script_may_run_and_nothing_is_fetched(multilabel: tuple[Run, str]) -> None:
    html = multilabel[1]
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert script == SCRIPT and f"script-src 'sha256-{digest}'" in html and "default-src 'none'" in html


def test_the_leaderboard_has_the_scores_of_the_bank(multilabel: tuple[Run, str]) -> None:
    run, html = multilabel
    for name in ("good", "bad"):
        for kept in run.gathered(name).values():
            assert 'data-sort="' + str(kept.score["score"]) + '"' in html
    report = ReportData(run, ["good", "bad"]).report
    assert report is not None and report.summary is not None
    assert f"nested mean_roc_auc {report.summary['nested']:.5f}" in html and f"{report.summary['gain']:+.5f}" in html


def test_nothing_fitted_yet(tmp_path: Path) -> None:
    html = written(made("binary", tmp_path / "run"))
    assert "No fold is finished yet." in html and "no member has all its folds finished" in html
    assert "could not be drawn" not in html and not Read(html).open


def test_one_fold_only(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"), folds=[1])
    html = written(run)
    assert "Only of fold 1: no member has all its folds yet." in html and "could not be drawn" not in html
    data = ReportData(run, ["good", "bad"])
    assert data.rows.sum() == (run.plan == 1).sum() and set(data.predictions) == {"good", "bad"}
    assert (run.root / "plots/ranking-roc.png").exists() and not (run.root / "plots/blend-weights.png").exists()


def test_members_with_different_folds_are_compared_on_those_they_share(tmp_path: Path) -> None:
    run = made("binary", tmp_path / "run")
    fitted(run, ("good",), [0, 1])
    fitted(run, ("bad",), [1])
    data = ReportData(run, ["good", "bad"])
    assert data.compared == ["good", "bad"] and set(data.plan.tolist()) == {1}
    fitted(run, ("good",), [2])  # complete now: it alone is shown, on all rows
    data = ReportData(run, ["good", "bad"])
    assert data.compared == ["good"] and len(data.y) == 120 and data.partial_note == ""
    html = written(run)
    assert "Errors of members" not in html and "·</td>" in html and "could not be drawn" not in html


def test_without_a_test_file_and_without_text(tmp_path: Path) -> None:
    html = written(fitted(made("regression", tmp_path / "run", test=False, text=False)))
    assert "There is no test file to compare train with." in html and "could not be drawn" not in html
    html = written(fitted(made("binary", tmp_path / "two", n=36)))
    assert "Too few rows to compare" in html


def test_labels_that_are_all_equal(tmp_path: Path) -> None:
    run = made("multilabel", tmp_path / "run")
    run.table.train["rare"] = 0
    data, drawn = ReportData(fitted(run), ["good", "bad"]), Figures(tmp_path, ["good", "bad"], debug=True)
    assert "Labels of rare are all equal: no curve." in ranking.body(data, drawn)
    assert "is not defined for them" in scores.body(data, drawn) and "<svg" in calibration.body(data, drawn)


def test_a_failed_fold_is_named_with_its_reason(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"), ("good",))
    with run.store("bad").work(0) as part:
        assert part is not None
        run.store("bad").fail(0, "Traceback\nValueError: <b>no luck</b>\n")
    html = scores.body(ReportData(run, ["good", "bad"]), Figures(tmp_path, ["good", "bad"], debug=True))
    assert "bad fold 0 failed: ValueError: &lt;b&gt;no luck&lt;/b&gt;" in html


def test_a_fault_of_one_part_or_picture_spares_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fitted(made("binary", tmp_path / "run"))

    def broken(*_: object) -> None:
        raise ValueError("<odd>")

    monkeypatch.setattr(errors, "correlations", broken)
    monkeypatch.setattr("kit.report.sections.timing.plot_times", broken)
    html = write_report(run, ["good", "bad"]).read_text()
    assert "Errors of members could not be drawn (ValueError: &lt;odd&gt;)" in html
    assert "Time spent on each member: could not be drawn (ValueError: &lt;odd&gt;)" in html
    assert (
        "Wall-clock seconds of all finished folds of a member." in html
        and html.count("<svg ") == 7
        and not Read(html).open
    )
    with pytest.raises(ValueError, match="<odd>"):
        write_report(run, ["good", "bad"], debug=True)


def test_a_report_that_cannot_be_written_fails_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made("binary", tmp_path / "run")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(page, "write_text", full)
    said = try_report(run, ["good"])
    assert isinstance(said, str) and said.startswith("no report: OSError: no space left (test_report.py, line ")
    with pytest.raises(OSError):
        try_report(run, ["good"], debug=True)


def test_pictures_of_an_earlier_report_do_not_stay(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"))
    (run.root / "plots").mkdir()
    (run.root / "plots/training-gone.png").write_bytes(b"old")
    (run.root / "plots/importance.png").write_bytes(b"another's")
    written(run)
    assert not (run.root / "plots/training-gone.png").exists() and (run.root / "plots/importance.png").exists()


def test_the_blend_part_shows_nothing_of_how_the_run_is_stored(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"))
    html = blend.body(ReportData(run, ["good", "bad"]), Figures(tmp_path))
    assert "nested roc_auc" in html and ".npy" not in html and "weights.json" not in html


def test_a_blend_may_report_more_than_the_page_knows(tmp_path: Path) -> None:
    from kit.core.files import read_json, write_json

    run = fitted(made("binary", tmp_path / "run"))
    path = run.root / "blend/report.json"
    data = read_json(path)
    data["runners_up"] = [{"blend": "Greedy", "nested": 0.91234, "interval": [0.9, 0.92]}, {"blend": "<Mean>"}]
    data["habit"] = "odd & simple"
    data["summary"] |= {"interval": [0.8, 0.9], "gain_interval": {"low": -0.01, "high": 0.02}}
    write_json(path, data)
    html = blend.body(ReportData(run, ["good", "bad"]), Figures(tmp_path))
    assert "&lt;Mean&gt;" in html and "0.91234" in html and "[0.90000, 0.92000]" in html
    assert "habit: odd &amp; simple" in html
    assert "[0.80000, 0.90000]" in html and "[-0.01000, 0.02000]" in html and "95 % intervals" in html


def test_what_auto_took_and_why(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run", "blend=Auto(choices=(Mean,RankMean,PerColumn))"))
    data = ReportData(run, ["good", "bad"])
    html, told = blend.body(data, Figures(tmp_path, ["good", "bad"], debug=True)), data.blend_json
    assert f"{told['choice']} (taken)</th>" in html and escape(told["reason"]) in html
    assert html.count("<tr>") == 1 + 3 and escape(told["choices"][2]["refused"]) in html
    assert html.index("(taken)") < html.index("·</td>")


@pytest.mark.parametrize("setting", ["blend=Greedy", "blend=Auto"])
def test_what_each_member_adds_to_the_blend(setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fitted(made("multilabel", tmp_path, setting))
    told: list[str] = []

    def at(time_limit: float, *seconds: float) -> str:
        clock = iter(seconds)
        with monkeypatch.context() as patch:
            patch.setattr(left_out, "time", SimpleNamespace(monotonic=lambda: next(clock)))
            return left_out.body(ReportData(run, ["good", "bad"], time_limit=time_limit, on_message=told.append))

    # to blend all took more than a half of what may be spent on doing without each of two
    assert at(20, 0, 10.5) == "<p>What each member adds to the blend takes too long for the end of a run; make " \
        "report computes it.</p>"  # fmt: skip
    assert not (run.root / "blend" / "left_out.json").exists()
    assert "What 1 more add takes too long for the end of a run" in at(20, 0, 1, 21) and told == []
    first = read_json(run.root / "blend" / "left_out.json")["adds"]
    page = at(math.inf, 0, 1e6)
    assert told == ["what each member adds to the blend: 1 of 1"]
    kept = read_json(run.root / "blend" / "left_out.json")["adds"]
    assert "takes longer" not in page and kept[:1] == first and [one["member"] for one in kept] == ["good", "bad"]
    data = ReportData(run, ["good", "bad"])
    chosen = Auto().named(data.blend_json["choice"]) if "Auto" in setting else Greedy()
    p = np.stack(list(data.members.values()))
    found = diversity(chosen, OutOfFold(p, data.y, run.table.task.metric, ["good", "bad"], data.plan)).adds
    for one in kept:
        assert one["adds"] == pytest.approx(found[one["member"]].value)
        assert one["interval"] == pytest.approx([found[one["member"]].low, found[one["member"]].high])
        assert f"{one['adds']:+.5f}" in page
    assert found["good"].value > found["bad"].value

    monkeypatch.setattr(left_out, "left_out", None)  # what is known is not computed again
    assert f"{kept[0]['adds']:+.5f}" in left_out.body(ReportData(run, ["good", "bad"]))
    write_json(run.root / "blend" / "left_out.json", {"key": "another blend", "adds": kept})
    with pytest.raises(TypeError):  # it would be computed
        left_out.body(ReportData(run, ["good", "bad"]))


def test_a_page_of_some_members_does_not_say_what_they_would_add_alone(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path, third=True), ("good", "bad", "third"))
    whole = left_out.body(ReportData(run, ["good", "bad", "third"]))
    path = run.root / "blend" / "left_out.json"
    kept = path.read_bytes()
    for names in (["good", "third"], ["good"]):
        assert left_out.body(ReportData(run, names)) == "" and path.read_bytes() == kept
    path.unlink()
    assert left_out.body(ReportData(run, ["good", "third"])) == "" and not path.exists()
    assert left_out.body(ReportData(run, ["good", "bad", "third"])) == whole and "third</th>" in whole
    blend_again(run, ["good", "third"])  # a blend of fewer, on a page of all
    fewer = left_out.body(ReportData(run, ["good", "bad", "third"]))
    assert fewer != whole and "bad</th>" not in fewer and "third</th>" in fewer


def test_ranks_are_no_probabilities(tmp_path: Path) -> None:
    for how in ("RankMean", "Auto(choices=(RankMean,))"):
        data = ReportData(fitted(made("binary", tmp_path / "run", f"blend={how}")), ["good", "bad"])
        html = calibration.body(data, Figures(tmp_path, ["good", "bad"], debug=True))
        assert (
            data.unranked_leader == "good"
            and data.leader == "blend"
            and "of the loss of the good" in (top_losses.body(data, Figures(tmp_path)))
        )
        assert "No probabilities, so left out: blend." in html and "y · good" in html and "y · blend" not in html


def test_ranks_have_no_residuals(tmp_path: Path) -> None:
    run = made("regression", tmp_path / "run", "blend=RankMean")
    order = Metric(lambda y, p: float(spearmanr(y[:, 0], p[:, 0])[0]), "order", greater_is_better=True, needs="rank")
    task = run.table.task.model_copy(update={"metric": order})
    data = ReportData(fitted(Run(run.recipe, replace(run.table, task=task), run.root)), ["good", "bad"])
    drawn = Figures(tmp_path, ["good", "bad"], debug=True)
    html = residuals.body(data, drawn)
    assert data.blend_is_ranked and data.leader == "blend" and "y · blend" not in html and "y · good" in html
    assert (
        "prediction of the good" in html and "The blend is left out: it gives ranks, not values of the label." in html
    )
    assert "No values of the label, so left out: blend." in calibration.body(data, drawn)


def test_a_nested_blend_of_several_kinds_is_one_of_ranks(tmp_path: Path) -> None:
    data = ReportData(fitted(made("binary", tmp_path / "run")), ["good", "bad"])
    assert data.report is not None and data.report.summary is not None and not data.blend_is_ranked
    data = ReportData(data.run, ["good", "bad"])
    assert data.report is not None and data.report.summary is not None
    data.report.summary["chosen"] = {"0": "Mean", "1": "RankMean"}
    assert data.blend_is_ranked


def test_settings_that_changed_since_the_last_run(tmp_path: Path) -> None:
    def shown(run: Run) -> str:
        return changes.body(ReportData(run, ["good", "bad"]), Figures(tmp_path))

    first = fitted(made("binary", tmp_path / "run"))
    assert "nothing to compare" in shown(first)
    remember(first)
    remember(first)
    assert len(history(first.root)) == 1
    second = fitted(made("binary", tmp_path / "run", "good.noise=0.25", "blend=Mean"))
    for _ in range(2):  # also once this run is itself in the history
        html = shown(second)
        assert re.search(r">good\.noise</th><td[^>]*>0\.3</td><td[^>]*>0\.25</td>", html)
        assert (
            re.search(r">blend</th><td[^>]*>Greedy</td><td[^>]*>Mean</td>", html)
            and ">bad.noise<" not in html
            and ">blend." not in html
        )
        remember(second)
    scores = [entry["score"] for entry in history(second.root)]
    assert scores[0] != scores[1] and f"was {scores[0]:.5f}, now it is {scores[1]:.5f}." in html
    blend_again(second, ["good"])  # the same settings, other members: that is what makes the score another
    html = shown(second)
    assert re.search(r">members that were blended</th><td[^>]*>bad, good</td><td[^>]*>good</td>", html)
    assert ">good.noise<" not in html
    remember(second)
    remember(second)
    assert [entry["members"] for entry in history(second.root)] == [["bad", "good"], ["bad", "good"], ["good"]]
    older = [{name: value for name, value in entry.items() if name != "members"} for entry in history(second.root)]
    write_json(second.root / "settings.json", {"runs": older})  # as an older kit wrote it
    html = shown(second)
    assert ">good.noise</th>" in html and "members that were" not in html
    (second.root / "settings.json").write_text("{")
    assert "nothing to compare" in shown(second)


def test_a_dump_by_dotted_names() -> None:
    dumped = {
        "class": "m:Top",
        "version": 1,
        "a": {"class": "m:In", "version": 2, "b": 3},
        "c": [{"class": "m:X", "d": 1}],
    }
    assert flat_settings(dumped) == {"a": "In", "a.b": 3, "c.0": "X", "c.0.d": 1}


def test_how_to_reproduce(tmp_path: Path) -> None:
    run = made("binary", tmp_path / "run", "good.noise=0.1")
    opened = Opened("competitions.mine.recipe:Mine", ("a.b=1", "c=D(e=2)"), tmp_path, tmp_path, tmp_path, 50, 2)
    line = command(ReportData(Run(run.recipe, run.table, run.root, opened=opened), ["good"]))
    assert line == "make cv comp=mine only=\"good\" set='a.b=1 c=D(e=2)' sample=50 threads=2"
    html = reproduce.body(
        ReportData(run, ["good"]), Figures(tmp_path)
    )  # opened in code: what differs from the recipe's own settings
    assert "good.noise=0.1" in html and run.table.digest[:16] in html and run.store("good").folder.name in html


def test_pictures_are_small_however_many_points() -> None:
    at = list(thinned(160_000, 400))
    assert len(at) == 400 and at[0] == 0 and at[-1] == 159_999 and at == sorted(set(at))
    assert list(thinned(3, 400)) == [0, 1, 2] and list(thinned(1, 400)) == [0] and list(thinned(0, 5)) == []


def test_a_cloud_is_thinned_and_says_so(tmp_path: Path) -> None:
    run = fitted(made("regression", tmp_path / "run", n=4000))
    html = written(run)
    assert "3,000 of 4,000 rows, drawn at random" in html and len(html) < 700_000


def test_the_same_pictures_on_every_run(multilabel: tuple[Run, str]) -> None:
    run, html = multilabel
    first = re.findall(r"<svg .*?</svg>", html, re.DOTALL)
    assert first == re.findall(r"<svg .*?</svg>", written(run), re.DOTALL)


def test_a_picture_takes_the_pages_colours(tmp_path: Path) -> None:
    drawn = Figures(tmp_path, ["a"], debug=True)
    html = drawn.draw("p-q", 'says "hi" & <b>', "below <i>", lambda axes: axes.set_title("a $x_y$ <b>&"))
    assert "var(--ink)" in html and "#1f2630" not in html and "<b>" not in html
    assert 'aria-label="says &quot;hi&quot; &amp; &lt;b&gt;"' in html and "below &lt;i&gt;" in html
    assert "a $x_y$ &lt;b&gt;&amp;" in html  # no formula is made of it
    assert all(found.startswith("p-q-") for found in re.findall(r' id="([^"]*)"', html))
    assert all(found.startswith("p-q-") for found in re.findall(r"url\(#([^)]*)\)", html))


def test_the_command_prints_where_the_report_lies(house: House) -> None:
    done = house.kit("cv", "small", "--only", "memory", KIT_REPORT="no")
    assert done.returncode == 0 and "report:" not in done.stdout and not (house.runs / "report.html").exists()
    done = house.kit("blend", "small", KIT_REPORT="yes")
    assert done.returncode == 0 and "report: runs/small/report.html\n" in done.stdout, done.stderr
    page = (house.runs / "report.html").read_text()
    assert "make cv comp=small threads=1" in page and "could not be drawn" not in page
    (house.runs / "report.html").unlink()
    done = house.kit("report", "small", "--only", "memory")
    assert done.stdout.splitlines()[-1] == "report: runs/small/report.html"
    assert "finished</dt><dd>4 of 4" in (house.runs / "report.html").read_text()


@pytest.mark.parametrize(
    "odd", ["{}", "[]", "{", '{"weights": 3}', '{"weights": [[{}, 1]]}', '{"weights": [["good", 1]]}']
)
def test_an_odd_report_of_a_blend_is_none(odd: str, tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"))
    (run.root / "blend/report.json").write_text(odd)
    assert last_blend(run) is None and "There is no blend of these settings" in written(run)
    assert blend_again(run, ["good", "bad"]) is not None and last_blend(run) is not None


def test_scores_are_those_of_the_present_metric(tmp_path: Path) -> None:
    """Folds that were fitted under ROC AUC, of a task that is now judged by F1 at the best threshold of other folds."""
    old = fitted(made("binary", tmp_path / "run"))
    task = old.table.task.model_copy(update={"metric": f1})
    run = Run(old.recipe, replace(old.table, task=task), old.root)
    report = blend_again(run, ["good", "bad"])
    data = ReportData(run, ["good", "bad"])
    p = data.members["good"]
    for fold, found in data.scores["good"].folds.items():
        here = data.plan == fold
        cut = best_threshold(f1, data.y[~here], p[~here])
        assert (
            found == pytest.approx(f1.at(cut[0])(data.y[here], p[here]))
            and found != run.gathered("good")[fold].score["score"]
        )
    console = Console(width=200, file=io.StringIO())
    console.print(leaderboard(run, ["good", "bad"], report))
    html, terminal = scores.body(data, Figures(tmp_path)), console.file.getvalue()  # type: ignore[attr-defined]
    for found in (*data.scores["good"].folds.values(), *data.scores["bad"].folds.values()):
        assert f"{found:.4f}" in html and f"{found:.4f}" in terminal
    assert {thing.name: thing.scores["f1"] for thing in tracked_runs(run, ["good"])}["good"] == data.scores[
        "good"
    ].folds


def test_the_best_stand_first(tmp_path: Path) -> None:
    run = fitted(made("regression", tmp_path / "run", third=True), ("bad", "third"))
    fitted(run, ("good",), [0])
    data = ReportData(run, ["good", "bad", "third"])
    html = scores.body(data, Figures(tmp_path, [], debug=True))
    assert re.findall(r'<th scope="row">(?:<a href="#member-\d">)?(\w+)<', html) == ["blend", "third", "bad", "good"]
    assert re.findall(r">(blend|third|bad|good)</text>", html) == ["good", "bad", "third", "blend"]  # from below


def test_of_many_members_the_best_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fitted(made("multilabel", tmp_path / "run", third=True), ("good", "bad", "third"))
    for module in (blend, errors, scores, timing):
        monkeypatch.setattr(module, "MAX_DRAWN", 2)
    monkeypatch.setattr("kit.report.data.MAX_LISTED", 2)
    data, drawn = ReportData(run, ["bad", "good", "third"]), Figures(tmp_path, [], debug=True)
    assert data.best_first == ["good", "third", "bad"]
    for part in (ranking, calibration):
        html = part.body(data, drawn)
        assert "Only the 2 best of 3 members." in html and "y · bad" not in html and "y · third" in html
    html = errors.body(data, drawn).partition("How much better")[0]
    assert "The 2 best of 3 members." in html and html.count("<tr>") == 2 and ">bad</text>" not in html
    html = scores.body(data, drawn)
    assert "The 2 best of 3 members." in html and ">bad</text>" not in html and ">bad</a></th>" in html
    assert "The 2 with the largest weights, of 3 members." in blend.body(data, drawn)
    assert "The 2 of 3 members that took the longest time." in timing.body(data, drawn)


def test_a_page_says_whose_rows_it_is_about(tmp_path: Path) -> None:
    run, cache = made("binary", tmp_path / "mine-sample"), tmp_path / "cache"

    def head(folder: Path, sample: int | None) -> str:
        opened = Opened("competitions.mine.recipe:Mine", (), folder, run.root, cache, sample)
        named = Run(run.recipe, run.table, run.root, opened=opened)
        return write_report(named, ["good"]).read_text().partition("<nav")[0]

    html = head(cache / "mine-sample", None)
    assert "<h1>mine-sample</h1>" in html and "<title>mine-sample: report</title>" in html
    assert "Only a sample: 120 train rows, generated by the recipe" in html
    assert "Only a part of the competition&#x27;s rows: 120 train rows, drawn at random (sample=120)." in head(
        tmp_path, 120
    )
    assert "Only a" not in head(tmp_path, None) and "Only a" not in head(tmp_path, 500)


def test_blend_predictions_of_other_rows_are_not_shown(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"))
    np.save(run.root / "blend/oof.npy", np.zeros((7, 1)))
    data = ReportData(run, ["good", "bad"])
    assert data.blend is None and data.leader == "good" and "could not be drawn" not in written(run)


def test_a_member_shows_its_folds_and_what_was_set(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run", "bad.noise=2"), ("good",))
    with run.store("bad").work(0):
        run.store("bad").fail(0, "Traceback\nValueError: <b>no luck</b>\n")
    html = members.body(ReportData(run, ["good", "bad"]), Figures(tmp_path, ["good", "bad"], debug=True))
    good, bad = html.split("<details ")[1:]
    assert good.startswith('id="member-0"') and "3 of 3 folds" in good and "Training loss of good" in good
    for fold, kept in run.gathered("good").items():
        assert re.search(rf'<th scope="row"[^>]*>{fold}</th><td[^>]*data-sort="{kept.score["score"]}"', good)
    assert "0 of 3 folds" in bad and "failed: ValueError: &lt;b&gt;no luck&lt;/b&gt;" in bad and "<svg" not in bad
    assert re.search(r">noise</th><td[^>]*>2.0</td><td[^>]*>1.2</td>", bad) and "in the recipe" not in good


def test_early_stopping_is_noted_where_the_table_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Figures(tmp_path, [], debug=True)
    run = fitted(made("binary", tmp_path / "without"), ("good",))
    assert "early stopping" not in scores.body(ReportData(run, ["good", "bad"]), drawn)
    monkeypatch.setattr(Guess, "early_stops_on_valid", True)
    run = fitted(made("binary", tmp_path / "with"), ("good",))
    html = scores.body(ReportData(run, ["good", "bad"]), drawn)
    assert "* good: early stopping" in html and ">good*</a>" in html and "bad*" not in html  # bad has no score yet


def test_the_worst_rows_and_some_of_each_label() -> None:
    loss = np.array([9.0, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    rare, common = np.arange(10) >= 8, np.arange(10) < 8
    assert top_losses.worst(loss, [], 3) == [0, 1, 2]
    assert top_losses.worst(loss, [rare, common], 3) == [0, 1, 2, 3, 8, 9]  # four of the common label, both of the rare


def test_a_page_of_twelve_members_and_many_rows_stays_small(tmp_path: Path) -> None:
    run = made("multilabel", tmp_path / "run", n=3000)
    data = ReportData(run, ["good", "bad"])
    many = {f"member{i}": np.random.default_rng(i).random((3000, 3)) for i in range(12)}
    texts = run.table.train["words"] = ["a long text of a competition " * 40] * 3000
    assert len(texts[0]) > 1000
    data.__dict__ |= {"members": many, "rows": np.ones(3000, bool), "report": None, "compared": list(many)}
    html = top_losses.body(data, Figures(tmp_path))
    assert len(html) < 250_000 and html.count('data-member="') > 150
