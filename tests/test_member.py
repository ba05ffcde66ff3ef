"""`Member.fit` for people: frames, arrays and texts in, a predictor of frames back."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.member import FramePredictor, Member
from kit.members import NBSVM, Boost, Linear, Perceptron, Seeds
from kit.rows import Rows
from kit.text import Tfidf
from kit.train import Stage

TEXT = Linear(word=Tfidf(), char=None)
TREES = Boost(trees=20, patience=None, min_leaf=2)


def frame_of(n: int = 60) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    reviews = [f"{'good' if yes else 'poor'} {rng.integers(99)} and much more of {i}" for i, yes in enumerate(y)]
    return pd.DataFrame({"review": reviews, "price": y + rng.normal(0, 0.1, n), "id": range(n)}), y


@pytest.mark.parametrize("member", [TEXT, TREES, NBSVM(word=Tfidf(), char=None), Seeds(member=TREES, n=2)])
def test_a_frame_and_its_labels_are_enough(member: Member) -> None:
    frame, y = frame_of()
    words = np.where(y, "yes", "no")
    fitted = member.fit(frame[:40], words[:40])
    assert (fitted.task.kind, fitted.task.classes, fitted.task.text) == ("binary", ("no", "yes"), ("review",))
    p = fitted.predict(frame[40:].set_index("price", drop=False)[["price", "review"]].assign(more=1))
    assert p.shape == (20, 1) and ((p[:, 0] > 0.5) == y[40:]).all()


def test_the_numbers_are_those_of_rows(tmp_path: Path) -> None:
    frame, y = frame_of()
    fitted = TREES.fit(frame, y)
    rows = Rows.of(fitted.task, frame, y)
    expected = TREES.learn(rows, rows.take(np.arange(0)), tmp_path).predict(rows)
    assert np.array_equal(fitted.predict(frame), expected) and np.array_equal(TREES.fit(rows).predict(rows), expected)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 3),
        (np.random.default_rng(0).normal(size=(40, 3)), np.random.default_rng(1).normal(size=(40, 2))),
        ([f"a word {'up' if i % 2 else 'down'}" for i in range(40)], [i % 2 for i in range(40)]),
    ],
)
def test_arrays_and_texts_are_fitted_as_they_are(x: Any, y: Any) -> None:
    fitted = Boost(trees=3, min_leaf=2).fit(x, y)
    p = fitted.predict(x)
    assert p.shape == (40, fitted.task.outputs) and np.isfinite(p).all()
    assert fitted.columns == (("text",) if isinstance(x, list) else ("x0", "x1", "x2"))


def test_valid_rows_stop_early() -> None:
    rng = np.random.default_rng(0)
    x, y, other, theirs = rng.normal(size=(200, 3)), rng.integers(0, 2, 200), rng.normal(size=(100, 3)), np.arange(100)
    member = Boost(trees=200, patience=5)
    stopped = member.fit(x, y, valid=(other, theirs % 2)).predictor
    assert stopped.models[0].num_trees() < member.fit(x, y).predictor.models[0].num_trees() == 200  # type: ignore[attr-defined]
    with pytest.raises(
        KitError, match="^valid: 100 labels of 'y' are not one of a, b, c, as a multiclass task needs: 'd' at id 0$"
    ):
        member.fit(x, np.array(list("abca"))[np.arange(200) % 4], valid=(other, ["d"] * 100))


def test_a_network_needs_no_valid_rows_and_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame, y = frame_of()
    net = Perceptron(hidden=(8,), stage=Stage(epochs=20, lr=1e-2, precision="fp32"), text=False)
    p = net.fit(frame[["price"]], y).predict(frame)
    assert ((p[:, 0] > 0.5) == y).all() and not list(tmp_path.iterdir())


def test_what_was_fitted_on_a_frame_is_saved_and_loaded(tmp_path: Path) -> None:
    frame, y = frame_of()
    fitted = TEXT.fit(frame, np.where(y, "yes", "no"))
    fitted.save(tmp_path)
    back = FramePredictor.load(tmp_path)
    assert np.array_equal(back.predict(frame), fitted.predict(frame)) and back.task == fitted.task
    assert repr(back) == "LinearPredictor of a binary task (y, text in review)"


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    frame, y = frame_of()
    with pytest.raises(KitError, match="^Linear.fit: y is missing: the labels of these rows$"):
        TEXT.fit(frame)
    with pytest.raises(KitError, match="^y: 59 labels, but there are 60 rows$"):
        TEXT.fit(frame, y[1:])
    fitted = TREES.fit(frame, y)
    with pytest.raises(KitError, match="^Boost.fit: Rows hold their labels; leave y out$"):
        TREES.fit(Rows.of(fitted.task, frame, y), y)
    with pytest.raises(KitError, match="^frame: column 'price' is missing; it has: review, id$"):
        fitted.predict(frame[["review", "id"]])


OWN_METRIC = """
import sys
import subprocess
import sys
from pathlib import Path
import numpy as np
import pandas as pd
from kit import Boost, KitError, Metric, Task
from kit.member import FramePredictor

frame, folder = pd.DataFrame({"x": np.arange(60.0), "city": ["a", "b"] * 30}), Path(sys.argv[2])
if sys.argv[1] == "fit":
    def my_score(y, p, threshold, rows):
        return float(((p >= threshold) == (y > 0.5))[rows["city"] == "a"].mean())
    metric = Metric(my_score, greater_is_better=True, needs="label", threshold=0.4, columns=("city",))
    fitted = Boost(trees=5, min_leaf=2).fit(frame, (frame["x"] > 30).to_numpy(), metric=metric)
    fitted.save(folder)
else:
    fitted = FramePredictor.load(folder)
print(fitted.predict(frame)[:, 0].tolist())
metric = fitted.task.metric
print(metric.name, metric.greater_is_better, metric.needs, metric.threshold, metric.columns)
if sys.argv[1] == "load":
    try:
        metric.on(frame)(frame["x"] > 30, frame["x"] / 60)
    except KitError as error:
        print(error)
"""


def test_a_predictor_whose_metric_is_your_own_is_loaded_where_that_is_not_known(tmp_path: Path) -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", OWN_METRIC, how, str(tmp_path)], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for how in ("fit", "load")
    ]
    assert runs[1][:2] == runs[0] and runs[0][1] == "my_score True label 0.4 ('city',)"
    assert runs[1][2] == (
        "my_score: its function is your own code and was not saved; the loaded model predicts, but to score use "
        "Metric(my_function, greater_is_better=…)(y, p)"
    )
