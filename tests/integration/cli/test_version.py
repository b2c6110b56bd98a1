"""Tests of `version` and of the releases that processes announce (C4)."""

import time
from typing import Any

import redis

from financehub_shared.core.release import release_version
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry


def write(client: redis.Redis, tier: str, version: str) -> None:
    """Write the heartbeat of a process."""
    now = time.time()
    info = ProcessInfo(f"p-{tier}", tier, f"host-{tier}", 7, now, now, version=version)
    ProcessRegistry(client).write_heartbeat(info)


def test_version_shows_the_command_line_each_process_and_redis(
    cli: Any, invoke: Any, redis_client: redis.Redis
) -> None:
    """Workers, schedulers and web processes are listed with their releases, and equal ones need no note."""
    for tier in ("high", "scheduler", "web"):
        write(redis_client, tier, release_version())
    shown = cli("version")
    assert (shown["cli"], shown["fleet"], shown["mixed"]) == (release_version(), [release_version()], False)
    assert [each["tier"] for each in shown["processes"]] == ["high", "scheduler", "web"]
    info: Any = redis_client.info("server")
    expected = info.get("valkey_version") or info["redis_version"]
    assert [(each["server"], each["version"]) for each in shown["redis"]] == [("queues", expected)]
    result = invoke("version")
    assert result.stderr == ""
    for part in ("command line", release_version(), "queue Redis", expected, "host-web"):
        assert part in result.stdout


def test_version_of_a_mixed_fleet_has_a_note(cli: Any, invoke: Any, redis_client: redis.Redis) -> None:
    """During an upgrade, and with a process that announces no release, the note lists the releases."""
    write(redis_client, "high", "0.0.9")
    write(redis_client, "low", "")
    assert cli("version")["mixed"]
    expected = f"have different releases: {release_version()}, 0.0.9, unknown"
    assert expected in invoke("version").stderr


def test_version_without_processes_says_so(invoke: Any) -> None:
    """Without a live process, the command line and Redis are shown, and a note says what is missing."""
    result = invoke("version")
    assert (result.exit_code, release_version() in result.stdout) == (0, True)
    assert "no process has a heartbeat" in result.stderr
