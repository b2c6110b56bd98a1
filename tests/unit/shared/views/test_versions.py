"""Tests of the view of the releases of a fleet (C4)."""

from typing import Any

import pytest

from financehub_shared.core.release import release_version
from financehub_shared.health.processes import ProcessInfo
from financehub_shared.redis.server_facts import ServerFacts
from financehub_shared.views.versions import versions_view


def process(tier: str, version: str) -> ProcessInfo:
    """Return a live process."""
    return ProcessInfo(f"p-{tier}", tier, "host", 1, 0.0, version=version)


@pytest.mark.parametrize(
    ("versions", "fleet", "mixed"),
    [
        ([], [], False),
        ([release_version(), release_version()], [release_version()], False),
        ([release_version(), "9.9.9"], sorted([release_version(), "9.9.9"]), True),
        (["9.9.9", "9.9.9"], ["9.9.9"], True),
        (["", release_version()], sorted([release_version(), "unknown"]), True),
    ],
)
def test_mixed_releases_are_recognized(versions: list[str], fleet: list[str], mixed: bool) -> None:
    """Several releases in the fleet, or one that differs from that of the command line, are mixed."""
    view = versions_view([process(str(number), version) for number, version in enumerate(versions)], [])
    assert (view["fleet"], view["mixed"]) == (fleet, mixed)
    assert [each["version"] for each in view["processes"]] == [version or "unknown" for version in versions]


@pytest.mark.parametrize(
    ("info", "name", "version"),
    [
        ({"redis_version": "7.0.15"}, "redis", "7.0.15"),
        ({"redis_version": "7.2.4", "valkey_version": "8.1.0"}, "valkey", "8.1.0"),
        ({}, "redis", "unknown"),
    ],
)
def test_version_of_a_server_is_read_from_info(info: dict[str, Any], name: str, version: str) -> None:
    """Valkey also states the version of Redis with which it is compatible, which is not its own."""
    (server,) = versions_view([], [ServerFacts("queues", info=info)])["redis"]
    assert server == {"server": "queues", "name": name, "version": version}
