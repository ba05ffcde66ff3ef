"""Plots by matplotlib: SVG for the page, and PNG files."""

import io
import logging
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.core.files import replacing
from kit.core.machine import machine_fault
from kit.report.data import BLEND
from kit.report.html import text
from kit.report.style import LIGHT, SERIES

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SIZE = (4.4, 3.1)  # inches: at the width of a phone, its letters keep about their size
LARGE = 6.5  # inches: a wider picture takes the page's whole width, and a phone scrolls it
POINTS = 3000  # largest number of points in a scatter plot
DPI = 150
STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a dollar in a name is a dollar
    "svg.fonttype": "none",  # text stays text: small, sharp, and in any script for which the reader has a font
    "font.size": 10.0,
    "axes.edgecolor": LIGHT["line"], "axes.labelcolor": LIGHT["faint"], "axes.titlecolor": LIGHT["ink"],
    "axes.titlesize": 10.0, "axes.titlelocation": "left", "axes.titleweight": "bold", "axes.labelsize": 10.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "axes.grid": True,
    "axes.facecolor": "none", "figure.facecolor": LIGHT["paper"], "grid.color": LIGHT["line"], "grid.linewidth": 0.6,
    "text.color": LIGHT["ink"], "xtick.color": LIGHT["line"], "ytick.color": LIGHT["line"],
    "xtick.labelcolor": LIGHT["faint"], "ytick.labelcolor": LIGHT["faint"],
    "legend.frameon": False, "legend.fontsize": 9.0, "lines.linewidth": 1.6, "lines.solid_capstyle": "round",
}  # fmt: skip

Plot = Callable[["Axes"], None]


class Figures:
    """Draws the pictures of one report.

    Args:
        folder: folder of the PNG files.
        names: members; each has the same colour in all pictures.
        debug: whether to raise the error of a picture; if not, the page shows it.
    """

    def __init__(self, folder: Path, names: Sequence[str] = (), debug: bool = False) -> None:
        self.folder, self.debug = folder, debug
        self.colors = {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)} | {BLEND: LIGHT["ink"]}
        self.made: list[str] = []

    def color(self, of: str | int) -> str:
        """The colour of a member, or of a position in a list; the blend has the colour of the text."""
        if isinstance(of, int):
            return SERIES[of % len(SERIES)]
        return self.colors.setdefault(of, SERIES[len(self.colors) % len(SERIES)])

    def draw(self, name: str, alt: str, caption: str, plot: Plot, size: tuple[float, float] = SIZE) -> str:
        """A figure of the page; it is also saved as NAME.png in `folder`. If drawing fails, a note says so.

        Args:
            name: name of the file, unique in a report.
            alt: description of the picture, for screen readers.
            caption: the text below it.
            plot: function that draws on the given axes.
            size: width and height in inches.
        """
        try:
            picture = self._drawn(name, plot, size)
        except Exception as error:
            if self.debug or machine_fault(error) is not None:
                raise
            return f'<figure class="fault">{text(alt)}: {error_note(error)}</figure>'
        self.made.append(name)
        label = f'<svg role="img" aria-label="{text(alt)}" '
        kind = ' class="large"' if size[0] > LARGE else ""
        return f"<figure{kind}>{label}{picture.removeprefix('<svg ')}<figcaption>{text(caption)}</figcaption></figure>"

    def _drawn(self, name: str, plot: Plot, size: tuple[float, float]) -> str:
        import matplotlib
        from matplotlib.figure import Figure

        with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")  # in a PNG; the page uses the reader's fonts
            logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
            figure = Figure(figsize=size, layout="constrained")
            plot(figure.add_subplot())
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
            figure.set_layout_engine("none")  # it has a layout already, and computing it takes as long as drawing
            with replacing(self.folder / f"{name}.png") as temporary:
                figure.savefig(temporary, format="png", dpi=DPI)
        return inline(buffer.getvalue(), name)


def size_for_lines(lines: int) -> tuple[float, float]:
    """Width and height of a picture with this number of named lines; many lines are closer together."""
    return SIZE[0], 0.9 + (0.36 if lines <= 12 else 0.24) * max(lines, 2)


def legend(axes: "Axes", things: "Mapping[str, Artist]", loc: Any) -> None:
    """A legend with all names. By default, matplotlib leaves out names that begin with an underscore."""
    made = axes.legend(list(things.values()), ["name"] * len(things), loc=loc)
    for words, name in zip(made.get_texts(), things, strict=True):
        words.set_text(name)


def inline(svg: str, name: str) -> str:
    """An SVG file as an element of a page: with unique ids, the page's colours, and as wide as possible.

    Args:
        svg: the file of matplotlib, in colours of `LIGHT`.
        name: prefix of every id, because ids of a page must be unique.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{name}-", svg)
    for variable, color in LIGHT.items():
        svg = svg.replace(color, f"var(--{variable})")
    return re.sub(r">\s+<", "><", svg).strip()


def thinned(count: int, most: int) -> "Sequence[int]":
    """At most `most` positions among `count` points, equally spaced, including the first and the last."""
    step = max((count - 1) / max(most - 1, 1), 1.0)
    return sorted({min(round(i * step), count - 1) for i in range(min(count, most))})


def error_note(error: Exception) -> str:
    """The error as one escaped line for the page."""
    return text(f"could not be drawn ({type(error).__name__}: {str(error)[:300]}); --debug shows where")
