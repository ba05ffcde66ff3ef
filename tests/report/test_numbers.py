"""The figures of a report are what they are called: against naive versions, closed forms and other libraries."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import auc, average_precision_score, confusion_matrix, log_loss, precision_recall_curve

from kit.core.folders import finish_folder
from kit.evidence import drift
from kit.report.data import ReportData
from kit.report.plots import Figures
from kit.report.sections import label_errors, members, ranking
from kit.report.sections.calibration import wilson
from kit.report.sections.confusion import confusion
from kit.report.sections.drift import verdict
from kit.report.sections.errors import correlations, residuals
from kit.report.sections.top_losses import body as top_losses
from kit.report.sections.top_losses import row_losses
from kit.report.training_log import logs
from tests.helpers.reporting import fitted, made

RNG = np.random.default_rng(5)


def test_correlation_of_errors_is_pearsons_averaged_over_columns() -> None:
    errors = RNG.normal(size=(2, 3, 50))
    errors[:, 1] += errors[:, 0]
    np.testing.assert_allclose(correlations(errors), np.mean([np.corrcoef(column) for column in errors], axis=0))
    errors[1, 2] = 4.0  # an error that never changes has no correlation: the other column speaks alone
    np.testing.assert_allclose(correlations(errors)[0, 2], np.corrcoef(errors[0, [0, 2]])[0, 1])
    assert np.isnan(correlations(np.ones((1, 2, 9)))).all()


def test_residuals_of_classes_are_of_the_true_ones_indicator(tmp_path: Path) -> None:
    run = fitted(made("multiclass", tmp_path / "run"), ("good",))
    data = ReportData(run, ["good"])
    p = data.members["good"]
    for column in range(3):
        truth = (data.y[:, 0] == column).astype(float)
        np.testing.assert_allclose(residuals(data, p, column), truth - p[:, column])


def test_wilsons_interval() -> None:
    np.testing.assert_allclose(wilson(0.5, 10), (0.236593, 0.763407), atol=1e-6)  # the published example 5 of 10
    low, high = wilson(0.0, 20)
    assert low == pytest.approx(0, abs=1e-12) and high == pytest.approx(1.959964**2 / (20 + 1.959964**2))


def test_confusion_is_scikit_learns() -> None:
    y, said = RNG.integers(0, 4, 200), RNG.integers(0, 4, 200)
    np.testing.assert_array_equal(confusion(y, said, 4), confusion_matrix(y, said))


def test_drawn_curves_keep_their_shape_when_they_are_thinned() -> None:
    y = (RNG.random(20_000) < 0.1).astype(bool)
    p = y + RNG.normal(size=20_000)
    _, x, height, area = ranking.roc("m", y, p)
    assert len(x) <= 400 and auc(x, height) == pytest.approx(area, abs=1e-4)
    _, recall, precision, _ = ranking.precision_recall("m", y, p)
    whole = precision_recall_curve(y, p)
    assert len(recall) <= 400 and stepped(recall, precision) == pytest.approx(average_precision_score(y, p))
    for at in (0.1, 0.5, 0.9):
        true = whole[0][np.searchsorted(-whole[1], -at, side="right") - 1]
        assert precision[np.searchsorted(recall, at)] == pytest.approx(true, abs=0.02)


def stepped(x: np.ndarray, y: np.ndarray) -> float:
    """The area under matplotlib's "steps-pre"."""
    return float((np.diff(x) * y[1:]).sum())


@pytest.mark.parametrize("digits", [1, 6])  # also with many ties
def test_the_precision_of_a_rare_column_is_drawn_as_it_is(digits: int, tmp_path: Path) -> None:
    y = np.arange(2000) < 10
    p = (2.0 * y + RNG.normal(size=2000)).round(digits)
    curve = ranking.precision_recall("_x", y, p)
    axes = Figure().add_subplot()
    ranking.plot_curves(axes, [curve], Figures(tmp_path), True, "pr")
    (line,) = axes.lines
    assert line.get_drawstyle() == "steps-pre"
    area = stepped(*(np.asarray(values) for values in line.get_data()))
    assert area == pytest.approx(average_precision_score(y, p), abs=1e-3) and len(line.get_xdata()) <= 11
    legend = axes.get_legend()
    assert legend is not None and legend.get_texts()[0].get_text() == f"_x  {curve[3]:.4f}"


@pytest.mark.parametrize("kind", ["binary", "multilabel", "multiclass"])
def test_loss_of_a_row_is_log_loss(kind: str) -> None:
    outputs = {"binary": 1, "multilabel": 3, "multiclass": 3}[kind]
    p = RNG.random((30, outputs)) * 0.98 + 0.01
    if kind == "multiclass":
        p /= p.sum(axis=1, keepdims=True)
        y = RNG.integers(0, 3, (30, 1)).astype(float)
        whole = log_loss(y[:, 0], p, labels=[0, 1, 2])
    else:
        y = RNG.integers(0, 2, (30, outputs)).astype(float)
        whole = sum(log_loss(y[:, i], p[:, i], labels=[0, 1]) for i in range(outputs))
    assert row_losses(kind, y, p).mean() == pytest.approx(whole)


def test_loss_of_values_and_of_scores_that_are_no_probabilities() -> None:
    y, p = np.array([[0.0, 10], [2, 30]]), np.array([[1.0, 10], [2, 50]])
    np.testing.assert_allclose(row_losses("regression", y, p), [1 / 1, 20 / 10])
    y, p = np.array([[0.0], [0], [1], [1]]), np.array([[-5.0], [7], [-9], [12]])
    assert np.argsort(-row_losses("binary", y, p)).tolist()[:2] == [2, 1]  # the lowest-ranked yes, then the highest no
    assert np.isfinite(row_losses("binary", np.ones((2, 1)), np.zeros((2, 1)))).all()


def test_the_worst_row_stands_first(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"))
    data = ReportData(run, ["good", "bad"])
    assert data.blend is not None
    loss = row_losses("binary", data.y, data.blend)
    html = top_losses(data, None)  # type: ignore[arg-type]
    places = [html.index(f'data-name="id">{name}<') for name in run.table.train["id"].iloc[np.argsort(-loss)[:5]]]
    assert places == sorted(places)


@pytest.mark.parametrize("kind", ["binary", "thresholded", "multilabel", "multiclass"])
def test_the_label_that_agrees_least_stands_first(kind: str, tmp_path: Path) -> None:
    run = fitted(made(kind, tmp_path / "run"))
    data = ReportData(run, ["good", "bad"])
    p = data.predictions[data.unranked_leader]
    if kind == "multiclass":
        agrees = p[np.arange(len(p)), data.y[:, 0].astype(int)] / p.sum(axis=1)
    else:
        agrees = np.where(data.y == 1, p, 1 - p).min(axis=1)
    html = label_errors.body(data, Figures(tmp_path))
    places = [html.index(f'data-name="id">{name}<') for name in run.table.train["id"].iloc[np.argsort(agrees)[:5]]]
    assert places == sorted(places) and "confident learning takes" in html


def test_steps_go_on_rising_from_stage_to_stage(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"))
    ((name, log),) = logs(run.store("good").folder / "fold0").items()
    assert name == "" and [line["step"] for line in log] == [1, 2, 3, 4, 5, 6]
    folder = tmp_path / "parts"
    for part in ("a", "b"):
        (folder / part).mkdir(parents=True)
        (folder / part / "log.jsonl").write_text('{"step": 1, "loss": 2}\n{"step": 2, "lo')  # being written
    assert logs(folder) == {"a": [{"step": 1, "loss": 2}], "b": [{"step": 1, "loss": 2}]}


def test_scores_of_validated_epochs_are_drawn(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"))
    data, figures = ReportData(run, ["good", "bad"]), Figures(tmp_path, ["good", "bad"], debug=True)
    assert "Score of good" not in members.body(data, figures)
    fold = run.store("good").folder / "fold0"
    log, part = fold / "log.jsonl", fold.with_name("fold0.part")
    log.write_text(
        log.read_text() + "".join(f'{{"stage": 1, "step": {i}, "steps": 3, "score": {i}}}\n' for i in (2, 3))
    )
    assert "Score of good" not in members.body(data, figures)  # its checksum does not hold
    finish_folder(fold.rename(part), fold)
    assert "Score of good" in members.body(data, figures) and "training-good-score" in figures.made


# ---- drift ---------------------------------------------------------------------------------------


def test_population_stability_index_by_hand() -> None:
    ours, theirs = np.repeat([0.0, 1.0], 50), np.repeat([0.0, 1.0], [20, 80])
    expected = (0.5 - 0.2) * np.log(0.5 / 0.2) + (0.5 - 0.8) * np.log(0.5 / 0.8)
    assert drift.psi(ours, theirs) == pytest.approx(expected)
    assert drift.psi(ours, ours) == 0
    missing = np.where(np.arange(100) % 2 == 0, np.nan, 1.0)
    assert drift.psi(np.ones(100), missing) > 1  # what is missing is a bin of its own
    assert drift.psi(np.full(5, np.nan), np.full(5, np.nan)) == 0


@pytest.mark.parametrize("to", [-999.0, 999.0])
def test_values_beyond_all_of_train_are_a_bin_of_their_own(to: float) -> None:
    """Where many rows share the least value, the first decile holds it alone, and must not hold what is below it."""
    ours = np.append(np.zeros(300), RNG.random(700)) * np.sign(-to)
    theirs = np.where(ours == 0, to, ours)
    assert drift.psi(ours, theirs) > 0.25 and drift.psi(theirs, ours) > 0.25
    few = np.append(np.full(50, to), RNG.random(950))  # less than a decile
    assert drift.psi(RNG.random(1000), few) > 0.25
    assert drift.psi(np.ones(100), np.full(100, to)) > 1 and drift.psi(ours, ours) == 0


def rows(n: int, shift: float, words: list[str], seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(words, 12)) for _ in range(n)]
    kinds = rng.choice(["x", "y"], n, p=[0.5 + shift / 8, 0.5 - shift / 8])
    return pd.DataFrame({"text": texts, "size": rng.normal(shift, 1, n), "kind": kinds})


WORDS = [f"word{i}" for i in range(400)]


def test_equal_rows_cannot_be_separated_and_shifted_ones_can() -> None:
    train, same = rows(1200, 0, WORDS, 0), rows(600, 0, WORDS, 1)
    found = drift.find_drift(train, same, ("text",))
    assert found.words is not None and found.rows == (600, 600) and verdict(found) == "look alike"
    assert abs(found.auc.value - 0.5) < 0.06 and abs(found.words.value - 0.5) < 0.06
    assert found.columns["psi"].max() < 0.1 and found.columns["p"].min() > 1e-4

    moved = drift.find_drift(train, rows(600, 2.0, [*WORDS[:200], *(f"new{i}" for i in range(200))], 2), ("text",))
    assert moved.words is not None and min(moved.auc.value, moved.words.value) > 0.9
    assert moved.auc.low <= moved.auc.value <= moved.auc.high and verdict(moved) == "differ strongly"
    columns = moved.columns.set_index("name")
    assert columns.loc["size", "psi"] > 0.25 and columns.loc["size", "ks"] > 0.5
    assert columns.loc["text: share of unknown words", "test"] == pytest.approx(0.5, abs=0.05)
    assert columns.loc["text: share of unknown words", "train"] < 0.02
    assert columns.loc["size", "test"] - columns.loc["size", "train"] == pytest.approx(2, abs=0.2)


def test_few_rows_of_one_kind_look_alike() -> None:
    found = [drift.find_drift(rows(60, 0, WORDS, 2 * i), rows(20, 0, WORDS, 2 * i + 1), ("text",)) for i in range(20)]
    assert sum(verdict(one) == "look alike" for one in found) >= 18
    highest = [max(one.auc.value, one.words.value) for one in found if one.words]
    assert sum(auc >= 0.55 for auc in highest) >= 5  # by the AUC alone many of them would not


def test_a_train_row_does_not_know_its_own_words() -> None:
    """Every text has words of its own: unknown in test, and so they must be in train."""
    own = pd.DataFrame({"text": [f"all say u{i} v{i}" for i in range(400)]})
    test = pd.DataFrame({"text": [f"all say w{i} x{i}" for i in range(200)]})
    columns = drift.find_drift(own, test, ("text",)).columns.set_index("name")
    assert columns.loc["share of unknown words", ["train", "test"]].tolist() == [0.5, 0.5]


def test_figures_of_a_text_by_hand() -> None:
    frame = pd.DataFrame({"text": ["Ab 12!", "", "中文 ok"]})
    figures = drift.cheap_figures(frame, pd.DataFrame({"text": ["ab 文 ok"]}), ("text",))
    assert figures["length"].tolist() == [6, 0, 5] and figures["words"].tolist() == [2, 0, 3]
    np.testing.assert_allclose(figures["share of capitals"], [1 / 6, 0, 0])
    np.testing.assert_allclose(figures["share of digits"], [2 / 6, 0, 0])
    np.testing.assert_allclose(figures["share of signs"], [1 / 6, 0, 0])
    np.testing.assert_allclose(figures["share of unknown words"], [1 / 2, 0, 1 / 3])


def test_columns_of_every_type_are_compared() -> None:
    n = 60
    frame = pd.DataFrame({
        "flag": [True, False] * (n // 2), "kind": pd.Categorical(["a", "b"] * (n // 2)), "gone": [None] * n,
        "day": pd.date_range("2020-01-01", periods=n), "number": [1.0, np.inf, np.nan] * (n // 3),
    })  # fmt: skip
    columns = drift.find_drift(frame, frame, ()).columns
    assert len(columns) == 5 and np.isfinite(columns["psi"].astype(float)).all()
