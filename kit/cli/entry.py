"""`main`: runs a command and sets its exit code."""

import os
import re
import shlex
import signal
import sys
import traceback
from typing import Any

from kit.cli.app import app
from kit.cli.words import arguments

# their commands enter the app, and `kit --help` lists them in this order
# isort: off
from kit.cli import runs  # noqa: F401
from kit.cli import tuning  # noqa: F401
from kit.cli import evidence  # noqa: F401
from kit.cli import reporting  # noqa: F401
from kit.cli import options  # noqa: F401
# isort: on


def main() -> None:
    """Runs a command. Nothing that is printed while it runs, by kit or by a library, shows a password.

    Exit code 0: everything is done; 1: a part is not: a fold failed, another process works on it, or the metric cannot
    score its predictions; 2: bad input or an error of the machine, in one sentence; 130: Ctrl-C; 128 + the number of
    another signal that stopped the command.
    """
    from kit.core.redact import RedactedStream, keep_secrets_of

    keep_secrets_of(sys.argv)
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = RedactedStream(out), RedactedStream(err)  # type: ignore[assignment]
    try:
        _run()
    finally:
        sys.stdout, sys.stderr = out, err


def _run() -> None:
    from typer.main import get_command

    from kit.core.errors import KitError
    from kit.core.machine import REFUSES, MachineFault, machine_fault

    _listen()
    try:
        group: Any = get_command(app)
        code = group(arguments(sys.argv[1:], group.commands, _competitions, _members), standalone_mode=False)
    except MachineFault as error:
        _refuse_for_now(error)
    except KitError as error:
        _refuse(str(error), error.exit_code)
    except KeyboardInterrupt:
        _stopped()
    except Exception as error:
        if (fault := machine_fault(error, REFUSES)) is not None:
            _refuse_for_now(fault)
        if not hasattr(error, "format_message"):  # click's errors have it; typer has a copy of click of its own
            traceback.print_exc()
            sys.exit(1)
        _refuse(re.sub(r"'--([\w-]+)'", r"'\1='", error.format_message()).rstrip("."))
    if code == 130:  # typer returns this for Ctrl-C
        _stopped()
    sys.exit(code if isinstance(code, int) else 0)


def _competitions() -> list[str]:
    from kit.cli.opening import known

    return list(known())


def _members(comp: str) -> list[str]:
    from kit.cli.opening import find_recipe

    return list(find_recipe(comp).members)


def _refuse(sentence: str, code: int = 2) -> None:
    if "--debug" in sys.argv or "debug=1" in sys.argv:
        traceback.print_exc()
    from kit.core.errors import as_sentence

    print(f"kit: {as_sentence(sentence)}", file=sys.stderr)
    sys.exit(code)


def _refuse_for_now(fault: Exception) -> None:
    _refuse(f"{fault}; what is finished is kept. To go on: {_command()}")


def _command() -> str:
    """The typed command, without passwords."""
    from kit.core.redact import HIDDEN, redacted

    typed = shlex.join(redacted(word) for word in sys.argv[1:])
    return f"kit {typed}" + (f" (with the password in place of {HIDDEN})" if HIDDEN in typed else "")


_received: list[int] = []  # signals that stopped this command; typer has one exit code for all of them


def _listen() -> None:
    """Makes SIGTERM (from schedulers) and SIGHUP (a closed terminal) stop a command as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup has set another
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: object) -> None:
    _received.append(number)
    raise KeyboardInterrupt


def _stopped() -> None:
    print(f"\nkit: stopped; finished folds are kept. To go on: {_command()}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    if util := sys.modules.get("multiprocessing.util"):
        util._run_finalizers(0)  # releases semaphores, or their tracker would print warnings after the exit
    # exit at once: threads of libraries would delay a normal exit
    os._exit(128 + (_received or [signal.SIGINT])[0])
