"""Leaks: each kind that is planted is found, and clean tables stay quiet."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from kit import Grouped, KFold, Stratified, Table, Task, TimeSeries, log_loss, mean_roc_auc, rmse
from kit.evidence.leaks import find_leaks

KINDS = ("binary", "multiclass", "multilabel", "regression")


def labels_of(kind: str, x: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    value = x + rng.normal(size=len(x))
    if kind == "multilabel":
        return {"y": (value > 0).astype(int), "z": (rng.random(len(x)) < 0.1).astype(int)}
    return {
        "y": {"binary": (value > 0.5).astype(int), "multiclass": np.digitize(value, [-1, 1]), "regression": value}[kind]
    }


def table_of(kind: str = "binary", n: int = 600, seed: int = 0, change: object = None, **task: object) -> Table:
    """Clean rows: a useful number, noise, categories, gaps, dates; `change(frames, rng)` plants something."""
    rng = np.random.default_rng(seed)
    frames = []
    for rows in (n, n // 3):
        x = rng.normal(size=rows)
        frame = pd.DataFrame(
            {
                "id": rng.permutation(10 * n)[:rows], "x": x, "noise": rng.normal(size=rows), "count": rng.poisson(3, rows),
                "city": rng.choice(["Oslo", "Rome", "Ulm"], rows), "zip": rng.integers(0, 300, rows).astype(str),
                "day": pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), unit="D"),
                **labels_of(kind, x, rng),
            }
        )  # fmt: skip
        frame.loc[rng.random(rows) < 0.2, "noise"] = np.nan
        frames.append(frame)
    train, test = frames
    if change is not None:
        train, test = change(train, test, rng)  # type: ignore[operator]
    targets = ("y", "z") if kind == "multilabel" else ("y",)
    metric = {"regression": rmse, "multilabel": mean_roc_auc}.get(kind, log_loss)
    whole = Task(name="t", kind=kind, targets=targets, metric=metric, **task)
    return Table(whole, train.astype({"day": str}), test.drop(columns=[*targets]).astype({"day": str}))


def kinds(table: Table, folds: object = None) -> list[tuple[str, str]]:
    return [(leak.kind, leak.column) for leak in find_leaks(table, folds or KFold())]  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [150, 600, 3000])
def test_clean_tables_are_quiet(kind: str, n: int) -> None:
    assert [kinds(table_of(kind, n, seed)) for seed in range(12)] == [[]] * 12


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
@pytest.mark.parametrize("seed", range(3))
def test_real_tables_are_quiet(name: str, seed: int) -> None:
    made = getattr(datasets, f"load_{name}")()
    frame = pd.DataFrame(made.data).add_prefix("c").assign(id=np.arange(len(made.data)), y=made.target)
    frame = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    frame["id"] = np.arange(len(frame))
    kind = "regression" if name == "diabetes" else "binary" if name == "breast_cancer" else "multiclass"
    task = Task(name="t", kind=kind, targets=("y",), metric=rmse if kind == "regression" else log_loss)
    cut = len(frame) * 3 // 4
    assert kinds(Table(task, frame[:cut], frame[cut:].drop(columns="y").reset_index(drop=True)), KFold()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_that_tells_the_target(kind: str) -> None:
    def plant(train, test, rng):  # type: ignore[no-untyped-def]
        told = train["y"] * 3.0 + rng.normal(0, 0.01, len(train))
        return train.assign(refund=told), test.assign(refund=rng.normal(size=len(test)))

    (leak,) = find_leaks(table_of(kind, change=plant), KFold())
    assert (leak.kind, leak.column) == ("value", "refund")
    what = "R² of ranks" if kind == "regression" else "AUC"
    assert (
        f"column 'refund' alone tells {'a target' if kind == 'multilabel' else repr('y')} almost without error ({what} "
        in leak.sentence
    )
    assert "Task(aside=('refund',))" in leak.sentence


def test_gaps_that_tell_the_target() -> None:
    def plant(train, test, rng):  # type: ignore[no-untyped-def]
        value = pd.Series(rng.normal(size=len(train))).where((train["y"] == 1) ^ (rng.random(len(train)) < 0.03))
        return train.assign(closed=value), test.assign(closed=rng.normal(size=len(test)))

    assert kinds(table_of(change=plant)) == [("missing", "closed")]


def test_a_strong_honest_column_is_no_leak() -> None:
    def strong(train, test, rng):  # type: ignore[no-untyped-def]
        return train.assign(score=train["y"] + rng.normal(0, 0.3, len(train))), test.assign(score=0.5)  # an AUC of 0.99

    assert kinds(table_of(change=strong)) == []


def test_a_sorted_file_and_ids_that_know() -> None:
    def in_order(train, test, rng):  # type: ignore[no-untyped-def]
        return train.sort_values("y", kind="stable").reset_index(drop=True), test

    def by_id(train, test, rng):  # type: ignore[no-untyped-def]
        return train.assign(
            id=[f"u{50 * i + y}" for i, y in zip(train["y"] * 1000 + np.arange(len(train)), train["y"], strict=True)]
        ), test

    def both(train, test, rng):  # type: ignore[no-untyped-def]
        train = train.sort_values("y", kind="stable").reset_index(drop=True)
        return train.assign(id=np.arange(len(train))), test.assign(id=np.arange(len(test)) + 10_000)

    assert kinds(table_of(change=in_order)) == [("order", "")]
    assert kinds(table_of(change=by_id)) == [("id", "id")]
    assert kinds(table_of(change=both)) == [("order", "")]  # said once: ids are the order
    assert kinds(table_of("regression", change=in_order)) == [("order", "")]


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_a_word_that_is_the_label(kind: str) -> None:
    def texts(train, test, rng, told=""):  # type: ignore[no-untyped-def]
        def of(rows):  # type: ignore[no-untyped-def]
            return [" ".join(rng.choice([f"word{i}" for i in range(300)], 8)) for _ in range(len(rows))]

        return train.assign(said=of(train) + pd.Series(np.where(train["y"] == 1, told, ""))), test.assign(said=of(test))

    def plant(train, test, rng):  # type: ignore[no-untyped-def]
        return texts(train, test, rng, " solved")

    (leak,) = find_leaks(table_of(kind, 1500, change=plant, text=("said",)), KFold())
    assert (leak.kind, leak.column) == ("word", "said") and "the word 'solved' in 'said' alone tells " in leak.sentence
    for n in (150, 1500):
        assert [kinds(table_of(kind, n, seed, change=texts, text=("said",))) for seed in range(4)] == [[]] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_in_the_file_that_are_alike(kind: str) -> None:
    def pairs(train, test, rng):  # type: ignore[no-untyped-def]
        order = np.argsort(train["y"], kind="stable").to_numpy().reshape(-1, 2)  # two rows of like labels follow
        return train.iloc[rng.permutation(order).ravel()].reset_index(drop=True), test

    table = table_of(kind, change=pairs)
    (leak,) = find_leaks(table, KFold())
    assert leak.kind == "neighbours" and "the label of the next row in train.csv tells " in leak.sentence
    assert kinds(table, Grouped(group="city")) == []  # whoever keeps groups whole has thought of it
    assert kinds(table, TimeSeries(time="day")) == []  # folds in the order of time do not part neighbours at random


def test_test_rows_that_lie_in_train() -> None:
    def plant(train, test, rng):  # type: ignore[no-untyped-def]
        inputs = [c for c in test if c not in ("id", "y")]
        test = test.copy()
        test.loc[:29, inputs] = train.loc[100:129, inputs].to_numpy()
        return train, test

    (leak,) = find_leaks(table_of(change=plant), KFold())
    assert (
        leak.kind == "duplicates"
        and "30 test rows (15.0%) equal train rows in all columns, the first with id" in leak.sentence
    )

    def few_values(train, test, rng):  # type: ignore[no-untyped-def]
        kept = ["id", "city", "count", "day", "y"]
        return train[kept].assign(day="2020-01-01"), test[kept].assign(day="2020-01-01")

    assert kinds(table_of(change=few_values)) == []  # equal rows are usual there


def test_time_that_runs_through_random_folds() -> None:
    def later(train, test, rng):  # type: ignore[no-untyped-def]
        return train, test.assign(day=test["day"] + pd.Timedelta(days=800))

    table = table_of(change=later)
    (leak,) = find_leaks(table, Stratified())
    assert leak.kind == "time" and "100% of test rows lie after train rows by column 'day'" in leak.sentence
    assert kinds(table, TimeSeries(time="day")) == []


def test_groups_that_folds_cut() -> None:
    def plant(train, test, rng):  # type: ignore[no-untyped-def]
        return (
            train.assign(patient=[f"p{i % 90}" for i in range(len(train))]),
            test.assign(patient=[f"q{i % 40}" for i in range(len(test))]),
        )

    table = table_of(change=plant)
    (leak,) = find_leaks(table, KFold())
    assert (leak.kind, leak.column) == ("group", "patient") and "Grouped(group='patient')" in leak.sentence
    assert kinds(table, Grouped(group="patient")) == []
    aside = table_of(change=plant, aside=("patient",))
    assert kinds(aside) == [("group", "patient")]


def test_few_rows_say_nothing_and_many_rows_are_quick() -> None:
    def plant(train, test, rng):  # type: ignore[no-untyped-def]
        return train.assign(told=train["y"]), test.assign(told=0)

    assert kinds(table_of(n=90, change=plant)) == []
    assert kinds(table_of(n=2000, change=plant)) == [("value", "told")]


@pytest.mark.parametrize("comp", ["homecredit", "toxic"])
def test_shared_rows_are_quiet(comp: str) -> None:
    import os

    from competitions.homecredit.recipe import HomeCredit
    from competitions.toxic.recipe import Toxic

    folder = Path(os.environ.get("KIT_TEST_DATA", "none")) / comp
    if not folder.is_dir():
        pytest.skip("KIT_TEST_DATA has no such rows")
    recipe = {"homecredit": HomeCredit, "toxic": Toxic}[comp]()
    assert find_leaks(recipe.load(folder), recipe.folds, quick=True) == []
