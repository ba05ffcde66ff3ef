"""Language models that augments ask, from folders."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.lazy import later
from kit.spec import KitError

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
        folder: configuration, tokenizer and weights.
        kind: the class of transformers that reads it, such as AutoModelForMaskedLM.
        device: where the model goes.

    Raises:
        KitError: the folder lacks weights of such a model, as an encoder without a language model's head does.
    """
    logging.disable_progress_bar()
    safe = True if any(folder.glob("*.safetensors")) else None
    with torch.random.fork_rng(devices=[]):  # transformers draws weights before it reads them
        model, found = getattr(transformers, kind).from_pretrained(
            folder, use_safetensors=safe, trust_remote_code=False, output_loading_info=True
        )
    if lost := sorted(found["missing_keys"]):  # transformers makes them up
        raise KitError(f"weights {folder}: {len(lost)} tensors that {kind} needs are missing, such as '{lost[0]}'")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    return tokenizer, model.to(device=device, dtype=torch.float32).eval()
