"""What is shown of a run in another tool, and which tools there are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.report.facts import Facts
from kit.report.history import flat
from kit.report.training import fold_logs
from kit.run import Run
from kit.spec import KitError, nearest

Show = Callable[[Run, list[str]], str]
TOOLS = ("mlflow", "tensorboard")


@dataclass(frozen=True)
class Shown:
    """One thing that a tool lists as a run: a member, or the blend.

    Attributes:
        key: names it for good: a folder of the bank, or the blend's key. Other settings, rows or folds, another key.
        name: what people read.
        settings: knob → value.
        scores: name → step → number; a fold's score has the fold as its step.
        files: what belongs to it.
    """

    key: str
    name: str
    settings: dict[str, Any]
    scores: dict[str, dict[int, float]]
    files: tuple[Path, ...] = field(default=())


def shown(run: Run, names: list[str]) -> Iterator[Shown]:
    """The members with a finished fold or a log, then the blend of the present settings."""
    facts, metric = Facts(run, names), run.table.task.metric.name
    for name in names:
        scores: dict[str, dict[int, float]] = {}
        for fold, kept in facts.folds[name].items():
            for what, value in {metric: facts.scores[name].folds[fold], **_seconds(kept.score)}.items():
                if value == value:
                    scores.setdefault(what, {})[fold] = float(value)
        for part, log in fold_logs(facts, name).items():
            for line in log:
                for what, value in line.items():
                    if what not in ("step", "steps", "stage") and isinstance(value, (int, float)):
                        scores.setdefault(f"{part}/{what}", {})[line["step"]] = float(value)
        if scores:
            member = run.recipe.members[name]
            yield Shown(
                run.shelf(name).folder.name, name, {"class": type(member).__name__, **flat(member.dump())}, scores
            )
    if facts.report is not None:
        yield _blend(facts)


def _seconds(score: dict[str, Any]) -> dict[str, float]:
    return {f"seconds {what}": seconds for what, seconds in score["seconds"].items()}


def _blend(facts: Facts) -> Shown:
    run, report = facts.run, facts.report
    assert report is not None
    metric, summary = run.table.task.metric.name, report.summary or {}
    settings = {"class": type(run.recipe.blend).__name__, **flat(run.recipe.blend.dump())}
    settings |= {f"weight of {name}": round(weight, 6) for name, weight in report.weights.items()}
    once = {f"{metric} nested": summary.get("nested"), f"{metric} learnt": report.score, "gain": summary.get("gain")}
    scores = {what: {0: float(value)} for what, value in once.items() if value is not None and value == value}
    folds = {int(fold): float(score) for fold, score in summary.get("folds", {}).items() if score is not None}
    files = [run.root / "report.html", *(run.root / "blend" / name for name in ("weights.json", "report.json"))]
    return Shown(
        f"blend-{facts.blend_facts['key'][:8]}", "blend", settings, scores | {metric: folds},
        tuple(path for path in files if path.exists()),
    )  # fmt: skip


def tracker(name: str) -> Show:
    """What shows a run in the tool of this name, and says where to look.

    Raises:
        KitError: there is no such tool, or its package is not installed.
    """
    if name not in TOOLS:
        raise KitError(f"to={name}: a run can be shown in {' or '.join(TOOLS)}" + nearest(name, list(TOOLS)))
    import importlib

    try:
        module = importlib.import_module(f"kit.track.to_{name}")
    except ImportError as error:
        package = str(error.name).partition(".")[0]
        raise KitError(f"to={name} needs the package {package}: pip install 'kit[{name}]'") from None
    show: Show = module.show
    return show
