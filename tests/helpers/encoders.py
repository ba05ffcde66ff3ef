"""A tiny BERT with random weights, texts whose words tell the label, and settings that are quick."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
)

from kit.members import Encoder
from kit.metrics import mean_roc_auc
from kit.rows import Rows
from kit.task import Task
from kit.train import Stage

WORDS = ["good", "bad", "fine", "the", "a", "movie", "was", "dog"]
N = 48
QUICK = Stage(epochs=2, lr=3e-3, head_lr=1e-2, layer_decay=0.9, precision="fp32")
FAST = Stage(epochs=12, lr=1e-2, head_lr=2e-2, precision="fp32")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *"abcdefghijklmnopqrstuvwxyz", "##s"]
    made = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    special = [("[CLS]", 2), ("[SEP]", 3)]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder, safe_serialization=True)
    return folder


def rows_of(kind: str = "binary", n: int = N, seed: int = 0) -> Rows:
    """Texts of words; whether good, bad or fine occur tells the label."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(3, len(WORDS), (n, 12))
    drawn[np.arange(n), rng.integers(0, 2, n)] = np.arange(n) % 3
    texts = [" ".join(WORDS[i] for i in row[: 2 + k % 11]) for k, row in enumerate(drawn)]
    has = np.stack([[w in t.split() for t in texts] for w in WORDS[:3]], axis=1).astype(float)
    y = {
        "binary": has[:, :1],
        "multilabel": has[:, :2],
        "multiclass": has.argmax(1)[:, None],
        "regression": 1000 + 50 * has[:, :1],
    }[kind]
    targets, classes = (
        (("u", "v") if kind == "multilabel" else ("u",)),
        (("x", "y", "z") if kind == "multiclass" else ()),
    )
    task = Task(name="t", kind=kind, targets=targets, text=("text",), classes=classes, metric=mean_roc_auc)
    return Rows.of(task, pd.DataFrame({"id": np.arange(n), "text": texts}), y)


def spec_of(bert: Path, stage: Stage = QUICK, **changes: Any) -> Encoder:
    return Encoder(weights=str(bert), length=16, batch_tokens=128, batch_rows=8, stage=stage, **changes)
