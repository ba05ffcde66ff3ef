"""Notebooks run from top to bottom and hold no outputs; `ArrayBatches`, which they read from."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kit.core.errors import KitError
from kit.train import ArrayBatches
from tests.helpers.house import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def run(name: str, monkeypatch: pytest.MonkeyPatch, folder: Path, check: str) -> list[Any]:
    """Runs a notebook and then `check` in a kernel, as Jupyter does; gives the code cells with their outputs."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: pip install 'kit[dev]'")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: pip install 'kit[dev]'")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
    notebook.cells.append(nbformat.v4.new_code_cell(check))
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell for cell in notebook.cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_outputs(path: Path) -> None:
    notebook = json.loads(path.read_text())
    assert notebook["nbformat"] == 4 and path.stat().st_size < 50_000
    for cell in notebook["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.slow
def test_the_engine_s_notebook_does_what_it_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cells = run("training_engine", monkeypatch, tmp_path, """
reached = [accuracy(network) for network in (net, two, fgm, ema, resumed)]
assert accuracy(mlp()) < 0.3 and min(reached) > 0.85, reached
assert same and len(best.scores) == 5 and len(curves["cosine"]) == 100
""")  # fmt: skip
    five, drawn = cells[1], next(cell for cell in cells if cell["source"].startswith("import matplotlib"))
    assert len(five["source"].strip().splitlines()) == 5 and "accuracy 0.9" in five["outputs"][0]["text"]
    assert any("image/png" in output.get("data", {}) for output in drawn["outputs"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_first_run_goes_from_one_import_to_a_submission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cells = run("first_run", monkeypatch, tmp_path, """
assert blend.score > 0.95 and set(blend.weights) == {"linear", "nbsvm", "boost"}
assert blend.submission == Path("runs/first_run/submission.csv") and len(submission) == len(test)
assert not submission.isna().any(axis=None) and len(predicted) == 3
assert list(cv.oof.columns) == ["id", "linear", "complement_nb"]
assert fitted.predict(["a text", "another"]).shape == (2, 1)
""")  # fmt: skip
    sources = "".join(cell["source"] for cell in cells)
    assert cells[0]["source"].startswith("from kit import ") and "from kit." not in sources  # one door
    fit = next(cell["outputs"] for cell in cells if "run.fit()" in cell["source"])
    blend = next(cell["outputs"] for cell in cells if cell["source"].endswith("\nblend"))
    shown = "".join(output["data"]["text/plain"] for output in fit)  # progress, then the table
    assert "train.csv: 4 missing texts" in shown and "boost fold 2: mean_roc_auc 0.9" in shown
    assert all(outputs[-1]["data"]["text/html"].startswith("<pre") for outputs in (fit, blend))
    assert "nested" in blend[-1]["data"]["text/html"] and "nested" not in fit[-1]["data"]["text/html"]


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
