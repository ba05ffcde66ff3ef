"""The console for progress and tables: a notebook cell, a terminal, or lines in a file."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 140  # columns without a terminal: a table in 80 columns would be hard to read


def make_console() -> "Console":
    """A console as wide as its terminal."""
    from rich.console import Console

    # brackets and colons in a user's texts are no markup
    return Console(width=None if sys.stdout.isatty() else WIDTH, markup=False, emoji=False)
