"""Checks of the bytes of a delimited text, all at once: whether rows are whole, whether numbers are codes."""

import re

import numpy as np

BLOCK = 1 << 20  # bytes in one step: they stay in the processor's cache
ZERO, QUOTE = b'0"'
CODE = re.compile(rb"0\d+")


def count_separators(body: bytes, separator: str) -> int:
    """How many separators are outside of quotes.

    A quote inside an unquoted field counts as the start of a quoted one; then the number does not match the fields.
    """
    if b'"' not in body:
        return body.count(separator.encode())
    every, sign = np.frombuffer(body, np.uint8), ord(separator)
    count, inside = 0, 0
    for at in range(0, len(body), BLOCK):
        block = every[at : at + BLOCK]
        quotes = np.cumsum(block == QUOTE, dtype=np.uint8) + np.uint8(inside)  # 256 is 0, which is even as well
        count += int(np.count_nonzero((block == sign) & (quotes % 2 == 0)))
        inside = int(quotes[-1] % 2)
    return count


def holds_codes(body: bytes, separator: str) -> bool:
    """Whether some field has digits only and begins with a zero, such as 007; it may be in quotes."""
    every, ends = np.frombuffer(body, np.uint8), b'"\r\n' + separator.encode()
    starts = [0] if body[:1] == b"0" else []
    for at in range(0, len(body), BLOCK):
        block = every[at : at + BLOCK + 2]
        first = np.zeros(max(len(block) - 2, 0), dtype=bool)
        for sign in ends:
            first |= block[:-2] == sign
        first &= (block[1:-1] == ZERO) & (block[2:] - ZERO < 10)
        for start in [*starts, *(at + 1 + np.flatnonzero(first)).tolist()]:
            found = CODE.match(body, start)
            if found and (found.end() == len(body) or body[found.end()] in ends):
                return True
        starts = []
    return False
