"""Rich display: a table in a terminal, HTML in a notebook."""

import io
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from kit.core.console import WIDTH

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PRE = '<pre style="line-height:1.25;font-family:Menlo,Consolas,monospace;overflow-x:auto;white-space:pre">{code}</pre>'


class Shown(ABC):
    """A result that shows itself as a table when it is printed or is the last line of a notebook cell."""

    @abstractmethod
    def content(self) -> "RenderableType":
        """The table, or whatever rich can print."""

    def __str__(self) -> str:
        console = _recorder()
        console.print(self.content())
        return console.export_text().rstrip("\n")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        console = _recorder()
        console.print(self.content())
        return console.export_html(inline_styles=True, code_format=PRE)


def _recorder() -> "Console":
    from rich.console import Console

    # force_jupyter=False: in a notebook, it would also display the text
    return Console(record=True, file=io.StringIO(), width=WIDTH, markup=False, emoji=False, force_jupyter=False)
