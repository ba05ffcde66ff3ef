"""Commands that measure: compare, ablate, the leaderboard's ledger, curves; leaks and drift of the files."""

from typing import Annotated

import typer

from kit.cli.app import Comp, Debug, FoldList, On, Preset, Sample, Seed, Set, Threads, app
from kit.cli.finish import not_done
from kit.cli.opening import fold_list, open_run

Compared = Annotated[str, typer.Option(help='a member with settings, "minilm minilm.epochs=2", or a finished run')]
CAVEAT = (
    "These are scores of the private leaderboard, on other rows than your folds, so do not compare them directly with "
    "cross-validated scores: first look at the difference between your own CV and leaderboard scores. kit does not "
    "know the other thresholds; set them in the recipe: medals = Medals(teams=…, gold=…, silver=…, bronze=…)."
)
MemberName = Annotated[str, typer.Argument(metavar="MEMBER", help="a member of the recipe")]


@app.command()
def compare(
    comp: Comp, a: Compared, b: Compared, seeds: Annotated[int, typer.Option(min=1, help="how many seeds")] = 3,
    folds: FoldList = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    on: On = "inline", threads: Threads = None, debug: Debug = False,
) -> None:  # fmt: skip
    """Is a really better than b? With intervals and p-values.

    The same folds, several seeds; one test over fits and one over rows.
    """
    import numpy as np
    from rich.table import Table

    from kit.evidence.compare import compare as compared
    from kit.report import Progress
    from kit.run.execute import check_executor

    check_executor(on)
    numbers = fold_list(folds)
    console, run = open_run(comp, "", set_, preset, seed, sample, threads)
    with Progress(None, console) as progress:
        found = compared(run, a, b, seeds, numbers, on, progress.on_event)
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
    """The gain of each technique, with intervals.

    Paired over folds and seeds; techniques that are clearly worse stop early.
    """
    from kit.core.errors import KitError, nearest
    from kit.core.files import write_text
    from kit.evidence.ablate import ablate as ablated
    from kit.evidence.ablate import markdown, table
    from kit.report import Progress
    from kit.run.execute import check_executor

    check_executor(on)
    if pass_ not in ("on", "off"):
        raise KitError(f"pass={pass_}: no such pass" + nearest(pass_, ["on", "off"]))
    numbers, names = fold_list(folds), [name.strip() for name in arms.split(",") if name.strip()]
    console, run = open_run(comp, "", set_, preset, seed, sample, threads)
    with Progress(None, console) as progress:
        result = ablated(
            run, member, pass_, names, seeds, numbers, hours, on, progress.on_event,  # type: ignore[arg-type]
            lambda arm, why: console.print(f"{arm}: {why}", highlight=False, soft_wrap=True),
        )  # fmt: skip
    given = {"pass": pass_ if pass_ != "on" else "", "arms": arms, "seeds": seeds, "hours": hours, "folds": folds,
             "set": set_, "preset": preset, "seed": seed, "sample": sample}  # fmt: skip
    words = [f'{k}="{v}"' if " " in str(v) else f"{k}={v}" for k, v in given.items() if v not in ("", None)]
    path = result.folder / "table.md"
    write_text(path, markdown(result, run, f"make ablate comp={comp} member={member} {' '.join(words)}"))
    console.print(table(result, run))
    console.print(f"written: {path}", highlight=False, soft_wrap=True)
    not_done([f"{row.arm.name} {row.note}" for row in result.rows if row.note.startswith("failed: ")])


@app.command()
def lb(
    comp: Comp, add: Annotated[float | None, typer.Option(help="score of the last submission")] = None,
    note: Annotated[str, typer.Option(help="what it was")] = "",
    cv: Annotated[float | None, typer.Option(help="its CV, where the blend lies here no longer")] = None,
    set_: Set = "", preset: Preset = "", seed: Seed = None, debug: Debug = False,
) -> None:  # fmt: skip
    """Leaderboard scores beside cross-validated ones.

    add= enters the score of the submission that lies in the run folder, whatever it was blended with.
    """
    from functools import partial

    from rich.table import Table

    from kit.cli.opening import as_blended
    from kit.core.errors import KitError
    from kit.evidence.ledger import correlation, cv_difference, draw, ledger, record, warnings

    if add is None and (note or cv is not None):
        raise KitError("note= and cv= belong to a score: give add= as well")
    console, run = open_run(comp, "", set_, preset, seed, None, None)
    if add is not None:
        blended, changed = (run, {}) if cv is not None else as_blended(run)
        record(blended, add, note, cv)
        if changed:
            named = ", ".join(f"{name}={mine} ({theirs} here)" for name, (mine, theirs) in changed.items())
            console.print(f"entered: the submission in {run.root}, which was blended with {named}",
                          highlight=False, soft_wrap=True)  # fmt: skip
    entries, metric = ledger(run.root), run.table.task.metric.name
    if not entries:
        console.print(f"no scores yet; add one with make lb comp={comp} add=SCORE")
    else:
        head = ("#", "date", "CV (nested)", "95 %", "leaderboard", "leaderboard − CV", "note")
        grid = Table(*head, title=f"{comp} · {metric}")
        for number, e in enumerate(entries, 1):
            interval = "·" if e.low is None or e.high is None else f"{e.low:.5f} to {e.high:.5f}"
            apart = f"{e.lb - e.cv:+.5f}"
            grid.add_row(str(number), e.date[:10], f"{e.cv:.5f}", interval, f"{e.lb:.5f}", apart, e.note)
        console.print(grid)
        if (both := correlation(entries)) is not None:
            console.print(f"correlation of CV and leaderboard: Pearson {both[0]:.3f}, Spearman {both[1]:.3f} "
                          f"({len(entries)} submissions)", highlight=False)  # fmt: skip
        for warning in warnings(entries, partial(cv_difference, run)):
            console.print(f"warning: {warning}", highlight=False, soft_wrap=True)
    medals = type(run.recipe).medals
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
    """The score against rows, folds or seeds."""
    from rich.table import Column, Table

    from kit.core.units import duration
    from kit.evidence.curves import AXES
    from kit.evidence.curves import curve as fitted
    from kit.report import Progress
    from kit.run.execute import check_executor

    check_executor(on)
    numbers, at = fold_list(folds), rising(points)
    console, run = open_run(comp, "", set_, preset, seed, sample, threads)
    with Progress(None, console) as progress:
        result = fitted(run, member, over, at, numbers, on, progress.on_event)
    spread = "sd of draws that share no seed" if over == "seeds" else "sd of folds"
    grid = Table(*(Column(title, justify="right") for title in (AXES[over], result.metric, "95 %", spread, "time")),
                 title=f"{comp} · {member}", title_justify="left")  # fmt: skip
    for point in result.points:
        sd = "·" if point.spread is None else f"{point.spread:.5f}"
        grid.add_row(f"{point.at:,}", f"{point.score.value:.5f}", f"{point.score.low:.5f} to {point.score.high:.5f}",
                     sd, duration(point.seconds))  # fmt: skip
    console.print(grid)
    console.print(f"drawn: {result.path.with_suffix('.png')}", highlight=False, soft_wrap=True)


@app.command()
def leaks(
    comp: Comp, set_: Set = "", preset: Preset = "", sample: Sample = None, debug: Debug = False,
) -> None:  # fmt: skip
    """What tells the target in train and will not in test."""
    from kit.evidence.leaks import FEWEST, find_leaks

    console, run = open_run(comp, "", set_, preset, None, sample, None)
    found = find_leaks(run.table, run.recipe.folds)
    for leak in found:
        console.print(leak.sentence, highlight=False, soft_wrap=True)
    rows, columns = len(run.table.train), len(run.table.inputs)
    if rows < FEWEST:
        console.print(f"{rows} train rows are too few to look for leaks; it takes {FEWEST}", highlight=False)
    elif not found:
        console.print(f"no leak found: {columns} columns, {rows:,} train rows, {len(run.table.test):,} test rows",
                      highlight=False)  # fmt: skip


@app.command()
def drift(
    comp: Comp, set_: Set = "", preset: Preset = "", sample: Sample = None, debug: Debug = False,
) -> None:  # fmt: skip
    """Does test differ from train, and in what?

    Writes how alike each train row is to test, and the weight and the fold that follow.
    """
    from kit.core.errors import KitError
    from kit.core.files import write_text
    from kit.evidence.adversarial import folds_like_test, likeness
    from kit.evidence.drift import FEWEST

    console, run = open_run(comp, "", set_, preset, None, sample, None)
    found, table = likeness(run.table), run.table
    if found is None:
        raise KitError(f"drift compares columns of at least {FEWEST} train and {FEWEST} test rows; there are fewer, or "
                       "only pictures")  # fmt: skip
    for sentence in found.sentences():
        console.print(sentence, highlight=False, soft_wrap=True)
    fold = folds_like_test(found.like_test, together=run.clusters)
    kept = table.train[[table.task.id]].assign(like_test=found.like_test, weight=found.weight, fold=fold)
    write_text(path := run.root / "drift.csv", kept.to_csv(index=False, float_format="%.6g"))
    console.print(f"written: {path}", highlight=False, soft_wrap=True)


def rising(text: str) -> list[int]:
    """Rising whole numbers from 1 on."""
    from kit.core.errors import KitError

    try:
        found = [int(part) for part in text.replace(",", " ").split()]
    except ValueError:
        found = [0]
    if found != sorted(set(found)) or (found and found[0] < 1):
        raise KitError(f"points={text}: not rising whole numbers such as 1,2,4")
    return found
