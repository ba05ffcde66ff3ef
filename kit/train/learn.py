"""What learns: frozen layers, gradual unfreezing, fresh top layers."""

from collections.abc import Callable, Hashable
from typing import Any

from torch import nn

from kit.spec import KitError
from kit.train.stage import Stage

Depth = Callable[[str], int | None]


def learns(stage: Stage, below: int | None, deepest: int, epoch: int) -> bool:
    """Whether a parameter learns in an epoch of a stage.

    Args:
        stage: `freeze`, `freeze_embeddings` and `gradual` decide.
        below: encoder layers above the parameter: 0 for the top layer, `deepest` for embeddings, None for the head.
        deepest: depth of the embeddings; 0 where there are no layers above each other, so that none is lower.
        epoch: from 1, within the stage.
    """
    if below is None:
        return True
    if stage.only_head or (stage.freeze and deepest and below >= deepest - stage.freeze):
        return False
    if stage.freeze_embeddings and deepest and below == deepest:
        return False
    # Howard & Ruder (2018): the head alone first, then with every epoch so many layers more, from the top
    return not stage.gradual or below < (epoch - 1) * stage.gradual


def let_learn(model: nn.Module, stage: Stage, epoch: int, depth: Depth | None, free: set[str]) -> None:
    """Sets which parameters require gradients, and the mode of every module, for an epoch of a stage.

    What learns nothing does not behave as in training either: dropout is off there and batch norm uses, and keeps, the
    statistics that it has.

    Args:
        model: its parameters and modes are set; where it is joined of several, its `part` says to which of them a
            parameter belongs, and in each the lowest layers are its own.
        stage: what learns.
        epoch: from 1, within the stage.
        depth: parameter name → layers above it, see `parameter_groups`; without it all of `free` learns.
        free: names of the parameters that may learn; the others stay frozen.

    Raises:
        KitError: nothing would learn.
    """
    names = [name for name, _ in model.named_parameters()]
    depths = {name: depth(name) if depth else None for name in names}
    part: Callable[[str], Hashable] = getattr(model, "part", lambda name: None)
    deepest: dict[Hashable, int] = {}
    for name, below in depths.items():
        deepest[part(name)] = max(below or 0, deepest.get(part(name), 0))
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in free and learns(stage, depths[name], deepest[part(name)], epoch))
    if not any(weight.requires_grad for weight in model.parameters()):
        freezing = [name for name in ("only_head", "freeze", "freeze_embeddings", "gradual") if getattr(stage, name)]
        why = f"Stage.{' and '.join(freezing)} leaves" if free and freezing else "the caller leaves"
        raise KitError(f"nothing learns: {why} no parameter of the {type(model).__name__} free")
    model.train()
    for module in model.modules():
        weights = list(module.parameters())
        if weights and not any(w.requires_grad for w in weights):
            module.eval()


def fresh_layers(model: nn.Module, count: int, depth: Depth) -> None:
    """Starts the top `count` encoder layers anew (Zhang et al. 2021), as the model itself initialises them.

    Pretrained top layers are shaped to the pretraining task; with few rows new ones learn more steadily.

    Args:
        model: a backbone of transformers somewhere inside, whose `_init_weights` knows how its layers begin.
        count: layers, from the top.
        depth: parameter name → layers above it, None for what is not in the encoder.
    """
    owner: Any = next((m for m in model.modules() if hasattr(m, "_init_weights")), None)
    for name, module in model.named_modules():
        own = [f"{name}.{weight}" for weight, _ in module.named_parameters(recurse=False)]
        if own and all((below := depth(w)) is not None and below < count for w in own):
            for weight in module.parameters(recurse=False):
                weight._is_hf_initialized = False  # type: ignore[attr-defined]  # newer transformers would skip it
            if owner is not None:
                owner._init_weights(module)
            elif hasattr(module, "reset_parameters"):
                module.reset_parameters()
