"""`main`: runs a command and ends in the right way."""

import os
import shlex
import sys
import traceback

from kit.cli import evidence, reporting, runs, tuning  # noqa: F401 (its commands enter the app)
from kit.cli.app import app


def main() -> None:
    """Runs a command. Exit 0: all done; 1: a fold failed; 2: bad input, told in one sentence; 130: Ctrl-C."""
    from kit.spec import KitError

    try:
        app()
    except KitError as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        print(f"kit: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        _stopped()
    except SystemExit as end:
        if end.code != 130:
            raise
        _stopped()  # typer has made this of Ctrl-C


def _stopped() -> None:
    print(
        f"\nkit: stopped; finished folds are kept. To go on: python -m kit {shlex.join(sys.argv[1:])}", file=sys.stderr
    )
    sys.stdout.flush()
    sys.stderr.flush()
    if util := sys.modules.get("multiprocessing.util"):
        util._run_finalizers(0)  # gives semaphores back, or their tracker would warn of them after we are gone
    os._exit(130)  # at once: libraries' threads would hold the interpreter's own exit up
