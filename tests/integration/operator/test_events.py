"""Events in a real API server, from real verdicts, with the clock in the test's hand."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from financehub_scheduler.events import notes, recorder
from financehub_scheduler.events.words import Happening
from financehub_scheduler.live import Changes
from financehub_scheduler.model import TRIGGER
from financehub_shared.clock import ManualClock
from support.control_plane.cluster import Cluster
from support.hand_driven import T, build
from support.operator import connect, scheduler_user
from support.status import Rig


@pytest.fixture
async def rig(
    crd_installed: Cluster, namespace: str, redis_url: str, redis_client: "redis.Redis"
) -> AsyncIterator[Rig]:
    """A scheduler on the test's namespace, at time T + 0.5 s, with the rights that are shipped."""
    scheduler = build(redis_url, ManualClock(T + 0.5), redis_client)
    user = scheduler_user(crd_installed, namespace)
    api = await connect(user)
    yield Rig(crd_installed, namespace, user, api, scheduler)
    await api.aclose()
    await scheduler.connection.aclose()


def events(rig: Rig) -> list[dict[str, Any]]:
    """The Events of the namespace, oldest first."""
    found = rig.cluster.request("GET", f"/api/v1/namespaces/{rig.tasks.namespace}/events")["items"]
    return sorted(found, key=lambda each: (each["firstTimestamp"], each["reason"]))


def told(rig: Rig) -> Counter[str]:
    """Reason → how often it was noted."""
    counts = Counter[str]()
    for each in events(rig):
        counts[each["reason"]] += each["count"]
    return counts


def requests(rig: Rig) -> Counter[str]:
    """Verb → requests about Events by the scheduler's own user."""
    records = rig.cluster.audit(rig.user.name)
    return Counter(each["verb"] for each in records if each.get("objectRef", {}).get("resource") == "events")


async def test_a_life_is_told(rig: Rig) -> None:
    """Triggers, skips and failures are seen by `kubectl describe` with reason, words and count; normal runs are not."""
    uid = await rig.apply(annotations={TRIGGER: "now"}, schedule="@every 1m")
    await rig.step()
    # the triggered run is not over, so the next two due times are left out
    await rig.pass_time(120)
    rig.end_run(uid, "dead-lettered", "boom: redis://:hunter2-secret@x")
    await rig.pass_time(61)
    shown = rig.cluster.kubectl("describe", "st", "demo", "-n", rig.tasks.namespace).stdout
    assert told(rig) == {"Triggered": 1, "Skipped": 2, "Failed": 1}
    assert "(x2 over 60s)" in shown.replace("1m", "60s") or "x2" in shown
    assert "a run was left out: the last run is still queued" in shown
    assert "was dead-lettered: boom" in shown
    assert "hunter2-secret" not in str(events(rig))
    listed = rig.cluster.kubectl("events", "--for", "st/demo", "-n", rig.tasks.namespace).stdout
    assert "Triggered" in listed
    assert set(requests(rig)) <= {"create", "patch"}


async def test_what_is_refused_is_told_once(rig: Rig) -> None:
    """A spec that only the scheduler sees to be wrong is one Event, which says how to mend it."""
    await rig.apply(schedule="0 0 31 2 *")
    await rig.pass_time(90)
    (event,) = events(rig)
    assert (event["type"], event["reason"], event["count"]) == ("Warning", "Invalid", 1)
    assert "31 February never comes" in event["message"]


async def test_the_same_again_is_counted(rig: Rig) -> None:
    """Within ten minutes the same happening is one Event, updated at most every 30 s; after them it is another."""
    uid = await rig.apply(schedule="@yearly")
    for number in range(61):
        rig.events.note(uid, [Happening("Normal", "Skipped", f"for the {number}th time")])
        await rig.events.step()
        rig.clock.advance(1)
    (event,) = events(rig)
    assert (event["count"], event["message"]) == (61, "for the 60th time")
    assert requests(rig) == {"create": 1, "patch": 2}
    rig.clock.advance(notes.SAME_SECONDS)
    rig.events.note(uid, [Happening("Normal", "Skipped", "again")])
    await rig.events.step()
    assert [each["count"] for each in events(rig)] == [61, 1]


async def test_one_resource_cannot_tell_everything(rig: Rig) -> None:
    """Beyond a burst a resource gets one new Event in five minutes, and the log says how many were dropped."""
    uid = await rig.apply(schedule="@yearly")
    rig.events.note(uid, [Happening("Normal", f"Reason{number}", "x") for number in range(50)])
    with capture_logs() as logs:
        await rig.events.step()
    assert len(events(rig)) == notes.RESOURCE_BURST
    assert [each["count"] for each in logs if each["event"] == "events_dropped"] == [50 - notes.RESOURCE_BURST]
    rig.clock.advance(notes.RESOURCE_SECONDS)
    rig.events.note(uid, [Happening("Normal", "Later", "x"), Happening("Normal", "TooMuch", "x")])
    await rig.events.step()
    assert len(events(rig)) == notes.RESOURCE_BURST + 1


async def test_ten_thousand_skips_are_few_writes(rig: Rig) -> None:
    """However many skip at once, the API server gets a burst, then some a second, and every skip is counted."""
    for number in range(60):
        await rig.apply(f"s{number}", schedule="@yearly")
    for turn in range(10_000):
        uid = list(rig.shown.resources)[turn % 60]
        rig.events.note(uid, [Happening("Normal", "Skipped", "x")])
    await rig.events.step()
    assert requests(rig) == {"create": recorder.BURST}
    rig.clock.advance(0.5)
    await rig.events.step()
    assert requests(rig) == {"create": recorder.BURST + recorder.RATE / 2}
    rig.clock.advance(10)
    await rig.events.step()
    assert len(events(rig)) == 60
    assert told(rig)["Skipped"] == 10_000


async def test_without_the_right_events_wait(rig: Rig) -> None:
    """Forbidden by RBAC, one line says so and how to mend it; once granted, what is remembered is told."""
    uid = await rig.apply(schedule="@yearly")
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{rig.tasks.namespace}/roles/financehub-scheduler"
    granted = rig.cluster.request("GET", role)
    fewer = [rule for rule in granted["rules"] if "events" not in rule["resources"]]
    rig.cluster.request("PUT", role, granted | {"rules": fewer})
    with capture_logs() as logs:
        for _ in range(5):
            rig.events.note(uid, [Happening("Normal", "Skipped", "x")])
            await rig.events.step()
            rig.clock.advance(61)
    (line,) = [each for each in logs if each["log_level"] in {"warning", "error"}]
    assert "events need create" in line["mend"]
    current = rig.cluster.request("GET", role)
    rig.cluster.request("PUT", role, current | {"rules": granted["rules"]})
    await rig.events.step()
    assert told(rig) == {"Skipped": 5}


async def test_of_what_is_gone_nothing_is_told(rig: Rig) -> None:
    """A resource that is deleted, with its namespace or alone, has no more Events, and nobody complains."""
    uid = await rig.apply(schedule="@yearly")
    rig.tasks.delete()
    rig.events.note(uid, [Happening("Normal", "Skipped", "x")])
    await rig.look()
    rig.scheduler.engine.apply(Changes(removed=[uid]))
    rig.events.note(uid, [Happening("Normal", "Skipped", "x")])
    with capture_logs() as logs:
        await rig.events.step()
    assert told(rig) == {"Skipped": 1}
    assert [each for each in logs if each["log_level"] in {"warning", "error"}] == []


async def test_a_message_is_cut_where_kubernetes_would_refuse_it(rig: Rig) -> None:
    """A long message with letters of several bytes is cut at a letter, at most 1,024 bytes long."""
    uid = await rig.apply(schedule="@yearly")
    rig.events.note(uid, [Happening("Warning", "Failed", "ä" * 2_000)])
    await rig.events.step()
    (event,) = events(rig)
    assert event["message"] == "ä" * 512
