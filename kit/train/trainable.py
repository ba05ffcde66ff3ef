"""Which weights learn: frozen layers, gradual unfreezing; and re-initialised top layers."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from torch import nn

from kit.core.errors import KitError
from kit.train.model import answer, class_name
from kit.train.stage import StageSettings

OF_LAYERS = {  # settings that treat layers, or head and body, differently; with the values that switch them off
    "head_lr": None, "layer_decay": 1.0, "only_head": False, "freeze": 0, "freeze_embeddings": False, "gradual": None,
}  # fmt: skip
KEPT_DROPOUT = "dropout_before_freezing"  # attribute of a frozen recurrent layer


def learns(stage: StageSettings, layer: int | None, deepest: int, epoch: int) -> bool:
    """Whether a parameter learns in an epoch of a stage.

    Args:
        stage: its `only_head`, `freeze`, `freeze_embeddings` and `gradual` are used.
        layer: layer of the parameter: 0 for the top one, `deepest` for the embeddings, None for the head.
        deepest: layer of the embeddings; 0 if the model has no layers on top of each other.
        epoch: number of the epoch, from 1, within the stage.
    """
    if layer is None:
        return True
    if stage.only_head or (stage.freeze and deepest and layer >= deepest - stage.freeze):
        return False
    if stage.freeze_embeddings and deepest and layer == deepest:
        return False
    # Howard & Ruder (2018): first the head alone, then `gradual` more layers in each epoch, from the top
    return not stage.gradual or layer < (epoch - 1) * stage.gradual


def set_trainable(model: nn.Module, stage: StageSettings, epoch: int, free: Iterable[str]) -> None:
    """Sets which parameters require gradients, and the mode of every module, for an epoch of a stage.

    Frozen modules are in eval mode: their dropout is off, and their batch norm keeps its statistics. torch's recurrent
    layers alone stay in training mode, without their dropout: cuDNN computes no gradient through a recurrent layer in
    eval mode, and layers below it, or a perturbation of the inputs, may need one.

    Args:
        model: its `layer_of` and `part_of` are used, see `kit.train.model`.
        stage: says which layers learn.
        epoch: number of the epoch, from 1, within the stage.
        free: names of the parameters that may learn; the others stay frozen.

    Raises:
        KitError: no parameter would learn; or a setting of the stage needs `layer_of` and the model has none.
    """
    free = set(free)
    if not hasattr(model, "layer_of") and (
        apart := [name for name, off in OF_LAYERS.items() if getattr(stage, name) != off]
    ):
        raise KitError(
            f"Stage.{apart[0]} needs the layers of the {class_name(model)}: give it layer_of, see kit.train.model"
        )
    names = [name for name, _ in model.named_parameters()]
    layers: dict[str, int | None] = {name: answer(model, "layer_of", name) for name in names}
    parts: dict[str, Hashable] = {name: answer(model, "part_of", name) for name in names}
    deepest: dict[Hashable, int] = {}
    for name, layer in layers.items():
        deepest[parts[name]] = max(layer or 0, deepest.get(parts[name], 0))
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in free and learns(stage, layers[name], deepest[parts[name]], epoch))
    if not any(weight.requires_grad for weight in model.parameters()):
        freezing = [name for name in ("only_head", "freeze", "freeze_embeddings", "gradual") if getattr(stage, name)]
        why = f"Stage.{' and '.join(freezing)} freezes" if free and freezing else "the caller froze"
        raise KitError(f"nothing learns: {why} every parameter of the {class_name(model)}")
    restore_dropout(model)
    model.train()
    for module in model.modules():
        weights = list(module.parameters())
        if weights and not any(w.requires_grad for w in weights):
            module.eval()
    for module in model.modules():
        if isinstance(module, nn.RNNBase) and not module.training:
            module.training, vars(module)[KEPT_DROPOUT], module.dropout = True, module.dropout, 0.0


def check_layers(model: nn.Module, stage: StageSettings) -> None:
    """Refuses, with a KitError, settings for low layers if no layer of the model is below another."""
    if not hasattr(model, "layer_of") or any(answer(model, "layer_of", name) for name, _ in model.named_parameters()):
        return
    for name in ("layer_decay", "freeze", "freeze_embeddings"):
        if getattr(stage, name) != OF_LAYERS[name]:
            called = class_name(getattr(model, "body", model))
            raise KitError(
                f"Stage.{name} needs a first and a last layer, but the layers of the {called} are all at the same depth"
            )


def restore_dropout(model: nn.Module) -> None:
    """Restores the dropout of recurrent layers, which `set_trainable` sets to 0 while they are frozen."""
    for module in model.modules():
        if isinstance(module, nn.RNNBase) and KEPT_DROPOUT in vars(module):
            module.dropout = vars(module).pop(KEPT_DROPOUT)


def fresh_layers(model: nn.Module, count: int, layer_of: Callable[[str], int | None]) -> None:
    """Re-initialises the top `count` encoder layers (Zhang et al. 2021), as the model itself initialises them.

    Pretrained top layers are specialised in the pretraining task. With few rows, new ones make fine-tuning more stable.

    Args:
        model: holds a backbone of transformers, whose `_init_weights` is used.
        count: number of layers, from the top.
        layer_of: name of a parameter → its layer, 0 for the top one; None for parameters outside the encoder.
    """
    owner: Any = next((m for m in model.modules() if hasattr(m, "_init_weights")), None)
    for name, module in model.named_modules():
        own = [f"{name}.{weight}" for weight, _ in module.named_parameters(recurse=False)]
        if own and all((layer := layer_of(w)) is not None and layer < count for w in own):
            for weight in module.parameters(recurse=False):
                weight._is_hf_initialized = False  # type: ignore[attr-defined]  # newer transformers would skip it
            if owner is not None:
                owner._init_weights(module)
            elif hasattr(module, "reset_parameters"):
                module.reset_parameters()
