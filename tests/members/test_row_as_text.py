"""RowAsText: what a row's sentence says, and members of texts that learn from it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kit import Boost, KitError, Linear, RowAsText, Rows, Stage, Task, TextCNN, TextNet, Tfidf, roc_auc
from kit.source import Source
from kit.testing import check_member, sample_rows

TASK = Task(name="t", kind="binary", targets="y", metric=roc_auc, inputs=("age", "job", "note"), text="note")
FRAME = pd.DataFrame(
    {"age": [31.0, np.nan, 1234567.0], "job": ["nurse", None, "night guard"], "note": ["Likes tea", "", None]}
)
WORDS = Linear(word=Tfidf(min_df=1), char=None)


def test_a_row_is_a_sentence() -> None:
    rows = Rows.of(TASK, FRAME)
    assert RowAsText().written(rows).texts() == [
        "age is 31. job is nurse. Likes tea",
        "",
        "age is 1.235e+06. job is night guard.",
    ]
    assert RowAsText(digits=7, missing=True, columns=("age",)).written(rows).texts() == [
        "age is 31. Likes tea", "age is missing.", "age is 1234567.",
    ]  # fmt: skip
    plain = RowAsText().written(rows)
    assert plain.task.text == plain.task.inputs == ("row as text",) and list(plain.frame) == ["row as text"]
    assert RowAsText().written(rows).source is plain.source  # made once


def table(n: int = 300, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    job = rng.choice(["nurse", "guard", "cook", "clerk"], n)
    frame = pd.DataFrame(
        {"age": rng.integers(20, 60, n).astype(float), "job": job, "note": rng.choice(["a b", "c d"], n)}
    )
    return Rows.of(TASK, frame, (np.isin(job, ["nurse", "cook"]) ^ (rng.random(n) < 0.05)).astype(float))


@pytest.mark.parametrize(
    "member", [WORDS, TextNet(net=TextCNN(filters=8), min_count=1, width=16, stage=Stage(epochs=12, lr=1e-2, precision="fp32"))],
    ids=lambda member: type(member).__name__,
)  # fmt: skip
def test_members_of_texts_learn_from_columns(member: object, tmp_path: Path) -> None:
    rows, other = table(), table(100, seed=1)
    fitted = RowAsText(member=member).learn(rows, other, tmp_path)  # type: ignore[arg-type]
    found = fitted.predict(other)
    assert roc_auc(other.labels, found) > 0.9
    (tmp_path / "kept").mkdir()
    fitted.save(tmp_path / "kept")
    assert np.array_equal(type(fitted).load(tmp_path / "kept").predict(other), found)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_it_keeps_the_contract(kind: str, tmp_path: Path) -> None:
    classes = ("u", "v", "w") if kind == "multiclass" else ()
    task = Task(name="n", kind=kind, targets="y", inputs=("x", "k"), metric=roc_auc, classes=classes)
    check_member(RowAsText(member=WORDS), sample_rows(task), tmp_path)


def test_n_grams_are_counted_once_for_all_folds(tmp_path: Path) -> None:
    rows = table()
    kept = [Rows(rows.task, Source(rows.source.frame, tmp_path / "cache"), rows.at, rows.y) for _ in range(2)]
    RowAsText(member=WORDS).prepare(kept[0])
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    RowAsText(member=WORDS).prepare(kept[1])
    assert files and {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")} == files


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(KitError, match="RowAsText.columns: there is no column 'agee'; did you mean 'age'"):
        RowAsText(columns=("agee",)).check(TASK)
    with pytest.raises(KitError, match="RowAsText.columns: there is no column 'agee'"):
        RowAsText(columns=("agee",)).written(Rows.of(TASK, FRAME))
    RowAsText(member=WORDS).check(TASK.model_copy(update={"text": (), "inputs": ("age", "job")}))
    RowAsText(member=Boost()).check(TASK)  # it reads statistics of the sentence
