"""The table of members × folds, the blend below it."""

import numpy as np
from rich.console import Group
from rich.table import Table as Grid
from rich.text import Text

from kit.blending import BlendReport, out_of_fold
from kit.metrics import unjudged
from kit.run import Run

MARKS = {"busy": "busy", "failed": "failed", "part": "…", "absent": "·", "damaged": "damaged", "done": "done"}


def leaderboard(run: Run, names: list[str], report: BlendReport | None) -> Group:
    """Scores of each fold, their mean ± sd, the score of all out-of-fold rows together, blend weight and time spent."""
    task, folds = run.table.task, run.folds
    grid = Grid(title=f"{task.name} · {task.metric.name} · {len(run.plan):,} rows", title_justify="left")
    grid.add_column("member")
    for fold in folds:
        grid.add_column(f"fold {fold}", justify="right")
    for title in ("mean ± sd", "out-of-fold", "weight", "time"):
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
        grid.add_row("blend", *cells, _spread([s for s in scores if s is not None]), _number(summary["nested"]), "", "")
        lines.append(
            Text(
                f"blend: nested {task.metric.name} {_number(summary['nested'])} (weights learnt without the fold they "
                f"are judged on); best single member {summary['best_member']} {_number(summary['best_member_score'])}; "
                f"gain {summary['gain']:+.5f}"
                if summary["gain"] is not None
                else "blend: cannot be judged"
            )
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


def _member(run: Run, name: str, weights: dict[str, float]) -> list[str]:
    found, shelf, metric = run.gathered(name), run.shelf(name), run.table.task.metric
    cells, seconds = [], 0.0
    for fold in run.folds:
        if fold in found:
            cells.append(_number(found[fold].score["score"], 4))
            seconds += sum(found[fold].score["seconds"].values())
        else:
            cells.append(MARKS[shelf.state(fold)])
    scores = [f.score["score"] for f in found.values() if f.score["score"] == f.score["score"]]
    pooled = "·"
    if len(found) == len(run.folds):
        judged = run.plan >= 0
        pooled = _number(metric(run.table.y[judged], out_of_fold(run, found)[judged]))
    star = "*" if run.recipe.members[name].peeks else ""
    weight = f"{weights[name]:.2f}" if name in weights else "·"
    return [name + star, *cells, _spread(scores), pooled, weight, duration(seconds)]


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
