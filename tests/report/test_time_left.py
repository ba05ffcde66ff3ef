"""The estimate of the time left: unlike speeds, unknown members, resumed runs, several folds at once."""

import pytest

from kit.report.time_left import Pace, TimeLeft, UnderWay, time_left


def test_each_member_counts_with_its_own_speed() -> None:
    """Fifteen quick folds say nothing of five slow ones: 15 of 20 folds done is not three quarters of the time."""
    finished = {"linear": [0.5] * 5, "boost": [2.0] * 5, "minilm": [60.0]}
    left = time_left({"minilm": 3, "boost": 0}, [UnderWay("minilm", 20.0)], finished)
    assert left.seconds == pytest.approx(3 * 60 + 40) and str(left) == "about 3 min 40 s left"


def test_a_member_that_was_never_timed_makes_it_unknown() -> None:
    finished = {"linear": [0.5] * 5}
    for waiting, under_way in (({"minilm": 5}, []), ({"minilm": 4}, [UnderWay("minilm", 9.0)])):
        left = time_left(waiting, under_way, finished)
        assert left == TimeLeft(None, "minilm")
        assert str(left) == "time left unknown until minilm has one fold"
    assert time_left({"linear": 2, "minilm": 0}, [], finished).seconds == 1.0  # none of its folds is waited for


def test_steps_tell_before_the_first_fold_is_finished() -> None:
    left = time_left({"minilm": 4}, [UnderWay("minilm", 15.0, left=45.0)], {})
    assert left.seconds == pytest.approx(45 + 4 * 60)


def test_folds_of_an_earlier_run_are_enough() -> None:
    assert time_left({"minilm": 2}, [], {"minilm": [50.0, 70.0]}).seconds == pytest.approx(120)


def test_what_follows_the_last_step_is_waited_for() -> None:
    """Steps that are all done say nothing of the predictions; what the last fold took does."""
    done = UnderWay("minilm", 40.0, left=0.0)
    assert time_left({}, [done], {"minilm": [60.0]}).seconds == pytest.approx(20)
    slow = UnderWay("minilm", 90.0, left=90.0)  # and a fold that is slower than the last one is believed
    assert time_left({}, [slow], {"minilm": [60.0]}).seconds == pytest.approx(90)


def test_folds_at_once_share_the_work_but_none_ends_before_itself() -> None:
    finished = {"a": [10.0], "b": [100.0]}
    two = [UnderWay("a", 0.0), UnderWay("a", 0.0)]
    assert time_left({"a": 8}, two, finished).seconds == pytest.approx(50)
    assert time_left({}, [UnderWay("a", 5.0), UnderWay("b", 10.0)], finished).seconds == pytest.approx(90)


def test_nothing_is_left_in_the_end() -> None:
    assert time_left({}, [], {}) == TimeLeft(0.0)


def test_the_first_step_gives_its_own_speed_and_later_ones_the_mean_since_it() -> None:
    """What was loaded before the first step, here 100 s, is not counted once for each step."""
    pace = Pace()
    assert pace.left(99.0) is None
    pace.see(100.0, share=0.01, by_speed=400.0)  # a slow first step
    assert pace.left(100.0) == 400.0 and pace.left(110.0) == 390.0  # the clock goes on between two lines
    pace.see(120.0, share=0.21, by_speed=10.0)
    assert pace.left(120.0) == pytest.approx(20 / 0.2 * 0.79)
    pace.see(130.0, share=0.21, by_speed=10.0)  # the same line, read once more
    assert pace.left(130.0) == pytest.approx(20 / 0.2 * 0.79 - 10)
    assert pace.left(1000.0) == 0.0
