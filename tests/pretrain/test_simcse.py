"""SimCSE: its loss falls, the projection is dropped, and equal rows are not pushed apart."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kit.core.errors import KitError
from kit.members import Encoder
from kit.pretrain import SimCSE
from kit.train import LoopStage
from tests.helpers.encoders import one_thread  # noqa: F401
from tests.helpers.languages import save_bert, toy_rows, weights  # noqa: F401

STAGE = LoopStage(epochs=4, lr=2e-3, precision="fp32")


@pytest.mark.parametrize("projection", [0, 8])
def test_its_held_out_loss_falls_and_only_the_body_is_kept(projection: int, weights: Path) -> None:
    rows = toy_rows(160)
    step = SimCSE(stage=STAGE, projection=projection, batch_rows=16, held=0.2)
    encoder = Encoder(weights=str(weights), length=16, pretrain=(step,))
    dataset = encoder.make_dataset(rows)
    (found,) = encoder.pretrained(dataset, rows)
    assert found["held"][1] < 0.9 * found["held"][0]
    names = {name.removeprefix("body.") for name in found if name.startswith("body.")}
    assert names and names <= set(encoder.first_body(dataset).state_dict())


def test_vectors_of_different_rows_come_apart(weights: Path) -> None:
    rows = toy_rows(120)
    plain = Encoder(weights=str(weights), length=16)
    learnt = Encoder(weights=str(weights), length=16, pretrain=(SimCSE(stage=STAGE, batch_rows=16),))
    means = []
    for member in (plain, learnt):
        dataset = member.make_dataset(rows)
        body = member.make_body(dataset, rows).cpu().eval()
        with torch.no_grad():
            vectors = body(**dataset.inputs(rows).padded(np.arange(40)))
        vectors = torch.nn.functional.normalize(vectors, dim=1)
        means.append(float((vectors @ vectors.T).mean()))
    assert means[1] < means[0] - 0.1


def test_what_it_needs_is_said(tmp_path: Path, weights: Path) -> None:
    still = save_bert(tmp_path / "still", dropout=0.0)
    with pytest.raises(KitError, match="SimCSE needs dropout"):
        Encoder(weights=str(still), length=16, pretrain=(SimCSE(),)).prepare(toy_rows(8))
    with pytest.raises(KitError, match="SimCSE needs two rows at least, and there are 1"):
        Encoder(weights=str(weights), length=16, pretrain=(SimCSE(),)).prepare(toy_rows(1))
