"""Where weights are looked for, in which order, and what is said where they are not found."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from kit import weights
from kit.core.errors import KitError
from kit.weights import PACKAGES, find_weights, is_model

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


def model_at(folder: Path, weights: str = "model.safetensors") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / weights).write_text("")
    return folder


class Hub:
    """Stands for huggingface_hub.snapshot_download: `cached` and `online` name a folder or are absent."""

    def __init__(self) -> None:
        self.cached: Path | None = None
        self.online: Path | None = None
        self.calls: list[dict[str, Any]] = []

    def __call__(self, name: str, local_files_only: bool = False, **options: Any) -> str:
        self.calls.append({"name": name, "local": local_files_only} | options)
        folder = self.cached if local_files_only else self.online
        if folder is None:
            raise ConnectionError("no network")
        return str(folder)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", made)
    monkeypatch.setenv("KIT_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setenv("KIT_KAGGLE_INPUT", str(tmp_path / "kaggle"))
    monkeypatch.chdir(tmp_path)
    return made


def test_order_of_places(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everywhere at first; what was found is taken away, and the next place has its turn."""
    package = model_at(tmp_path / "site" / "carrier" / "model")
    (package.parent / "__init__.py").write_text("raise RuntimeError('its code was run')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setitem(PACKAGES, "org/net", ("carrier", "model"))
    hub.cached, hub.online = model_at(tmp_path / "cache"), model_at(tmp_path / "download")
    places = [
        model_at(tmp_path / "org" / "net"),
        model_at(tmp_path / "mine" / "org" / "net"),
        model_at(tmp_path / "mine" / "net"),
        model_at(tmp_path / "kaggle" / "somebody" / "net" / "v1"),
        package,
        hub.cached,
        hub.online,
    ]
    for place in places:
        assert find_weights("org/net").resolve() == place
        if place not in (hub.cached, hub.online):
            assert not [call for call in hub.calls if not call["local"]]  # nothing was fetched
        (place / "config.json").unlink()
    assert hub.calls[-1]["name"] == "org/net"
    assert find_weights(str(model_at(tmp_path / "plain"))) == tmp_path / "plain"


def test_kaggle_mounts(hub: Hub, tmp_path: Path) -> None:
    whole = model_at(tmp_path / "kaggle" / "set" / "net")
    (model_at(tmp_path / "kaggle" / "net") / "model.safetensors").unlink()  # shallower, but without weights
    model_at(whole / "1_Pooling")  # sorts before its parent's own config.json
    model_at(whole / "onnx")
    assert find_weights("org/net") == whole
    copied = model_at(tmp_path / "kaggle" / "set" / "models--org--base" / "snapshots" / "0f3a")
    assert find_weights("org/base") == copied
    with pytest.raises(KitError):
        find_weights("org/ne")


def test_a_home_folder_and_a_default_root(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    model_at(tmp_path / "home" / "net")
    assert find_weights("~/net") == tmp_path / "home" / "net"
    monkeypatch.delenv("KIT_WEIGHTS")
    model_at(tmp_path / "weights" / "base")
    assert find_weights("org/base").resolve() == tmp_path / "weights" / "base"


def test_a_download_cut_short_is_not_a_model(hub: Hub, tmp_path: Path) -> None:
    hub.cached, hub.online = model_at(tmp_path / "cache", "tokenizer.json"), model_at(tmp_path / "download")
    assert not is_model(hub.cached) and find_weights("org/net") == hub.online
    assert is_model(model_at(tmp_path / "old", "pytorch_model.bin"))
    assert is_model(model_at(tmp_path / "large", "model-00001-of-00002.safetensors"))
    assert not is_model(tmp_path / "nowhere")


def test_the_sentence_lists_where_it_looked(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "org/net", ("no_such_carrier", "model"))
    with pytest.raises(KitError) as raised:
        find_weights("org/net")
    mine = tmp_path / "mine"
    assert str(raised.value) == (
        f"weights 'org/net' not found; looked in: folder org/net, {mine / 'org/net'}, {mine / 'net'}, "
        f"{tmp_path / 'kaggle'}, package no-such-carrier, the hub's cache, the hub (ConnectionError). To provide them, "
        f"put the model's folder (config.json, tokenizer, model.safetensors) at {mine / 'net'}, attach it as a Kaggle "
        f"input, or install a package that carries it"
    )
    with pytest.raises(KitError, match="weights 'org/other' not found") as raised:
        find_weights("org/other")
    assert "package" not in str(raised.value).split("To provide")[0]


def test_safetensors_are_downloaded_first(hub: Hub, tmp_path: Path) -> None:
    hub.online = model_at(tmp_path / "download")
    find_weights("org/net")
    asked = [call for call in hub.calls if not call["local"]]
    assert len(asked) == 1 and asked[0]["name"] == "org/net"
    assert "*.safetensors" in asked[0]["allow_patterns"]
    assert not [p for p in asked[0]["allow_patterns"] if p.endswith((".bin", ".py", ".h5"))]
    hub.online = model_at(tmp_path / "older", "pytorch_model.bin")
    find_weights("org/old")
    assert "*.bin" not in hub.calls[-2]["allow_patterns"] and "*.bin" in hub.calls[-1]["allow_patterns"]


@pytest.mark.skipif(not importlib.util.find_spec(PACKAGES[MINILM][0]), reason="its package is not installed")
def test_minilm_comes_from_its_package(hub: Hub) -> None:
    folder = find_weights(MINILM)
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 384
    assert (folder / "model.safetensors").stat().st_size > 80e6 and (folder / "tokenizer.json").is_file()
    assert hub.calls == []


def test_no_file_of_kit_lets_foreign_code_run() -> None:
    """`test_encoder_member` tries it out."""
    for path in Path(weights.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "trust_remote_code=True" not in text and "weights_only=False" not in text, path
