"""`pauseAfterFailures`: the script that records the outcome of a run pauses its schedule after N failures in a row."""

import json
import threading
import time

import pytest
import redis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.metrics import pause_metrics
from financehub_scheduler.redis.enqueuer import RunSubmission
from financehub_shared.core.clock import ManualClock
from financehub_shared.monitor import RunState
from financehub_shared.operations.schedules import pause_schedules, resume_schedules
from financehub_shared.redis import keys
from financehub_shared.redis.schedule_record import ScheduleField
from financehub_shared.schedules import Pause, show_schedule
from financehub_shared.schedules.pauses import REASON_CHARACTERS
from support.hand_driven import Scheduler, build
from support.observed import ObservedWorker
from support.schedule_runs import FAILED, SKIPPED, SUCCEEDED, Runs
from support.schedules import UID, messages, schedule


def register(client: "redis.Redis", limit: int | None = 3, **fields: str) -> Runs:
    """Return the runs of a registered schedule that pauses after `limit` failures in a row."""
    spec = {} if limit is None else {"pauseAfterFailures": limit}
    record = {"uid": UID, "name": "default/demo", "fingerprint": "f", "spec": json.dumps(spec), "suspended": "0"}
    client.hset(keys.schedule(UID), mapping=dict(record | fields))
    client.hset(keys.SCHEDULE_NAMES, "default/demo", UID)
    return Runs(client)


def pause_of(client: "redis.Redis") -> Pause | None:
    entry = client.hget(keys.SCHEDULES_PAUSED, UID)
    return None if entry is None else Pause.from_json(entry)


def end_runs(runs: Runs, *outcomes: RunState | str) -> None:
    """Record runs that end one after another; `lost` stands for a run whose worker died."""
    for outcome in outcomes:
        event = runs.new()
        runs.begin(event)
        if isinstance(outcome, RunState):
            runs.end(event, outcome)
        else:
            runs.lose()


def test_failures_up_to_the_limit_pause_the_schedule_with_the_last_error(redis_client: "redis.Redis") -> None:
    """The failure that is one too many adds the pause, with the number of failures, the last error and the time."""
    runs, started = register(redis_client), time.time()
    end_runs(runs, FAILED, FAILED)
    assert pause_of(redis_client) is None
    runs.end(runs.new(), FAILED, "ValueError: the upstream has\na new format")
    pause = pause_of(redis_client)
    assert pause is not None
    assert pause.problem == ""
    assert (pause.by, pause.failures) == ("financehub", 3)
    assert pause.reason == "3 runs in a row failed, the last with: ValueError: the upstream has a new format"
    assert pause.at is not None
    assert started - 0.001 <= pause.at <= time.time()
    assert redis_client.sismember(keys.SCHEDULES_CHANGED, UID)


@pytest.mark.parametrize("outcome", [FAILED, "lost"])
def test_limit_of_one_pauses_after_the_first_failure(redis_client: "redis.Redis", outcome: RunState | str) -> None:
    """With 1, a single failed or lost run is enough."""
    end_runs(register(redis_client, 1), SUCCEEDED, SKIPPED, outcome)
    pause = pause_of(redis_client)
    assert pause is not None
    error = "its worker died and its message is in no queue" if outcome == "lost" else "ValueError: no"
    assert (pause.reason, pause.failures) == (f"a run failed with: {error}", 1)


ENDS = [FAILED, SUCCEEDED, SKIPPED, RunState.RETRYING, RunState.QUEUED, "lost", "resume", "pause", "edit"]


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(limit=st.integers(1, 4), events=st.lists(st.sampled_from(ENDS), max_size=25))
def test_any_sequence_of_outcomes_pauses_exactly_as_the_model_says(
    redis_client: "redis.Redis", limit: int, events: list[RunState | str]
) -> None:
    """A model of three lines: a failure adds one, a success, a resumption and an edit start again, and at the limit the
    schedule is paused until somebody resumes it.
    """
    redis_client.flushdb()
    runs = register(redis_client, limit)
    count, paused_by = 0, ""
    for event in events:
        match event:
            case "resume":
                assert bool(resume_schedules(redis_client, ["demo"])) == bool(paused_by)
                count, paused_by = 0 if paused_by else count, ""
            case "pause":
                pause_schedules(redis_client, ["demo"], "maintenance", "alice")
                paused_by = paused_by or "alice"
            case "edit":  # register.lua does this; a test below runs it
                redis_client.hdel(keys.SCHEDULES_FAILING, UID)
                count = 0
            case _:
                end_runs(runs, event)
                redis_client.delete(runs.new()["running"])  # an unfinished run must not be marked as lost later
                count = 0 if event is SUCCEEDED else count + (event in (FAILED, "lost"))
                if event in (FAILED, "lost") and count >= limit:
                    paused_by = paused_by or "financehub"
        pause = pause_of(redis_client)
        assert (pause.by if pause else "") == paused_by
        assert (runs.consecutive_failures or 0) == count


def test_two_runs_that_end_at_once_add_one_pause(redis_client: "redis.Redis", redis_url: str) -> None:
    """Of many failures at the same moment, exactly the one that reaches the limit adds the entry."""
    register(redis_client, 5)
    workers = [Runs(redis.Redis.from_url(redis_url)) for _ in range(8)]
    barrier = threading.Barrier(len(workers))

    def fail(runs: Runs) -> None:
        event = runs.new()
        barrier.wait()
        runs.end(event, FAILED)

    threads = [threading.Thread(target=fail, args=(runs,)) for runs in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pause = pause_of(redis_client)
    assert pause is not None
    assert pause.failures == 5
    assert workers[0].consecutive_failures == 8


def test_pause_of_a_user_is_kept(redis_client: "redis.Redis") -> None:
    """A schedule that a user has paused keeps that reason, although runs that had started fail."""
    runs = register(redis_client, 1)
    pause_schedules(redis_client, ["demo"], "maintenance", "alice")
    end_runs(runs, FAILED)
    pause = pause_of(redis_client)
    assert pause is not None
    assert (pause.by, pause.failures) == ("alice", 0)


@pytest.mark.parametrize(
    ("limit", "fields"),
    [
        pytest.param(None, {}, id="no limit"),
        pytest.param(1, {"suspended": "1"}, id="suspended"),
        pytest.param(1, {"fingerprint": "deactivated"}, id="deactivated"),
        pytest.param(1, {"fingerprint": "deleted"}, id="deleted"),
        pytest.param(None, {"spec": '{"kwargs": {"pauseAfterFailures": 1}}'}, id="argument of that name"),
        pytest.param(None, {"spec": '{"pauseAfterFailures": "1"'}, id="damaged spec"),
        pytest.param(None, {"spec": '{"pauseAfterFailures": "1"}'}, id="text"),
        pytest.param(None, {"spec": '{"pauseAfterFailures": 0}'}, id="zero"),
        pytest.param(None, {"spec": '{"pauseAfterFailures": null}'}, id="null"),
        pytest.param(None, {"spec": '["pauseAfterFailures"]'}, id="list"),
        pytest.param(None, {"spec": '"pauseAfterFailures"'}, id="only a text"),
    ],
)
def test_schedule_without_a_limit_or_without_due_runs_is_not_paused(
    redis_client: "redis.Redis", limit: int | None, fields: dict[str, str]
) -> None:
    """Only the limit in the spec of a schedule that can have due runs counts. Every outcome is recorded anyway."""
    runs = register(redis_client, limit, **fields)
    end_runs(runs, FAILED, FAILED, "lost")
    assert pause_of(redis_client) is None
    assert runs.consecutive_failures == (None if fields.get("fingerprint") == "deleted" else 3)


@pytest.mark.parametrize("value", ["x", "", "1.5", "-7", "9" * 18, "9" * 30, "9223372036854775807", "nan"])
def test_damaged_count_starts_again(redis_client: "redis.Redis", value: str) -> None:
    """A count that another program has damaged neither pauses the schedule at once nor keeps it from being paused."""
    runs = register(redis_client, 2)
    redis_client.hset(keys.SCHEDULES_FAILING, UID, value)
    end_runs(runs, FAILED)
    assert runs.consecutive_failures == 1
    assert pause_of(redis_client) is None
    end_runs(runs, "lost")
    assert pause_of(redis_client) is not None


@pytest.mark.parametrize(
    "error",
    [
        "",
        "x" * 10_000,
        "é" * 5_000,
        "x" + "\U0001f4a5" * 500,
        "\0\x1b[31m\u202e" * 300,
        "\n" * 500,
        "\ud800" * 300,
        '"\\' * 500,
    ],
)
@pytest.mark.parametrize("limit", [1, 1_000])
def test_reason_with_any_error_is_a_valid_pause(redis_client: "redis.Redis", limit: int, error: str) -> None:
    """The reason is short, has no half characters, and every reader accepts it."""
    runs = register(redis_client, limit)
    redis_client.hset(keys.SCHEDULES_FAILING, UID, limit - 1)
    runs.end(runs.new(), FAILED, error)
    pause = pause_of(redis_client)
    assert pause is not None
    assert pause.problem == ""
    assert (pause.by, pause.failures) == ("financehub", limit)
    assert 0 < len(pause.reason) <= REASON_CHARACTERS
    assert pause.reason.startswith("a run failed" if limit == 1 else "1000 runs in a row failed")
    assert "\ufffd" not in pause.reason
    assert Pause.from_json(pause.to_json().encode()) == pause


def test_paused_hash_of_another_type_costs_only_the_pause(redis_client: "redis.Redis") -> None:
    """The outcome is recorded, and the next failure pauses the schedule after a scheduler has set the key aside."""
    runs = register(redis_client, 1)
    redis_client.set(keys.SCHEDULES_PAUSED, "x")
    end_runs(runs, FAILED, "lost")
    assert redis_client.hget(keys.schedule(UID), ScheduleField.FAILURES) == b"2"
    redis_client.delete(keys.SCHEDULES_PAUSED)
    end_runs(runs, "lost")
    pause = pause_of(redis_client)
    assert pause is not None
    assert pause.failures == 3


# with a scheduler ------------------------------------------------------------------------------------
FAILING = {"concurrencyPolicy": "Allow", "pauseAfterFailures": 2}


@pytest.fixture
def scheduler(redis_url: str, redis_client: "redis.Redis") -> Scheduler:
    """Return a scheduler on the same Redis, at the current time."""
    return build(redis_url, ManualClock(time.time()), redis_client)


async def test_no_due_run_is_enqueued_after_the_last_failure(scheduler: Scheduler) -> None:
    """The pause applies before any scheduler has read it, drops the buffered runs, and `resume` ends it."""
    await scheduler.load(schedule(**FAILING | {"concurrencyPolicy": "BufferAll"}))
    for _ in range(3):
        await scheduler.pass_time(60)
    assert scheduler.client.llen(keys.schedule_buffered(UID)) == 1
    runs = Runs(scheduler.client)
    end_runs(runs, FAILED, FAILED)
    assert not scheduler.client.exists(keys.SCHEDULES_BUFFERED, keys.schedule_buffered(UID))
    scheduler.end_run(messages(scheduler.client)[0]["message_id"])
    state = scheduler.engine.states[UID]
    assert state.next_due is not None
    assert await scheduler.outcomes(RunSubmission(state.schedule, "due", state.next_due)) == ["paused"]
    await scheduler.pauses.step()
    assert state.paused is not None
    assert state.paused.failures == 2
    assert resume_schedules(scheduler.client, ["demo"]) == ["default/demo"]
    await scheduler.pauses.step()
    assert state.next_due is not None
    assert runs.consecutive_failures is None
    end_runs(runs, FAILED)
    assert pause_of(scheduler.client) is None, "the count starts again"
    await scheduler.connection.aclose()


@pytest.mark.parametrize("fails", [False, True])
async def test_run_that_fails_in_a_worker_pauses_its_schedule(
    scheduler: Scheduler, redis_url: str, fails: bool
) -> None:
    """A worker that runs a due run, a trigger and their retries pauses the schedule with the error of the last one."""
    fleet = ObservedWorker(redis_url)

    def task() -> None:
        if fails:
            raise ValueError("the upstream has a new format")

    fleet.actor(task, max_retries=1)
    await scheduler.load(schedule(**FAILING | {"task": "task", "queue": "high"}))
    state = scheduler.engine.states[UID]
    await scheduler.pass_time(61)
    await scheduler.outcomes(RunSubmission(state.schedule, "annotation", scheduler.clock.now(), fence="x"))
    fleet.drain()
    pause = pause_of(scheduler.client)
    assert (pause is not None) == fails
    if pause:
        reason = "2 runs in a row failed, the last with: ValueError: the upstream has a new format"
        assert (pause.reason, pause.failures) == (reason, 2)
    await scheduler.connection.aclose()


async def test_edit_starts_the_count_again_and_does_not_resume(scheduler: Scheduler) -> None:
    """An edit may be the correction, so its first failure is not one too many. A pause needs a decision."""
    runs = Runs(scheduler.client)
    await scheduler.load(schedule(**FAILING))
    end_runs(runs, FAILED)
    await scheduler.load(schedule(**FAILING, retries=1))
    assert runs.consecutive_failures is None
    end_runs(runs, FAILED)
    assert pause_of(scheduler.client) is None
    await scheduler.load(schedule(**FAILING, retries=1))
    assert runs.consecutive_failures == 1, "a registration without a change is not an edit"
    end_runs(runs, FAILED)
    await scheduler.load(schedule(**FAILING, retries=2))
    assert runs.consecutive_failures is None
    assert scheduler.engine.states[UID].paused is not None
    await scheduler.connection.aclose()


async def test_limit_that_an_edit_adds_or_removes_applies_to_the_next_failure(scheduler: Scheduler) -> None:
    """The limit is that of the spec which is registered when the run ends."""
    runs = Runs(scheduler.client)
    await scheduler.load(schedule())
    end_runs(runs, FAILED, FAILED)
    await scheduler.load(schedule(pauseAfterFailures=1))
    assert pause_of(scheduler.client) is None
    await scheduler.load(schedule())
    end_runs(runs, FAILED)
    assert pause_of(scheduler.client) is None
    await scheduler.load(schedule(pauseAfterFailures=1))
    end_runs(runs, FAILED)
    assert pause_of(scheduler.client) is not None
    await scheduler.connection.aclose()


async def test_pause_after_failures_survives_the_loss_of_redis(scheduler: Scheduler) -> None:
    """If Redis loses its data, the scheduler writes the pause again, still as one after failures."""
    await scheduler.load(schedule(**FAILING))
    end_runs(Runs(scheduler.client), FAILED, FAILED)
    await scheduler.pauses.step()
    expected = pause_of(scheduler.client)
    scheduler.client.flushdb()
    await scheduler.pauses.step()
    scheduler.engine.restore(await scheduler.registry.claim([UID], scheduler.clock.now()))
    await scheduler.step_until_idle()
    assert pause_of(scheduler.client) == expected
    assert expected is not None
    assert expected.failures == 2
    assert show_schedule(scheduler.client, "demo").paused == expected
    await scheduler.connection.aclose()


async def test_late_failures_of_a_deleted_schedule_leave_no_pause(scheduler: Scheduler) -> None:
    """A new schedule with the same uid must not begin paused."""
    runs = Runs(scheduler.client)
    await scheduler.load(schedule(**FAILING))
    end_runs(runs, FAILED)
    scheduler.engine.apply(Changes(removed=[UID]))
    await scheduler.step_until_idle()
    end_runs(runs, FAILED, FAILED, "lost")
    assert pause_of(scheduler.client) is None
    await scheduler.connection.aclose()


async def test_metric_shows_only_schedules_that_failures_paused(scheduler: Scheduler) -> None:
    """A schedule that a user paused has no series, and that of the other one disappears when it is resumed."""
    other = "5d1c1a64-8a63-5a0e-9b0a-000000000002"
    await scheduler.load(schedule(**FAILING), schedule("other", uid=other, **FAILING))
    await scheduler.publisher.step()
    pause_schedules(scheduler.client, ["other"], "maintenance", "alice")
    end_runs(Runs(scheduler.client), FAILED, FAILED)

    async def series() -> dict[str, float]:
        await scheduler.pauses.step()
        (family,) = pause_metrics(scheduler.engine.states, scheduler.reporter)
        assert family.name == "financehub_schedule_paused_after_failures"
        return {sample.labels["scheduledtask"]: sample.value for sample in family.samples}

    assert await series() == {"default/demo": 2}
    resume_schedules(scheduler.client, ["demo"])
    assert await series() == {}
    await scheduler.connection.aclose()
