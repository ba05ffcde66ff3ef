"""Bytes of a text of fields against Python's own csv module."""

import csv
import io
import re

from hypothesis import given, settings
from hypothesis import strategies as st

import kit.reading.bytes as looked_at
from kit.reading.bytes import count_separators, holds_codes

FIELDS = st.sampled_from(["", "0", "007", "0.5", "10", "a,b", 'say "x"', "two\nlines", "00", "01a", "é,0", "0,07"])
TABLES = st.lists(st.lists(FIELDS, min_size=2, max_size=4), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(TABLES, st.sampled_from([",", ";", "\t"]), st.sampled_from([1, 2, 3, 1 << 20]))
def test_separators_and_codes_are_those_of_the_fields(table: list[list[str]], separator: str, block: int) -> None:
    file, before = io.StringIO(), looked_at.BLOCK
    csv.writer(file, delimiter=separator).writerows(table)
    body = file.getvalue().encode()
    looked_at.BLOCK = block
    try:
        assert count_separators(body, separator) == sum(len(row) - 1 for row in table)
        parts = re.split(f'[{separator}"\r\n]', body.decode())  # of a field in quotes, too
        assert holds_codes(body, separator) == any(re.fullmatch(r"0\d+", part) for part in parts)
        assert holds_codes(b"007", separator) and not holds_codes(b"", separator) and not holds_codes(b"0", separator)
    finally:
        looked_at.BLOCK = before
