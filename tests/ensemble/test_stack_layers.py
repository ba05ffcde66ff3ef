"""MultiLayerStack of blends: none learns from a leak; and runs that blend by settings in brackets."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kit.ensemble
from competitions.toxic.recipe import Toxic
from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.ensemble import (
    Blend,
    Calibrated,
    FittedBlend,
    Greedy,
    Logistic,
    Mean,
    MultiLayerStack,
    RankMean,
    Ridge,
    Stack,
    Trees,
)
from kit.ensemble.crossfit import cross_fitted
from kit.ensemble.oof import OutOfFold
from kit.metrics import roc_auc
from kit.run import blend as blending
from kit.run.oof import out_of_fold
from tests.helpers.blends import KINDS, SMALL, Remembers, data, frame
from tests.helpers.small import fits, fitted, opened, small  # noqa: F401

nested = partial(kit.ensemble.nested, rounds=0)  # no intervals


def test_settings_in_brackets_are_found() -> None:
    def set_to(text: str) -> Blend:
        return Toxic().override(f"blend={text}").blend

    assert set_to("Stack(model=Logistic(C=0.5))") == Stack(model=Logistic(C=0.5))
    assert set_to("stack(model=trees,columns=('price',))") == Stack(model=Trees(), columns=("price",))
    assert set_to(
        "MultiLayerStack(first=(Stack,Greedy(rounds=5)),last=MultiLayerStack(first=(Mean,RankMean)))"
    ) == MultiLayerStack(first=(Stack(), Greedy(rounds=5)), last=MultiLayerStack(first=(Mean(), RankMean())))
    tuned = Toxic(blend=Stack(model=Ridge())).override("blend.model.alpha=3", "cross=true")
    assert tuned.blend == Stack(model=Ridge(alpha=3), cross=True)
    with pytest.raises(KitError, match="no SecondLevel is called 'Logit'; did you mean 'Logistic'"):
        set_to("Stack(model=Logit)")


RUNS = [
    "Stack(model=Logistic(C=0.5),columns=('x','words'))",
    "Stack(model=Ridge)",
    "Calibrated(blend=Greedy,method=betacalibration)",
    "MultiLayerStack(first=(Stack(model=Trees(min_leaf=5)),Stack,Greedy),last=Mean)",
    "PriorShift(blend=Calibrated(blend=Mean),test_share=(0.2,))",
]


def test_a_run_blends_by_any_of_them(small: Any, tmp_path: Path) -> None:
    names = ["boost", "memory"]
    for text in RUNS:
        run = opened(small, tmp_path, f"blend={text}")
        fitted(run)
        report = blending.blend(run, names)
        assert report is not None and report.submission is not None and blending.last_blend(run) == report
        tests = np.stack([np.mean([f.test for f in run.gathered(name).values()], axis=0) for name in names])
        saved = FittedBlend.load(run.root / "blend" / "weights.json")
        asked = run.table.test[list(run.recipe.blend.needs)]
        said = np.load(run.root / "blend" / "test.npy")
        np.testing.assert_array_equal(said, saved.for_test().predict(tests, asked))
        if "PriorShift" in text:
            assert said.mean() < saved.predict(tests).mean() - 0.1  # the test set alone is shifted
            oof = np.stack([out_of_fold(run, run.gathered(name)) for name in names])
            honest = nested(Calibrated(blend=Mean()), OutOfFold(oof, run.table.y, run.table.task.metric, plan=run.plan))
            assert honest is not None
            np.testing.assert_array_equal(np.load(run.root / "blend" / "oof.npy"), honest.predictions)
    for column in ("nope", "y"):
        with pytest.raises(KitError) as error:
            blending.blend(opened(small, tmp_path, f"blend=Stack(columns=('{column}',))"), names)
        sentence = f"Stack: there is no column '{column}' to read beside the predictions; there are: x, z, words"
        assert str(error.value) == sentence


# ---- layers --------------------------------------------------------------------------------------


def noise(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels that nothing can predict, two members that know nothing, and a plan."""
    rng = np.random.default_rng(seed)
    return rng.random((2, n, 1)), (rng.random((n, 1)) < 0.5).astype(float), np.arange(n) % 5


def naive_layers(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What MultiLayerStack would be if the first blend's output were taken on the rows that it learnt from."""
    first = Remembers().fit(p, y, roc_auc)
    return Stack().fit(np.stack([first.predict(p), p[1]]), y, roc_auc).predict(np.stack([first.predict(p), p[1]]))


def test_a_first_layer_that_memorises_is_caught() -> None:
    layers = MultiLayerStack(first=(Remembers(), Mean()), last=Stack())
    scores = []
    for seed in range(4):
        p, y, plan = noise(seed=seed)
        assert roc_auc(y, naive_layers(p, y)) == 1  # the planted leak is there to be caught
        honest = nested(layers, OutOfFold(p, y, roc_auc, plan=plan))
        unseen = cross_fitted(Remembers(), OutOfFold(p, y, roc_auc, ("a", "b"), plan), "a test")
        assert (unseen == 0.5).all()  # what layer 2 learns from: of a row that is not known, nothing
        assert honest is not None
        scores += honest.folds.values()
    assert abs(np.mean(scores) - 0.5) < 0.04


def test_the_last_layer_does_not_trust_a_first_one_that_only_looks_good() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((600, 1)) < 0.5).astype(float)
    p = 1 / (1 + np.exp(-(2 * y - 1 + rng.normal(0, 1, (2, 600, 1)))))
    old, fresh = slice(0, 400), slice(400, None)
    layers = MultiLayerStack(first=(Remembers(), Mean()), last=Stack(model=Logistic(C=1)))
    fitted = layers.fit(p[:, old], y[old], roc_auc, plan=np.arange(400) % 5)
    good = Mean().fit(p[:, old], y[old], roc_auc).predict(p[:, fresh])
    assert roc_auc(y[fresh], fitted.predict(p[:, fresh])) == pytest.approx(roc_auc(y[fresh], good))
    first = [blend.fit(p[:, old], y[old], roc_auc) for blend in layers.first]
    fooled = Stack().fit(np.stack([b.predict(p[:, old]) for b in first]), y[old], roc_auc)
    assert fooled.weights["0"] > 0.6  # on its own rows the memory is perfect
    assert dataclasses.asdict(fitted)["last"]["parts"][0]["model"]["influence"][0] == 0


@pytest.mark.parametrize(
    "last", [Stack(), MultiLayerStack(first=(Stack(), Mean()), last=Greedy())], ids=["two", "three"]
)
def test_layers_by_hand_and_a_fold_does_not_know_its_labels(last: Blend) -> None:
    p, y, metric = data("labels", 150)
    plan = np.arange(150) % 3
    layers = MultiLayerStack(first=(Stack(), Greedy(rounds=4), Greedy(rounds=2)), last=last)
    unseen = np.empty((3, 150, 2))
    for i, blend in enumerate(layers.first):
        for fold in range(3):
            here = plan == fold
            unseen[i, here] = blend.fit(p[:, ~here], y[~here], metric).predict(p[:, here])
    second = last.fit(unseen, y, metric, plan=plan)
    whole = np.stack([blend.fit(p, y, metric).predict(p) for blend in layers.first])
    fitted = layers.fit(p, y, metric, plan=plan)
    np.testing.assert_array_equal(fitted.predict(p), second.predict(whole))

    flipped = np.where(plan[:, None] == 1, 1 - y, y)
    one, other = (
        cross_fitted(layers.first[0], OutOfFold(p, z, metric, tuple("abc"), plan), "a test") for z in (y, flipped)
    )
    assert (one[plan == 1] == other[plan == 1]).all() and (one[plan != 1] != other[plan != 1]).any()
    before, after = (
        nested(layers, OutOfFold(p, z, metric, plan=np.arange(150) % 4))
        for z in (y, np.where(np.arange(150)[:, None] % 4 == 1, 1 - y, y))
    )
    assert before is not None and after is not None
    assert (before.predictions[1::4] == after.predictions[1::4]).all()


def test_a_member_that_leaks_in_one_fold_gains_nothing_there() -> None:
    fooled, honest = [], []
    for seed in range(4):
        p, y, plan = noise(400, seed)
        p[1, plan == 2] = (0.02 + 0.96 * y)[plan == 2]  # this member's fit of fold 2 has seen the labels of fold 2
        layers = MultiLayerStack(first=(Stack(), Greedy()), last=Stack())
        fooled.append(roc_auc(y, layers.fit(p, y, roc_auc, plan=plan).predict(p)))
        result = nested(layers, OutOfFold(p, y, roc_auc, plan=plan))
        assert result is not None
        # where the weights may have seen the leak, no label is to be had; where there is one, they have not seen it
        honest += [score for fold, score in result.folds.items() if fold != 2]
        assert result.best == "1" and result.gain < 0.02  # and the member itself stands there, too good to be true
    assert np.mean(fooled) > 0.58 and abs(np.mean(honest) - 0.5) < 0.06


def test_layers_say_what_is_missing() -> None:
    p, y, metric = data("labels", 60)
    with pytest.raises(KitError) as error:
        MultiLayerStack().fit(p, y, metric)
    assert str(error.value) == (
        "MultiLayerStack learns from out-of-fold predictions of the blends inside it, which need the fold number of each "
        "row: pass plan"
    )
    with pytest.raises(KitError) as error:
        nested(MultiLayerStack(), OutOfFold(p, y, metric, plan=np.arange(60) % 2))
    assert str(error.value) == (
        "MultiLayerStack learns from out-of-fold predictions of the blends inside it, but all 30 rows lie in fold 1; it needs "
        "2 folds, and 1 more for a nested score and for each such blend around it"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_saved_and_give_the_same_numbers(kind: str, tmp_path: Path) -> None:
    p, y, metric = data(kind)
    blend = MultiLayerStack(
        first=(Stack(columns=("price",)), Stack(model=SMALL), Greedy()), last=MultiLayerStack(first=(Mean(), Greedy()))
    )
    assert blend.needs == ("price",)
    fitted: Any = blend.fit(p, y, metric, ["z", "a", "m"], plan=np.arange(240) % 3, columns=frame(240))
    cut = dataclasses.replace(fitted, thresholds=(0.3,) * p.shape[2])
    cut.save(tmp_path / "layers.json")
    again = FittedBlend.load(tmp_path / "layers.json")
    assert again == cut and (again.predict(p, frame(240)) == fitted.predict(p, frame(240))).all()
    shares = fitted.last.weights
    assert list(shares) == ["Stack 1", "Stack 2", "Greedy"]
    by_hand = sum(s * b.weights["a"] for s, b in zip(shares.values(), fitted.first, strict=True))
    assert fitted.weights["a"] == pytest.approx(by_hand) and list(fitted.weights) == ["z", "a", "m"]
    assert Spec.from_dict(blend.to_dict()) == blend
