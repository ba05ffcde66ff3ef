"""A fine-tuned text encoder: predicts, is saved and loaded."""

import re
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from kit.data import Rows, join_text
from kit.files import checksum, read_json, write_json
from kit.layers.heads import LINKS
from kit.member import Predictor
from kit.members.encoder import Encoder
from kit.models.encoder import TextEncoder
from kit.spec import Spec, digest
from kit.text.tokens import Tokens, by_length, tokenize
from kit.train.device import autocast, best_device, device_of
from kit.train.objective import to_device

Weights = dict[str, torch.Tensor]


class Scale:
    """Regression targets as zero mean and unit variance, and where the head's bias starts for the other kinds."""

    def __init__(self, kind: str, center: np.ndarray, scale: np.ndarray, bias: torch.Tensor | None = None) -> None:
        self.kind, self.center, self.scale, self.bias = kind, center, scale, bias

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """What the labels of the train rows say."""
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

    def __init__(self, spec: Encoder, net: TextEncoder, folder: Path, scale: Scale) -> None:
        self.spec, self.net, self.folder, self.scale = spec, net, folder, scale
        self.snapshots: list[Weights] = []  # where there are any, their mean prediction answers

    def predict(self, rows: Rows) -> np.ndarray:
        if not self.snapshots:
            return self._predict(rows)
        answers = []
        for state in self.snapshots:
            self.net.load_state_dict(state)
            answers.append(self._predict(rows))
        return np.mean(answers, axis=0)

    @torch.inference_mode()
    def _predict(self, rows: Rows) -> np.ndarray:
        tokens = tokens_of(rows, self.folder, self.spec.length)
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
        tokenizer_of(self.folder).save_pretrained(folder)
        for i, state in enumerate(self.snapshots or [self.net.state_dict()]):
            self.net.load_state_dict(state)
            save_model(self.net, str(folder / _weights(i)), metadata={"format": "pt"})  # shared tensors once
        scale = {"kind": self.scale.kind, "center": self.scale.center.tolist(), "scale": self.scale.scale.tolist()}
        count = len(self.snapshots)
        write_json(
            folder / "kit.json",
            {"spec": self.spec.dump(), "scale": scale, "snapshots": count, "outputs": self.net.outputs},
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        from safetensors.torch import load_model
        from transformers import AutoConfig, AutoModel

        facts = read_json(folder / "kit.json")
        spec = Spec.revive(facts["spec"])
        assert isinstance(spec, Encoder)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with torch.random.fork_rng():  # the weights drawn here are replaced at once
            backbone = encoder_of(AutoModel.from_config(config, trust_remote_code=False))
            net = network(spec, backbone, facts["outputs"], facts["scale"]["kind"])
        states = []
        for i in range(max(1, facts["snapshots"])):
            load_model(net, folder / _weights(i))
            states.append({name: value.clone() for name, value in net.state_dict().items()})
        center, deviation = (np.array(facts["scale"][name]) for name in ("center", "scale"))
        scale = Scale(facts["scale"]["kind"], center, deviation)
        loaded = cls(spec, net.to(best_device()).eval(), folder, scale)
        loaded.snapshots = states if facts["snapshots"] else []
        return loaded


def network(
    spec: Encoder, backbone: torch.nn.Module, outputs: int, kind: str, bias: torch.Tensor | None = None
) -> TextEncoder:
    """The spec's network around a backbone."""
    r = spec.regularise
    return TextEncoder(backbone, outputs, spec.pool, spec.dropout, bias, r.heads, r.samples, LINKS[kind])


def _weights(i: int) -> str:
    return f"model{i or ''}.safetensors"


def encoder_of(model: Any) -> torch.nn.Module:
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


def tokens_of(rows: Rows, folder: Path, length: int) -> Tokens:
    """Tokens of every row of the source, cached under the digest of the tokenizer's files and the length."""
    named = (p for p in folder.iterdir() if re.search(r"token|vocab|\.txt$|\.model$", p.name))
    files = sorted(p for p in named if p.is_file())
    name = "tokens-" + digest([rows.task.text, length, [checksum(p) for p in files]])[:16]

    def compute(frame: Any) -> dict[str, np.ndarray]:
        tokenizer = tokenizer_of(folder)
        pad = np.array(tokenizer.pad_token_id or 0)
        return {"pad": pad, **tokenize(tokenizer, join_text(frame, rows.task.text), length)}

    arrays = rows.source.once(name, compute)
    return Tokens(arrays["flat"], arrays["start"], int(arrays["pad"]))
