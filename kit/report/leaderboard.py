"""The table of members × folds, the blend below it."""

import numpy as np
from rich.console import Group
from rich.table import Table as Grid
from rich.text import Text

from kit.blending import BlendReport
from kit.ensemble.threshold import told
from kit.metrics import unjudged
from kit.report.judged import area_tells, cuts, member_scores
from kit.run import Run

MARKS = {"busy": "busy", "failed": "failed", "part": "…", "absent": "·", "damaged": "damaged", "done": "done"}


def leaderboard(run: Run, names: list[str], report: BlendReport | None) -> Group:
    """Scores of each fold, their mean ± sd, the score of all out-of-fold rows together, blend weight and time spent.

    A metric of decisions is taken at the thresholds that are best on the other folds; beside yes and no stands ROC AUC.
    """
    task, folds, cut, area = run.table.task, run.folds, cuts(run), area_tells(run)
    grid = Grid(title=f"{task.name} · {task.metric.name} · {len(run.plan):,} rows", title_justify="left")
    grid.add_column("member")
    for fold in folds:
        grid.add_column(f"fold {fold}", justify="right")
    for title in ("mean ± sd", "out-of-fold", *(["ROC AUC"] if area else []), "weight", "time"):
        grid.add_column(title, justify="right")
    weights = report.weights if report else {}
    for name in names:
        grid.add_row(*_member(run, name, weights))
    lines: list[Grid | Text] = [grid]
    if report and report.summary:
        nested, summary = report.summary["folds"], report.summary
        grid.add_section()
        scores = [nested.get(str(fold)) for fold in folds]
        cells = ["·" if s is None else f"{s:.4f}" for s in scores]
        cells += [_spread([s for s in scores if s is not None]), _number(summary["nested"])]
        grid.add_row("blend", *cells, *([_number(report.auc)] if area else []), "", "")
        learnt = "weights and threshold" if cut else "weights"
        lines.append(
            Text(
                f"blend: nested {task.metric.name} {_number(summary['nested'])} ({learnt} learnt without the fold they "
                f"are judged on){_between(summary['interval'], '.5f')}; best single member {summary['best_member']} "
                f"{_number(summary['best_member_score'])}; "
                f"gain {summary['gain']:+.5f}{_between(summary['gain_interval'], '+.5f')}"
                if summary["gain"] is not None
                else "blend: cannot be judged"
            )
        )
    if report and report.story:
        lines += _choices(run, report)
    if report and report.thresholds:
        rows = told(task.targets, report.thresholds)
        named = [f"{value:.5f}" if len(rows) == 1 else f"{what} {value:.5f}" for what, value in rows]
        lines.append(
            Text(
                f"threshold of the submission: {', '.join(named)}, where all out-of-fold rows together score "
                f"{task.metric.name} {_number(report.score)} (optimistic: chosen on these very rows)"
            )
        )
    if cut:
        beside = "; ROC AUC: of all out-of-fold rows" if area else ""
        lines.append(
            Text(f"{task.metric.name} of a fold: at the threshold that is best on the other folds{beside}", style="dim")
        )
    for fold in folds:
        if unseen := unjudged(task.metric, run.table.y[run.plan == fold]):
            columns = ", ".join(f"'{task.targets[i]}'" for i in unseen)
            lines.append(
                Text(f"fold {fold}: labels of {columns} are all equal, so {task.metric.name} cannot judge them")
            )
    if peeking := [n for n in names if run.recipe.members[n].peeks]:
        lines.append(Text(f"* {', '.join(peeking)}: stopped by the judged fold, so slightly optimistic", style="dim"))
    return Group(*lines)


def _choices(run: Run, report: BlendReport) -> list[Grid | Text]:
    """What Auto tried, and why it took the one that it took."""
    story, judge = report.story, run.table.task.metric.name
    grid = Grid(title=f"blends tried, by nested {judge}", title_justify="left")
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


def _member(run: Run, name: str, weights: dict[str, float]) -> list[str]:
    found, shelf = run.gathered(name), run.shelf(name)
    scores = member_scores(run, found)
    cells = [_number(scores.folds[f], 4) if f in found else MARKS[shelf.state(f)] for f in run.folds]
    cells += [_spread([s for s in scores.folds.values() if s == s]), _number(scores.pooled)]
    cells += [_number(scores.auc)] if area_tells(run) else []
    star = "*" if run.recipe.members[name].peeks else ""
    weight = f"{weights[name]:.2f}" if name in weights else "·"
    return [name + star, *cells, weight, duration(scores.seconds)]


def _spread(scores: list[float]) -> str:
    if not scores:
        return "·"
    return f"{np.mean(scores):.4f} ± {np.std(scores, ddof=1):.4f}" if len(scores) > 1 else f"{scores[0]:.4f}"


def _number(score: float | None, digits: int = 5) -> str:
    return "·" if score is None or score != score else f"{score:.{digits}f}"


def duration(seconds: float) -> str:
    """Seconds as people say them: 4.2 s, 3 min 05 s, 2 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
