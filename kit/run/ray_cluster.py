"""Ray: starts a cluster on this machine that other machines cannot reach, or connects to a running one."""

import contextlib
import ipaddress
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from kit.core.errors import KitError

TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")  # Ray reads its token from these; without them it makes one
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # 0: no other machine may join; Ray listens on 127.0.0.1 only


ALONE = "listen on the loopback address alone"
INSTEAD = "give the address of a cluster that runs, on=ray:ADDRESS, or call ray.init() yourself"

_was_private = False  # whether Ray was imported here, and listens on the loopback address alone


@contextlib.contextmanager
def cluster(address: str = "") -> Iterator[Any]:
    """Context with the module `ray`, connected to a cluster. A cluster that was started here is stopped at the end.

    Ray runs all code that is sent to it, and by default it listens on every address of the machine. So a cluster that
    is started here listens on the loopback address only. It also needs a token, because other people may have accounts
    on this machine. If the process has started Ray before, that cluster is used as it is.

    Args:
        address: address of a running cluster; empty: $RAY_ADDRESS, or else a new cluster. For a running cluster, mode
            and token are those of the environment ($RAY_AUTH_MODE, $RAY_AUTH_TOKEN).

    Raises:
        KitError: Ray was imported before, so it is too late to make it listen on the loopback address only.
    """
    global _was_private
    elsewhere = address or os.environ.get("RAY_ADDRESS", "")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    private = {} if elsewhere else _private()
    # Ray reads these only when it is imported
    late = "ray" in sys.modules and not _was_private and any(os.environ.get(name) != private[name] for name in private)
    with _environment(private):
        import ray

        if ray.is_initialized():
            yield ray
            return
        if late:
            raise KitError(f"on=ray: ray was imported before kit could tell it to {ALONE}; {INSTEAD}")
        _was_private = _was_private or not elsewhere
        paths = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
        ray.init(
            address=elsewhere or "local", runtime_env={"env_vars": {"PYTHONPATH": paths}}, log_to_driver=False,
            include_dashboard=False,
        )  # fmt: skip
        try:
            if not elsewhere:
                _check_loopback(ray.util.get_node_ip_address())
            yield ray
        finally:
            ray.shutdown()


def _private() -> dict[str, str]:
    """Environment variables of a cluster for this machine only."""
    wanted = {LOOPBACK: "0", "RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE", "token")}
    # without a token, Ray writes one into the home folder, into a file that others may read
    return wanted if any(os.environ.get(name) for name in TOKENS) else wanted | {"RAY_AUTH_TOKEN": _token()}


@cache
def _token() -> str:
    """The token of this process: Ray reads it only once, even if several clusters are started."""
    return secrets.token_hex(32)


def _check_loopback(address: str) -> None:
    if not ipaddress.ip_address(address).is_loopback:
        raise KitError(f"on=ray: this version of Ray does not {ALONE}, but on {address}; {INSTEAD}")


@contextlib.contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
