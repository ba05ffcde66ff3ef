"""TextNet, Concat and Perceptron: they learn, come back from disk, and read rows as they say."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from kit.core.errors import KitError
from kit.layers.heads import HiddenHead
from kit.members import Concat, Encoder, Perceptron, TextNet, ULMFiT, pairs
from kit.members.network.fitted import NetworkPredictor
from kit.members.network.network import Network
from kit.metrics import roc_auc
from kit.models.headed import Headed
from kit.rows import Rows
from kit.source import Source
from kit.task import Task
from kit.text.padded import FlatInputs, SentenceInputs
from kit.text.sequences import UNKNOWN, Sequences
from kit.text.vectors import Word2Vec
from kit.train.lengths import LengthBatches
from kit.train.trainable import set_trainable
from tests.helpers.encoders import bert, one_thread  # noqa: F401
from tests.helpers.textnets import SMALL, STAGE, TASK, auc, rows_of

NETS = ["TextCNN(filters=8)", "DPCNN(channels=16,blocks=3)", "RCNN(hidden=8,features=16)", "HAN(words=8,sentences=8)",
        "HCN(filters=8)", "RNN(hidden=8)", "RNN(kind=gru,hidden=8,pool=attention)", "ONLSTM(hidden=8,chunk=2)",
        "AWDLSTM(hidden=16,layers=2)", "Transformer(width=16,layers=1,heads=2)",
        "Transformer(width=16,layers=1,heads=2,head_size=16,talking=true)"]  # fmt: skip


@pytest.mark.parametrize("net", NETS)
def test_every_network_learns_order_and_is_loaded_again(net: str, tmp_path: Path) -> None:
    train, test = rows_of(), rows_of(80, seed=1)
    fitted = TextNet(**SMALL).override(f"net={net}", "stage.epochs=15").learn(train, test, tmp_path / "work")
    p = fitted.predict(test)
    assert auc(fitted, train) > 0.85 and auc(fitted, test) > 0.6
    np.testing.assert_allclose(fitted.predict(test.take([3]))[0], p[3], rtol=1e-4)
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(test), p)
    again = TextNet(**SMALL).override(f"net={net}", "stage.epochs=15").learn(train, test, tmp_path / "again")
    np.testing.assert_array_equal(again.predict(test), p)


def test_words_that_no_train_row_has_are_unknown_where_vectors_begin_at_random(tmp_path: Path) -> None:
    rows = rows_of(40)
    source = Source(pd.DataFrame({"text": [*rows.frame["text"], "cat zebra zebra", "zebra dog"], "size": 0.0}))
    train, test = Rows(TASK, source, np.arange(40), rows.labels), Rows(TASK, source, np.arange(40, 42))
    spec = TextNet(**SMALL)
    known = spec.make_dataset(train).vocabulary["words"]
    assert (
        "zebra" not in known
        and "zebra" not in spec.override("vocabulary=train").make_dataset(train).vocabulary["words"]
    )
    ids = spec.make_dataset(train).inputs(test).padded(test.at)["words"]
    assert ids[0, 1] == ids[0, 2] == ids[1, 0] == UNKNOWN and ids[0, 0] > UNKNOWN
    everywhere = spec.override("vocabulary=all").make_dataset(train).vocabulary["words"]
    learnt = spec.override("vectors=Word2Vec(epochs=1)").make_dataset(train).vocabulary["words"]
    assert set(everywhere) == set(learnt) == {*known, "zebra"}  # vectors learn from all texts
    fitted = spec.learn(train, train, tmp_path / "work")
    other = Source(source.frame.replace({"text": {"cat zebra zebra": "cat quagga quagga"}}))
    renamed = Rows(TASK, other, np.arange(40, 42))  # a word never learnt says nothing, whichever it is
    np.testing.assert_array_equal(fitted.predict(test)[0], fitted.predict(renamed)[0])


def test_ulmfit_s_head_pools_three_ways_and_has_a_hidden_layer_with_batch_norm(tmp_path: Path) -> None:
    rows = rows_of(40)
    spec = ULMFiT(**SMALL).override("pretrain=none", "net=AWDLSTM(hidden=8,layers=2)", "stage.epochs=2")
    fitted = spec.learn(rows, rows, tmp_path / "work")
    head = fitted.net.head
    assert isinstance(head, HiddenHead) and head.norm.num_features == 3 * 16 and head.into.out_features == 50
    assert head.norm.num_batches_tracked > 0 and isinstance(fitted.net.dropout, torch.nn.Identity)
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(rows), fitted.predict(rows))
    linear = spec.override("head_hidden=0").learn(rows, rows, tmp_path / "linear").net
    assert isinstance(linear.head, torch.nn.Linear) and linear.dropout.p == 0.4
    with pytest.raises(KitError) as error:
        spec.override("samples=3")
    assert str(error.value) == "ULMFiT: samples are dropout masks in front of a linear head; set head_hidden to 0"


@pytest.mark.parametrize("use", [("words", "tags"), ("characters",), ("characters", "tags", "places")])
def test_sequences_beside_each_other(use: tuple[str, ...], tmp_path: Path) -> None:
    rows = rows_of(40)
    fitted = TextNet(**SMALL, use=use).override("stage.epochs=1").learn(rows, rows, tmp_path / "work")
    assert list(fitted.dataset.vocabulary) == list(use)
    widths = [table.embedding_dim for table in fitted.net.body.embedding.tables]
    assert widths == [16, 16, 16][: len(use)] and np.isfinite(fitted.predict(rows)).all()


def test_vectors_begin_as_learnt_stay_while_frozen_and_go_on_later(tmp_path: Path) -> None:
    rows = rows_of(folder=tmp_path / "cache")
    spec = TextNet(**SMALL, vectors=Word2Vec(width=12, min_count=1, epochs=2))
    learnt = spec.make_dataset(rows)
    assert learnt.vectors is not None and learnt.vectors.shape == (len(learnt.vocabulary["words"]) + 2, 12)
    frozen = spec.override("freeze_embeddings=true")
    kept = frozen.learn(rows, rows, tmp_path / "a").net.body.embedding.tables[0].weight.detach().numpy()
    np.testing.assert_array_equal(kept[2:], learnt.vectors[2:])
    freed = frozen.override("then=Stage(lr=1e-2,precision=fp32)")
    moved = freed.learn(rows, rows, tmp_path / "b").net.body.embedding.tables[0].weight.detach().numpy()
    assert np.abs(moved[2:] - learnt.vectors[2:]).max() > 1e-3 and not moved[0].any()


def test_unknown_words_of_new_rows_share_one_vector(tmp_path: Path) -> None:
    rows = rows_of(40)
    fitted = TextNet(**SMALL).override("stage.epochs=1").learn(rows, rows, tmp_path)
    strange = Rows.of(TASK, pd.DataFrame({"text": ["cat zebra dog", "cat giraffe dog", "cat a dog"], "size": 0.0}))
    p = fitted.predict(strange)[:, 0]
    assert p[0] == p[1] != p[2]


def sequences_of(rows: list[list[list[int]]]) -> Sequences:
    """Rows of sentences of ids."""
    flat = [unit for row in rows for sentence in row for unit in sentence]
    sentence = [i for row in rows for i, s in enumerate(row) for _ in s]
    start = np.cumsum([0, *(sum(map(len, row)) for row in rows)])
    units = {"words": [f"w{i}" for i in range(30)]}
    return Sequences({"words": np.array(flat, dtype=np.int32)}, start, np.array(sentence, dtype=np.int32), units)


ROWS = [[[2, 3, 4], [5, 6]], [[7]], [[8, 9, 10, 11, 12], [13], [14, 15]]]


def test_flat_inputs_keep_the_beginning_or_both_ends() -> None:
    table = {"words": np.arange(40)}
    inputs = FlatInputs(sequences_of(ROWS), table, limit=5)
    assert inputs.length.tolist() == [5, 1, 5]
    batch = inputs.padded(np.array([1, 2, 0]))
    assert batch["words"].tolist() == [[7, 0, 0, 0, 0], [8, 9, 10, 11, 12], [2, 3, 4, 5, 6]]
    assert batch["attention_mask"].tolist() == [[1, 0, 0, 0, 0], [1] * 5, [1] * 5]
    ends = FlatInputs(sequences_of(ROWS), table, limit=5, both_ends=True)
    assert ends.padded(np.array([2, 1]))["words"].tolist() == [[8, 9, 10, 14, 15], [7, 0, 0, 0, 0]]
    assert inputs.key(2) != ends.key(2) and inputs.key(1) == ends.key(1)


def test_sentence_inputs_cut_long_sentences_and_long_rows() -> None:
    inputs = SentenceInputs(sequences_of(ROWS), {"words": np.arange(40)}, sentences=3, words=3)
    batch = inputs.padded(np.array([0, 1, 2]))["words"].tolist()
    none = [0, 0, 0]
    assert batch == [[[2, 3, 4], [5, 6, 0], none], [[7, 0, 0], none, none], [[8, 9, 10], [11, 12, 0], [13, 0, 0]]]
    assert inputs.length.tolist() == [6, 1, 9]


def test_sentence_inputs_keep_sentences_of_both_ends() -> None:
    rows = [[[i] * (1 + i % 2) for i in range(2, 12)], [[7], [8]]]
    table = {"words": np.arange(40)}
    ends = SentenceInputs(sequences_of(rows), table, sentences=5, words=3, both_ends=True)
    found = ends.padded(np.array([1, 0]))["words"].tolist()
    assert found == [[[7, 0], [8, 0]] + [[0, 0]] * 3, [[2, 0], [3, 3], [4, 0], [10, 0], [11, 11]]]
    middle = [*rows[0][:3], [30], [31], *rows[0][-2:]]
    both = SentenceInputs(sequences_of([*rows, middle]), table, 5, 3, both_ends=True)
    head = SentenceInputs(sequences_of([*rows, middle]), table, 5, 3)
    assert both.key(0) == both.key(2) != both.key(1) and head.key(0) != head.key(2)


@pytest.mark.parametrize("net", ["HAN(words=4,sentences=4)", "HCN(filters=4)"])
def test_networks_of_sentences_keep_both_ends(net: str) -> None:
    rows = Rows.of(TASK, pd.DataFrame({"text": ["cat aa. cat bb. cat cc. cat dd. cat ee."], "size": [0.0]}))
    spec = TextNet(**SMALL, sentences=2).override(f"net={net}")
    words = []
    for keep in ("head", "head_tail"):
        dataset = spec.override(f"keep={keep}").make_dataset(rows)
        names = ["", "", *dataset.vocabulary["words"]]
        words.append([names[i] for i in dataset.inputs(rows).padded(rows.at)["words"][0, :, 1].tolist()])
    assert words == [["aa", "bb"], ["aa", "ee"]]


# ---- Concat ----------------------------------------------------------------------------------------


def parts(bert: Path) -> tuple[Network, Network, Network]:
    encoder = Encoder(weights=str(bert), length=16, batch_tokens=256, batch_rows=16, stage=STAGE)
    return encoder, TextNet(**SMALL), Perceptron(hidden=(8,), stage=STAGE)


def body_of(spec: Network, rows: Rows) -> Any:
    return spec.make_body(spec.make_dataset(rows), rows)


def concat_of(bert: Path, **changes: Any) -> Concat:
    a, b, c = parts(bert)
    return Concat(a=a, b=b, more=(c,), batch_tokens=512, batch_rows=16, stage=STAGE, **changes)


def test_joined_features_are_the_parts_side_by_side(bert: Path, tmp_path: Path) -> None:
    rows = rows_of(40)
    spec = concat_of(bert)
    fitted = spec.learn(rows, rows, tmp_path / "work")
    inputs = fitted.dataset.inputs(rows).padded(rows.at)
    body = fitted.net.body.eval()
    with torch.no_grad():
        whole = body(**inputs)
        each = [p(**d.inputs(rows).padded(rows.at)) for p, d in zip(body.parts, fitted.dataset.parts, strict=True)]
    assert body.num_features == whole.shape[1] == 16 + 512 + 8
    torch.testing.assert_close(whole, torch.cat(each, 1))
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(rows), fitted.predict(rows))


def test_parts_of_rate_zero_stay_and_others_learn_at_their_own_rate(bert: Path, tmp_path: Path) -> None:
    rows = rows_of(40)
    spec = concat_of(bert, rates=(0, 1, 0.5))
    before = spec.a.make_body(spec.a.make_dataset(rows), rows).state_dict()
    fitted = spec.learn(rows, rows, tmp_path)
    after = fitted.net.body.parts[0].state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    lr_scale = fitted.net.lr_scale
    assert (lr_scale("body.parts.1.net.x"), lr_scale("body.parts.2.layers.0.weight"), lr_scale("head.bias")) == (
        1,
        0.5,
        1,
    )


@pytest.mark.parametrize("setting", ["freeze_embeddings=true", "freeze=1", "freeze=2", "gradual=1", "only_head=true"])
def test_in_every_part_learns_what_would_learn_alone(setting: str, bert: Path) -> None:
    rows = rows_of(20)
    encoder, text, columns = parts(bert)
    deep = text.override("net=AWDLSTM(hidden=8,layers=3)")
    inner = Concat(a=text, b=columns, stage=STAGE)
    joined = Headed(body_of(Concat(a=encoder, b=deep, more=(inner,), stage=STAGE), rows), 1)
    stage = STAGE.override(setting)
    for epoch in (1, 2, 3):
        set_trainable(joined, stage, epoch, {name for name, _ in joined.named_parameters()})
        found = {name: weight.requires_grad for name, weight in joined.named_parameters()}
        for number, part in {"0": encoder, "1": deep, "2.parts.0": text, "2.parts.1": columns}.items():
            alone = Headed(body_of(part, rows), 1)
            set_trainable(alone, stage, epoch, {name for name, _ in alone.named_parameters()})
            for name, weight in alone.body.named_parameters():
                assert found[f"body.parts.{number}.{name}"] == weight.requires_grad, (number, name)
    if setting == "freeze_embeddings=true":  # a Perceptron has none; of the others nothing else rests
        assert {n for n, w in joined.named_parameters() if not w.requires_grad} == {
            n for n in found if "embedding" in n
        }


def test_fitted_parts_begin_as_they_ended(bert: Path, tmp_path: Path) -> None:
    rows = rows_of(60)
    spec = concat_of(bert, start="fitted", rates=(0, 0, 0))
    joined = spec.learn(rows, rows, tmp_path / "work")
    for part, member in zip(joined.net.body.parts, parts(bert), strict=True):
        alone = member.learn(rows, rows, tmp_path / type(member).__name__).net.body.state_dict()
        assert all(torch.equal(value, alone[name]) for name, value in part.state_dict().items())
    finished = sorted(p.name for p in (tmp_path / "work").glob("done*"))
    assert finished == ["done0", "done1", "done2"]


def test_all_pairs(bert: Path) -> None:
    a, b, c = parts(bert)
    joined = pairs({"x": a, "y": b, "z": c}, dropout=0.2)
    assert list(joined) == ["x_y", "x_z", "y_z"] and joined["x_z"].b == c and joined["y_z"].dropout == 0.2


REFUSED = {
    "rates=1,2": "Concat: rates = (1.0, 2.0) has 2 factors for 3 parts",
    "rates=1,1,-1": "Concat: rates = (1.0, 1.0, -1.0): a factor cannot be negative",
    "stage.perturb=FGM": "Concat: perturb (except AWP), noise and mix need one embedding, but every part has its own",
    "start=fitted stop=inner": "Concat: stop=inner holds out train rows to score epochs, but with start=fitted the parts have learnt from these rows",
}


@pytest.mark.parametrize("setting", REFUSED)
def test_what_concat_refuses(setting: str, bert: Path) -> None:
    with pytest.raises(KitError) as error:
        concat_of(bert).override(*setting.split())
    assert str(error.value) == REFUSED[setting]


def test_concat_is_fitted_with_shifted_weights(bert: Path, tmp_path: Path) -> None:
    rows, spec = rows_of(), concat_of(bert).override("stage.steps=3")
    plain, shifted = (
        made.learn(rows, rows, tmp_path / str(i)).predict(rows)
        for i, made in enumerate((spec, spec.override("stage.perturb=AWP(eps=0.5)")))
    )
    assert np.isfinite(shifted).all() and not np.array_equal(plain, shifted)


def test_perceptron_uses_numbers_categories_and_text_statistics(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    frame = pd.DataFrame({
        "text": ["!" * (3 * int(v)) + "a" for v in y], "number": rng.normal(size=300) + 3 * y,
        "kind": np.where(y == 1, "u", rng.choice(["u", "v"], 300)),
    })  # fmt: skip
    frame.loc[::7, ["number", "kind"]] = None
    for columns, text in ((("text", "number"), False), (("text", "kind"), False), (("text",), True)):
        task = Task(name="t", kind="binary", targets=("y",), text=("text",), inputs=columns, metric=roc_auc)
        rows = Rows.of(task, frame, y)
        fitted = Perceptron(hidden=(8,), text=text, stage=STAGE, batch_rows=64).learn(
            rows, rows, tmp_path / "-".join(columns)
        )
        assert auc(fitted, rows) > 0.7
    unseen = Rows.of(task, frame.assign(kind="w"), y)
    assert np.isfinite(fitted.predict(unseen)).all()


def test_a_perceptrons_batches_are_as_large_as_either_limit_says() -> None:
    frame = pd.DataFrame({"x": np.arange(3000.0)})
    task = Task(name="t", kind="binary", targets=("y",), inputs=("x",), metric=roc_auc)
    rows = Rows.of(task, frame, np.arange(3000) % 2)
    for changes, largest in (({}, 512), ({"batch_tokens": 100}, 100), ({"batch_rows": 9000}, 3000)):
        spec = Perceptron(**changes)
        inputs = spec.make_dataset(rows).inputs(rows)
        plan = LengthBatches(inputs, rows.at, rows.labels, spec.batch_tokens, spec.batch_rows, 0).plan(1)
        assert max(map(len, plan)) == largest
