"""Tiny models of transformers with random weights and a tokenizer with pieces of words, and a toy language."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, BertModel, PreTrainedTokenizerFast

from kit.metrics import roc_auc
from kit.rows import Rows
from kit.source import Source
from kit.task import Task

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAIRS = {"red": "apple", "green": "leaf", "blue": "sky", "white": "snow", "black": "coal"}
VOCABULARY = [*SPECIAL, *PAIRS, *PAIRS.values(), "the", "is", "##s", "##ish", *"abcdefghijklmnopqrstuvwxyz", "."]
TASK = Task(name="t", kind="binary", targets=("y",), text=("text",), metric=roc_auc)


def save_tokenizer(folder: Path, mask: bool = True) -> Any:
    """A WordPiece tokenizer of the toy language."""
    made = Tokenizer(models.WordPiece({w: i for i, w in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, **names, **({"mask_token": "[MASK]"} if mask else {}))
    tokenizer.save_pretrained(folder)
    return tokenizer


def tiny_config(dropout: float = 0.1) -> BertConfig:
    return BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
    )  # fmt: skip


def save_bert(folder: Path, with_output_layer: bool = False, dropout: float = 0.1) -> Path:
    """A BERT of two layers, with or without the layer that predicts tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = (BertForMaskedLM if with_output_layer else BertModel)(tiny_config(dropout))
    made.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny BERT without output layer."""
    return save_bert(tmp_path_factory.mktemp("weights") / "bert")


def toy_rows(n: int = 60, folder: Path | None = None, seed: int = 0) -> Rows:
    """Texts in which each colour is followed by its thing; the label says whether red is among the colours."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(n):
        drawn = rng.choice(list(PAIRS), int(rng.integers(1, 5)))
        texts.append(" ".join(f"the {c} {PAIRS[c]}{'s' if rng.random() < 0.3 else ''}" for c in drawn))
        labels.append(float("red" in drawn))
    frame = pd.DataFrame({"text": texts})
    return Rows(TASK, Source(frame, folder), np.arange(n), np.array(labels)[:, None])
