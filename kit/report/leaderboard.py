"""The leaderboard: a table of members × folds, with the blend."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table as Grid
from rich.text import Text

from kit.core.units import duration
from kit.ensemble.decide.threshold import named_thresholds
from kit.metrics import undefined_columns
from kit.report.member_scores import member_scores, shows_roc_auc, uses_threshold
from kit.run.bank import Fold
from kit.run.blend import BlendReport
from kit.run.faults import fold_faults
from kit.run.run import Run

MARKS = {"busy": "busy", "failed": "failed", "part": "…", "absent": "·", "damaged": "damaged", "done": "done"}


def leaderboard(run: Run, names: list[str], report: BlendReport | None) -> Group:
    """Scores of each fold, their mean ± sd, the score of all out-of-fold rows together, weight in the blend, and time.

    A metric of decisions uses the best thresholds of the other folds; ROC AUC is then shown too.
    """
    task, folds, cut, area = run.table.task, run.folds, uses_threshold(run), shows_roc_auc(run)
    grid = Grid(title=f"{task.name} · {task.metric.name} · {len(run.plan):,} rows", title_justify="left")
    grid.add_column("member")
    for fold in folds:
        grid.add_column(f"fold {fold}", justify="right")
    for title in ("mean ± sd", "out-of-fold", *(["ROC AUC"] if area else []), "weight", "time"):
        grid.add_column(title, justify="right")
    weights = report.weights if report else {}
    found = {name: run.gathered(name) for name in names}
    for name in names:
        grid.add_row(*_member(run, name, found[name], weights))
    lines: list[Grid | Text] = [grid]
    if report and report.summary:
        nested, summary = report.summary["folds"], report.summary
        grid.add_section()
        scores = [nested.get(str(fold)) for fold in folds]
        cells = ["·" if s is None else f"{s:.4f}" for s in scores]
        cells += [_spread([s for s in scores if s is not None]), _number(summary["nested"])]
        grid.add_row("blend", *cells, *([_number(report.auc)] if area else []), "", "")
        lines.append(Text(_blend_line(run, report, summary, names, "weights and threshold" if cut else "weights")))
    if report and report.explanation:
        lines += _choices(run, report)
    if report and report.thresholds:
        rows = named_thresholds(task.targets, report.thresholds)
        named = [f"{value:.5f}" if len(rows) == 1 else f"{what} {value:.5f}" for what, value in rows]
        lines.append(
            Text(
                f"threshold of the submission: {', '.join(named)}, where all out-of-fold rows together score "
                f"{task.metric.name} {_number(report.score)} (optimistic: chosen on these very rows)"
            )
        )
    return Group(*lines, *_footnotes(run, found))


def _blend_line(run: Run, report: BlendReport, summary: dict[str, Any], names: Sequence[str], learnt: str) -> str:
    """The blend's nested score, and its best member; names the members of the blend if the table shows others."""
    metric = run.table.task.metric.name
    called = "blend" if {*report.weights} <= {*names} else f"blend of {', '.join(report.weights)}"
    if summary["gain"] is None:
        return f"{called}: there is no nested score of one fold"
    score = f"{_number(summary['nested'])}{_between(summary['interval'], '.5f')}"
    if len(report.weights) == 1:
        return f"{called}: {metric} {score}, the score of its only member"
    best = f"best single member {summary['best_member']} {_number(summary['best_member_score'])}"
    gain = f"gain {summary['gain']:+.5f}{_between(summary['gain_interval'], '+.5f')}"
    return f"{called}: nested {metric} {score} ({learnt} learnt without the fold that is scored); {best}; {gain}"


def _footnotes(run: Run, found: dict[str, dict[int, Fold]]) -> list[Text]:
    """Notes that explain the scores in the table; none about members and folds without a score."""
    task, lines = run.table.task, []
    for name, folds in found.items():
        for fold, fault in fold_faults(run, folds).items():
            lines.append(Text(f"{name}, fold {fold}: no score; the predictions are kept: {fault}"))
    scored = [name for name, folds in found.items() if folds]
    if uses_threshold(run) and scored:
        beside = "; ROC AUC: of all out-of-fold rows" if shows_roc_auc(run) else ""
        lines.append(
            Text(f"{task.metric.name} of a fold: at the threshold that is best on the other folds{beside}", style="dim")
        )
    for fold in sorted({fold for folds in found.values() for fold in folds}):
        if unseen := undefined_columns(task.metric, run.table.y[run.plan == fold]):
            columns = ", ".join(f"'{task.targets[i]}'" for i in unseen)
            lines.append(Text(f"fold {fold}: labels of {columns} are all equal, so they have no {task.metric.name}"))
    if stopped := [name for name in scored if run.recipe.members[name].early_stops_on_valid]:
        note = f"* {', '.join(stopped)}: early stopping uses the validation fold, so the score is slightly optimistic"
        lines.append(Text(note, style="dim"))
    return lines


def _choices(run: Run, report: BlendReport) -> list[Grid | Text]:
    """The choices that Auto tried, and the reason for its choice."""
    story, metric = report.explanation, run.table.task.metric.name
    grid = Grid(title=f"blends tried, by nested {metric}", title_justify="left")
    for title in ("blend", "nested", "against the chosen", "95 % interval"):
        grid.add_column(title, justify="left" if title == "blend" else "right")
    for row in story["choices"]:
        if row["refused"] or row["interval"] is None:
            grid.add_row(row["blend"], "·", "·", "·")
        else:
            named = row["blend"] + (" ←" if row["blend"] == story["choice"] else "")
            apart = f"{row['against the chosen']:+.5f}"
            grid.add_row(named, _number(row["nested"]), apart, _between(row["interval"], "+.5f").strip())
    refused = [f"{row['blend']}: {row['refused']}" for row in story["choices"] if row["refused"]]
    return [grid, Text(f"blend: {story['reason']}"), *(Text(line, style="dim") for line in refused)]


def _between(interval: list[float] | None, form: str) -> str:
    return f" [{interval[0]:{form}}, {interval[1]:{form}}]" if interval and None not in interval else ""


def _member(run: Run, name: str, found: dict[int, Fold], weights: dict[str, float]) -> list[str]:
    store = run.store(name)
    scores = member_scores(run, found)
    cells = [_number(scores.folds[f], 4) if f in found else MARKS[store.state(f)] for f in run.folds]
    cells += [_spread([s for s in scores.folds.values() if s == s]), _number(scores.pooled)]
    cells += [_number(scores.auc)] if shows_roc_auc(run) else []
    star = "*" if found and run.recipe.members[name].early_stops_on_valid else ""
    weight = f"{weights[name]:.2f}" if name in weights else "·"
    return [name + star, *cells, weight, duration(scores.seconds) if scores.folds else "·"]


def _spread(scores: list[float]) -> str:
    if not scores:
        return "·"
    return f"{np.mean(scores):.4f} ± {np.std(scores, ddof=1):.4f}" if len(scores) > 1 else f"{scores[0]:.4f}"


def _number(score: float | None, digits: int = 5) -> str:
    return "·" if score is None or score != score else f"{score:.{digits}f}"
