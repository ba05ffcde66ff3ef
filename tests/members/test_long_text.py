"""Long texts: both ends, windows, sentences; and a decoder with its own loss beside the task's."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

from kit.core.errors import KitError
from kit.losses import BCE
from kit.members.network.fitted import NetworkPredictor
from kit.models import TextEncoder
from kit.models.pieces import PiecewiseEncoder
from kit.rows import Rows
from kit.text.tokens import TokenPieces, Tokens, tokenize
from kit.train import Supervised
from kit.train.objectives import WithLanguageModel, causal
from tests.helpers.encoders import FAST, QUICK, bert, one_thread, rows_of, spec_of  # noqa: F401
from tests.helpers.tokens import tokenizer

LONG = "a b c d e f g h a b c d e f"  # CLS and SEP make it 16


def pieces_of(made: dict[str, np.ndarray]) -> list[list[int]]:
    return [row.tolist() for row in np.split(made["flat"], made["start"][1:-1])]


def test_head_and_tail_are_both_ends_with_their_special_tokens() -> None:
    whole = tokenizer()(LONG)["input_ids"]
    (row, short) = pieces_of(tokenize(tokenizer(), [LONG, "a"], 9, "head_tail"))
    assert row == [*whole[:5], *whole[-4:]] and len(row) == 9 and short == tokenizer()("a")["input_ids"]


@pytest.mark.parametrize("overlap", [0, 2])
def test_windows_cover_the_text_and_overlap_as_set(overlap: int) -> None:
    made = tokenize(tokenizer(), [LONG, "a", ""], 8, "windows", overlap, block=2)
    rows = pieces_of(made)
    assert np.diff(made["first"]).tolist() == [len(rows) - 2, 1, 1]
    inner = [row[1:-1] for row in rows[:-2]]  # without CLS and SEP
    assert all(row[0] == 2 and row[-1] == 3 and len(row) <= 8 for row in rows)
    joined = inner[0] + [token for row in inner[1:] for token in row[overlap:]]
    assert joined == tokenizer()(LONG)["input_ids"][1:-1]
    assert all(a[len(a) - overlap :] == b[:overlap] for a, b in pairwise(inner))


def test_sentences_are_pieces() -> None:
    made = tokenize(tokenizer(), ["aa bb. cc! d e f g h a b c d", ""], 8, "sentences")
    rows = pieces_of(made)
    assert np.diff(made["first"]).tolist() == [3, 1] and [len(row) for row in rows] == [5, 4, 8, 2]


def token_pieces(limit: int) -> TokenPieces:
    """Three rows of 2, 1 and 5 pieces; piece i holds i + 1 over and over."""
    length = np.array([2, 3, 1, 1, 2, 1, 4, 1])
    flat = np.repeat(np.arange(8) + 1, length).astype(np.int32)
    return TokenPieces(Tokens(flat, np.concatenate([[0], np.cumsum(length)]), -7), np.array([0, 2, 3, 8]), limit)


def test_of_too_many_pieces_the_middle_is_left_out() -> None:
    pieces = token_pieces(3)
    assert pieces.pieces(2).tolist() == [3, 4, 7] and pieces.length.tolist() == [6, 1, 12]
    batch = pieces.padded(np.array([2, 1]))
    assert batch["input_ids"][:, :, 0].tolist() == [[4, 5, 8], [3, -7, -7]]
    assert batch["attention_mask"].tolist() == [[[1, 0], [1, 1], [1, 0]], [[1, 0], [0, 0], [0, 0]]]
    assert token_pieces(9).padded(np.array([2]))["input_ids"].shape == (1, 5, 4)
    assert pieces.key(0) != pieces.key(1) and pieces.key(2) == token_pieces(3).key(2)


@pytest.mark.parametrize("join", ["mean", "max", "attention", "gru"])
def test_a_text_is_the_pooled_answers_about_its_pieces(join: str) -> None:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    net = PiecewiseEncoder(TextEncoder(BertModel(config, add_pooling_layer=False)), join).eval()
    inputs = {name: value.clamp(min=0) for name, value in token_pieces(9).padded(np.array([0, 2])).items()}
    with torch.no_grad():
        both = net(**inputs)
        for row in range(2):
            ids, mask = inputs["input_ids"][row], inputs["attention_mask"][row]
            each = torch.cat(
                [net.encoder(i[None, m > 0], m[None, m > 0]) for i, m in zip(ids, mask, strict=True) if m.any()]
            )
            expected = net.join(each[None], torch.ones(1, len(each)))[0]
            torch.testing.assert_close(both[row], expected, rtol=1e-4, atol=1e-5)
    assert net.layer_of("join.x") is None and net.layer_of("encoder.backbone.embeddings.word_embeddings.weight") == 1


@pytest.mark.parametrize(
    "setting", ["head_tail", "windows", "sentences", "windows join=attention", "sentences join=gru"]
)
def test_a_member_reads_long_texts_and_comes_back(setting: str, bert: Path, tmp_path: Path) -> None:
    rows = rows_of()
    frame = rows.source.frame.assign(text=["dog cat dog cat. " * 3 + t + " dog cat dog cat." * 3 for t in rows.texts()])
    long = Rows.of(rows.task, frame, rows.y)
    truncation, *more = f"truncation={setting}".split()
    spec = spec_of(bert, FAST).override("length=12", "overlap=4", truncation, *more)
    fitted = spec.learn(long, long, tmp_path / "work")
    p = fitted.predict(long)
    if truncation != "truncation=head_tail":  # what decides lies in the middle
        assert long.task.metric(long.labels, p) > 0.9
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(long), p)
    with pytest.raises(KitError, match="overlap = 7 is more than half of length = 12"):
        spec.override("truncation=windows", "overlap=7")


@pytest.mark.parametrize("truncation", ["windows", "sentences"])
def test_texts_in_pieces_are_not_mixed_and_any_stage_s_noise_is_fitted(
    truncation: str, bert: Path, tmp_path: Path
) -> None:
    spec = spec_of(bert, QUICK).override("length=12", "overlap=4", f"truncation={truncation}")
    sentence = f"mix pairs whole texts, and truncation={truncation} reads pieces of them; leave mix out"
    for setting in ("mix=EmbeddingMixup", "then=Stage(mix=EmbeddingMixup)"):
        with pytest.raises(KitError, match=sentence):
            spec.override(setting)
    rows = rows_of()
    spec = spec.override("noise=NEFTune", "perturb=FGM", "stage.steps=2")
    assert np.isfinite(spec.learn(rows, rows, tmp_path).predict(rows)).all()


# ---- a decoder's own loss --------------------------------------------------------------------------


def gpt(folder: Path, bert: Path) -> Path:
    import shutil

    shutil.copytree(bert, folder)
    torch.manual_seed(0)
    GPT2Model(GPT2Config(vocab_size=64, n_embd=16, n_layer=2, n_head=2, n_positions=32)).save_pretrained(folder)
    return folder


class Classifier(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = GPT2Model(GPT2Config(vocab_size=20, n_embd=8, n_layer=1, n_head=2, n_positions=8)).eval()
        self.head = torch.nn.Linear(8, 1)

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        return self.head(self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[:, 0])


def test_the_language_loss_is_that_of_each_next_token() -> None:
    net, lengths = Classifier(), [5, 2, 1]
    ids = torch.randint(0, 20, (3, 5))
    mask = (torch.arange(5) < torch.tensor(lengths)[:, None]).long()
    batch = {"inputs": {"input_ids": ids, "attention_mask": mask}, "y": torch.ones(3, 1)}
    plain = Supervised(BCE().rows("binary"))
    expected = plain(net, batch).loss
    states = net.backbone(input_ids=ids, attention_mask=mask).last_hidden_state
    for row, length in enumerate(lengths):
        losses = [
            F.cross_entropy(states[row, i] @ net.backbone.wte.weight.T, ids[row, i + 1]) for i in range(length - 1)
        ]
        expected = expected + 0.3 * sum(losses) / max(1, len(losses))
    found = WithLanguageModel(plain, net.backbone, 0.3)(net, batch)
    torch.testing.assert_close(found.loss, expected)
    assert not net.backbone._forward_hooks

    class Waits(TorchDispatchMode):
        """Fails where tokens are picked by a mask: a GPU would have to be waited for to learn how many they are."""

        def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            picked = args[1] if op is torch.ops.aten.index.Tensor else ()
            assert op is not torch.ops.aten.nonzero.default
            assert not any(where is not None and where.dtype == torch.bool for where in picked)
            return op(*args, **(kwargs or {}))

    with Waits():
        WithLanguageModel(plain, net.backbone, 0.3)(net, batch)


def test_only_decoders_have_such_a_loss(bert: Path, tmp_path: Path) -> None:
    rows = rows_of()
    with pytest.raises(KitError, match="language needs a causal decoder, which sees no later tokens; BertModel reads"):
        spec_of(bert).override("language=0.5").learn(rows, rows, tmp_path / "bert")
    spec = spec_of(gpt(tmp_path / "gpt", bert), FAST, pool="last")
    fitted = spec.override("language=0.5").learn(rows, rows, tmp_path / "work")
    assert rows.task.metric(rows.labels, fitted.predict(rows)) > 0.9
    assert causal(fitted.net.body.backbone) is fitted.net.body.backbone

    def predicted(language: float) -> float:
        net = spec.override("epochs=6", f"language={language}").learn(rows, rows, tmp_path / str(language)).net
        batch = {"inputs": spec.make_dataset(rows).inputs(rows).padded(rows.at), "y": torch.zeros(len(rows), 1)}
        with torch.no_grad():
            return float(
                WithLanguageModel(Supervised(BCE().rows("binary")), net.body.backbone, 1)(net, batch).parts["language"]
            )

    assert predicted(2.0) < 0.8 * predicted(0.0)


def test_a_stage_of_the_head_alone_leaves_the_language_model_out(bert: Path, tmp_path: Path) -> None:
    rows, spec = rows_of(), spec_of(gpt(tmp_path / "gpt", bert), FAST, pool="last").override("language=0.5")
    head_first = spec.model_copy(update={"stage": FAST.override("only_head=true"), "then": (FAST,)})
    fitted = head_first.learn(rows, rows, tmp_path / "work")
    assert rows.task.metric(rows.labels, fitted.predict(rows)) > 0.9
    with pytest.raises(KitError, match="language trains the encoder, but only_head freezes it"):
        spec.override("only_head=true")
