"""Notebooks run from top to bottom and hold no outputs; `ArrayBatches`, which they read from."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kit.core.errors import KitError
from kit.train import ArrayBatches
from tests.helpers.house import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(count)


def code(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_outputs(path: Path) -> None:
    notebook = json.loads(path.read_text())
    assert notebook["nbformat"] == 4 and path.stat().st_size < 50_000
    for cell in notebook["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)


def test_the_engine_s_notebook_does_what_it_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    said: dict[str, Any] = {"__name__": "__main__"}
    cells = code(next(path for path in NOTEBOOKS if path.stem == "training_engine"))
    with torch.random.fork_rng():
        for i, cell in enumerate(cells):
            exec(compile(cell, f"cell {i}", "exec"), said)
    assert len(cells[1].strip().splitlines()) == 5 and "kit.data" not in "".join(cells)
    reached = [said["accuracy"](said[name]) for name in ("net", "two", "fgm", "ema", "resumed")]
    assert said["accuracy"](said["mlp"]()) < 0.3 and min(reached) > 0.85
    assert said["same"] and len(said["best"].scores) == 5 and len(said["curves"]["cosine"]) == 100
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_first_run_goes_from_one_import_to_a_submission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = code(next(path for path in NOTEBOOKS if path.stem == "first_run"))
    for i, cell in enumerate(cells):
        exec(compile(cell, f"cell {i}", "exec"), names)
    assert cells[0].startswith("from kit import ") and "from kit." not in "".join(cells)  # one door
    blend, submission, sample = names["blend"], names["submission"], names["test"]
    assert blend.score > 0.95 and set(blend.weights) == {"linear", "nbsvm", "boost"}
    assert blend.submission == Path("runs/first_run/submission.csv") and len(submission) == len(sample)
    assert not names["submission"].isna().any(axis=None) and len(names["predicted"]) == 3
    assert list(names["cv"].oof.columns) == ["id", "linear", "complement_nb"]
    assert names["fitted"].predict(["a text", "another"]).shape == (2, 1)


# ---- batches of arrays -------------------------------------------------------------------------


def test_an_epoch_holds_each_row_once_in_an_order_of_its_own() -> None:
    batches = ArrayBatches({"x": np.arange(13.0)[:, None]}, np.arange(13), size=4, seed=3)
    plans = [np.concatenate(batches.plan(epoch)).tolist() for epoch in (1, 2)]
    assert plans[0] != plans[1] != list(range(13)) and all(sorted(plan) == list(range(13)) for plan in plans)
    assert [len(rows) for rows in batches.plan(1)] == [4, 3, 3, 3]  # not 4, 4, 4 and a lone row
    again = ArrayBatches({"x": np.arange(13.0)[:, None]}, np.arange(13), size=4, seed=3)
    assert plans == [np.concatenate(again.plan(epoch)).tolist() for epoch in (1, 2)]
    other = ArrayBatches({"x": np.zeros(13)}, np.zeros(13), size=4, seed=4)
    assert np.concatenate(other.plan(1)).tolist() != plans[0]


def test_a_batch_has_the_given_rows_in_the_types_that_models_take() -> None:
    x, codes = np.random.default_rng(0).normal(size=(6, 2)), torch.arange(6)
    rows = np.array([4, 0, 5])
    batch = ArrayBatches({"x": x, "codes": codes}, np.arange(6) * 2)[rows]
    assert batch["inputs"]["x"].dtype == batch["y"].dtype == torch.float32
    assert batch["inputs"]["codes"].dtype == torch.int64 and batch["inputs"]["codes"].tolist() == [4, 0, 5]
    np.testing.assert_allclose(batch["inputs"]["x"], x[rows], rtol=1e-6)
    assert batch["y"].tolist() == [[8], [0], [10]]
    assert ArrayBatches({"x": x}, np.ones((6, 3), dtype=int))[rows]["y"].shape == (3, 3)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(KitError, match="input 'b' has 4 rows, but there are 3 labels"):
        ArrayBatches({"a": np.zeros(3), "b": np.zeros(4)}, np.zeros(3))
    for n, size in ((0, 4), (3, 0)):
        with pytest.raises(KitError, match=f"{n} rows cannot be cut into batches of {size}"):
            ArrayBatches({"x": np.zeros(n)}, np.zeros(n), size)
