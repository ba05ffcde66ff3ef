"""The figures of a report are what they are called: against naive versions, closed forms and other libraries."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reporting import fitted, made
from sklearn.metrics import auc, confusion_matrix, log_loss, precision_recall_curve

from kit.report import drift, ranking, training
from kit.report.calibration import wilson
from kit.report.confusion import confusion
from kit.report.errors import correlations, residuals
from kit.report.facts import Facts
from kit.report.pictures import Pictures
from kit.report.training import logs
from kit.report.wrong import body as wrong_rows
from kit.report.wrong import losses

RNG = np.random.default_rng(5)


def test_correlation_of_errors_is_pearsons_averaged_over_columns() -> None:
    errors = RNG.normal(size=(3, 50, 2))
    errors[1] += errors[0]
    naive = np.mean([np.corrcoef(errors[:, :, column]) for column in (0, 1)], axis=0)
    np.testing.assert_allclose(correlations(errors), naive)
    errors[2, :, 1] = 4.0  # an error that never changes has no correlation: the other column speaks alone
    np.testing.assert_allclose(correlations(errors)[0, 2], np.corrcoef(errors[[0, 2], :, 0])[0, 1])
    assert np.isnan(correlations(np.ones((2, 9, 1)))).all()


def test_residuals_of_classes_are_of_the_true_ones_indicator(tmp_path: Path) -> None:
    run = fitted(made("multiclass", tmp_path / "run"), ("good",))
    facts = Facts(run, ["good"])
    errors, p = residuals(facts, facts.members["good"]), facts.members["good"]
    for row in (0, 5):
        truth = [float(c == facts.y[row, 0]) for c in range(3)]
        np.testing.assert_allclose(errors[row], truth - p[row])


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
    _, x, height, area = ranking._roc("m", y, p)
    assert len(x) <= 400 and auc(x, height) == pytest.approx(area, abs=1e-4)
    _, recall, precision, _ = ranking._recall("m", y, p)
    whole = precision_recall_curve(y, p)
    assert len(recall) <= 400 and auc(recall, precision) == pytest.approx(auc(whole[1], whole[0]), abs=2e-3)


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
    assert losses(kind, y, p).mean() == pytest.approx(whole)


def test_loss_of_values_and_of_scores_that_are_no_probabilities() -> None:
    y, p = np.array([[0.0, 10], [2, 30]]), np.array([[1.0, 10], [2, 50]])
    np.testing.assert_allclose(losses("regression", y, p), [1 / 1, 20 / 10])
    y, p = np.array([[0.0], [0], [1], [1]]), np.array([[-5.0], [7], [-9], [12]])
    assert np.argsort(-losses("binary", y, p)).tolist()[:2] == [2, 1]  # the lowest-ranked yes, then the highest no
    assert np.isfinite(losses("binary", np.ones((2, 1)), np.zeros((2, 1)))).all()


def test_the_worst_row_stands_first(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"))
    facts = Facts(run, ["good", "bad"])
    assert facts.blend is not None
    loss = losses("binary", facts.y, facts.blend)
    html = wrong_rows(facts, None)  # type: ignore[arg-type]
    places = [html.index(f'data-name="id">{name}<') for name in run.table.train["id"].iloc[np.argsort(-loss)[:5]]]
    assert places == sorted(places)


def test_steps_go_on_rising_from_stage_to_stage(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"))
    ((name, log),) = logs(run.shelf("good").folder / "fold0").items()
    assert name == "" and [line["step"] for line in log] == [1, 2, 3, 4, 5, 6]
    folder = tmp_path / "parts"
    for part in ("a", "b"):
        (folder / part).mkdir(parents=True)
        (folder / part / "log.jsonl").write_text('{"step": 1, "loss": 2}\n{"step": 2, "lo')  # being written
    assert logs(folder) == {"a": [{"step": 1, "loss": 2}], "b": [{"step": 1, "loss": 2}]}


def test_scores_of_judged_epochs_are_drawn(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"))
    facts, pictures = Facts(run, ["good", "bad"]), Pictures(tmp_path, ["good", "bad"], debug=True)
    assert "Score of good" not in training.body(facts, pictures)
    log = run.shelf("good").folder / "fold0" / "log.jsonl"
    log.write_text(
        log.read_text() + "".join(f'{{"stage": 1, "step": {i}, "steps": 3, "score": {i}}}\n' for i in (2, 3))
    )
    assert "Score of good" in training.body(facts, pictures) and "training-good-score" in pictures.made


# ---- drift ---------------------------------------------------------------------------------------


def test_population_stability_index_by_hand() -> None:
    ours, theirs = np.repeat([0.0, 1.0], 50), np.repeat([0.0, 1.0], [20, 80])
    expected = (0.5 - 0.2) * np.log(0.5 / 0.2) + (0.5 - 0.8) * np.log(0.5 / 0.8)
    assert drift.psi(ours, theirs) == pytest.approx(expected)
    assert drift.psi(ours, ours) == 0
    missing = np.where(np.arange(100) % 2 == 0, np.nan, 1.0)
    assert drift.psi(np.ones(100), missing) > 1  # what is missing is a bin of its own
    assert drift.psi(np.full(5, np.nan), np.full(5, np.nan)) == 0


def rows(n: int, shift: float, words: list[str], seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(words, 12)) for _ in range(n)]
    kinds = rng.choice(["x", "y"], n, p=[0.5 + shift / 8, 0.5 - shift / 8])
    return pd.DataFrame({"text": texts, "size": rng.normal(shift, 1, n), "kind": kinds})


WORDS = [f"word{i}" for i in range(400)]


def test_equal_rows_are_not_told_apart_and_shifted_ones_are() -> None:
    train, same = rows(1200, 0, WORDS, 0), rows(600, 0, WORDS, 1)
    found = drift.compare(train, same, ("text",))
    assert abs(found.auc - 0.5) < 0.06 and abs(found.words - 0.5) < 0.06 and found.rows == (600, 600)
    assert found.columns["psi"].max() < 0.1 and found.columns["p"].min() > 1e-4

    moved = drift.compare(train, rows(600, 2.0, [*WORDS[:200], *(f"new{i}" for i in range(200))], 2), ("text",))
    assert moved.auc > 0.9 and moved.words > 0.9
    columns = moved.columns.set_index("name")
    assert columns.loc["size", "psi"] > 0.25 and columns.loc["size", "ks"] > 0.5
    assert columns.loc["text: share of unknown words", "test"] == pytest.approx(0.5, abs=0.05)
    assert columns.loc["text: share of unknown words", "train"] < 0.02
    assert columns.loc["size", "test"] - columns.loc["size", "train"] == pytest.approx(2, abs=0.2)


def test_a_train_row_does_not_know_its_own_words() -> None:
    """Every text has words of its own: unknown in test, and so they must be in train."""
    own = pd.DataFrame({"text": [f"all say u{i} v{i}" for i in range(400)]})
    test = pd.DataFrame({"text": [f"all say w{i} x{i}" for i in range(200)]})
    columns = drift.compare(own, test, ("text",)).columns.set_index("name")
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
    columns = drift.compare(frame, frame, ()).columns
    assert len(columns) == 5 and np.isfinite(columns["psi"].astype(float)).all()
