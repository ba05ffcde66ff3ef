"""The pretrained encoder in a folder of weights: its body with these weights, or one of the same shape."""

from pathlib import Path
from typing import Any

from torch import nn

from kit.core.errors import KitError
from kit.models.encoder import TextEncoder
from kit.models.pieces import PiecewiseEncoder
from kit.train.device import best_device
from kit.train.trainable import fresh_layers


def pretrained_backbone(folder: Path) -> Any:
    """The encoder with the weights that lie in a folder, in fp32; no code of the folder's own is run.

    Raises:
        KitError: tensors of the model are missing in the file of weights.
    """
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


def blank_backbone(folder: Path) -> Any:
    """An encoder of the configuration in a folder, its weights drawn."""
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    return encoder_of(AutoModel.from_config(config, trust_remote_code=False))


def encoder_of(model: Any) -> nn.Module:
    """The part that reads: T5's and BART's encoder without the decoder, BERT without its next-sentence pooler.

    In fp32, whatever its file holds: the loop chooses what products run in.
    """
    if hasattr(model, "encoder") and hasattr(model, "decoder"):
        return model.encoder.float()
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model.float()


def most_tokens(backbone: nn.Module) -> int | None:
    """Tokens that its table of absolute positions has places for; None where there is no such table."""
    for name, module in backbone.named_modules():
        if isinstance(module, nn.Embedding) and name.endswith(("position_embeddings", "wpe")):
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return None


def body_of(
    backbone: Any, pool: str, join: str | None = None, unpadded: bool = False
) -> TextEncoder | PiecewiseEncoder:
    """The body around a backbone.

    Args:
        pool: how token states become one vector.
        join: how the vectors of a row's pieces become one; None: a row is one piece.
        unpadded: batches without padding, on a GPU and where the model allows it.
    """
    unpadded = unpadded and join is None and best_device().type == "cuda"
    encoder = TextEncoder(backbone, pool, unpadded)
    return encoder if join is None else PiecewiseEncoder(encoder, join)


def reinitialise(body: TextEncoder | PiecewiseEncoder, layers: int) -> None:
    """Re-initialises the top layers of the backbone."""
    if layers:
        fresh_layers(body, layers, body.layer_of)


def checkpoint_activations(backbone: Any) -> None:
    """Activations are computed again in the backward pass: less memory, slower (Chen et al. 2016)."""
    named = ("activation_checkpointing_enable", "gradient_checkpointing_enable")  # since, before transformers 5
    enable = next(getattr(backbone, name) for name in named if hasattr(backbone, name))
    enable({"use_reentrant": False})
