"""OutOfFold: what it takes, what it refuses, and its parts; and blends that are fitted without a run."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.ensemble import (
    Auto,
    Blend,
    Calibrated,
    Greedy,
    Mean,
    MultiLayerStack,
    OutOfFold,
    PerColumn,
    Power,
    PriorShift,
    Simplex,
    Stack,
    nested,
)
from kit.metrics import log_loss, mean_roc_auc, rmse, roc_auc

NAMES = ("linear", "boost", "encoder")


def bank(outputs: int = 1, n: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (n, outputs), predictions (members, n, outputs) and fold numbers (n,)."""
    rng = np.random.default_rng(0)
    y = (rng.random((n, outputs)) < 0.4).astype(float)
    p = 1 / (1 + np.exp(-(2 * y - 1 + rng.normal(0, 1, (3, n, outputs)))))
    return y, p, np.arange(n) % 3


# ---- fit and predict without a run -----------------------------------------------------------------


def forms(p: np.ndarray) -> dict[str, Any]:
    """The same predictions of one column in every form that a notebook has them in."""
    return {
        "array (members, n, 1)": p,
        "array (members, n)": p[:, :, 0],
        "list of (n,)": list(p[:, :, 0]),
        "dict of (n,)": dict(zip(NAMES, p[:, :, 0], strict=True)),
        "dict of (n, 1)": dict(zip(NAMES, p, strict=True)),
        "dict of Series": {name: pd.Series(one) for name, one in zip(NAMES, p[:, :, 0], strict=True)},
        "frame": pd.DataFrame(p[:, :, 0].T, columns=list(NAMES)),
    }


@pytest.mark.parametrize("form", list(forms(bank()[1])))
@pytest.mark.parametrize("labels", ["array (n, 1)", "array (n,)", "Series", "frame", "list"])
def test_a_blend_fits_every_form_to_the_same_weights(form: str, labels: str) -> None:
    y, p, _ = bank()
    kinds = {
        "array (n, 1)": y,
        "array (n,)": y[:, 0],
        "Series": pd.Series(y[:, 0]),
        "frame": pd.DataFrame(y, columns=["sold"]),
        "list": y[:, 0].tolist(),
    }
    wanted = Greedy().fit(p, y, roc_auc)
    found = Greedy().fit(forms(p)[form], kinds[labels], roc_auc)
    assert list(found.weights.values()) == list(wanted.weights.values())
    named = form.startswith(("dict", "frame"))
    assert list(found.weights) == (list(NAMES) if named else ["0", "1", "2"])
    said = found.predict(forms(p)[form])
    assert said.shape == (p.shape[1:] if form.endswith("1)") else (90,))
    assert (said.reshape(-1) == wanted.predict(p)[:, 0]).all()


def test_a_fitted_blend_takes_its_members_by_name_from_whatever_lies_beside_them() -> None:
    y, p, _ = bank()
    fitted = Greedy().fit(forms(p)["dict of (n,)"], y, "roc_auc")
    rest = {name: p[NAMES.index(name), :5, 0] for name in reversed(NAMES)} | {"id": np.array(list("abcde"))}
    wanted = fitted.predict(p[:, :5])[:, 0]
    assert (fitted.predict(rest) == wanted).all() and (fitted.predict(pd.DataFrame(rest)) == wanted).all()
    with pytest.raises(KitError) as error:
        fitted.predict({"linear": p[0, :, 0], "bost": p[1, :, 0], "encoder": p[2, :, 0]})
    assert str(error.value) == "blend: there are no predictions of member 'boost'; did you mean 'bost'?"


def test_names_take_some_members_of_a_frame() -> None:
    y, p, _ = bank()
    frame = pd.DataFrame(p[:, :, 0].T, columns=list(NAMES)).assign(text="good")
    assert Mean().fit(frame, y, roc_auc, ["encoder", "linear"]).weights == {"encoder": 0.5, "linear": 0.5}


def test_several_columns_stay_several() -> None:
    y, p, _ = bank(outputs=2)
    labels = pd.DataFrame(y, columns=["toxic", "insult"])
    fitted = PerColumn().fit(dict(zip(NAMES, p, strict=True)), labels, mean_roc_auc)
    assert fitted.predict(dict(zip(NAMES, p, strict=True))).shape == (90, 2)


REFUSED: list[tuple[Any, Any, Any, str]] = [
    ({"a": np.zeros(4), "b": np.zeros(3)}, np.zeros(4), rmse,
     "blend: predictions of member 'b' have shape (3,), those of the first (4,)"),
    ([np.zeros(4), np.zeros((4, 1))], np.zeros(4), rmse,
     "blend: predictions of member '1' have shape (4, 1), those of the first (4,)"),
    ({"a": np.array(["x", "y"])}, np.zeros(2), rmse, "blend: predictions of member 'a' must be numbers"),
    ({"a": [0.1, None]}, np.zeros(2), rmse, "blend: member 0 ('a') has 1 of 2 rows with NaN or infinite predictions; "
     "blend only rows that every member has predicted"),
    ({}, np.zeros(2), rmse, "blend: there are no predictions"),
    (None, np.zeros(2), rmse, "blend: predictions must be an array, a dict or a frame of members, not NoneType"),
    (np.zeros((4, 2)), np.zeros(4), rmse,
     "blend: 4 rows of labels, but predictions of 2 rows; predictions must be (members, rows): transpose them"),
    (np.zeros(4), np.zeros(4), rmse,
     "blend: predictions have shape (4,), not (members, rows) or (members, rows, outputs), at least 1 of each"),
    (np.zeros((2, 3)), ["yes", "no", "yes"], rmse, "blend: labels must be numbers, such as 0 and 1, not 'yes'"),
    (np.zeros((2, 3)), [0, np.nan, 1], rmse,
     "blend: 1 of 3 rows have NaN or infinite labels; blend only rows with labels"),
    (np.zeros((2, 3)), np.zeros((3, 1, 1)), rmse,
     "blend: labels have shape (3, 1, 1), not (rows,) or (rows, targets)"),
    (np.zeros((2, 3)), np.zeros(3), "roc_acu", "unknown metric 'roc_acu'; did you mean 'roc_auc'?"),
    (np.zeros((2, 3)), np.zeros(3), np.mean, "blend: the metric must be a Metric or the name of one; "
     "of a function make one: Metric(mean, greater_is_better=…)"),
    (pd.DataFrame({"a": [0.1, 0.2]}, index=[1, 0]), pd.Series([0, 1]), rmse,
     "blend: predictions and labels have different indexes, so their rows may not match"),
]  # fmt: skip


@pytest.mark.parametrize(("predictions", "y", "metric", "sentence"), REFUSED, ids=range(len(REFUSED)))
def test_a_sentence_for_each_wrong_shape(predictions: Any, y: Any, metric: Any, sentence: str) -> None:
    with pytest.raises(KitError) as error:
        Mean().fit(predictions, y, metric)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"plan": [0, 1]}, "blend: 90 rows of predictions, but 2 fold numbers; give one for each row"),
        ({"groups": [0, 1]}, "blend: 90 rows of predictions, but 2 groups; give one for each row"),
        ({"columns": pd.DataFrame({"x": [1]})}, "blend: 90 rows of predictions, but 1 rows of original columns; "
         "give one for each row"),
        ({"plan": np.arange(90) % 3 - 1}, "blend: 30 rows are in no fold; pass only rows that a fold predicted"),
        ({"names": "ab"}, "blend: predictions of 3 members, but 2 names: a, b"),
        ({"names": "aab"}, "blend: member name 'a' occurs twice"),
    ],
)  # fmt: skip
def test_what_lies_beside_the_predictions_is_checked(given: dict[str, Any], sentence: str) -> None:
    y, p, _ = bank()
    with pytest.raises(KitError) as error:
        OutOfFold(p, y, log_loss, **given)
    assert str(error.value) == sentence


# ---- parts of it -----------------------------------------------------------------------------------


def whole(outputs: int = 2) -> OutOfFold:
    y, p, plan = bank(outputs)
    columns = pd.DataFrame({"price": np.arange(90)}, index=np.arange(90) + 1000)
    return OutOfFold(p, y, log_loss, NAMES, plan, columns, np.arange(90) // 2, ordered=True)


def test_rows_take_all_that_belongs_to_them() -> None:
    oof = whole()
    assert oof.folds == [0, 1, 2] and len(oof) == 90 and oof.outputs == 2
    some = oof.fold(1)
    assert len(some) == 30 and some.folds == [1]
    np.testing.assert_array_equal(some.predictions, oof.predictions[:, 1::3])
    np.testing.assert_array_equal(some.y, oof.y[1::3])
    assert some.columns is not None and some.groups is not None
    assert some.columns["price"].tolist() == list(range(1, 90, 3)) and some.groups.tolist() == [
        i // 2 for i in range(1, 90, 3)
    ]
    assert (some.names, some.metric, some.ordered) == (oof.names, oof.metric, True)
    bare = OutOfFold(oof.predictions, oof.y, log_loss).rows(np.arange(90) < 3)
    assert (bare.plan, bare.columns, bare.groups, bare.folds, bare.names) == (None, None, None, [], ("0", "1", "2"))


def test_members_are_taken_by_name() -> None:
    oof = whole()
    two = oof.members(["encoder", "linear"])
    assert two.names == ("encoder", "linear")
    np.testing.assert_array_equal(two.predictions, oof.predictions[[2, 0]])
    assert oof.without("boost").names == ("linear", "encoder")
    np.testing.assert_array_equal(oof.without("boost").predictions, oof.predictions[[0, 2]])
    for take in (lambda: oof.without("bost"), lambda: oof.members(["linear", "bost"])):
        with pytest.raises(KitError, match="^blend: there is no member 'bost'; did you mean 'boost'"):
            take()


def test_targets_are_the_labels_beside_which_predictions_stand() -> None:
    oof = whole()
    assert not oof.classes and oof.targets is oof.y
    np.testing.assert_array_equal(oof.column(1).targets, oof.y[:, 1:])
    three = OutOfFold(np.full((1, 4, 3), 1 / 3), [2, 0, 1, 2], log_loss)
    assert three.classes
    np.testing.assert_array_equal(three.targets, np.eye(3)[[2, 0, 1, 2]])


def test_it_cannot_be_changed_by_accident() -> None:
    oof = whole()
    with pytest.raises(AttributeError):
        oof.metric = roc_auc  # type: ignore[misc]


def test_a_nested_score_needs_folds() -> None:
    y, p, plan = bank()
    with pytest.raises(KitError, match="^nested blend: the fold number of each row is missing; give plan"):
        nested(Mean(), OutOfFold(p, y, log_loss))
    found = nested(Mean(), OutOfFold(dict(zip(NAMES, p, strict=True)), y, "log_loss", plan=plan))
    assert found is not None and found.best in NAMES


# ---- blends of blends ------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapper", [PerColumn, Calibrated, PriorShift])
def test_a_wrapper_says_what_the_blend_inside_says(wrapper: Any) -> None:
    inner = Stack(columns=("price", "age"))
    assert wrapper(blend=inner).needs == ("price", "age") and wrapper(blend=Mean()).needs == ()
    deep = Calibrated(blend=MultiLayerStack())  # 2 folds for the layers, 1 more for the curve
    assert wrapper(blend=deep).folds_needed == deep.folds_needed + (wrapper is Calibrated)
    assert wrapper(blend=Power()).folds_needed == (2 if wrapper is Calibrated else 0)
    assert not wrapper(blend=Mean()).may_change_kind


def test_blends_of_several_need_what_each_of_them_needs() -> None:
    priced, aged = Stack(columns=("price",)), Stack(columns=("age", "price"))
    assert Auto(choices=(Mean(), priced, aged)).needs == ("price", "age")
    layers = MultiLayerStack(first=(priced, Greedy()), last=aged)
    assert layers.needs == ("price", "age") and layers.inner == (priced, Greedy(), aged)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: PerColumn(blend=PriorShift()), "PriorShift stands outermost, PriorShift(blend=PerColumn(…)), not "
         "inside PerColumn"),
        (lambda: PriorShift(blend=PriorShift()), "PriorShift stands outermost, PriorShift(blend=PriorShift(…)), not "
         "inside PriorShift"),
        (lambda: Auto(choices=(Mean(), PriorShift())), "PriorShift stands outermost, PriorShift(blend=Auto(…)), not "
         "inside Auto"),
        (lambda: MultiLayerStack(last=PriorShift()), "PriorShift stands outermost, "
         "PriorShift(blend=MultiLayerStack(…)), not inside MultiLayerStack"),
        (lambda: Calibrated(blend=Auto()), "Auto stands outside Calibrated, Auto(choices=(Calibrated(…), …)), not "
         "inside it"),
        (lambda: MultiLayerStack(first=(Auto(),)), "Auto stands outside MultiLayerStack"),
        (lambda: Auto(choices=(Mean(), Auto())), "one of its choices is an Auto too"),
    ],
)  # fmt: skip
def test_what_may_not_stand_inside_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(KitError) as error:
        make()
    assert sentence in str(error.value)
    assert PriorShift(blend=Auto()).may_change_kind and MultiLayerStack(last=Auto()).may_change_kind


def test_what_was_chosen_is_the_blend_that_was_fitted() -> None:
    y, p, plan = bank()
    choices: tuple[Blend, ...] = (Mean(), Simplex())
    auto = Auto(choices=choices, within=0)
    fitted = auto.fit(p, y, log_loss, plan=plan)
    assert auto.settled(fitted) in choices and Greedy().settled(fitted) == Greedy()
