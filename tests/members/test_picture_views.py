"""Augmented pictures, views of pictures, and pictures joined with text and columns."""

import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kit.augment.image
import kit.train.prefetch
from kit import Chain, Greedy, ImageAugment, OneOf, RandAugment, Recipe, Sometimes, Stratified, log_loss
from kit.augment import EDA, Albumentations, Augment, augmented
from kit.core.errors import KitError
from kit.images.look import Look
from kit.members import Concat, Perceptron, TextNet, Views, pairs
from kit.members.network.augmented import AugmentedRows
from kit.testing import check_member
from kit.train import Stage
from kit.train.lengths import LengthBatches
from kit.tta import Augmented, FiveCrops, Flips, Rotations, Scales, with_views
from tests.helpers.encoders import one_thread  # noqa: F401
from tests.helpers.pictures import QUICK, TASKS, noise, picture_rows, png, rows_of, tiny

# ---- augments ----------------------------------------------------------------------------------


def own_pipeline() -> Any:
    import albumentations as A

    return A.Compose([A.HorizontalFlip(p=0.5), A.RandomBrightnessContrast(p=0.9)])


AUGMENTS = [
    ImageAugment(strength="light"), ImageAugment(strength="medium", flips="both"),
    ImageAugment(strength="heavy", flips="all"), RandAugment(operations=3, magnitude=15),
    Albumentations(build=own_pipeline),
]  # fmt: skip


@pytest.mark.parametrize("augment", AUGMENTS, ids=lambda a: getattr(a, "strength", type(a).__name__))
def test_a_picture_changes_by_its_row_and_epoch_alone(augment: Augment) -> None:
    pictures = [noise(i) for i in range(12)]
    whole = augmented(pictures, augment, 0, 3, range(12))
    again = augmented(pictures[::-1], augment, 0, 3, range(11, -1, -1))[::-1]
    other = augmented(pictures, augment, 0, 4, range(12))
    assert all(np.array_equal(a, b) for a, b in zip(whole, again, strict=True))
    assert all(a.shape == (40, 40, 3) and a.dtype == np.uint8 for a in whole)
    assert sum(not np.array_equal(a, p) for a, p in zip(whole, pictures, strict=True)) > 6
    assert sum(not np.array_equal(a, b) for a, b in zip(whole, other, strict=True)) > 6
    assert all(np.array_equal(p, noise(i)) for i, p in enumerate(pictures))  # the pictures themselves stay


def test_heavier_ones_change_more_and_flips_are_the_chosen_ones() -> None:
    picture = noise(3)

    def difference(augment: Augment) -> float:
        made = augmented([picture] * 30, augment, 0, 0, range(30))
        return float(np.mean([np.abs(m.astype(float) - picture).mean() for m in made]))

    ladder = [difference(RandAugment(magnitude=m, flips="off")) for m in (1, 10, 25)]
    assert ladder == sorted(ladder)

    def quadrant(flips: Any) -> set[int]:
        """Where a bright corner goes."""
        marked = np.zeros((32, 32, 3), np.uint8)
        marked[2:14, 2:14] = 255
        made = augmented([marked] * 40, ImageAugment(strength="light", flips=flips), 0, 0, range(40))
        return {int(np.argmax([m[a : a + 16, b : b + 16].sum() for a in (0, 16) for b in (0, 16)])) for m in made}

    assert [len(quadrant(flips)) for flips in ("off", "horizontal", "both", "all")] == [1, 2, 4, 4]


def two_flips() -> Any:
    import albumentations as A

    return A.Compose([A.HorizontalFlip(p=0.5), A.OneOf([A.VerticalFlip(p=1.0), A.NoOp(p=1.0)], p=1.0)])


def test_transforms_of_a_pipeline_draw_apart() -> None:
    """albumentations seeds all transforms of a pipeline alike, so that they would flip together or not at all."""
    picture = noise(0)
    made = augmented([picture] * 200, Albumentations(build=two_flips), 0, 0, range(200))
    sides = {1: picture[:, ::-1], 2: picture[::-1], 3: picture[::-1, ::-1], 0: picture}
    counts = [sum(np.array_equal(m, side) for m in made) for side in sides.values()]
    assert sum(counts) == 200 and min(counts) > 30  # 50 each, give or take


def test_combined_augments_are_of_one_kind() -> None:
    both = OneOf(choices=(ImageAugment(strength="light"), Sometimes(step=RandAugment(), p=0.5)))
    assert both.changes == "pictures" and not both.crops and Chain(steps=(both, ImageAugment())).crops
    with pytest.raises(KitError, match="EDA changes texts, and ImageAugment pictures; combine those of one kind"):
        Chain(steps=(EDA(), ImageAugment()))
    with pytest.raises(KitError, match="augment=ImageAugment changes pictures; take Flips, Rotations"):
        Augmented(augment=ImageAugment())


def not_pixels() -> Any:
    import albumentations as A

    return A.Normalize()


def test_pipelines_and_packages_that_cannot_be_used_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, rng = picture_rows(n=8), np.random.default_rng(0)
    with pytest.raises(KitError, match=r"Albumentations must give pictures .* and gives float32"):
        Albumentations(build=not_pixels)(noise(0), rng)
    with pytest.raises(KitError, match="Albumentations.build: dict gives a dict, not a transform"):
        Albumentations(build=dict)(noise(1), rng)
    with pytest.raises(KitError, match="augment=EDA changes texts, but the task has no text column"):
        tiny().override("augment=EDA").learn(rows, rows, tmp_path)
    text = picture_rows("all", 8)
    with pytest.raises(KitError, match="augment=ImageAugment changes pictures, and a TextNet reads texts"):
        TextNet(min_count=1).override("augment=ImageAugment").learn(text, text, tmp_path)
    monkeypatch.setattr(kit.augment.image.metadata, "version", lambda name: "2.1.0")
    with pytest.raises(KitError, match=r"albumentationsx 2.1.0 is installed: its licence is the AGPL"):
        kit.augment.image.albumentations()


# ---- augmented rows in training ----------------------------------------------------------------


class Inverted(Augment):
    """The negative of a picture."""

    @property
    def changes(self) -> Any:
        return "pictures"

    def __call__(self, sample: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        SEEN.append(sample.shape)
        return 255 - sample


SEEN: list[tuple[int, ...]] = []


def test_only_train_rows_are_changed_in_the_stage_that_says_so(tmp_path: Path) -> None:
    rows = picture_rows(n=24)
    dataset = tiny().make_dataset(rows)
    inputs = dataset.inputs(rows)
    changed = AugmentedRows(dataset, rows.take(np.arange(16)), Inverted(), 0.5, 0)
    batches = LengthBatches(inputs, np.arange(16), rows.labels[:16], 64, 8, 0, changed=changed)
    for epoch in (1, 2):
        which = changed.chosen(epoch)
        assert 2 < which.sum() < 14
        for batch in batches.plan(epoch):
            own, shown = batch % 16, batches[batch]["inputs"]["pixels"]
            own = own[np.argsort(batch >= 16, kind="stable")]
            plain = inputs.padded(own)["pixels"]
            expected = torch.where(torch.tensor(which[own])[:, None, None, None], 255 - plain, plain)
            assert torch.equal(shown, expected)
    SEEN.clear()
    spec = tiny(stage=QUICK.model_copy(update={"augment": Inverted(), "augmented": 1.0}), stop="inner", inner=0.25)
    fitted = spec.learn(rows, rows, tmp_path / "a")
    assert len(SEEN) == 2 * 18  # two epochs of the rows learnt from, none of those held out
    fitted.predict(rows)
    assert len(SEEN) == 2 * 18


class Bytes:
    """A pool whose one worker gets and gives bytes, as a process does, without the seconds that one takes to begin."""

    def __init__(self, count: int, begin: Any, *given: Any) -> None:
        assert count == 1
        self.calls = 0
        begin(*pickle.loads(pickle.dumps(given)))
        POOLS.append(self)

    def submit(self, *call: Any) -> "Future[Any]":
        self.calls += 1
        work, *given = pickle.loads(pickle.dumps(call))
        future: Future[Any] = Future()
        future.set_result(pickle.loads(pickle.dumps(work(*given))))
        return future

    def shutdown(self, **how: Any) -> None:
        pass


POOLS: list[Bytes] = []


def test_a_killed_fit_with_augmentation_and_workers_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/train/test_prefetch.py has processes that make batches, and the test below one that changes pictures."""
    rows = picture_rows(n=24)
    spec = tiny(save_every=0, workers=0).override("augment=ImageAugment(strength=heavy)", "augmented=0.7", "mix=CutMix")
    expected = spec.learn(rows, rows, tmp_path / "whole").predict(rows)
    get, left = LengthBatches.batch, [4]

    def failing(self: Any, *given: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return get(self, *given)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LengthBatches, "batch", failing)
        spec.learn(rows, rows, tmp_path / "killed")
    assert torch.load(tmp_path / "killed" / "last.pt", weights_only=True)["step"] == 3
    shutil.copytree(tmp_path / "killed", tmp_path / "there")
    np.testing.assert_array_equal(spec.learn(rows, rows, tmp_path / "killed").predict(rows), expected)
    monkeypatch.setattr(kit.train.prefetch, "worker_pool", Bytes)
    POOLS.clear()
    there = spec.override("workers=1").learn(rows, rows, tmp_path / "there")
    np.testing.assert_array_equal(there.predict(rows), expected)
    assert [pool.calls for pool in POOLS] == [3]  # the steps that were left


CHANGED = """
import hashlib, numpy as np
from kit.augment.base import augmented
from kit.augment.image import ImageAugment, RandAugment
pictures = [np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8) for i in range(20)]
made = [augmented(pictures, a, 3, 2, range(5, 25)) for a in (ImageAugment(strength="heavy"), RandAugment(magnitude=20))]
print(hashlib.sha256(np.array(made).tobytes()).hexdigest())
"""


def test_another_process_changes_pictures_to_the_same_pixels(
    python: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    augmented([noise(0)] * 50, RandAugment(), 7, 1, range(50))  # whatever was drawn here before
    exec(CHANGED, {})
    assert python(CHANGED) == capsys.readouterr().out.strip()


# ---- views -------------------------------------------------------------------------------------


def test_looks_show_what_they_say() -> None:
    picture = noise(0, 40, 40)[None]
    centre = picture[:, 4:36, 4:36]
    assert np.array_equal(Look().show(picture, 32), centre)
    assert np.array_equal(Look(mirror=True).show(picture, 32), centre[:, :, ::-1])
    assert np.array_equal(Look(turns=1).show(picture, 32), np.rot90(centre, 1, (1, 2)))
    assert np.array_equal(Look(down=-1, right=1).show(picture, 32), picture[:, :32, 8:])
    flat = np.full((1, 20, 20, 3), 77, np.uint8)
    for zoom in (0.3, 0.7, 1.3, 3.0):
        assert np.array_equal(Look(zoom=zoom).show(flat, 16), flat[:, :16, :16])
    half = np.zeros((1, 40, 40, 3), np.uint8)
    half[:, :, 20:] = 200  # magnified twice around the centre the edge stays where it is
    wide = Look(zoom=2.0).show(half, 32)
    assert (wide[:, :, :12] < 20).all() and (wide[:, :, 20:] > 180).all()
    small = Look(zoom=0.5).show(half, 32)  # 64 pixels of a picture of 40: 12 on each side are mirrored
    assert (small[:, :, 18:] > 190).all() and (small[:, :, :14] < 10).all()


def test_symmetries_are_eight_and_crops_lie_in_the_corners() -> None:
    picture = noise(1)[None]
    eight = {
        Look().show(picture, 32).tobytes(),
        *(k.show(picture, 32).tobytes() for k in Rotations(mirrored=True).looks),
    }
    assert len(eight) == 8
    four = {look.show(picture, 32).tobytes() for look in (Look(), *Flips(vertical=True).looks)}
    assert len(four) == 4 and four <= eight
    corners = [look.show(picture, 32)[0] for look in FiveCrops(zoom=1.0).looks]
    for crop, (top, left) in zip(corners, [(0, 0), (0, 8), (8, 0), (8, 8)], strict=True):
        assert np.array_equal(crop, picture[0, top : top + 32, left : left + 32])
    assert len(FiveCrops(mirrored=True).looks) == 9
    with pytest.raises(KitError, match="1 is the row itself"):
        Scales(zooms=(1.0, 2.0))


@pytest.mark.parametrize("view", [Flips(), Rotations(), FiveCrops(), Scales()], ids=lambda view: type(view).__name__)
def test_a_prediction_is_the_mean_over_the_row_and_its_views(view: Any, tmp_path: Path) -> None:
    rows = picture_rows(n=12)
    spec = tiny(stage=Stage(epochs=1, precision="fp32"))
    fitted = Views(member=spec, views=(view,), weight=2.0).learn(rows, rows, tmp_path)
    alone = fitted.predictor
    dataset = alone.dataset
    whole = dataset.inputs(rows).columns[0].pixels
    expected = 2.0 * alone.predict(rows)
    for look in view.looks:
        pixels = torch.from_numpy(np.ascontiguousarray(look.show(np.asarray(whole), 32))).permute(0, 3, 1, 2)
        with torch.inference_mode():
            expected = expected + torch.sigmoid(alone.net(pixels=pixels)).numpy()
    np.testing.assert_allclose(fitted.predict(rows), expected / (2 + len(view.looks)), atol=1e-6)


def test_views_of_pictures_stand_beside_views_of_text_and_ask_for_pictures(tmp_path: Path) -> None:
    rows = picture_rows("all", 9)
    seen = with_views(rows, (Flips(vertical=True), Augmented(augment=EDA())), 0)
    assert len(seen) == 5 * 9 and seen.source.original is rows.source
    assert [look is None for look in seen.source.looks] == [True, False, False, False, True]
    assert with_views(rows, (Flips(vertical=True), Augmented(augment=EDA())), 0).source is seen.source
    texts = seen.source.frame["t"].to_numpy().reshape(5, 9)
    assert (texts[:4] == texts[0]).all() and (texts[4] != texts[0]).any()
    with pytest.raises(KitError, match="Flips shows pictures, but task 'x' has no column of them"):
        Views(views=(Flips(),)).check(rows.task.model_copy(update={"name": "x", "images": ()}))
    with pytest.raises(KitError, match="views of views"):
        with_views(seen, (Rotations(),), 0)


# ---- joined ------------------------------------------------------------------------------------


def test_pictures_text_and_columns_are_joined_end_to_end(tmp_path: Path) -> None:
    stage = Stage(epochs=1, precision="fp32", augment=ImageAugment(), size=16)
    text = TextNet(min_count=1, width=8, stage=Stage(epochs=1))
    joined = Concat(a=tiny(), b=text, more=(Perceptron(hidden=(4,)),), stage=stage, rates=(1.0, 0.5, 1.0))
    check_member(joined, picture_rows("all", 24), tmp_path)
    with pytest.raises(KitError, match="Concat reads text, and task 'b' names no text column"):
        joined.check(TASKS["binary"])
    with pytest.raises(KitError, match="Concat reads pictures, and task 'b' names no column of them"):
        joined.check(TASKS["binary"].model_copy(update={"images": (), "text": ("t",)}))


def test_an_augment_of_a_join_reaches_its_own_part_alone() -> None:
    rows = picture_rows("all", 12)
    joined = Concat(a=tiny(), b=TextNet(min_count=1, width=8), stage=QUICK)
    dataset = joined.make_dataset(rows)
    plain = dataset.inputs(rows).padded(rows.at)
    for augment, part in ((Inverted(), "part0_"), (EDA(share=0.9) if "share" in EDA.model_fields else EDA(), "part1_")):
        changed = AugmentedRows(dataset, rows, augment, 1.0, 0)
        found = changed.read(changed.job(1, np.arange(12)))
        assert found.keys() == plain.keys()
        for name, value in plain.items():
            same = value.shape == found[name].shape and torch.equal(value, found[name])
            assert same or name.startswith(part), name
        assert not all(v.shape == found[n].shape and torch.equal(v, found[n]) for n, v in plain.items())


def test_two_encoders_of_pictures_are_joined_pairwise_and_apart_first(tmp_path: Path) -> None:
    rows = picture_rows(n=16)
    members = {"vit": tiny("test_vit"), "resnet": tiny()}
    (name, joined), *none = pairs(members, start="fitted", stage=QUICK.model_copy(update={"epochs": 1})).items()
    assert name == "vit_resnet" and not none
    fitted = joined.learn(rows, rows, tmp_path)
    assert fitted.net.body.num_features == 64 + 96 and np.isfinite(fitted.predict(rows)).all()
    layer = {n: fitted.net.layer_of(n) for n, _ in fitted.net.named_parameters()}
    parts = {n: fitted.net.part_of(n) for n in layer}
    assert max(layer[n] or 0 for n in layer if parts[n] == (0,)) == 6
    assert max(layer[n] or 0 for n in layer if parts[n] == (1,)) == 4


def test_two_families_and_their_join_are_blended(tmp_path: Path) -> None:
    class Families(Recipe):
        task = TASKS["multiclass"].model_copy(update={"id": "id"})
        folds = Stratified(n=2)
        vit = tiny("test_vit")
        resnet = tiny()
        both = Concat(a=vit, b=resnet, stage=QUICK)
        blend = Greedy()

    rows = picture_rows("multiclass", 48)
    train = rows.frame.assign(id=range(48), y=[Families().task.classes[int(k)] for k in rows.labels[:, 0]])
    run = Families().open(train, train.drop(columns="y").iloc[:6], runs=tmp_path)
    run.fit()
    report = run.blend()
    scores = [log_loss(rows.labels, run.oof(name)[["u", "v", "w"]].to_numpy()) for name in ("vit", "resnet", "both")]
    assert max(scores) < np.log(3)  # each has learnt something
    assert set(report.weights) <= {"vit", "resnet", "both"} and len(report.weights) > 1
    assert report.report.score < min(scores)


def test_pictures_of_a_member_lie_in_the_memory_of_no_worker(tmp_path: Path) -> None:
    from kit.rows import Rows
    from kit.source import Source

    rows = rows_of([png(noise(i, 64, 64)) for i in range(30)])
    kept = Rows(rows.task, Source(rows.source.frame, folder=tmp_path), rows.at, rows.y)
    changed = AugmentedRows(tiny().make_dataset(kept), kept, ImageAugment(), 1.0, 0)
    sent = pickle.dumps(changed.read)
    assert len(sent) < 5000 and len(pickle.dumps(changed.job(1, np.arange(8)))) < 2000
    there = pickle.loads(sent)(changed.job(1, np.arange(8)))["pixels"]
    assert torch.equal(there, changed.read(changed.job(1, np.arange(8)))["pixels"])
