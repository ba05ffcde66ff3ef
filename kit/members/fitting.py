"""Training a network member: what `Network.fit` does."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from kit.data import Rows
from kit.layers.heads import LINKS
from kit.layers.mixout import apply_mixout, apply_weight_noise, noisy_tune, unparametrize
from kit.layers.spectral import SpectralPenalty, spectral_norm
from kit.losses import default
from kit.members.augmented import AugmentedRows
from kit.members.fitted import NetworkPredictor, Scale, Weights, headed
from kit.members.network import Network
from kit.members.reading import Reader
from kit.models.headed import Headed
from kit.spec import KitError
from kit.train import Stage, Supervised, train
from kit.train.device import best_device
from kit.train.lengths import LengthBatches
from kit.train.objective import Objective
from kit.train.objectives import Each, NegativeCorrelation, Penalised, RDrop, WithLanguageModel, causal
from kit.train.perturb import VAT
from kit.train.perturb.point import Point


def fit(spec: Network, rows: Rows, valid: Rows, work: Path, reader: Reader | None = None) -> NetworkPredictor:
    """Trains on labelled rows; `work` keeps the state that a killed fit goes on from.

    Args:
        reader: the spec's own, unless another one is given.
    """
    rows, judging = _split(spec, rows, valid)
    scale = Scale.of(rows)
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        reader = reader or spec.reader(rows)
        net = build(spec, reader, rows, scale)
        y = (rows.labels - scale.center) / scale.scale
        batches = LengthBatches(reader.inputs(rows), rows.at, y, spec.batch_tokens, spec.batch_rows, spec.seed)
        penalty = SpectralPenalty(net) if spec.regularise.spectral_penalty else None
        fitted = NetworkPredictor(spec, reader, net, scale)
        with contextlib.ExitStack() as stack:
            at_embeddings = any(stage.moves_inputs for stage in spec.stages)
            judged = train(
                net,
                [_objective(spec, net, stage, rows.task.kind, penalty) for stage in spec.stages],
                [
                    replace(batches, changed=_changed(spec, stage, reader, rows, stack), **_arranged(spec, stage, net))
                    for stage in spec.stages
                ],
                [_linked(stage, rows.task.kind).for_train() for stage in spec.stages],
                work,
                net.depth,
                stack.enter_context(Point(net, net.body.embedding)) if at_embeddings else None,
                rows.task.outputs if rows.task.kind == "multiclass" else None,
                (lambda _: _score(fitted, judging)) if judging else None,
                spec.patience,
                net.factor,
                save_every=spec.save_every,
            )
        states = [_with_plain_weights(net, state) for state in judged.snapshots]
        if penalty:
            penalty.remove(net)
        unparametrize(net)
    fitted.snapshots = [{name: state[name] for name in net.state_dict()} for state in states]
    return fitted


def _with_plain_weights(net: Headed, state: Weights) -> Weights:
    """A snapshot, and the weights that its parametrizations made, by the names that they have without them.

    Copies of a parametrized network cannot end their parametrizations one by one: they share its classes.
    """
    net.load_state_dict(state)
    layers = [(path, layer) for path, layer in net.named_modules() if parametrize.is_parametrized(layer)]
    weights = {f"{path}.{name}": getattr(layer, name) for path, layer in layers for name in layer.parametrizations}
    return state | {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}


def build(spec: Network, reader: Reader, rows: Rows, scale: Scale) -> Headed:
    """The network before its first step, on the best device."""
    regularise = spec.regularise
    net = headed(spec, reader.body(), rows.task.outputs, rows.task.kind, scale.bias)
    for name in ("noisy_tune", "mixout"):
        if getattr(regularise, name) and not net.body.pretrained:
            raise KitError(f"{name} holds on to pretrained weights, and {type(spec).__name__} begins with none")
    for module in net.body.pretrained:
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


def _changed(
    spec: Network, stage: Stage, reader: Reader, rows: Rows, stack: contextlib.ExitStack
) -> AugmentedRows | None:
    """The rows that a stage changes; its workers end with the stack."""
    if stage.augment is None:
        return None
    if not rows.task.text:
        raise KitError(f"augment={type(stage.augment).__name__} changes texts, and the task names no text column")
    return stack.enter_context(AugmentedRows(reader, rows, stage.augment, stage.augmented, spec.seed))


def _arranged(spec: Network, stage: Stage, net: Headed) -> dict[str, Any]:
    """What is done at embeddings, and a language model, want rows of their own."""
    rowwise = stage.moves_inputs or spec.regularise.language
    return {} if rowwise else {"arranged": net.arranged}


def _linked(stage: Stage, kind: str) -> Stage:
    """The stage with a VAT that reads outputs as the task does."""
    vat, link = stage.perturb, LINKS[kind]
    if not isinstance(vat, VAT):
        return stage
    if vat.link not in (None, link):
        raise KitError(f"VAT.link = '{vat.link}', but outputs of a {kind} task are read with '{link}'; leave link out")
    return stage.model_copy(update={"perturb": vat.model_copy(update={"link": link})})


def _objective(spec: Network, net: Headed, stage: Stage, kind: str, penalty: SpectralPenalty | None) -> Objective:
    """What a stage minimises: the loss, inside whatever wraps it."""
    regularise, link = spec.regularise, LINKS[kind]
    loss = (stage.loss or default(kind)).rows(kind)
    objective: Objective = Supervised(Each(loss) if regularise.samples > 1 or regularise.heads > 1 else loss)
    if regularise.language and not stage.only_head:  # it teaches the encoder, which that stage leaves as it is
        objective = WithLanguageModel(objective, causal(_backbone(net)), regularise.language)
    if regularise.diversity:
        objective = NegativeCorrelation(objective, regularise.diversity, link)
    if stage.rdrop:
        objective = RDrop(objective, stage.rdrop, link)
    if penalty:
        objective = Penalised(objective, penalty, regularise.spectral_penalty)
    return objective


def _backbone(net: Headed) -> nn.Module:
    if not hasattr(net.body, "backbone"):
        raise KitError("language needs a member whose body is one pretrained decoder, an Encoder of GPT's kind")
    return net.body.backbone


def _split(spec: Network, rows: Rows, valid: Rows) -> tuple[Rows, Rows | None]:
    """Rows to learn from and rows to judge epochs on."""
    if spec.stop == "valid" and len(valid) and valid.y is not None:
        return rows, valid
    if spec.stop != "inner":
        return rows, None
    order = np.random.default_rng(spec.seed).permutation(len(rows))
    count = max(1, round(spec.inner * len(rows)))
    if count >= len(rows):
        raise KitError(f"{type(spec).__name__}.inner = {spec.inner} leaves none of {len(rows)} rows to learn from")
    return rows.take(np.sort(order[count:])), rows.take(np.sort(order[:count]))


def _score(fitted: NetworkPredictor, rows: Rows) -> float:
    metric = rows.task.metric
    score = metric(rows.labels, fitted.predict(rows))
    if score != score:
        raise KitError(
            f"{type(fitted.spec).__name__}.stop: {metric.name} cannot judge these {len(rows)} rows; take stop=none"
        )
    return score if metric.greater_is_better else -score
