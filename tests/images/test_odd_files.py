"""Odd pictures, each made by code: those that are read right, and those that are named in a sentence."""

import io
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kit.core.errors import KitError
from kit.images import PictureFault, PictureFiles, decode
from kit.metrics import log_loss
from kit.table import Table, read_table
from kit.task import Task

TASK = Task(name="p", kind="binary", id="id", images=("image",), targets=("label",), metric=log_loss)
# top left red, top right green, bottom left blue, bottom right white: turned or mirrored it is another picture
CORNERS = np.zeros((48, 64, 3), dtype=np.uint8)
CORNERS[:24, :32], CORNERS[:24, 32:], CORNERS[24:, :32], CORNERS[24:, 32:] = (
    (220, 30, 30),
    (30, 200, 30),
    (30, 30, 220),
    255,
)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    image.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


RGB = Image.fromarray(CORNERS)
JPEG = saved(RGB, "JPEG", quality=95)


def close(found: Image.Image, wanted: np.ndarray = CORNERS, within: float = 6) -> bool:
    pixels = np.asarray(found).astype(float)
    assert found.mode == "RGB" and pixels.shape == wanted.shape
    return bool(np.abs(pixels - wanted).mean() < within)


def oriented(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    back = {  # what the camera stored, where a person sees CORNERS
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[value]  # fmt: skip
    return saved(RGB.transpose(back), "JPEG", quality=95, exif=exif)


def with_segment(marker: int, content: bytes) -> bytes:
    return JPEG[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content + JPEG[2:]


GREY = CORNERS.mean(axis=2).round().astype(np.uint8)
ALPHA = np.dstack([CORNERS, np.where(np.arange(64) < 32, 255, 0)[None].repeat(48, 0)]).astype(np.uint8)
ON_WHITE = np.where(ALPHA[..., 3:] == 255, CORNERS, 255).astype(np.uint8)
ONE_BIT = GREY > 128


def palette_with_alpha() -> bytes:
    image = RGB.quantize(8, dither=Image.Dither.NONE)
    return saved(image, "PNG", transparency=image.getpixel((40, 40)))


READ = {
    "PNG called jpg": (saved(RGB, "PNG"), CORNERS),
    "animated GIF called jpg": (saved(RGB, "GIF", save_all=True, append_images=[Image.new("RGB", RGB.size)]), CORNERS),
    "CMYK": (saved(RGB.convert("CMYK"), "JPEG", quality=95), CORNERS),
    "grey JPEG": (saved(Image.fromarray(GREY), "JPEG", quality=95), GREY[..., None].repeat(3, 2)),
    "16-bit grey PNG": (saved(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG"), GREY[..., None].repeat(3, 2)),
    "16-bit grey TIFF": (saved(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF"), GREY[..., None].repeat(3, 2)),
    "palette with alpha": (palette_with_alpha(), CORNERS),  # the transparent corner is white either way
    "alpha": (saved(Image.fromarray(ALPHA, "RGBA"), "PNG"), ON_WHITE),
    "grey with alpha": (saved(Image.fromarray(ALPHA, "RGBA").convert("LA"), "PNG"), None),
    "1 bit": (saved(Image.fromarray(ONE_BIT), "PNG"), ONE_BIT[..., None].repeat(3, 2) * 255),
    "WebP": (saved(RGB, "WEBP", quality=95), CORNERS),
    "progressive": (saved(RGB, "JPEG", quality=95, progressive=True), CORNERS),
    "last bytes cut off": (JPEG[:-4], CORNERS),
    "bytes after the end": (JPEG + b"\0" * 1000 + b"<html>", CORNERS),
    "broken XMP": (with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta <<<"), CORNERS),
    "broken EXIF": (with_segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"), CORNERS),
    **{f"EXIF orientation {value}": (oriented(value), CORNERS) for value in range(2, 9)},
}


@pytest.mark.parametrize("decoder", ["simplejpeg", "Pillow"])
@pytest.mark.parametrize("kind", READ)
def test_odd_pictures_are_read_as_a_person_sees_them(kind: str, decoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if decoder == "simplejpeg":
        pytest.importorskip("simplejpeg")
    monkeypatch.setattr(sys.modules["kit.images.decode"], "jpeg_decoder", lambda: decoder)
    data, wanted = READ[kind]
    for found in (decode(data), decode(data, (8, 8))):
        if wanted is None or found.size != RGB.size:  # decoded at a smaller scale: twice what is needed at least
            assert min(found.size) >= 16 and found.mode == "RGB"
            small = Image.fromarray(CORNERS if wanted is None else np.asarray(wanted, dtype=np.uint8)).resize((8, 8))
            assert wanted is None or close(found.resize((8, 8)), np.asarray(small), 14)
        else:
            assert close(found, wanted)


def bomb() -> bytes:
    """A PNG of 400,000,000 pixels in a few kilobytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


BAD = {
    b"": "0 bytes", b"<html>404</html>": "no picture", bomb(): "more than 178,956,970 pixels",
    b"\x89PNG\r\n\x1a\n": "no whole picture|no picture",
}  # fmt: skip


@pytest.mark.parametrize("data", BAD)
def test_what_is_no_picture_is_a_fault(data: bytes) -> None:
    with pytest.raises(PictureFault, match=BAD[data]):
        decode(data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """8 train rows and 3 test rows, of which 5 and 1 name no picture that can be read."""
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "secret.png").write_bytes(saved(RGB, "PNG"))
    rng = np.random.default_rng(0)
    drawn = [saved(Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)), "PNG") for _ in range(6)]
    files = {f"pictures/{i}.png": one for i, one in enumerate(drawn)} | {
        "pictures/e.jpg": b"",
        "pictures/h.jpg": b"<html>",
    }
    with zipfile.ZipFile(data / "pictures.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    names = ["0", "e", "1", "h", "../secret.png", "2", "missing", ""]
    (data / "train.csv").write_text("id,image,label\n" + "".join(f"{i},{n},{i % 2}\n" for i, n in enumerate(names)))
    (data / "test.csv").write_text("id,image\n10,4\n11,h.jpg\n12,5\n")
    return data


def read(folder: Path, cache: Path | None = None, **changed: object) -> Table:
    task = Task(**TASK.model_dump() | {"metric": log_loss} | changed)
    return read_table(task, folder / "train.csv", folder / "test.csv", None, cache)


def test_bad_pictures_are_named_and_their_train_rows_left_out(folder: Path) -> None:
    table = read(folder)
    assert table.train["id"].tolist() == ["0", "2", "5"] and len(table.test) == 3
    said = [note for note in table.notes if "cannot be read" in note]
    assert said == [
        "train.csv: 5 pictures cannot be read: 'pictures/e.jpg' (0 bytes), 'pictures/h.jpg' (no picture), '../secret.png' "
        "(leaves the data folder) …; 5 rows are left out",
        "test.csv: 1 picture cannot be read: 'pictures/h.jpg' (no picture); its row is predicted as the mean of the others",
    ]
    with pytest.raises(KitError, match=r"train.csv: 5 pictures cannot be read: .* …; Task\(bad_images='leave_out'\)"):
        read(folder, bad_images="refuse")
    (folder / "pictures.zip").unlink()
    with pytest.raises(KitError, match=r"8 pictures cannot be read: '0' \(no such file\).*data has no pictures"):
        read(folder)


def test_rows_with_other_columns_stay(folder: Path) -> None:
    rows = pd.read_csv(folder / "train.csv", dtype=str)
    rows.assign(size=range(8)).to_csv(folder / "train.csv", index=False)
    pd.read_csv(folder / "test.csv", dtype=str).assign(size=1).to_csv(folder / "test.csv", index=False)
    table = read(folder)
    assert (
        len(table.train) == 8
        and "5 pictures cannot be read" in str(table.notes)
        and "counts as empty" in str(table.notes)
    )


def test_checksums_are_computed_once_and_kept_by_size_and_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read(folder, tmp_path / "cache").digest
    with monkeypatch.context() as patch:
        patch.setattr(PictureFiles, "read", lambda *_: pytest.fail("a picture was read again"))
        assert read(folder, tmp_path / "cache").digest == before
    kept = next((tmp_path / "cache").glob("pictures-*.tsv"))
    kept.write_bytes(kept.read_bytes()[:-200])  # damaged: made anew
    assert read(folder, tmp_path / "cache").digest == before
    with zipfile.ZipFile(folder / "pictures.zip", "a") as archive:
        archive.writestr("pictures/more.png", saved(RGB, "PNG"))
    assert read(folder, tmp_path / "cache").digest == before  # a picture that no row names
    data = (folder / "pictures.zip").read_bytes()
    at = data.index(b"IDAT") + 20
    (folder / "pictures.zip").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    table = read(folder, tmp_path / "cache")  # a bit has changed: the zip file's own checksum tells
    assert table.digest != before and "damaged in pictures.zip" in str(table.notes)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1, 255, 65535], ids=str)
def test_a_value_that_is_no_number_changes_no_other_pixel(scale: int) -> None:
    """A TIFF of floats may hold NaN and infinities: no value is black, and infinity white."""
    values = np.linspace(0, scale, 64, dtype=np.float32).reshape(8, 8)
    odd = values.copy()
    odd[0, 1], odd[2, 3], odd[4, 5] = np.nan, np.inf, -np.inf
    plain, found = (np.asarray(decode(saved(Image.fromarray(v), "TIFF")))[..., 0] for v in (values, odd))
    assert (found[0, 1], found[2, 3], found[4, 5]) == (0, 255, 0)
    same = np.isfinite(odd)
    np.testing.assert_array_equal(found[same], plain[same])
    assert plain.max() == 255
