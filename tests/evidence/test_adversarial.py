"""Adversarial validation: rows that are like test get weight, and files that are alike are said to be."""

import numpy as np
import pandas as pd
import pytest

from kit import Boost, Predefined, Recipe, Table, Task, log_loss
from kit.core.errors import KitError
from kit.evidence.adversarial import folds_like_test, likeness
from kit.folds import Folds

TASK = Task(name="t", kind="binary", targets="y", metric=log_loss)


def table_of(shift: float, n: int = 800, seed: int = 0, text: bool = False) -> Table:
    rng = np.random.default_rng(seed)

    def rows(count: int, mean: float) -> pd.DataFrame:
        frame = pd.DataFrame(
            {"id": np.arange(count) + int(1e6 * mean), "x": rng.normal(mean, 1, count), "noise": rng.normal(size=count)}
        )
        frame["city"] = rng.choice(["Oslo", "Rome"], count, p=[0.5, 0.5])
        frame["title"] = ["ONE WORD" if rng.random() < 0.5 + mean / 4 else "another word" for _ in range(count)]
        return frame if text else frame.drop(columns="title")

    task = TASK.model_copy(update={"text": ("title",)}) if text else TASK
    return Table(task, rows(n, 0.0).assign(y=rng.integers(0, 2, n)), rows(n // 2, shift))


def test_files_that_are_alike_are_said_to_be() -> None:
    found = likeness(table_of(0.0))
    assert found is not None and 0.4 < found.auc.value < 0.55
    assert len(found.sentences()) == 1 and found.sentences()[0].startswith("train and test look alike")


def test_a_shift_is_found_in_its_column_and_weights_undo_it() -> None:
    table = table_of(1.0)
    found = likeness(table)
    assert found is not None and found.auc.low > 0.65
    name, gain, alone = found.columns.iloc[0]
    assert name == "x" and gain > 0.6 and alone == pytest.approx(0.76, abs=0.04)  # Φ(1 / √2), the shift's AUC
    x, weight = table.train["x"].to_numpy(), found.weight
    assert weight.mean() == pytest.approx(1) and weight.max() / weight.min() <= 100.001
    assert abs(x.mean()) < 0.1 < 0.6 < np.average(x, weights=weight) < 1.2  # test has 1.0
    assert found.like_test.shape == (800,) and np.corrcoef(found.like_test, x)[0, 1] > 0.6
    first, second, *_, last = found.sentences()
    assert first.startswith("a classifier tells test rows from train rows with AUC 0.7") and second.startswith(
        "'x' has "
    )
    assert "of 800 rows' worth of train" in last


def test_texts_are_compared_by_their_signs() -> None:
    found = likeness(table_of(1.0, text=True))
    assert found is not None and {"title: share of capitals", "title: length"} & {*found.columns["column"].head(3)}


@pytest.mark.parametrize("values", [20, 40, 60, 120])
def test_a_category_of_many_values_is_scored_alone(values: int) -> None:
    rng = np.random.default_rng(0)

    def rows(count: int, most: int) -> pd.DataFrame:
        numbers = {"id": np.arange(count) + 10_000 * (most < values), "noise": rng.normal(size=count)}
        return pd.DataFrame({**numbers, "trade": [f"trade {i}" for i in rng.integers(0, most, count)]})

    table = Table(TASK, rows(4000, values).assign(y=rng.integers(0, 2, 4000)), rows(2000, values // 2))
    found = likeness(table)
    assert found is not None
    alone = found.columns.set_index("column")["alone"]
    # half of the train rows have trades that no test row has; the other half is like test
    assert alone["trade"] == pytest.approx(0.75, abs=0.02)
    assert alone["noise"] == pytest.approx(0.5, abs=0.03)


def test_too_few_rows_are_not_compared() -> None:
    assert likeness(table_of(0.0, n=30)) is None


def test_folds_judge_the_rows_most_like_test() -> None:
    like = np.random.default_rng(0).random(1000)
    plan = folds_like_test(like, n=4, share=0.3)
    judged = plan >= 0
    assert judged.sum() in (300, 301) and like[judged].min() > like[~judged].max()
    counts = np.bincount(plan[judged])
    assert len(counts) == 4 and np.ptp(counts) <= 1
    means = [like[plan == fold].mean() for fold in range(4)]
    assert np.ptp(means) < 0.1  # drawn at random among them, not in the order of likeness
    assert (folds_like_test(like, n=4, share=0.3) == plan).all()
    assert (folds_like_test(like, n=4, share=0.3, seed=1) != plan).any()


def test_rows_that_stay_together_have_one_fold() -> None:
    rng = np.random.default_rng(0)
    together, like = rng.permutation(np.arange(600) // 6) * 7, rng.random(600)
    plan = folds_like_test(like, together=together)
    assert pd.Series(plan).groupby(together).nunique().eq(1).all() and 300 <= (plan >= 0).sum() <= 306
    mean = pd.Series(like).groupby(together).mean()
    judged = pd.Series(plan).groupby(together).first() >= 0
    assert mean[judged].min() >= mean[~judged].max()
    with pytest.raises(KitError, match="2 groups of rows are most like test, fewer than 5 folds"):
        folds_like_test(like, together=np.arange(600) // 200)


def test_weights_and_folds_are_columns_that_a_recipe_names() -> None:
    table = table_of(1.0)
    found = likeness(table)
    assert found is not None
    plan = folds_like_test(found.like_test)
    train = table.train.assign(weight=found.weight, fold=plan)

    class Own(Recipe):
        task = TASK.model_copy(update={"weight": "weight", "aside": ("fold", "weight")})
        folds: Folds = Predefined(column="fold")
        boost: Boost = Boost(trees=5)

    run = Own().open(train, table.test)
    assert (run.run.plan == plan).all() and run.run.folds == [0, 1, 2, 3, 4]
    assert "weight" not in run.table.inputs and "fold" not in run.table.inputs
    learnt, judged = run.run.split(0)
    assert set(plan[learnt]) == {-1, 1, 2, 3, 4} and set(plan[judged]) == {0}
