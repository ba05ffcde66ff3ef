"""The database of a search: its address, opening it, and locking it while a worker takes a trial."""

import contextlib
import importlib.util
import logging
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core.errors import KitError
from kit.core.files import lock
from kit.core.machine import machine_fault
from kit.core.redact import keep_secret, redacted

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

BEAT, GRACE = 20, 90  # seconds between two heartbeats of a trial; seconds without one until another machine retries it
FORMS = "postgresql://user@host/name or sqlite:///file"
ADVISORY = 0x6B69745475  # number of the advisory lock by which workers of a PostgreSQL database wait for each other


def address(storage: str, default: Path) -> str:
    """The address of a storage in the form of SQLAlchemy; nothing is opened.

    Args:
        storage: sqlite:///FILE, postgresql://…, or empty for an SQLite file of this path.

    Raises:
        KitError: it has another form.
    """
    keep_secret(storage)
    if not storage:
        return f"sqlite:///{default.absolute()}"
    kind, found, rest = storage.partition("://")
    if found and kind == "sqlite" and rest.startswith("/") and not rest.startswith("/:memory:") and rest != "/":
        return f"sqlite:///{Path(rest[1:]).absolute()}"  # workers may run in other folders
    if not found or kind not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise KitError(f"storage={redacted(storage)}: not of the form {FORMS}")
    return f"postgresql+psycopg://{rest}"


def opened_storage(url: str) -> "RDBStorage":
    """Opens the storage at an address; missing tables are created.

    Raises:
        KitError: it cannot be opened.
    """
    import optuna

    if url.startswith("postgresql") and importlib.util.find_spec("psycopg") is None:
        raise KitError("storage=postgresql://… needs the extra 'postgres': pip install 'kit[postgres]'")
    keep_secret(url)
    given = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    refused = reached(url, "cannot be opened", ValueError, RuntimeError)  # what is no port, tables of a later Optuna
    with refused, quiet(), alone(url):  # Optuna makes the tables that it does not find one by one
        return optuna.storages.RDBStorage(url, engine_kwargs=given, heartbeat_interval=BEAT, grace_period=GRACE)


@contextlib.contextmanager
def alone(url: str) -> Iterator[None]:
    """Locks the database for this worker; all other workers wait, on this machine and on others.

    The operating system or the server releases the lock when the process ends, even if it is killed.
    """
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        if not file.parent.is_dir():
            raise KitError(f"storage={url} cannot be opened: there is no folder {file.parent}")
        with lock(file.with_name(f"{file.name}.lock"), wait=math.inf):
            yield
        return
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": ADVISORY})
        yield


@contextlib.contextmanager
def reached(url: str, what: str = "cannot be reached any more", *further: type[Exception]) -> Iterator[None]:
    """Context in which an error of the database becomes one sentence, without the password of its address.

    Args:
        url: address of the database.
        what: the problem, as a part of the sentence.
        further: other types of error that mean the same in this block.

    Raises:
        KitError: SQLAlchemy, its driver or Optuna could not use the database.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except Exception as error:
        if not isinstance(error, (SQLAlchemyError, StorageInternalError, *further)):
            raise
        if not further and (fault := machine_fault(error)) is not None:  # a disk that is full
            raise fault from None
        root: BaseException = error
        while root.__cause__ is not None:
            root = root.__cause__
        reason = (redacted(str(root)).strip().splitlines() or [type(root).__name__])[0]
        raise KitError(f"storage={redacted(url)} {what}: {reason}") from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Context in which Optuna shows errors, but no log and no warnings about experimental features."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"optuna\.")
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", message="The reported value is ignored")
            yield
    finally:
        optuna.logging.set_verbosity(level)
