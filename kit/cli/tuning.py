"""The command that searches a member's settings."""

from typing import Annotated, Any

import typer

from kit.cli.app import Comp, Debug, FoldList, On, Preset, Sample, Seed, Set, Threads, app
from kit.cli.opening import fold_list, open_run


@app.command()
def tune(
    comp: Comp,
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="the member to tune, such as boost")],
    trials: Annotated[int, typer.Option(help="trials in all; a search goes on where it was stopped")] = 50,
    hours: Annotated[float | None, typer.Option(help="begin nothing new after this long")] = None,
    folds: FoldList = "",
    workers: Annotated[int | None, typer.Option(help="trials at once; threads are shared among them")] = None,
    on: On = "inline",
    storage: Annotated[str, typer.Option(help="postgresql://user@host/name; a file in the run folder by default")] = "",
    pruner: Annotated[str, typer.Option(help="median, wilcoxon or none: when a trial is given up")] = "median",
    rescore: Annotated[int, typer.Option(help="other fold plans and seeds to score the winner on")] = 2,
    holdout: Annotated[float, typer.Option(help="rows that no trial sees, to score the winner on; 0: none")] = 0.0,
    set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None, threads: Threads = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Search a member's settings; write preset=tuned."""
    from kit.tune.results import line_of
    from kit.tune.search import tune as search
    from kit.tune.summary import summary
    from kit.tune.tuning import Tuning

    given: dict[str, Any] = {"trials": trials, "hours": hours, "workers": workers, "on": on, "storage": storage}
    tuning = Tuning(
        member=member, folds=tuple(fold_list(folds) or ()), pruner=pruner, rescore=rescore, holdout=holdout, **given
    )  # type: ignore[arg-type]
    console, run = open_run(comp, "", set_, preset, seed, sample, threads, tuning.check)

    def say(sentence: str) -> None:
        console.print(sentence, highlight=False, soft_wrap=True)

    metric = run.table.task.metric.name
    tuned = search(run, tuning, lambda trial, best: say(line_of(trial, best, metric, member)), say)
    for sentence in summary(tuned):
        say(sentence)
    if tuned.best is not None:
        say(f"pictures and trials: {tuned.folder}")
        say(f"make cv comp={comp} preset=tuned takes: {' '.join(tuned.preset) or 'the recipe as it is'}")
