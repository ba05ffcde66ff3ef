"""Commands that show a run elsewhere: as a page, in MLflow, in TensorBoard."""

from typing import Annotated

import typer

from kit.cli.app import Comp, Debug, Only, Preset, Sample, Seed, Set, app
from kit.cli.opening import open_run, with_last_trials


@app.command()
def report(
    comp: Comp, only: Only = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Write report.html of what is in the bank."""
    from kit.report.page import write_report

    console, run = open_run(comp, only, set_, preset, seed, sample, None)
    run, names = with_last_trials(run, only)
    path = write_report(run, names, debug, on_message=lambda line: console.print(line, highlight=False))
    console.print(f"report: {path}", highlight=False, soft_wrap=True)


@app.command()
def track(
    comp: Comp,
    to: Annotated[str, typer.Option(help="mlflow or tensorboard")],
    only: Only = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Show the run in MLflow or in TensorBoard.

    What is there already is not shown twice.
    """
    from kit.report.track import tracker

    show = tracker(to)
    console, run = open_run(comp, only, set_, preset, seed, sample, None)
    console.print(show(*with_last_trials(run, only)), highlight=False, soft_wrap=True)
