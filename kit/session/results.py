"""Results of a session: leaderboard, blend, training curves."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core.errors import KitError
from kit.run.run import Run
from kit.session.display import Shown

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kit.run.blend import BlendReport


class Curves:
    """Training curves of a member: drawn in a notebook; elsewhere the last loss of each fold is printed."""

    def __init__(self, run: Run, member: str) -> None:
        from kit.report.data import ReportData
        from kit.report.training_log import fold_logs

        self.data, self.member = ReportData(run, [member]), member
        self.logs = fold_logs(self.data, member)
        self.losses = {fold: [line for line in log if "loss" in line] for fold, log in self.logs.items()}
        if not any(self.losses.values()):
            raise KitError(f"'{member}' has no training log: only networks write one, from the first steps of a fold")

    def __str__(self) -> str:
        ends = {fold: log[-1] for fold, log in self.losses.items() if log}
        return "\n".join(f"{fold}: loss {line['loss']:.4f} after {line['step']} steps" for fold, line in ends.items())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from kit.report.html import group
        from kit.report.plots import Figures
        from kit.report.sections.training import curves

        with tempfile.TemporaryDirectory() as folder:
            metric = self.data.task.metric.name
            return group(*curves(self.member, self.logs, metric, Figures(Path(folder), [self.member])))


class Leaderboard(Shown):
    """The table of members and folds; it shows itself."""

    def __init__(self, run: Run, names: list[str], report: "BlendReport | None") -> None:
        self.run, self.names, self.report = run, names, report

    def content(self) -> "RenderableType":
        from kit.report import leaderboard

        return leaderboard(self.run, self.names, self.report)


class Blending(Leaderboard):
    """A blend; it shows itself as the leaderboard with its weights.

    Attributes:
        score: the nested score of the out-of-fold rows: weights are learnt without the fold that is scored. For a
            single member, or if there is only one fold: the score of the rows from which the weights were learnt.
        weights: member → its weight.
        submission: path of submission.csv; None without test rows.
    """

    report: "BlendReport"

    @property
    def score(self) -> float:
        nested = (self.report.summary or {}).get("nested")
        return self.report.score if nested is None else float(nested)

    @property
    def weights(self) -> dict[str, float]:
        return self.report.weights

    @property
    def submission(self) -> Path | None:
        return self.report.submission
