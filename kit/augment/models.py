"""Language models for augments, loaded from folders."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.core.errors import KitError
from kit.core.lazy import later

if TYPE_CHECKING:
    import torch
    import transformers
    import transformers.utils.logging as logging
else:
    torch, transformers = later("torch"), later("transformers")
    logging = later("transformers.utils.logging")


def load(folder: Path, kind: str, device: str) -> tuple[Any, Any]:
    """Tokenizer and model of a folder; the model in fp32 and in eval mode.

    Args:
        folder: folder with configuration, tokenizer and weights.
        kind: the class of transformers that reads it, such as AutoModelForMaskedLM.
        device: device of the model.

    Raises:
        KitError: the weights are incomplete, such as those of an encoder without the head of a language model.
    """
    logging.disable_progress_bar()
    safe = True if any(folder.glob("*.safetensors")) else None
    with torch.random.fork_rng(devices=[]):  # transformers draws random weights before it reads the file
        model, found = getattr(transformers, kind).from_pretrained(
            folder, use_safetensors=safe, trust_remote_code=False, output_loading_info=True
        )
    if lost := sorted(found["missing_keys"]):  # transformers initialises them at random
        raise KitError(f"weights {folder}: {len(lost)} tensors that {kind} needs are missing, such as '{lost[0]}'")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    return tokenizer, model.to(device=device, dtype=torch.float32).eval()
