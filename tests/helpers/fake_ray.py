"""A module `ray` that starts nothing: it notes how it was started, and with which environment."""

RAY = """
import os
from types import SimpleNamespace

NAMES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")
imported = {name: os.environ[name] for name in NAMES if name in os.environ}
seen, ended, running = [], [], False
util = SimpleNamespace(get_node_ip_address=lambda: os.environ.get("FAKE_IP", "127.0.0.1"))


def is_initialized():
    return running


def init(**given):
    seen.append((given, {name: os.environ[name] for name in NAMES if name in os.environ}))


def shutdown():
    ended.append(True)


def cluster_resources():
    return {"CPU": 2}


def remote(**given):
    return lambda work: SimpleNamespace(remote=lambda job: ("future", work(job)))


def wait(left, num_returns):
    return [left[0]], left[1:]


def get(future):
    return future[1]
"""
