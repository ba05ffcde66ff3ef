"""Commands that say what is known and how surely: compare, ablate, the leaderboard's ledger, curves."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.app import Comp, Debug, FoldList, On, Preset, Sample, Seed, Set, Threads, app
from kit.cli.opening import open_run
from kit.cli.runs import _numbers

if TYPE_CHECKING:
    from rich.console import Console

    from kit.run import Outcome
    from kit.variants import Fit, Told

Side = Annotated[str, typer.Option(help='a member with settings, "minilm minilm.epochs=2", or a finished run')]
MemberName = Annotated[str, typer.Argument(metavar="MEMBER", help="a member of the recipe")]


@app.command()
def compare(
    comp: Comp, a: Side, b: Side, seeds: Annotated[int, typer.Option(min=1, help="how many seeds")] = 3,
    folds: FoldList = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    on: On = "inline", threads: Threads = None, debug: Debug = False,
) -> None:  # fmt: skip
    """Is a really better than b? Same folds, several seeds, a test over fits and one over rows."""
    import numpy as np
    from rich.table import Table

    from kit.compare import compare as compared
    from kit.execute import check_executor

    check_executor(on)
    wanted = _numbers(folds)
    console, run, brief = open_run(comp, "", set_, preset, seed, sample, threads)
    found = compared(run, brief, a, b, seeds, wanted, on, _told(console))
    grid = Table(title=f"{comp} · {run.table.task.metric.name}", title_justify="left")
    for title in ("", "what", "mean ± sd", *(f"fold {fold}" for fold in found.folds)):
        grid.add_column(title, justify="left" if title in ("", "what") else "right")
    for name, side in (("a", found.a), ("b", found.b)):
        scores = side.scores[~np.isnan(side.scores)]
        mean = f"{scores.mean():.5f}" if len(scores) else "·"
        mean += f" ± {scores.std(ddof=1):.5f}" if len(scores) > 1 else ""
        means = [f"{np.nanmean(fold):.5f}" if not np.isnan(fold).all() else "·" for fold in side.scores]
        grid.add_row(name, side.label, mean, *means)
    console.print(grid)
    count = found.a.scores.shape[1]
    for name, test in ((f"a less b, {len(found.folds)} folds × {count} seed{'s' * (count > 1)}, corrected t", found.t),
                       ("a less b, all rows together, paired bootstrap", found.rows)):  # fmt: skip
        sides = f"95 % from {test.low:+.5f} to {test.high:+.5f}, p = {test.p:.3g}"
        known = f"{test.value:+.5f} ({sides if np.isfinite(test.low) else 'no interval'}); positive: a is better"
        console.print(f"{name}: {known if np.isfinite(test.value) else 'unknown'}", highlight=False, soft_wrap=True)
    console.print(found.verdict, highlight=False, soft_wrap=True)
    if found.note:
        console.print(found.note, highlight=False, soft_wrap=True)
    console.print(f"written: {found.path}", highlight=False, soft_wrap=True)


@app.command()
def ablate(
    comp: Comp, member: MemberName,
    pass_: Annotated[str, typer.Option("--pass", help="on: one at a time; off: one less of the best set")] = "on",
    arms: Annotated[str, typer.Option(help='techniques, such as "FGM,EMA"; all by default')] = "",
    seeds: Annotated[int, typer.Option(min=1, help="how many seeds")] = 2,
    hours: Annotated[float | None, typer.Option(min=0, help="begin nothing that would end later")] = None,
    folds: FoldList = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    on: On = "inline", threads: Threads = None, debug: Debug = False,
) -> None:  # fmt: skip
    """What does each technique really give? Paired over folds and seeds, hopeless ones stop early."""
    from kit.ablate import ablate as ablated
    from kit.ablate import markdown, table
    from kit.execute import check_executor
    from kit.files import write_text
    from kit.spec import KitError, nearest

    check_executor(on)
    if pass_ not in ("on", "off"):
        raise KitError(f"pass={pass_}: no such pass" + nearest(pass_, ["on", "off"]))
    wanted, names = _numbers(folds), [name.strip() for name in arms.split(",") if name.strip()]
    console, run, brief = open_run(comp, "", set_, preset, seed, sample, threads)
    result = ablated(
        run, brief, member, pass_, names, seeds, wanted, hours, on, _told(console),  # type: ignore[arg-type]
        lambda arm, why: console.print(f"{arm}: {why}", highlight=False, soft_wrap=True),
    )  # fmt: skip
    given = {"pass": pass_ if pass_ != "on" else "", "arms": arms, "seeds": seeds, "hours": hours, "folds": folds,
             "set": set_, "preset": preset, "seed": seed, "sample": sample}  # fmt: skip
    told = [f'{k}="{v}"' if " " in str(v) else f"{k}={v}" for k, v in given.items() if v not in ("", None)]
    path = result.folder / "table.md"
    write_text(path, markdown(result, run, f"make ablate comp={comp} member={member} {' '.join(told)}"))
    console.print(table(result, run))
    console.print(f"written: {path}", highlight=False, soft_wrap=True)


@app.command()
def lb(
    comp: Comp, add: Annotated[float | None, typer.Option(help="score of the last submission")] = None,
    note: Annotated[str, typer.Option(help="what it was")] = "",
    cv: Annotated[float | None, typer.Option(help="its CV, where the blend lies here no longer")] = None,
    set_: Set = "", preset: Preset = "", seed: Seed = None, debug: Debug = False,
) -> None:  # fmt: skip
    """Leaderboard scores beside cross-validated ones: do they agree?"""
    from functools import partial

    from rich.table import Table

    from kit.ledger import apart as compared
    from kit.ledger import correlation, draw, ledger, record, warnings
    from kit.medals import CAVEAT, MEDALS
    from kit.spec import KitError

    if add is None and (note or cv is not None):
        raise KitError("note= and cv= belong to a score: give add= as well")
    console, run, _ = open_run(comp, "", set_, preset, seed, None, None)
    if add is not None:
        record(run, add, note, cv)
    entries, metric = ledger(run.root), run.table.task.metric.name
    if not entries:
        console.print(f"no scores yet; add one with make lb comp={comp} add=SCORE")
    else:
        grid = Table("#", "date", "CV (nested)", "95 %", "leaderboard", "less CV", "note", title=f"{comp} · {metric}")
        for number, e in enumerate(entries, 1):
            sure = "·" if e.low is None or e.high is None else f"{e.low:.5f} to {e.high:.5f}"
            apart = f"{e.lb - e.cv:+.5f}"
            grid.add_row(str(number), e.date[:10], f"{e.cv:.5f}", sure, f"{e.lb:.5f}", apart, e.note)
        console.print(grid)
        if (both := correlation(entries)) is not None:
            console.print(f"correlation of CV and leaderboard: Pearson {both[0]:.3f}, Spearman {both[1]:.3f} "
                          f"({len(entries)} submissions)", highlight=False)  # fmt: skip
        for warning in warnings(entries, partial(compared, run)):
            console.print(f"warning: {warning}", highlight=False, soft_wrap=True)
    medals = type(run.recipe).medals or MEDALS.get(run.table.task.slug)
    if medals is not None:
        lines = ", ".join([f"{name} {score}" for name, score in medals.lines.items()]) or "no scores known"
        ranks = ", ".join(f"{name} to rank {rank}" for name, rank in medals.ranks.items())
        console.print(f"medals: {medals.teams:,} teams, {ranks}; private leaderboard: {lines}, on {medals.split}. "
                      + CAVEAT, highlight=False, soft_wrap=True)  # fmt: skip
    if entries:
        path = run.root / "ledger.png"
        draw(entries, metric, medals, path)
        console.print(f"drawn: {path}", highlight=False, soft_wrap=True)


@app.command()
def curve(
    comp: Comp, member: MemberName,
    over: Annotated[str, typer.Option(help="rows, folds or seeds")] = "rows",
    points: Annotated[str, typer.Option(help="such as 500,1000,2000")] = "",
    folds: FoldList = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    on: On = "inline", threads: Threads = None, debug: Debug = False,
) -> None:  # fmt: skip
    """Score against rows learnt from, against folds, against seeds averaged."""
    from rich.table import Column, Table

    from kit.curves import AXES
    from kit.curves import curve as fitted
    from kit.execute import check_executor
    from kit.report.leaderboard import duration

    check_executor(on)
    wanted, at = _numbers(folds), rising(points)
    console, run, brief = open_run(comp, "", set_, preset, seed, sample, threads)
    result = fitted(run, brief, member, over, at, wanted, on, _told(console))
    spread = "sd of draws that share no seed" if over == "seeds" else "sd of folds"
    grid = Table(*(Column(title, justify="right") for title in (AXES[over], result.metric, "95 %", spread, "time")),
                 title=f"{comp} · {member}", title_justify="left")  # fmt: skip
    for point in result.points:
        sd = "·" if point.spread is None else f"{point.spread:.5f}"
        grid.add_row(f"{point.at:,}", f"{point.score.value:.5f}", f"{point.score.low:.5f} to {point.score.high:.5f}",
                     sd, duration(point.seconds))  # fmt: skip
    console.print(grid)
    console.print(f"drawn: {result.path.with_suffix('.png')}", highlight=False, soft_wrap=True)


def rising(text: str) -> list[int]:
    """Rising whole numbers from 1 on."""
    from kit.spec import KitError

    try:
        found = [int(part) for part in text.replace(",", " ").split()]
    except ValueError:
        found = [0]
    if found != sorted(set(found)) or (found and found[0] < 1):
        raise KitError(f"points={text}: not rising whole numbers such as 1,2,4")
    return found


def _told(console: "Console") -> "Told":
    """Says of each fit how it ended, and how many there have been."""
    from kit.report.leaderboard import duration

    begun, count = time.monotonic(), 0

    def told(fit: "Fit", outcome: "Outcome") -> None:
        nonlocal count
        if outcome == "kept":
            return
        count += 1
        kept = fit.variant.run.shelf(fit.variant.member).read(fit.fold)
        said = f"{kept.score['metric']} {kept.score['score']:.5f}" if kept else outcome
        took = duration(time.monotonic() - begun)
        console.print(
            f"{fit.variant.label or fit.variant.shelf} fold {fit.fold}: {said} ({count} in {took})", highlight=False
        )

    return told
