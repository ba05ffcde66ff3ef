"""Draws what a command printed as a picture of a terminal.

    make cv comp=toxic | python docs/terminal.py "make cv comp=toxic" > docs/terminal.svg

Lines of progress, and those of folds before the last two, are left out, so that the picture stays short.
"""

import io
import re
import sys

from rich.console import Console
from rich.text import Text

# rich's own frame without its @font-face rules, which would fetch fonts from a server
FRAME = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


PROGRESS = re.compile(r"(about .* left|time left unknown .*|\w+: preparing .*|\w+ fold \d+: .*, for [\d.]+ \w+.*)")


def main() -> None:
    lines = [line for line in sys.stdin.read().rstrip().splitlines() if not PROGRESS.fullmatch(line)]
    folds = [i for i, line in enumerate(lines) if re.match(r"\w+ fold \d+: ", line)]
    hidden = set(folds[:-2])
    shown = [line.rstrip() for i, line in enumerate(lines) if i not in hidden]
    if hidden:
        shown.insert(folds[0], "…")
    console = Console(record=True, width=max(map(len, shown)), file=io.StringIO(), markup=False, highlight=False)
    for line in shown:
        console.print(Text(line, style="bold" if line.startswith("│ blend") else ""))
    print(console.export_svg(title=sys.argv[1], code_format=FRAME, unique_id="kit"), end="")


if __name__ == "__main__":
    main()
