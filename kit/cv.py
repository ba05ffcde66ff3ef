"""Cross-validation: fit what is missing, and gather what it comes to."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from kit.execute import check_executor, execute
from kit.run import Brief, Job, Outcome, Run, run_job, why
from kit.spec import KitError
from kit.threads import threads, use_threads

Told = Callable[[str, int, Outcome], None]


@dataclass(frozen=True)
class Todo:
    """Folds to fit, and those that were finished before.

    Attributes:
        missing: (member, fold) to fit, members in the recipe's order.
        kept: how many of those asked for are finished.
    """

    missing: list[tuple[str, int]]
    kept: int


def todo(run: Run, names: Sequence[str], folds: Sequence[int]) -> Todo:
    """What is left to fit. A finished fold whose checksums do not hold is missing again."""
    wanted = [(name, fold) for name in names for fold in folds]
    missing = [(name, fold) for name, fold in wanted if run.shelf(name).read(fold) is None]
    return Todo(missing, len(wanted) - len(missing))


def fit_missing(
    run: Run,
    missing: Sequence[tuple[str, int]],
    on: str = "inline",
    brief: Brief | None = None,
    told: Told = lambda member, fold, outcome: None,
) -> dict[tuple[str, int], Outcome]:
    """Fits these folds; one that fails leaves its error.txt and does not stop the others.

    Args:
        run: recipe, rows and run folder.
        missing: (member, fold) pairs, see `todo`.
        on: executor, see `kit.execute`.
        brief: names from which another process opens the same run; inline work does without.
        told: hears the outcome of each fold as it ends.
    """
    use_threads(threads() if brief is None else brief.threads)
    if on != "inline" and brief is None:
        raise KitError(f"on={on} opens the run in other processes and needs a recipe that they can import")
    check_executor(on)
    run.keep_plan()
    outcomes: dict[tuple[str, int], Outcome] = {}

    def tell(name: str, fold: int, result: Outcome | BaseException) -> None:
        if isinstance(result, BaseException):  # nobody wrote why: the process died, or it came not so far as to fit
            with run.shelf(name).work(fold) as part:
                if part is not None:
                    run.shelf(name).fail(fold, why(result))
        outcomes[name, fold] = "failed" if isinstance(result, BaseException) else result
        told(name, fold, outcomes[name, fold])

    faults = {name: _prepared(run, name) for name in dict.fromkeys(name for name, _ in missing)}
    for name, fold in missing:
        if (fault := faults[name]) is not None:
            tell(name, fold, fault)
    ready = [(name, fold) for name, fold in missing if faults[name] is None]
    # closed, so that Ctrl-C at any moment ends the workers
    if on == "inline" or brief is None:
        with closing(execute(ready, lambda pair: run.fit(*pair))) as results:
            for pair, outcome in results:
                tell(*pair, outcome)
    else:
        jobs = [Job(brief, name, fold) for name, fold in ready]
        with closing(execute(jobs, run_job, on)) as ended:
            for job, outcome in ended:
                tell(job.member, job.fold, outcome)
    return outcomes


def _prepared(run: Run, name: str) -> Exception | None:
    """Lets a member prepare; gives what went wrong, which concerns no other member."""
    try:
        run.recipe.members[name].prepare(run.table.test_rows)
    except Exception as error:
        return error
    return None
