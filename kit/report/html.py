"""Small pieces of HTML; every text is escaped here and nowhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

Cell = Any  # a text, a number, a PageLink, a Thumbnail, or a pair: what is shown and what it is sorted by


@dataclass(frozen=True)
class PageLink:
    """A cell that leads to another part of the page.

    Attributes:
        words: text of the link.
        anchor: id of the element that it leads to.
    """

    words: str
    anchor: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Thumbnail:
    """A cell with a small picture, which the page holds once however often it is shown.

    Attributes:
        anchor: id of the element that holds it, see `kit.report.thumbnails`.
        width: in pixels.
        height: in pixels.
        times: by which it is enlarged.
        alt: what it is, for screen readers.
    """

    anchor: str
    width: int
    height: int
    times: int
    alt: str

    def __str__(self) -> str:
        return ""


def drawn(picture: Thumbnail) -> str:
    """The element that shows a thumbnail."""
    width, height = picture.width, picture.height
    return (
        f'<svg class="thumb" role="img" aria-label="{text(picture.alt)}" width="{width * picture.times}" '
        f'height="{height * picture.times}" viewBox="0 0 {width} {height}"><use href="#{text(picture.anchor)}"/></svg>'
    )


def text(value: object) -> str:
    """A text, escaped for content and for attributes."""
    return escape(str(value), quote=True)


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{_class(kind)}>{text(words)}</p>" if words else ""


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    caption: str,
    wide: Sequence[int] = (),
    stack: bool = False,
    tags: Sequence[Mapping[str, str]] = (),
) -> str:
    """A table in a box of its own that scrolls. The page's script sorts it and saves it as a CSV file.

    Args:
        head: names of the columns.
        rows: a cell is a text, a number, a `PageLink`, a `Thumbnail`, or a pair: what is shown and what it is sorted
            by.
        caption: the text below the table.
        wide: columns whose texts may take several lines.
        stack: on a phone, cells are put below one another, each with the name of its column.
        tags: `data-…` attributes of each row, which the script filters by.
    """
    names = "".join(f'<th scope="col"><button type="button">{text(name)}</button></th>' for name in head)
    labels = [f' data-name="{text(name)}"' if stack else "" for name in head]
    body = "".join(
        f"<tr{_data(tags[place] if tags else {})}>"
        + "".join(_cell(c, i in wide, i == 0, labels[i]) for i, c in enumerate(row))
        + "</tr>"
        for place, row in enumerate(rows)
    )
    return (
        f'<div class="table"><div class="box{" whole" if stack else ""}" tabindex="0" role="region" '
        f'aria-label="{text(caption)}"><table{_class("stack" if stack else "")}><thead><tr>{names}</tr></thead>'
        f'<tbody>{body}</tbody></table></div><div class="below">{paragraph(caption, "faint")}'
        '<span class="scrolls" hidden></span><button type="button" class="csv" hidden>Save as CSV</button></div></div>'
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
    content = text(shown)
    if isinstance(shown, PageLink):
        content = f'<a href="#{text(shown.anchor)}">{content}</a>'
    elif isinstance(shown, Thumbnail):
        content = drawn(shown)
    return f"<{tag}{scope}{_class(kind)}{sort}{label}>{content}</{tag}>"


def row_filter(name: str, choices: Sequence[tuple[str, str, Sequence[tuple[str, str]]]], show: int) -> str:
    """A search field and lists to choose from, which filter the rows of the table that follows. Hidden without script.

    Args:
        name: name of the search field, for screen readers.
        choices: key of the rows' `data-…` attribute, title, and (value, text) of each option, the first being chosen.
            A row matches if the value is one of the words of its attribute, or is empty.
        show: rows to show before "Show all".
    """
    lists = "".join(
        f'<label>{text(title)} <select data-key="{text(key)}">'
        + "".join(f'<option value="{text(value)}">{text(words)}</option>' for value, words in options)
        + "</select></label>"
        for key, title, options in choices
    )
    return (
        f'<div class="filter" role="search" aria-label="{text(name)}" data-show="{show}" hidden>'
        f'<label>Search <input type="search"></label>{lists}<output aria-live="polite"></output>'
        '<button type="button" class="all">Show all</button></div>'
    )


def definitions(pairs: Sequence[tuple[str, object]]) -> str:
    """Pairs of a name and its value, as a list."""
    return "<dl>" + "".join(f"<dt>{text(k)}</dt><dd>{text(v)}</dd>" for k, v in pairs) + "</dl>"


def code(words: str) -> str:
    """A command or other text for a terminal."""
    return f'<pre class="box" tabindex="0"><code>{text(words)}</code></pre>'


def details(summary: str, content: str, anchor: str, beside: str = "") -> str:
    """A part that opens by a click on its summary, or by a link to its anchor.

    Args:
        beside: a less visible text after the summary.
    """
    small = f" <small>{text(beside)}</small>" if beside else ""
    return f'<details id="{text(anchor)}"><summary>{text(summary)}{small}</summary>{content}</details>'


def group(*parts: str) -> str:
    """Pictures and tables side by side if there is room; a single last one takes the whole width."""
    return f'<div class="group">{"".join(parts)}</div>' if any(parts) else ""


def stacked(*parts: str) -> str:
    """Several pieces below one another, as one item of a group."""
    return f"<div>{''.join(parts)}</div>" if any(parts) else ""


def number(value: float | None, digits: int = 5) -> tuple[str, float | None]:
    """A cell with a number with this many digits; a dot if there is no number."""
    return ("·", None) if value is None or value != value else (f"{value:.{digits}f}", float(value))


def shortened(words: str, most: int) -> str:
    """The text in one line of at most `most` characters."""
    line = " ".join(words.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _data(tags: Mapping[str, str]) -> str:
    return "".join(f' data-{key}="{text(value)}"' for key, value in tags.items())
