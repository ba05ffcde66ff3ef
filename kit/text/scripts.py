"""Scripts: what is a word where spaces do not say it, as in Chinese, Japanese, Thai, Lao, Khmer and Burmese."""

import re
import unicodedata
from functools import cache

# characters of scripts without spaces between words, as the inside of a regular expression's [...]
HAN = "々〇〻\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
KANA = "\u3041-\u309f\u30a1-\u30ff\u31f0-\u31ff\uff66-\uff9f"
THAI, LAO, BURMESE, KHMER = "\u0e01-\u0e4e", "\u0e81-\u0ece", "\u1000-\u109f", "\u1780-\u17d3\u17dc\u17dd"
UNSPACED = HAN + KANA + THAI + LAO + BURMESE + KHMER

# One unit of such a script: a Chinese character, a kana, or a consonant with the vowels and marks that belong to it. Of
# Thai this is about the character cluster (Theeramunkong et al., "Character cluster based Thai information retrieval",
# 2000), the smallest piece that no word boundary can cut.
_UNITS = (
    rf"[{HAN}]",
    rf"[{KANA}][\u3099\u309a\uff9e\uff9f]?",
    r"[\u0e40-\u0e44]?[\u0e01-\u0e2e][\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*[\u0e30\u0e32\u0e33\u0e45]?",
    r"[\u0ec0-\u0ec4]?[\u0e81-\u0eae][\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece]*[\u0eb0\u0eb2\u0eb3]?",
    r"[\u1000-\u102a\u103f](?:\u1039[\u1000-\u102a]|[\u102b-\u1038\u103a-\u103e\u1056-\u1059\u105e-\u1060])*",
    r"[\u1780-\u17b3](?:\u17d2[\u1780-\u17b3]|[\u17b4-\u17d1\u17d3\u17dd])*",
    rf"[{UNSPACED}]",  # a sign that stands alone
)
UNIT = "|".join(_UNITS)
# accents of these scripts tell words apart: vowel signs of India's scripts, voiced kana
_KEPT = re.compile(rf"([\u0900-\u0dff{UNSPACED}]+)")


def tokens(text: str) -> list[str]:
    """Words of any script.

    Two letters or more between spaces, as scikit-learn's default pattern, with the vowel signs inside a word; each unit
    of a script without spaces (`UNIT`); a Korean word of one syllable.
    """
    return _token().findall(text)


def strip_accents(text: str) -> str:
    """The text without accents, but for scripts in which they tell words apart; Korean syllables stay whole."""
    return "".join([part if i % 2 else _stripped(part) for i, part in enumerate(_KEPT.split(text))])


def _stripped(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join([c for c in decomposed if not unicodedata.combining(c)]))


@cache
def _token() -> re.Pattern[str]:
    return re.compile(rf"{UNIT}|[^\W{UNSPACED}][_{letters()}]+|[\uac00-\ud7a3]")


@cache
def letters() -> str:
    """Letters, digits and marks inside a word of scripts with spaces, as the inside of a regular expression's [...]."""
    codes = [code for code in range(0x20000) if _goes_on(chr(code))]
    starts = [code for code in codes if not _goes_on(chr(code - 1 if code else 0))]
    ends = [code for code in codes if not _goes_on(chr(code + 1))]
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in zip(starts, ends, strict=True))


def _goes_on(letter: str) -> bool:
    inside = letter.isalnum() or unicodedata.category(letter) in ("Mn", "Mc")
    return inside and not _UNSPACED.match(letter)


_UNSPACED = re.compile(f"[{UNSPACED}]")
