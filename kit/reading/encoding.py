"""Encoding: converts the bytes of a text to UTF-8; the encoding is recognised from the bytes."""

import codecs
from pathlib import Path

from kit.core.errors import KitError

MARKS = {  # the longer first: UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
SAMPLE = 1 << 16  # bytes with letters that are not ASCII, by which an encoding is guessed
NAMES = {
    "utf-16": "UTF-16",
    "utf-32": "UTF-32",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1252": "Latin-1",
    "latin-1": "Latin-1",
    "gb18030": "GBK",
}
# usual encodings apart from UTF-8 and UTF-16; gb18030 includes GBK and GB 2312, cp1252 most of Latin-1
USUAL = ["gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1251", "cp1252"]


def as_utf8(path: Path, data: bytes, encoding: str | None = None) -> tuple[bytes, str]:
    """A text as UTF-8 without a byte order mark, and the name of its encoding; "" for plain UTF-8.

    Args:
        encoding: the encoding that the recipe states; None: it is recognised from the bytes.

    Raises:
        KitError: the bytes are not in the stated encoding.
    """
    if encoding is None and (mark := next((mark for mark in MARKS if data.startswith(mark)), None)):
        encoding = MARKS[mark]
    if encoding is None and (wide := _without_mark(data)):
        encoding = wide
    if encoding in (None, "utf-8", "utf-8-sig"):
        data = data.removeprefix(codecs.BOM_UTF8)
        if data.isascii():
            return data, ""
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            if encoding is None:
                return _guessed(path, data)
            raise KitError(f"{path.name}: not UTF-8 text: byte {data[error.start]:#04x} cannot be read") from None
        return data, ""
    try:
        return data.decode(encoding).removeprefix("\ufeff").encode("utf-8"), NAMES.get(encoding, encoding)
    except LookupError:
        raise KitError(f"Form.encoding = '{encoding}': there is no such encoding; a usual one is gb18030") from None
    except (UnicodeError, ValueError):
        raise KitError(f"{path.name}: not {NAMES.get(encoding, encoding)} text; the file may be cut") from None


def _without_mark(data: bytes) -> str | None:
    """UTF-16 without a byte order mark: every other byte of the header line is 0."""
    start = data[:200]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) < 0.4 * len(start) or not start:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _guessed(path: Path, data: bytes) -> tuple[bytes, str]:
    from charset_normalizer import from_bytes

    lines = [line for line in data.splitlines(keepends=True) if not line.isascii()]
    sample = b"".join(lines)[:SAMPLE]
    best = from_bytes(sample[: sample.rfind(b"\n") + 1] or sample, cp_isolation=USUAL).best()
    for name in (*([best.encoding] if best else []), "gb18030", "cp1252", "latin-1"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        return text.encode("utf-8"), NAMES.get(name, name)
    raise AssertionError("latin-1 reads any byte")
