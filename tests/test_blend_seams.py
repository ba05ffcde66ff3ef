"""Where blends meet: values that no learnt row had, one blend inside another, choices that break."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from kit.ensemble import (
    Auto,
    Blend,
    Blended,
    Calibrated,
    Chosen,
    Geometric,
    Greedy,
    Layers,
    Mean,
    PerColumn,
    Platt,
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
from kit.ensemble.auto import spelled
from kit.ensemble.base import Judged
from kit.ensemble.threshold import decide_folds, unseen_thresholds
from kit.metrics import Metric, f1, log_loss, mean_roc_auc, rmse, roc_auc
from kit.spec import KitError


def bank(noise: list[float], n: int = 300, seed: int = 0, folds: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 1)) < 0.4).astype(float)
    return y, np.stack([expit(2 * y - 1 + rng.normal(0, s, y.shape)) for s in noise]), np.arange(n) % folds


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
        said = Blended.load(tmp_path / "blend.json").apply(odd)
    low = 0.0 if "2.0" in str(blend) else float(p.min())
    seen = fitted.apply(np.maximum(odd, low if low else 1e-300))
    np.testing.assert_allclose(said, seen)
    assert np.isfinite(said).all() and (said >= 0).all()
    facts = json.loads((tmp_path / "blend.json").read_text())
    old = {k: v for k, v in facts.items() if k != "lowest"}  # written before there was such a number
    (tmp_path / "old.json").write_text(json.dumps(old))
    np.testing.assert_allclose(Blended.load(tmp_path / "old.json").apply(p), fitted.apply(p))
    with np.errstate(all="ignore"):
        assert np.isfinite(Blended.load(tmp_path / "old.json").apply(odd)).all()


# ---- Auto within others --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PerColumn, Calibrated, Layers], ids=lambda kind: kind.__name__)
def test_auto_stands_outside_what_could_not_tell_its_scales(kind: Any) -> None:
    for inner in (Auto(), Layers(last=Auto())):
        with pytest.raises(KitError) as error:
            kind(first=(Mean(), inner)) if kind is Layers else kind(blend=inner)
        name = kind.__name__
        assert f"Auto stands outside {name}, Auto(choices=({name}(…), …)), not inside it" in str(error.value)
    with pytest.raises(KitError, match="write that one's choices among its own"):
        Auto(choices=(Mean(), Auto()))


class Fickle(Auto):
    """Takes ranks without fold 0 and a scale of its own without the others."""

    def learn(self, judged: Judged) -> Blended:
        assert judged.plan is not None
        blend = self.choices[int(judged.plan.min() == 1)]
        return Chosen(blend.learn(judged), type(blend).__name__, "", ())


def test_where_auto_may_stand_its_folds_are_joined_by_rank() -> None:
    y, p, plan = bank([1, 1.5], n=400)
    p = 0.2 * p
    fickle = Fickle(choices=(Mean(), RankMean()))
    plain = nested(Mean(), p, y, plan, roc_auc, rounds=0)
    layers = Layers(first=(Mean(), Greedy(rounds=2)), last=fickle)
    for how in (fickle, layers, PriorShift(blend=fickle, test_share=(0.3,))):
        found = nested(how, p, y, plan, roc_auc, rounds=0)
        assert found is not None and plain is not None and set(found.chosen.values()) == {"Mean", "RankMean"}
        assert found.score == pytest.approx(plain.score, abs=0.01)


# ---- Auto's judgement ----------------------------------------------------------------------------


def test_auto_judges_decisions_by_the_metric_of_the_task() -> None:
    y, p, plan = bank([0.8, 1.5, 2])
    choices: tuple[Blend, ...] = (Mean(), Greedy(rounds=3), Stack())
    found = fit_thresholded(Auto(choices=choices, within=0), p, y, f1, (), plan)
    assert isinstance(found, Chosen)
    for choice, trial in zip(choices, found.trials, strict=True):
        by_auc = nested(choice, p, y, plan, mean_roc_auc, rounds=0)  # weights are still sought by it
        assert by_auc is not None
        cuts = unseen_thresholds(f1, y, by_auc.predictions, plan)
        decided, said = decide_folds(f1, by_auc.predictions, plan, cuts)
        assert trial.nested == decided(y, said)
    assert found.reason.split(" of 3 choices")[0].endswith("the best nested f1")
    assert found.choice == max(found.trials, key=lambda trial: trial.nested or 0).blend


class Breaks(Blend):
    """Fails as numeric code does."""

    how: str = "memory"

    def learn(self, judged: Judged) -> Blended:
        raise MemoryError("no room for 80 GiB") if self.how == "memory" else np.linalg.LinAlgError("Singular matrix")


def test_a_choice_that_breaks_is_left_out_and_says_why() -> None:
    y, p, plan = bank([1, 2])
    found = Auto(choices=(Breaks(), Mean(), Breaks(how="algebra"))).fit(p, y, log_loss, plan=plan)
    assert isinstance(found, Chosen) and found.choice == "Mean"
    assert [trial.refused for trial in found.trials] == ["no room for 80 GiB", "", "Singular matrix"]
    with pytest.raises(KitError, match="none of its choices can blend here: no room for 80 GiB"):
        Auto(choices=(Breaks(),)).fit(p, y, log_loss, plan=plan)


def test_calibration_is_not_tried_where_order_alone_counts_and_its_blend_is() -> None:
    y, p, plan = bank([1, 2], n=120)
    both, alone = Auto(choices=(Simplex(), Calibrated(blend=Simplex()))), Auto(choices=(Calibrated(blend=Mean()),))
    by_order, by_loss = (both.fit(p, y, metric, plan=plan) for metric in (roc_auc, log_loss))
    assert isinstance(by_order, Chosen) and isinstance(by_loss, Chosen)
    assert by_order.trials[1].refused.endswith("which alone counts here; Simplex does the same")
    assert by_loss.trials[1].nested is not None
    found = alone.fit(p, y, roc_auc, plan=plan)
    assert isinstance(found, Chosen) and found.choice == "Calibrated(blend=Mean)"


def test_choices_are_named_as_settings_to_the_innermost() -> None:
    blends = (Stack(model=Trees(rounds=5), columns=("a",)), Layers(first=(Mean(),)), Calibrated(method=Platt()))
    assert spelled(blends) == [
        "Stack(model=Trees(rounds=5), columns=('a',))", "Layers(first=(Mean,))", "Calibrated(method=Platt)"
    ]  # fmt: skip
    names = spelled(Auto().choices)
    assert {"Greedy(bags=10)", "Stack(model=LeastSquares)", "Calibrated(blend=Simplex)"} < set(names)


@pytest.mark.parametrize("metric", [log_loss, mean_roc_auc], ids=str)
def test_auto_is_within_a_breath_of_the_best_of_its_choices(metric: Metric) -> None:
    y, p, plan = bank([1.5, 1.6, 2, 4], n=20_000, seed=1)
    choices: tuple[Blend, ...] = (Mean(), RankMean(), Geometric(), Stack())
    honest = nested(Auto(choices=choices), p, y, plan, metric, rounds=0)
    each = []
    for choice in choices:
        try:
            each.append(nested(choice, p, y, plan, metric, rounds=0))
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
    module = sys.modules["kit.ensemble.diversity"]
    real = module.resampled

    def counted(metric: Metric, y: np.ndarray, predictions: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        drawn.append(len(predictions))
        return real(metric, y, predictions, *args, **kwargs)

    monkeypatch.setattr(module, "resampled", counted)
    assert len(dict(left_out(Mean(), p, y, plan, log_loss, ["a", "b", "c"]))) == 3
    assert drawn == [1, 1, 1, 1]
