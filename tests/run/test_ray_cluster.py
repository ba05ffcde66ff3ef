"""Ray is started for this machine alone: on the loopback address, with a token, and ended afterwards."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import KitError
from tests.helpers.fake_ray import RAY

SET = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")
Fresh = Callable[[], Any]


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fresh:
    """`kit.run.ray_cluster` and the module `ray` as in a process that has imported neither."""
    (tmp_path / "ray.py").write_text(RAY)
    monkeypatch.syspath_prepend(tmp_path)
    for name in (*SET, "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)

    def make() -> Any:
        for name in ("ray", "kit.run.ray_cluster"):
            monkeypatch.setitem(sys.modules, name, None)
            del sys.modules[name]
        return importlib.import_module("kit.run.ray_cluster").cluster

    return make


def test_one_that_is_started_here_is_private(fresh: Fresh) -> None:
    cluster, tokens = fresh(), set()
    for _ in range(2):
        with cluster() as ray:
            given, environment = ray.seen[-1]
            assert given["address"] == "local" and given["include_dashboard"] is False
            assert environment["RAY_AUTH_MODE"] == "token" and len(environment["RAY_AUTH_TOKEN"]) == 64
            assert environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
            assert ray.imported == environment  # Ray reads some of it once, at import
        tokens.add(environment["RAY_AUTH_TOKEN"])
    assert len(tokens) == 1 and len(ray.ended) == 2 and not {*SET} & {*os.environ}


def test_a_token_of_ones_own_is_taken(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/some/file")
    with fresh()() as ray:
        assert "RAY_AUTH_TOKEN" not in ray.seen[0][1] and ray.seen[0][1]["RAY_AUTH_TOKEN_PATH"] == "/some/file"
    assert os.environ["RAY_AUTH_TOKEN_PATH"] == "/some/file"


def test_an_address_is_left_as_its_owner_has_set_it(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_IP", "10.0.0.2")
    with fresh()("10.0.0.1:6379") as ray:
        assert ray.seen[0][0]["address"] == "10.0.0.1:6379" and ray.seen[0][1] == {}
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.3:6379")
    with fresh()() as ray:
        assert ray.seen[0][0]["address"] == "10.0.0.3:6379"


def test_it_is_ended_where_it_would_listen_elsewhere(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_IP", "192.0.2.7")
    said = "^on=ray: this version of Ray does not listen on the loopback address alone, but on 192.0.2.7; give the "
    with pytest.raises(KitError, match=said), fresh()():
        raise AssertionError("no job may be sent")
    assert sys.modules["ray"].ended == [True]


def test_one_that_was_imported_too_early_is_not_started(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = fresh()
    ray: Any = importlib.import_module("ray")
    with pytest.raises(KitError, match="^on=ray: ray was imported before kit could tell it to listen on"), cluster():
        raise AssertionError("no job may be sent")
    assert ray.seen == []
    ray.running = True  # its owner has started it
    with cluster() as given:
        assert given is ray
    assert ray.seen == [] and ray.ended == []


def test_execute_sends_its_jobs_there(fresh: Fresh) -> None:
    from kit.run.execute import execute

    fresh()
    assert list(execute([1, 2], lambda job: job * 2, "ray")) == [(1, 2), (2, 4)]
    ray: Any = sys.modules["ray"]
    assert ray.seen[0][0]["address"] == "local" and ray.ended == [True]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra 'ray' is not installed")
def test_no_process_of_it_listens_to_other_machines(python: Callable[..., str]) -> None:
    pytest.importorskip("psutil")
    said = python(
        """
        import ipaddress, os, psutil
        from kit.run.execute import execute

        def environment(job):
            return {name: os.environ.get(name, "") for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")}

        for _ in range(2):
            found = []
            for _, outcome in execute([1], environment, "ray"):
                assert outcome["RAY_AUTH_MODE"] == "token" and len(outcome["RAY_AUTH_TOKEN"]) == 64, outcome
                me = psutil.Process()
                for process in [me, *me.children(recursive=True)]:
                    try:
                        name, sockets = process.name(), process.net_connections(kind="inet")
                    except psutil.NoSuchProcess:  # it ended meanwhile
                        continue
                    found += [
                        (name, ipaddress.ip_address(socket.laddr.ip))
                        for socket in sockets
                        if socket.status == psutil.CONN_LISTEN
                    ]
            assert {"gcs_server", "raylet"} <= {name for name, _ in found}, found
            assert all((getattr(ip, "ipv4_mapped", None) or ip).is_loopback for _, ip in found), found
        print("private")
        """,
        RAY_USAGE_STATS_ENABLED="0",
    )
    assert said == "private"
