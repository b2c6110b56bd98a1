"""Tests of the chart with other servers than its Redis: Valkey, a group with Sentinels, and a server with TLS."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from e2e import redis_servers
from e2e.cluster import eventually
from e2e.conftest import RESEARCH_IMAGE
from e2e.images import redis_values
from e2e.release import NAME, Release
from e2e.report import note, timed

_REDIS_IMAGE = os.environ.get("E2E_REDIS_IMAGE", "docker.io/library/redis:7.4.7-bookworm")
_VALKEY_IMAGE = os.environ.get("E2E_VALKEY_IMAGE", "docker.io/valkey/valkey:8.1.9-bookworm")
_SCHEDULES = (
    *("calculate-indicators", "cleanup-failed-tasks", "cleanup-old-cache", "fetch-crypto-prices", "fetch-news"),
    *("fetch-stock-prices", "health-check"),
)
#: A release with one scheduler and one worker, whose tasks record their runs. Only the connections to Redis are tested.
_SMALL: dict[str, Any] = {
    "tiers": {
        **dict.fromkeys(("high", "medium", "low")),
        "research": {
            "image": RESEARCH_IMAGE,
            "module": "research.worker",
            "shutdownTimeoutSeconds": 10,
            "autoscaling": {"enabled": False},
            "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "192Mi"}},
        },
    },
    "schedules": {name: {"enabled": False} for name in _SCHEDULES},
    "web": {"enabled": False},
    "simulator": {"enabled": False},
    # The release has no resources that belong to the whole cluster.
    "admissionPolicy": {"enabled": False},
    "rbac": {"aggregateClusterRoles": False},
}
#: Enqueues named work for some seconds, and prints the names of which Redis has confirmed the message.
_SEND = """
import json, sys, time
import dramatiq
from financehub_shared.core.settings import load_settings
from financehub_shared.worker.build import build_broker
broker = build_broker(load_settings())
confirmed, refused, until, number = [], 0, time.time() + {seconds}, 0
while time.time() < until:
    number += 1
    try:
        broker.enqueue(dramatiq.Message("research", "work", (f"{name}-{{number}}", 0.0), {{}}, {{}}))
        confirmed.append(f"{name}-{{number}}")
    except Exception:
        refused += 1
    time.sleep(0.02)
print(json.dumps([confirmed, refused]))
"""
_FINISHED = """
import json
from financehub_shared.core.settings import load_settings
from financehub_shared.redis.client import connect
print(json.dumps([item.decode() for item in connect(load_settings().store_url).lrange("finished", 0, -1)]))
"""


def _release(release_in: Callable[..., Release], namespace: str) -> Release:
    return release_in(namespace, **_SMALL, scheduler={"replicas": 1, "namespaces": [namespace]})


def _send(release: Release, name: str, seconds: float) -> list[str]:
    """Enqueue work for some seconds, and return the names of which Redis has confirmed the message."""
    confirmed, refused = json.loads(release.run_python(_SEND.format(name=name, seconds=seconds)))
    note(f"messages of {name}", f"{len(confirmed)} confirmed, {refused} refused")
    assert confirmed
    return list(confirmed)


def _wait_until_finished(release: Release, names: list[str]) -> None:
    """Wait until the worker has done all work, some of which may have been done twice."""
    eventually(lambda: not set(names) - set(_finished(release)), "no confirmed message is missing", 120)


def _finished(release: Release) -> list[str]:
    """Return the names of the work that has been done, some of it twice. Empty if Redis does not answer."""
    command = ("exec", "-i", f"deploy/{NAME}-scheduler", "--", "python", "-")
    output: str = release.kubectl(*command, stdin=_FINISHED, check=False).stdout
    return list(json.loads(output or "[]"))


def _redis_check(release: Release) -> dict[str, Any]:
    """Return the check of Redis in the health report."""
    command = ("exec", f"deploy/{NAME}-scheduler", "--", "financehub", "status", "--json")
    report = json.loads(release.kubectl(*command, check=False).stdout)
    (check,) = [each for each in report["checks"] if each["name"] == "redis"]
    return dict(check)


def test_embedded_valkey_serves_and_keeps_its_data(release_in: Callable[..., Release]) -> None:
    """With redis.server=valkey, messages are processed, no problem is found, and a new pod has the data."""
    release = _release(release_in, "e2e-valkey")
    image = redis_values(_VALKEY_IMAGE)["redis"]
    assert isinstance(image, dict)
    with timed("install with the embedded Valkey"):
        release.install(redis={**image, "server": "valkey"})
    pod = f"{NAME}-redis-0"
    assert "valkey_version" in release.kubectl("exec", pod, "--", "valkey-cli", "info", "server").stdout
    names = _send(release, "valkey", 2)
    _wait_until_finished(release, names)
    assert _redis_check(release)["status"] == "ok"
    release.kubectl("delete", "pod", pod, "--wait=true")
    eventually(lambda: release.ready_pods("redis"), "Valkey is back", 120)
    _wait_until_finished(release, [*names, *_send(release, "restarted", 1)])


def test_failover_of_sentinels_loses_no_confirmed_message(release_in: Callable[..., Release]) -> None:
    """The master of a group with Sentinels, passwords and ACL users is killed under load. Every message of which it
    confirmed the receipt is processed, and everything continues with the new master.
    """
    release = _release(release_in, "e2e-sentinel")
    redis_servers.start_sentinels(release, _REDIS_IMAGE)

    def in_sync() -> bool:
        lines = redis_servers.server_cli(release, redis_servers.FIRST_MASTER, "info", "replication")
        return sum("state=online" in line for line in lines) == 2

    eventually(in_sync, "both replicas are in sync", 120)
    with timed("install with Sentinels"):
        release.install(redis={"enabled": False}, externalRedis=redis_servers.sentinel_values(release))
    before = _send(release, "before", 1)
    _wait_until_finished(release, before)
    with ThreadPoolExecutor(1) as executor:
        # The failover takes about 5 s, and a busy machine begins it late.
        sending = executor.submit(_send, release, "during", 30)
        eventually(lambda: set(_finished(release)) - set(before), "messages are being sent", 60)
        release.kubectl("scale", "statefulset", "redis", "--replicas=2")
        during = sending.result()
    with timed("after the failover: all confirmed messages have run"):
        _wait_until_finished(release, [*before, *during])
    query = ("-p", "26379", "sentinel", "get-master-addr-by-name", redis_servers.MASTER)

    def has_new_master() -> bool:
        host = next(iter(redis_servers.server_cli(release, "redis-0", *query)), redis_servers.FIRST_MASTER)
        if host.startswith(redis_servers.FIRST_MASTER):
            return False
        # It refuses writes until a replica follows it.
        lines = redis_servers.server_cli(release, host.partition(".")[0], "info", "replication")
        return "min_slaves_good_slaves:1" in lines

    eventually(has_new_master, "another server is the master and has a replica", 60)
    after = _send(release, "after", 1)
    _wait_until_finished(release, after)
    for component in ("scheduler", "research"):
        (restarts,) = [each["status"]["containerStatuses"][0]["restartCount"] for each in release.pods(component)]
        assert restarts == 0, component


def test_server_with_tls_and_an_acl_user_is_used(release_in: Callable[..., Release], tmp_path: Path) -> None:
    """With host, username and tls, a server that accepts only TLS is used with the rights that docs/redis.md lists."""
    release = _release(release_in, "e2e-redis-tls")
    redis_servers.start_tls_server(release, _REDIS_IMAGE, tmp_path)
    with timed("install with TLS"):
        release.install(redis={"enabled": False}, externalRedis=redis_servers.tls_values(release))
    _wait_until_finished(release, _send(release, "secured", 1))
    assert _redis_check(release)["status"] == "ok"
