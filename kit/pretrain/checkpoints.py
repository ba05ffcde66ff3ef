"""Models of transformers around a backbone that is there already."""

from pathlib import Path
from typing import Any

from kit.core.errors import KitError


def with_output_layer(auto: str, folder: Path, backbone: Any, who: str) -> tuple[Any, bool]:
    """A language model whose backbone is the given module, and whether its output layer is a new one.

    The output layer is that of the weights. Where they have none it is drawn, and its decoder tied to the embeddings.

    Args:
        auto: name of the class of transformers that loads such a model.
        folder: weights and configuration.
        backbone: of the same architecture; it becomes a part of the model, as it is.
        who: is named in the error.

    Raises:
        KitError: the architecture has no such model, or its backbone is another class.
    """
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    spoken = logging.get_verbosity()
    logging.set_verbosity_error()  # what is missing is said by `lost`
    safe = True if any(folder.glob("*.safetensors")) else None
    name = type(backbone).__name__
    try:
        model, found = getattr(transformers, auto).from_pretrained(
            folder, use_safetensors=safe, trust_remote_code=False, output_loading_info=True
        )
    except ValueError:
        raise KitError(f"{who}: transformers has no such language model of a {name}") from None
    finally:
        logging.set_verbosity(spoken)
    prefix = model.base_model_prefix
    if type(model.base_model) is not type(backbone):
        whole = type(model.base_model).__name__
        raise KitError(f"{who}: it trains a {whole}, and this member reads with a {name} alone")
    lost = any(not part.startswith(f"{prefix}.") for part in found["missing_keys"])
    setattr(model, prefix, backbone)
    model = model.float()
    if lost:
        model.config.tie_word_embeddings = True
    model.tie_weights()
    return model, lost
