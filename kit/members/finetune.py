"""Fine-tuning a text encoder: what `Encoder` does."""

import re
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from kit.data import Rows, join_text
from kit.files import checksum, read_json, write_json
from kit.member import Predictor
from kit.members.encoder import Encoder
from kit.models.encoder import TextEncoder
from kit.spec import KitError, Spec, digest
from kit.text.tokens import TokenBatches, Tokens, by_length, tokenize
from kit.train import Supervised, train
from kit.train.device import autocast, best_device, device_of
from kit.train.objective import LOSSES, to_device
from kit.weights import find_weights


def prepare(spec: Encoder, rows: Rows) -> None:
    """Makes the tokens of every row of the source."""
    _tokens(rows, find_weights(spec.weights), spec.length)


def fit(spec: Encoder, rows: Rows, work: Path) -> "EncoderPredictor":
    """Fine-tunes on labelled rows; `work` keeps the state that a killed fit goes on from."""
    folder = find_weights(spec.weights)
    tokens = _tokens(rows, folder, spec.length)
    scale = _Scale.of(rows)
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        backbone = _backbone(folder)
        _check_length(spec, backbone)
        net = TextEncoder(backbone, rows.task.outputs, spec.pool, spec.dropout, scale.bias)
        net.to(best_device())
        y = (rows.labels - scale.center) / scale.scale
        batches = TokenBatches(tokens, rows.at, y, spec.batch_tokens, spec.batch_rows, spec.seed)
        objective = Supervised(LOSSES[rows.task.kind])
        train(net, objective, batches, spec.stage, work, net.depth, save_every=spec.save_every)
    return EncoderPredictor(spec, net, folder, scale)


class _Scale:
    """Regression targets as zero mean and unit variance, and where the head's bias starts for the other kinds."""

    def __init__(self, kind: str, center: np.ndarray, scale: np.ndarray, bias: torch.Tensor | None = None) -> None:
        self.kind, self.center, self.scale, self.bias = kind, center, scale, bias

    @classmethod
    def of(cls, rows: Rows) -> Self:
        task, y = rows.task, rows.labels
        if task.kind == "regression":
            deviation = y.std(0)
            return cls(task.kind, y.mean(0), np.where(deviation > 0, deviation, 1.0))
        hot = np.eye(task.outputs)[y[:, 0].astype(int)] if task.kind == "multiclass" else y
        share = (hot.sum(0) + 0.5) / (len(hot) + 1)  # never 0 or 1, so its logarithm exists
        bias = np.log(share) if task.kind == "multiclass" else np.log(share / (1 - share))
        none = np.zeros(y.shape[1])
        return cls(task.kind, none, none + 1, torch.tensor(bias, dtype=torch.float32))

    def answer(self, logits: np.ndarray) -> np.ndarray:
        """Logits → probabilities, or values in the target's own unit."""
        if self.kind == "regression":
            return logits * self.scale + self.center
        if self.kind == "multiclass":
            odds = np.exp(logits - logits.max(1, keepdims=True))
            return odds / odds.sum(1, keepdims=True)
        return 1 / (1 + np.exp(-logits))


class EncoderPredictor(Predictor):
    """A fine-tuned encoder with its tokenizer."""

    def __init__(self, spec: Encoder, net: TextEncoder, folder: Path, scale: _Scale) -> None:
        self.spec, self.net, self.folder, self.scale = spec, net, folder, scale

    @torch.inference_mode()
    def predict(self, rows: Rows) -> np.ndarray:
        tokens = _tokens(rows, self.folder, self.spec.length)
        # Batches are cut from rows in the source's order, so that the order asked for does not change a bit.
        order = np.argsort(rows.at, kind="stable")
        first, again = tokens.distinct(rows.at[order])
        device, logits = device_of(self.net), np.empty((len(first), rows.task.outputs))
        with autocast(device, self.spec.stage.precision):  # around all batches: weights are made bf16 once
            for batch in by_length(tokens.length[first], 4 * self.spec.batch_tokens, 8 * self.spec.batch_rows):
                inputs = to_device(tokens.padded(first[batch]), device)
                logits[batch] = self.net(**inputs).float().cpu().numpy()
        answer = np.empty((len(rows), rows.task.outputs))
        answer[order] = logits[again]
        return self.scale.answer(answer)

    def save(self, folder: Path) -> None:
        """Writes a folder that needs nothing else: backbone configuration, tokenizer, weights, this member's spec."""
        from safetensors.torch import save_model

        self.net.backbone.config.save_pretrained(folder)
        _tokenizer(self.folder).save_pretrained(folder)
        save_model(self.net, str(folder / "model.safetensors"), metadata={"format": "pt"})  # shared tensors once
        scale = {"kind": self.scale.kind, "center": self.scale.center.tolist(), "scale": self.scale.scale.tolist()}
        write_json(folder / "kit.json", {"spec": self.spec.dump(), "scale": scale})

    @classmethod
    def load(cls, folder: Path) -> Self:
        from safetensors import safe_open
        from safetensors.torch import load_model
        from transformers import AutoConfig, AutoModel

        facts = read_json(folder / "kit.json")
        spec = Spec.revive(facts["spec"])
        assert isinstance(spec, Encoder)
        with safe_open(folder / "model.safetensors", "pt") as file:
            outputs = file.get_slice("head.bias").get_shape()[0]
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with torch.random.fork_rng():  # the weights drawn here are replaced at once
            backbone = _encoder_of(AutoModel.from_config(config, trust_remote_code=False))
            net = TextEncoder(backbone, outputs, spec.pool, spec.dropout)
        load_model(net, folder / "model.safetensors")
        scale = facts["scale"]
        scale = _Scale(scale["kind"], np.array(scale["center"]), np.array(scale["scale"]))
        return cls(spec, net.to(best_device()).eval(), folder, scale)


def _backbone(folder: Path) -> torch.nn.Module:
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    safe = True if any(folder.glob("*.safetensors")) else None
    model, found = AutoModel.from_pretrained(
        folder, use_safetensors=safe, trust_remote_code=False, output_loading_info=True
    )
    if lost := sorted(name for name in found["missing_keys"] if "pooler" not in name):  # transformers makes them up
        raise KitError(f"weights {folder}: {len(lost)} of the model's tensors are missing, such as '{lost[0]}'")
    return _encoder_of(model)


def _encoder_of(model: Any) -> torch.nn.Module:
    """The part that reads: T5's and BART's encoder without the decoder, BERT without its next-sentence pooler.

    In fp32, whatever its file holds: the loop chooses what products run in.
    """
    if hasattr(model, "encoder") and hasattr(model, "decoder"):
        return model.encoder.float()
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model.float()


def _check_length(spec: Encoder, backbone: torch.nn.Module) -> None:
    """Refuses texts longer than the table of absolute positions, where the encoder has one."""
    for name, module in backbone.named_modules():
        if isinstance(module, torch.nn.Embedding) and name.endswith(("position_embeddings", "wpe")):
            places = module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
            if spec.length > places:
                raise KitError(f"Encoder.length = {spec.length}: '{spec.weights}' reads at most {places} tokens")


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def _tokens(rows: Rows, folder: Path, length: int) -> Tokens:
    """Tokens of every row of the source, cached under the digest of the tokenizer's files and the length."""
    named = (p for p in folder.iterdir() if re.search(r"token|vocab|\.txt$|\.model$", p.name))
    files = sorted(p for p in named if p.is_file())
    name = "tokens-" + digest([rows.task.text, length, [checksum(p) for p in files]])[:16]

    def compute(frame: Any) -> dict[str, np.ndarray]:
        tokenizer = _tokenizer(folder)
        pad = np.array(tokenizer.pad_token_id or 0)
        return {"pad": pad, **tokenize(tokenizer, join_text(frame, rows.task.text), length)}

    arrays = rows.source.once(name, compute)
    return Tokens(arrays["flat"], arrays["start"], int(arrays["pad"]))
