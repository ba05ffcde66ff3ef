"""Networks of timm by name, with weights of a folder or random ones, and the pictures that they need."""

import contextlib
import json
from pathlib import Path
from typing import Any

import timm
import timm.data
import torch
from timm.layers import freeze_batch_norm_2d
from torch import nn

from kit.core.errors import KitError, nearest
from kit.models.timm_encoder import TimmEncoder

Config = dict[str, Any]  # as timm's config.json has it: architecture, model_args, pretrained_cfg


def config_of(weights: str, folder: Path | None) -> Config:
    """The configuration of a model: the one in its folder, or the one that timm has under its name.

    Args:
        weights: name of the model, `timm/<architecture>.<tag>`, `timm/` and tag may be left out.
        folder: where its weights lie; None: it has none.

    Raises:
        KitError: the folder's is none of timm's, or timm has no such architecture.
    """
    if folder is not None and (folder / "config.json").is_file():
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not timm.is_model(str(found.get("architecture"))):
            raise KitError(f"weights {folder}: config.json names no architecture of timm")
        settings = found.get("pretrained_cfg") or {
            k: v for k, v in found.items() if k not in ("architecture", "labels")
        }
        return {
            "architecture": found["architecture"],
            "model_args": found.get("model_args") or {},
            "pretrained_cfg": settings,
        }
    name = weights.rsplit("/", 1)[-1]
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        raise KitError(f"weights = '{weights}': timm has no such network" + nearest(architecture, timm.list_models()))
    known = timm.get_pretrained_cfg(name, allow_unregistered=False)
    kept = ("input_size", "fixed_input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std", "tag")
    facts = known.to_dict() if known is not None else {}
    return {
        "architecture": architecture,
        "model_args": {},
        "pretrained_cfg": {k: facts[k] for k in kept if facts.get(k)},
    }


def tagged(weights: str) -> str:
    """The name on the hub: timm's networks have several weights each, and a name without tag means the usual ones."""
    owner, _, name = weights.rpartition("/")
    if "." in name or owner not in ("", "timm") or not timm.is_model(name):
        return weights
    known = timm.get_pretrained_cfg(name)
    return f"timm/{name}.{known.tag}" if known is not None and known.tag else weights


def input_of(config: Config) -> dict[str, Any]:
    """What the network has learnt from: `input_size`, `interpolation`, `crop_pct`, `crop_mode`, `mean`, `std`."""
    return timm.data.resolve_data_config({}, pretrained_cfg=config["pretrained_cfg"])


def blank_backbone(config: Config, size: int, drop_path: float = 0.0) -> Any:
    """A network of this configuration without a classifier, its weights drawn.

    Args:
        config: of the network.
        size: side of the pictures, in pixels.
        drop_path: share of residual branches dropped in training (Huang et al. 2016).

    Raises:
        KitError: it cannot drop branches.
    """
    options = {**config["model_args"], "num_classes": 0}
    return _created(config, size, drop_path, lambda more: timm.create_model(config["architecture"], **options | more))


def pretrained_backbone(config: Config, folder: Path, size: int, drop_path: float = 0.0) -> Any:
    """The network with the weights that lie in a folder; no code of the folder's own is run.

    Args:
        config: of the network.
        folder: with timm's config.json and the weights, or with a file of the network's tensors in their order.
        size: side of the pictures, in pixels; what the network has learnt of places is scaled to it.
        drop_path: as of `blank_backbone`.

    Raises:
        KitError: the weights are those of another network.
    """
    if not (folder / "config.json").is_file():
        return _with_tensors(config, folder, size, drop_path)

    def make(more: dict[str, Any]) -> Any:
        with torch.random.fork_rng(devices=[]):  # what it draws is replaced at once
            return timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0, **more)

    try:
        return _created(config, size, drop_path, make)
    except (RuntimeError, KeyError) as error:
        first = str(error).strip().splitlines()[0]
        raise KitError(f"weights {folder}: they do not fit a {config['architecture']} ({first})") from None


def _with_tensors(config: Config, folder: Path, size: int, drop_path: float) -> Any:
    """The network whose tensors lie in a file in the network's own order, under other names."""
    with torch.random.fork_rng(devices=[]):
        net = _created(
            config,
            size,
            drop_path,
            lambda more: timm.create_model(config["architecture"], **config["model_args"] | more),
        )
    file = next(folder.glob("*.pth"))
    given, own = torch.load(file, map_location="cpu", weights_only=True), net.state_dict()
    if [value.shape for value in given.values()] != [value.shape for value in own.values()]:
        raise KitError(f"weights {file}: its tensors are not those of a {config['architecture']}")
    net.load_state_dict(dict(zip(own, given.values(), strict=True)))
    net.reset_classifier(0)
    return net


def _created(config: Config, size: int, drop_path: float, make: Any) -> Any:
    """The network for pictures of this size: networks with positions need this size, others take any."""
    places: list[dict[str, Any]] = [{"img_size": size, "dynamic_img_size": True}, {"img_size": size}, {}]
    drop = {"drop_path_rate": drop_path} if drop_path else {}
    for more in places:
        with contextlib.suppress(TypeError):  # not all networks have these arguments
            return make({**more, **drop}).float()
    if drop:
        raise KitError(f"drop_path: a {config['architecture']} has no branches to drop; set it to 0")
    return make({}).float()


def body_of(backbone: Any, config: Config, pool: str, freeze_norm: bool) -> TimmEncoder:
    """The body around a backbone, its maps in the memory format that convolutions are fastest in.

    Args:
        backbone: of `pretrained_backbone` or `blank_backbone`.
        config: of the network.
        pool: see `TimmEncoder`.
        freeze_norm: whether batch norms keep their statistics and weights.
    """
    if freeze_norm:
        backbone = freeze_batch_norm_2d(backbone)
    asked = input_of(config)
    return TimmEncoder(backbone.to(memory_format=torch.channels_last), asked["mean"], asked["std"], pool)


@torch.no_grad()
def reinitialise(body: TimmEncoder, fresh: nn.Module, layers: int) -> None:
    """Gives the top layers of the backbone the weights and statistics of a fresh one (Zhang et al. 2021)."""
    new = fresh.state_dict()
    for path, module in body.backbone.named_modules():
        own = [f"{path}.{name}" if path else name for name, _ in module.named_parameters(recurse=False)]
        for name, value in module.state_dict(keep_vars=True).items() if own else ():
            full = f"{path}.{name}" if path else name
            layer = body.layers[own[0] if full not in body.layers else full]
            if "." not in name and layer < layers:
                value.copy_(new[full])


def checkpoint_activations(backbone: Any) -> None:
    """Activations are computed again in the backward pass: less memory, slower (Chen et al. 2016)."""
    try:
        backbone.set_grad_checkpointing(True)
    except (AttributeError, AssertionError):
        raise KitError(
            f"checkpointing: the {type(backbone).__name__} of timm cannot compute its layers again"
        ) from None
