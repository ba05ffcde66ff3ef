"""TextNet, Concat and Perceptron: they learn, come back from disk, and read rows as they say."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from test_encoder_member import bert, one_thread  # noqa: F401

from kit.data import Rows, Source, Task
from kit.members import Concat, Encoder, Perceptron, TextNet, pairs
from kit.members.fitted import NetworkPredictor
from kit.members.network import Network
from kit.members.textnet_reader import SequenceReader
from kit.metrics import roc_auc
from kit.models.headed import Headed
from kit.spec import KitError
from kit.text.padded import FlatInputs, SentenceInputs
from kit.text.sequences import Sequences
from kit.text.vectors import Word2Vec
from kit.train import Stage
from kit.train.learn import let_learn
from kit.train.lengths import LengthBatches

TASK = Task(name="t", kind="binary", targets=("y",), text=("text",), inputs=("text", "size"), metric=roc_auc)
STAGE = Stage(epochs=6, lr=1e-2, precision="fp32")
SMALL: dict[str, Any] = {
    "width": 16, "min_count": 1, "batch_rows": 16, "batch_tokens": 512, "stage": STAGE, "word_dropout": 0.0
}  # fmt: skip
NETS = ["TextCNN(filters=8)", "DPCNN(channels=16,blocks=3)", "RCNN(hidden=8,features=16)", "HAN(words=8,sentences=8)",
        "HCN(filters=8)", "RNN(hidden=8)", "RNN(kind=gru,hidden=8,pool=attention)", "ONLSTM(hidden=8,chunk=2)",
        "AWDLSTM(hidden=16,layers=2)", "Transformer(width=16,layers=1,heads=2)",
        "Transformer(width=16,layers=1,heads=2,head_size=16,talking=true)"]  # fmt: skip


def rows_of(n: int = 160, seed: int = 0, folder: Path | None = None) -> Rows:
    """Rows are positive where 'cat' comes before 'dog', or, seldom, are large: order matters, words do not."""
    rng, texts = np.random.default_rng(seed), []
    y = rng.integers(0, 2, n)
    for positive in y:
        words = [str(w) for w in rng.choice(list("abcdefgh"), rng.integers(4, 24))]
        first, second = sorted(rng.choice(len(words), 2, replace=False))
        words[first], words[second] = ("cat", "dog") if positive else ("dog", "cat")
        words[int(rng.integers(len(words)))] += "."
        texts.append(" ".join(words))
    frame = pd.DataFrame({"text": texts, "size": y + rng.normal(0, 2, n)})
    return Rows(TASK, Source(frame, folder), np.arange(n), y[:, None].astype(float))


def auc(fitted: Any, rows: Rows) -> float:
    return float(roc_auc_score(rows.labels[:, 0], fitted.predict(rows)[:, 0]))


@pytest.mark.parametrize("net", NETS)
def test_every_network_learns_order_and_comes_back(net: str, tmp_path: Path) -> None:
    train, test = rows_of(), rows_of(80, seed=1)
    fitted = TextNet(**SMALL).override(f"net={net}", "stage.epochs=15").fit(train, test, tmp_path / "work")
    p = fitted.predict(test)
    assert auc(fitted, train) > 0.85 and auc(fitted, test) > 0.6
    np.testing.assert_allclose(fitted.predict(test.take([3]))[0], p[3], rtol=1e-4)
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(test), p)
    again = TextNet(**SMALL).override(f"net={net}", "stage.epochs=15").fit(train, test, tmp_path / "again")
    np.testing.assert_array_equal(again.predict(test), p)


@pytest.mark.parametrize("use", [("words", "tags"), ("characters",), ("characters", "tags", "places")])
def test_sequences_beside_each_other(use: tuple[str, ...], tmp_path: Path) -> None:
    rows = rows_of(40)
    fitted = TextNet(**SMALL, use=use).override("stage.epochs=1").fit(rows, rows, tmp_path / "work")
    assert list(fitted.reader.units) == list(use)
    widths = [table.embedding_dim for table in fitted.net.body.embedding.tables]
    assert widths == [16, 16, 16][: len(use)] and np.isfinite(fitted.predict(rows)).all()


def test_vectors_begin_as_learnt_stay_while_frozen_and_go_on_later(tmp_path: Path) -> None:
    rows = rows_of(folder=tmp_path / "cache")
    spec = TextNet(**SMALL, vectors=Word2Vec(width=12, min_count=1, epochs=2))
    learnt = SequenceReader.learnt(spec, rows)
    assert learnt.values is not None and learnt.values.shape == (len(learnt.units["words"]) + 2, 12)
    frozen = spec.override("freeze_embeddings=true")
    kept = frozen.fit(rows, rows, tmp_path / "a").net.body.embedding.tables[0].weight.detach().numpy()
    np.testing.assert_array_equal(kept[2:], learnt.values[2:])
    freed = frozen.override("then=Stage(lr=1e-2,precision=fp32)")
    moved = freed.fit(rows, rows, tmp_path / "b").net.body.embedding.tables[0].weight.detach().numpy()
    assert np.abs(moved[2:] - learnt.values[2:]).max() > 1e-3 and not moved[0].any()


def test_unknown_words_of_new_rows_share_one_vector(tmp_path: Path) -> None:
    rows = rows_of(40)
    fitted = TextNet(**SMALL).override("stage.epochs=1").fit(rows, rows, tmp_path)
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
        reader = spec.override(f"keep={keep}").reader(rows)
        names = ["", "", *reader.units["words"]]
        words.append([names[i] for i in reader.inputs(rows).padded(rows.at)["words"][0, :, 1].tolist()])
    assert words == [["aa", "bb"], ["aa", "ee"]]


# ---- Concat ----------------------------------------------------------------------------------------


def parts(bert: Path) -> tuple[Network, Network, Network]:
    encoder = Encoder(weights=str(bert), length=16, batch_tokens=256, batch_rows=16, stage=STAGE)
    return encoder, TextNet(**SMALL), Perceptron(hidden=(8,), stage=STAGE)


def concat_of(bert: Path, **changes: Any) -> Concat:
    a, b, c = parts(bert)
    return Concat(a=a, b=b, more=(c,), batch_tokens=512, batch_rows=16, stage=STAGE, **changes)


def test_joined_features_are_the_parts_side_by_side(bert: Path, tmp_path: Path) -> None:
    rows = rows_of(40)
    spec = concat_of(bert)
    fitted = spec.fit(rows, rows, tmp_path / "work")
    inputs = fitted.reader.inputs(rows).padded(rows.at)
    body = fitted.net.body.eval()
    with torch.no_grad():
        whole = body(**inputs)
        each = [p(**r.inputs(rows).padded(rows.at)) for p, r in zip(body.parts, fitted.reader.readers, strict=True)]
    assert body.width == whole.shape[1] == 16 + 512 + 8
    torch.testing.assert_close(whole, torch.cat(each, 1))
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(rows), fitted.predict(rows))


def test_parts_of_rate_zero_stay_and_others_learn_at_their_own_rate(bert: Path, tmp_path: Path) -> None:
    rows = rows_of(40)
    spec = concat_of(bert, rates=(0, 1, 0.5))
    before = spec.reader(rows).readers[0].body().state_dict()
    fitted = spec.fit(rows, rows, tmp_path)
    after = fitted.net.body.parts[0].state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    factor = fitted.net.factor
    assert (factor("body.parts.1.net.x"), factor("body.parts.2.layers.0.weight"), factor("head.bias")) == (1, 0.5, 1)


@pytest.mark.parametrize("setting", ["freeze_embeddings=true", "freeze=1", "freeze=2", "gradual=1", "only_head=true"])
def test_in_every_part_learns_what_would_learn_alone(setting: str, bert: Path) -> None:
    rows = rows_of(20)
    encoder, text, columns = parts(bert)
    deep = text.override("net=AWDLSTM(hidden=8,layers=3)")
    inner = Concat(a=text, b=columns, stage=STAGE)
    joined = Headed(Concat(a=encoder, b=deep, more=(inner,), stage=STAGE).reader(rows).body(), 1)
    stage = STAGE.override(setting)
    for epoch in (1, 2, 3):
        let_learn(joined, stage, epoch, joined.depth, {name for name, _ in joined.named_parameters()})
        found = {name: weight.requires_grad for name, weight in joined.named_parameters()}
        for number, part in {"0": encoder, "1": deep, "2.parts.0": text, "2.parts.1": columns}.items():
            alone = Headed(part.reader(rows).body(), 1)
            let_learn(alone, stage, epoch, alone.depth, {name for name, _ in alone.named_parameters()})
            for name, weight in alone.body.named_parameters():
                assert found[f"body.parts.{number}.{name}"] == weight.requires_grad, (number, name)
    if setting == "freeze_embeddings=true":  # a Perceptron has none; of the others nothing else rests
        assert {n for n, w in joined.named_parameters() if not w.requires_grad} == {
            n for n in found if "embedding" in n
        }


def test_fitted_parts_begin_as_they_ended(bert: Path, tmp_path: Path) -> None:
    rows = rows_of(60)
    spec = concat_of(bert, start="fitted", rates=(0, 0, 0))
    joined = spec.fit(rows, rows, tmp_path / "work")
    for part, member in zip(joined.net.body.parts, parts(bert), strict=True):
        alone = member.fit(rows, rows, tmp_path / type(member).__name__).net.body.state_dict()
        assert all(torch.equal(value, alone[name]) for name, value in part.state_dict().items())
    finished = sorted(p.name for p in (tmp_path / "work").glob("done*"))
    assert finished == ["done0", "done1", "done2"]


def test_all_pairs(bert: Path) -> None:
    a, b, c = parts(bert)
    joined = pairs({"x": a, "y": b, "z": c}, dropout=0.2)
    assert list(joined) == ["x_y", "x_z", "y_z"] and joined["x_z"].b == c and joined["y_z"].dropout == 0.2


REFUSED = {
    "rates=1,2": "Concat: rates = (1.0, 2.0) has 2 factors for 3 parts",
    "rates=1,1,-1": "Concat: rates = (1.0, 1.0, -1.0): a factor on a rate is not negative",
    "stage.perturb=FGM": "Concat: perturb (but AWP), noise and mix need one embedding, and every part has its own",
    "start=fitted stop=inner": "Concat: stop=inner would judge on rows that the parts of start=fitted have learnt from",
}


@pytest.mark.parametrize("setting", REFUSED)
def test_what_concat_refuses(setting: str, bert: Path) -> None:
    with pytest.raises(KitError) as error:
        concat_of(bert).override(*setting.split())
    assert str(error.value) == REFUSED[setting]


def test_concat_is_fitted_with_shifted_weights(bert: Path, tmp_path: Path) -> None:
    rows, spec = rows_of(), concat_of(bert).override("stage.steps=3")
    plain, shifted = (
        made.fit(rows, rows, tmp_path / str(i)).predict(rows)
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
        fitted = Perceptron(hidden=(8,), text=text, stage=STAGE, batch_rows=64).fit(
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
        inputs = spec.reader(rows).inputs(rows)
        plan = LengthBatches(inputs, rows.at, rows.labels, spec.batch_tokens, spec.batch_rows, 0).plan(1)
        assert max(map(len, plan)) == largest
