"""Status in a real API server, from a real Redis, with the clock in the test's hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from financehub_scheduler.api.scheduled_task import BACKFILL
from financehub_scheduler.core.engine import BOOK_SECONDS
from financehub_scheduler.kubernetes.lease import HOLD_SECONDS
from financehub_scheduler.kubernetes.status.sender import FORBIDDEN_SECONDS, MANAGER
from financehub_scheduler.kubernetes.status.writer import SPACING_SECONDS, SWEEP_SECONDS, WRITES
from financehub_shared.core.clock import ManualClock
from financehub_shared.redis import keys
from support.control_plane.cluster import Cluster
from support.control_plane.rbac import change
from support.hand_driven import Scheduler, T, build
from support.operator import connect, scheduler_user
from support.status import Rig
from support.tunnel import Tunnel

SPACING = int(SPACING_SECONDS)
#: Nothing is due for a long time.
RARELY = {"schedule": "@yearly"}

Make = Callable[..., Awaitable[Rig]]


def at(seconds: float) -> str:
    """A time as status has it, seconds after T."""
    return f"2027-01-15T08:{int(seconds) // 60:02}:{int(seconds) % 60:02}Z"


@pytest.fixture
async def make(
    crd_installed: Cluster, namespace: str, redis_url: str, redis_client: "redis.Redis"
) -> AsyncIterator[Make]:
    """Make a scheduler on the test's namespace, at time T + 0.5 s, with the rights that are shipped."""
    made: list[Rig] = []

    async def make(
        identity: str = "one",
        clock: ManualClock | None = None,
        tunnel: Tunnel | None = None,
        book_seconds: float = 0,
    ) -> Rig:
        scheduler: Scheduler = build(redis_url, clock or ManualClock(T + 0.5), redis_client, book_seconds=book_seconds)
        user = scheduler_user(crd_installed, namespace) if not made else made[0].user
        way = tunnel.kubeconfig(user.kubeconfig) if tunnel else None
        api = await connect(user, way)
        made.append(Rig(crd_installed, namespace, user, api, scheduler, identity))
        return made[-1]

    yield make
    for each in made:
        await each.api.aclose()
        await each.scheduler.connection.aclose()


@pytest.fixture
async def rig(make: Make) -> Rig:
    """One scheduler."""
    return await make()


async def test_what_is_applied_says_when_it_runs(rig: Rig) -> None:
    """One step after it was applied, a resource says that it is ready and when it runs next."""
    await rig.apply(schedule="*/1 * * * *", timeZone="Europe/Berlin", jitterSeconds=30)
    await rig.step()
    status = rig.tasks.status()
    assert rig.tasks.condition("Ready")["status"] == "True"
    offset = rig.scheduler.engine.live[next(iter(rig.shown.resources))].schedule.timing.offset
    assert status["nextScheduleTimes"] == [at(60 * minute + offset) for minute in (1, 2, 3)]
    assert (status["observedGeneration"], status["queue"]) == (1, "q")
    assert status["schedule"] == "*/1 * * * * (Europe/Berlin)"


async def test_a_run_is_written_once(rig: Rig) -> None:
    """A run that ends soon after its enqueue costs one write, and that one tells all of it."""
    uid = await rig.apply()
    await rig.step()
    await rig.pass_time(65)
    run = rig.end_run(uid)
    await rig.pass_time(3)
    assert rig.writes() == [200, 200]
    status = rig.tasks.status()
    assert status["lastRun"] == {"id": run, "outcome": "succeeded", "finishTime": at(65), "durationSeconds": 2}
    assert status["recent"] == [
        {"id": run, "state": "succeeded", "dueTime": at(60), "finishTime": at(65), "durationSeconds": 2}
    ]
    assert (status["lastScheduleTime"], status["lastSuccessTime"]) == (at(60), at(65))
    assert (status["runs"], status["active"], status["failures"]) == (1, 0, 0)
    assert status["nextScheduleTimes"][0] == at(120)


async def test_a_run_that_ends_before_it_is_recorded_is_written_once(make: Make) -> None:
    """A run so short that the list of newest runs has it only after its end costs one write, which lists it."""
    rig = await make(book_seconds=BOOK_SECONDS)
    uid = await rig.apply()
    await rig.step()
    await rig.pass_time(60)
    run = rig.end_run(uid)
    await rig.step()
    await rig.pass_time(SPACING + 5)
    assert rig.writes() == [200, 200]
    assert [each["id"] for each in rig.tasks.status()["recent"]] == [run]


async def test_a_first_outcome_is_shown_at_once(rig: Rig) -> None:
    """The first run of a schedule is shown when it ends, however young the status is; the next one waits its turn."""
    uid = await rig.apply(schedule="@every 5s", concurrencyPolicy="Allow")
    await rig.step()
    await rig.pass_time(6)
    first = rig.end_run(uid)
    await rig.pass_time(1)
    assert rig.tasks.status()["lastRun"]["id"] == first
    await rig.pass_time(5)
    rig.end_run(uid)
    await rig.pass_time(5)
    assert rig.tasks.status()["lastRun"]["id"] == first


async def test_a_long_run_is_shown_while_it_runs(rig: Rig) -> None:
    """A run that has not ended half a minute after its enqueue is shown as active."""
    await rig.apply(schedule="@every 10m")
    await rig.step()
    rig.clock.advance(599)
    await rig.pass_time(2)
    assert rig.tasks.status()["active"] == 0
    await rig.pass_time(SPACING)
    assert rig.tasks.status()["active"] == 1


async def test_writes_keep_their_distance(rig: Rig) -> None:
    """However often a schedule runs, its status is written every half minute at most, and is never older than that."""
    uid = await rig.apply(schedule="@every 5s", concurrencyPolicy="Allow")
    await rig.step()
    for _ in range(24):
        await rig.pass_time(5)
        rig.end_run(uid)
    assert 1 + 3 <= len(rig.writes()) <= 1 + 4
    await rig.pass_time(SPACING)
    assert rig.tasks.status()["runs"] >= 24


async def test_a_failure_is_shown_at_once(rig: Rig) -> None:
    """Failing turns at once, says why, keeps its time while it lasts, and turns back with the next success."""
    uid = await rig.apply(concurrencyPolicy="Allow")
    await rig.step()
    await rig.pass_time(61)
    rig.end_run(uid, "dead-lettered", "ValueError: " + "x" * 500)
    await rig.pass_time(1)
    first = rig.tasks.condition("Failing")
    assert (first["status"], first["reason"], first["lastTransitionTime"]) == ("True", "RunFailed", at(62))
    assert first["message"].startswith("ValueError: xxx")
    assert len(first["message"]) == 300
    await rig.pass_time(60)
    rig.end_run(uid, "lost", "its worker died")
    await rig.pass_time(SPACING)
    second = rig.tasks.condition("Failing")
    assert (second["reason"], second["message"]) == ("RunLost", "its worker died")
    assert second["lastTransitionTime"] == at(62)
    rig.end_run(uid)
    await rig.pass_time(1)
    assert rig.tasks.condition("Failing")["status"] == "False"
    assert rig.tasks.status()["failures"] == 2


async def test_skips_and_misses_are_shown(rig: Rig) -> None:
    """What was left out is counted, with the reason of the newest; the last schedule time is that of a run."""
    await rig.apply(catchUp="None")
    await rig.step()
    await rig.pass_time(125)
    rig.clock.advance(3_020)
    await rig.pass_time(SPACING + 2)
    status = rig.tasks.status()
    assert (status["runs"], status["lastScheduleTime"]) == (1, at(60))
    assert (status["skipped"], status["lastSkip"]["reason"]) == (1, "overlap")
    assert status["lastSkip"]["time"] == at(120)
    assert status["missed"] == 50


async def test_nothing_new_is_nothing_written(rig: Rig, make: Make) -> None:
    """Neither time, sweeps, word of a change that is none nor another writer lead to a write that changes nothing."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    rig.scheduler.client.sadd(keys.SCHEDULES_TOUCHED, uid, "of nobody")
    await rig.pass_time(SPACING + 5)
    await _sleep(rig, SWEEP_SECONDS)
    await rig.pass_time(SPACING + 5)
    await rig.lease.release()
    heir = await make("two", rig.clock)
    await heir.look()
    await heir.pass_time(SPACING + 5)
    assert heir.lease.holds
    assert rig.writes() == [200]


async def test_an_heir_knows_the_times_of_conditions(rig: Rig, make: Make) -> None:
    """The next writer keeps the time of a condition that stays, though it never saw it turn."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    before = rig.tasks.condition("Ready")["lastTransitionTime"]
    await rig.lease.release()
    heir = await make("two", rig.clock)
    rig.clock.advance(100)
    rig.scheduler.client.hset(keys.schedule(uid), "triggered", 5)
    await heir.look()
    await heir.pass_time(SPACING + 5)
    assert rig.tasks.status()["triggered"] == 5
    assert rig.tasks.condition("Ready")["lastTransitionTime"] == before


async def test_who_does_not_hold_the_lease_does_not_write(rig: Rig, make: Make) -> None:
    """Of two schedulers one writes, and a holder that has slept does not go on where it was."""
    await rig.apply(**RARELY)
    other = await make("two", rig.clock)
    await rig.lease.step()
    for each in (other, rig, other):
        await each.look()
        await each.step()
    assert (rig.lease.holds, other.lease.holds) == (True, False)
    assert rig.writes() == [200]
    rig.tasks.apply(schedule="@monthly")
    await rig.look()
    rig.scheduler.client.sadd(keys.SCHEDULES_TOUCHED, "for the holder")
    rig.clock.advance(HOLD_SECONDS)
    await rig.writer.step()
    assert rig.writes() == [200]
    assert rig.scheduler.client.scard(keys.SCHEDULES_TOUCHED) == 1


async def test_what_others_own_stays_theirs(rig: Rig) -> None:
    """A user's spec and labels keep their owner, and the user's next apply meets no conflict."""
    await rig.apply(**RARELY)
    await rig.step()
    managers = {each["manager"]: each["fieldsV1"] for each in rig.tasks.get()["metadata"]["managedFields"]}
    assert set(managers[MANAGER]) == {"f:status"}
    assert "f:spec" in managers["user"]
    body = {**rig.tasks.get(), "spec": {"task": "demo_task", "queue": "q", "schedule": "@monthly"}}
    body["metadata"] = {"name": "demo", "namespace": rig.tasks.namespace, "labels": {"team": "a"}}
    del body["status"]
    path = f"/apis/financehub.io/v1alpha1/namespaces/{rig.tasks.namespace}/scheduledtasks/demo"
    apply = {"content_type": "application/apply-patch+yaml", "fieldManager": "user"}
    rig.cluster.request("PATCH", path, body, **apply)
    await rig.look()
    await rig.step()
    assert rig.tasks.get()["metadata"]["labels"] == {"team": "a"}
    assert rig.tasks.status()["schedule"] == "@monthly"
    assert rig.tasks.condition("Ready")["observedGeneration"] == 2
    rig.cluster.request("PATCH", path, body, **apply)


async def test_a_strange_field_is_borne(rig: Rig) -> None:
    """A field of status that somebody else has added stays, and is no reason to write again and again."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    _patch_status(rig, {"lastFailureTime": at(0)})
    await rig.look()
    for _ in range(3):
        await rig.pass_time(SPACING + 1)
        rig.scheduler.client.sadd(keys.SCHEDULES_TOUCHED, uid)
    assert len(rig.writes()) <= 2
    assert rig.tasks.status()["lastFailureTime"] == at(0)


async def test_a_status_that_was_spoilt_is_mended(rig: Rig) -> None:
    """What somebody else has removed or changed in status is written anew."""
    await rig.apply(**RARELY)
    await rig.step()
    written = rig.tasks.status()
    _patch_status(rig, dict.fromkeys(written))
    await rig.look()
    await rig.pass_time(SPACING + 1)
    assert rig.tasks.status()["nextScheduleTimes"] == written["nextScheduleTimes"]
    await rig.pass_time(SPACING)
    _patch_status(rig, {"runs": 77})
    await rig.look()
    await rig.step()
    assert rig.tasks.status()["runs"] == 0


async def test_a_namesake_gets_a_status_of_its_own(rig: Rig) -> None:
    """A resource that follows a deleted one of its name has a status of its own as soon as it is seen."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    rig.scheduler.client.hset(keys.schedule(uid), mapping={"triggered": 5, "ended": 5})
    rig.scheduler.client.sadd(keys.SCHEDULES_TOUCHED, uid)
    rig.tasks.delete()
    rig.tasks.apply(**RARELY)
    # the watch has shown neither yet
    rig.clock.advance(HOLD_SECONDS - 1)
    await rig.lease.step()
    rig.clock.advance(SPACING - HOLD_SECONDS + 2)
    await rig.writer.step()
    assert rig.writes() == [200, 200]
    await rig.look()
    await rig.step()
    assert rig.tasks.status()["triggered"] == 0
    await rig.pass_time(4 * SPACING)
    assert rig.writes() == [200, 200, 200]


async def test_a_deleted_resource_is_no_error(rig: Rig) -> None:
    """The status of a resource that has just gone is dropped without a word."""
    await rig.apply(**RARELY)
    rig.tasks.delete()
    with capture_logs() as lines:
        await rig.lease.step()
        await rig.writer.step()
    assert rig.writes() == [404]
    assert [line["event"] for line in lines] == ["lease_acquired"]


async def test_what_only_the_operator_sees_is_shown(rig: Rig) -> None:
    """A refused spec says what is wrong with it, keeps its counters, and is ready again once it is mended."""
    uid = await rig.apply()
    await rig.step()
    await rig.pass_time(61)
    rig.end_run(uid)
    await rig.apply(schedule="0 0 31 2 *")
    await rig.step()
    ready = rig.tasks.condition("Ready")
    assert (ready["status"], ready["reason"], ready["observedGeneration"]) == ("False", "Invalid", 2)
    assert "31 February never comes" in ready["message"]
    status = rig.tasks.status()
    assert (status["runs"], status["nextScheduleTimes"]) == (1, [])
    assert rig.tasks.condition("Suspended")["status"] == "Unknown"
    await rig.apply()
    await rig.step()
    assert rig.tasks.condition("Ready")["status"] == "True"
    assert rig.tasks.status()["nextScheduleTimes"] == [at(minute * 60) for minute in (2, 3, 4)]


async def test_refused_arguments_are_shown_at_once(rig: Rig) -> None:
    """A schedule whose arguments are refused says why within a step, and so it does when they are no longer."""
    await rig.apply(**RARELY)
    await rig.step()
    rig.scheduler.refused[f"{rig.tasks.namespace}/demo"] = "kwargs.symbols: NOPE is no active asset"
    rig.scheduler.engine.recheck()
    await rig.step()
    ready = rig.tasks.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Refused")
    assert ready["message"] == "kwargs.symbols: NOPE is no active asset"
    rig.scheduler.refused.clear()
    rig.scheduler.engine.recheck()
    await rig.step()
    assert rig.tasks.condition("Ready")["reason"] == "Scheduled"


async def test_a_pause_is_shown_with_its_reason(rig: Rig) -> None:
    """A suspended schedule says so, and why, and names no next time; what waits for it to resume is valid."""
    await rig.apply(suspend=True, suspendReason="upstream moves")
    await rig.step()
    suspended = rig.tasks.condition("Suspended")
    assert (suspended["status"], suspended["message"]) == ("True", "upstream moves")
    assert rig.tasks.condition("Ready")["reason"] == "Suspended"
    assert rig.tasks.status()["nextScheduleTimes"] == []
    await rig.apply()
    await rig.step()
    assert rig.tasks.condition("Suspended")["status"] == "False"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"maxRuns": 1}, "Exhausted"),
        ({"endTime": "2027-01-15T08:01:30Z"}, "NoDueTime"),
        ({"calendar": "XNYS", "startTime": "2060-01-01T00:00:00Z"}, "CalendarEnded"),
    ],
)
async def test_what_will_not_run_again_says_so(rig: Rig, spec: dict[str, Any], reason: str) -> None:
    """A schedule that has come to its end, whichever, is not ready and says what would make it run."""
    await rig.apply(concurrencyPolicy="Allow", **spec)
    await rig.step()
    await rig.pass_time(121)
    ready = rig.tasks.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert rig.tasks.status()["nextScheduleTimes"] == []


async def test_a_backfill_shows_its_progress(rig: Rig) -> None:
    """The backfill that the annotation asks for is shown from its beginning to its end, or why it is refused."""
    wish = "2027-01-15T07:00:00Z/2027-01-15T07:59:00Z"
    await rig.apply(annotations={BACKFILL: wish}, concurrencyPolicy="Allow", suspend=True)
    await rig.step()
    assert rig.tasks.status()["backfill"]["state"] in {"pending", "running"}
    await rig.pass_time(SPACING + 2)
    done = rig.tasks.status()["backfill"]
    assert done == {"range": wish, "state": "finished", "total": 60, "enqueued": 60}
    assert rig.tasks.status()["backfilled"] == 60
    long = "2020-01-01T00:00:00Z/2027-01-01T00:00:00Z"
    await rig.apply(annotations={BACKFILL: long}, concurrencyPolicy="Allow", suspend=True)
    await rig.pass_time(SPACING + 2)
    refused = rig.tasks.status()["backfill"]
    assert (refused["range"], refused["state"]) == (long, "refused")
    assert "10000 due times" in refused["message"]
    await rig.apply(concurrencyPolicy="Allow", suspend=True)
    await rig.pass_time(SPACING + 2)
    assert "backfill" not in rig.tasks.status()


async def test_the_newest_goes_first(rig: Rig) -> None:
    """What was applied last has its status after one step, though more wait for theirs than fit into one."""
    many = 2 * WRITES + 20
    for number in range(many):
        rig.tasks.apply(f"many-{number}", **RARELY)
    await rig.look()
    await rig.step()
    written = len(rig.writes())
    assert written < 1.5 * WRITES
    rig.scheduler.client.sadd(keys.SCHEDULES_TOUCHED, *(f"of nobody {number}" for number in range(900)))
    await rig.apply("newest", **RARELY)
    await rig.pass_time(1)
    assert rig.tasks.condition("Ready", "newest")["status"] == "True"
    assert len(rig.writes()) < many
    await rig.pass_time(3)
    assert rig.writes() == [200] * (many + 1)


async def test_writes_begin_one_by_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """No two writes begin in the same round of the loop: a due run waits for one of them, however many there are."""
    for number in range(20):
        rig.tasks.apply(f"many-{number}", **RARELY)
    await rig.look()
    await rig.lease.step()
    rounds, begun, request = 0, [], rig.api.request

    async def count() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    async def note(*arguments: Any, **options: Any) -> Any:
        begun.append(rounds)
        return await request(*arguments, **options)

    monkeypatch.setattr(rig.api, "request", note)
    counting = asyncio.create_task(count())
    await rig.writer.step()
    counting.cancel()
    assert len(set(begun)) == len(begun) == 20


async def test_a_lost_word_is_made_up_for(rig: Rig) -> None:
    """A change that nobody told of is found by the next sweep."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    await rig.pass_time(SPACING)
    rig.scheduler.client.hset(keys.schedule(uid), "triggered", 5)
    await _sleep(rig, SWEEP_SECONDS)
    assert rig.lease.term == 1
    await rig.pass_time(SPACING + 2)
    assert rig.tasks.status()["triggered"] == 5


async def test_a_new_term_begins_with_a_look_at_all(rig: Rig) -> None:
    """A holder that slept past its time finds what was lost meanwhile, though nobody else held the Lease."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    rig.scheduler.client.hset(keys.schedule(uid), "triggered", 5)
    rig.clock.advance(HOLD_SECONDS)
    await rig.pass_time(SPACING + 2)
    assert rig.lease.term == 2
    assert rig.tasks.status()["triggered"] == 5


async def test_a_slow_watch_leads_to_no_second_write(rig: Rig) -> None:
    """Until the watch shows what was written, the API server's answer counts."""
    uid = await rig.apply(**RARELY)
    await rig.lease.step()
    for _ in range(3):
        await rig.writer.step()
        rig.writer.moved.add(uid)
        rig.clock.advance(1)
    assert rig.writes() == [200]


async def test_garbage_in_redis_stops_nobody(rig: Rig) -> None:
    """A record that cannot be read is named in the log, and the status of the others is written."""
    uid = await rig.apply("spoilt", **RARELY)
    rig.scheduler.client.hset(keys.schedule(uid), "runs", "many")
    await rig.apply(**RARELY)
    with capture_logs() as lines:
        await rig.step()
    assert rig.tasks.condition("Ready")["status"] == "True"
    assert [line["schedule_uid"] for line in lines if line["event"] == "record_unreadable"] == [uid]


async def test_without_the_right_to_write_schedules_go_on(rig: Rig) -> None:
    """Forbidden by RBAC, the writer says so once and how to mend it, runs go on, and once mended it writes."""
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{rig.tasks.namespace}/roles/financehub-scheduler"
    granted = rig.cluster.request("GET", role)
    less = [rule for rule in granted["rules"] if "scheduledtasks/status" not in rule["resources"]]
    change(rig.cluster.request, rig.tasks.namespace, "financehub-scheduler", less)
    for name in ("a", "b", "c"):
        await rig.apply(name)
    with capture_logs() as lines:
        await rig.step()
        await rig.pass_time(int(FORBIDDEN_SECONDS) + 1)
        told = [line for line in lines if line["event"] == "status_forbidden"]
        assert len(told) == 1
        assert "patch" in told[0]["error"]
        assert "scheduledtasks/status" in told[0]["error"]
        assert "rbac.yaml" in told[0]["mend"]
        assert set(rig.writes()) == {403}
        assert len(rig.writes()) <= 2 * 3
        assert len(rig.scheduler.due()) == 3
        change(rig.cluster.request, rig.tasks.namespace, "financehub-scheduler", granted["rules"])
        await rig.pass_time(int(FORBIDDEN_SECONDS) + 1)
    for name in ("a", "b", "c"):
        assert rig.tasks.condition("Ready", name)["status"] == "True"
    assert [line["event"] for line in lines].count("status_written_again") == 1


async def test_an_outage_of_the_api_server_is_two_lines(make: Make, tunnel: Tunnel) -> None:
    """While the API server is away there is one line, afterwards one more, and all that waited is written."""
    rig = await make(tunnel=tunnel)
    names = [f"task-{number}" for number in range(20)]
    for name in names:
        rig.tasks.apply(name, schedule="@every 10s")
    await rig.look()
    await rig.lease.step()
    tunnel.refuse()
    tunnel.cut()
    with capture_logs() as lines:
        await rig.pass_time(15)
        assert rig.tasks.status(names[0]) == {}
        assert len(rig.scheduler.due()) == 20
        tunnel.accept()
        await rig.pass_time(60)
    for name in names:
        assert rig.tasks.condition("Ready", name)["status"] == "True"
    events = [line["event"] for line in lines]
    assert (events.count("status_waits"), events.count("status_written_again")) == (1, 1)


async def test_a_status_that_is_refused_is_no_storm(rig: Rig) -> None:
    """However many statuses the API server finds invalid, one line says so, and the same one is not sent again."""
    uids = [await rig.apply(name, **RARELY) for name in ("a", "b", "c")]
    await rig.step()
    for uid in uids:
        rig.scheduler.client.hset(keys.schedule(uid), "triggered", "99999999999999999999")
        rig.scheduler.client.sadd(keys.SCHEDULES_TOUCHED, uid)
    with capture_logs() as lines:
        await rig.pass_time(4 * SPACING)
    assert rig.writes()[3:] in ([400] * 3, [422] * 3)
    assert [line["event"] for line in lines].count("status_refused") == 1


async def _sleep(rig: Rig, seconds: float) -> None:
    """Let time pass in which only the Lease is kept."""
    for _ in range(int(seconds / 10)):
        rig.clock.advance(10)
        await rig.lease.step()


def _patch_status(rig: Rig, status: dict[str, Any]) -> None:
    """Change status as somebody with `kubectl edit --subresource=status` does."""
    path = f"/apis/financehub.io/v1alpha1/namespaces/{rig.tasks.namespace}/scheduledtasks/demo/status"
    rig.cluster.request(
        "PATCH", path, {"status": status}, content_type="application/merge-patch+json", fieldManager="hand"
    )
