"""The typer application and the options that its commands share."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
                  help="Cross-validated members, a blend and a checked submission for a competition.")  # fmt: skip

Comp = Annotated[str, typer.Argument(metavar="COMP", help="a folder of competitions/, such as toxic")]
Only = Annotated[str, typer.Option(help='members, such as "nbsvm boost"; all by default')]
FoldList = Annotated[str, typer.Option("--folds", help="folds, such as 0,1; all by default")]
Set = Annotated[str, typer.Option("--set", help='settings, such as "minilm.epochs=2 lr=5e-5"')]
Preset = Annotated[str, typer.Option(help="a named list of settings of the recipe")]
Seed = Annotated[int | None, typer.Option(help="seed of every member; the folds stay")]
Sample = Annotated[int | None, typer.Option(min=10, help="try things out on this many train rows; no submission")]
On = Annotated[str, typer.Option(help="inline, processes:N, ray or ray:ADDRESS")]
Threads = Annotated[int | None, typer.Option(min=1, help="threads of numeric code; one per core by default")]
Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of every error")]
