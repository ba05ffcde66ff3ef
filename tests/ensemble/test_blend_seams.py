"""Where blends meet: values that no learnt row had, one blend inside another, choices that break."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.ensemble import (
    Auto,
    Blend,
    Calibrated,
    FittedAuto,
    FittedBlend,
    Geometric,
    Greedy,
    Mean,
    MultiLayerStack,
    PerColumn,
    PlattScaling,
    Power,
    PriorShift,
    RankMean,
    Simplex,
    Stack,
    Trees,
    fit_thresholded,
    left_out,
    nested,
)
from kit.ensemble.decide.threshold import decide_folds, out_of_fold_thresholds
from kit.ensemble.fitted_auto import as_settings
from kit.ensemble.oof import OutOfFold
from kit.metrics import Metric, f1, log_loss, mean_roc_auc, rmse, roc_auc
from tests.helpers.blends import bank

# ---- values that no learnt row had -----------------------------------------------------------------


@pytest.mark.parametrize("blend", [Power(exponent=2), Geometric(), Power(exponent=-1)], ids=str)
def test_a_mean_of_positive_values_bears_a_negative_one(blend: Blend, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.gamma(2, 1, (60, 1)) + 0.1
    p = y * np.exp(rng.normal(0, 0.2, (2, 60, 1)))
    fitted = blend.fit(p, y, rmse, ["a", "b"])
    fitted.save(tmp_path / "blend.json")
    odd = np.array([[[-0.01], [0.0], [p.min() / 2]], [[3.0], [3.0], [3.0]]])
    with np.errstate(all="raise", divide="ignore"):
        said = FittedBlend.load(tmp_path / "blend.json").predict(odd)
    low = 0.0 if "2.0" in str(blend) else float(p.min())
    seen = fitted.predict(np.maximum(odd, low if low else 1e-300))
    np.testing.assert_allclose(said, seen)
    assert np.isfinite(said).all() and (said >= 0).all()
    facts = json.loads((tmp_path / "blend.json").read_text())
    old = {k: v for k, v in facts.items() if k not in ("lowest", "sum")}  # written before there was such a number
    (tmp_path / "old.json").write_text(json.dumps(old))
    np.testing.assert_allclose(FittedBlend.load(tmp_path / "old.json").predict(p), fitted.predict(p))
    with np.errstate(all="ignore"):
        assert np.isfinite(FittedBlend.load(tmp_path / "old.json").predict(odd)).all()


# ---- Auto within others --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PerColumn, Calibrated, MultiLayerStack], ids=lambda kind: kind.__name__)
def test_auto_stands_outside_what_could_not_tell_its_scales(kind: Any) -> None:
    for inner in (Auto(), MultiLayerStack(last=Auto())):
        with pytest.raises(KitError) as error:
            kind(first=(Mean(), inner)) if kind is MultiLayerStack else kind(blend=inner)
        name = kind.__name__
        assert f"Auto stands outside {name}, Auto(choices=({name}(…), …)), not inside it" in str(error.value)
    with pytest.raises(KitError, match="list the choices of the inner one directly"):
        Auto(choices=(Mean(), Auto()))


class Changeable(Auto):
    """Takes ranks without fold 0 and a scale of its own without the others."""

    def learn(self, oof: OutOfFold) -> FittedBlend:
        assert oof.plan is not None
        blend = self.choices[int(oof.plan.min() == 1)]
        return FittedAuto(blend.learn(oof), type(blend).__name__, "", ())


def test_where_auto_may_stand_its_folds_are_joined_by_rank() -> None:
    y, p, plan = bank([1, 1.5], n=400)
    p = 0.2 * p
    changing = Changeable(choices=(Mean(), RankMean()))
    plain = nested(Mean(), OutOfFold(p, y, roc_auc, plan=plan), rounds=0)
    layers = MultiLayerStack(first=(Mean(), Greedy(rounds=2)), last=changing)
    for how in (changing, layers, PriorShift(blend=changing, test_share=(0.3,))):
        found = nested(how, OutOfFold(p, y, roc_auc, plan=plan), rounds=0)
        assert found is not None and plain is not None and set(found.chosen.values()) == {"Mean", "RankMean"}
        assert found.score == pytest.approx(plain.score, abs=0.01)


# ---- Auto's judgement ----------------------------------------------------------------------------


def test_auto_scores_decisions_by_the_metric_of_the_task() -> None:
    y, p, plan = bank([0.8, 1.5, 2])
    choices: tuple[Blend, ...] = (Mean(), Greedy(rounds=3), Stack())
    found = fit_thresholded(Auto(choices=choices, within=0), OutOfFold(p, y, f1, plan=plan))
    assert isinstance(found, FittedAuto)
    for choice, trial in zip(choices, found.tried, strict=True):
        by_auc = nested(choice, OutOfFold(p, y, mean_roc_auc, plan=plan), rounds=0)  # weights are still sought by it
        assert by_auc is not None
        cuts = out_of_fold_thresholds(f1, y, by_auc.predictions, plan)
        decided, said = decide_folds(f1, by_auc.predictions, plan, cuts)
        assert trial.nested == decided(y, said)
    assert found.reason.split(" of 3 choices")[0].endswith("the best nested f1")
    assert found.choice == max(found.tried, key=lambda trial: trial.nested or 0).blend


class Breaks(Blend):
    """Fails as numeric code does."""

    how: str = "memory"

    def learn(self, oof: OutOfFold) -> FittedBlend:
        raise MemoryError("no room for 80 GiB") if self.how == "memory" else np.linalg.LinAlgError("Singular matrix")


def test_a_choice_that_breaks_is_left_out_and_says_why() -> None:
    y, p, plan = bank([1, 2])
    found = Auto(choices=(Breaks(), Mean(), Breaks(how="algebra"))).fit(p, y, log_loss, plan=plan)
    assert isinstance(found, FittedAuto) and found.choice == "Mean"
    assert [trial.refused for trial in found.tried] == ["no room for 80 GiB", "", "Singular matrix"]
    with pytest.raises(KitError, match="none of its choices can be fitted here: no room for 80 GiB"):
        Auto(choices=(Breaks(),)).fit(p, y, log_loss, plan=plan)


def test_calibration_is_not_tried_where_order_alone_counts_and_its_blend_is() -> None:
    y, p, plan = bank([1, 2], n=120)
    both, alone = Auto(choices=(Simplex(), Calibrated(blend=Simplex()))), Auto(choices=(Calibrated(blend=Mean()),))
    by_order, by_loss = (both.fit(p, y, metric, plan=plan) for metric in (roc_auc, log_loss))
    assert isinstance(by_order, FittedAuto) and isinstance(by_loss, FittedAuto)
    assert by_order.tried[1].refused.endswith("so Simplex does the same")
    assert by_loss.tried[1].nested is not None
    found = alone.fit(p, y, roc_auc, plan=plan)
    assert isinstance(found, FittedAuto) and found.choice == "Calibrated(blend=Mean)"


def test_choices_are_named_as_settings_to_the_innermost() -> None:
    blends = (
        Stack(model=Trees(rounds=5), columns=("a",)),
        MultiLayerStack(first=(Mean(),)),
        Calibrated(method=PlattScaling()),
    )
    assert as_settings(blends) == [
        "Stack(model=Trees(rounds=5), columns=('a',))", "MultiLayerStack(first=(Mean,))", "Calibrated(method=PlattScaling)"
    ]  # fmt: skip
    names = as_settings(Auto().choices)
    assert {"Greedy(bags=10)", "Stack(model=LeastSquares)", "Calibrated(blend=Simplex)"} < set(names)


@pytest.mark.parametrize("metric", [log_loss, mean_roc_auc], ids=str)
def test_auto_is_within_a_breath_of_the_best_of_its_choices(metric: Metric) -> None:
    y, p, plan = bank([1.5, 1.6, 2, 4], n=20_000, seed=1)
    choices: tuple[Blend, ...] = (Mean(), RankMean(), Geometric(), Stack())
    honest = nested(Auto(choices=choices), OutOfFold(p, y, metric, plan=plan), rounds=0)
    each = []
    for choice in choices:
        try:
            each.append(nested(choice, OutOfFold(p, y, metric, plan=plan), rounds=0))
        except KitError:
            assert isinstance(choice, RankMean)
    sign = 1 if metric.greater_is_better else -1
    scores = [sign * one.score for one in each if one]
    assert honest is not None and sign * honest.score > max(scores) - 0.0002
    assert max(scores) - min(scores) > 0.005  # which of them is taken does matter


# ---- what a member adds --------------------------------------------------------------------------


def test_the_whole_blend_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p, plan = bank([1, 2, 3], n=90)
    drawn: list[int] = []
    module = sys.modules["kit.ensemble.left_out"]
    real = module.resampled

    def counted(metric: Metric, y: np.ndarray, predictions: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        drawn.append(len(predictions))
        return real(metric, y, predictions, *args, **kwargs)

    monkeypatch.setattr(module, "resampled", counted)
    assert len(dict(left_out(Mean(), OutOfFold(p, y, log_loss, ["a", "b", "c"], plan)))) == 3
    assert drawn == [1, 1, 1, 1]
