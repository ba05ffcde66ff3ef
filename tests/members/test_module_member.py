"""Module: a network of one's own is a member, with one function."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.members import Module
from kit.members.module.inputs import BuildInputs
from kit.members.network.arrays import ArrayInputs
from kit.members.network.dataset import Dataset
from kit.members.network.fitted import NetworkPredictor
from kit.metrics import log_loss, roc_auc
from kit.rows import Rows
from kit.source import Source
from kit.task import Task
from kit.testing import check_member, sample_rows
from kit.train import Stage

STAGE = Stage(epochs=20, lr=1e-2, precision="fp32")


def layers(inputs: BuildInputs) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs.width, 16), nn.ReLU(), nn.Linear(16, inputs.outputs))


class Embeds(nn.Module):
    """Numbers, and a vector of each category."""

    def __init__(self, numbers: int, categories: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count, 3) for count in categories)
        self.embeddings, self.head = nn.Identity(), nn.Linear(numbers + 3 * len(categories), outputs)

    def layer_of(self, name: str) -> int | None:
        return None if name.startswith("head") else 0

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        vectors = [table(ids) for table, ids in zip(self.tables, categories.T, strict=True)]
        return self.head(self.embeddings(torch.cat([numbers, *vectors], 1)))


def embeds(inputs: BuildInputs) -> nn.Module:
    return Embeds(inputs.numbers, inputs.categories, inputs.outputs)


def rows_of(n: int = 200, seed: int = 0) -> Rows:
    """The label depends on a number and on a category together."""
    rng = np.random.default_rng(seed)
    number, colour = rng.normal(size=n), rng.choice(["red", "blue"], n)
    y = (np.where(colour == "red", number, -number) + rng.normal(0, 0.1, n) > 0).astype(float)
    task = Task(name="t", kind="binary", targets=("y",), inputs=("number", "colour"), metric=roc_auc)
    return Rows(task, Source(pd.DataFrame({"number": number, "colour": colour})), np.arange(n), y[:, None])


def test_a_network_in_one_line_learns_and_comes_back(tmp_path: Path) -> None:
    train, test = rows_of(), rows_of(100, seed=1)
    fitted = Module(build=layers, stage=STAGE, batch_rows=32).learn(train, test, tmp_path / "work")
    p = fitted.predict(test)
    assert roc_auc_score(test.labels[:, 0], p[:, 0]) > 0.9
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(test), p)


def test_what_build_gets() -> None:
    seen: list[BuildInputs] = []
    task = Task(
        name="t", kind="multiclass", targets=("y",), classes=("a", "b", "c"), inputs=("x", "kind"), metric=log_loss
    )
    frame = pd.DataFrame({"x": np.arange(6.0), "kind": list("uvuvuv")})
    rows = Rows(task, Source(frame), np.arange(6), np.array([[0.0], [1], [2], [0], [1], [2]]))
    Module(build=lambda inputs: seen.append(inputs) or layers(inputs)).fit(rows)
    assert (seen[0].outputs, seen[0].kind, seen[0].numbers, seen[0].categories) == (3, "multiclass", 1, (3,))
    assert seen[0].width == 4


def test_numbers_and_categories_by_name_with_layers_and_perturbations(tmp_path: Path) -> None:
    spec = Module(build=embeds, stage=STAGE).override("stage.head_lr=2e-2", "stage.perturb=FGM", "stage.noise=NEFTune")
    check_member(spec, sample_rows(Task(name="n", kind="binary", targets=("y",), metric=roc_auc)), tmp_path)
    with pytest.raises(KitError, match="Stage.head_lr needs the layers of the Sequential: give it layer_of, see"):
        Module(build=layers).override("stage.head_lr=2e-2").fit(rows_of(20))
    with pytest.raises(KitError, match="inputs are shifted: give the Sequential an attribute 'embeddings'"):
        Module(build=layers).override("stage.perturb=FGM").fit(rows_of(20))


class Squares(Dataset):
    """One's own dataset: squares of the numbers, over the largest of the train rows."""

    def __init__(self, largest: float) -> None:
        self.largest = largest

    @classmethod
    def fit(cls, rows: Rows) -> Self:
        return cls(float(rows.frame["number"].abs().max()))

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(read_json(folder / "largest.json"))

    def save(self, folder: Path) -> None:
        write_json(folder / "largest.json", self.largest)

    def inputs(self, rows: Rows) -> ArrayInputs:
        x = rows.source.frame["number"].to_numpy(np.float32)
        return ArrayInputs({"squares": np.stack([x / self.largest, x**2 / self.largest**2], 1).astype(np.float32)})


class OfSquares(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, squares: Tensor) -> Tensor:
        return self.linear(squares)


def of_squares(inputs: BuildInputs) -> nn.Module:
    assert isinstance(inputs.dataset, Squares) and inputs.numbers == 0
    return OfSquares()


def test_a_dataset_of_one_s_own(tmp_path: Path) -> None:
    rows = rows_of(60)
    y = (rows.frame["number"].to_numpy()[:, None] ** 2 > 1).astype(float)
    rows = Rows(rows.task, rows.source, rows.at, y)
    spec = Module(build=of_squares, dataset=Squares, stage=STAGE.override("epochs=60", "lr=0.05"))
    spec.prepare(rows)
    fitted = spec.learn(rows, rows, tmp_path / "work")
    p = fitted.predict(rows)
    assert roc_auc_score(y[:, 0], p[:, 0]) > 0.95
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(rows), p)


def test_a_killed_fit_ends_in_the_same_bits(tmp_path: Path) -> None:
    from kit.train.stop import TrainingStopped

    train, valid = rows_of(80), rows_of(40, seed=1)
    spec = Module(build=embeds, stage=STAGE.override("epochs=4"), stop="valid", batch_rows=16, save_every=0)
    whole = spec.learn(train, valid, tmp_path / "whole").predict(valid)
    with pytest.raises(TrainingStopped):
        spec.learn_until(train, valid, tmp_path / "part", lambda epoch, score: epoch == 2)
    np.testing.assert_array_equal(spec.learn(train, valid, tmp_path / "part").predict(valid), whole)


def test_the_code_of_the_function_counts() -> None:
    def make(width: int) -> Any:
        return lambda inputs: nn.Sequential(nn.Linear(inputs.width, width), nn.Linear(width, inputs.outputs))

    assert Module(build=make(3)).identity() == Module(build=make(3)).identity() != Module(build=make(4)).identity()


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 2)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.linear(x)


REFUSED: dict[str, tuple[Any, str]] = {
    "no module": (lambda inputs: 3, "Module.build: <lambda> gives a int, not an nn.Module"),
    "no weights": (lambda inputs: nn.ReLU(), "Module.build: the ReLU of <lambda> has nothing to learn"),
    "shape": (lambda inputs: nn.Linear(inputs.width, 2), "Module.build: the Linear gives (20, 2), not logits (20, 1)"),
    "names": (
        lambda inputs: Wide(),
        "Module.build: forward of the Wide takes x, y; a batch has numbers, categories",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_is_refused_in_one_sentence(name: str) -> None:
    build, sentence = REFUSED[name]
    with pytest.raises(KitError) as error:
        Module(build=build).fit(rows_of(20))
    assert str(error.value) == sentence


def test_settings_that_would_change_nothing_are_refused() -> None:
    with pytest.raises(
        KitError,
        match=r"Module: regularise.heads changes the head that kit makes, but this network has a head of its own",
    ):
        Module(build=layers).override("regularise.heads=3")
    with pytest.raises(KitError, match="Module: dataset = OfSquares has no fit; see kit.members.network.dataset"):
        Module(build=layers, dataset=OfSquares)
    assert "dropout" not in Module.model_fields


def test_it_is_a_member_in_one_cell() -> None:
    x = pd.DataFrame({"a": np.linspace(-1, 1, 64), "b": np.tile([0.0, 1.0], 32)})
    fitted = Module(build=layers, stage=STAGE, batch_rows=16).fit(x, (x["a"] > 0).to_numpy(int))
    assert roc_auc_score(x["a"] > 0, fitted.predict(x)[:, 0]) > 0.95
