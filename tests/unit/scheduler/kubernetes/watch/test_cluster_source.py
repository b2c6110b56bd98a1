"""ClusterSource: handling of watch events that arrive together. The watch itself needs a real API server."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from kubernetes.aio.client import Configuration
from redis.asyncio import Redis

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.registration import PendingRegistrations
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_scheduler.kubernetes.observed_status import observe
from financehub_scheduler.kubernetes.watch.cluster_source import ClusterSource
from financehub_scheduler.kubernetes.watch.namespace_watch import NamespaceWatch
from financehub_scheduler.kubernetes.watch.resource import (
    ListCompleted,
    ResourceApplied,
    ResourceDeleted,
    StatusChanged,
    WatchEvent,
    parse_resource,
)
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import Clock, ManualClock, SystemClock

UID = "7f3c1c1e-8a1b-4a55-9a53-0d9a2f6f6a11"
#: Uid of an older resource with the same name.
OLD_UID = "00000000-8a1b-4a55-9a53-0d9a2f6f6a11"
#: 31 February.
INVALID = "0 0 31 2 *"


def make_source(clock: Clock | None = None, namespaces: Sequence[str] = ()) -> ClusterSource:
    """Return a source that has no connection."""
    api = KubeApi(Connection(type.__call__(Configuration), "default"))
    return ClusterSource(api, clock or SystemClock(), namespaces)


def applied(uid: str = UID, schedule: str = "@daily") -> ResourceApplied:
    """Return the watch event for an applied ScheduledTask `default/demo`."""
    body: dict[str, Any] = {
        "apiVersion": "financehub.io/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {
            "uid": uid,
            "namespace": "default",
            "name": "demo",
            "generation": 1,
            "creationTimestamp": "2026-11-01T00:00:00Z",
        },
        "spec": {"task": "fetch_crypto_prices_task", "schedule": schedule},
    }
    return ResourceApplied(parse_resource(body))


def test_source_with_status_change_after_new_spec_returns_the_spec() -> None:
    """A new spec and a status change that are applied together yield the schedule and keep the status."""
    source = make_source()
    new = applied()
    status = observe({"observedGeneration": 1})
    changes = source._apply([new, StatusChanged(replace(new.resource, status=status))])
    assert [schedule.uid for schedule in changes.upserts] == [UID]
    assert source.resources[UID].status == status


def test_source_with_deleted_namesake_keeps_the_refused_resource() -> None:
    """Refused resources are listed by name. Deleting an older resource of the same name does not remove the entry."""
    source = make_source()
    source._apply([applied(OLD_UID, INVALID), applied(schedule=INVALID), ResourceDeleted(OLD_UID)])
    assert "February has no day 31" in source.refused["default/demo"]
    source._apply([ResourceDeleted(UID)])
    assert not source.refused


@pytest.mark.parametrize("schedule", ["@daily", INVALID])
@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("split", range(4))
def test_source_with_events_of_two_namesakes_keeps_the_new_one(schedule: str, position: int, split: int) -> None:
    """A resource is kept, whether its event precedes or follows a deleted namesake's, in one batch or in two."""
    source, registrations = make_source(), PendingRegistrations(Registry(Redis()))
    events: list[WatchEvent] = [applied(OLD_UID), applied(OLD_UID, INVALID), ResourceDeleted(OLD_UID)]
    events.insert(position, applied(schedule=schedule))
    for batch in (events[:split], events[split:]):
        registrations.add(source._apply(batch), 0.0, {})
    refused = schedule == INVALID
    assert (list(source.resources), list(source.refused)) == ([UID], ["default/demo"] * refused)
    assert (list(registrations._upserts), list(registrations._deactivated), list(registrations._removed)) == (
        [UID] * (not refused),
        [UID] * refused,
        [OLD_UID],
    )


@pytest.mark.parametrize("schedule", ["@daily", INVALID])
def test_source_with_status_change_of_forgotten_resource_knows_it_again(schedule: str) -> None:
    """A resource that was dropped while ScheduledTasks were not served returns, whether its spec is valid or not."""
    source, event = make_source(), applied(schedule=schedule)
    source._apply([event])
    source._apply([ResourceDeleted(UID)])
    changes = source._apply([StatusChanged(event.resource)])
    assert (len(changes.upserts), list(changes.deactivated)) == ((0, [UID]) if schedule == INVALID else (1, []))
    assert list(source.resources) == [UID]


def test_source_of_two_namespaces_is_complete_after_both_lists() -> None:
    """The schedules are complete with the batch in which the last namespace's first list ends, not before."""
    source = make_source(namespaces=("one", "two"))
    batches: list[list[WatchEvent]] = [
        [ListCompleted("one"), applied()],
        [ListCompleted("one")],
        [ListCompleted("two")],
        [applied()],
    ]
    assert [source._apply(batch).complete for batch in batches] == [False, False, True, True]


def test_source_observed_at_needs_time_and_each_list_to_be_applied() -> None:
    """`observed_at` is the watch's start once missed changes had time to arrive and each list has been applied."""
    clock = ManualClock(1_800_000_000.0)
    source = make_source(clock)
    began_at = clock.monotonic()
    assert source.observed_at == -math.inf
    clock.advance(5)
    assert source.observed_at == began_at
    source._watches[None].lists += 1
    assert source.observed_at == -math.inf
    source._apply([ListCompleted(None)])
    assert source.observed_at == began_at
    source._watches[None]._watch._pages.is_listing = True
    assert source.observed_at == -math.inf


async def test_source_observed_at_waits_for_the_consumer_of_the_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the consumer sends changes on, or while some wait for it, nothing later counts as delivered."""
    monkeypatch.setattr(NamespaceWatch, "start", lambda _watch: None)
    clock = ManualClock(1_800_000_000.0)
    source = make_source(clock)
    monitor, changes = source._watches[None]._watch._monitor, source.changes()

    async def until_idle() -> asyncio.Task[Changes]:
        """Let the consumer take the next changes, and return when it waits for them."""
        taking = asyncio.ensure_future(anext(changes))
        for _ in range(5):
            await asyncio.sleep(0)
        return taking

    waiting = await until_idle()
    first = clock.monotonic()
    clock.advance(5)
    assert source.observed_at == first
    monitor.began_at = second = clock.monotonic()
    source._put(applied())
    clock.advance(5)
    assert source.observed_at == -math.inf
    await waiting
    assert source.observed_at == -math.inf
    waiting = await until_idle()
    assert source.observed_at == second
    monitor.began_at = third = clock.monotonic()
    source._put(applied())
    await waiting
    clock.advance(5)
    assert source.observed_at == second
    waiting = await until_idle()
    assert source.observed_at == third
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await changes.aclose()
