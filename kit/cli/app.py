"""The typer application and the options that its commands share."""

from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Cross-validated members, a blend and a checked submission for a competition. Options can be written as in "
    'make: kit cv toxic only="nbsvm boost" folds=0,1 is the same as kit cv toxic --only "nbsvm boost" --folds 0,1.',
)  # fmt: skip

Comp = Annotated[str, typer.Argument(metavar="COMP", help="a folder of competitions/, such as toxic")]
Only = Annotated[str, typer.Option(help='these members only, such as "nbsvm boost"; all by default')]
FoldList = Annotated[str, typer.Option("--folds", help="these folds only, such as 0,1; all by default")]
Set = Annotated[str, typer.Option("--set", help='settings, such as "minilm.epochs=2 lr=5e-5"')]
Preset = Annotated[str, typer.Option(help="a named list of settings of the recipe")]
Seed = Annotated[int | None, typer.Option(help="random seed of every member; the folds stay the same")]
Sample = Annotated[int | None, typer.Option(min=10, help="use this many train rows only, in a run folder of their own")]
On = Annotated[str, typer.Option(help="where folds are fitted: inline, processes:N, ray or ray:ADDRESS")]
Threads = Annotated[int | None, typer.Option(min=1, help="threads of numeric code; one per core by default")]
Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of every error")]


def _version(given: bool) -> None:
    if given:
        from kit import __version__

        print(f"kit {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")]
    = False,
) -> None:  # fmt: skip
    pass
