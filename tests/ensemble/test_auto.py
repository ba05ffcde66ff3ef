"""Auto: it tries all, takes the simplest that is about as good as the best, says why, and does not flatter itself."""

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from scipy.special import expit

from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.ensemble import (
    Auto,
    Blend,
    FittedAuto,
    FittedBlend,
    Geometric,
    Greedy,
    Mean,
    PerColumn,
    PriorShift,
    RankMean,
    Simplex,
    Stack,
    fit_thresholded,
    nested,
    scaled_ranks,
)
from kit.ensemble.oof import OutOfFold
from kit.metrics import Metric, f1, log_loss, mean_roc_auc, rmse, roc_auc
from kit.metrics.intervals import paired


def bank(
    noise: list[float], n: int = 400, targets: int = 1, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random((n, targets)) < 0.4).astype(float)
    return y, np.stack([expit(2 * y - 1 + rng.normal(0, size, y.shape)) for size in noise]), np.arange(n) % 5


def auto(
    p: np.ndarray, y: np.ndarray, plan: np.ndarray, metric: Metric, *choices: Blend, within: float = 0.5
) -> FittedAuto:
    fitted = Auto(choices=choices, within=within).fit(p, y, metric, plan=plan)
    assert isinstance(fitted, FittedAuto)
    return fitted


def test_scores_are_the_nested_scores_of_each_choice() -> None:
    y, p, plan = bank([1.5, 1.6, 3])
    found = auto(p, y, plan, log_loss, Mean(), Greedy(), Simplex())
    for blend, trial in zip((Mean(), Greedy(), Simplex()), found.tried, strict=True):
        honest = nested(blend, OutOfFold(p, y, log_loss, plan=plan), rounds=0)
        assert honest is not None and trial.nested == honest.score
    assert [trial.blend for trial in found.tried] == ["Mean", "Greedy", "Simplex"]


def test_what_is_clearly_better_is_taken_and_learnt_on_all_rows() -> None:
    y, p, plan = bank([0.8, 9, 9, 9])
    found = auto(p, y, plan, log_loss, Mean(), Greedy())
    assert found.inner == Greedy().fit(p, y, log_loss) and found.choice == "Greedy"
    mean, greedy = found.tried
    assert greedy.difference is not None and (greedy.difference.value, greedy.difference.p) == (0, 1)
    assert mean.difference is not None and mean.difference.high < 0
    oof = [nested(blend, OutOfFold(p, y, log_loss, plan=plan), rounds=0) for blend in (Mean(), Greedy())]
    assert oof[0] and oof[1]
    assert mean.difference == paired(log_loss, y, oof[0].predictions, oof[1].predictions, 300)
    assert mean.nested is not None and greedy.nested is not None and greedy.nested < mean.nested
    assert found.reason == (
        f"Greedy has the best nested log_loss of 2 choices, {greedy.nested:.5f}; "
        "no simpler one comes within 0.5 standard errors of it."
    )


def test_of_about_equals_the_simplest_is_taken() -> None:
    y, p, plan = bank([1.5, 1.5, 1.5], seed=2)
    best, simplest = (auto(p, y, plan, log_loss, Simplex(), Mean(), within=w) for w in (0, 1e6))
    assert [trial.blend for trial in best.tried] == ["Simplex", "Mean"]
    assert best.inner == Mean().fit(p, y, log_loss)  # members are equally good: learning weights only adds noise
    assert simplest.inner == Simplex().fit(p, y, log_loss)  # the order of `choices` says what is simple
    scores = [trial.nested for trial in simplest.tried]
    assert scores[1] is not None and simplest.reason.startswith("Simplex is the simplest choice whose nested log_loss")
    assert f"Mean is {scores[0] - scores[1]:.5f} better" in simplest.reason  # type: ignore[operator]


def test_the_penalty_is_in_standard_errors_of_the_paired_difference() -> None:
    y, p, plan = bank([1.2, 1.8], n=150)
    strict = auto(p, y, plan, log_loss, Mean(), Simplex(), within=0)
    mean, best = strict.tried
    assert mean.difference is not None and mean.difference.value < 0, "Simplex is better here"
    oof = [nested(b, OutOfFold(p, y, log_loss, plan=plan), rounds=0) for b in (Mean(), Simplex())]
    assert oof[0] and oof[1]
    losses = [-(y * np.log(o.predictions) + (1 - y) * np.log(1 - o.predictions)) for o in oof if o]
    error = float((losses[0] - losses[1]).std() / np.sqrt(len(y)))  # closed form for a mean over rows
    edge = -mean.difference.value / error
    just, short = (auto(p, y, plan, log_loss, Mean(), Simplex(), within=edge * f) for f in (1.2, 0.8))
    assert just.inner == Mean().fit(p, y, log_loss) and short.inner == Simplex().fit(p, y, log_loss)
    assert just.reason.startswith("Mean is the simplest choice whose nested log_loss")
    assert f"Simplex is {-mean.difference.value:.5f} better" in just.reason
    assert best.difference is not None


def test_what_refuses_the_task_is_left_out_and_says_why() -> None:
    y, p, plan = bank([1, 2])
    found = auto(p, y, plan, log_loss, RankMean(), Mean(), PerColumn())
    assert found.tried[0].refused == "RankMean gives ranks, but log_loss needs probabilities; use Mean or Greedy"
    assert found.tried[2].refused == "there is only one column; Greedy does the same"
    assert found.tried[0].nested is None and found.inner == Mean().fit(p, y, log_loss)
    with pytest.raises(KitError) as error:
        Auto(choices=(RankMean(),)).fit(p, y, rmse, plan=plan)
    assert str(error.value) == (
        "Auto: none of its choices can be fitted here: RankMean gives ranks, but rmse needs values; use Mean or Greedy"
    )
    with pytest.raises(KitError, match="Auto: PriorShift stands outermost"):
        Auto(choices=(PriorShift(),))


def test_auto_chooses_without_the_scored_fold() -> None:
    y, p, plan = bank([1.5, 1.6, 3], n=200)
    blend = Auto(choices=(Mean(), Simplex()))
    flipped = np.where(plan[:, None] == 1, 1 - y, y)
    before, after = (nested(blend, OutOfFold(p, labels, log_loss, plan=plan), rounds=0) for labels in (y, flipped))
    assert before is not None and after is not None
    assert before.weights[1] == after.weights[1] and before.weights[0] != after.weights[0]
    assert set(before.chosen) == {0, 1, 2, 3, 4} and set(before.chosen.values()) <= {"Mean", "Simplex"}
    assert before.summary()["chosen"]["1"] == before.chosen[1]
    plain = nested(Mean(), OutOfFold(p, y, log_loss, plan=plan), rounds=0)
    assert plain is not None and "chosen" not in plain.summary()


def test_auto_is_not_fooled_by_many_choices_of_noise() -> None:
    scores, reported = [], []
    for seed in range(8):  # labels that nothing can predict: the truth is 0.5, whatever is chosen
        rng = np.random.default_rng(seed)
        y, p, plan = (rng.random((150, 1)) < 0.5).astype(float), rng.random((6, 150, 1)), np.arange(150) % 3
        blend = Auto(choices=(Mean(), Greedy(rounds=3), *(Greedy(bags=3, seed=s, rounds=3) for s in range(4))))
        honest = nested(blend, OutOfFold(p, y, roc_auc, plan=plan), rounds=0)
        assert honest is not None
        scores.append(honest.score)
        reported.append(max(trial.nested for trial in auto(p, y, plan, roc_auc, *blend.choices).tried if trial.nested))
    assert abs(np.mean(scores) - 0.5) < 0.03
    assert np.mean(reported) > np.mean(scores) + 0.005  # the best of many choices is lucky; what Auto reports is not


@pytest.mark.parametrize("seed", range(2))
def test_auto_is_hardly_below_the_best_of_its_choices(seed: int) -> None:
    y, p, plan = bank([1.5, 1.6, 2, 4], n=800, targets=2, seed=seed)
    p[1, :, 1] = p[0, ::-1, 1]  # a member that knows one column alone
    choices: tuple[Blend, ...] = (Mean(), RankMean(), Geometric(), Greedy(), PerColumn(), Stack())
    blend = Auto(choices=choices)
    honest = nested(blend, OutOfFold(p, y, mean_roc_auc, plan=plan), rounds=0)
    each = [nested(choice, OutOfFold(p, y, mean_roc_auc, plan=plan), rounds=0) for choice in choices]
    assert honest is not None
    assert honest.score > max(one.score for one in each if one) - 0.002
    assert honest.score > min(one.score for one in each if one) + 0.005  # which of them is taken does matter


def test_folds_of_different_blends_are_compared_by_rank() -> None:
    y, p, plan = bank([1.5, 1.6, 1.7], n=200)
    p[2] = p[2] ** 9  # another scale, so that the means of these members differ in scale too

    class Fickle(Auto):
        """Takes another blend without each fold."""

        def learn(self, oof: OutOfFold) -> FittedBlend:
            assert oof.plan is not None
            blend = self.choices[int(oof.plan.min() == 1)]  # the second one is taken without fold 0
            return replace(cast(FittedAuto, super().learn(oof)), inner=blend.learn(oof), choice=type(blend).__name__)

    result = nested(Fickle(choices=(Mean(), Geometric())), OutOfFold(p, y, roc_auc, plan=plan), rounds=0)
    assert result is not None and result.chosen[0] == "Geometric" and result.chosen[1] == "Mean"
    for fold, blend in ((0, Geometric()), (1, Mean())):
        here = plan == fold
        joined = blend.fit(p[:, here], y[here], roc_auc).predict(p[:, here])
        np.testing.assert_array_equal(result.predictions[here], scaled_ranks(joined))
    assert result.score == roc_auc(y, result.predictions)


def test_one_fold_or_none_is_parted_at_random() -> None:
    y, p, _ = bank([0.8, 9, 9])
    for plan in (None, np.zeros(len(y), dtype=int)):
        found = Auto(choices=(Mean(), Greedy())).fit(p, y, log_loss, plan=plan)
        assert found.weights["0"] > 0.9
    two = np.arange(len(y)) % 2
    assert nested(Auto(choices=(Mean(), Greedy())), OutOfFold(p, y, log_loss, plan=two), rounds=0) is not None


def test_thresholds_belong_to_the_chosen_blend(tmp_path: Path) -> None:
    y, p, plan = bank([1, 2])
    found = fit_thresholded(Auto(choices=(Mean(), Greedy())), OutOfFold(p, y, f1, ["b", "a"], plan))
    assert isinstance(found, FittedAuto) and len(found.thresholds) == 1
    found.save(tmp_path / "weights.json")
    assert FittedBlend.load(tmp_path / "weights.json") == found
    facts = json.loads((tmp_path / "weights.json").read_text())
    assert facts["kind"] == "FittedAuto" and facts["reason"] == found.reason
    assert [row["blend"] for row in facts["choices"]] == ["Mean", "Greedy"]


def test_the_default_choices_all_work_and_are_named_as_settings() -> None:
    y, p, plan = bank([1.5, 1.6, 2], n=100, targets=2)
    found = Auto().fit(p, y, mean_roc_auc, plan=plan)
    assert isinstance(found, FittedAuto) and [t.blend for t in found.tried if t.refused] == [
        "Calibrated(blend=Simplex)"
    ]
    names = [trial.blend for trial in found.tried]
    assert len(set(names)) == len(names) and "PerColumn(blend=Simplex)" in names
    assert Spec.from_dict(Auto().to_dict()) == Auto()
    named = auto(p, y, plan, mean_roc_auc, Greedy(rounds=7), PerColumn(blend=Greedy(bags=2))).tried
    assert [trial.blend for trial in named] == ["Greedy(rounds=7)", "PerColumn(blend=Greedy(bags=2))"]


def test_needs_are_those_of_all_choices() -> None:
    stacks = (Stack(columns=("age", "town")), Stack(columns=("town", "day")))
    assert Auto(choices=(Mean(), *stacks)).needs == ("age", "town", "day")
