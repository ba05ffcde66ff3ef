"""Stacks: what models see, what is learnt, how it is saved and applied, and what is refused."""

import dataclasses
import json
import re
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kit.ensemble
from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.ensemble import (
    Blend,
    FittedBlend,
    LeastSquares,
    Logistic,
    MultiLayerStack,
    OutOfFold,
    Ridge,
    SecondLevel,
    Stack,
    Trees,
    scaled_ranks,
)
from kit.ensemble.stack.stack import squeezed
from kit.ensemble.thresholded import fit_thresholded
from kit.metrics import Metric, accuracy, f1, log_loss, mean_roc_auc, quadratic_kappa, rmse, roc_auc
from tests.helpers.blends import KINDS, SMALL, data, frame

nested = partial(kit.ensemble.nested, rounds=0)  # no intervals


@pytest.mark.parametrize("inputs", ["logit", "probability", "rank"])
@pytest.mark.parametrize("cross", [False, True])
def test_a_stack_reads_what_is_kept_in_float32_as_the_same_numbers(inputs: Any, cross: bool) -> None:
    p, y, metric = data("labels")
    p, plan = p.astype(np.float32), np.arange(len(y)) % 3
    blend = Stack(inputs=inputs, cross=cross)
    one, other = (blend.fit(q, y, metric, plan=plan) for q in (p, p.astype(np.float64)))
    assert one == other and (one.predict(p) == other.predict(p.astype(np.float64))).all()


def test_peak_memory_is_about_the_inputs_of_one_model() -> None:
    import tracemalloc

    rng = np.random.default_rng(0)
    y = (rng.random((20_000, 4)) < 0.3).astype(float)
    p = (1 / (1 + np.exp(1 - 2 * y - rng.normal(0, 1.5, (15, *y.shape))))).astype(np.float32)
    for blend in (Stack(), Stack(model=Ridge()), Stack(inputs="rank")):
        Stack().fit(p[:, :200], y[:200], log_loss)  # imports
        tracemalloc.start()
        fitted = blend.fit(p, y, log_loss)
        fitted.predict(p)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2.5 * p.nbytes, f"{blend}: {peak / p.nbytes:.2f} times the bank, beside it"


# ---- inputs --------------------------------------------------------------------------------------


def test_rank_inputs_do_not_see_monotone_transforms_and_are_taken_within_folds() -> None:
    p, y, _ = data("labels")
    plan = np.arange(240) % 3
    bent = p.copy()
    bent[:, plan == 1] = bent[:, plan == 1] ** 3 * 0.1  # the fits of another fold, on another scale
    blend = Stack(inputs="rank")
    one, two = (blend.fit(q, y, mean_roc_auc, plan=plan) for q in (p, bent))
    assert one == two
    by_hand = Stack(inputs="probability").fit(ranks_by_fold(p, plan), y, mean_roc_auc)
    np.testing.assert_array_equal(one.predict(p), by_hand.predict(scaled_ranks(p)))


def ranks_by_fold(p: np.ndarray, plan: np.ndarray) -> np.ndarray:
    ranks = p.copy()
    for fold in np.unique(plan):
        ranks[:, plan == fold] = scaled_ranks(p[:, plan == fold])
    return ranks


def test_auto_inputs_follow_the_members() -> None:
    p, y, _ = data("labels")
    assert dataclasses.asdict(Stack().fit(p, y, log_loss))["inputs"] == "logit"
    assert dataclasses.asdict(Stack().fit(5 * p, y, mean_roc_auc))["inputs"] == "probability"
    assert dataclasses.asdict(Stack(model=Trees()).fit(p, y, log_loss))["inputs"] == "probability"


def test_a_target_may_see_the_predictions_of_all() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((600, 2)) < 0.5).astype(float)
    y[:, 1] = np.where(rng.random(600) < 0.9, y[:, 0], y[:, 1])  # the second is mostly the first
    good = 1 / (1 + np.exp(-(2 * y[:, 0] - 1 + rng.normal(0, 0.7, 600))))
    p = np.stack([good, rng.random(600)], axis=1)[None]  # nobody predicts the second
    plan = np.arange(600) % 3
    own, all_ = (nested(Stack(cross=cross), OutOfFold(p, y, log_loss, plan=plan)) for cross in (False, True))
    assert own is not None and all_ is not None
    assert roc_auc(y[:, 1], own.predictions[:, 1]) < 0.6 and roc_auc(y[:, 1], all_.predictions[:, 1]) > 0.8


# ---- all kinds -----------------------------------------------------------------------------------

MODELS: list[SecondLevel] = [LeastSquares(), Ridge(), Logistic(), SMALL]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize(
    "more", [{}, {"cross": True, "inputs": "rank", "columns": ("price", "category")}], ids=["plain", "more"]
)
def test_every_stack_is_learnt_scored_saved_and_applied_again(
    kind: str, model: SecondLevel, more: Any, tmp_path: Path
) -> None:
    if (kind, type(model)) == ("values", Logistic):
        return
    p, y, metric = data(kind)
    blend, plan, columns = Stack(model=model, **more), np.arange(240) % 3, frame(240)
    honest = nested(blend, OutOfFold(p, y, metric, ["z", "a", "m"], plan=plan, columns=columns))
    assert honest is not None and not metric.better(
        metric(y, p[2]), honest.score
    )  # at least the worst member is beaten
    fitted = blend.fit(p, y, metric, ["z", "a", "m"], plan=plan, columns=columns)
    assert set(fitted.weights) == {"z", "a", "m"} and fitted.weights["z"] == max(fitted.weights.values())
    assert sum(fitted.weights.values()) == pytest.approx(1) if not more else 0 < sum(fitted.weights.values()) <= 1
    if kind != "values":
        said = fitted.predict(p, columns)
        assert said.min() >= 0 and said.max() <= 1
        assert kind == "labels" or np.allclose(said.sum(axis=1), 1)

    cut = dataclasses.replace(fitted, thresholds=(0.25,) * p.shape[2])  # type: ignore[type-var]
    cut.save(tmp_path / "stack.json")
    again = FittedBlend.load(tmp_path / "stack.json")
    assert again == cut and again.thresholds == cut.thresholds != fitted.thresholds
    fresh, _, _ = data(kind, 50, seed=9)
    np.testing.assert_array_equal(again.predict(fresh, frame(50, 9)), fitted.predict(fresh, frame(50, 9)))
    assert Spec.from_dict(blend.to_dict()) == blend


def test_the_file_can_be_read_and_a_formula_needs_no_library(tmp_path: Path) -> None:
    p, y, _ = data("labels")
    fitted = Stack(columns=("price",)).fit(p, y, log_loss, ["z", "a", "m"], columns=frame(240))
    fitted.save(tmp_path / "stack.json")
    written = json.loads((tmp_path / "stack.json").read_text())
    first = written["parts"][0]["inputs"]
    assert [(i.get("member"), i.get("output"), i.get("column")) for i in first] == [
        ("z", 0, None), ("a", 0, None), ("m", 0, None), (None, None, "price"), (None, None, "price missing"),
    ]  # fmt: skip
    # the numbers in the file, by hand
    part = written["parts"][1]
    price = frame(240)["price"]
    inputs = [*np.log(p[:, :, 1] / (1 - p[:, :, 1])), price.fillna(written["columns"][0]["median"]), price.isna()]
    z = part["intercepts"][0] + sum(term["weights"][0] * x for term, x in zip(part["inputs"], inputs, strict=True))
    np.testing.assert_allclose(fitted.predict(p, frame(240))[:, 1], 1 / (1 + np.exp(-z)))

    # nor does it need any other of kit's dependencies than the docs say
    root = Path(kit.ensemble.__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split("[^a-z-]", one)[0] for one in project["dependencies"]}
    page = " ".join((root / "docs/ensembles.md").read_text(encoding="utf-8").split())
    assert "(numpy, pandas, scipy, pydantic and filelock are enough" in page
    spared = needed - {"numpy", "pandas", "scipy", "pydantic", "filelock"}
    assert len(spared) == len(needed) - 5 > 5
    blocked = {{"scikit-learn": "sklearn", "iterative-stratification": "iterstrat"}.get(one, one) for one in spared}

    np.save(tmp_path / "p.npy", p)
    frame(240).to_pickle(tmp_path / "frame.pkl")
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(blocked)!r}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)
sys.meta_path.insert(0, Absent())
import numpy as np, pandas as pd
from pathlib import Path
from kit.ensemble import FittedBlend
folder = Path({str(tmp_path)!r})
fitted = FittedBlend.load(folder / "stack.json")
np.save(folder / "said.npy", fitted.predict(np.load(folder / "p.npy"), pd.read_pickle(folder / "frame.pkl")))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "said.npy"), fitted.predict(p, frame(240)))


def test_least_squares_are_bent_back_into_probabilities_in_order() -> None:
    z = np.linspace(-0.5, 1.5, 2001)
    bent = squeezed(z, 0.01)
    inside = (z >= 0.01) & (z <= 0.99)
    np.testing.assert_array_equal(bent[inside], z[inside])
    assert 0.005 < bent.min() < 0.006 and 0.994 < bent.max() < 0.995
    assert (np.diff(bent) > 0).all() and np.abs(np.diff(bent)).max() < 1.01e-3  # no ties, no jump
    np.testing.assert_allclose(squeezed(1 - z, 0.01), 1 - bent, atol=1e-12)
    p, y, _ = data("labels")
    sums = Stack(model=Ridge()).fit(p, y, rmse).predict(p)  # a metric of values: sums stay
    said = Stack(model=Ridge()).fit(p, y, roc_auc).predict(p)
    assert sums.min() < 0 < said.min() and mean_roc_auc(y, sums) == mean_roc_auc(y, said)


def test_what_teaches_nothing_stays_the_members_mean() -> None:
    p, y, _ = data("labels")
    y[:, 1] = 0
    for model in (Logistic(), LeastSquares(), SMALL):
        fitted = Stack(model=model).fit(p, y, mean_roc_auc)
        np.testing.assert_allclose(fitted.predict(p)[:, 1], p[:, :, 1].mean(axis=0))
        assert sum(fitted.weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("model", [Logistic(), SMALL, Ridge()], ids=lambda m: type(m).__name__)
def test_a_class_that_was_not_seen_keeps_what_members_give_it(model: SecondLevel) -> None:
    p, y, _ = data("classes")
    known = y[:, 0] != 1
    fitted = Stack(model=model).fit(p[:, known], y[known], log_loss)
    said = fitted.predict(p)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert (said > 0).all() and accuracy(y[known], said[known]) > 0.8
    if isinstance(model, Ridge):
        return
    np.testing.assert_allclose(said[:, 1], p[:, :, 1].mean(axis=0))
    one = Stack(model=model).fit(p[:, y[:, 0] == 2], y[y[:, 0] == 2], log_loss)  # a single class: nothing to learn
    np.testing.assert_allclose(one.predict(p), p.mean(axis=0))


def test_thresholds_grades_and_several_metrics() -> None:
    p, y, _ = data("labels")
    for blend in (Stack(), Stack(model=SMALL), MultiLayerStack()):
        cut = fit_thresholded(blend, OutOfFold(p, y, f1, plan=np.arange(240) % 3))
        assert len(cut.thresholds) == 2 and cut.thresholds != (0.5, 0.5)
        honest = nested(blend, OutOfFold(p, y, f1, plan=np.arange(240) % 3))
        assert honest is not None and all(len(cuts) == 2 for cuts in honest.thresholds.values())
    rng = np.random.default_rng(0)
    grades = rng.integers(0, 5, (300, 1)).astype(float)  # grades are values: nothing says they are classes
    fitted: Any = Stack().fit(grades + rng.normal(size=(2, 300, 1)), grades, quadratic_kappa)
    assert fitted.method == "Ridge" and fitted.kind == "values" and fitted.edge is None


@pytest.mark.parametrize(
    ("blend", "kind", "metric", "sentence"),
    [
        (Stack(model=Logistic()), "values", rmse, "Stack: Logistic gives probabilities, but labels run from -3.89942 to 3.06604; use Ridge or Trees"),
        (Stack(inputs="logit"), "values", rmse, "Stack: inputs=logit needs probabilities, but member 'a' gives -4.03919 to 3.06229; use probability or rank"),
        (Stack(columns=("colour",)), "labels", log_loss, "Stack: column 'colour' is missing; there are: price, category, unread"),
    ],
)  # fmt: skip
def test_what_a_stack_refuses(blend: Blend, kind: str, metric: Metric, sentence: str) -> None:
    p, y, _ = data(kind)
    with pytest.raises(KitError) as error:
        blend.fit(p, y, metric, ["a", "b", "c"], columns=frame(240))
    assert str(error.value) == sentence


def test_more_that_a_stack_refuses() -> None:
    p, y, _ = data("classes")
    with pytest.raises(KitError, match=r"^blend: labels must be class indices 0 to 1; found 2$"):
        Stack().fit(p[:, :, :2], y, log_loss)
    with pytest.raises(KitError, match=r"^blend: labels have 2 columns, but predictions have 3$"):
        Stack().fit(p, np.hstack([y, y]), rmse)
    wants = Stack(columns=("price",)).fit(p, y, log_loss, columns=frame(240))
    with pytest.raises(KitError, match=r"^Stack also reads the columns price; pass them as columns$"):
        wants.predict(p)
    with pytest.raises(KitError, match=r"^Stack: 240 rows of predictions, but columns of 3 rows$"):
        wants.predict(p, frame(3))
