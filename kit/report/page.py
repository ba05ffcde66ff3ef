"""The page: every part of a run's report in one HTML file that asks nothing of the network."""

import base64
import hashlib
import math
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from kit.files import write_text
from kit.report import (
    blend,
    calibration,
    confusion,
    drifting,
    errors,
    history,
    ranking,
    reproduce,
    residuals,
    scores,
    timing,
    training,
    wrong,
)  # fmt: skip
from kit.report.facts import Facts, Tell
from kit.report.html import number, paragraph, text
from kit.report.leaderboard import duration
from kit.report.pictures import Pictures, fault
from kit.report.style import CSS, SCRIPT
from kit.run import Brief, Run

PATIENCE = 20.0  # seconds, at the end of a run
Body = Callable[[Facts, Pictures], str]
BY_KIND: dict[str, tuple[str, str, Body]] = {
    "binary": ("ranking", "ROC and precision", ranking.body),
    "multilabel": ("ranking", "ROC and precision", ranking.body),
    "multiclass": ("confusion", "Confusion", confusion.body),
    "regression": ("residuals", "Residuals", residuals.body),
}


def parts(kind: str) -> list[tuple[str, str, Body]]:
    """Of each part of the page its anchor, its title, and what makes it, in the order of the page."""
    return [
        ("scores", "Leaderboard", scores.body),
        ("blend", "Blend", blend.body),
        ("errors", "Errors of members", errors.body),
        BY_KIND[kind],
        ("calibration", "Calibration", calibration.body),
        ("training", "Training", training.body),
        ("wrong", "Most wrong rows", wrong.body),
        ("timing", "Time", timing.body),
        ("drift", "Drift", drifting.body),
        ("settings", "Settings", history.body),
        ("reproduce", "Reproduce", reproduce.body),
    ]


def write_report(
    run: Run,
    names: list[str],
    brief: Brief | None = None,
    debug: bool = False,
    patience: float = math.inf,
    tell: Tell = lambda line: None,
) -> Path:
    """Writes `report.html`, and its pictures as PNG files in `plots/`, into the run folder.

    A part that fails says so in its place.

    Args:
        names: members to show.
        brief: how the run was asked for on the command line.
        debug: raise what goes wrong with a part.
        patience: seconds that may be spent on what each member adds to the blend.
        tell: hears how far that is.
    """
    facts, folder = Facts(run, names, brief, patience, tell), run.root / "plots"
    pictures, bodies = Pictures(folder, names, debug), {}
    chosen = parts(run.table.task.kind)
    for slug, title, make in chosen:
        try:
            bodies[slug] = make(facts, pictures)
        except Exception as error:
            if debug:
                raise
            bodies[slug] = f'<p class="fault">{text(title)} {fault(error)}</p>'
    for slug, _, _ in [*chosen, *BY_KIND.values()]:
        for old in folder.glob(f"{slug}-*.png"):  # of an earlier report, with other members
            if old.stem not in pictures.made:
                old.unlink()
    page = _page(facts, [(slug, title, bodies[slug]) for slug, title, _ in chosen])
    write_text(path := run.root / "report.html", page)
    return path


def try_report(run: Run, names: list[str], brief: Brief | None = None, debug: bool = False) -> Path | str:
    """`write_report` for the end of a run, which its report may neither hold up nor spoil.

    Returns:
        The page, or a sentence that tells what went wrong.
    """
    try:
        return write_report(run, names, brief, debug, patience=PATIENCE)
    except Exception as error:
        if debug:
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"no report: {type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"


def _page(facts: Facts, bodies: list[tuple[str, str, str]]) -> str:
    task, run = facts.task, facts.run
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
        f'<p class="faint">{text(subtitle)} · {time.strftime("%Y-%m-%d %H:%M")}</p>{paragraph(_part(facts), "part")}'
        f"{_cards(facts)}</header>"
        f'<nav aria-label="Parts of the report"><ul>{links}</ul></nav><main>{sections}</main>'
        f"<footer><p>{text(reproduce.made_by(run.root))}</p></footer><script>{SCRIPT}</script></body></html>\n"
    )


def _part(facts: Facts) -> str:
    """What must be known of a score that is not one on all rows of the competition."""
    brief, rows = facts.brief, len(facts.run.table.train)
    if brief is None:
        return ""
    drawn = f"{rows:,} train rows, drawn at random (sample={brief.sample})" if rows == brief.sample else ""
    if brief.folder.parent == brief.cache:  # where the command line writes an embedded sample
        return f"Only a sample: {drawn or f'{rows:,} train rows'}, generated by the recipe, not the competition's own."
    return f"Only a part of the competition's rows: {drawn}." if drawn else ""


def _cards(facts: Facts) -> str:
    summary = (facts.report.summary if facts.report else None) or {}
    seconds = sum(sum(timing.spent(facts, name).values()) for name in facts.names)
    done, wanted = sum(map(len, facts.folds.values())), len(facts.names) * len(facts.run.folds)
    cards = [("finished", f"{done} of {wanted}", "folds"), ("time", duration(seconds), "fit and predict")]
    if summary.get("nested") is not None:
        gain = summary.get("gain")
        cards = [
            ("blend", number(summary["nested"])[0], f"nested {facts.task.metric.name}"),
            ("best member", number(summary["best_member_score"])[0], summary["best_member"]),
            ("gain", "·" if gain is None else f"{gain:+.5f}", "of the blend over it"),
            *cards,
        ]
    made = (f"<div><dt>{text(t)}</dt><dd>{text(v)}<small>{text(s)}</small></dd></div>" for t, v, s in cards)
    return f'<dl class="cards">{"".join(made)}</dl>'
