"""The blend: its weights, its score, and the reason for it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from kit.ensemble.decide.threshold import named_thresholds
from kit.report.data import MAX_DRAWN, ReportData
from kit.report.html import Cell, group, number, paragraph, shortened, stacked, table
from kit.report.plots import Figures, size_for_lines
from kit.run.blend import BlendReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def body(data: ReportData, figures: Figures) -> str:
    """Score and gain in words, weights as a picture, thresholds, and everything else that the blend reports."""
    report = data.report
    if report is None:
        why = "no member has all its folds finished" if not data.complete else "make blend has not run since"
        return paragraph(f"There is no blend of these settings: {why}.")
    summary: dict[str, Any] = report.summary or {}
    nested = {int(fold): weights for fold, weights in summary.get("weights", {}).items()}
    heaviest = sorted(report.weights, key=lambda name: -abs(report.weights[name]))[:MAX_DRAWN]
    drawn = {name: weight for name, weight in report.weights.items() if name in heaviest}
    rest = (
        f" The {MAX_DRAWN} with the largest weights, of {len(report.weights)} members."
        if len(report.weights) > MAX_DRAWN
        else ""
    )
    figure = figures.draw(
        "blend-weights", "Weight of each member in the blend",
        "Weights learnt on all rows (bars)" + (" and without each fold (dots): dots far "
        "apart mean an uncertain weight." if nested else ".") + rest,
        lambda axes: _plot(axes, drawn, nested, figures), size_for_lines(len(drawn)),
    )  # fmt: skip
    words = stacked(*map(paragraph, lines(data, report)), _thresholds(data, report))
    return (
        group(words, figure if report.weights else "")
        + _choices(data.blend_json)
        + "".join(_more(name, value) for name, value in _extras(data.blend_json, summary))
    )


def interval(value: Any) -> str:
    """An interval as " [low, high]" from a JSON list or dict; empty if the value is None."""
    if isinstance(value, dict):
        value = (value.get("low"), value.get("high"))
    if not isinstance(value, (list, tuple)) or len(value) < 2 or not all(isinstance(v, (int, float)) for v in value):
        return ""
    low, high = value[-2:]
    return f" [{low:.5f}, {high:.5f}]"


def lines(data: ReportData, report: BlendReport) -> list[str]:
    """Sentences about the scores of the blend."""
    metric, how = data.task.metric.name, type(data.run.recipe.blend).__name__
    summary = report.summary
    if not summary or summary.get("nested") is None:
        return [
            f"{how}: {metric} {number(report.score)[0]} on the rows from which its weights are learnt (optimistic)."
        ]
    words = [
        f"{how}: nested {metric} {number(summary['nested'])[0]}{interval(summary.get('interval'))}; its weights are "
        "learnt without the fold that is scored. On the rows from which they are learnt, the score is "
        f"{number(report.score)[0]}."
    ]
    if summary.get("gain") is not None and len(report.weights) > 1:
        words.append(
            f"Best single member: {summary['best_member']} {number(summary['best_member_score'])[0]}; gain of the "
            f"blend {summary['gain']:+.5f}{interval(summary.get('gain_interval'))}."
        )
    if reason := data.blend_json.get("reason"):
        words.append(str(reason))
    if taken := summary.get("chosen"):
        named = ", ".join(f"{blend} (fold {fold})" for fold, blend in taken.items())
        words.append(f"Taken where a fold was left out: {named}.")
    if any(interval(summary.get(name)) for name in ("interval", "gain_interval")):
        words.append("In brackets: 95 % intervals, by bootstrap over rows or whole groups of rows.")
    return words


def _choices(found: dict[str, Any]) -> str:
    """The choices that `Auto` tried, the chosen one first."""
    tried = found.get("choices") or []
    if not tried:
        return ""
    rows: list[list[Cell]] = []
    for trial in sorted(tried, key=lambda trial: trial.get("blend") != found.get("choice")):
        mark = " (taken)" if trial.get("blend") == found.get("choice") else ""
        apart, between = trial.get("against the chosen"), interval(trial.get("interval")).strip()
        difference = ("·", None) if apart is None else (f"{apart:+.5f} {between}", apart)
        note = shortened(str(trial.get("refused") or ""), 160)
        rows.append([f"{trial.get('blend')}{mark}", number(trial.get("nested")), difference, note])
    head = ["blend", "nested", "against the one taken", "left out because"]
    return table(head, rows, "Blends that were tried; in brackets 95 % intervals of paired differences.", wide=(3,))


def _thresholds(data: ReportData, report: BlendReport) -> str:
    if not report.thresholds:
        return ""
    rows: list[list[Cell]] = [
        [what, number(cut)] for what, cut in named_thresholds(data.task.targets, report.thresholds)
    ]
    head = ["grade", "from"] if len(report.thresholds) > data.task.outputs else ["column", "yes from"]
    return table(head, rows, "Thresholds of the submission, chosen on all out-of-fold rows.")


KNOWN = {"key", "weights", "score", "summary", "submitted", "warnings", "thresholds", "auc", "metric", "nested",
         "folds", "best_member", "best_member_score", "gain", "interval", "gain_interval", "choice", "reason",
        "choices", "chosen", "files", "sum"}  # fmt: skip


def _extras(data: dict[str, Any], summary: dict[str, Any]) -> list[tuple[str, Any]]:
    """What this kind of blend reports in addition to other blends."""
    return [(name, value) for source in (data, summary) for name, value in source.items() if name not in KNOWN]


def _more(name: str, value: Any) -> str:
    """One of these values, as a table or a sentence."""
    title = name.replace("_", " ")
    if value is None or value == [] or value == {} or value == "":
        return ""
    if isinstance(value, dict) and all(isinstance(v, dict) for v in value.values()):
        value = [{title: key, **row} for key, row in value.items()]
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        head = list(dict.fromkeys(key for row in value for key in row))
        rows = [[_cell(row.get(key)) for key in head] for row in value]
        return table([key.replace("_", " ") for key in head], rows, title)
    if isinstance(value, dict):
        return table([title, "value"], [[key, _cell(v)] for key, v in value.items()], title)
    if isinstance(value, list):
        value = "; ".join(str(part) for part in value)
    return paragraph(f"{title}: {shortened(str(value), 600)}")


def _cell(value: Any) -> Cell:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "·" if value is None else shortened(interval(value).strip() or str(value), 200)
    return value if isinstance(value, int) else number(value)


def _plot(axes: "Axes", weights: dict[str, float], nested: dict[int, dict[str, float]], figures: Figures) -> None:
    names = list(reversed(weights))
    axes.barh(names, [weights[n] for n in names], height=0.55, color=[figures.color(n) for n in names], alpha=0.8)
    for place, name in enumerate(names):
        dots = [found.get(name, 0.0) for found in nested.values()]
        shift = np.linspace(-0.15, 0.15, len(dots)) if len(dots) > 1 else np.zeros(len(dots))
        axes.scatter(dots, place + shift, s=12, color=axes.xaxis.label.get_color(), linewidths=0, zorder=3)
    axes.axvline(0, color=axes.spines["left"].get_edgecolor(), linewidth=1)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("weight")
