"""Tests of Events in a real API server, from real enqueue outcomes. The test controls the clock."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest
import redis
from structlog.testing import capture_logs

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.kubernetes.client.api import ApiRequest, ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.events import correlator, recorder
from financehub_scheduler.kubernetes.events.drafts import EventDraft
from financehub_scheduler.kubernetes.events.recorder import EventRecorder
from financehub_shared.core.clock import ManualClock
from financehub_shared.operations.schedules import resume_schedules
from financehub_shared.spec.scheduled_task import BACKFILL, TRIGGER
from support.events import watched_resource
from support.hand_driven import T, build
from support.operator import TOO_DEEP, connect, scheduler_user
from support.schedule_runs import FAILED, Runs
from support.schedules import schedule
from support.status import OperatorRig
from support.tunnel import Tunnel
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.rbac import replace_rules

SKIPPED = [EventDraft("Normal", "Skipped", "x")]


@pytest.fixture
async def rig(
    crd_installed: Cluster, namespace: str, redis_url: str, redis_client: "redis.Redis"
) -> AsyncIterator[OperatorRig]:
    """A scheduler of the test's namespace, at T + 0.5 s, with the shipped rights."""
    scheduler = build(redis_url, ManualClock(T + 0.5), redis_client)
    user = scheduler_user(crd_installed, namespace)
    api = await connect(user)
    yield OperatorRig(crd_installed, namespace, user, api, scheduler)
    await api.aclose()
    await scheduler.connection.aclose()


def events(rig: OperatorRig) -> list[dict[str, Any]]:
    """Return the Events of the namespace, oldest first."""
    found = rig.cluster.request("GET", f"/api/v1/namespaces/{rig.tasks.namespace}/events")["items"]
    return sorted(found, key=lambda event: (event["firstTimestamp"], event["reason"]))


def counts(rig: OperatorRig) -> Counter[str]:
    """Return reason → number of occurrences in all Events of the namespace."""
    total = Counter[str]()
    for event in events(rig):
        total[event["reason"]] += event["count"]
    return total


def requests(rig: OperatorRig) -> Counter[str]:
    """Return verb → number of the scheduler's requests about Events."""
    records = rig.cluster.audit(rig.user.name)
    return Counter(record["verb"] for record in records if record.get("objectRef", {}).get("resource") == "events")


async def test_describe_shows_triggers_skips_and_failures(rig: OperatorRig) -> None:
    """`kubectl describe` shows triggers, skips and failures with reason, message and count, and no normal runs."""
    uid = await rig.apply(annotations={TRIGGER: "now"}, schedule="@every 1m")
    await rig.step()
    # The triggered run has not ended, so the next two due times are skipped.
    await rig.pass_time(120)
    rig.end_run(uid, "dead-lettered", "boom: redis://:hunter2-secret@x")
    await rig.pass_time(61)
    described = rig.cluster.kubectl("describe", "st", "demo", "-n", rig.tasks.namespace).stdout
    assert counts(rig) == {"Triggered": 1, "Skipped": 2, "Failed": 1}
    (skipped,) = [line for line in described.splitlines() if "Skipped" in line and "Normal" in line]
    message = "a run was skipped: the previous run is still que"
    assert re.search(rf"\(x2 over \S+\) +financehub-scheduler +{message}", skipped)
    assert "was dead-lettered: boom" in described
    assert "hunter2-secret" not in str(events(rig))
    listed = rig.cluster.kubectl("events", "--for", "st/demo", "-n", rig.tasks.namespace).stdout
    assert all(reason in listed for reason in ("Triggered", "Skipped", "Failed"))
    assert set(requests(rig)) == {"create", "patch"}


async def test_schedule_that_failures_paused_has_a_condition_and_one_event(rig: OperatorRig) -> None:
    """`kubectl describe` shows the last error and how to resume, in the condition and in one Warning."""
    uid = await rig.apply(pauseAfterFailures=2)
    await rig.step()
    runs = Runs(rig.scheduler.client, uid)
    for number in range(2):
        runs.end(runs.new(), FAILED, f"ValueError: {number}")
    for _ in range(2):
        await rig.scheduler.pauses.step()
        await rig.step()
    paused = rig.tasks.condition("Suspended")
    assert (paused["status"], paused["reason"]) == ("True", "PausedAfterFailures")
    assert "2 runs in a row failed, the last with: ValueError: 1" in paused["message"]
    assert rig.tasks.status()["failuresInRow"] == 2
    (event,) = [event for event in events(rig) if event["reason"] == "PausedAfterFailures"]
    assert (event["type"], event["message"]) == ("Warning", paused["message"])
    (name,) = re.findall(r"financehub schedules resume (\S+)$", paused["message"])
    resume_schedules(rig.scheduler.client, [name])
    await rig.scheduler.pauses.step()
    await rig.step()
    assert rig.tasks.condition("Suspended")["status"] == "False"


async def test_refused_spec_has_one_event(rig: OperatorRig) -> None:
    """A spec that only the scheduler refuses gets one Event that names the problem."""
    await rig.apply(args=TOO_DEEP)
    await rig.pass_time(90)
    (event,) = events(rig)
    assert (event["type"], event["reason"], event["count"]) == ("Warning", "Invalid", 1)
    assert "nested too deeply" in event["message"]


async def test_repeated_event_is_counted_for_ten_minutes(rig: OperatorRig) -> None:
    """Repetitions within ten minutes are one Event, updated at most every 30 s. Later ones are another Event."""
    uid = await rig.apply(schedule="@yearly")
    for number in range(61):
        rig.events.record(uid, [EventDraft("Normal", "Skipped", f"for the {number}th time")])
        await rig.events.step()
        rig.clock.advance(1)
    (event,) = events(rig)
    assert (event["count"], event["message"]) == (61, "for the 60th time")
    assert requests(rig) == {"create": 1, "patch": 2}
    rig.clock.advance(correlator.SAME_SECONDS)
    rig.events.record(uid, [EventDraft("Normal", "Skipped", "again")])
    await rig.events.step()
    assert [event["count"] for event in events(rig)] == [61, 1]


async def test_events_of_one_resource_are_limited(rig: OperatorRig) -> None:
    """After a burst, a resource gets one new Event in five minutes, and the log contains the number of dropped ones."""
    uid = await rig.apply(schedule="@yearly")
    rig.events.record(uid, [EventDraft("Normal", f"Reason{number}", "x") for number in range(50)])
    with capture_logs() as logs:
        await rig.events.step()
    assert len(events(rig)) == correlator.RESOURCE_BURST
    dropped = [line["count"] for line in logs if line["event"] == "events_dropped"]
    assert dropped == [50 - correlator.RESOURCE_BURST]
    rig.clock.advance(correlator.RESOURCE_SECONDS)
    rig.events.record(uid, [EventDraft("Normal", "Later", "x"), EventDraft("Normal", "TooMuch", "x")])
    await rig.events.step()
    assert len(events(rig)) == correlator.RESOURCE_BURST + 1


async def test_ten_thousand_skips_cause_few_requests(rig: OperatorRig) -> None:
    """If ten thousand runs are skipped together, the API server gets a burst, then a few requests per second."""
    many = [schedule(f"s{number}", str(uuid5(NAMESPACE_OID, str(number)))) for number in range(10_000)]
    known = {each.uid: watched_resource(each.uid, rig.tasks.namespace) for each in many}
    rig.source.resources.update(known)
    await rig.scheduler.load(*many)
    # The first run of each schedule is enqueued. The second one overlaps with it.
    await rig.scheduler.pass_time(60)
    await rig.events.step()
    assert requests(rig) == {}
    await rig.scheduler.pass_time(60)
    with capture_logs() as logs:
        await rig.events.step()
    assert requests(rig) == {"create": recorder.BURST}
    assert [line["count"] for line in logs] == [len(many) - correlator.MAX_RECORDS]
    for _ in range(4):
        rig.clock.advance(0.5)
        await rig.events.step()
    assert requests(rig) == {"create": recorder.BURST + 2 * recorder.RATE}
    assert counts(rig) == {"Skipped": recorder.BURST + 2 * recorder.RATE}


async def test_delayed_events_have_their_whole_count(rig: OperatorRig) -> None:
    """Events that are delayed by the limits are posted later with their total count."""
    uids = [await rig.apply(f"s{number}", schedule="@yearly") for number in range(60)]
    for turn in range(600):
        rig.events.record(uids[turn % 60], SKIPPED)
    await rig.events.step()
    assert len(events(rig)) == recorder.BURST
    rig.clock.advance(1)
    await rig.events.step()
    assert Counter(event["count"] for event in events(rig)) == {10: 60}


async def test_recorder_without_rights_logs_once_and_posts_later(rig: OperatorRig) -> None:
    """Without the right to create Events, one log line names the remedy. Once it is granted, the Events are posted."""
    uid = await rig.apply(schedule="@yearly")
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{rig.tasks.namespace}/roles/financehub-scheduler"
    granted = rig.cluster.request("GET", role)
    reduced = [rule for rule in granted["rules"] if "events" not in rule["resources"]]
    replace_rules(rig.cluster.request, rig.tasks.namespace, "financehub-scheduler", reduced)
    with capture_logs() as logs:
        for _ in range(5):
            rig.events.record(uid, SKIPPED)
            await rig.events.step()
            rig.clock.advance(61)
    (line,) = [line for line in logs if line["log_level"] in {"warning", "error"}]
    assert "events need create" in line["remedy"]
    replace_rules(rig.cluster.request, rig.tasks.namespace, "financehub-scheduler", granted["rules"])
    await rig.events.step()
    assert counts(rig) == {"Skipped": 5}


async def test_forbidden_namespace_does_not_delay_other_namespaces(rig: OperatorRig) -> None:
    """If the role is missing in one namespace, the Events of other namespaces are posted."""
    forbidden = rig.cluster.create_namespace()
    rig.source.resources["elsewhere"] = watched_resource("elsewhere", forbidden)
    rig.events.record("elsewhere", SKIPPED)
    rig.events.record(await rig.apply(schedule="@yearly"), SKIPPED)
    rig.source.resources["elsewhere"] = watched_resource("elsewhere", forbidden)
    with capture_logs() as logs:
        for _ in range(3):
            await rig.events.step()
            rig.clock.advance(1)
    assert counts(rig) == {"Skipped": 1}
    assert [line["event"] for line in logs] == ["event_write_failed"]
    assert forbidden in logs[0]["error"]


async def test_events_of_terminating_namespace_are_dropped_silently(rig: OperatorRig) -> None:
    """An Event in a namespace that is being deleted is tried once and dropped without a log line."""
    uid = await rig.apply(schedule="@yearly")
    rig.cluster.request("DELETE", f"/api/v1/namespaces/{rig.tasks.namespace}")
    rig.events.record(uid, SKIPPED)
    with capture_logs() as logs:
        for _ in range(3):
            await rig.events.step()
            rig.clock.advance(61)
    assert requests(rig) == {"create": 1}
    assert logs == []


async def test_recorder_during_api_outage_loses_no_event(rig: OperatorRig, tunnel: Tunnel) -> None:
    """An outage of the API server is logged once, and so is its end. No Event is lost."""
    uid = await rig.apply(schedule="@yearly")
    api = await connect(rig.user, tunnel.kubeconfig(rig.user.kubeconfig))
    event_recorder = EventRecorder(rig.clock, api, rig.source.resources, str)
    tunnel.refuse()
    with capture_logs() as logs:
        for _ in range(15):
            event_recorder.record(uid, SKIPPED)
            await event_recorder.step()
            rig.clock.advance(61)
        tunnel.accept()
        await event_recorder.step()
    await api.aclose()
    assert [line["event"] for line in logs] == ["event_writes_unavailable", "event_writes_available_again"]
    assert counts(rig) == {"Skipped": 15}


class LosesFirstAnswer:
    """An API client that performs every request and loses the first response.

    Args:
        api: The real client.
    """

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._lost = False
        self.namespace = api.namespace

    async def send(self, request: ApiRequest) -> Any:
        """Perform the request, and raise if it is the first one."""
        answer = await self._api.send(request)
        if not self._lost:
            self._lost = True
            raise ApiUnreachableError("the answer was lost")
        return answer


async def test_lost_answer_does_not_duplicate_the_event(rig: OperatorRig) -> None:
    """An Event whose creation succeeded but got no response is found again and updated."""
    uid = await rig.apply(schedule="@yearly")
    event_recorder = EventRecorder(rig.clock, LosesFirstAnswer(rig.api), rig.source.resources, str)
    for _ in range(4):
        event_recorder.record(uid, SKIPPED)
        await event_recorder.step()
        rig.clock.advance(15)
    assert [event["count"] for event in events(rig)] == [3]


async def test_expired_event_is_created_again(rig: OperatorRig) -> None:
    """An Event that the API server no longer has is created again with its total count."""
    uid = await rig.apply(schedule="@yearly")
    rig.events.record(uid, SKIPPED)
    await rig.events.step()
    (event,) = events(rig)
    rig.cluster.request("DELETE", f"/api/v1/namespaces/{rig.tasks.namespace}/events/{event['metadata']['name']}")
    rig.events.record(uid, SKIPPED)
    for _ in range(3):
        rig.clock.advance(30)
        await rig.events.step()
    assert [event["count"] for event in events(rig)] == [2]


async def test_backfill_has_events_for_start_and_end(rig: OperatorRig) -> None:
    """A backfill gets an Event with its size when it starts, and one when it ends. Its runs get none."""
    backfill = "/".join(datetime.fromtimestamp(at, UTC).isoformat() for at in (T - 600, T - 300))
    await rig.apply(annotations={BACKFILL: backfill}, schedule="@every 1m", concurrencyPolicy="Allow", suspend=True)
    await rig.pass_time(5)
    messages = {event["reason"]: event["message"] for event in events(rig)}
    assert set(messages) == {"BackfillStarted", "BackfillFinished"}
    assert "6" in messages["BackfillStarted"]


@pytest.mark.parametrize("name", ["a" * 253, "a" * 235 + "-b"])
async def test_resource_with_long_name_has_events(rig: OperatorRig, name: str) -> None:
    """A ScheduledTask with a name of any length gets Events, wherever its name is truncated."""
    uid = await rig.apply(name, schedule="@yearly")
    rig.events.record(uid, SKIPPED)
    await rig.events.step()
    (event,) = events(rig)
    assert event["involvedObject"]["uid"] == uid
    assert "financehub-scheduler" in rig.cluster.kubectl("describe", "st", name, "-n", rig.tasks.namespace).stdout


async def test_deleted_resource_gets_no_further_events(rig: OperatorRig) -> None:
    """A deleted resource gets no further Events, and nothing is logged."""
    uid = await rig.apply(schedule="@yearly")
    rig.tasks.delete()
    rig.events.record(uid, SKIPPED)
    await rig.poll()
    rig.scheduler.engine.apply(Changes(removed=[uid]))
    rig.events.record(uid, SKIPPED)
    with capture_logs() as logs:
        await rig.events.step()
    assert counts(rig) == {"Skipped": 1}
    assert [line for line in logs if line["log_level"] in {"warning", "error"}] == []


async def test_long_message_is_cut_at_a_character(rig: OperatorRig) -> None:
    """A message is truncated to at most 1,024 bytes, but not within a multi-byte character."""
    uid = await rig.apply(schedule="@yearly")
    rig.events.record(uid, [EventDraft("Warning", "Failed", "ä" * 2_000)])
    await rig.events.step()
    (event,) = events(rig)
    assert event["message"] == "ä" * 512
