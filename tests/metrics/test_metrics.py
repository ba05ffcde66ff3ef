"""Every metric against scikit-learn, and what each says of input that cannot be judged."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from kit import metrics
from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.metrics import METRICS, Metric, metric_named, undefined_columns

rng = np.random.default_rng(0)
quick = settings(max_examples=80, deadline=None)


def close(ours: float, theirs: float) -> bool:
    return ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Binary labels with both classes, and predictions from few values, so that most of them tie."""
    n = draw(st.integers(2, 40))
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), dtype=float)
    y[:2] = 0, 1
    p = draw(st.lists(st.sampled_from([0.0, -0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), min_size=n, max_size=n))
    return y, np.array(p, dtype=draw(st.sampled_from([np.float32, np.float64])))


# ---- area under the curve ----------------------------------------------------------------------


@quick
@given(judged())
def test_auc_with_ties_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = pair
    assert close(metrics.roc_auc(y, p), sk.roc_auc_score(y, p))


@quick
@given(judged())
def test_auc_is_the_share_of_pairs_in_order(pair: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = pair
    ahead = p[y == 1][:, None] - p[y == 0]
    assert close(metrics.roc_auc(y, p), ((ahead > 0) + (ahead == 0) / 2).mean())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_auc_of_many_rows_in_any_width(dtype: type[np.floating]) -> None:
    y = rng.random(50_000) < 0.03
    p = (rng.normal(size=50_000) + y).astype(dtype)
    assert close(metrics.roc_auc(y, p), sk.roc_auc_score(y, p))


def test_auc_counts_only_order_and_its_reversal() -> None:
    y, p = np.array([0, 1, 1, 0, 1.0]), np.array([0.1, 0.9, 0.4, 0.4, 0.2])
    score = metrics.roc_auc(y, p)
    assert score == (2 + 1.5 + 1) / 6
    assert metrics.roc_auc(y, 1000 * p - 7) == score
    assert close(metrics.roc_auc(y, -p), 1 - score)
    assert close(metrics.roc_auc(1 - y, p), 1 - score)
    assert metrics.roc_auc(y, y) == 1 and metrics.roc_auc(y, np.zeros(5)) == 0.5


def test_auc_reads_soft_labels_by_majority() -> None:
    assert metrics.roc_auc([0.4, 0.5, 0.0, 1.0], [0.1, 0.3, 0.15, 0.2]) == 1


def test_mean_auc_is_over_the_columns_with_both_classes() -> None:
    y = (rng.random((300, 4)) < 0.3).astype(float)
    p = rng.random((300, 4)).round(1)
    assert close(metrics.mean_roc_auc(y, p), sk.roc_auc_score(y, p, average="macro"))
    y[:, 1], y[:, 3] = 0, 1
    assert close(metrics.mean_roc_auc(y, p), sk.roc_auc_score(y[:, [0, 2]], p[:, [0, 2]], average="macro"))
    assert undefined_columns(metrics.mean_roc_auc, y) == [1, 3]


def test_auc_of_one_class_is_nan_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for y in (np.zeros((5, 2)), np.ones((5, 2))):
            assert np.isnan(metrics.mean_roc_auc(y, rng.random((5, 2))))
            assert np.isnan(metrics.roc_auc(y[:, 0], rng.random(5)))
            assert undefined_columns(metrics.mean_roc_auc, y) == [0, 1] and undefined_columns(
                metrics.roc_auc, y[:, 0]
            ) == [0]
        assert np.isnan(metrics.roc_auc([1], [0.3]))
    assert undefined_columns(metrics.roc_auc, [0.1, 0.4]) == [0], "soft labels below one half are one class"
    assert undefined_columns(metrics.roc_auc, [0, 1, 1]) == [] == undefined_columns(metrics.log_loss, [1, 1])
    assert undefined_columns(metrics.mean_roc_auc, np.empty((0, 2))) == [0, 1]


# ---- probabilities -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_is_scikit_learns_also_where_it_clips(dtype: type[np.floating]) -> None:
    y = (rng.random((200, 3)) < 0.5).astype(float)
    p = rng.random((200, 3)).astype(dtype)
    p[:3] = [[0, 1, 0], [1, 0, 1], [0, 0, 1]]
    each = [sk.log_loss(y[:, j], p[:, j], labels=[0, 1]) for j in range(3)]
    assert metrics.log_loss(y, p) == pytest.approx(np.mean(each), rel=1e-5)
    assert metrics.log_loss(y[:, 0], p[:, :1]) == pytest.approx(each[0], rel=1e-5)
    assert np.isfinite(metrics.log_loss([1, 0], [0, 1])), "certain and wrong is very bad, not infinite"


def test_log_loss_of_classes() -> None:
    y, p = rng.integers(0, 4, 300), rng.dirichlet(np.ones(4), 300)
    theirs = sk.log_loss(y, p, labels=range(4))
    assert close(metrics.log_loss(y, p), theirs) and close(metrics.log_loss(y[:, None].astype(float), p), theirs)
    assert metrics.log_loss(y, p / 2) == pytest.approx(theirs), "probabilities are made to sum to one"
    assert metrics.log_loss([2, 2], np.full((2, 3), 1 / 3)) == pytest.approx(np.log(3))


def test_log_loss_in_closed_form() -> None:
    assert metrics.log_loss([1], [0.25]) == pytest.approx(np.log(4))
    assert metrics.log_loss([0.5], [0.5]) == pytest.approx(np.log(2)), "soft labels are weighed"
    assert metrics.log_loss([1, 0], [1, 0]) == pytest.approx(0, abs=1e-12)


# ---- decisions ---------------------------------------------------------------------------------


@quick
@given(judged(), st.sampled_from([0.1, 0.3, 0.5, 0.9, 2.0]))
def test_decisions_are_scikit_learns_at_any_threshold(pair: tuple[np.ndarray, np.ndarray], t: float) -> None:
    y, p = pair
    said = p >= t
    assert close(metrics.f1.at(t)(y, p), sk.f1_score(y, said, zero_division=0))
    assert close(metrics.accuracy.at(t)(y, p), sk.accuracy_score(y, said))
    assert close(metrics.mcc.at(t)(y, p), sk.matthews_corrcoef(y, said))


def test_decisions_over_columns_are_averaged() -> None:
    y, p = (rng.random((100, 3)) < 0.4).astype(float), rng.random((100, 3))
    said = p >= 0.5
    assert close(metrics.f1(y, p), sk.f1_score(y, said, average="macro"))
    assert close(metrics.accuracy(y, p), (y == said).mean())
    assert close(metrics.mcc(y, p), np.mean([sk.matthews_corrcoef(y[:, j], said[:, j]) for j in range(3)]))


def test_decisions_among_classes_are_the_most_probable() -> None:
    p = rng.dirichlet(np.ones(5), 400)
    y = np.where(rng.random(400) < 0.5, p.argmax(axis=1), rng.integers(0, 4, 400))  # class 4 is often only predicted
    assert close(metrics.accuracy(y, p), sk.accuracy_score(y, p.argmax(axis=1)))
    assert close(metrics.mcc(y[:, None], p), sk.matthews_corrcoef(y, p.argmax(axis=1)))


def test_degenerate_decisions_score_zero() -> None:
    assert metrics.f1([0, 0], [0, 0]) == 0 and metrics.f1([1, 1], [0, 0]) == 0 and metrics.f1([1], [1]) == 1
    assert metrics.mcc([1, 1], [1, 1]) == 0 and metrics.mcc([0, 1], [1, 1]) == 0
    assert metrics.mcc([0, 1, 1], [0, 1, 1]) == pytest.approx(1)
    assert metrics.mcc([0, 1], [1, 0]) == pytest.approx(-1)
    assert metrics.mcc([2, 2], [[0, 0, 1], [0, 0, 1.0]]) == 0


# ---- grades and values -------------------------------------------------------------------------


@quick
@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-0.49, 4.49)), min_size=2, max_size=40))
def test_kappa_is_scikit_learns(rows: list[tuple[int, float]]) -> None:
    y, p = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    y[:2] = 0, 3
    theirs = sk.cohen_kappa_score(y, np.floor(p + 0.5), labels=range(5), weights="quadratic")
    assert close(metrics.quadratic_kappa(y, p), theirs)
    assert close(metrics.quadratic_kappa(y[:, None], np.floor(p + 0.5)[:, None]), theirs)


def test_kappa_of_class_probabilities_and_of_one_grade() -> None:
    y, p = rng.integers(0, 4, 200), rng.dirichlet(np.ones(4), 200)
    theirs = sk.cohen_kappa_score(y, p.argmax(axis=1), labels=range(4), weights="quadratic")
    assert close(metrics.quadratic_kappa(y, p), theirs)
    assert metrics.quadratic_kappa([0, 1, 3], [0.4, 1.2, 2.5]) == 1, "halves are rounded up"
    assert metrics.quadratic_kappa([0, 1, 3], [1, 1, 1]) == 0
    assert np.isnan(metrics.quadratic_kappa([2, 2], [2, 2])) and np.isnan(metrics.quadratic_kappa([2, 2], [2, 1]))
    assert undefined_columns(metrics.quadratic_kappa, [2, 2]) == [0]


@pytest.mark.parametrize("shape", [(100,), (100, 1), (100, 3)])
def test_errors_of_values(shape: tuple[int, ...]) -> None:
    y, p = rng.normal(size=shape), rng.normal(size=shape)
    assert close(metrics.rmse(y, p), sk.root_mean_squared_error(y, p))
    assert close(metrics.mae(y, p), sk.mean_absolute_error(y, p))
    assert close(metrics.r2(y, p), sk.r2_score(y, p))
    assert metrics.rmse(y, y) == metrics.mae(y, y) == 0 and metrics.r2(y, y) == 1


def test_values_in_half_width_do_not_overflow() -> None:
    y, p = np.full(3, 60_000, dtype=np.float16), np.zeros(3, dtype=np.float16)
    assert metrics.rmse(y, p) == metrics.mae(y, p) == pytest.approx(60_000, rel=1e-3)


def test_r2_skips_what_does_not_vary() -> None:
    y, p = rng.normal(size=(50, 2)), rng.normal(size=(50, 2))
    y[:, 0] = 0.1
    assert close(metrics.r2(y, p), sk.r2_score(y[:, 1], p[:, 1]))
    assert undefined_columns(metrics.r2, y) == [0]
    assert np.isnan(metrics.r2([0.1] * 7, [0.2] * 7)) and np.isnan(metrics.r2([3], [3]))


# ---- the record --------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS.values(), ids=str)
def test_a_perfect_prediction_is_better_than_a_poor_one(metric: Metric) -> None:
    y, poor = np.array([0, 1, 1, 0, 1.0]), np.array([0.6, 0.1, 0.9, 0.7, 0.2])
    good, bad = metric(y, y), metric(y, poor)
    assert metric.better(good, bad) and not metric.better(bad, good) and not metric.better(good, good)
    assert metric.better(bad, metric.worst) and not metric.better(metric.worst, bad)
    assert metric.better(bad, np.nan) and not metric.better(np.nan, bad) and not metric.better(np.nan, np.nan)


@pytest.mark.parametrize("metric", [*METRICS.values(), metrics.f1.at(0.3)], ids=str)
def test_a_metric_is_hashed_pickled_and_found_by_name(metric: Metric) -> None:
    assert pickle.loads(pickle.dumps(metric)) == metric == metric_named(metric.name)
    assert len({metric, metric_named(str(metric))}) == 1


def test_what_the_metrics_need() -> None:
    needs = {m.name: (m.needs, m.greater_is_better) for m in METRICS.values()}
    label, value = ("label", True), ("value", False)
    assert needs == {
        "roc_auc": ("rank", True), "mean_roc_auc": ("rank", True), "log_loss": ("probability", False),
        "f1": label, "accuracy": label, "mcc": label, "quadratic_kappa": ("grade", True),
        "rmse": value, "mae": value, "r2": ("value", True), "macro_f1": label, "micro_f1": label,
        "balanced_accuracy": label, "brier": ("probability", False), "mean_column_log_loss": ("probability", False),
        "average_precision": ("rank", True), "gini": ("rank", True), "concordance": ("rank", True),
        "ndcg": ("rank", True), "rmsle": value, "mape": value, "smape": value, "pearson": ("value", True),
        "spearman": ("rank", True),
    }  # fmt: skip


def test_a_spec_holds_a_metric_by_name() -> None:
    class Facts(Spec):
        metric: Metric

    facts = Facts(metric=metrics.f1.at(0.3))
    assert facts.to_dict()["metric"] == "f1@0.3" and Facts(metric="f1@0.3") == facts  # type: ignore[arg-type]
    assert facts.override("metric=rmse").metric is metrics.rmse
    assert facts.fingerprint() != Facts(metric=metrics.f1).fingerprint()
    with pytest.raises(KitError, match="unknown metric 'rmsee'; did you mean 'rmse'"):
        Facts(metric="rmsee")  # type: ignore[arg-type]


def test_a_threshold_changes_the_name_and_the_decision() -> None:
    low = metrics.f1.at(0.25)
    assert (low.name, low.threshold, low.at(0.5).name) == ("f1@0.25", 0.25, "f1@0.5") and low != metrics.f1
    assert low([1, 0], [0.25, 0.2]) == 1 and metrics.f1([1, 0], [0.25, 0.2]) == 0
    assert metrics.f1([1], [0.5]) == 1, "a prediction at the threshold says yes"
    with pytest.raises(KitError, match=r"metric 'rmse' takes no threshold 0\.5"):
        metrics.rmse.at(0.5)
    with pytest.raises(KitError, match="metric 'f1' takes no threshold nan"):
        metric_named("f1@nan")
    with pytest.raises(KitError, match="metric 'f1@half': threshold 'half' is not a number"):
        metric_named("f1@half")


def test_your_own_metric_gets_plain_columns() -> None:
    seen: list[tuple[int, ...]] = []
    own = Metric(lambda y, p: seen.append((*y.shape, *p.shape)) or 0.5, "own", greater_is_better=True)  # type: ignore[func-returns-value]
    assert own(np.ones((3, 1)), [1, 2, 3]) == 0.5 and own(np.ones((3, 2)), np.ones((3, 2))) == 0.5
    assert seen == [(3, 3), (3, 2, 3, 2)]


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "y", "p", "sentence"),
    [
        ("rmse", [1, 2, 3], [1, np.nan, np.inf], "rmse: predictions are NaN or infinite in 2 of 3 rows, the first at position 1"),
        ("rmse", [1, np.nan], [1, 2], "rmse: labels are NaN or infinite in 1 of 2 rows, the first at position 1"),
        ("mae", [1, 2, 3], [1, 2], "mae: 3 rows of labels but 2 rows of predictions"),
        ("mae", [], [], "mae: labels have shape (0,), not (rows,) or (rows, outputs)"),
        ("mae", [[[1]]], [1], "mae: labels have shape (1, 1, 1), not (rows,) or (rows, outputs)"),
        ("mae", ["a"], [1], "mae: labels must be numbers, not <U1"),
        ("rmse", [1, 2], [[1, 2], [3, 4]], "rmse: labels have 1 columns but predictions have 2"),
        ("mean_roc_auc", np.ones((2, 3)), np.ones((2, 2)), "mean_roc_auc: labels have 3 columns but predictions have 2"),
        ("log_loss", np.ones((2, 3)), np.ones((2, 2)), "log_loss: labels have 3 columns but predictions have 2"),
        ("roc_auc", np.ones((2, 3)), np.ones((2, 3)), "roc_auc: scores one column, not 3; mean_roc_auc scores several"),
        ("roc_auc", [1, 2], [0.1, 0.2], "roc_auc: labels must lie between 0 and 1; found 2"),
        ("f1", [-1, 1], [0.1, 0.2], "f1: labels must lie between 0 and 1; found -1"),
        ("log_loss", [0, 1], [-3, 2], "log_loss: predictions must be probabilities; they run from -3 to 2"),
        ("log_loss", [0, 2], [[0.5, 0.5]] * 2, "log_loss: labels must be class indices 0 to 1; found 2"),
        ("accuracy", [0, 0.5], [[0.5, 0.5]] * 2, "accuracy: labels must be class indices 0 to 1; found 0.5"),
        ("quadratic_kappa", [0.5, 1], [0, 1], "quadratic_kappa: labels must be whole numbers in one column"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(name: str, y: object, p: object, sentence: str) -> None:
    with pytest.raises(KitError) as error:
        METRICS[name](y, p)
    assert str(error.value) == sentence


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    with pytest.raises(KitError, match="unknown metric 'rocauc'; did you mean 'roc_auc'?"):
        metric_named("rocauc")
    with pytest.raises(KitError, match="unknown metric 'xyz'; there are: f1, macro_f1"):
        metric_named("xyz")


def test_the_import_is_light() -> None:
    code = "import sys, kit.metrics; sys.exit(bool({'sklearn', 'torch', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- a metric of your own ----------------------------------------------------------------------


def farthest(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.abs(y - p).max())


def test_a_plain_function_is_a_metric_in_one_line() -> None:
    metric = Metric(farthest, greater_is_better=False)
    assert (metric.name, metric.needs, metric.threshold) == ("farthest", "value", None)
    assert metric([1, 2], [1, 5]) == 3 and metric.better(1, 2)
    assert (
        pickle.loads(pickle.dumps(metric)) == metric and len({metric, Metric(farthest, greater_is_better=False)}) == 1
    )
    assert Metric(lambda y, p: 0.0, "zero", greater_is_better=True).name == "zero"
    with pytest.raises(
        KitError, match=r"^Metric: is greater better\? Metric\(my_function, greater_is_better=True\), or F"
    ):
        Metric(farthest)  # type: ignore[call-arg]


def test_a_value_that_is_no_metric_is_refused_with_the_way_to_make_one() -> None:
    class Facts(Spec):
        metric: Metric

    with pytest.raises(KitError) as error:
        Facts(metric=farthest)  # type: ignore[arg-type]
    assert str(error.value).endswith(
        "'farthest' is a function; write Metric(farthest, greater_is_better=True), or False for a loss"
    )
    with pytest.raises(KitError, match="this function has no name; write Metric"):
        Metric(lambda y, p: 0.0, greater_is_better=True)
    with pytest.raises(KitError, match="Metric: 'f1' is no function; write Metric"):
        Metric("f1", greater_is_better=True)  # type: ignore[arg-type]


def test_a_function_and_its_name_may_stand_in_either_order_and_nothing_else_without_its_name() -> None:
    def mine(y: np.ndarray, p: np.ndarray) -> float:
        return float(np.abs(y - p).mean())

    first, second = (Metric(*given, greater_is_better=False, needs="value") for given in ((mine, "own"), ("own", mine)))
    assert first == second and first.name == "own" and first([0, 1], [0.5, 1]) == 0.25
    with pytest.raises(
        KitError, match="takes a function and a name, then settings by name, not False: Metric\\(my_fun"
    ):
        Metric("own", mine, False, "value")  # type: ignore[misc, arg-type]
    with pytest.raises(KitError, match="Metric has no setting 'treshold'; did you mean 'threshold'?"):
        Metric(mine, greater_is_better=False, treshold=0.5)  # type: ignore[call-arg]
