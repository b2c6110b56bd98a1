"""Fixtures for the fault tests, which count what a fault does to messages and due times."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.fault_counts import PROPERTY, Counts, row
from support.fault_rig import FaultRig
from support.redis_binaries import redis_server_binary, version

#: Lines of each log that are printed for a failed test.
_LOG_LINES = 40

StartRig = Callable[..., FaultRig]
Count = Callable[..., Counts]


@pytest.fixture
def start_rig(tmp_path: Path) -> Iterator[StartRig]:
    """Return a function that starts a fleet and waits until it works: `start_rig(url, settings={…})`."""
    rigs: list[FaultRig] = []

    def start(url: str, **options: object) -> FaultRig:
        directory = tmp_path / f"rig-{len(rigs)}"
        directory.mkdir()
        rigs.append(FaultRig(directory, url, **options))
        return rigs[-1].start().warm_up()

    yield start
    for rig in rigs:
        rig.stop()
        for log in sorted(rig.directory.glob("*.log")):
            lines = log.read_text(encoding="utf-8").splitlines()[-_LOG_LINES:]
            sys.stdout.write("\n".join([f"--- {log.name}", *lines, ""]))


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Count:
    """Return a function that ends a rig's work and adds its counts to the table: `count(rig, "fault", server)`."""

    def settle(rig: FaultRig, fault: str, server: str | None) -> Counts:
        rig.assert_alive()
        counts = rig.settle()
        record_property(PROPERTY, row(fault, version(redis_server_binary(server)), counts))
        return counts

    return settle


def assert_exactly_once(counts: Counts, *, sent: int = 20, due: int = 6) -> None:
    """Assert that every accepted message and every due time ran once.

    Args:
        counts: The counts.
        sent: Least number of messages and due times without which the test shows nothing.
        due: Least number of due times.
    """
    assert counts.sent >= sent, counts
    assert counts.due_expected >= due, counts
    assert (counts.lost, counts.due_missing) == (0, 0), counts
    assert (counts.doubled, counts.due_doubled) == (0, 0), counts
