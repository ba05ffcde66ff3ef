"""Normalising Chinese text and splitting it into sentences; both work for English and mixed text too."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from itertools import chain

from kit.core.errors import KitError

# ASCII punctuation → the full-width form that Chinese text keeps.
_CHINESE = {",": "，", ";": "；", ":": "：", "!": "！", "?": "？", "(": "（", ")": "）"}


def _table() -> dict[int, str | None]:
    """Character → its normalised form."""
    table: dict[int, str | None] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width ASCII
    for sign in _CHINESE.values():
        del table[ord(sign)]
    for code in chain(range(0xFE10, 0xFE1A), range(0xFE30, 0xFE6C)):  # vertical and small forms
        plain = unicodedata.normalize("NFKC", chr(code))
        if len(plain) == 1 and plain != chr(code):
            table[code] = _CHINESE.get(plain, plain)
    for variants, sign in [
        ("「﹁｢〝„‟", "“"),
        ("」﹂｣〞〟", "”"),
        ("『﹃‚‛", "‘"),
        ("』﹄", "’"),
        ("‐‑‒–−︲", "-"),
        ("―─━⸺⸻﹘︱", "—"),
        ("⋯︙", "…"),
        ("〜∼", "~"),
        ("•・‧∙●･", "·"),
        ("｡", "。"),
        ("､", "、"),
    ]:
        table |= {ord(variant): sign for variant in variants}
    unseen = [range(9), range(14, 28), [0x7F, 0xAD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF], range(0xD800, 0xE000)]
    return table | dict.fromkeys(chain(*unseen))


_TABLE = _table()
_ELLIPSIS = re.compile(r"(?:…|\.{3,}+|。{3,}+|·{3,}+)+")
_DASH = re.compile(r"(?:—|-{2,}+)+")
_APOSTROPHE = re.compile(r"(?<=[^\W\d_])’(?=[a-zA-Z])")
_SPACES = re.compile(r"[^\S ]\s*| \s+")

_CLOSING = r"[”’」』）】》〉〕］｝)\]}»]"
# Ends of sentences: marks of any number; full stops that stand before a blank, or after a Chinese character and not
# before a digit or letter, unless after a single letter (J. Smith, e.g.) or a title; a new line.
_END = re.compile(
    rf"""(?: [。！？!?…]+
    | (?<!\.) (?<!\b[a-zA-Z]) (?<!\b(?:Mr|Ms|Dr|St|vs)) (?<!\bMrs) \.++ (?= (?:{_CLOSING}|["'])*+ (?:\s|\Z) )
    | (?<=[\u3400-\u9fff”’）]) \.++ (?![\da-zA-Z])
    ) {_CLOSING}*
    | \n""",
    re.VERBOSE,
)
_BLANK = re.compile(r"\s*")


def normalise(text: str, simplify: bool = False) -> str:
    """Text in one normalised form.

    Full-width letters, digits and spaces become ASCII. Chinese punctuation stays Chinese (，。！？；：（）、), ASCII
    punctuation ASCII; small, vertical and half-width forms of Chinese signs become the common ones. Quotes become
    “ ” ‘ ’ or stay straight, an apostrophe is ', dashes of any kind and number are —, hyphens and minuses -,
    ellipses …, middle dots and bullets ·. A run of white space becomes a new line if it holds one, else a space;
    none is left at the ends. Invisible characters are removed. The text is in NFC; NFKC would turn ① into 1.

    Args:
        simplify: traditional characters and phrases become simplified ones.

    Raises:
        KitError: `simplify`, and the package for it is not installed.
    """
    text = unicodedata.normalize("NFC", text).translate(_TABLE)
    text = _DASH.sub("—", _ELLIPSIS.sub("…", text))
    if "’" in text:
        text = _APOSTROPHE.sub("'", text)
    text = _SPACES.sub(_one_space, text).strip()
    if simplify:
        convert, changes = simplifier()
        if changes.search(text):
            text = convert(text)
    return text


def _one_space(match: re.Match[str]) -> str:
    return "\n" if any(sign in match[0] for sign in "\n\r\u2028\u2029") else " "


@cache
def simplifier() -> tuple[Callable[[str], str], re.Pattern[str]]:
    """OpenCC's conversion from traditional to simplified, and a pattern that matches what it would change.

    The pattern is nearly free; the conversion takes a fifth of the time of segmentation.
    """
    try:
        from opencc import OpenCC
    except ImportError:
        raise KitError("simplify=True needs the package opencc: pip install 'kit[text]'") from None
    converter = OpenCC("t2s")
    converter.convert("")  # reads the tables
    pairs = chain.from_iterable(table.items() for _, _, table in converter.dict_cache.values())
    changed = [key for key, values in pairs if values.split(" ")[0] != key]
    signs = "".join(key for key in changed if len(key) == 1)
    phrases = [key for key in changed if len(key) > 1 and not set(key) & set(signs)]
    return converter.convert, re.compile("|".join([f"[{signs}]", *phrases]))


def sentences(text: str) -> list[str]:
    """The text's sentences; joined together they are the text again.

    A sentence ends at 。！？!?… (any number of them), at a full stop that is neither inside a number nor after a
    one-letter abbreviation, and at a new line. Closing quotes, brackets and white space after the end belong to the
    sentence; a straight double quote is a closing one if one is open.
    """
    found: list[str] = []
    start = at = 0
    while match := _END.search(text, at):
        at = match.end()
        follows = text[at : at + 1]
        if follows == '"':
            at += text.count('"', start, at) % 2
        elif follows == "'":
            at += not text[at + 1 : at + 2].isalnum()
        if space := _BLANK.match(text, at):
            at = space.end()
        if text[start:at].isspace():  # blank lines before the first sentence
            continue
        found.append(text[start:at])
        start = at
    if text[start:].isspace() and found:
        found[-1] += text[start:]
    elif start < len(text):
        found.append(text[start:])
    return found
