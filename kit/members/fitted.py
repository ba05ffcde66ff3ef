"""A trained network member: predicts, is saved and loaded."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from kit.data import Rows
from kit.files import read_json, write_json
from kit.layers.heads import LINKS
from kit.member import Predictor
from kit.members.network import Network
from kit.members.reading import Reader
from kit.models.headed import Headed
from kit.spec import Spec
from kit.train.device import autocast, best_device, device_of
from kit.train.lengths import Inputs, by_length, distinct
from kit.train.objective import to_device
from kit.train.prepacked import prepacked

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


class NetworkPredictor(Predictor):
    """A trained network with what reads rows for it."""

    def __init__(self, spec: Network, reader: Reader, net: Headed, scale: Scale) -> None:
        self.spec, self.reader, self.net, self.scale = spec, reader, net, scale
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
        inputs = self.reader.inputs(rows)
        # Batches are cut from rows in the source's order, so that the order asked for does not change a bit.
        order = np.argsort(rows.at, kind="stable")
        first, again = distinct(inputs, rows.at[order])
        device, logits = device_of(self.net), np.empty((len(first), rows.task.outputs))
        wide = 4 if device.type == "cuda" else 1  # a GPU wants more work at once; a CPU gains nothing but padding
        # around all batches: weights are made bf16, and laid out for products, once
        with autocast(device, self.spec.stage.precision), prepacked(self.net):
            for batch in by_length(inputs.length[first], wide * self.spec.batch_tokens, 8 * self.spec.batch_rows):
                logits[batch] = self._logits(inputs, first[batch])
        answer = np.empty((len(rows), rows.task.outputs))
        answer[order] = logits[again]
        return self.scale.answer(answer)

    def _logits(self, inputs: Inputs, rows: np.ndarray) -> np.ndarray:
        """Answers about the rows of one batch, cut in two, and again, while the device's memory cannot hold it."""
        half = len(rows) // 2
        try:
            given = to_device(self.net.arranged(inputs.padded(rows)), device_of(self.net))
            return self.net(**given).float().cpu().numpy()
        except torch.cuda.OutOfMemoryError:
            if not half:
                raise
        return np.concatenate([self._logits(inputs, part) for part in (rows[:half], rows[half:])])

    def save(self, folder: Path) -> None:
        """Writes a folder that needs nothing else: what reads rows, weights, this member's spec."""
        from safetensors.torch import save_model

        self.reader.save(folder, self.net.body)
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

        facts = read_json(folder / "kit.json")
        spec = Spec.revive(facts["spec"])
        assert isinstance(spec, Network)
        reader = spec.saved_reader(folder)
        with torch.random.fork_rng():  # the weights drawn here are replaced at once
            net = headed(spec, reader.blank(), facts["outputs"], facts["scale"]["kind"])
        states = []
        for i in range(max(1, facts["snapshots"])):
            load_model(net, folder / _weights(i))
            states.append({name: value.clone() for name, value in net.state_dict().items()})
        center, deviation = (np.array(facts["scale"][name]) for name in ("center", "scale"))
        scale = Scale(facts["scale"]["kind"], center, deviation)
        loaded = cls(spec, reader, net.to(best_device()).eval(), scale)
        loaded.snapshots = states if facts["snapshots"] else []
        return loaded


def headed(spec: Network, body: Any, outputs: int, kind: str, bias: torch.Tensor | None = None) -> Headed:
    """The spec's head on a body."""
    r = spec.regularise
    return Headed(body, outputs, spec.dropout, bias, r.heads, r.samples, LINKS[kind])


def _weights(i: int) -> str:
    return f"model{i or ''}.safetensors"
