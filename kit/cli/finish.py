"""The end of every command that blends: blend, table, submission, report."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from kit.run.run import Run


def finish(console: "Console", run: "Run", names: list[str], debug: bool) -> list[str]:
    """Blends those of these members that are finished; prints the table, writes submission and report.

    Returns:
        A sentence about each member with finished folds that the metric cannot score.
    """
    from kit.report import leaderboard
    from kit.run.blend import blend as blended
    from kit.run.faults import scorable
    from kit.run.oof import complete

    sample = run.opened.sample if run.opened else None
    report = blended(run, names, submit=sample is None)
    console.print(leaderboard(run, names, report))
    if report and report.optimism:
        console.print(report.optimism, highlight=False, soft_wrap=True)
    others = list(complete(run, [name for name in run.recipe.members if name not in names]))
    if others:
        console.print(f"not blended: {', '.join(others)}; bank=1 takes every finished member", highlight=False)
    if report is None:
        console.print("nothing to blend: no member has all its folds finished and scored")
    for warning in report.warnings if report else []:
        console.print(f"warning: {warning}", highlight=False)
    if report and report.submission:
        console.print(f"submission: {report.submission}", highlight=False, soft_wrap=True)
    elif report and sample is not None:
        console.print(f"sample={sample} predicts only some of the test rows, so there is no submission")
    report_after(console, run, names, debug, done=report is not None)
    return scorable(run, {name: run.gathered(name) for name in names})[1]


def not_done(what: list[str]) -> None:
    """Ends the command with exit code 1 if a part of the work is not done, and says which."""
    import typer

    if what:
        print(f"kit: {'; '.join(what)}; what is finished is kept", file=sys.stderr)
        raise typer.Exit(1)


def report_after(console: "Console", run: "Run", names: list[str], debug: bool, done: bool) -> None:
    """Writes the report at the end of a run, unless $KIT_REPORT is "no". An error of the report does not fail the run.

    Args:
        done: whether members were blended: then the settings are saved as those of a finished run.
    """
    from kit.report.history import remember
    from kit.report.page import try_report

    if os.environ.get("KIT_REPORT") != "no":
        made = try_report(run, names, debug)
        console.print(
            f"report: {made}" if isinstance(made, Path) else f"warning: {made}", highlight=False, soft_wrap=True
        )
    if done:
        remember(run)
