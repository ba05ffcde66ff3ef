"""The contents for other tools: one run for each member, one for the blend."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.report.data import ReportData
from kit.report.settings import flat_settings
from kit.report.training_log import fold_logs
from kit.run.run import Run


@dataclass(frozen=True)
class TrackedRun:
    """What a tool shows as one run: a member, or the blend.

    Attributes:
        key: its permanent key: the name of a folder in the bank, or the blend's key. With other settings, rows or folds
            the key is another one.
        name: name to show.
        settings: setting → value.
        scores: name → step → number; a fold's score has the fold as its step.
        files: files to attach.
    """

    key: str
    name: str
    settings: dict[str, Any]
    scores: dict[str, dict[int, float]]
    files: tuple[Path, ...] = field(default=())


def tracked_runs(run: Run, names: list[str]) -> Iterator[TrackedRun]:
    """The members with a finished fold or a log, then the blend of the current settings."""
    data, metric = ReportData(run, names), run.table.task.metric.name
    for name in names:
        scores: dict[str, dict[int, float]] = {}
        for fold, kept in data.folds[name].items():
            for what, value in {metric: data.scores[name].folds[fold], **_seconds(kept.score)}.items():
                if value == value:
                    scores.setdefault(what, {})[fold] = float(value)
        for part, log in fold_logs(data, name).items():
            for line in log:
                for what, value in line.items():
                    if what not in ("step", "steps", "stage") and isinstance(value, (int, float)):
                        scores.setdefault(f"{part}/{what}", {})[line["step"]] = float(value)
        if scores:
            member = run.recipe.members[name]
            yield TrackedRun(
                run.store(name).folder.name,
                name,
                {"class": type(member).__name__, **flat_settings(member.to_dict())},
                scores,
            )
    if data.report is not None:
        yield _blend(data)


def _seconds(score: dict[str, Any]) -> dict[str, float]:
    return {f"seconds {what}": seconds for what, seconds in score["seconds"].items()}


def _blend(data: ReportData) -> TrackedRun:
    run, report = data.run, data.report
    assert report is not None
    metric, summary = run.table.task.metric.name, report.summary or {}
    settings = {"class": type(run.recipe.blend).__name__, **flat_settings(run.recipe.blend.to_dict())}
    settings |= {f"weight of {name}": round(weight, 6) for name, weight in report.weights.items()}
    once = {f"{metric} nested": summary.get("nested"), f"{metric} learnt": report.score, "gain": summary.get("gain")}
    scores = {what: {0: float(value)} for what, value in once.items() if value is not None and value == value}
    folds = {int(fold): float(score) for fold, score in summary.get("folds", {}).items() if score is not None}
    files = [run.root / "report.html", *(run.root / "blend" / name for name in ("weights.json", "report.json"))]
    return TrackedRun(
        f"blend-{data.blend_json['key'][:8]}", "blend", settings, scores | {metric: folds},
        tuple(path for path in files if path.exists()),
    )  # fmt: skip
