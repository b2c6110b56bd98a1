"""What the CRD source makes of sightings that wait for it together; whence they come is the watch's concern."""

import math
from typing import Any

import pytest
from kubernetes.aio.client import Configuration
from redis.asyncio import Redis

from financehub_scheduler.core.registration import Intake
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_scheduler.kubernetes.observed_status import seen
from financehub_scheduler.kubernetes.watch.resource import Resource, read
from financehub_scheduler.kubernetes.watch.source import CrdSource
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import Clock, ManualClock, SystemClock

UID = "7f3c1c1e-8a1b-4a55-9a53-0d9a2f6f6a11"


def source(clock: Clock | None = None) -> CrdSource:
    return CrdSource(KubeApi(Connection(type.__call__(Configuration), "default")), clock or SystemClock())


def resource(uid: str = UID, schedule: str = "@daily") -> Resource:
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
    return read(body)


def test_a_status_behind_a_spec_does_not_take_its_place() -> None:
    """A loop that was busy finds a new spec and a change of its status together, and hands the spec over."""
    found = source()
    status = seen({"observedGeneration": 1})
    changes = found._take([resource(), (UID, status)])
    assert [each.uid for each in changes.upserts] == [UID]
    assert found.resources[UID].status == status


def test_a_resource_that_goes_late_leaves_what_is_wrong_with_its_namesake() -> None:
    """What is refused is listed by name; the end of an older resource of that name does not take it off the list."""
    found = source()
    old = "00000000-8a1b-4a55-9a53-0d9a2f6f6a11"
    found._take([resource(old, "0 0 31 2 *"), resource(schedule="0 0 31 2 *"), old])
    assert "31 February" in found.refused["default/demo"]
    found._take([UID])
    assert not found.refused


@pytest.mark.parametrize("schedule", ["@daily", "0 0 31 2 *"])
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("cut", range(4))
def test_a_namesake_stands_for_itself(schedule: str, place: int, cut: int) -> None:
    """Whenever a resource shows among the last words of its namesake, at once or in two parts, it is what counts."""
    found, intake = source(), Intake(Registry(Redis()))
    old = "00000000-8a1b-4a55-9a53-0d9a2f6f6a11"
    words: list[Resource | str] = [resource(old), resource(old, "0 0 31 2 *"), old]
    words.insert(place, resource(schedule=schedule))
    for part in (words[:cut], words[cut:]):
        intake.apply(found._take(part), 0.0)
    refused = schedule != "@daily"
    assert (list(found.resources), list(found.refused)) == ([UID], ["default/demo"] * refused)
    assert (list(intake._upserts), list(intake._withdrawn), list(intake._removed)) == (
        [UID] * (not refused),
        [UID] * refused,
        [old],
    )


def test_a_look_counts_once_its_list_has_been_compared() -> None:
    """What a watch was behind with takes a moment, and what went unseen is known only after a comparison."""
    clock = ManualClock(1_800_000_000.0)
    found = source(clock)
    began = clock.monotonic()
    assert found.looked == -math.inf
    clock.advance(5)
    assert found.looked == began
    found._scopes[0].lists += 1
    assert found.looked == -math.inf
