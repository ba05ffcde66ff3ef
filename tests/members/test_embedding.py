"""Embedding: the vectors of a frozen network are timm's and transformers' own, computed once, features of any member."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from kit.core.errors import KitError
from kit.members import Embedding, Encoder, Estimator, Linear
from kit.rows import Rows
from kit.source import Source
from kit.testing import check_member
from tests.helpers.encoders import bert, one_thread, spec_of  # noqa: F401
from tests.helpers.encoders import rows_of as text_rows
from tests.helpers.pictures import noise, picture_rows, png, rows_of, tiny


def test_of_pictures_it_is_what_the_network_gives(tmp_path: Path) -> None:
    rows, spec = rows_of([png(noise(i)) for i in range(5)]), tiny(batch_rows=2)
    found = Embedding(encoder=spec).of(rows)
    dataset = spec.make_dataset(rows)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(spec.seed)
        body = spec.make_body(dataset, rows).eval()
        expected = body.backbone(body.normalise(dataset.inputs(rows).padded(np.arange(5))["pixels"]))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)
    assert np.abs(found - Embedding(encoder=tiny(seed=1)).of(rows)).max() > 0.01


def test_several_pictures_of_a_row_are_joined() -> None:
    pictures = [png(noise(i)) for i in range(3)]
    alone = Embedding(encoder=tiny()).of(rows_of(pictures))
    joined = Embedding(encoder=tiny()).of(rows_of([tuple(pictures[:2]), pictures[2]]))
    np.testing.assert_allclose(joined, [alone[:2].mean(0), alone[2]], atol=1e-4)


def test_of_texts_it_is_the_mean_of_the_tokens(bert: Path) -> None:
    rows = text_rows(n=6)
    model, tokenizer = AutoModel.from_pretrained(bert).eval(), AutoTokenizer.from_pretrained(bert)
    encoder = spec_of(bert)
    with torch.no_grad():
        batches = [tokenizer(text, return_tensors="pt", truncation=True, max_length=16) for text in rows.texts()]
        expected = [model(**batch).last_hidden_state[0].mean(0).numpy() for batch in batches]
    np.testing.assert_allclose(Embedding(encoder=encoder).of(rows), expected, atol=1e-4)
    by_name = Embedding(weights=str(bert)).network(rows.task)
    assert isinstance(by_name, Encoder) and by_name.weights == str(bert)


def test_it_is_computed_once_and_again_for_other_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = picture_rows(n=6)
    kept = Rows(rows.task, Source(rows.source.frame, tmp_path, schema=rows.source.schema), rows.at)
    encoder = tiny()
    first = Embedding(encoder=encoder).of(kept)
    made: list[Any] = []
    body = type(encoder).make_body
    monkeypatch.setattr(type(encoder), "make_body", lambda *given: made.append(1) or body(*given))
    again = Rows(rows.task, Source(rows.source.frame, tmp_path, schema=rows.source.schema), rows.at)
    assert np.array_equal(Embedding(encoder=encoder).of(again), first) and not made
    Embedding(encoder=tiny("test_vit")).of(again)
    assert made


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_members_learn_from_it(kind: str, tmp_path: Path) -> None:
    features = (Embedding(encoder=tiny()),)
    check_member(Linear(features=features, C=0.1), picture_rows(kind), tmp_path)


def test_nearest_neighbours_find_equal_pictures() -> None:
    pictures = [png(noise(i % 2)) for i in range(20)]
    rows = rows_of(pictures)
    member = Estimator("sklearn.neighbors.KNeighborsClassifier", n_neighbors=3, features=(Embedding(encoder=tiny()),))
    train, valid = rows.take(range(10)), rows.take(range(10, 20))
    predicted = member.learn(train, valid, Path()).predict(valid)
    assert np.array_equal(predicted[:, -1] > 0.5, valid.labels[:, 0] > 0.5)


def test_what_it_cannot_read_is_refused(bert: Path) -> None:
    with pytest.raises(KitError, match="set encoder.weights alone"):
        Embedding(weights="resnet18", encoder=tiny())
    with pytest.raises(KitError, match="pooling of this ImageEncoder has weights"):
        Embedding(encoder=tiny(pool="attention")).of(rows_of([png(noise(0))]))
    with pytest.raises(KitError, match="reads pictures"):
        Embedding(encoder=tiny()).of(text_rows(n=4))
