"""Commands that show a run elsewhere: as a page, in MLflow, in TensorBoard."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.app import Comp, Debug, Only, Preset, Sample, Seed, Set, app
from kit.cli.opening import open_run

if TYPE_CHECKING:
    from rich.console import Console

    from kit.run import Brief, Run


@app.command()
def report(
    comp: Comp, only: Only = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Write report.html anew, of what is in the bank."""
    from kit.cli.runs import blended_too
    from kit.report.page import write_report

    console, run, brief = open_run(comp, only, set_, preset, seed, sample, None)
    run, names = blended_too(run, only)
    path = write_report(run, names, brief, debug, tell=lambda line: console.print(line, highlight=False))
    console.print(f"report: {path}", highlight=False, soft_wrap=True)


@app.command()
def track(
    comp: Comp,
    to: Annotated[str, typer.Option(help="mlflow or tensorboard")],
    only: Only = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Show what is in the bank in MLflow or in TensorBoard; what is there already is not shown twice."""
    from kit.cli.runs import blended_too
    from kit.track import tracker

    show = tracker(to)
    console, run, _ = open_run(comp, only, set_, preset, seed, sample, None)
    console.print(show(*blended_too(run, only)), highlight=False, soft_wrap=True)


def report_after(console: "Console", run: "Run", names: list[str], brief: "Brief", debug: bool, done: bool) -> None:
    """Writes the report at the end of a run, unless $KIT_REPORT is "no"; what goes wrong with it fails no run.

    Args:
        done: members were blended, so the settings are noted as those of a finished run.
    """
    from pathlib import Path

    from kit.report.history import remember
    from kit.report.page import try_report

    if os.environ.get("KIT_REPORT") != "no":
        made = try_report(run, names, brief, debug)
        console.print(
            f"report: {made}" if isinstance(made, Path) else f"warning: {made}", highlight=False, soft_wrap=True
        )
    if done:
        remember(run)
