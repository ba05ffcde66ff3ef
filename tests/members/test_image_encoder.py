"""ImageEncoder: what its network sees, layers, weights, pooling, several pictures, stages, broken pictures."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import timm.data
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models.swin_transformer import SwinTransformer
from timm.models.vgg import VGG
from torch import nn

from kit.core.errors import KitError
from kit.layers import pooling
from kit.members import Encoder, ImageEncoder, fine_tuning
from kit.members.network.fitted import NetworkPredictor
from kit.members.network.initial import InitialWeights
from kit.models import TimmEncoder
from kit.testing import check_member
from kit.train import OneCycle, Stage
from kit.train.optim import parameter_groups
from kit.train.stage import LoopStage
from kit.train.trainable import set_trainable
from tests.helpers.encoders import one_thread  # noqa: F401
from tests.helpers.pictures import QUICK, noise, picture_rows, png, rows_of, tiny

# ---- what the network sees ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings", [{"size": 38}, {"weights": "test_vit", "crop": 0.8}, {"resize": "squash", "crop": 1.0}]
)
def test_the_network_sees_what_timm_would_show_it(settings: dict[str, Any]) -> None:
    pictures = [noise(i, 90, 45) for i in range(3)]
    rows, spec = rows_of([png(p) for p in pictures]), tiny(**settings)
    dataset = spec.make_dataset(rows)
    body = spec.make_body(dataset, rows)
    seen = body.normalise(dataset.inputs(rows).padded(np.arange(3))["pixels"])
    asked = timm.data.resolve_data_config({}, pretrained_cfg=timm.get_pretrained_cfg(spec.weights).to_dict())
    asked |= {"input_size": (3, spec.size, spec.size)} | ({"crop_pct": spec.crop} if spec.crop else {})
    asked |= {"crop_mode": "squash"} if spec.resize == "squash" else {}
    transform = timm.data.create_transform(**asked, is_training=False)
    expected = torch.stack([transform(Image.fromarray(p)) for p in pictures])
    assert seen.shape == expected.shape and asked["mean"] != (0, 0, 0)
    assert (seen - expected).abs().max() < 2 / 255 / min(asked["std"])  # a last bit of the filter
    assert seen.is_contiguous(memory_format=torch.channels_last)


def test_features_are_timms_own() -> None:
    for name in ("test_vit", "test_resnet", "test_efficientnet", "test_convnext"):
        net = timm.create_model(name, num_classes=0).eval()
        pixels = torch.randint(0, 256, (2, 3, 160, 160), dtype=torch.uint8)
        mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
        expected = net(
            ((pixels / 255).permute(0, 2, 3, 1) - torch.tensor(mean)).div(torch.tensor(std)).permute(0, 3, 1, 2)
        )
        body = TimmEncoder(net, mean, std).eval()
        assert body(pixels).shape == (2, body.num_features)
        torch.testing.assert_close(body(pixels), expected, atol=1e-4, rtol=1e-4)


def test_poolings_of_maps_and_of_tokens() -> None:
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    for name in ("test_resnet", "test_vit"):
        net = timm.create_model(name, num_classes=0, **({"img_size": 64} if name == "test_vit" else {})).eval()
        states = net.forward_features((pixels / 255 - 0.5) / 0.5)
        places = states.flatten(2) if states.ndim == 4 else states[:, 1:].mT  # (2, width, places), no class token
        powers = places.clamp(min=1e-6).pow(3).mean(2) ** (1 / 3)
        for pool, expected in {"avg": places.mean(2), "max": places.amax(2), "gem": powers}.items():
            body = TimmEncoder(copy.deepcopy(net), pool=pool).eval()
            torch.testing.assert_close(body(pixels), expected, atol=1e-4, rtol=1e-4)
        body = TimmEncoder(copy.deepcopy(net), pool="attention").eval()
        expected = body.pool(places.mT, torch.ones(2, places.shape[2]))
        torch.testing.assert_close(body(pixels), expected, atol=1e-4, rtol=1e-4)
        assert [n for n, _ in body.named_parameters() if body.layer_of(n) is None] == [
            "pool.hidden.weight", "pool.hidden.bias", "pool.context.weight",
        ]  # fmt: skip


FAMILIES = {  # maps (n, c, h, w), maps (n, h, w, c) and tokens (n, tokens, c); with layers before and after the pooling
    "vgg": lambda: VGG(cfg=[8, "M", 16, "M"], mlp_ratio=0.01, num_classes=0),
    "swin": lambda: SwinTransformer(
        img_size=64, patch_size=4, embed_dim=8, depths=(1, 1), num_heads=(1, 2), window_size=4, num_classes=0
    ),
    "convnext": lambda: timm.create_model("test_convnext", num_classes=0),
    "vit": lambda: timm.create_model("test_vit", num_classes=0, img_size=64, global_pool="avg"),
    "vit without class token": lambda: timm.create_model("test_vit_relpos", num_classes=0, img_size=64),
    "resnet": lambda: timm.create_model("test_resnet", num_classes=0),
    "efficientnet": lambda: timm.create_model("test_efficientnet", num_classes=0),
    "mobilenetv3": lambda: timm.create_model("mobilenetv3_small_050", num_classes=0),
    "mambaout": lambda: timm.create_model("test_mambaout", num_classes=0),
    "maxvit": lambda: timm.create_model("test_maxvit", num_classes=0, img_size=64),
    "nfnet": lambda: timm.create_model("test_nfnet", num_classes=0),
    "lowformer": lambda: timm.create_model("lowformer_b0", num_classes=0),  # asks its pooling whether it is one
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_pooling_fits_every_family(family: str) -> None:
    torch.manual_seed(0)
    net, pixels = FAMILIES[family]().eval(), torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    before = copy.deepcopy(net.state_dict())
    own = TimmEncoder(copy.deepcopy(net)).eval()(pixels)
    mean = TimmEncoder(copy.deepcopy(net), pool="avg").eval()
    near = 1e-5 * own.abs().max()
    assert (mean(pixels) - own).abs().max() < near  # all of these have a mean of their own
    for pool in ("max", "gem", "attention"):
        body = TimmEncoder(copy.deepcopy(net), pool=pool).eval()
        found = body(pixels)
        assert found.shape == (3, body.num_features) == own.shape and (found - own).abs().max() > 3 * near
        found.square().sum().backward()
        weights = dict(body.pool.named_parameters())
        assert bool(weights) == (pool != "max")
        assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in weights.values())
        state = {name: value for name, value in body.backbone.state_dict().items() if name in before}
        assert state and all(torch.equal(value, before[name]) for name, value in state.items())
        one = body.train()(pixels[:1])
        assert one.shape == (1, body.num_features)


class NoPlaces(nn.Module):
    """A network whose features are vectors already."""

    num_features = 4

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :4]


def test_a_network_whose_pooling_cannot_be_replaced_says_so() -> None:
    pixels = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    with pytest.raises(KitError, match="pool: the NoPlaces of timm gives no places to pool; take pool=own"):
        TimmEncoder(NoPlaces(), pool="max")(pixels)
    twice = timm.create_model("test_resnet", num_classes=0, global_pool="catavgmax")
    with pytest.raises(KitError, match="pool: the ResNet pools in its own way; take pool=own"):
        TimmEncoder(twice, pool="attention")


def test_gem_is_a_mean_at_one_and_nears_the_maximum() -> None:
    states, mask = torch.rand(3, 5, 4), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
    gem = pooling("gem", 4)
    gem.p.data.fill_(1.0)
    torch.testing.assert_close(gem(states, mask)[:2], pooling("mean", 4)(states, mask)[:2])
    gem.p.data.fill_(100.0)  # with more, small numbers have no power left
    torch.testing.assert_close(
        gem(states + 0.5, mask)[:2], pooling("max", 4)(states + 0.5, mask)[:2], atol=0.03, rtol=0
    )
    gem(states, mask).sum().backward()
    assert gem.p.grad is not None and gem.p.grad.isfinite().all()  # of a row without places too


# ---- layers ------------------------------------------------------------------------------------

LAYERS = {  # network → its stem, its lowest and its topmost block, and how many layers there are
    "test_vit": ("patch_embed.proj.weight", "blocks.0.attn.qkv.weight", "norm.weight", 7),
    "test_resnet": ("conv1.0.weight", "layer1.0.conv1.weight", "layer4.0.conv1.weight", 5),
    "test_efficientnet": ("conv_stem.weight", "blocks.0.0.conv.weight", "conv_head.weight", 6),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_freeze_thaw_and_decay_as_those_of_a_text_encoder(name: str) -> None:
    stem, lowest, top, count = LAYERS[name]
    dataset = tiny(name).make_dataset(picture_rows(n=4))
    net = tiny(name).make_network(dataset, 1, "binary", InitialWeights(picture_rows(n=4)))
    layer = {n: net.layer_of(n) for n, _ in net.named_parameters()}
    assert [layer[f"body.backbone.{n}"] for n in (stem, lowest, top)] == [count - 1, count - 2, 0]
    assert {*layer.values()} == {None, *range(count)} and layer["head.weight"] is None

    def learning(stage: LoopStage, epoch: int = 1) -> set[int | None]:
        set_trainable(net, stage, epoch, layer)
        found = {layer[n] for n, w in net.named_parameters() if w.requires_grad}
        for path, module in net.named_modules():  # frozen batch norms keep their statistics
            own = [layer[f"{path}.{n}"] for n, _ in module.named_parameters(recurse=False)]
            assert not own or [*module.children()] or module.training == bool({*own} & found)
        return found

    assert learning(LoopStage(only_head=True)) == {None}
    assert learning(LoopStage(freeze=2)) == {None, *range(count - 3)}
    assert learning(LoopStage(freeze_embeddings=True)) == {None, *range(count - 1)}
    assert [learning(LoopStage(gradual=1), epoch) for epoch in (1, 2, 3)] == [{None}, {None, 0}, {None, 0, 1}]
    learning(LoopStage())
    groups = parameter_groups(net, LoopStage(lr=1.0, head_lr=3.0, layer_decay=0.5))
    rate = {id(w): group["lr"] for group in groups for w in group["params"]}
    for n, weight in net.named_parameters():
        assert rate[id(weight)] == (3.0 if layer[n] is None else 0.5 ** layer[n])


def test_reinit_draws_the_top_blocks_again_and_no_others(folder: Path) -> None:
    rows = picture_rows(n=4)
    plain, anew = (tiny(str(folder), pretrained=True, reinit=k) for k in (0, 2))
    bodies = [spec.make_body(spec.make_dataset(rows), rows) for spec in (plain, anew)]
    own, other = (body.state_dict() for body in bodies)
    moved = {bodies[0].layer_of(n) for n, w in bodies[0].named_parameters() if not torch.equal(w, other[n])}
    assert moved == {0, 1}
    statistics = [n for n in own if n.endswith("running_mean") and not torch.equal(own[n], other[n])]
    assert statistics and all(".layer4." in n or ".layer3." in n for n in statistics)


def test_what_needs_pretrained_weights_is_refused_without_them(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="reinit: with pretrained=false all layers begin at random"):
        tiny(reinit=1)
    with pytest.raises(KitError, match="mixout needs pretrained weights, and ImageEncoder has none"):
        rows = picture_rows(n=8)
        tiny().override("mixout=0.5").learn(rows, rows, tmp_path)


# ---- weights -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of timm as the hub has it; statistics of batch norm unlike those of a blank one."""
    folder = tmp_path_factory.mktemp("weights") / "net"
    folder.mkdir()
    torch.manual_seed(5)
    net = timm.create_model("test_resnet", num_classes=7)
    for buffer in net.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    facts = net.pretrained_cfg | {
        "num_classes": 7,
        "mean": (0.1, 0.2, 0.3),
        "std": (0.3, 0.3, 0.3),
        "input_size": (3, 48, 48),
    }
    config = {
        "architecture": "test_resnet",
        "num_classes": 7,
        "pretrained_cfg": {k: v for k, v in facts.items() if v is not None},
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(net.state_dict(), folder / "model.safetensors")
    return folder


def test_weights_of_a_folder_bring_their_own_mean_and_size(folder: Path, tmp_path: Path) -> None:
    rows = picture_rows(n=12)
    spec = ImageEncoder(weights=str(folder), stage=QUICK, batch_rows=8)
    dataset = spec.make_dataset(rows)
    body = spec.make_body(dataset, rows).eval()
    assert dataset.inputs(rows).padded(np.arange(2))["pixels"].shape == (2, 3, 48, 48)
    own = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    torch.testing.assert_close(
        body.normalise(torch.zeros(1, 3, 1, 1))[0, :, 0, 0], -torch.tensor([0.1, 0.2, 0.3]) / 0.3
    )
    assert all(torch.equal(value, body.backbone.state_dict()[name]) for name, value in own.state_dict().items())
    assert "files" in spec.identity()
    fitted = spec.override("mixout=0.2", "noisy_tune=0.1").learn(rows, rows, tmp_path)
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    (tmp_path / "moved").mkdir()
    moved = (tmp_path / "model").rename(tmp_path / "moved" / "model")  # a kernel has the saved folder alone
    np.testing.assert_array_equal(NetworkPredictor.load(moved).predict(rows), fitted.predict(rows))


def test_a_file_of_tensors_alone_is_the_packaged_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package holds EfficientNet-lite0's tensors in its own order, under other names."""
    monkeypatch.setenv("KIT_WEIGHTS", str(tmp_path))
    place = tmp_path / "tf_efficientnet_lite0.in1k"
    place.mkdir()
    torch.manual_seed(1)
    net = timm.create_model("tf_efficientnet_lite0").eval()
    tensors = {f"_tensor{i}": value for i, value in enumerate(net.state_dict().values())}
    torch.save(tensors, place / "lite0.pth")
    rows, spec = picture_rows(n=2), ImageEncoder(size=32)
    dataset = spec.make_dataset(rows)
    body = spec.make_body(dataset, rows).eval()
    pixels = dataset.inputs(rows).padded(np.arange(2))["pixels"]
    expected = net.forward_head(net.forward_features((pixels / 255 - 0.5) / 0.5), pre_logits=True)
    torch.testing.assert_close(body(pixels), expected, atol=1e-4, rtol=1e-4)
    assert spec.identity()["files"] and body.num_features == 1280
    torch.save(dict(list(tensors.items())[:-1]), place / "lite0.pth")
    with pytest.raises(KitError, match="its tensors are not those of a tf_efficientnet_lite0"):
        spec.make_body(dataset, rows)


def test_what_is_no_network_of_timm_is_named(tmp_path: Path) -> None:
    rows = picture_rows(n=4)
    with pytest.raises(KitError, match="weights = 'timm/resnt18': timm has no such network; did you mean 'resnet18'"):
        tiny("resnt18").make_dataset(rows)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(KitError, match="config.json names no architecture of timm"):
        tiny(str(tmp_path), pretrained=True).make_dataset(rows)
    with pytest.raises(KitError, match="drop_path: a vgg11 has no branches to drop"):
        spec = tiny("vgg11", drop_path=0.1)
        spec.make_body(spec.make_dataset(rows), rows)
    with pytest.raises(KitError, match="ImageEncoder reads pictures, and task 't' names no column of them"):
        ImageEncoder().check(rows.task.model_copy(update={"name": "t", "images": (), "text": ("t",)}))


# ---- techniques --------------------------------------------------------------------------------

SETTINGS = [
    "pool=gem", "drop_path=0.3", "head_hidden=8", "layer_decay=0.5", "freeze=2", "loss=BCE(smoothing=0.2)", "mix=Mixup",
    "mix=CutMix", "mix=EmbeddingMixup", "average=EMA(decay=0.5)", "average=SWA(since=0.5)", "perturb=FGM",
    "perturb=FGSM(eps=0.1)", "perturb=PGD", "perturb=FreeLB", "perturb=AWP(eps=0.05)", "perturb=VAT",
    "perturb=GradientPenalty", "noise=GaussianNoise", "rdrop=1", "stage.size=16", "augment=RandAugment augmented=1",
    "freeze_norm=true", "precision=bf16",
]  # fmt: skip


def test_every_technique_changes_the_fit_and_comes_back(tmp_path: Path) -> None:
    rows = picture_rows(n=12)
    spec = tiny(stage=QUICK.model_copy(update={"epochs": 1}))
    plain = spec.learn(rows, rows, tmp_path).predict(rows)
    for number, setting in enumerate(SETTINGS):
        work = tmp_path / str(number)
        (work / "model").mkdir(parents=True)
        fitted = spec.override(*setting.split()).learn(rows, rows, work)
        p = fitted.predict(rows)
        assert np.isfinite(p).all() and not np.array_equal(p, plain), setting
        fitted.save(work / "model")
        np.testing.assert_array_equal(NetworkPredictor.load(work / "model").predict(rows), p, setting)


@pytest.mark.parametrize("setting", ["checkpointing=true", "save_every=5"])
def test_what_saves_memory_or_time_changes_no_number(setting: str, tmp_path: Path) -> None:
    rows, plain = picture_rows(n=16), tiny("test_vit")
    answers = [
        s.learn(rows, rows, tmp_path / str(i)).predict(rows) for i, s in enumerate((plain, plain.override(setting)))
    ]
    np.testing.assert_allclose(*answers, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["multilabel", "multiclass", "regression"])
def test_other_kinds_keep_the_contract(kind: str, tmp_path: Path) -> None:
    loss = {"multiclass": ["loss=Ordinal"]}.get(kind, [])  # ordered grades
    check_member(tiny().override("epochs=1", *loss), picture_rows(kind, 18), tmp_path)


def test_it_learns(tmp_path: Path) -> None:
    rows = picture_rows(n=64)
    spec = tiny(stage=Stage(epochs=12, lr=3e-3, head_lr=1e-2, precision="fp32"))
    fitted = spec.learn(rows.take(np.arange(44)), rows.take(np.arange(0)), tmp_path)
    held = rows.take(np.arange(44, 64))
    assert rows.task.metric(held.labels, fitted.predict(held)) > 0.9


# ---- several pictures a row --------------------------------------------------------------------


def test_pictures_of_a_row_are_joined_and_padding_does_not_count(tmp_path: Path) -> None:
    bytes_ = [png(noise(i)) for i in range(9)]
    rows = rows_of([tuple(bytes_[:3]), (bytes_[3],), tuple(bytes_[4:9])])
    single = rows_of(bytes_)
    spec = tiny(pictures=4)
    dataset, alone = spec.make_dataset(rows), spec.make_dataset(single)
    assert dataset.several and not alone.several and dataset.inputs(rows).length.tolist() == [3, 1, 4]
    torch.manual_seed(0)
    body = spec.make_body(dataset, rows).eval()
    one = body.encoder(alone.inputs(single).padded(np.arange(9))["pixels"])
    found = body(**dataset.inputs(rows).padded(np.array([2, 0, 1])))
    taken = [4, 5, 7, 8]  # 4 of 5, evenly spread
    expected = torch.stack([one[taken].mean(0), one[:3].mean(0), one[3]])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    for join in ("max", "attention", "gru"):
        p = tiny(join=join).learn(rows, rows, tmp_path / join).predict(rows)
        assert np.isfinite(p).all() and p.shape == (3, 1)
    fitted = tiny().learn(single, single, tmp_path)
    with pytest.raises(KitError, match="3 pictures in row 0: this member was fitted on rows of one picture each"):
        fitted.predict(rows)


# ---- stages ------------------------------------------------------------------------------------


def test_progressive_resizing_and_the_head_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, seen = picture_rows(n=16), []
    own = TimmEncoder.forward

    def forward(self: TimmEncoder, pixels: torch.Tensor) -> torch.Tensor:
        learning = (
            sum(w.requires_grad for w in self.backbone.parameters()) if self.training or torch.is_grad_enabled() else 0
        )
        seen.append((pixels.shape[-1], learning > 0))
        return own(self, pixels)

    monkeypatch.setattr(TimmEncoder, "forward", forward)
    spec = tiny("test_vit", **fine_tuning(epochs=3, sizes=(16, 32), lr=1e-3, precision="fp32"))
    assert [stage.epochs for stage in spec.stages] == [1, 2, 1] and spec.stage.only_head
    assert all(isinstance(stage.schedule, OneCycle) for stage in spec.stages)
    assert spec.then[0].layer_decay < 1 and [stage.size for stage in spec.stages] == [16, 16, 32]
    spec.learn(rows, rows, tmp_path)
    runs = [shown for i, shown in enumerate(seen) if not i or seen[i - 1] != shown]
    assert runs == [(16, False), (16, True), (32, True)]
    with pytest.raises(KitError, match="1 epochs cannot be shared among 2 sizes"):
        fine_tuning(epochs=1, sizes=(16, 32))
    with pytest.raises(KitError, match="Stage.size = 16: it is the size of pictures, and this member reads none"):
        Encoder().load_dataset(tmp_path).at_size(16)


# ---- pictures that cannot be read --------------------------------------------------------------


def test_a_broken_picture_teaches_nothing_and_is_predicted_as_the_mean(tmp_path: Path) -> None:
    cells = [png(noise(i)) for i in range(8)]
    whole = rows_of(cells)
    broken = rows_of([*cells, b"no picture", None], [*(np.arange(8) % 2), 1, 1])
    plain = tiny().learn(whole, whole, tmp_path / "plain")
    fitted = tiny().learn(broken, broken, tmp_path / "broken")
    p = fitted.predict(broken)
    np.testing.assert_array_equal(p[8:, 0], [0.5, 0.5])  # of the rows that it learnt from, half are ones
    np.testing.assert_allclose(p[:8], plain.predict(whole), atol=1e-6)
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(broken), p)
    with pytest.raises(KitError, match="no picture of these 2 train rows can be read"):
        tiny().learn(rows_of([b"x", b"y"]), whole, tmp_path / "none")


def test_batch_norms_are_frozen_if_set(tmp_path: Path) -> None:
    rows = picture_rows(n=16)
    dataset = tiny(freeze_norm=True).make_dataset(rows)
    body = tiny(freeze_norm=True).make_body(dataset, rows)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in body.modules())
    before = {n: b.clone() for n, b in body.named_buffers()}
    body.train()(dataset.inputs(rows).padded(np.arange(8))["pixels"])
    assert len(before) > 10 and all(torch.equal(b, before[n]) for n, b in body.named_buffers())
