"""Encoder on a tiny BERT: learns, repeats, resumes, saves, and says what is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BartConfig,
    BartModel,
    GPT2Config,
    GPT2Model,
    PreTrainedTokenizerFast,
    T5Config,
    T5Model,
)

from kit.core.errors import KitError
from kit.members.encoder import dataset as encoder_dataset
from kit.members.network import fitting
from kit.members.network.fitted import NetworkPredictor
from kit.models.encoder import TextEncoder
from kit.rows import Rows
from kit.source import Source
from kit.train import Stage
from tests.helpers.encoders import FAST, QUICK, WORDS, N, bert, one_thread, rows_of, spec_of  # noqa: F401


@pytest.fixture(scope="module")
def fitted(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> NetworkPredictor:
    rows = rows_of()
    return spec_of(bert).learn(rows, rows, tmp_path_factory.mktemp("work"))


@pytest.mark.parametrize("kind", ["binary", "multilabel", "multiclass", "regression"])
def test_learns_every_kind_and_loads_in_the_same_bits(kind: str, bert: Path, tmp_path: Path) -> None:
    train, test = rows_of(kind, 96), rows_of(kind, 60, seed=1)
    before, state = train.source.frame.copy(), torch.get_rng_state()
    fitted = spec_of(bert, FAST).learn(train, test, tmp_path / "work")
    p = fitted.predict(test)
    assert p.shape == (60, {"multilabel": 2, "multiclass": 3}.get(kind, 1)) and p.dtype == np.float64
    if kind == "regression":
        assert (
            abs(p.mean() - test.labels.mean()) < 10 and np.abs(p - test.labels).mean() < 12
        )  # of values 1000 and 1050
    elif kind == "multiclass":
        np.testing.assert_allclose(p.sum(1), 1)
        assert (p.argmax(1) == test.labels[:, 0]).mean() > 0.9
    else:
        assert (p > 0).all() and (p < 1).all()
        assert min(roc_auc_score(y, q) for y, q in zip(test.labels.T, p.T, strict=True)) > 0.9
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    loaded = NetworkPredictor.load(tmp_path / "model")
    assert np.array_equal(loaded.predict(test), p) and np.array_equal(loaded.predict(rows_of(kind, 60, seed=1)), p)
    assert loaded.spec == fitted.spec
    assert torch.equal(torch.get_rng_state(), state) and train.source.frame.equals(before)


def test_repeats_with_its_seed_and_differs_with_another(bert: Path, fitted: NetworkPredictor, tmp_path: Path) -> None:
    rows, p = rows_of(), fitted.predict(rows_of())
    torch.rand(7)  # the user's own random numbers do not matter
    again = spec_of(bert).learn(rows, rows, tmp_path / "again").predict(rows)
    other = spec_of(bert, seed=1).learn(rows, rows, tmp_path / "other").predict(rows)
    assert np.array_equal(again, p) and np.abs(other - p).max() > 1e-3


def test_the_order_of_rows_does_not_change_a_bit(fitted: NetworkPredictor) -> None:
    rows = rows_of()
    p, order = fitted.predict(rows), np.random.default_rng(0).permutation(N)
    seen: list[np.ndarray] = []
    hook = fitted.net.register_forward_pre_hook(
        lambda _, __, batch: seen.append(batch["input_ids"].numpy()), with_kwargs=True
    )
    assert np.array_equal(fitted.predict(rows), p) and np.array_equal(fitted.predict(rows.take(order)), p[order])
    hook.remove()
    half = len(seen) // 2  # on other machines sums depend on a row's neighbours, so these are the same too
    assert all(np.array_equal(a, b) for a, b in zip(seen[:half], seen[half:], strict=True))
    np.testing.assert_allclose(fitted.predict(rows.take([5])), p[[5]], rtol=1e-5)
    np.testing.assert_allclose(fitted.predict(rows.take([5, 5, 2])), p[[5, 5, 2]], rtol=1e-5)
    assert fitted.predict(rows.take(np.array([], dtype=int))).shape == (0, 1)


@pytest.mark.parametrize("kind", ["binary", "multilabel", "multiclass"])
def test_first_predictions_are_the_prevalence(kind: str, bert: Path, tmp_path: Path) -> None:
    rows = rows_of(kind)
    chosen = np.flatnonzero(rows.labels[:, 0] == 0)[:30]  # rare: 30 rows without and 3 with the label
    rows = rows.take([*chosen, *np.flatnonzero(rows.labels[:, 0] == 1)[:3]])
    still = Stage(lr=1e-9, head_lr=1e-9, precision="fp32")
    p = spec_of(bert, still).learn(rows, rows, tmp_path).predict(rows)
    hot = np.eye(3)[rows.labels[:, 0].astype(int)] if kind == "multiclass" else rows.labels
    np.testing.assert_allclose(p.mean(0), hot.mean(0), atol=0.05)
    assert np.abs(hot.mean(0) - 0.5).max() > 0.3


class Killed(Exception):
    pass


@pytest.mark.parametrize("at", [1, 6, 11])
def test_a_killed_fit_goes_on_to_the_same_bits(
    at: int, bert: Path, fitted: NetworkPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, left = fitting.LengthBatches.__getitem__, [at]

    def failing(self: Any, rows: np.ndarray) -> dict[str, Any]:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return get(self, rows)

    rows, spec = rows_of(), spec_of(bert, save_every=0)
    state = torch.get_rng_state()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(fitting.LengthBatches, "__getitem__", failing)
        spec.learn(rows, rows, tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert saved["step"] == at
    p = spec.learn(rows, rows, tmp_path).predict(rows)
    assert np.array_equal(p, fitted.predict(rows))
    assert spec.identity() == spec_of(bert).identity() != spec_of(bert, dropout=0.2).identity()


def test_odd_texts(bert: Path, tmp_path: Path) -> None:
    task = rows_of().task
    for i, texts in enumerate((["", "", "", ""], ["good"] * 4, ["", None, "good " * 50, "日本 ☃"])):
        rows = Rows.of(task, pd.DataFrame({"text": texts}), np.array([0, 1, 0, 1]))
        p = spec_of(bert, QUICK).learn(rows, rows, tmp_path / str(i)).predict(rows)
        assert np.isfinite(p).all() and np.allclose(p[0], p[1])
    one = Rows.of(task, pd.DataFrame({"text": ["good"]}), np.array([1]))
    assert spec_of(bert).learn(one, one, tmp_path / "one").predict(one).shape == (1, 1)


def test_a_saved_folder_needs_nothing_else(bert: Path, tmp_path: Path) -> None:
    """Not the weights it began with, even where those say that they are 16-bit; nor is foreign code run."""
    origin, saved, rows = tmp_path / "origin", tmp_path / "saved", rows_of()
    shutil.copytree(bert, origin)
    (origin / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Net: pass\n")
    for name in ("config.json", "tokenizer_config.json"):
        facts = json.loads((origin / name).read_text())
        facts |= {
            "auto_map": dict.fromkeys(["AutoConfig", "AutoModel", "AutoTokenizer"], "evil.Net"),
            "dtype": "float16",
        }
        (origin / name).write_text(json.dumps(facts))
    fitted = spec_of(origin).learn(rows, rows, tmp_path / "work")
    p = fitted.predict(rows)
    saved.mkdir()
    fitted.save(saved)
    shutil.rmtree(origin)
    loaded = NetworkPredictor.load(saved)
    assert {w.dtype for w in loaded.net.parameters()} == {torch.float32}
    assert np.array_equal(loaded.predict(rows_of()), p) and not (tmp_path / "ran").exists()
    assert not [f for f in saved.iterdir() if f.suffix in (".pkl", ".pt", ".bin", ".py")]
    (tmp_path / "twice").mkdir()
    loaded.save(tmp_path / "twice")
    assert np.array_equal(NetworkPredictor.load(tmp_path / "twice").predict(rows), p)


def test_tokens_are_made_once_per_tokenizer_and_length(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of()
    kept = [Rows(rows.task, Source(rows.source.frame, tmp_path / "cache"), rows.at, rows.y) for _ in range(4)]
    spec = spec_of(bert)
    spec.prepare(kept[0])
    expected = spec.learn(rows, rows, tmp_path / "a").predict(rows)
    with monkeypatch.context() as patch:
        patch.setattr(encoder_dataset, "tokenize", lambda *args: pytest.fail("tokens were made again"))
        assert np.array_equal(spec.learn(kept[1], kept[1], tmp_path / "b").predict(kept[1]), expected)
    spec.override("length=9").prepare(kept[2])
    shutil.copytree(bert, tmp_path / "cased")
    file = tmp_path / "cased" / "tokenizer.json"
    file.write_text(
        file.read_text()
        .replace('"lowercase":true', '"lowercase":false')
        .replace('"lowercase": true', '"lowercase": false')
    )
    spec.override(f"weights={tmp_path / 'cased'}").prepare(kept[3])
    assert len([d for d in (tmp_path / "cache").glob("*/tokens-*") if d.is_dir()]) == 3


def test_what_cannot_work_is_said(bert: Path, tmp_path: Path, fitted: NetworkPredictor) -> None:
    rows = rows_of()
    with pytest.raises(KitError, match=r"Encoder\.length = 33: '.*' reads at most 32 tokens"):
        spec_of(bert).override("length=33").learn(rows, rows, tmp_path)
    spec_of(bert).override("length=32").learn(rows, rows, tmp_path)
    fitted.save(tmp_path)  # its tensors have other names: transformers would begin at random ones
    with pytest.raises(KitError, match=r"weights .*: \d+ of the model's tensors are missing, such as 'em"):
        spec_of(tmp_path).learn(rows, rows, tmp_path / "work")
    with pytest.raises(KitError, match="no labels"):
        spec_of(bert).learn(Rows(rows.task, rows.source, rows.at), rows, tmp_path)


SIZES = {"layers": 2, "attention_heads": 2, "ffn_dim": 32}  # of either side of BART
NAMES = {
    "bert": ("encoder.layer.{}.attention.self.query.weight", "embeddings.word_embeddings.weight"),
    "roberta": ("encoder.layer.{}.output.LayerNorm.bias", "embeddings.position_embeddings.weight"),
    "deberta": ("encoder.layer.{}.attention.self.query_proj.weight", "encoder.rel_embeddings.weight"),
    "distilbert": ("transformer.layer.{}.ffn.lin1.weight", "embeddings.LayerNorm.weight"),
    "modernbert": ("layers.{}.attn.Wqkv.weight", "embeddings.tok_embeddings.weight"),
    "gpt2": ("h.{}.mlp.c_fc.weight", "wte.weight"),
    "t5": ("encoder.block.{}.layer.0.SelfAttention.q.weight", "shared.weight"),
}


@pytest.mark.parametrize("name", NAMES)
def test_layer_by_name(name: str, fitted: NetworkPredictor) -> None:
    layer, embedding = NAMES[name]

    class Backbone(torch.nn.Module):
        config = fitted.net.body.backbone.config

        def named_parameters(self, *_: Any) -> Any:  # what a model of 12 layers lists
            return [(layer.format(i), None) for i in range(12)]

    layer_of: Callable[[str], int | None] = TextEncoder(Backbone(), "attention").layer_of
    assert [layer_of("backbone." + layer.format(i)) for i in (11, 10, 1, 0)] == [0, 1, 10, 11]
    assert layer_of("backbone." + embedding) == 12 and layer_of("backbone.final_norm.weight") == 0
    assert layer_of("pool.hidden.weight") is None and fitted.net.layer_of("head.weight") is None


def test_a_model_without_special_tokens_or_padding(bert: Path, tmp_path: Path) -> None:
    """GPT-2 gives an empty text no token at all."""
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<unk>", *WORDS])}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>").save_pretrained(tmp_path / "gpt")
    GPT2Model(GPT2Config(vocab_size=9, n_embd=8, n_layer=2, n_head=2, n_positions=16)).save_pretrained(tmp_path / "gpt")
    rows = Rows.of(rows_of().task, pd.DataFrame({"text": ["good dog", "", "", "bad"]}), np.array([1, 0, 0, 0]))
    for pool in ("mean", "attention", "cls"):
        fitted = spec_of(tmp_path / "gpt", QUICK, pool=pool).learn(rows, rows, tmp_path / pool)
        p = fitted.predict(rows)
        assert np.isfinite(p).all()
        np.testing.assert_allclose(fitted.predict(rows.take([1])), p[[1]], rtol=1e-5)
    with pytest.raises(KitError, match="reads at most 16 tokens"):
        spec_of(tmp_path / "gpt").override("length=17").learn(rows, rows, tmp_path)


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_of_an_encoder_decoder_the_encoder_is_taken(kind: str, bert: Path, tmp_path: Path) -> None:
    shutil.copytree(bert, tmp_path / kind)
    if kind == "t5":
        made: Any = T5Model(T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2))
    else:
        layers = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in SIZES.items()}
        made = BartModel(BartConfig(vocab_size=64, d_model=16, max_position_embeddings=32, **layers))
    made.save_pretrained(tmp_path / kind)
    spec, rows = spec_of(tmp_path / kind), rows_of()
    fitted = spec.learn(rows, rows, tmp_path / "work")
    assert not any("decoder" in name for name in fitted.net.state_dict())
    assert fitted.net.layer_of("body.backbone.embed_tokens.weight") == 2
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(rows), fitted.predict(rows))


def test_a_batch_too_large_to_predict_is_cut(fitted: NetworkPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, forward, most = rows_of(), fitted.net.forward, 3
    expected = fitted.predict(rows)

    def hungry(**inputs: torch.Tensor) -> torch.Tensor:
        if len(inputs["input_ids"]) > most:
            raise torch.cuda.OutOfMemoryError("too large")
        return forward(**inputs)

    monkeypatch.setattr(fitted.net, "forward", hungry)
    np.testing.assert_allclose(fitted.predict(rows), expected, rtol=1e-5)
    most = 0
    with pytest.raises(torch.cuda.OutOfMemoryError):
        fitted.predict(rows)
