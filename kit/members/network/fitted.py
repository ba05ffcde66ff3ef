"""A trained network member: predicts, is saved and loaded."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from kit.core.files import read_json, write_json
from kit.member import Predictor
from kit.members.network.budget import measured_budget
from kit.members.network.dataset import Dataset
from kit.members.network.settings import NetworkSettings
from kit.rows import Rows
from kit.train.average import Weights
from kit.train.device import autocast, best_device, device_of
from kit.train.lengths import LengthBatches, by_length, distinct
from kit.train.objective import to_device
from kit.train.prediction_kernels import prediction_kernels
from kit.train.prefetch import prefetched
from kit.train.side_by_side import batches_at_once, copies, side_by_side, threads_each
from kit.train.step_plan import Batches


class Scale:
    """Regression targets as zero mean and unit variance, and where the head's bias starts for the other kinds.

    Attributes:
        mean: (outputs,) mean label of the train rows, or share of each class: the prediction of a row that cannot be
            read.
    """

    def __init__(
        self, kind: str, center: np.ndarray, scale: np.ndarray, mean: np.ndarray, bias: torch.Tensor | None = None
    ) -> None:
        self.kind, self.center, self.scale, self.mean, self.bias = kind, center, scale, mean, bias

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """What the labels of the train rows say."""
        task, y = rows.task, rows.labels
        if task.kind == "regression":
            known = [column[~np.isnan(column)] for column in y.T]  # a target of several may have gaps
            deviation = np.array([column.std() for column in known])
            center = np.array([column.mean() for column in known])
            return cls(task.kind, center, np.where(deviation > 0, deviation, 1.0), center)
        indices = task.kind == "multiclass" and y.shape[1] == 1
        hot = np.eye(task.outputs)[y[:, 0].astype(int)] if indices else y  # what is left are yes or no, or shares
        # never 0 or 1, so its logarithm exists; labels that are missing have no part in it
        share = (np.nansum(hot, 0) + 0.5) / ((~np.isnan(hot)).sum(0) + 1)
        bias = np.log(share) if task.kind == "multiclass" else np.log(share / (1 - share))
        none = np.zeros(y.shape[1])
        return cls(task.kind, none, none + 1, np.nanmean(hot, 0), torch.tensor(bias, dtype=torch.float32))

    def answer(self, logits: np.ndarray) -> np.ndarray:
        """Logits → probabilities, or values in the target's own unit."""
        if self.kind == "regression":
            return logits * self.scale + self.center
        if self.kind == "multiclass":
            odds = np.exp(logits - logits.max(1, keepdims=True))
            return odds / odds.sum(1, keepdims=True)
        return 1 / (1 + np.exp(-logits))


class NetworkPredictor(Predictor):
    """A trained network with the dataset that reads rows for it."""

    def __init__(self, spec: NetworkSettings, dataset: Dataset, net: Any, scale: Scale) -> None:
        self.spec, self.dataset, self.net, self.scale = spec, dataset, net, scale
        self.snapshots: list[Weights] = []  # if there are any, their mean is the prediction

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
        inputs = self.dataset.inputs(rows)
        # Batches are made from rows in the source's order, so the order of the given rows does not change the result.
        order = np.argsort(rows.at, kind="stable")
        first, again = distinct(inputs, rows.at[order])
        device, logits = device_of(self.net), np.empty((len(first), rows.task.outputs))
        tokens, count, length = self.spec.batch_tokens, 8 * self.spec.batch_rows, inputs.length[first]
        batches = LengthBatches(inputs, first, None, tokens, count, self.spec.seed, prepare=self.net.prepare_inputs)
        # around all batches: weights become bf16, in the layout of products, once
        with autocast(device, self.spec.stage.precision), prediction_kernels(self.net):
            if device.type == "cuda":
                tokens *= 4  # a GPU needs more work at once
            else:
                seconds = self._stopwatch(batches, copies(self.net, batches_at_once(self.net, tokens)))
                tokens = measured_budget(rows, self.net, length, tokens, count, seconds)
            # threads with few batches each would not end at the same time
            fewer = min(tokens, int(length.sum()) // (4 * torch.get_num_threads()))
            nets = copies(self.net, batches_at_once(self.net, fewer))
            # the longest first, for the same reason
            plan = by_length(length, tokens if len(nets) == 1 else fewer, count)[::-1]
            with prefetched(batches, plan, device, self.spec.workers) as made:
                for batch, found in zip(plan, self._computed(nets, made, plan), strict=True):
                    logits[batch] = found
        answer = np.empty((len(rows), rows.task.outputs))
        answer[order] = logits[again]
        answer = self.scale.answer(answer)
        if (readable := getattr(inputs, "readable", None)) is not None:
            answer[~readable[rows.at]] = self.scale.mean
        return answer

    def _computed(self, nets: list[Any], batches: Batches, plan: list[np.ndarray]) -> Iterator[np.ndarray]:
        """Predicts batches, in order: on a CPU as many at once as there are networks."""
        if len(nets) == 1:
            yield from (self._logits(batches, rows) for rows in plan)
            return

        def predict(net: Any, inputs: dict[str, torch.Tensor]) -> np.ndarray:
            with torch.inference_mode(), autocast(device_of(net), self.spec.stage.precision):
                return net(**inputs).float().numpy()

        with threads_each(torch.get_num_threads() // len(nets)):
            yield from side_by_side(nets, predict, (batches[rows]["inputs"] for rows in plan))

    def _stopwatch(self, batches: Batches, nets: list[Any]) -> Callable[[np.ndarray], float]:
        """What predicts a batch with each of the networks at once, and gives the mean time of their threads."""

        def one(net: Any, inputs: dict[str, torch.Tensor]) -> float:
            start = time.thread_time()
            with torch.inference_mode(), autocast(device_of(net), self.spec.stage.precision):
                net(**inputs)
            return time.thread_time() - start

        def all_at_once(rows: np.ndarray) -> float:
            with threads_each(1):
                return float(np.mean([*side_by_side(nets, one, [batches[rows]["inputs"]] * len(nets))]))

        return all_at_once

    def _logits(self, batches: Batches, rows: np.ndarray) -> np.ndarray:
        """Predicts the rows of one batch; if the GPU runs out of memory, in two parts, four, …"""
        half = len(rows) // 2
        try:
            given = to_device(batches[rows]["inputs"], device_of(self.net))
            return self.net(**given).float().cpu().numpy()
        except torch.cuda.OutOfMemoryError:
            if not half:
                raise
        return np.concatenate([self._logits(batches, part) for part in (rows[:half], rows[half:])])

    def save(self, folder: Path) -> None:
        """Writes a folder that needs nothing else: the dataset, weights, this member's spec."""
        from safetensors.torch import save_model

        self.dataset.save(folder)
        for i, state in enumerate(self.snapshots or [self.net.state_dict()]):
            self.net.load_state_dict(state)
            save_model(self.net, str(folder / _weights(i)), metadata={"format": "pt"})  # shared tensors once
        scale = {name: getattr(self.scale, name).tolist() for name in ("center", "scale", "mean")}
        scale["kind"] = self.scale.kind
        count = len(self.snapshots)
        write_json(
            folder / "kit.json",
            {"spec": self.spec.to_dict(), "scale": scale, "snapshots": count, "outputs": self.net.outputs},
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        from safetensors.torch import load_model

        saved = read_json(folder / "kit.json")
        spec = NetworkSettings.from_dict(saved["spec"])
        dataset = spec.load_dataset(folder)
        with torch.random.fork_rng():  # the weights drawn here are replaced at once
            net = spec.make_network(dataset, saved["outputs"], saved["scale"]["kind"])
        states = []
        for i in range(max(1, saved["snapshots"])):
            load_model(net, folder / _weights(i))
            states.append({name: value.clone() for name, value in net.state_dict().items()})
        facts = {"mean": np.nan} | saved["scale"]  # older ones were saved without a mean, and read all rows
        scale = Scale(facts["kind"], np.array(facts["center"]), np.array(facts["scale"]), np.array(facts["mean"]))
        loaded = cls(spec, dataset, net.to(best_device()).eval(), scale)
        loaded.snapshots = states if saved["snapshots"] else []
        return loaded


def _weights(i: int) -> str:
    return f"model{i or ''}.safetensors"
