"""Dates and times as files write them, in the order that the whole column shows."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

Order = Literal["day", "month"]  # which of the two stands first in 03/04/2020

NAMES = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(:(?P<second>\d{2}([.,]\d+)?))?(\s?(?P<half>[AaPp])\.?[Mm]\.?)?"
ZONE = r"(\s?(Z|UTC|GMT|(?P<zone>[+-]\d{2}:?\d{2})))?"
FORMS = {
    "year": r"(?P<year>\d{4})(?P<sign>[-/.])(?P<month>\d{1,2})(?P=sign)(?P<day>\d{1,2})",
    "chinese": r"(?P<year>\d{4})年(?P<month>\d{1,2})月(?P<day>\d{1,2})日",
    "parts": r"(?P<a>\d{1,2})(?P<sign>[-/.])(?P<b>\d{1,2})(?P=sign)(?P<year>\d{4})",
    "short": r"(?P<a>\d{2})(?P<sign>[-/.])(?P<b>\d{2})(?P=sign)(?P<year>\d{2})",
    "slashes": r"(?P<a>\d{1,2})(?P<sign>/)(?P<b>\d{1,2})/(?P<year>\d{2})",
    "named": r"(?P<day>\d{1,2})[- .]{1,2}(?P<name>[A-Za-z]{3,9})[- .,]{1,2}(?P<year>\d{4}|\d{2})",
    "english": r"(?P<name>[A-Za-z]{3,9})\.? (?P<day>\d{1,2}),? (?P<year>\d{4})",
}
PATTERNS = [re.compile(rf"{form}([T ]\s?{TIME}{ZONE})?", re.ASCII) for form in FORMS.values()]
ALONE = re.compile(TIME, re.ASCII)
HINT = re.compile(r"\d[-/.]\d+[-/.]\d|\d:\d\d|年|[A-Za-z]{3}", re.ASCII)  # a fast test: most values are no dates
DAY = 86_400_000_000  # microseconds


def order_of(values: Sequence[str]) -> tuple[Order, bool]:
    """Whether day or month comes first in these values; and whether they show it: without a day above 12 they do not.

    If they do not show it, the month comes first with slashes, as in the United States, else the day.
    """
    found = [(a, b, sign) for value in values if (match := _match(value)) for a, b, sign in _ordered(match)]
    first, second = sum(a > 12 for a, _, _ in found), sum(b > 12 for _, b, _ in found)
    if first or second:
        return ("day" if first >= second else "month"), True
    return ("month" if found and found[0][2] == "/" else "day"), not found


def parsed_dates(values: Sequence[str], order: Order) -> np.ndarray:
    """(values,) datetime64[us], NaT if a value is no date; a time without a date is on the first day of 1970.

    Times with a time zone are converted to UTC. Years of two digits mean 1969 to 2068, as in POSIX.
    """
    return np.array([_date(value, order) for value in values], dtype="datetime64[us]")


def _match(value: str) -> dict[str, str] | None:
    if not 4 < len(value) < 45 or not HINT.search(value):
        return None
    for pattern in PATTERNS:
        if match := pattern.fullmatch(value):
            return match.groupdict()
    return match.groupdict() if (match := ALONE.fullmatch(value)) else None


def _ordered(match: dict[str, str]) -> list[tuple[int, int, str]]:
    return [(int(match["a"]), int(match["b"]), match["sign"])] if "a" in match else []


def _date(value: str, order: Order) -> np.datetime64:
    nothing = np.datetime64("NaT", "us")
    if (match := _match(value)) is None:
        return nothing
    year, month, day = (match.get(part) for part in ("year", "month", "day"))
    if pair := _ordered(match):
        first, second, _ = pair[0]
        month, day = (str(first), str(second)) if order == "month" else (str(second), str(first))
    if name := match.get("name"):
        known = [i for i, short in enumerate(NAMES, 1) if name.lower().startswith(short)]
        month = str(known[0]) if known else "0"
    if year is None:
        moment = np.datetime64("1970-01-01", "us")
    else:
        century = "" if len(year) == 4 else "20" if int(year) < 69 else "19"
        try:
            moment = np.datetime64(f"{century}{year}-{int(month or 0):02d}-{int(day or 0):02d}", "us")
        except ValueError:  # there is no such day
            return nothing
    return moment + np.timedelta64(_time(match), "us")


def _time(match: dict[str, str]) -> int:
    """Microseconds since midnight in UTC."""
    if not match.get("hour"):
        return 0
    hour = int(match["hour"])
    if half := match.get("half"):
        hour = hour % 12 + (12 if half in "Pp" else 0)
    seconds = hour * 3600 + int(match["minute"]) * 60
    if zone := match.get("zone"):
        shift = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        seconds += shift if zone[0] == "-" else -shift
    return seconds * 1_000_000 + round(float((match.get("second") or "0").replace(",", ".")) * 1_000_000)


PARTS = ("year", "month", "day", "day of year", "weekday", "hour", "minute")


def parts_of(dates: pd.Series) -> dict[str, np.ndarray]:
    """(n,) float64 parts of dates, NaN if a date is missing; Monday is weekday 0."""
    names = {"day of year": "dayofyear"}
    return {part: getattr(dates.dt, names.get(part, part)).to_numpy(np.float64, na_value=np.nan) for part in PARTS}


def days_since(dates: pd.Series, first: str) -> np.ndarray:
    """(n,) float64 days since a date in ISO 8601, with fractions; NaN if a date is missing."""
    moments = dates.to_numpy("datetime64[us]")
    days = (moments - np.datetime64(first, "us")).astype(np.int64) / DAY
    return np.where(np.isnat(moments), np.nan, days)
