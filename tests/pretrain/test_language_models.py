"""MaskedLM and CausalLM: their loss is that of transformers, texts are read whole, and held-out loss falls."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import BertForMaskedLM, GPT2Config, GPT2LMHeadModel, GPT2Model, T5Config, T5Model

from kit.core.errors import KitError
from kit.members import Encoder
from kit.models.vocabulary import VocabularyModel
from kit.pretrain import CausalLM, MaskedLM
from kit.pretrain.checkpoints import with_output_layer
from kit.pretrain.language import NextUnit
from kit.pretrain.token_batches import MaskedPlaces, TokenBatches, next_tokens
from kit.rows import Rows
from kit.source import Source
from kit.text.masks import TokenMasks
from kit.train import LoopStage
from kit.train.lengths import LengthBatches
from kit.train.objective import to_device
from kit.train.objectives import PredictedTokens
from tests.helpers.elsewhere import elsewhere, moved
from tests.helpers.encoders import one_thread  # noqa: F401
from tests.helpers.languages import TASK, VOCABULARY, save_bert, save_tokenizer, toy_rows, weights  # noqa: F401

FAST = LoopStage(epochs=12, lr=5e-3, head_lr=5e-3, precision="fp32")


def member(folder: Path, *steps: Any, **settings: Any) -> Encoder:
    return Encoder(weights=str(folder), length=16, batch_rows=8, pretrain=steps, **settings)


def gpt2(folder: Path) -> Path:
    save_tokenizer(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPT2Config(vocab_size=len(VOCABULARY), n_embd=16, n_layer=2, n_head=2, n_positions=32)
        GPT2Model(config).save_pretrained(folder)
    return folder


def batch_of(folder: Path, asks: Any) -> dict[str, Any]:
    rows = toy_rows(12)
    tokens = Encoder(weights=str(folder), length=16).make_dataset(rows).inputs(rows)
    return TokenBatches(LengthBatches(tokens, np.arange(12), None, 4096, 64, 0), asks)[np.arange(12)]


def masked_places(folder: Path) -> MaskedPlaces:
    return MaskedPlaces(TokenMasks.of(save_tokenizer(folder), 0.3))


def test_the_loss_is_that_of_transformers_for_the_same_masks(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "bert", with_output_layer=True)
    theirs = BertForMaskedLM.from_pretrained(folder).eval()
    model, lost = with_output_layer("AutoModelForMaskedLM", folder, theirs.bert, "MaskedLM")
    batch = batch_of(folder, masked_places(folder))
    given, places = batch["inputs"], batch["inputs"]["places"]
    labels = torch.full_like(given["input_ids"], -100)
    labels.view(-1)[places] = batch["y"]
    assert 5 < len(places) < 0.6 * given["attention_mask"].sum() and not lost
    ours = VocabularyModel(model, lambda name: 0).eval()
    step = PredictedTokens(per_row=2.5)(ours, batch)
    loss = theirs(input_ids=given["input_ids"], attention_mask=given["attention_mask"], labels=labels).loss
    torch.testing.assert_close(step.loss, loss * len(places) / 2.5)
    step.loss.backward()
    ours_gradients = {n: p.grad.clone() for n, p in theirs.bert.named_parameters()}
    theirs.zero_grad()
    (theirs(input_ids=given["input_ids"], attention_mask=given["attention_mask"], labels=labels).loss).backward()
    for name, weight in theirs.bert.named_parameters():
        torch.testing.assert_close(ours_gradients[name], weight.grad * len(places) / 2.5, rtol=1e-3, atol=1e-6)


def test_a_decoder_predicts_each_next_token_as_in_transformers(tmp_path: Path) -> None:
    folder = gpt2(tmp_path)
    theirs = GPT2LMHeadModel.from_pretrained(folder).eval()
    model, _ = with_output_layer("AutoModelForCausalLM", folder, theirs.transformer, "CausalLM")
    batch = batch_of(folder, next_tokens)
    given = batch["inputs"]
    labels = given["input_ids"].masked_fill(given["attention_mask"] == 0, -100)
    assert len(batch["y"]) == int((given["attention_mask"].sum(1) - 1).sum())
    step = PredictedTokens()(VocabularyModel(model, lambda name: 0).eval(), batch)
    loss = theirs(input_ids=given["input_ids"], attention_mask=given["attention_mask"], labels=labels).loss
    torch.testing.assert_close(step.loss, loss * len(batch["y"]))


@pytest.mark.parametrize("objective", [PredictedTokens, NextUnit])
def test_each_predicted_token_counts_the_same_however_long_its_window_is(objective: Any) -> None:
    """A window of one token and one of nine: the gradient of each token's loss is the same, not that of each window's."""
    logits = torch.zeros(10, 4, requires_grad=True)
    losses = torch.ones(10, requires_grad=True)

    def model(**inputs: Any) -> Any:
        return logits if objective is PredictedTokens else torch.stack([losses[:1].sum(), losses[1:].sum()])

    loss = objective(5.0)(model, {"inputs": {}, "y": torch.zeros(10, dtype=torch.int64)}).loss
    loss.backward()
    each = (logits.grad[:, 0] if objective is PredictedTokens else losses.grad).abs()
    assert each.min() == each.max()
    mean = torch.log(torch.tensor(4.0)) if objective is PredictedTokens else torch.tensor(1.0)
    torch.testing.assert_close(loss.detach(), 10 / 5 * mean)  # two windows of five tokens: the mean of a token each


@pytest.mark.parametrize("share, length", [(0.15, None), (0.4, 8)])
def test_the_logged_loss_is_that_of_a_token(share: float, length: int | None, weights: Path, tmp_path: Path) -> None:
    """A model that knows nothing loses about log(vocabulary) a token, whatever the texts' lengths and the share."""
    still = LoopStage(lr=1e-12, head_lr=1e-12, precision="fp32", epochs=9)
    step = MaskedLM(stage=still, share=share, length=length, warm=0, held=0.2)
    rows, encoder = toy_rows(80), member(weights, step)
    (found,) = encoder.pretrained(encoder.make_dataset(rows), rows)
    lines = [line for line in map(json.loads, bytes(found["log"]).decode().splitlines()) if "loss" in line]
    steps = np.diff([0, *(line["step"] for line in lines)])
    mean = np.average([line["loss"] for line in lines], weights=steps)
    assert mean == pytest.approx(np.log(len(VOCABULARY)), rel=0.1)
    assert found["held"] == pytest.approx([np.log(len(VOCABULARY))] * 2, rel=0.02)


@pytest.mark.parametrize("step", [MaskedLM, CausalLM])
def test_held_out_loss_falls_on_a_toy_language(step: Any, tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "w") if step is MaskedLM else gpt2(tmp_path / "w")
    rows = toy_rows(300)
    encoder = member(folder, step(stage=FAST, warm=10, batch_rows=16))
    (found,) = encoder.pretrained(encoder.make_dataset(rows), rows)
    before, after = found["held"]
    assert before == pytest.approx(np.log(len(VOCABULARY)), rel=0.05)
    assert after < 0.55 * before  # a colour tells its thing, and a thing its colour
    assert not [name for name in found if "cls" in name or "lm_head" in name]  # the output layer is dropped


def test_a_lost_output_layer_is_tied_and_learns_alone_first(tmp_path: Path) -> None:
    rows = toy_rows(60)
    for has_one in (False, True):
        folder = save_bert(tmp_path / str(has_one), with_output_layer=has_one)
        encoder = member(folder, MaskedLM(stage=FAST, warm=7))
        body = encoder.first_body(encoder.make_dataset(rows))
        given = encoder.given(encoder.make_dataset(rows), rows)
        goal = encoder.pretrain[0].goal(body, given, rows.at, rows.at[:0])
        assert [(stage.only_head, stage.steps) for stage in goal.stages] == [(True, 7)] * (not has_one) + [
            (False, None)
        ]
        assert goal.model.model.get_output_embeddings().weight is body.backbone.get_input_embeddings().weight
        assert goal.model.backbone is body.backbone and goal.held is None
        layers = {goal.model.layer_of(name) for name, _ in goal.model.named_parameters()}
        assert layers == {None, 0, 1, 2}


def test_the_backbone_stays_while_the_output_layer_learns_alone(weights: Path) -> None:
    rows, warm = toy_rows(60), 12
    brief = FAST.model_copy(update={"epochs": 1, "lr": 1e-12, "head_lr": 0.1, "clip": None})
    encoder = member(weights, MaskedLM(stage=brief, warm=warm, held=0.3))
    (found,) = encoder.pretrained(encoder.make_dataset(rows), rows)
    body = encoder.first_body(encoder.make_dataset(rows)).state_dict()
    moved_most = max(np.abs(v - body[n.removeprefix("body.")].numpy()).max() for n, v in found.items() if "body" in n)
    assert moved_most < 1e-6 and found["held"][1] < 0.95 * found["held"][0]


def test_long_texts_are_read_to_their_end(weights: Path) -> None:
    texts = ["the red apple " * 9, "green leaf"]
    rows = Rows(TASK, Source(pd.DataFrame({"text": texts})), np.arange(2), np.zeros((2, 1)))
    encoder = member(weights, MaskedLM(length=8, held=0))
    body = encoder.first_body(encoder.make_dataset(rows))
    goal = encoder.pretrain[0].goal(body, encoder.given(encoder.make_dataset(rows), rows), rows.at, rows.at[:0])
    windows = [goal.batches.batches.inputs.length[i] for i in goal.batches.batches.at]
    assert sum(windows) - 2 * len(windows) == 27 + 2 and max(windows) == 8


def test_rows_that_are_held_out_are_never_learnt_from_and_equal_ones_go_together(weights: Path) -> None:
    base = toy_rows(40)
    texts = pd.concat([base.source.frame, base.source.frame])
    rows = Rows(TASK, Source(texts), np.arange(80), np.zeros((80, 1)))
    encoder = member(weights, MaskedLM(held=0.3))
    goal = encoder.pretrain[0].goal
    seen: list[tuple[set[int], set[int]]] = []
    patched = pytest.MonkeyPatch()

    def watched(self: Any, body: Any, given: Any, learnt: np.ndarray, held: np.ndarray) -> Any:
        seen.append((set(learnt.tolist()), set(held.tolist())))
        return goal(body, given, learnt, held)

    with patched.context() as patch:
        patch.setattr(MaskedLM, "goal", watched)
        encoder.pretrained(encoder.make_dataset(rows), rows)
    ((learnt, held),) = seen
    assert learnt | held == set(range(80)) and not learnt & held and 10 < len(held) < 40
    said = list(map(rows.source.frame["text"].iloc.__getitem__, range(80)))
    assert not {said[i] for i in learnt} & {said[i] for i in held}


def test_on_another_device_nothing_stays_behind(weights: Path) -> None:
    batch = batch_of(weights, masked_places(weights))
    encoder = member(weights)
    backbone = encoder.first_body(encoder.make_dataset(toy_rows(2))).backbone
    model, _ = with_output_layer("AutoModelForMaskedLM", weights, backbone, "MaskedLM")
    here = VocabularyModel(model, lambda name: 0).eval()
    expected = PredictedTokens()(here, batch).loss.item()
    with elsewhere() as place:
        there = moved(here)
        step = PredictedTokens()(there, to_device(batch, place))
        step.loss.backward()
        assert step.loss.device == place
        assert step.loss.inner.item() == pytest.approx(expected, rel=1e-5)


def test_what_cannot_be_learnt_is_said(tmp_path: Path) -> None:
    rows = toy_rows(8)
    folder = gpt2(tmp_path / "gpt2")
    with pytest.raises(KitError, match="MaskedLM: transformers has no such language model of a GPT2Model"):
        member(folder, MaskedLM()).prepare(rows)
    t5 = tmp_path / "t5"
    save_tokenizer(t5)
    T5Model(
        T5Config(vocab_size=len(VOCABULARY), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    ).save_pretrained(t5)
    with pytest.raises(KitError, match="MaskedLM: transformers has no such language model of a T5Stack"):
        member(t5, MaskedLM()).prepare(rows)
    with pytest.raises(KitError, match="CausalLM|language needs a causal decoder"):
        member(save_bert(tmp_path / "bert"), CausalLM()).prepare(rows)
    with pytest.raises(KitError, match="stage.mix mixes labels"):
        Encoder().override("pretrain=MaskedLM(stage=LoopStage(mix=Mixup))")
