"""Training a network member: what `Network.fit` does."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from kit.core.errors import KitError
from kit.layers.heads import LINKS
from kit.layers.matrices import unparametrize
from kit.layers.mixout import apply_mixout, apply_weight_noise, noisy_tune
from kit.layers.spectral import SpectralPenalty, spectral_norm
from kit.losses import default
from kit.members.network.augmented import AugmentedRows
from kit.members.network.dataset import Dataset
from kit.members.network.fitted import NetworkPredictor, Scale
from kit.members.network.initial import InitialWeights
from kit.members.network.settings import NetworkSettings
from kit.metrics import log_loss, mean_column_log_loss, rmse
from kit.rows import Rows
from kit.train import LoopStage, Stage, Supervised, train
from kit.train.average import Weights
from kit.train.device import autocast, best_device, device_of
from kit.train.lengths import LengthBatches, by_length
from kit.train.objective import Objective, to_device
from kit.train.objectives import MeanOfOutputs, NegativeCorrelation, RDrop, WithLanguageModel, WithPenalty, causal
from kit.train.perturb import VAT
from kit.train.stop import ShouldStop

LOSSES = {"binary": log_loss, "multilabel": mean_column_log_loss, "multiclass": log_loss, "regression": rmse}
SETTLED = 512  # train rows, evenly spread, whose mean features are taken


def fit(
    spec: NetworkSettings,
    rows: Rows,
    valid: Rows,
    work: Path,
    dataset: Dataset | None = None,
    body: Any = None,
    should_stop: ShouldStop | None = None,
) -> NetworkPredictor:
    """Trains on labelled rows; `work` keeps the state that a killed fit goes on from.

    Args:
        spec: settings of the member.
        rows: train rows; with stop=inner some of them are held out to score epochs.
        valid: with stop=valid, the rows to score epochs on.
        work: folder for `last.pt` and `log.jsonl`.
        dataset: the spec's own, unless another one is given.
        body: one to go on training; None: the spec's own before its first step.
        should_stop: called after each epoch that was scored, see `kit.train.stop`.

    Raises:
        TrainingStopped: `should_stop` said so.
    """
    rows, scored = split(spec, rows.weighted(), valid)
    _check_known(spec, rows, scored)
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        dataset = dataset or spec.make_dataset(rows)
        rows = readable_rows(dataset, rows)
        scale = Scale.of(rows)
        body = spec.pretrained_body(dataset, rows, work) if body is None else body
        net = build(spec, dataset, rows, scale, body)
        y = (rows.labels - scale.center) / scale.scale
        penalty = SpectralPenalty(net) if spec.regularise.spectral_penalty else None
        fitted = NetworkPredictor(spec, dataset, net, scale)
        batches = stage_batches(spec, spec.stages, dataset, rows, y)
        best = train(
            net,
            [_objective(spec, net, stage, rows.task.kind, scale, penalty) for stage in spec.stages],
            [replace(own, **_prepared(spec, stage, net)) for own, stage in zip(batches, spec.stages, strict=True)],
            [_linked(stage.for_loop(), rows.task.kind) for stage in spec.stages],
            work,
            (lambda _: _score(fitted, scored, rows)) if scored else None,
            spec.patience,
            should_stop,
            save_every=spec.save_every,
            workers=spec.workers,
        )
        states = [_with_plain_weights(net, state) for state in best.snapshots]
        if penalty:
            penalty.remove(net)
        unparametrize(net)
    fitted.snapshots = [{name: state[name] for name in net.state_dict()} for state in states]
    for state in fitted.snapshots:
        net.load_state_dict(state)
        _settle(fitted, rows)
        state |= {name: value.detach().to("cpu", copy=True) for name, value in net.named_buffers() if name in state}
    if not fitted.snapshots:
        _settle(fitted, rows)
    return fitted


def _settle(fitted: NetworkPredictor, rows: Rows) -> None:
    """Lets a body that keeps something of its train rows, see `ConcatModule.settle`, read some of them."""
    spec, net = fitted.spec, fitted.net
    if not getattr(net.body, "means", None):
        return
    inputs, device = fitted.dataset.inputs(rows), device_of(net)
    some = rows.at[np.unique(np.linspace(0, len(rows) - 1, SETTLED).round().astype(int))]
    batches = by_length(inputs.length[some], spec.batch_tokens, spec.batch_rows)
    modes = {module: module.training for module in net.modules()}
    net.eval()
    with autocast(device, spec.stage.precision):
        net.body.settle(lambda: (to_device(net.prepare_inputs(inputs.padded(some[at])), device) for at in batches))
    for module, training in modes.items():
        module.training = training


def _with_plain_weights(net: Any, state: Weights) -> Weights:
    """A snapshot, and the weights that its parametrizations made, by the names that they have without them.

    Copies of a parametrized network cannot end their parametrizations one by one: they share its classes.
    """
    net.load_state_dict(state)
    layers = [(path, layer) for path, layer in net.named_modules() if parametrize.is_parametrized(layer)]
    weights = {f"{path}.{name}": getattr(layer, name) for path, layer in layers for name in layer.parametrizations}
    return state | {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}


def build(spec: NetworkSettings, dataset: Dataset, rows: Rows, scale: Scale, body: Any = None) -> Any:
    """The network before its first step, with the settings' regularisation, on the best device.

    Args:
        spec: settings of the member.
        dataset: what the network reads.
        rows: the train rows.
        scale: says where the biases of the head begin.
        body: one to go on training, if there is one.

    Raises:
        KitError: mixout or NoisyTune need pretrained weights, and there are none.
    """
    regularise = spec.regularise
    net = spec.make_network(dataset, rows.task.outputs, rows.task.kind, InitialWeights(rows, scale.bias, body))
    for name in ("noisy_tune", "mixout"):
        if getattr(regularise, name) and not net.pretrained:
            raise KitError(f"{name} needs pretrained weights, and {type(spec).__name__} has none")
    for module in net.pretrained:
        if regularise.noisy_tune:
            noisy_tune(module, regularise.noisy_tune)
        if regularise.mixout:
            apply_mixout(module, regularise.mixout)
    if regularise.weight_noise:
        apply_weight_noise(net.body, regularise.weight_noise)
    if regularise.spectral_norm:
        spectral_norm(net.head)
    net.to(best_device())
    if spec.compile:
        # or a forward compiled without hooks answers for a network with them: perturbations, noise and mixing are hooks
        torch._dynamo.config.skip_nnmodule_hook_guards = False
        net.compile()
    return net


def readable_rows(dataset: Dataset, rows: Rows) -> Rows:
    """The rows that the dataset can read: those without a picture that opens teach nothing."""
    readable = getattr(dataset.inputs(rows), "readable", None)
    if readable is None or readable[rows.at].all():
        return rows
    kept = rows.take(np.flatnonzero(readable[rows.at]))
    if not len(kept):
        raise KitError(f"no picture of these {len(rows)} train rows can be read")
    return kept


def stage_batches(
    spec: NetworkSettings, stages: Sequence[Stage], dataset: Dataset, rows: Rows, y: np.ndarray
) -> list[LengthBatches]:
    """The train batches of each stage: which rows they hold, and how these are changed.

    Args:
        spec: settings of the member.
        stages: its stages.
        dataset: what the network reads.
        rows: the train rows.
        y: (n, k) their labels as the network learns them.
    """
    weight = None if rows.weight is None else rows.weight / rows.weight.mean()
    batches = LengthBatches(
        dataset.inputs(rows), rows.at, y, spec.batch_tokens, spec.batch_rows, spec.seed, weight=weight
    )
    return [replace(batches, **_read_by(spec, stage, dataset, rows)) for stage in stages]


def _read_by(spec: NetworkSettings, stage: Stage, dataset: Dataset, rows: Rows) -> dict[str, Any]:
    """What a stage reads of its rows: pictures in a size of its own, changed rows."""
    sized = dataset if stage.size is None else dataset.at_size(stage.size)
    inputs = {} if stage.size is None else {"inputs": sized.inputs(rows)}
    return inputs | {"changed": _changed(spec, stage, sized, rows)}


def _changed(spec: NetworkSettings, stage: Stage, dataset: Dataset, rows: Rows) -> AugmentedRows | None:
    """The rows that a stage changes."""
    if (augment := stage.augment) is None:
        return None
    if augment.changes == "texts" and not rows.task.text:
        raise KitError(f"augment={type(augment).__name__} changes texts, but the task has no text column")
    if augment.changes not in dataset.augments:
        reads = " and ".join(dataset.augments)
        raise KitError(
            f"augment={type(augment).__name__} changes {augment.changes}, and a {type(spec).__name__} reads {reads}"
        )
    return AugmentedRows(dataset, rows, augment, stage.augmented, spec.seed)


def _prepared(spec: NetworkSettings, stage: Stage, net: Any) -> dict[str, Any]:
    """What happens at embeddings, and a language model, need rows side by side, so padded batches."""
    rowwise = stage.moves_inputs or spec.regularise.language
    return {} if rowwise else {"prepare": net.prepare_inputs}


def _linked(stage: LoopStage, kind: str) -> LoopStage:
    """The stage with a VAT that reads outputs as the task does."""
    vat, link = stage.perturb, LINKS[kind]
    if not isinstance(vat, VAT):
        return stage
    if vat.link not in (None, link):
        raise KitError(f"VAT.link = '{vat.link}', but outputs of a {kind} task are read with '{link}'; leave link out")
    return stage.model_copy(update={"perturb": vat.model_copy(update={"link": link})})


def _objective(
    spec: NetworkSettings, net: Any, stage: Stage, kind: str, scale: Scale, penalty: SpectralPenalty | None
) -> Objective:
    """The objective of a stage: its loss, with the objectives that wrap it."""
    regularise, link = spec.regularise, LINKS[kind]
    loss = (stage.loss or default(kind)).scaled(scale.scale.tolist()).rows(kind)
    objective: Objective = Supervised(MeanOfOutputs(loss) if getattr(net, "gives_several", False) else loss)
    if regularise.language and not stage.only_head:  # it teaches the encoder, which that stage leaves as it is
        objective = WithLanguageModel(objective, causal(_backbone(net)), regularise.language)
    if regularise.diversity:
        objective = NegativeCorrelation(objective, regularise.diversity, link)
    if stage.rdrop:
        objective = RDrop(objective, stage.rdrop, link)
    if penalty:
        objective = WithPenalty(objective, penalty, regularise.spectral_penalty)
    return objective


def _backbone(net: Any) -> nn.Module:
    if not hasattr(net.body, "backbone"):
        raise KitError("language needs a member whose body is one pretrained decoder, such as an Encoder with GPT-2")
    return net.body.backbone


def split(spec: NetworkSettings, rows: Rows, valid: Rows) -> tuple[Rows, Rows | None]:
    """Rows to learn from, and rows to score epochs on; no group of rows is split between them."""
    if spec.stop == "valid" and len(valid) and valid.y is not None:
        return rows, valid
    if spec.stop != "inner":
        return rows, None
    groups = np.arange(len(rows)) if rows.groups is None else np.unique(rows.groups, return_inverse=True)[1]
    sizes = np.bincount(groups)
    order = np.random.default_rng(spec.seed).permutation(len(sizes))
    count = max(1, round(spec.inner * len(rows)))
    whole = 1 + int(np.searchsorted(sizes[order].cumsum(), count))  # so many groups hold as many rows, or a few more
    if whole >= len(order):
        few = f"{len(order)} groups of rows that stay together" if rows.groups is not None else f"{len(rows)} rows"
        raise KitError(f"{type(spec).__name__}.inner = {spec.inner} holds out all of {few}; none is left to learn from")
    scored = np.isin(groups, order[:whole])
    return rows.take(np.flatnonzero(~scored)), rows.take(np.flatnonzero(scored))


def _check_known(spec: NetworkSettings, rows: Rows, scored: Rows | None) -> None:
    """Refuses labels with gaps that some loss, or the score of an epoch, could not do without."""
    if not np.isnan(rows.labels).any() and (scored is None or not np.isnan(scored.labels).any()):
        return
    kind = type(spec).__name__
    for stage in spec.stages:
        if stage.loss is not None and not stage.loss.gaps:
            raise KitError(
                f"{kind}: labels are missing, and {type(stage.loss).__name__} does not say gaps = True, that it leaves "
                "them out (kit.losses.base.known_labels)"
            )
    for part, what in ((rows, "to learn from"), (scored, "to score epochs on")):
        empty = np.isnan(part.labels).all(axis=0) if part is not None else np.zeros(1, dtype=bool)
        if empty.any():
            name = rows.task.targets[empty.argmax()]
            how = "take another share, inner=, or stop=none" if spec.stop == "inner" else "take stop=none"
            raise KitError(f"{kind}: of the rows {what} none has a label of '{name}'; {how}")


def _score(fitted: NetworkPredictor, rows: Rows, train: Rows) -> float:
    _settle(fitted, train)
    labels, predictions = rows.labels, fitted.predict(rows)
    if fitted.spec.stop_by == "loss":
        metric = LOSSES[rows.task.kind]
        if rows.task.kind == "regression":  # targets of unlike units count alike
            labels, predictions = (
                (values - fitted.scale.center) / fitted.scale.scale for values in (labels, predictions)
            )
    else:
        metric = rows.metric
    score = metric(labels, predictions)
    if score != score:
        raise KitError(
            f"{type(fitted.spec).__name__}.stop: {metric.name} cannot score these {len(rows)} rows; take stop=none"
        )
    return score if metric.greater_is_better else -score
