"""Events in a real API server, from real verdicts, with the clock in the test's hand."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest
import redis
from structlog.testing import capture_logs

from financehub_scheduler.api.scheduled_task import BACKFILL, TRIGGER
from financehub_scheduler.core.state import Changes
from financehub_scheduler.kubernetes.client.api import ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.events import correlator as notes
from financehub_scheduler.kubernetes.events import recorder
from financehub_scheduler.kubernetes.events.drafts import Happening
from financehub_shared.core.clock import ManualClock
from support.control_plane.cluster import Cluster
from support.control_plane.rbac import change
from support.events import sighted
from support.hand_driven import T, build
from support.operator import connect, scheduler_user
from support.schedules import schedule
from support.status import Rig
from support.tunnel import Tunnel

SKIPPED = [Happening("Normal", "Skipped", "x")]


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
    (skipped,) = [line for line in shown.splitlines() if "Skipped" in line and "Normal" in line]
    assert re.search(r"\(x2 over \S+\) +financehub-scheduler +a run was left out: the last run is still que", skipped)
    assert "was dead-lettered: boom" in shown
    assert "hunter2-secret" not in str(events(rig))
    listed = rig.cluster.kubectl("events", "--for", "st/demo", "-n", rig.tasks.namespace).stdout
    assert all(reason in listed for reason in ("Triggered", "Skipped", "Failed"))
    assert set(requests(rig)) == {"create", "patch"}


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
    """However many skip at once, the API server gets a burst and then some a second; the log counts the rest."""
    many = [schedule(f"s{number}", str(uuid5(NAMESPACE_OID, str(number)))) for number in range(10_000)]
    known = {each.uid: sighted(each.uid, rig.tasks.namespace) for each in many}
    rig.shown.resources.update(known)
    await rig.scheduler.load(*many)
    # the first run of each is enqueued, the second would overlap
    await rig.scheduler.pass_time(60)
    await rig.events.step()
    assert requests(rig) == {}
    await rig.scheduler.pass_time(60)
    with capture_logs() as logs:
        await rig.events.step()
    assert requests(rig) == {"create": recorder.BURST}
    assert [each["count"] for each in logs] == [len(many) - notes.REMEMBERED]
    for _ in range(4):
        rig.clock.advance(0.5)
        await rig.events.step()
    assert requests(rig) == {"create": recorder.BURST + 2 * recorder.RATE}
    assert told(rig) == {"Skipped": recorder.BURST + 2 * recorder.RATE}


async def test_of_many_that_skip_all_are_counted(rig: Rig) -> None:
    """What the limits hold back is told later with its whole count."""
    uids = [await rig.apply(f"s{number}", schedule="@yearly") for number in range(60)]
    for turn in range(600):
        rig.events.note(uids[turn % 60], SKIPPED)
    await rig.events.step()
    assert len(events(rig)) == recorder.BURST
    rig.clock.advance(1)
    await rig.events.step()
    assert Counter(each["count"] for each in events(rig)) == {10: 60}


async def test_without_the_right_events_wait(rig: Rig) -> None:
    """Forbidden by RBAC, one line says so and how to mend it; once granted, what is remembered is told."""
    uid = await rig.apply(schedule="@yearly")
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{rig.tasks.namespace}/roles/financehub-scheduler"
    granted = rig.cluster.request("GET", role)
    fewer = [rule for rule in granted["rules"] if "events" not in rule["resources"]]
    change(rig.cluster.request, rig.tasks.namespace, "financehub-scheduler", fewer)
    with capture_logs() as logs:
        for _ in range(5):
            rig.events.note(uid, SKIPPED)
            await rig.events.step()
            rig.clock.advance(61)
    (line,) = [each for each in logs if each["log_level"] in {"warning", "error"}]
    assert "events need create" in line["mend"]
    change(rig.cluster.request, rig.tasks.namespace, "financehub-scheduler", granted["rules"])
    await rig.events.step()
    assert told(rig) == {"Skipped": 5}


async def test_one_namespace_holds_up_no_other(rig: Rig) -> None:
    """Where the role is missing in one namespace, or the namespace is being deleted, others have their Events."""
    forbidden = rig.cluster.create_namespace()
    rig.shown.resources["elsewhere"] = sighted("elsewhere", forbidden)
    rig.events.note("elsewhere", SKIPPED)
    rig.events.note(await rig.apply(schedule="@yearly"), SKIPPED)
    rig.shown.resources["elsewhere"] = sighted("elsewhere", forbidden)
    with capture_logs() as logs:
        for _ in range(3):
            await rig.events.step()
            rig.clock.advance(1)
    assert told(rig) == {"Skipped": 1}
    assert [each["event"] for each in logs] == ["events_forbidden"]
    assert forbidden in logs[0]["error"]


async def test_a_namespace_that_is_being_deleted_is_left_alone(rig: Rig) -> None:
    """What happens in a namespace while it goes is dropped without a word, and tried once."""
    uid = await rig.apply(schedule="@yearly")
    rig.cluster.request("DELETE", f"/api/v1/namespaces/{rig.tasks.namespace}")
    rig.events.note(uid, SKIPPED)
    with capture_logs() as logs:
        for _ in range(3):
            await rig.events.step()
            rig.clock.advance(61)
    assert requests(rig) == {"create": 1}
    assert logs == []


async def test_while_the_api_server_is_away_events_wait(rig: Rig, tunnel: Tunnel) -> None:
    """An API server that does not answer is one line and no Event less, and one more line when it is back."""
    uid = await rig.apply(schedule="@yearly")
    api = await connect(rig.user, tunnel.kubeconfig(rig.user.kubeconfig))
    events_of = recorder.Recorder(rig.clock, api, rig.shown.resources, str)
    tunnel.refuse()
    with capture_logs() as logs:
        for _ in range(15):
            events_of.note(uid, SKIPPED)
            await events_of.step()
            rig.clock.advance(61)
        tunnel.accept()
        await events_of.step()
    await api.aclose()
    assert [each["event"] for each in logs] == ["events_wait", "events_posted_again"]
    assert told(rig) == {"Skipped": 15}


class LosesAnswers:
    """A connection on which everything arrives, and the first answer is lost."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._lost = False
        self.namespace = api.namespace

    async def request(self, *arguments: Any, **options: Any) -> Any:
        """Ask."""
        answer = await self._api.request(*arguments, **options)
        if not self._lost:
            self._lost = True
            raise ApiUnreachableError("the answer was lost")
        return answer


async def test_a_lost_answer_makes_no_second_event(rig: Rig) -> None:
    """An Event that was created without our hearing of it is found again, and counted up."""
    uid = await rig.apply(schedule="@yearly")
    events_of = recorder.Recorder(rig.clock, LosesAnswers(rig.api), rig.shown.resources, str)
    for _ in range(4):
        events_of.note(uid, SKIPPED)
        await events_of.step()
        rig.clock.advance(15)
    assert [each["count"] for each in events(rig)] == [3]


async def test_an_event_that_has_expired_is_created_anew(rig: Rig) -> None:
    """An Event that the API server no longer has is created again with all it counted."""
    uid = await rig.apply(schedule="@yearly")
    rig.events.note(uid, SKIPPED)
    await rig.events.step()
    (event,) = events(rig)
    rig.cluster.request("DELETE", f"/api/v1/namespaces/{rig.tasks.namespace}/events/{event['metadata']['name']}")
    rig.events.note(uid, SKIPPED)
    for _ in range(3):
        rig.clock.advance(30)
        await rig.events.step()
    assert [each["count"] for each in events(rig)] == [2]


async def test_a_backfill_is_told(rig: Rig) -> None:
    """A backfill is an Event when it starts, with its size, and one when it ends; its runs are none."""
    wish = "/".join(datetime.fromtimestamp(at, UTC).isoformat() for at in (T - 600, T - 300))
    await rig.apply(annotations={BACKFILL: wish}, schedule="@every 1m", concurrencyPolicy="Allow", suspend=True)
    await rig.pass_time(5)
    found = {each["reason"]: each["message"] for each in events(rig)}
    assert set(found) == {"BackfillStarted", "BackfillFinished"}
    assert found["BackfillStarted"].endswith(": 6")


@pytest.mark.parametrize("name", ["a" * 253, "a" * 235 + "-b"])
async def test_every_resource_can_have_events(rig: Rig, name: str) -> None:
    """However long the name of a ScheduledTask, and whatever is at the place where it is cut, `describe` has Events."""
    uid = await rig.apply(name, schedule="@yearly")
    rig.events.note(uid, SKIPPED)
    await rig.events.step()
    (event,) = events(rig)
    assert event["involvedObject"]["uid"] == uid
    assert "financehub-scheduler" in rig.cluster.kubectl("describe", "st", name, "-n", rig.tasks.namespace).stdout


async def test_of_what_is_gone_nothing_is_told(rig: Rig) -> None:
    """A resource that is deleted, with its namespace or alone, has no more Events, and nobody complains."""
    uid = await rig.apply(schedule="@yearly")
    rig.tasks.delete()
    rig.events.note(uid, SKIPPED)
    await rig.look()
    rig.scheduler.engine.apply(Changes(removed=[uid]))
    rig.events.note(uid, SKIPPED)
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
