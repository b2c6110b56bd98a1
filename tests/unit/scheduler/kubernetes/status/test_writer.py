"""StatusWriter: that the wait for a complete status ends. The other tests need an API server."""

import math
from collections.abc import Mapping
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.kubernetes.lease import Lease
from financehub_scheduler.kubernetes.observed_status import ObservedStatus, observe
from financehub_scheduler.kubernetes.status.sender import StatusSender
from financehub_scheduler.kubernetes.status.snapshot import ScheduleSnapshot
from financehub_scheduler.kubernetes.status.writer import INTERVAL_SECONDS, StatusWriter
from financehub_scheduler.kubernetes.watch.resource import WatchedResource, parse_resource
from financehub_scheduler.redis.enqueuer import RunSubmission, encode
from financehub_shared.core.clock import ManualClock
from financehub_shared.monitor import RunRecord, RunState
from financehub_shared.redis.schedule_record import ScheduleOutcome, ScheduleRecord
from support.schedules import UID, resource

_SERVER = {"uid": UID, "namespace": "default", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}


class Leader:
    """The Lease of the leader."""

    is_leader = True
    term = 1


class Sender:
    """An API server that accepts every status."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []

    def retry_after(self, namespace: str) -> float:
        return -math.inf

    async def send(self, resource: WatchedResource, status: Mapping[str, Any]) -> ObservedStatus:
        self.sent.append(status)
        return observe(status)


class Source:
    """One resource."""

    def __init__(self, found: WatchedResource) -> None:
        self.resources = {found.uid: found}
        self.changed: set[str] = set()


class Events:
    """Ignores what was written."""

    def status_written(self, *arguments: object, **options: object) -> None:
        """Do nothing."""


def snapshot(ended: int, now: float) -> ScheduleSnapshot:
    """Return what Redis has after a number of runs that waited long, so that newer ones have replaced them."""
    outcome = ScheduleOutcome(ended, 0, f"old-{ended}", "succeeded", now, 1.0, "", now)
    recent = [RunRecord(f"new-{ended}-{number}", "t", "q", RunState.QUEUED, due_at=now) for number in range(10)]
    return ScheduleSnapshot(ScheduleRecord(uid=UID, runs=ended + 100, outcome=outcome), recent)


@pytest.mark.parametrize("period", [0.5, 1.0, 5.0])
async def test_writer_with_frequent_ends_of_unlisted_runs_writes_their_progress(period: float) -> None:
    """Under a backlog, each run that ends is older than the ten that are listed, and the status is still written."""
    body = resource("demo", schedule="@every 1s")
    found = parse_resource({**body, "metadata": {**body["metadata"], **_SERVER}})
    assert found.schedule
    clock, sender = ManualClock(1_800_000_000.0), Sender()
    state = ScheduleState(found.schedule, clock.now())
    state.next_run = encode(RunSubmission(found.schedule, "due", clock.now() + 60), clock.now())
    client = cast("Redis", None)
    writer = StatusWriter(
        clock, cast("Lease", Leader()), cast("StatusSender", sender), Source(found), {UID: state}, client, Events()
    )
    writer._begin_term()
    for ends in range(round(60 / period)):
        snapshot_at_end = snapshot(ends, clock.now())
        # As `step`, which takes the resource out of the queue when its time has come.
        for _ in range(max(1, round(period / INTERVAL_SECONDS))):
            await writer._update(found, snapshot_at_end)
            clock.advance(min(period, INTERVAL_SECONDS))
    runs = [status["runs"] for status in sender.sent]
    assert len(runs) >= 5
    assert runs == sorted(set(runs))
