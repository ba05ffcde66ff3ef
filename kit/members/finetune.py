"""Fine-tuning a text encoder: what `Encoder` does."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kit.data import Rows
from kit.layers.heads import LINKS
from kit.layers.mixout import apply_mixout, apply_weight_noise, noisy_tune, unparametrize
from kit.layers.spectral import SpectralPenalty, spectral_norm
from kit.losses import default
from kit.members.encoder import Encoder
from kit.members.finetuned import EncoderPredictor, Scale, encoder_of, network, tokens_of
from kit.models.encoder import TextEncoder
from kit.spec import KitError
from kit.text.tokens import TokenBatches
from kit.train import Stage, Supervised, train
from kit.train.device import best_device
from kit.train.learn import fresh_layers
from kit.train.objective import Objective
from kit.train.objectives import Each, NegativeCorrelation, Penalised, RDrop
from kit.train.perturb.point import Point
from kit.weights import find_weights


def prepare(spec: Encoder, rows: Rows) -> None:
    """Makes the tokens of every row of the source."""
    tokens_of(rows, find_weights(spec.weights), spec.length)


def fit(spec: Encoder, rows: Rows, valid: Rows, work: Path) -> EncoderPredictor:
    """Fine-tunes on labelled rows; `work` keeps the state that a killed fit goes on from."""
    folder = find_weights(spec.weights)
    tokens = tokens_of(rows, folder, spec.length)
    rows, judging = _split(spec, rows, valid)
    scale = Scale.of(rows)
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        net = build(spec, rows, folder, scale)
        y = (rows.labels - scale.center) / scale.scale
        batches = TokenBatches(tokens, rows.at, y, spec.batch_tokens, spec.batch_rows, spec.seed)
        penalty = SpectralPenalty(net) if spec.regularise.spectral_penalty else None
        fitted = EncoderPredictor(spec, net, folder, scale)
        with contextlib.ExitStack() as stack:
            at_embeddings = any(stage.perturb or stage.noise or stage.mix for stage in spec.stages)
            judged = train(
                net,
                [_objective(spec, stage, rows.task.kind, penalty) for stage in spec.stages],
                batches,
                spec.stages,
                work,
                net.depth,
                stack.enter_context(Point(net, net.backbone.get_input_embeddings())) if at_embeddings else None,
                rows.task.outputs if rows.task.kind == "multiclass" else None,
                (lambda _: _score(fitted, judging)) if judging else None,
                spec.patience,
                save_every=spec.save_every,
            )
        if penalty:
            penalty.remove(net)
        unparametrize(net)
    fitted.snapshots = judged.snapshots
    return fitted


def build(spec: Encoder, rows: Rows, folder: Path, scale: Scale) -> TextEncoder:
    """The network before its first step, on the best device."""
    regularise = spec.regularise
    backbone = _backbone(folder)
    _check_length(spec, backbone)
    if regularise.noisy_tune:
        noisy_tune(backbone, regularise.noisy_tune)
    net = network(spec, backbone, rows.task.outputs, rows.task.kind, scale.bias)
    if spec.reinit:
        fresh_layers(net, spec.reinit, net.depth)
    if regularise.mixout:
        apply_mixout(backbone, regularise.mixout)
    if regularise.weight_noise:
        apply_weight_noise(backbone, regularise.weight_noise)
    if regularise.spectral_norm:
        spectral_norm(net.head)
    if spec.checkpointing:
        backbone.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    net.to(best_device())
    if spec.compile:
        net.compile()
    return net


def _objective(spec: Encoder, stage: Stage, kind: str, penalty: SpectralPenalty | None) -> Objective:
    """What a stage minimises: the loss, inside whatever wraps it."""
    regularise, link = spec.regularise, LINKS[kind]
    loss = (stage.loss or default(kind)).rows(kind)
    objective: Objective = Supervised(Each(loss) if regularise.samples > 1 or regularise.heads > 1 else loss)
    if regularise.diversity:
        objective = NegativeCorrelation(objective, regularise.diversity, link)
    if stage.rdrop:
        objective = RDrop(objective, stage.rdrop, link)
    if penalty:
        objective = Penalised(objective, penalty, regularise.spectral_penalty)
    return objective


def _split(spec: Encoder, rows: Rows, valid: Rows) -> tuple[Rows, Rows | None]:
    """Rows to learn from and rows to judge epochs on."""
    if spec.stop == "valid" and len(valid) and valid.y is not None:
        return rows, valid
    if spec.stop != "inner":
        return rows, None
    order = np.random.default_rng(spec.seed).permutation(len(rows))
    count = max(1, round(spec.inner * len(rows)))
    if count >= len(rows):
        raise KitError(f"Encoder.inner = {spec.inner} leaves none of {len(rows)} rows to learn from")
    return rows.take(np.sort(order[count:])), rows.take(np.sort(order[:count]))


def _score(fitted: EncoderPredictor, rows: Rows) -> float:
    metric = rows.task.metric
    score = metric(rows.labels, fitted.predict(rows))
    if score != score:
        raise KitError(f"Encoder.stop: {metric.name} cannot judge these {len(rows)} rows; take stop=none")
    return score if metric.greater_is_better else -score


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


def _check_length(spec: Encoder, backbone: torch.nn.Module) -> None:
    """Refuses texts longer than the table of absolute positions, where the encoder has one."""
    for name, module in backbone.named_modules():
        if isinstance(module, torch.nn.Embedding) and name.endswith(("position_embeddings", "wpe")):
            places = module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
            if spec.length > places:
                raise KitError(f"Encoder.length = {spec.length}: '{spec.weights}' reads at most {places} tokens")
