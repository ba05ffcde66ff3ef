"""Numbers as they are written in files: with decimal point or comma, with or without thousands separators."""

import re
from collections.abc import Iterable
from typing import Literal

import numpy as np

Decimal = Literal[".", ","]

BLANKS = "[\u00a0\u202f\u2009 ']"  # between thousands: no-break and thin blanks, a blank, an apostrophe
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE | re.ASCII)
SPACED = re.compile(rf"[+-]?\d{{1,3}}({BLANKS}\d{{3}})+([.,]\d+)?", re.ASCII)
COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?", re.ASCII)  # 1,5
POINTS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?", re.ASCII)  # 1.234.567,8
COMMAS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", re.ASCII)  # 1,234,567.8
# what can be read in one way only
SURE_COMMA = re.compile(r"[+-]?(\d*,(\d{1,2}|\d{4,})|0,\d+|\d{4,},\d+|\d{1,3}([.]\d{3})+,\d+)", re.ASCII)
SURE_POINT = re.compile(r"[+-]?(\d{1,3}(,\d{3})+\.\d+|\d{1,3}(,\d{3}){2,})", re.ASCII)
LEADING_ZEROS = re.compile(r"0\d+", re.ASCII)


def decimal_of(values: Iterable[str]) -> Decimal | None:
    """The decimal sign that these values show; None if both are possible.

    `1,5` or `0,126` can only be a decimal comma, `1,234.5` or `1,234,567` only a comma between thousands.
    """
    commas = [value for value in values if "," in value]
    if any(map(SURE_COMMA.fullmatch, commas)):
        return ","
    return "." if any(map(SURE_POINT.fullmatch, commas)) else None


def parsed_numbers(values: list[str], decimal: Decimal) -> np.ndarray:
    """(values,) float64 numbers; NaN if a value is no number.

    Args:
        values: without outer blanks.
        decimal: the decimal sign, point or comma; the other one separates thousands. With a decimal comma, a point is
            read as a decimal point if it cannot separate thousands in these values.
    """
    if decimal == ".":
        return np.array([_number(value, ",", ".") for value in values], dtype=np.float64)
    pointed = [value for value in values if "." in value]
    thousands = "." if all(map(POINTS.fullmatch, pointed)) else ""
    return np.array([_number(value, thousands, ",") for value in values], dtype=np.float64)


def _number(value: str, thousands: str, decimal: Decimal) -> float:
    grouped = {",": COMMAS, ".": POINTS}.get(thousands)
    if grouped is not None and grouped.fullmatch(value):
        value = value.replace(thousands, "").replace(decimal, ".")
    elif decimal == "," and COMMA.fullmatch(value):
        value = value.replace(",", ".")
    elif SPACED.fullmatch(value):
        value = re.sub(BLANKS, "", value).replace(",", ".")
    return float(value) if PLAIN.fullmatch(value) else np.nan


def plain_number(value: str) -> str:
    """The shortest form of a number: "7" for "7.0" or "+7"; "007" and what is no number stay as they are."""
    if not PLAIN.fullmatch(value) or LEADING_ZEROS.fullmatch(value):
        return value
    number = float(value)
    whole = abs(number) < 2.0**53 and number == int(number)
    return str(int(number)) if whole else value if value.isdigit() else repr(number)
