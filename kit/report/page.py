"""The page: all parts of a run's report in one HTML file, which needs no network."""

import base64
import hashlib
import math
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from kit.core.errors import KitError
from kit.core.files import write_text
from kit.core.machine import machine_fault
from kit.report.data import OnMessage, ReportData
from kit.report.header import cards, rows_note
from kit.report.html import paragraph, text
from kit.report.plots import Figures, error_note
from kit.report.script import SCRIPT
from kit.report.sections import (
    blend,
    calibration,
    changes,
    columns,
    confusion,
    drift,
    errors,
    groups,
    label_errors,
    leaks,
    members,
    pictures,
    ranking,
    reproduce,
    residuals,
    scores,
    timing,
    top_losses,
)  # fmt: skip
from kit.report.style import CSS
from kit.run.run import Run

TIME_LIMIT = 20.0  # seconds, at the end of a run
Section = Callable[[ReportData, Figures], str]
BY_KIND: dict[str, tuple[str, str, Section]] = {
    "binary": ("ranking", "ROC and precision", ranking.body),
    "multilabel": ("ranking", "ROC and precision", ranking.body),
    "multiclass": ("confusion", "Confusion", confusion.body),
    "regression": ("residuals", "Residuals", residuals.body),
}


def parts(kind: str, images: bool = False) -> list[tuple[str, str, Section]]:
    """The parts of the page in order: anchor, title, function. A part without content is left out.

    Args:
        kind: of the task.
        images: whether its rows have pictures.
    """
    return [
        ("scores", "Leaderboard", scores.body),
        ("members", "Members", members.body),
        ("blend", "Blend", blend.body),
        ("errors", "Errors of members", errors.body),
        BY_KIND[kind],
        ("calibration", "Calibration", calibration.body),
        ("top-losses", "Top losses", top_losses.body),
        *([] if kind == "regression" else [("label-errors", "Likely label errors", label_errors.body)]),
        *([(pictures.SLUG, "Pictures", pictures.body)] if images else []),
        ("groups", "Error by group", groups.body),
        ("columns", "Columns", columns.body),
        ("timing", "Time", timing.body),
        ("drift", "Drift", drift.body),
        ("leaks", "Leaks", leaks.body),
        ("changes", "Changed settings", changes.body),
        ("reproduce", "Reproduce", reproduce.body),
    ]


def write_report(
    run: Run,
    names: list[str],
    debug: bool = False,
    time_limit: float = math.inf,
    on_message: OnMessage = lambda line: None,
) -> Path:
    """Writes `report.html` into the run folder, and its pictures as PNG files into `plots/`.

    If a part fails, the page shows the error in its place.

    Args:
        names: members to show.
        debug: whether to raise the error of a part.
        time_limit: seconds for the computation of what each member adds to the blend.
        on_message: called with a line of text every few seconds during this computation.
    """
    data, folder = ReportData(run, names, time_limit, on_message), run.root / "plots"
    figures, bodies = Figures(folder, names, debug), {}
    chosen = parts(run.table.task.kind, bool(run.table.task.images))
    for slug, title, make in chosen:
        try:
            bodies[slug] = make(data, figures)
        except Exception as error:
            if debug or machine_fault(error) is not None:
                raise
            bodies[slug] = f'<p class="fault">{text(title)} {error_note(error)}</p>'
    for slug in [*(slug for slug, _, _ in [*chosen, *BY_KIND.values()]), pictures.SLUG, "training"]:
        for old in folder.glob(f"{slug}-*.png"):  # of an earlier report, with other members
            if old.stem not in figures.made:
                old.unlink()
    page = _page(data, [(slug, title, bodies[slug]) for slug, title, _ in chosen if bodies[slug]])
    write_text(path := run.root / "report.html", page)
    return path


def try_report(run: Run, names: list[str], debug: bool = False) -> Path | str:
    """`write_report` for the end of a run: it takes little time, and an error in it does not fail the run.

    Returns:
        The path of the page, or a sentence that says what went wrong.
    """
    try:
        return write_report(run, names, debug, time_limit=TIME_LIMIT)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, KitError):
            return f"no report: {error}"
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"no report: {type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"


def _page(data: ReportData, bodies: list[tuple[str, str, str]]) -> str:
    task, run = data.task, data.run
    # only this very script may run, and nothing is fetched, whatever a text in the page may say
    allowed = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    links = "".join(f'<li><a href="#{slug}">{text(title)}</a></li>' for slug, title, _ in bodies)
    sections = "".join(
        f'<section id="{slug}" aria-labelledby="{slug}-title"><h2 id="{slug}-title">{text(title)}</h2>{body}</section>'
        for slug, title, body in bodies
    )
    subtitle = f"{task.kind}, {task.metric.name}, {len(run.plan):,} rows, {len(run.folds)} folds"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{text(run.root.name)}: report</title><link rel="icon" href="data:,"><style>{CSS}</style></head><body>'
        f"<header><h1>{text(run.root.name)}</h1>"
        f'<p class="faint">{text(subtitle)} · {time.strftime("%Y-%m-%d %H:%M")}</p>{paragraph(rows_note(data), "part")}'
        f"{cards(data)}</header>"
        f'<nav aria-label="Parts of the report"><ul>{links}</ul></nav><main>{sections}</main>{data.thumbnails.html()}'
        f"<footer><p>{text(reproduce.made_by(run.root))}</p></footer><script>{SCRIPT}</script></body></html>\n"
    )
