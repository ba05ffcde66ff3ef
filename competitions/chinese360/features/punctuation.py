"""Signs where no writer puts them: doubled, unbalanced, at the wrong end of a text; two widths of digits."""

import re
from collections.abc import Sequence

import numpy as np

from competitions.chinese360.features import ragged
from competitions.chinese360.features.pieces import clauses, sentences

PAIRS = {
    "quotes": "“”",
    "single": "‘’",
    "round": "（）",
    "narrow": "()",
    "titles": "《》",
    "corners": "『』",
    "lentils": "【】",
}
_PAIRED = re.compile("[“”‘’（）()《》『』【】]")
STOP, COMMA = "[。！？!?…]", "[，、；：,;:]"
ODD = {
    "stop_comma": re.compile(f"{STOP}[”’』」）)]?{COMMA}"),
    "comma_stop": re.compile(f"{COMMA}{STOP}"),
    "comma_comma": re.compile(f"{COMMA}{COMMA}"),
    "stop_stop": re.compile("。[。！？]"),
    "comma_close": re.compile(f"{COMMA}[”’』」）)》]"),
    "open_comma": re.compile(f"[“‘『「（(《](?:{COMMA}|{STOP})"),
    "comma_open": re.compile(f"{COMMA}[（(]"),
    "stop_close": re.compile(f"{STOP}[”’』」）)]"),
    "close_stop": re.compile(f"[”’』」]{STOP}"),
    "empty_pair": re.compile(r"“”|‘’|《》|（）|『』|\(\)"),
    "last_stop": re.compile(rf"{STOP}[”’』」）)\"]*\s*$"),
    "first_close": re.compile(r"^[^“‘（(《『]*[”’）)》』]"),
    "last_open": re.compile(r"[“‘（(《『][^”’）)》』]*$"),
    "first_sign": re.compile(r"^[^\w“‘（(《『【\[]"),
    "wide_digits": re.compile("[０-９]+"),
    "narrow_digits": re.compile("[0-9]+"),
    "chinese_digits": re.compile("[一二三四五六七八九十百千万]{2,}"),
    "latin": re.compile("[A-Za-z]+"),
    "wide_latin": re.compile("[Ａ-Ｚａ-ｚ]+"),
    "spaces": re.compile(r"\s+"),
    "narrow_signs": re.compile(r"[,.!?:;()]"),
}


def punctuation_features(texts: Sequence[str], letters: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    """Counts of odd signs, unbalanced pairs, lengths of sentences and clauses."""
    rows = [_row(text) for text in texts]
    features = {name: np.array([row[name] for row in rows], float) for name in _row("")}
    features["two_widths"] = np.minimum(features["wide_digits"], features["narrow_digits"])
    for name, pieces in ("sentence", sentences(letters, start)), ("clause", clauses(letters, start)):
        per_row = np.searchsorted(pieces, start)
        lengths = np.diff(pieces)
        features |= {f"{name}_length_{k}": v for k, v in ragged.moments(lengths, per_row).items()}
        features[f"{name}s"] = np.diff(per_row)
        padded = np.append(lengths, 0)
        for place, at in ("first", per_row[:-1]), ("last", per_row[1:] - 1):
            features[f"{name}_{place}_length"] = np.where(np.diff(per_row) > 0, padded[at], 0)
    return features


def _row(text: str) -> dict[str, float]:
    row: dict[str, float] = {name: len(sign.findall(text)) for name, sign in ODD.items()}
    row["length"] = len(text)
    signs = "".join(_PAIRED.findall(text))
    for name, pair in PAIRS.items():
        depth = np.cumsum([1 if sign == pair[0] else -1 for sign in signs if sign in pair] or [0])
        row |= {f"{name}_open": depth[-1], f"{name}_early": -min(depth.min(), 0), f"{name}_nested": depth.max()}
    row["unbalanced"] = sum(text.count(pair[0]) != text.count(pair[1]) for pair in PAIRS.values())
    return row
