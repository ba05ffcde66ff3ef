"""Small pieces of HTML; every text is escaped here and nowhere else."""

from collections.abc import Sequence
from html import escape
from typing import Any

Cell = Any  # a text, a number, or (what is shown, what it is sorted by)


def text(value: object) -> str:
    """A text, escaped for content and for attributes."""
    return escape(str(value), quote=True)


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{_class(kind)}>{text(words)}</p>" if words else ""


def table(
    head: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str, wide: Sequence[int] = (), stack: bool = False
) -> str:
    """A table that is sorted by a click on a column's name, in a box of its own that scrolls.

    Args:
        head: names of the columns.
        rows: a cell is a text, a number, or a pair: what is shown and what it is sorted by.
        caption: stands below.
        wide: columns whose texts may take several lines.
        stack: on a phone, cells stand below one another, each with the name of its column.
    """
    names = "".join(f'<th scope="col"><button type="button">{text(name)}</button></th>' for name in head)
    labels = [f' data-name="{text(name)}"' if stack else "" for name in head]
    body = "".join(
        "<tr>" + "".join(_cell(c, i in wide, i == 0, labels[i]) for i, c in enumerate(row)) + "</tr>" for row in rows
    )
    kind, box, below = _class("stack" if stack else ""), "box whole" if stack else "box", paragraph(caption, "faint")
    return (
        f'<div class="table"><div class="{box}" tabindex="0" role="region" aria-label="{text(caption)}"><table{kind}>'
        f"<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>{below}</div>"
    )


def _cell(cell: Cell, wide: bool, first: bool, label: str) -> str:
    shown, key = cell if isinstance(cell, tuple) else (cell, cell)
    numeric = isinstance(key, (int, float)) and not isinstance(key, bool)
    kind = "wide" if wide else "number" if numeric else ""
    sort = f' data-sort="{text(float(key))}"' if numeric and key == key else ""
    if key is None or (numeric and key != key):
        kind, shown = "number", "·" if shown is None or shown is key else shown
    tag = "th" if first else "td"
    scope = ' scope="row"' if first else ""
    return f"<{tag}{scope}{_class(kind)}{sort}{label}>{text(shown)}</{tag}>"


def facts(pairs: Sequence[tuple[str, object]]) -> str:
    """Names and what they stand for, as a list."""
    return "<dl>" + "".join(f"<dt>{text(k)}</dt><dd>{text(v)}</dd>" for k, v in pairs) + "</dl>"


def code(words: str) -> str:
    """What is typed into a terminal."""
    return f'<pre class="box" tabindex="0"><code>{text(words)}</code></pre>'


def details(summary: str, content: str) -> str:
    """What is seen after a click on its summary."""
    return f"<details><summary>{text(summary)}</summary>{content}</details>"


def group(*parts: str) -> str:
    """Pictures and tables side by side where there is room."""
    return f'<div class="group">{"".join(parts)}</div>' if any(parts) else ""


def number(value: float | None, digits: int = 5) -> tuple[str, float | None]:
    """A cell with a number of so many digits; a dot where there is none."""
    return ("·", None) if value is None or value != value else (f"{value:.{digits}f}", float(value))


def shortened(words: str, most: int) -> str:
    """The text in one line, cut where it is longer than `most` characters."""
    line = " ".join(words.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
