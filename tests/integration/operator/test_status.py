"""Tests of the status in a real API server, computed from a real Redis. The test controls the clock."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from financehub_scheduler.core.run_record_batch import DELAY_SECONDS
from financehub_scheduler.kubernetes.lease import HOLD_SECONDS
from financehub_scheduler.kubernetes.status.comparisons import SPACING_SECONDS
from financehub_scheduler.kubernetes.status.sender import FORBIDDEN_SECONDS, MANAGER
from financehub_scheduler.kubernetes.status.status_planner import SWEEP_SECONDS
from financehub_scheduler.kubernetes.status.writer import WRITES
from financehub_shared.core.clock import ManualClock
from financehub_shared.operations.schedules import pause_schedules, resume_schedules
from financehub_shared.redis import keys
from financehub_shared.spec.scheduled_task import BACKFILL
from support.hand_driven import Scheduler, T, build
from support.operator import TOO_DEEP, connect, scheduler_user
from support.status import OperatorRig
from support.tunnel import Tunnel
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.rbac import replace_rules

SPACING = int(SPACING_SECONDS)
#: A spec without due times during a test.
RARELY = {"schedule": "@yearly"}

MakeRig = Callable[..., Awaitable[OperatorRig]]


def at(seconds: float) -> str:
    """Return a timestamp in the format of the status.

    Args:
        seconds: Seconds after T.
    """
    return f"2027-01-15T08:{int(seconds) // 60:02}:{int(seconds) % 60:02}Z"


@pytest.fixture
async def make_rig(
    crd_installed: Cluster, namespace: str, redis_url: str, redis_client: "redis.Redis"
) -> AsyncIterator[MakeRig]:
    """Make a scheduler of the test's namespace, at T + 0.5 s, with the shipped rights."""
    rigs: list[OperatorRig] = []

    async def make(
        identity: str = "first",
        clock: ManualClock | None = None,
        tunnel: Tunnel | None = None,
        record_delay_seconds: float = 0,
    ) -> OperatorRig:
        scheduler: Scheduler = build(
            redis_url, clock or ManualClock(T + 0.5), redis_client, record_delay_seconds=record_delay_seconds
        )
        user = scheduler_user(crd_installed, namespace) if not rigs else rigs[0].user
        kubeconfig = tunnel.kubeconfig(user.kubeconfig) if tunnel else None
        api = await connect(user, kubeconfig)
        rigs.append(OperatorRig(crd_installed, namespace, user, api, scheduler, identity))
        return rigs[-1]

    yield make
    for rig in rigs:
        await rig.api.aclose()
        await rig.scheduler.connection.aclose()


@pytest.fixture
async def rig(make_rig: MakeRig) -> OperatorRig:
    """One scheduler."""
    return await make_rig()


async def test_status_of_new_resource_shows_next_runs_after_one_step(rig: OperatorRig) -> None:
    """One step after a resource was applied, it is Ready and shows its next runs."""
    await rig.apply(schedule="*/1 * * * *", timeZone="Europe/Berlin", jitterSeconds=30)
    await rig.step()
    status = rig.tasks.status()
    assert rig.tasks.condition("Ready")["status"] == "True"
    offset = rig.scheduler.engine.states[next(iter(rig.source.resources))].schedule.recurrence.offset
    assert status["nextScheduleTimes"] == [at(60 * minute + offset) for minute in (1, 2, 3)]
    assert (status["observedGeneration"], status["queue"]) == (1, "q")
    assert status["schedule"] == "*/1 * * * * (Europe/Berlin)"


async def test_status_of_short_run_is_written_once(rig: OperatorRig) -> None:
    """A run that ends soon after its enqueue costs one write, which shows everything about it."""
    uid = await rig.apply()
    await rig.step()
    await rig.pass_time(65)
    run = rig.end_run(uid)
    await rig.pass_time(3)
    assert rig.write_codes() == [200, 200]
    status = rig.tasks.status()
    assert status["lastRun"] == {"id": run, "outcome": "succeeded", "finishTime": at(65), "durationSeconds": 2}
    assert status["recent"] == [
        {"id": run, "state": "succeeded", "dueTime": at(60), "finishTime": at(65), "durationSeconds": 2}
    ]
    assert (status["lastScheduleTime"], status["lastSuccessTime"]) == (at(60), at(65))
    assert (status["runs"], status["active"], status["failures"]) == (1, 0, 0)
    assert status["nextScheduleTimes"][0] == at(120)


async def test_status_of_run_that_ends_before_its_record_exists_is_written_once(make_rig: MakeRig) -> None:
    """A run that is so short that it is listed only after its end costs one write, which lists it."""
    rig = await make_rig(record_delay_seconds=DELAY_SECONDS)
    uid = await rig.apply()
    await rig.step()
    await rig.pass_time(60)
    run = rig.end_run(uid)
    await rig.step()
    await rig.pass_time(SPACING + 5)
    assert rig.write_codes() == [200, 200]
    assert [recent["id"] for recent in rig.tasks.status()["recent"]] == [run]


async def test_status_of_run_whose_record_is_seconds_late_is_written_once(make_rig: MakeRig) -> None:
    """If a busy scheduler lists a run seconds after its end, one write shows all of it. A transition does not wait."""
    rig = await make_rig(record_delay_seconds=5)
    uid = await rig.apply(concurrencyPolicy="Allow")
    await rig.step()
    await rig.pass_time(60)
    run = rig.end_run(uid)
    await rig.pass_time(4)
    assert rig.write_codes() == [200]
    await rig.pass_time(SPACING)
    assert rig.write_codes() == [200, 200]
    assert [recent["id"] for recent in rig.tasks.status()["recent"]] == [run]
    await rig.pass_time(60 - SPACING - 4)
    rig.end_run(uid, "dead-lettered", "HTTP 503")
    await rig.pass_time(2)
    assert rig.tasks.condition("Failing")["status"] == "True"


async def test_status_of_run_that_another_scheduler_enqueued_is_written_once(make_rig: MakeRig) -> None:
    """The leader shows a run of another scheduler only with the next due times that its own engine learns later."""
    rig = await make_rig()
    uid = await rig.apply()
    await rig.step()
    other = await make_rig("second", rig.clock)
    await other.poll()
    for _ in range(65):
        rig.clock.advance(1)
        await rig.lease.step()
    await other.scheduler.step_until_idle()
    run = rig.end_run(uid)
    await rig.writer.step()
    assert rig.write_codes() == [200]
    await rig.pass_time(SPACING + 5)
    assert rig.write_codes() == [200, 200]
    status = rig.tasks.status()
    assert (status["lastRun"]["id"], status["nextScheduleTimes"][0]) == (run, at(120))


async def test_status_writes_do_not_exceed_the_runs_that_ended(make_rig: MakeRig) -> None:
    """Runs of all durations below the write interval cost at most one write each, and no transition is shown late.

    Their ends, their outcomes and the delays of their records are random.
    """
    generator = random.Random(16)
    rig = await make_rig(record_delay_seconds=1.5)
    uids = {await rig.apply(f"s{period}", schedule=f"@every {period}s"): period for period in (20, 35, 50, 70)}
    await rig.step()
    ends: dict[str, float] = {}
    changed: dict[str, tuple[float, str]] = {}
    runs, ended = dict.fromkeys(uids, "0"), 0
    for _ in range(180):
        await rig.pass_time(1)
        now = rig.clock.now()
        for uid, period in uids.items():
            count = rig.scheduler.field(uid, "runs") or "0"
            if count != runs[uid]:
                runs[uid], ends[uid] = count, now + generator.uniform(0, min(SPACING - 2, period - 5))
            if now >= ends.get(uid, math.inf):
                outcome = generator.choice(["succeeded", "dead-lettered"])
                rig.end_run(uid, outcome)
                changed[uid] = (now + 3, str(outcome == "dead-lettered"))
                ended += 1
                del ends[uid]
            elif uid in changed and now >= changed[uid][0]:
                assert rig.tasks.condition("Failing", f"s{period}")["status"] == changed.pop(uid)[1]
    assert ended > 12
    assert len(rig.write_codes()) <= len(uids) + ended


async def test_status_shows_the_first_outcome_immediately(rig: OperatorRig) -> None:
    """The first run is shown when it ends, even right after another write. The second waits for the write interval."""
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


async def test_status_shows_a_long_run_as_active(rig: OperatorRig) -> None:
    """A run that has not ended half a minute after its enqueue is shown as active."""
    await rig.apply(schedule="@every 10m")
    await rig.step()
    rig.clock.advance(599)
    await rig.pass_time(2)
    assert rig.tasks.status()["active"] == 0
    await rig.pass_time(SPACING)
    assert rig.tasks.status()["active"] == 1


async def test_status_of_frequent_schedule_is_written_every_30_s(rig: OperatorRig) -> None:
    """No matter how often a schedule runs, its status is written at most every 30 s and is never older than that."""
    uid = await rig.apply(schedule="@every 5s", concurrencyPolicy="Allow")
    await rig.step()
    for _ in range(24):
        await rig.pass_time(5)
        rig.end_run(uid)
    assert 1 + 3 <= len(rig.write_codes()) <= 1 + 4
    await rig.pass_time(SPACING)
    assert rig.tasks.status()["runs"] >= 24


async def test_failing_transitions_immediately(rig: OperatorRig) -> None:
    """Failing becomes true on a failure, keeps its transition time while runs fail, and becomes false on success."""
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


async def test_status_counts_skipped_and_missed_due_times(rig: OperatorRig) -> None:
    """Skipped and missed due times are counted, with the newest skip reason. `lastScheduleTime` is a run's due time."""
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


async def test_writer_without_changes_writes_nothing(rig: OperatorRig, make_rig: MakeRig) -> None:
    """Neither the passage of time, sweeps, unfounded hints nor another leader cause a write that changes nothing."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    rig.scheduler.client.sadd(keys.SCHEDULES_CHANGED, uid, "unknown uid")
    await rig.pass_time(SPACING + 5)
    await _pass_time_as_leader(rig, SWEEP_SECONDS)
    await rig.pass_time(SPACING + 5)
    await rig.lease.release()
    successor = await make_rig("second", rig.clock)
    await successor.poll()
    await successor.pass_time(SPACING + 5)
    assert successor.lease.is_leader
    assert rig.write_codes() == [200]


async def test_new_leader_keeps_transition_times(rig: OperatorRig, make_rig: MakeRig) -> None:
    """The next leader keeps the transition time of a condition even if it did not observe the transition."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    before = rig.tasks.condition("Ready")["lastTransitionTime"]
    await rig.lease.release()
    successor = await make_rig("second", rig.clock)
    rig.clock.advance(100)
    rig.scheduler.client.hset(keys.schedule(uid), "triggered", 5)
    await successor.poll()
    await successor.pass_time(SPACING + 5)
    assert rig.tasks.status()["triggered"] == 5
    assert rig.tasks.condition("Ready")["lastTransitionTime"] == before


async def test_only_the_leader_writes(rig: OperatorRig, make_rig: MakeRig) -> None:
    """One of two schedulers writes, and a former leader that was paused does not continue to write."""
    await rig.apply(**RARELY)
    other = await make_rig("second", rig.clock)
    await rig.lease.step()
    for scheduler in (other, rig, other):
        await scheduler.poll()
        await scheduler.step()
    assert (rig.lease.is_leader, other.lease.is_leader) == (True, False)
    assert rig.write_codes() == [200]
    rig.tasks.apply(schedule="@monthly")
    await rig.poll()
    rig.scheduler.client.sadd(keys.SCHEDULES_CHANGED, "for the leader")
    rig.clock.advance(HOLD_SECONDS)
    await rig.writer.step()
    assert rig.write_codes() == [200]
    assert rig.scheduler.client.scard(keys.SCHEDULES_CHANGED) == 1


async def test_writer_owns_only_the_status(rig: OperatorRig) -> None:
    """A user's spec and labels keep their field manager, and the user's next apply has no conflict."""
    await rig.apply(**RARELY)
    await rig.step()
    managers = {entry["manager"]: entry["fieldsV1"] for entry in rig.tasks.get()["metadata"]["managedFields"]}
    assert set(managers[MANAGER]) == {"f:status"}
    assert "f:spec" in managers["user"]
    body = {**rig.tasks.get(), "spec": {"task": "demo_task", "queue": "q", "schedule": "@monthly"}}
    body["metadata"] = {"name": "demo", "namespace": rig.tasks.namespace, "labels": {"team": "a"}}
    del body["status"]
    path = f"/apis/financehub.io/v1alpha1/namespaces/{rig.tasks.namespace}/scheduledtasks/demo"
    apply = {"content_type": "application/apply-patch+yaml", "fieldManager": "user"}
    rig.cluster.request("PATCH", path, body, **apply)
    await rig.poll()
    await rig.step()
    assert rig.tasks.get()["metadata"]["labels"] == {"team": "a"}
    assert rig.tasks.status()["schedule"] == "@monthly"
    assert rig.tasks.condition("Ready")["observedGeneration"] == 2
    rig.cluster.request("PATCH", path, body, **apply)


async def test_writer_with_foreign_status_field_does_not_rewrite_it(rig: OperatorRig) -> None:
    """A status field that another writer added remains, and does not cause repeated writes."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    _patch_status(rig, {"lastFailureTime": at(0)})
    await rig.poll()
    for _ in range(3):
        await rig.pass_time(SPACING + 1)
        rig.scheduler.client.sadd(keys.SCHEDULES_CHANGED, uid)
    assert len(rig.write_codes()) <= 2
    assert rig.tasks.status()["lastFailureTime"] == at(0)


async def test_writer_with_overwritten_status_restores_it(rig: OperatorRig) -> None:
    """Status fields that another writer removed or changed are written again."""
    await rig.apply(**RARELY)
    await rig.step()
    written = rig.tasks.status()
    _patch_status(rig, dict.fromkeys(written))
    await rig.poll()
    await rig.pass_time(SPACING + 1)
    assert rig.tasks.status()["nextScheduleTimes"] == written["nextScheduleTimes"]
    await rig.pass_time(SPACING)
    _patch_status(rig, {"runs": 77})
    await rig.poll()
    await rig.step()
    assert rig.tasks.status()["runs"] == 0


async def test_recreated_resource_gets_its_own_status(rig: OperatorRig) -> None:
    """A resource that replaces a deleted one of the same name gets its own status when it is first observed."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    rig.scheduler.client.hset(keys.schedule(uid), mapping={"triggered": 5, "ended": 5})
    rig.scheduler.client.sadd(keys.SCHEDULES_CHANGED, uid)
    rig.tasks.delete()
    rig.tasks.apply(**RARELY)
    # The watch has not delivered either event yet.
    rig.clock.advance(HOLD_SECONDS - 1)
    await rig.lease.step()
    rig.clock.advance(SPACING - HOLD_SECONDS + 2)
    await rig.writer.step()
    assert rig.write_codes() == [200, 200]
    await rig.poll()
    await rig.step()
    assert rig.tasks.status()["triggered"] == 0
    await rig.pass_time(4 * SPACING)
    assert rig.write_codes() == [200, 200, 200]


async def test_writer_with_deleted_resource_logs_nothing(rig: OperatorRig) -> None:
    """The status of a resource that was just deleted is dropped without a log line."""
    await rig.apply(**RARELY)
    rig.tasks.delete()
    with capture_logs() as lines:
        await rig.lease.step()
        await rig.writer.step()
    assert rig.write_codes() == [404]
    assert [line["event"] for line in lines] == ["lease_acquired"]


async def test_status_of_refused_spec_shows_the_problem(rig: OperatorRig) -> None:
    """A spec that only the scheduler refuses shows the problem, keeps its counters, and is Ready after the fix."""
    uid = await rig.apply()
    await rig.step()
    await rig.pass_time(61)
    rig.end_run(uid)
    await rig.apply(args=TOO_DEEP)
    await rig.step()
    ready = rig.tasks.condition("Ready")
    assert (ready["status"], ready["reason"], ready["observedGeneration"]) == ("False", "Invalid", 2)
    assert "nested too deeply" in ready["message"]
    status = rig.tasks.status()
    assert (status["runs"], status["nextScheduleTimes"]) == (1, [])
    assert rig.tasks.condition("Suspended")["status"] == "Unknown"
    await rig.apply()
    await rig.step()
    assert rig.tasks.condition("Ready")["status"] == "True"
    assert rig.tasks.status()["nextScheduleTimes"] == [at(minute * 60) for minute in (2, 3, 4)]


async def test_status_of_refused_arguments_is_written_within_one_step(rig: OperatorRig) -> None:
    """Both a refusal of a schedule's arguments and its end are shown in the status after one step."""
    problem = "kwargs.symbols: NOPE is not an active asset"
    await rig.apply(**RARELY)
    await rig.step()
    rig.scheduler.refused[f"{rig.tasks.namespace}/demo"] = problem
    rig.scheduler.engine.recheck_arguments()
    await rig.step()
    ready = rig.tasks.condition("Ready")
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", "Refused", problem)
    rig.scheduler.refused.clear()
    rig.scheduler.engine.recheck_arguments()
    await rig.step()
    assert rig.tasks.condition("Ready")["reason"] == "Scheduled"


async def test_status_of_suspended_schedule_shows_the_reason(rig: OperatorRig) -> None:
    """A suspended schedule shows the reason and no next run, and is Ready because its spec is valid."""
    await rig.apply(suspend=True, suspendReason="upstream moves")
    await rig.step()
    suspended = rig.tasks.condition("Suspended")
    assert (suspended["status"], suspended["message"]) == ("True", "upstream moves")
    assert rig.tasks.condition("Ready")["reason"] == "Suspended"
    assert rig.tasks.status()["nextScheduleTimes"] == []
    await rig.apply()
    await rig.step()
    assert rig.tasks.condition("Suspended")["status"] == "False"


async def test_status_of_paused_schedule_shows_who_and_why(rig: OperatorRig) -> None:
    """A pause needs no change of the resource. Its status shows it at once, and again when it ends."""
    await rig.apply()
    await rig.step()
    pause_schedules(rig.scheduler.client, ["demo"], "upstream moves", "alice")
    await rig.scheduler.pauses.step()
    await rig.step()
    paused = rig.tasks.condition("Suspended")
    assert (paused["status"], paused["reason"]) == ("True", "Paused")
    assert paused["message"] == "paused by alice: upstream moves"
    assert rig.tasks.condition("Ready")["reason"] == "Paused"
    assert rig.tasks.status()["nextScheduleTimes"] == []
    resume_schedules(rig.scheduler.client, ["demo"])
    await rig.scheduler.pauses.step()
    await rig.step()
    assert rig.tasks.condition("Suspended")["status"] == "False"
    assert len(rig.tasks.status()["nextScheduleTimes"]) > 0


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"maxRuns": 1}, "Exhausted"),
        ({"endTime": "2027-01-15T08:01:30Z"}, "NoDueTime"),
        ({"calendar": "XNYS", "startTime": "2060-01-01T00:00:00Z"}, "CalendarEnded"),
    ],
)
async def test_status_of_ended_schedule_is_not_ready(rig: OperatorRig, spec: dict[str, Any], reason: str) -> None:
    """A schedule without further due times is not Ready, with a reason for each cause."""
    await rig.apply(concurrencyPolicy="Allow", **spec)
    await rig.step()
    await rig.pass_time(121)
    ready = rig.tasks.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert rig.tasks.status()["nextScheduleTimes"] == []


async def test_status_shows_the_progress_of_a_backfill(rig: OperatorRig) -> None:
    """The backfill that the annotation requests is shown from start to end, or with the reason for its refusal."""
    hour = "2027-01-15T07:00:00Z/2027-01-15T07:59:00Z"
    await rig.apply(annotations={BACKFILL: hour}, concurrencyPolicy="Allow", suspend=True)
    await rig.step()
    assert rig.tasks.status()["backfill"]["state"] in {"pending", "running"}
    await rig.pass_time(SPACING + 2)
    finished = rig.tasks.status()["backfill"]
    assert finished == {"range": hour, "state": "finished", "total": 60, "enqueued": 60}
    assert rig.tasks.status()["backfilled"] == 60
    years = "2020-01-01T00:00:00Z/2027-01-01T00:00:00Z"
    await rig.apply(annotations={BACKFILL: years}, concurrencyPolicy="Allow", suspend=True)
    await rig.pass_time(SPACING + 2)
    refused = rig.tasks.status()["backfill"]
    assert (refused["range"], refused["state"]) == (years, "refused")
    assert "10000 due times" in refused["message"]
    await rig.apply(concurrencyPolicy="Allow", suspend=True)
    await rig.pass_time(SPACING + 2)
    assert "backfill" not in rig.tasks.status()


async def test_writer_with_many_pending_statuses_writes_the_newest_first(rig: OperatorRig) -> None:
    """The newest resource has its status after one step, although more writes are pending than fit in a step."""
    many = 2 * WRITES + 20
    for number in range(many):
        rig.tasks.apply(f"many-{number}", **RARELY)
    await rig.poll()
    await rig.step()
    written = len(rig.write_codes())
    assert written < 1.5 * WRITES
    rig.scheduler.client.sadd(keys.SCHEDULES_CHANGED, *(f"unknown uid {number}" for number in range(900)))
    await rig.apply("newest", **RARELY)
    await rig.pass_time(1)
    assert rig.tasks.condition("Ready", "newest")["status"] == "True"
    assert len(rig.write_codes()) < many
    await rig.pass_time(3)
    assert rig.write_codes() == [200] * (many + 1)


async def test_writer_starts_each_write_in_its_own_loop_iteration(
    rig: OperatorRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No two writes start in the same iteration of the event loop, so a due run waits for at most one of them."""
    for number in range(20):
        rig.tasks.apply(f"many-{number}", **RARELY)
    await rig.poll()
    await rig.lease.step()
    iteration, started, send = 0, [], rig.api.send

    async def count_iterations() -> None:
        nonlocal iteration
        while True:
            iteration += 1
            await asyncio.sleep(0)

    async def recording_send(*arguments: Any) -> Any:
        started.append(iteration)
        return await send(*arguments)

    monkeypatch.setattr(rig.api, "send", recording_send)
    counting = asyncio.create_task(count_iterations())
    await rig.writer.step()
    counting.cancel()
    assert len(set(started)) == len(started) == 20


async def test_sweep_finds_a_change_without_a_hint(rig: OperatorRig) -> None:
    """A change whose hint was lost is found by the next sweep."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    await rig.pass_time(SPACING)
    rig.scheduler.client.hset(keys.schedule(uid), "triggered", 5)
    await _pass_time_as_leader(rig, SWEEP_SECONDS)
    assert rig.lease.term == 1
    await rig.pass_time(SPACING + 2)
    assert rig.tasks.status()["triggered"] == 5


async def test_new_term_begins_with_a_sweep(rig: OperatorRig) -> None:
    """A leader that was paused beyond its lease duration finds missed changes, even if no other leader took over."""
    uid = await rig.apply(**RARELY)
    await rig.step()
    rig.scheduler.client.hset(keys.schedule(uid), "triggered", 5)
    rig.clock.advance(HOLD_SECONDS)
    await rig.pass_time(SPACING + 2)
    assert rig.lease.term == 2
    assert rig.tasks.status()["triggered"] == 5


async def test_writer_with_slow_watch_writes_once(rig: OperatorRig) -> None:
    """Until the watch delivers our own write, the API server's response counts as the current status."""
    uid = await rig.apply(**RARELY)
    await rig.lease.step()
    for _ in range(3):
        await rig.writer.step()
        rig.writer.next_run_changed(uid)
        rig.clock.advance(1)
    assert rig.write_codes() == [200]


async def test_writer_with_unreadable_record_writes_the_others(rig: OperatorRig) -> None:
    """A record that cannot be parsed is logged, and the statuses of the other schedules are written."""
    uid = await rig.apply("broken", **RARELY)
    rig.scheduler.client.hset(keys.schedule(uid), "runs", "many")
    await rig.apply(**RARELY)
    with capture_logs() as lines:
        await rig.step()
    assert rig.tasks.condition("Ready")["status"] == "True"
    assert [line["schedule_uid"] for line in lines if line["event"] == "schedule_record_read_failed"] == [uid]


async def test_writer_without_rights_logs_once_and_recovers(rig: OperatorRig) -> None:
    """Without the right to write, one line names the remedy and runs continue. Once granted, statuses are written."""
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{rig.tasks.namespace}/roles/financehub-scheduler"
    granted = rig.cluster.request("GET", role)
    reduced = [rule for rule in granted["rules"] if "scheduledtasks/status" not in rule["resources"]]
    replace_rules(rig.cluster.request, rig.tasks.namespace, "financehub-scheduler", reduced)
    for name in ("a", "b", "c"):
        await rig.apply(name)
    with capture_logs() as lines:
        await rig.step()
        await rig.pass_time(int(FORBIDDEN_SECONDS) + 1)
        (failure,) = [line for line in lines if line["event"] == "status_write_failed"]
        assert "patch" in failure["error"]
        assert "scheduledtasks/status" in failure["error"]
        assert "rbac.yaml" in failure["remedy"]
        assert set(rig.write_codes()) == {403}
        assert len(rig.write_codes()) <= 2 * 3
        assert len(rig.scheduler.due()) == 3
        replace_rules(rig.cluster.request, rig.tasks.namespace, "financehub-scheduler", granted["rules"])
        await rig.pass_time(int(FORBIDDEN_SECONDS) + 1)
    for name in ("a", "b", "c"):
        assert rig.tasks.condition("Ready", name)["status"] == "True"
    assert [line["event"] for line in lines].count("status_writes_available_again") == 1


async def test_writer_during_api_outage_logs_two_lines(make_rig: MakeRig, tunnel: Tunnel) -> None:
    """An outage of the API server is logged once, and so is its end. Then every pending status is written."""
    rig = await make_rig(tunnel=tunnel)
    names = [f"task-{number}" for number in range(20)]
    for name in names:
        rig.tasks.apply(name, schedule="@every 10s")
    await rig.poll()
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
    assert events.count("status_writes_unavailable") == events.count("status_writes_available_again") == 1


async def test_writer_with_refused_statuses_logs_once_and_does_not_repeat_them(rig: OperatorRig) -> None:
    """If the API server refuses several statuses, one line is logged, and the same status is not sent again."""
    uids = [await rig.apply(name, **RARELY) for name in ("a", "b", "c")]
    await rig.step()
    for uid in uids:
        rig.scheduler.client.hset(keys.schedule(uid), "triggered", "99999999999999999999")
        rig.scheduler.client.sadd(keys.SCHEDULES_CHANGED, uid)
    with capture_logs() as lines:
        await rig.pass_time(4 * SPACING)
    assert rig.write_codes()[3:] in ([400] * 3, [422] * 3)
    assert [line["event"] for line in lines].count("status_refused") == 1


async def _pass_time_as_leader(rig: OperatorRig, seconds: float) -> None:
    """Let time pass while only the Lease is renewed."""
    for _ in range(int(seconds / 10)):
        rig.clock.advance(10)
        await rig.lease.step()


def _patch_status(rig: OperatorRig, status: dict[str, Any]) -> None:
    """Change a status as a user with `kubectl edit --subresource=status` does."""
    path = f"/apis/financehub.io/v1alpha1/namespaces/{rig.tasks.namespace}/scheduledtasks/demo/status"
    rig.cluster.request(
        "PATCH", path, {"status": status}, content_type="application/merge-patch+json", fieldManager="hand"
    )


async def test_status_of_follower_names_its_predecessor_and_is_never_ready_too_early(rig: OperatorRig) -> None:
    """A follower without its predecessor is never shown as ready. Once that exists, it is ready without a next time."""
    follower = {"queue": "followers", "after": "fetch-price"}
    await rig.apply("other", schedule="@yearly")
    await rig.apply("fetch-prices", schedule="@yearly")
    await rig.step()
    uid = await rig.apply("indicators", **follower)
    await rig.writer.step()
    assert rig.tasks.status("indicators").get("conditions") is None
    await rig.step()
    await rig.step()
    ready = rig.tasks.condition("Ready", "indicators")
    assert (ready["status"], ready["reason"]) == ("False", "PredecessorMissing")
    assert ready["message"].endswith("has the name 'fetch-price'; did you mean fetch-prices?")

    follower["after"] = "fetch-prices"
    await rig.apply("indicators", **follower)
    await rig.step()
    await rig.step()
    ready, status = rig.tasks.condition("Ready", "indicators"), rig.tasks.status("indicators")
    assert (ready["status"], ready["message"]) == ("True", "runs after each success of fetch-prices")
    assert (status["schedule"], status.get("nextScheduleTimes")) == ("after fetch-prices", [])

    prices = rig.tasks.get("fetch-prices")["metadata"]["uid"]
    await rig.scheduler.pass_time(5)
    rig.scheduler.client.hset(keys.schedule(prices), "last_success_at", f"{T + 5:.3f}")
    await rig.step()
    run = rig.end_run(uid, queue="followers")
    await rig.step()
    await rig.step()
    status = rig.tasks.status("indicators")
    assert (status["lastScheduleTime"], status["lastRun"]["id"], status["runs"]) == (at(5), run, 1)
    assert status.get("nextScheduleTimes") == []

    rig.tasks.delete("fetch-prices")
    await rig.poll()
    await rig.step()
    await rig.step()
    assert rig.tasks.condition("Ready", "indicators")["reason"] == "PredecessorMissing"
    await rig.apply("fetch-prices", schedule="@yearly")
    await rig.step()
    await rig.step()
    assert rig.tasks.condition("Ready", "indicators")["status"] == "True"
