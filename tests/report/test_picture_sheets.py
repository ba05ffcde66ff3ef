"""Pictures in the report: contact sheets, and thumbnails beside rows, of bounded size."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import kit.augment.image
from kit.core.errors import KitError
from kit.images import PictureFiles
from kit.images.thumbnails import jpeg_within, thumbnail
from kit.members import Boost, Concat, Seeds, TextNet
from kit.members.train_pictures import picture_network, train_pictures
from kit.models import TimmEncoder
from kit.report.data import ReportData
from kit.report.page import write_report
from kit.report.picture_sheets import MOST as MOST_OF_A_SHEET
from kit.report.picture_sheets import drawn_sheets
from kit.report.plots import Figures
from kit.report.row_losses import row_losses
from kit.report.sections import label_errors, top_losses
from kit.report.thumbnails import MOST, MOST_BYTES, PageThumbnails
from kit.run.blend import blend
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from tests.helpers.house import House, in_process
from tests.helpers.picture_run import SEEN, TWINS, WRONG, Pets, pets
from tests.helpers.pictures import QUICK, noise, picture_rows, png, tiny
from tests.helpers.reporting import PNG, Read

pytest.importorskip("imagehash")
pytest.importorskip("cleanlab")
NAMES = ["stats", "net"]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[np.ndarray]]:
    """A fitted run, and the pixels that its network got in the steps of fold 0, in order."""
    run, seen, own = pets(tmp_path_factory.mktemp("pets") / "run"), [], TimmEncoder.forward

    def forward(self: TimmEncoder, pixels: torch.Tensor) -> torch.Tensor:
        if self.training:
            seen.append(pixels.permute(0, 2, 3, 1).numpy().copy())
        return own(self, pixels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIT_THREADS", "1")  # more of them only wait for each other on so few rows
        patch.setattr(TimmEncoder, "forward", forward)
        outcomes = fit_jobs(jobs_of(run, NAMES, None))
    assert {outcome.state for outcome in outcomes.values()} == {"done"}
    blend(run, NAMES)
    return run, seen


@pytest.fixture(scope="module")
def html(fitted: tuple[Run, list[np.ndarray]]) -> str:
    return write_report(fitted[0], NAMES, debug=True).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sheets(fitted: tuple[Run, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run's sheets by name."""
    folder, run = tmp_path_factory.mktemp("sheets"), fitted[0]
    return {
        path.stem.removeprefix("pictures-"): one for path, one in drawn_sheets(ReportData(run, NAMES), folder, True)
    }


# ---- the page ------------------------------------------------------------------------------------


def test_the_page_has_every_sheet_and_fetches_nothing(fitted: tuple[Run, Any], html: str) -> None:
    read = Read(html)
    assert not read.open and len(read.ids) == len(set(read.ids)) and "could not be drawn" not in html
    assert {link[1:] for link in read.links} <= set(read.ids)
    assert all(found.startswith("data:") for found in read.fetched) and len(read.fetched) > 20
    assert '<section id="pictures"' in html and '<a href="#pictures">Pictures</a>' in html
    for title in ("Train batches of net", "Most wrong rows", "Likely label errors", "Near duplicates"):
        assert f"<h3>{title}</h3>" in html
    files = {p.stem: p.read_bytes() for p in (fitted[0].root / "plots").glob("pictures-*.png")}
    assert set(files) == {f"pictures-{name}" for name in ("batches-net", "worst", "label-errors", "duplicates")}
    assert all(data.startswith(PNG) for data in files.values())
    for name in set(re.findall(r'"data:image/jpeg;base64,([^"]*)"', html)):  # each is a small picture
        assert max(Image.open(io.BytesIO(base64.b64decode(name))).size) <= 96
    assert html.count("&lt;b&gt;dog") > 10 and "<b>dog" not in html


def test_a_task_without_pictures_has_no_such_part(house: House, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    assert in_process(house, ["show", "small", "images=1"], monkeypatch) == 2
    said = "kit: images=1: task 'small' names no column of pictures (Task.images); leave it out\n"
    assert capsys.readouterr().err == said and not (house.folder / "runs").exists()
    assert in_process(house, ["show", "small", "pictures=1"], monkeypatch) == 2
    assert "did you mean 'images='?" in capsys.readouterr().err


def test_wrong_rows_have_their_picture_beside_them(fitted: tuple[Run, Any], tmp_path: Path) -> None:
    data = ReportData(fitted[0], NAMES)
    for section in (top_losses, label_errors):
        rows = re.findall(r"<tr.*?</tr>", section.body(data, Figures(tmp_path)))
        assert '<button type="button">picture</button>' in rows[0] and len(rows) > 8
        held = dict(re.findall(r'id="(thumbnail-\d+)"[^>]*base64,([^"]*)"', data.thumbnails.html()))
        ids = data.run.table.train.set_index("id")["image"]
        for row in rows[1:]:
            name = re.search(r'<th scope="row"[^>]*>(p\d\d)</th>', row)[1]  # type: ignore[index]
            (anchor,) = re.findall(r'<use href="#(thumbnail-\d+)"/>', row)
            shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(held[anchor]))), float)
            own = np.asarray(thumbnail(PictureFiles(), ids[name], 96), float)
            assert shown.shape == own.shape and np.abs(shown - own).mean() < 4
            assert f'aria-label="picture of {name}"' in row or name in ("p03", "p04", "p10")  # some have one picture


def test_the_size_of_all_thumbnails_is_bounded() -> None:
    rng = np.random.default_rng(0)
    page = PageThumbnails(PictureFiles())
    pictures = [rng.integers(0, 256, (96, 96, 3), dtype=np.uint8) for _ in range(MOST + 20)]
    found = [page.add(Image.fromarray(pixels), f"picture {i}", i) for i, pixels in enumerate(pictures)]
    assert all(found[:MOST]) and not any(found[MOST:]) and page.add(Image.fromarray(pictures[5]), "", 5) is found[5]
    assert len(page.html()) * 1.2 > MOST * MOST_BYTES and len(page.html()) < 2_500_000
    again = PageThumbnails(PictureFiles(), most=9, most_in_tables=5)
    cells = [(png(noise(i)),) for i in range(7)]
    rows = [(b"none",), *cells, cells[0], (b"none", cells[1][0])]
    shown = again.of_rows(rows, [f"row {i}" for i in range(10)])
    assert [one is not None for one in shown] == [False, True, True, True, True, False, False, False, True, False]
    assert shown[1] is shown[8] and again.add(Image.fromarray(pictures[0]), "on a sheet")  # which has room of its own


def test_a_jpeg_has_no_more_bytes_than_it_may() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8))
    sizes = [len(jpeg_within(picture, most)) for most in (200_000, 20_000, 6_000, 1_000)]
    assert all(size <= most for size, most in zip(sizes, (200_000, 20_000, 6_000, 1_000), strict=True))
    assert Image.open(io.BytesIO(jpeg_within(picture, 20_000))).size == (300, 200)  # less quality before less size
    with pytest.raises(ValueError, match="no JPEG has 10 bytes"):
        jpeg_within(picture, 10)
    assert thumbnail(PictureFiles(), b"none", 96) is None
    assert thumbnail(PictureFiles(), png(np.zeros((3, 900, 3), np.uint8)), 96).size == (96, 1)  # type: ignore[union-attr]


# ---- the sheets ----------------------------------------------------------------------------------


def test_batches_are_the_very_pixels_of_the_fit(fitted: tuple[Run, list[np.ndarray]]) -> None:
    run, seen = fitted
    train, valid = (run.table.rows(at) for at in run.split(0))
    shown = train_pictures(run.recipe.members["net"], train, valid, 12)
    steps = np.concatenate(seen[:3])[:12]
    assert len(shown) == 12 and np.array_equal(np.stack([one.pixels for one in shown]), steps)
    plain = train_pictures(tiny(), train, valid, 99)
    by_row = {one.at: one.pixels for one in plain}
    assert sorted(by_row) == train.at.tolist() and not any(one.changed for one in plain)
    assert 2 < sum(one.changed for one in shown) < 11
    for one in shown:
        assert one.changed or np.array_equal(one.pixels, by_row[one.at])
    assert any(one.changed and not np.array_equal(one.pixels, by_row[one.at]) for one in shown)


def test_the_network_within_a_member_is_found() -> None:
    net = tiny(stage=QUICK.model_copy(update={"augment": kit.augment.ImageAugment(), "augmented": 1.0, "size": 16}))
    joined = Concat(a=TextNet(), b=net, stage=QUICK)
    assert picture_network(Boost()) is None and picture_network(TextNet()) is None
    assert picture_network(Pets().net) == (Pets().net.member, Pets().net.member)
    assert picture_network(joined) == (joined, net)  # the parts' own stages count for nothing
    apart = joined.model_copy(update={"start": "fitted"})
    assert picture_network(apart) == (net, net)
    found = picture_network(Seeds(member=net, seed=2, n=3))
    assert found is not None and found[0].seed == net.seed + 6
    rows = picture_rows("all", 12)
    for member in (Concat(a=net, b=TextNet(min_count=1), stage=net.stage), net):
        shown = train_pictures(member, rows, rows.take(np.arange(0)), 5)
        assert [one.pixels.shape for one in shown] == [(16, 16, 3)] * 5 and all(one.changed for one in shown)
    with pytest.raises(KitError, match="Boost: no network in it is trained on pictures"):
        train_pictures(Boost(), rows, rows, 5)


def test_captions_say_id_label_and_prediction(fitted: tuple[Run, Any], sheets: dict[str, Any]) -> None:
    run = fitted[0]
    data = ReportData(run, NAMES)
    loss = row_losses("binary", data.y, data.blend)  # type: ignore[arg-type]
    order = np.argsort(-loss, kind="stable")[:MOST_OF_A_SHEET]
    worst = sheets["worst"]
    names = run.table.train["kind"]
    assert [tile.caption for tile in worst.tiles] == [
        (f"p{i:02d}", f"label {names[i]}", f"predicted <b>dog {data.blend[i, 0]:.3f}", f"loss {loss[i]:.3f}")  # type: ignore[index]
        for i in order
    ]
    found = {tile.caption[0] for tile in sheets["label-errors"].tiles}
    assert found >= {f"p{i:02d}" for i in WRONG}
    batches = sheets["batches-net"]
    assert "of fold 0, of 32 pixels" in batches.note and "of the first 20 are augmented" in batches.note
    last = [tile.caption[-1] for tile in batches.tiles]
    assert {*last} == {"augmented", "as it is"} and last == sorted(last, key="augmented".__ne__)  # augmented ones first
    assert all(re.fullmatch(r"predicted <b>dog 0\.\d{3}", tile.caption[2]) for tile in batches.tiles)


def test_duplicates_stand_side_by_side(sheets: dict[str, Any]) -> None:
    found = sheets["duplicates"]
    assert found.note.startswith(
        "Pairs of a train and a test picture: 1; within one of them: 1; with unlike labels: 1."
    )
    across, twins = found.tiles
    assert across.caption[0].startswith(f"p{SEEN:02d} · label ") and across.caption[1:] == (
        "p40 (test)",
        "equal hashes",
    )
    assert [line[:3] for line in twins.caption[:2]] == [f"p{i:02d}" for i in TWINS]
    assert [line.split(" · ")[1] for line in twins.caption[:2]] == ["label <b>dog", "label cat"]
    for tile in found.tiles:
        assert np.array_equal(*map(np.asarray, tile.pictures)) and len(tile.pictures) == 2


def test_a_sheet_has_a_fixed_width_and_short_lines_and_is_written_whole(tmp_path: Path) -> None:
    from kit.report.contact_sheet import GAP, LINE, SIDE, WIDTH, ContactSheet, Tile

    red = Image.new("RGB", (10, 5), "red")
    tile = Tile((red,), (None,), ("a " * 200, "中文", "third"))
    one = ContactSheet("x", "t" * 500, "words " * 80, (tile, Tile((None,), (None,), ())) * 4)
    image = one.image()
    assert image.width == WIDTH and image.height > 2 * (SIDE + 3 * LINE + GAP)
    assert np.all(np.asarray(image)[:, -GAP:] == 255)  # no line runs out of the sheet
    reds = (np.asarray(image) == (255, 0, 0)).all(axis=2).sum()
    assert reds == 4 * 160 * 80  # small ones are enlarged
    one.write(path := tmp_path / "x.png")
    before = path.read_bytes()
    path.write_bytes(b"damaged")
    one.write(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["x.png"]


def test_what_a_sheet_lacks_is_said_and_the_others_are_drawn(
    fitted: tuple[Run, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit.augment.image.pipeline_for.cache_clear()
    monkeypatch.setattr(kit.augment.image.metadata, "version", lambda name: "2.1.0")
    found = dict(drawn_sheets(ReportData(fitted[0], NAMES), tmp_path))
    said = found[tmp_path / "pictures-batches-net.png"]
    assert isinstance(said, str) and said.startswith(
        "contact sheet batches-net could not be drawn: albumentationsx 2.1.0 is installed"
    )
    assert (
        sum(not isinstance(one, str) for one in found.values()) == 3
        and not (tmp_path / "pictures-batches-net.png").exists()
    )


def test_before_the_first_fit_there_are_batches_and_duplicates(tmp_path: Path) -> None:
    run = pets(tmp_path / "run")
    found = {path.stem: one for path, one in drawn_sheets(ReportData(run, NAMES), tmp_path)}
    assert set(found) == {"pictures-batches-net", "pictures-duplicates"}
    assert {len(tile.caption) for tile in found["pictures-batches-net"].tiles} == {3}  # type: ignore[union-attr]
    assert "<h3>Near duplicates</h3>" in write_report(run, NAMES, debug=True).read_text()


# ---- the command ---------------------------------------------------------------------------------

RECIPE = "from tests.helpers.picture_run import Pets\n\n\nclass Mine(Pets):\n    pass\n"


def test_the_command_writes_the_sheets(house: House, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    data, place = house.folder / "data/pets", house.folder / "competitions/pets"
    for folder in (data, place):
        folder.mkdir(parents=True)
    (place / "recipe.py").write_text(RECIPE)
    table = pets(house.folder / "unused").table
    for frame, part in ((table.train, "train"), (table.test, "test")):
        for name, content in zip(frame["id"], frame["image"], strict=True):
            (data / f"{name}.jpg").write_bytes(content)
        frame.assign(image=frame["id"] + ".jpg").to_csv(data / f"{part}.csv", index=False)
    plots = house.folder / "runs/pets/plots"
    assert in_process(house, ["show", "pets", "images=1"], monkeypatch) == 0
    out = capsys.readouterr().out
    assert "contact sheet: runs/pets/plots/pictures-batches-net.png\n" in out and "pictures-duplicates.png" in out
    assert {path.name for path in plots.iterdir()} == {"pictures-batches-net.png", "pictures-duplicates.png"}
    assert in_process(house, ["show", "pets", "images=1", "only=stats"], monkeypatch) == 0  # it has no batches
    assert [path.name for path in plots.iterdir()] == ["pictures-duplicates.png"]
    capsys.readouterr()
    assert in_process(house, ["show", "pets"], monkeypatch) == 0 and "contact" not in capsys.readouterr().out
