"""Blends: what they weigh, what they refuse, and that the nested score is honest."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.ensemble import Blend, FittedBlend, Greedy, Mean, OutOfFold, RankMean, WeightedMean, nested, scaled_ranks
from kit.metrics import Metric, accuracy, f1, log_loss, mean_roc_auc, rmse, roc_auc
from kit.metrics.intervals import bootstrap, paired


def members_for(y: np.ndarray, noise: list[float], seed: int = 0) -> np.ndarray:
    """Probabilities (members, n, outputs): the labels under noise of these sizes."""
    rng = np.random.default_rng(seed)
    return np.stack([1 / (1 + np.exp(-(2 * y - 1 + rng.normal(0, size, y.shape)))) for size in noise])


def labels(n: int, targets: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((n, targets)) < 0.4).astype(float)


# ---- mean and ranks ----------------------------------------------------------------------------


def test_mean_is_the_plain_mean() -> None:
    y = labels(50, 2)
    p = members_for(y, [1, 2, 3])
    fitted = Mean().fit(p, y, log_loss, ["a", "b", "c"])
    assert fitted.weights == pytest.approx({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    np.testing.assert_allclose(fitted.predict(p), p.mean(axis=0), rtol=1e-15)


def test_a_mean_of_certainties_stays_a_probability() -> None:
    p = np.ones((10, 4, 1))
    assert sum([0.1] * 10) != 1  # the rounding that would carry the mean off
    assert (Mean().fit(p, np.ones((4, 1)), log_loss).predict(p) == 1).all()


def test_rank_mean_against_one_column_at_a_time() -> None:
    y = labels(40, 3)
    p = np.round(members_for(y, [1, 2]), 1)  # rounded: ties
    naive = np.zeros((40, 3))
    for member in p:
        for column in range(3):
            naive[:, column] += (rankdata(member[:, column]) - 1) / 39 / 2
    np.testing.assert_allclose(RankMean().fit(p, y, mean_roc_auc).predict(p), naive, rtol=1e-12)


def test_scaled_ranks_by_hand() -> None:
    assert scaled_ranks(np.array([[5.0], [-1], [7], [5], [9]])).ravel().tolist() == [0.375, 0, 0.75, 0.375, 1]
    assert scaled_ranks(np.array([[3.0, 4.0]])).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("bend", [lambda p: p**3, lambda p: np.log(p) * 5 - 2, lambda p: 100 * p])
def test_rank_mean_does_not_see_monotone_transforms(bend) -> None:  # type: ignore[no-untyped-def]
    y = labels(60, 2)
    p = members_for(y, [1, 2, 4])
    bent = p.copy()
    bent[1] = bend(p[1])
    before, after = (RankMean().fit(q, y, mean_roc_auc).predict(q) for q in (p, bent))
    assert (before == after).all()
    assert not np.allclose(p.mean(axis=0), bent.mean(axis=0))  # a plain mean does see it


@pytest.mark.parametrize(("metric", "wanted"), [(log_loss, "probabilities"), (f1, "labels"), (rmse, "values")])
def test_rank_mean_refuses_metrics_that_look_at_more_than_order(metric: Metric, wanted: str) -> None:
    y = labels(20, 1)
    with pytest.raises(KitError) as error:
        RankMean().fit(members_for(y, [1, 2]), y, metric)
    assert str(error.value) == f"RankMean gives ranks, but {metric.name} needs {wanted}; use Mean or Greedy"


# ---- greedy ------------------------------------------------------------------------------------


def greedy_by_brute_force(p: np.ndarray, y: np.ndarray, metric: Metric, start: int, rounds: int) -> list[float]:
    """The algorithm as the paper tells it: a bag of members, averaged afresh for every trial.

    Of equals, one that is in the bag already, then the earlier one.
    """

    def score(bag: list[int]) -> float:
        return metric(y, np.mean([p[i] for i in bag], axis=0)) * (1 if metric.greater_is_better else -1)

    ranking = sorted(range(len(p)), key=lambda i: -score([i]))
    bag: list[int] = []
    path = []
    for step in range(start + rounds):
        trials = [(round(score([*bag, i]), 12), i in bag, -i) for i in range(len(p))]
        bag = [*bag, ranking[step] if step < start else -max(trials)[2]]
        path.append((score(bag), bag))
    best = path[int(np.argmax([round(value, 12) for value, _ in path]))][1]
    return [best.count(i) / len(best) for i in range(len(p))]


@pytest.mark.parametrize("metric", [log_loss, rmse, mean_roc_auc, accuracy])
@pytest.mark.parametrize(("start", "rounds"), [(1, 12), (3, 6)])
@pytest.mark.parametrize("seed", range(4))
def test_greedy_does_what_brute_force_does(metric: Metric, start: int, rounds: int, seed: int) -> None:
    y = labels(60 if metric is accuracy else 300, 2, seed)  # few rows: many ties
    p = members_for(y, [2.5, 1.7, 1.5, 1.9], seed)
    weights = Greedy(start=start, rounds=rounds).fit(p, y, metric).shares
    assert list(weights) == pytest.approx(greedy_by_brute_force(p, y, metric, start, rounds))
    assert max(weights) < 1  # else nothing was selected


def test_greedy_finds_the_planted_pair() -> None:
    rng = np.random.default_rng(1)
    y, error = rng.normal(size=(200, 1)), rng.normal(size=(200, 1))
    p = np.stack([y + 3, y + error, y - error, y + rng.normal(0, 1.5, y.shape)])
    fitted = Greedy(rounds=10).fit(p, y, rmse, ["off", "plus", "minus", "loose"])
    assert fitted.weights == {"off": 0, "plus": 0.5, "minus": 0.5, "loose": 0}
    assert rmse(y, fitted.predict(p)) < 1e-12


def test_greedy_weighs_by_choosing_again() -> None:
    y = np.zeros((2, 1))
    p = np.array([[[1.0], [1.0]], [[-3.0], [-3.0]]])  # three parts of the first to one of the second give 0
    assert Greedy(rounds=3).fit(p, y, rmse).shares == (0.75, 0.25)
    assert Greedy(rounds=1).fit(p, y, rmse).shares == (1, 0)  # 0.5/0.5 is no better: the earlier of equals is kept


def test_greedy_breaks_ties_towards_the_earlier_and_fewer() -> None:
    y = labels(80, 1)
    good, copy, bad = members_for(y, [1, 9, 9])
    copy = good.copy()
    assert Greedy().fit(np.stack([bad, good, copy]), y, log_loss).shares[2] == 0
    assert Greedy().fit(np.stack([good, copy, good.copy()]), y, roc_auc).shares == (1, 0, 0)


@pytest.mark.parametrize("seed", range(6))
def test_rounding_noise_does_not_call_in_a_copy(seed: int) -> None:
    y = labels(200, 1, seed)
    good, other = members_for(y, [1.5, 1.8], seed)
    with_copy = Greedy().fit(np.stack([good, good, other]), y, log_loss).shares
    assert with_copy[1] == 0  # good/3 + good/3 and 2 good/3 differ in the last bit
    assert (with_copy[0], with_copy[2]) == Greedy().fit(np.stack([good, other]), y, log_loss).shares


@pytest.mark.parametrize("metric", [log_loss, accuracy, roc_auc, f1])
@pytest.mark.parametrize("start", [1, 3])
def test_greedy_is_never_below_the_best_single_on_its_own_rows(metric: Metric, start: int) -> None:
    for seed in range(5):
        y = labels(60, 1, seed)
        p = members_for(y, [0.5, 6, 8, 8, 8], seed)  # one good member: most additions hurt
        score = metric(y, Greedy(start=start, rounds=8).fit(p, y, metric).predict(p))
        assert not any(metric.better(metric(y, member), score) for member in p)


def test_greedy_keeps_the_best_prefix_and_not_the_last() -> None:
    y = labels(100, 1)
    p = members_for(y, [0.3, 9, 9])
    assert Greedy(start=3, rounds=1).fit(p, y, log_loss).shares == (1, 0, 0)


def test_greedy_bags_choose_among_a_part() -> None:
    y = labels(150, 1)
    p = members_for(y, [0.5, 9, 9, 9])
    one = Greedy(rounds=5).fit(p, y, log_loss).shares
    bagged = Greedy(rounds=5, bags=20, fraction=0.5, seed=3)
    weights = bagged.fit(p, y, log_loss).shares
    assert one[0] == 1 and 0.2 < weights[0] < 0.8  # the good member is missing from about half of the bags
    assert sum(weights) == pytest.approx(1)
    assert weights == bagged.fit(p, y, log_loss).shares
    assert weights != Greedy(rounds=5, bags=20, fraction=0.5, seed=4).fit(p, y, log_loss).shares
    assert Greedy(rounds=5, bags=3, fraction=1).fit(p, y, log_loss).shares == pytest.approx(one)


def test_greedy_says_where_a_metric_has_no_score() -> None:
    y = np.zeros((10, 1))
    with pytest.raises(KitError) as error:
        Greedy().fit(members_for(y, [1, 2]), y, roc_auc)
    assert str(error.value) == "Greedy: roc_auc is undefined on these rows, for example because all labels are equal"


def test_greedy_works_on_classes() -> None:
    y = np.random.default_rng(0).integers(0, 3, (200, 1)).astype(float)
    logits = (
        np.random.default_rng(1).normal(0, 1, (3, 200, 3))
        + np.array([1, 1, -1])[:, None, None] * np.eye(3)[y[:, 0].astype(int)]
    )
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    fitted = Greedy().fit(p, y, log_loss)
    assert fitted.shares[0] > 0 and fitted.shares[1] > 0 and fitted.shares[2] == 0
    np.testing.assert_allclose(fitted.predict(p).sum(axis=1), 1)


# ---- all blends --------------------------------------------------------------------------------


@pytest.mark.parametrize("blend", [Mean(), RankMean(), Greedy(), Greedy(bags=3)])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(blend: Blend, seed: int) -> None:
    y = labels(40, 2, seed)
    y[0], y[1] = 0, 1
    p = members_for(y, [1, 2, 3], seed)
    order = np.random.default_rng(seed).permutation(40)
    straight, shuffled = blend.fit(p, y, mean_roc_auc), blend.fit(p[:, order], y[order], mean_roc_auc)
    assert straight == shuffled
    assert (straight.predict(p)[order] == shuffled.predict(p[:, order])).all()


def test_saved_blends_are_readable_and_give_the_same_numbers(tmp_path: Path) -> None:
    y = labels(50, 2)
    p = members_for(y, [2, 1, 3])
    for blend in (Greedy(), RankMean()):
        fitted = blend.fit(p, y, mean_roc_auc, ["z", "a", "m"])  # not in the order of the alphabet
        fitted.save(tmp_path / "blend.json")
        again = FittedBlend.load(tmp_path / "blend.json")
        assert again == fitted and (again.predict(p) == fitted.predict(p)).all()
    written = json.loads((tmp_path / "blend.json").read_text())
    assert written["method"] == "RankMean" and written["ranks"] is True
    assert [entry["member"] for entry in written["weights"]] == ["z", "a", "m"]


def test_blends_are_specs() -> None:
    assert Spec.from_dict(Greedy(rounds=7).to_dict()) == Greedy(rounds=7)
    assert Greedy().override("bags=5").bags == 5
    with pytest.raises(KitError, match=r"Greedy.rounds = 0: input should be greater than or equal to 1"):
        Greedy(rounds=0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_missing_prediction_names_its_member(bad: float) -> None:
    y = labels(20, 2)
    p = members_for(y, [1, 2, 3])
    fitted = Mean().fit(p, y, log_loss, ["a", "b", "c"])
    p[1, [4, 7], [0, 1]] = bad
    sentence = (
        "blend: member 1 ('b') has 2 of 20 rows with NaN or infinite predictions; "
        "blend only rows that every member has predicted"
    )
    with pytest.raises(KitError) as error:
        Greedy().fit(p, y, log_loss, ["a", "b", "c"])
    assert str(error.value) == sentence
    with pytest.raises(KitError) as error:
        fitted.predict(p)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("shape", "rows", "names", "sentence"),
    [
        (
            (20, 2),
            20,
            "",
            "blend: 20 rows of labels, but predictions of 2 rows; predictions must be (members, rows): transpose them",
        ),
        (
            (2, 0, 2),
            0,
            "",
            "blend: predictions have shape (2, 0, 2), not (members, rows) or (members, rows, outputs), at least 1 of each",
        ),
        ((2, 20, 2), 19, "", "blend: 19 rows of labels, but predictions of 20 rows"),
        ((2, 20, 2), 20, "abc", "blend: predictions of 2 members, but 3 names: a, b, c"),
        ((2, 20, 2), 20, "aa", "blend: member name 'a' occurs twice"),
    ],
)
def test_shapes_that_disagree(shape: tuple[int, ...], rows: int, names: str, sentence: str) -> None:
    with pytest.raises(KitError) as error:
        Mean().fit(np.zeros(shape), np.zeros((rows, 2)), rmse, tuple(names))
    assert str(error.value) == sentence


Y = np.array([0, 1, 1, 0])


@pytest.mark.parametrize(
    ("given", "more", "sentence"),
    [
        ((), {}, "Mean().fit needs y, the labels: Mean().fit(predictions, y, metric)"),
        ((Y,), {}, "Mean().fit needs metric, such as roc_auc: Mean().fit(predictions, y, metric)"),
        ((Y, rmse), {"plans": Y}, "Mean().fit has no argument 'plans'; did you mean 'plan'?"),
        ((Y, rmse, ("a", "b"), Y), {}, "Mean().fit takes what follows the names of the members by name: plan, columns, "
                                       "groups, ordered, goal"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_one_sentence(given: Any, more: Any, sentence: str) -> None:
    with pytest.raises(KitError) as error:
        Mean().fit(np.zeros((2, 4)), *given, **more)
    assert str(error.value) == sentence


def test_apply_needs_every_member() -> None:
    with pytest.raises(KitError, match="blend: predictions of 2 members, but 3 names: a, b, c"):
        WeightedMean("Mean", ("a", "b", "c"), (0.5, 0.25, 0.25)).predict(np.zeros((2, 5, 1)))


# ---- nested ------------------------------------------------------------------------------------


def test_nested_learns_on_the_other_folds_and_scores_this_one() -> None:
    y, plan = labels(120, 2), np.arange(120) % 4
    p = members_for(y, [1.5, 1.6, 2])
    result = nested(Greedy(), OutOfFold(p, y, log_loss, ["a", "b", "c"], plan))
    assert result is not None and sorted(result.folds) == sorted(result.weights) == [0, 1, 2, 3]
    for fold in range(4):
        here = plan == fold
        fitted = Greedy().fit(p[:, ~here], y[~here], log_loss, ["a", "b", "c"])
        assert result.weights[fold] == fitted.weights
        np.testing.assert_array_equal(result.predictions[here], fitted.predict(p[:, here]))
        assert result.folds[fold] == log_loss(y[here], fitted.predict(p[:, here]))
    assert result.score == log_loss(y, result.predictions)
    assert result.best == "a" and result.best_score == log_loss(y, p[0])
    assert result.gain == pytest.approx(result.best_score - result.score) and result.gain > 0


def test_a_folds_weights_do_not_know_its_labels() -> None:
    y, plan = labels(120, 1), np.arange(120) % 3
    p = members_for(y, [2, 2, 2, 2])
    flipped = y.copy()
    flipped[plan == 1] = 1 - flipped[plan == 1]
    before, after = (nested(Greedy(), OutOfFold(p, labels_, log_loss, plan=plan)) for labels_ in (y, flipped))
    assert before is not None and after is not None
    assert before.weights[1] == after.weights[1]
    assert (before.predictions[plan == 1] == after.predictions[plan == 1]).all()
    assert before.weights[0] != after.weights[0] and before.folds[1] != after.folds[1]  # the flip is seen elsewhere


def test_nested_is_not_fooled_by_noise() -> None:
    gaps, fitted_scores = [], []
    for seed in range(4):  # labels that nothing can predict, twenty members of pure noise: the truth is 0.5
        rng = np.random.default_rng(seed)
        y, p = (rng.random((200, 1)) < 0.5).astype(float), rng.random((20, 200, 1))
        fitted = roc_auc(y, Greedy(rounds=8).fit(p, y, roc_auc).predict(p))
        honest = nested(Greedy(rounds=8), OutOfFold(p, y, roc_auc, plan=np.arange(200) % 5))
        assert honest is not None and honest.score < fitted - 0.05
        gaps.append(honest.score - 0.5)
        fitted_scores.append(fitted)
    assert np.mean(fitted_scores) > 0.6
    assert abs(np.mean(gaps)) < 0.05


def test_nested_ranks_within_the_scored_fold() -> None:
    y, plan = labels(40, 1), np.arange(40) % 2
    p = members_for(y, [1, 2])
    p[:, plan == 1] *= 1e-3  # the fits of another fold, on another scale
    result = nested(RankMean(), OutOfFold(p, y, roc_auc, plan=plan))
    assert result is not None
    for fold in (0, 1):
        np.testing.assert_allclose(result.predictions[plan == fold], scaled_ranks(p[:, plan == fold]).mean(axis=0))


def test_the_worse_blend_has_a_negative_gain_either_way_up() -> None:
    y, plan = labels(200, 1), np.arange(200) % 4
    p = np.stack([members_for(y, [0.2])[0], 1 - members_for(y, [0.1])[0] ** 2])
    for metric in (log_loss, roc_auc):
        result = nested(Mean(), OutOfFold(p, y, metric, ["good", "upside down"], plan))
        assert result is not None and result.best == "good" and result.gain < 0


def test_one_fold_alone_has_no_nested_score() -> None:
    y = labels(30, 1)
    assert nested(Mean(), OutOfFold(members_for(y, [1, 2]), y, log_loss, plan=np.zeros(30, dtype=int))) is None


def test_nested_refuses_rows_without_a_fold_or_of_another_number() -> None:
    y = labels(30, 1)
    p, plan = members_for(y, [1, 2]), np.arange(30) % 3
    plan[:4] = -1
    with pytest.raises(KitError, match="blend: 4 rows are in no fold; pass only rows that a fold predicted"):
        nested(Mean(), OutOfFold(p, y, log_loss, plan=plan))
    with pytest.raises(KitError, match="blend: 30 rows of predictions, but 29 fold numbers; give one for each row"):
        nested(Mean(), OutOfFold(p, y, log_loss, plan=plan[1:]))


def test_the_summary_is_json_and_the_line_is_readable() -> None:
    y, plan = labels(30, 1), np.arange(30) % 3
    y[plan == 2] = 0  # a fold that no AUC can judge
    result = nested(Mean(), OutOfFold(members_for(y, [1, 2]), y, roc_auc, ["a", "b"], plan))
    assert result is not None
    summary = json.loads(json.dumps(result.summary(), allow_nan=False))
    assert summary["folds"]["2"] is None and summary["folds"]["0"] == result.folds[0]
    assert summary["weights"]["1"] == {"a": 0.5, "b": 0.5}
    assert summary["nested"] == result.score and summary["gain"] == result.gain
    low, high = summary["interval"]
    least, most = summary["gain_interval"]
    assert str(result) == (
        f"nested roc_auc {result.score:.5f} [{low:.5f}, {high:.5f}], best single member {result.best} "
        f"{result.best_score:.5f}, gain {result.gain:+.5f} [{least:+.5f}, {most:+.5f}]"
    )
    bare = nested(Mean(), OutOfFold(members_for(y, [1, 2]), y, roc_auc, ["a", "b"], plan), rounds=0)
    assert bare is not None and bare.summary()["interval"] is None and bare.summary()["gain_interval"] is None
    assert str(bare).endswith(f"{result.best_score:.5f}, gain {result.gain:+.5f}")


def test_the_gain_has_a_paired_interval() -> None:
    y, plan = labels(300, 2), np.arange(300) % 3
    p = members_for(y, [1.5, 1.6, 2])
    result = nested(Greedy(), OutOfFold(p, y, log_loss, ["a", "b", "c"], plan))
    assert result is not None and result.interval is not None and result.gain_interval is not None
    best = p["abc".index(result.best)]
    assert result.gain_interval == paired(log_loss, y, result.predictions, best)
    assert result.interval == bootstrap(log_loss, y, result.predictions)
    assert result.gain_interval.value == pytest.approx(result.gain)
    assert (
        0 < result.gain_interval.low < result.gain < result.gain_interval.high
    )  # though the scores' own intervals overlap
    assert result.interval.high > bootstrap(log_loss, y, best).low


def test_decisions_are_resampled_as_each_fold_was_cut() -> None:
    y, plan = labels(200, 1), np.arange(200) % 4
    p = members_for(y, [1.5, 2])
    result = nested(Mean(), OutOfFold(p, y, f1, plan=plan), rounds=50)
    assert result is not None and result.interval is not None and result.gain_interval is not None
    said = np.concatenate([result.predictions[i] >= result.thresholds[fold] for i, fold in enumerate(plan)])[:, None]
    assert result.interval == bootstrap(f1, y, said.astype(float), 50)
    assert result.gain_interval.value == pytest.approx(result.gain)
