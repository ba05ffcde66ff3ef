"""The table of members × folds, the blend below it."""

import numpy as np
from rich.console import Group
from rich.table import Table as Grid
from rich.text import Text

from kit.blending import BlendReport, out_of_fold
from kit.ensemble.threshold import judge, judge_folds, says_yes, stand_in, takes_threshold, told, unseen_thresholds
from kit.metrics import mean_roc_auc, unjudged
from kit.run import Run

MARKS = {"busy": "busy", "failed": "failed", "part": "…", "absent": "·", "damaged": "damaged", "done": "done"}


def leaderboard(run: Run, names: list[str], report: BlendReport | None) -> Group:
    """Scores of each fold, their mean ± sd, the score of all out-of-fold rows together, blend weight and time spent.

    A metric of decisions is taken at the thresholds that are best on the other folds; beside yes and no stands ROC AUC.
    """
    task, folds, cut, area = run.table.task, run.folds, _cuts(run), _area(run)
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
    story, metric = report.story, run.table.task.metric
    judge = (stand_in(metric, run.table.y) if report.thresholds else metric).name
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


def _cuts(run: Run) -> bool:
    """Whether predictions are cut before they are judged."""
    return takes_threshold(run.table.task.metric, run.table.y, np.empty((0, run.table.task.outputs)))


def _area(run: Run) -> bool:
    """Whether they are cut into yes and no, so that the area under the ROC curve tells of them before the cut."""
    return says_yes(run.table.task.metric, run.table.y, np.empty((0, run.table.task.outputs)))


def _member(run: Run, name: str, weights: dict[str, float]) -> list[str]:
    found, shelf, metric = run.gathered(name), run.shelf(name), run.table.task.metric
    scores = {fold: kept.score["score"] for fold, kept in found.items()}
    judged = np.isin(run.plan, list(found))
    y, p, plan = run.table.y[judged], out_of_fold(run, found)[judged], run.plan[judged]
    pooled, auc = "·", "·"
    thresholds = unseen_thresholds(metric, y, p, plan)
    if _cuts(run):
        scores = {fold: judge(metric, y[plan == fold], p[plan == fold], cuts) for fold, cuts in thresholds.items()}
    if len(found) == len(run.folds):
        pooled = _number(judge_folds(metric, y, p, plan, thresholds))
        auc = _number(mean_roc_auc(y, p)) if _area(run) else ""
    cells = [_number(scores[f], 4) if f in found else MARKS[shelf.state(f)] for f in run.folds]
    cells += [_spread([s for s in scores.values() if s == s]), pooled, *([auc] if _area(run) else [])]
    seconds = sum(sum(kept.score["seconds"].values()) for kept in found.values())
    star = "*" if run.recipe.members[name].peeks else ""
    weight = f"{weights[name]:.2f}" if name in weights else "·"
    return [name + star, *cells, weight, duration(seconds)]


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
