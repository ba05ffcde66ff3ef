"""Archives that cannot be what a competition gives: too large once unpacked, encrypted, odd."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.reading import content
from kit.reading.content import content_of


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def encrypted() -> bytes:
    """A zip file whose one entry says that it is encrypted, in both of its headers."""
    data = bytearray(zipped(**{"train.csv": b"id,x\n1,2\n"}))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + at] |= 1
    return bytes(data)


def refused(folder: Path, data: bytes) -> str:
    (path := folder / "train.csv").write_bytes(data)
    with pytest.raises(KitError) as error:
        content_of(path)
    assert len(str(error.value)) < 200
    return str(error.value)


PACK: dict[str, Callable[[bytes], bytes]] = {
    "zip": lambda data: zipped(**{"train.csv": data}), "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress,
    "zip in gzip": lambda data: gzip.compress(zipped(**{"train.csv": data})),
}  # fmt: skip


@pytest.mark.parametrize("pack", PACK)
def test_a_bomb_is_refused_once_it_is_larger_than_any_table(
    pack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "BOMB_BYTES", 1 << 20)
    monkeypatch.setattr(content, "BOMB_RATIO", 2)
    (path := tmp_path / "train.csv").write_bytes(PACK[pack](b"0" * (1 << 20)))  # as large as a table may be
    assert len(content_of(path).data) == 1 << 20
    said = refused(tmp_path, PACK[pack](b"0" * ((1 << 20) + 1)))
    assert said.startswith("train.csv: ") and said.endswith("bytes that unpack to more than 1,048,576 are no table")


def test_no_more_of_a_bomb_is_unpacked_than_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "BOMB_BYTES", 1000)
    monkeypatch.setattr(content, "BOMB_RATIO", 0)
    asked: list[int] = []

    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size or -1)
            return b"0" * (size or 0)

    monkeypatch.setitem(content.PACKED, b"\x1f\x8b", ("gzip", lambda file: Endless()))
    assert "1,000 are no table" in refused(tmp_path, gzip.compress(b""))
    assert asked == [1001]


def test_what_is_encrypted_or_holds_several_files_or_none_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path, encrypted()) == "train.csv: is encrypted; unpack it with its password first"
    several = refused(tmp_path, zipped(**{"train.csv": b"a", "test.csv": b"b"}))
    assert several == "train.csv: holds 2 files, not one: train.csv, test.csv"
    assert refused(tmp_path, zipped(**{"__MACOSX/._train.csv": b"a"})) == "train.csv: holds 0 files, not one"
    odd = bytearray(zipped(**{"train.csv": b"id,x\n1,2\n"}))
    for magic, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        odd[odd.index(magic) + at] = 97  # a method of compression that nobody knows
    assert refused(tmp_path, bytes(odd)).endswith("unpack it first")
    assert (
        refused(tmp_path, zipped(**{"train.csv": b"a" * 100})[:-30])
        == "train.csv: not a whole zip file; fetch it again"
    )
