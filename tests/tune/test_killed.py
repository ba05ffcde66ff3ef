"""A search that ends at any single step of its database loses no trial; searches that begin together have one first."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.core.files import read_json
from kit.core.machine import MachineFault
from kit.tune import Tuned
from tests.helpers.house import House
from tests.helpers.tuning import Bench, begin_together, bench, careless, fits, place, same, searched, study_of  # noqa: F401


class Killed(BaseException):
    """The process ends here: nothing below it handles this."""


@contextmanager
def killed_at(step: int) -> Iterator[list[str]]:
    """Ends the process before a statement that writes into the database, counted from 0; gives those that were tried."""
    from sqlalchemy import Engine, event

    tried: list[str] = []

    def look(connection: Any, cursor: Any, statement: str, *given: Any) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE", "CREATE")):
            tried.append(statement)
            if len(tried) == step + 1:
                raise Killed

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield tried
    finally:
        event.remove(Engine, "before_cursor_execute", look)


@pytest.fixture(scope="module")
def whole(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    return searched(bench, tmp_path_factory.mktemp("whole"), trials=3, pruner="none")


def test_no_step_of_the_database_loses_a_trial(bench: Bench, tmp_path: Path, whole: Tuned) -> None:
    with killed_at(-1) as tried:
        searched(bench, tmp_path / "count", trials=3, pruner="none")
    # a table, then every third step of the study and of a trial that is drawn
    first = next(number for number, statement in enumerate(tried) if "INTO studies" in statement)
    drawn = [number for number, statement in enumerate(tried) if "INTO trials " in statement]
    assert len(drawn) == 3
    steps = [first // 2, *range(first, drawn[0] + 5, 3), *range(drawn[1], drawn[2], 3)]
    for step in steps:
        root = tmp_path / str(step)
        with killed_at(step) as reached, pytest.raises(Killed):
            searched(bench, root, trials=3, pruner="none")
        assert len(reached) == step + 1
        found = searched(bench, root, trials=3, pruner="none")
        assert same(found.trials) == same(whole.trials) and found.trials[0]["own"], tried[step]
        states = [trial.state.name for trial in study_of(root, "bowl").get_trials(deepcopy=False)]
        assert states == ["COMPLETE"] * 3, tried[step]


def test_a_search_with_a_trial_but_no_lock_yet_loses_nothing(
    bench: Bench, tmp_path: Path, whole: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    from optuna import Study

    for moment in (0, 1, 2):
        asked = [0]

        def killed(study: Study, ask: Any = Study.ask, asked: list[int] = asked, moment: int = moment) -> Any:
            trial = ask(study)
            asked[0] += 1
            if asked[0] == moment + 1:
                raise Killed
            return trial

        with monkeypatch.context() as patch:
            patch.setattr(Study, "ask", killed)
            with pytest.raises(Killed):
                searched(bench, tmp_path / str(moment), trials=3, pruner="none")
        assert same(searched(bench, tmp_path / str(moment), trials=3, pruner="none").trials) == same(whole.trials)


def test_searches_that_begin_together_make_one_study_with_the_own_settings_first(bench: Bench, tmp_path: Path) -> None:
    begin_together(bench, tmp_path, f"sqlite:///{tmp_path}/fresh.db")


def fail_with(monkeypatch: pytest.MonkeyPatch, bench: Bench, error: Exception, times: int) -> None:
    """The second trial's first fold ends with this error, as often as that."""
    left, own = [times], bench.cls().bowl

    def learn(member: Any, *given: Any, learn: Any = type(own).learn) -> Any:
        if member.a != own.a and left[0]:
            left[0] -= 1
            raise error
        return learn(member, *given)

    monkeypatch.setattr(type(own), "learn", learn)


SHORT = [
    MemoryError(),
    RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."),
    RuntimeError("CUDA out of memory."),
]


@pytest.mark.parametrize("error", SHORT, ids=["memory", "worker", "gpu"])
def test_a_shortage_of_the_machine_burns_no_trial(
    bench: Bench, tmp_path: Path, whole: Tuned, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fail_with(patch, bench, error, times=1)
        with pytest.raises(MachineFault, match="^trial 1: .*; the trial is not lost: it will be run again$"):
            searched(bench, tmp_path, trials=3, pruner="none")
        found = searched(bench, tmp_path, trials=3, pruner="none")
    assert [trial[:4] for trial in same(found.trials)] == [trial[:4] for trial in same(whole.trials)]


def test_settings_that_always_need_too_much_are_refused_in_the_end(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, bench, MemoryError(), times=3)
    for _ in range(2):
        with pytest.raises(MachineFault):
            searched(bench, tmp_path, trials=3, pruner="none")
    states = [trial["state"] for trial in searched(bench, tmp_path, trials=3, pruner="none").trials]
    assert states == ["complete", "refused", "complete"]


@pytest.mark.slow
def test_two_commands_share_a_fresh_search(tmp_path: Path) -> None:
    house: House = place(tmp_path / "house")
    words = ["tune", "bowls", "bowl", "trials=6", "rescore=0", "folds=0", "pruner=none"]
    both = [house.start(*words, SLOW="0.2") for _ in range(2)]
    ended = [(process.communicate(timeout=120), process.returncode) for process in both]
    assert [code for _, code in ended] == [0, 0], ended
    (path,) = house.folder.glob("runs/bowls/tune/bowl/trials-*.json")
    trials = read_json(path)["trials"]
    assert [t["number"] for t in trials] == list(range(6)) and {t["state"] for t in trials} == {"complete"}
    assert trials[0]["own"] and not any(t["own"] for t in trials[1:])
    done = [line.split()[:5] for line in house.fits()]
    assert len({tuple(line) for line in done}) == len(done) == 6  # nothing was fitted twice
