"""What reads rows for an Encoder: tokenizer and backbone from a folder of weights."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from kit.data import Arrays, Rows, join_text
from kit.files import contents
from kit.members.encoder import Cut, Encoder
from kit.members.reading import Reader
from kit.models.encoder import TextEncoder
from kit.models.pieces import Pieces
from kit.spec import KitError, digest
from kit.text.tokens import TokenPieces, Tokens, tokenize
from kit.train.device import best_device
from kit.train.learn import fresh_layers
from kit.train.lengths import Inputs


class TokenReader(Reader):
    """Rows as token ids of a pretrained encoder.

    Args:
        spec: weights, length and pooling.
        folder: where tokenizer, configuration and, for `body`, weights lie.
    """

    def __init__(self, spec: Encoder, folder: Path) -> None:
        self.spec, self.folder = spec, folder

    def inputs(self, rows: Rows) -> Inputs:
        spec = self.spec
        if spec.cut in ("head", "head_tail"):
            return tokens_of(rows, self.folder, spec.length, spec.cut)
        arrays = _arrays(rows, self.folder, spec.length, spec.cut, spec.overlap)
        return TokenPieces(_tokens(arrays), arrays["first"], spec.pieces)

    def body(self) -> TextEncoder | Pieces:
        spec = self.spec
        backbone = _backbone(self.folder)
        _check_length(spec, backbone)
        body = self._around(backbone)
        if spec.reinit:
            fresh_layers(body, spec.reinit, body.depth)
        if spec.checkpointing:
            named = ("activation_checkpointing_enable", "gradient_checkpointing_enable")  # since, before transformers 5
            enable = next(getattr(backbone, name) for name in named if hasattr(backbone, name))
            enable({"use_reentrant": False})
        return body

    def blank(self) -> TextEncoder | Pieces:
        from transformers import AutoConfig, AutoModel

        config = AutoConfig.from_pretrained(self.folder, trust_remote_code=False)
        return self._around(encoder_of(AutoModel.from_config(config, trust_remote_code=False)))

    def _around(self, backbone: Any) -> TextEncoder | Pieces:
        spec, pieces = self.spec, self.spec.cut in ("windows", "sentences")
        # jagged tensors cannot be kept for a layer that is computed again
        unpadded = spec.unpadded and not (pieces or spec.checkpointing) and best_device().type == "cuda"
        encoder = TextEncoder(backbone, spec.pool, unpadded)
        return Pieces(encoder, spec.join) if pieces else encoder

    def save(self, folder: Path, body: Any) -> None:
        body.backbone.config.save_pretrained(folder)
        tokenizer_of(self.folder).save_pretrained(folder)


def encoder_of(model: Any) -> nn.Module:
    """The part that reads: T5's and BART's encoder without the decoder, BERT without its next-sentence pooler.

    In fp32, whatever its file holds: the loop chooses what products run in.
    """
    if hasattr(model, "encoder") and hasattr(model, "decoder"):
        return model.encoder.float()
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model.float()


def tokenizer_of(folder: Path) -> Any:
    """The tokenizer that lies in a folder of weights; no code of the folder's own is run."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


@lru_cache(maxsize=4)
def _kept_tokenizer(folder: Path, sums: tuple[str, ...]) -> Any:
    """One that only reads, for block after block of rows; never to be saved, as it remembers where it cut."""
    return tokenizer_of(folder)


def tokens_of(rows: Rows, folder: Path, length: int, cut: Cut = "head") -> Tokens:
    """Tokens of every row of the source, one piece each."""
    return _tokens(_arrays(rows, folder, length, cut, 0))


def _tokens(arrays: Arrays) -> Tokens:
    return Tokens(arrays["flat"], arrays["start"], int(arrays["pad"]))


def _arrays(rows: Rows, folder: Path, length: int, cut: Cut, overlap: int) -> Arrays:
    """What `tokenize` gives, cached under the digest of the tokenizer's files and of what is asked."""
    named = (p for p in folder.iterdir() if re.search(r"token|vocab|\.txt$|\.model$", p.name))
    files = sorted(p for p in named if p.is_file())
    sums = tuple(contents(p) for p in files)
    name = "tokens-" + digest([rows.task.text, length, cut, overlap, sums])[:16]

    def compute(frame: Any) -> Arrays:
        tokenizer = _kept_tokenizer(folder, sums)
        pad = np.array(tokenizer.pad_token_id or 0)
        return {"pad": pad, **tokenize(tokenizer, join_text(frame, rows.task.text), length, cut, overlap)}

    return rows.source.once(name, compute)


def _backbone(folder: Path) -> Any:
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    safe = True if any(folder.glob("*.safetensors")) else None
    model, found = AutoModel.from_pretrained(
        folder, use_safetensors=safe, trust_remote_code=False, output_loading_info=True
    )
    if lost := sorted(name for name in found["missing_keys"] if "pooler" not in name):  # transformers makes them up
        raise KitError(f"weights {folder}: {len(lost)} of the model's tensors are missing, such as '{lost[0]}'")
    return encoder_of(model)


def _check_length(spec: Encoder, backbone: nn.Module) -> None:
    """Refuses texts longer than the table of absolute positions, where the encoder has one."""
    for name, module in backbone.named_modules():
        if isinstance(module, nn.Embedding) and name.endswith(("position_embeddings", "wpe")):
            places = module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
            if spec.length > places:
                raise KitError(f"Encoder.length = {spec.length}: '{spec.weights}' reads at most {places} tokens")
