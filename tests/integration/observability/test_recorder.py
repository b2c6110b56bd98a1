"""Tests of run records and counters for all run outcomes, with a real Redis and real workers."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import redis
from dramatiq import Message, MessageProxy
from dramatiq.middleware import Shutdown

from financehub_shared.broker import options
from financehub_shared.broker.dead_letter_queue import DeadLetterFilter, DeadLetterQueue
from financehub_shared.broker.message import attempt_id
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.monitor import RunState
from financehub_shared.monitor.attempt import Attempt
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_events import attempt_finished, attempt_started
from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.schedule_record import ScheduleOutcome
from financehub_shared.redis.text import decode_hash
from support.observed import ObservedWorker
from support.redis_server import RedisServer
from support.waiting import eventually

COUNTERS = ("running", "succeeded", "failed", "retried", "skipped", "dead_lettered", "lost")


def counts(fleet: ObservedWorker, task: str) -> dict[str, int]:
    """Return the counters of a task that are not 0."""
    stats = asdict(fleet.monitor.get_all_stats()[task])
    return {name: stats[name] for name in COUNTERS if stats[name]}


class WithoutText:
    """An object without a text."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


def _nested() -> dict[str, Any]:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return {"loop": loop, "deep": deep}


#: Name → details of a summary that JSON does not have, or that are too long.
DETAILS: dict[str, Callable[[], dict[Any, Any]]] = {
    "no text": lambda: {"value": WithoutText()},
    "key": lambda: {("a", 1): 1, b"\xff": 2},
    "nested": _nested,
    "numbers": lambda: {"nan": float("nan"), "many digits": 10**5_000},
    "surrogate": lambda: {"text": "\ud800"},
    "too long": lambda: {"text": "x" * 3_000_000},
}


def test_record_of_a_success_survives_any_summary(redis_url: str) -> None:
    """Whatever a task puts into its summary, its run ends, and the record has the numbers of the summary."""
    fleet = ObservedWorker(redis_url)

    def task(name: str) -> TaskSummary:
        return TaskSummary(requested=2, stored=1, details=DETAILS[name]())

    actor = fleet.actor(task)
    messages = {name: actor.send(name) for name in DETAILS}
    fleet.drain()
    runs = {name: fleet.monitor.get_run(message.message_id) for name, message in messages.items()}
    for name, run in runs.items():
        assert run is not None
        assert run.state is RunState.SUCCEEDED, name
        assert run.summary is not None, name
        assert (run.summary["requested"], run.summary["stored"]) == (2, 1)
        assert run.summary["details"], name
    longest = runs["too long"]
    assert longest is not None
    assert longest.summary is not None
    assert longest.summary["details"]["left_out"].endswith("characters; the limit is 20,000")
    assert counts(fleet, "task") == {"succeeded": len(DETAILS)}


def test_record_of_a_success_has_times_worker_and_summary(redis_url: str) -> None:
    """The record of a successful run has its timestamps, its worker, one attempt and the task's summary."""
    fleet = ObservedWorker(redis_url)

    def task() -> TaskSummary:
        return TaskSummary(requested=2, stored=1, missing={"X": "not-found"}, missing_count=1)

    message = fleet.actor(task).send()
    fleet.drain()
    run = fleet.monitor.get_run(message.message_id)
    assert run is not None
    assert (run.state, run.attempts, run.task, run.queue) == (RunState.SUCCEEDED, 1, "task", "high")
    assert run.summary == {**TaskSummary(2, 1, {"X": "not-found"}, 1).as_dict()}
    assert run.enqueued_at is not None
    assert run.started_at is not None
    assert run.finished_at is not None
    # The times are Redis's, which a busy machine measures with an error of some hundredths of a second.
    assert run.enqueued_at <= run.started_at + 1 <= run.finished_at + 2
    assert run.worker
    assert counts(fleet, "task") == {"succeeded": 1}
    stats = fleet.monitor.get_all_stats()["task"]
    assert stats.last_success_at == run.finished_at
    assert stats.average is not None


@pytest.mark.parametrize(
    ("failures", "max_retries", "expected", "state", "tries"),
    [
        (1, 3, {"succeeded": 1, "failed": 1, "retried": 1}, RunState.SUCCEEDED, 2),
        (2, 3, {"succeeded": 1, "failed": 2, "retried": 2}, RunState.SUCCEEDED, 3),
        (9, 0, {"failed": 1, "dead_lettered": 1}, RunState.DEAD_LETTERED, 1),
        (9, 2, {"failed": 3, "retried": 2, "dead_lettered": 1}, RunState.DEAD_LETTERED, 3),
    ],
)
def test_counters_with_retries_count_attempts_and_runs_separately(
    redis_url: str, failures: int, max_retries: int, expected: dict[str, int], state: RunState, tries: int
) -> None:
    """Each attempt that raises counts as failed, and all but the last count as retried. A run ends once."""
    fleet = ObservedWorker(redis_url)
    made: list[int] = []

    def task() -> None:
        made.append(1)
        if len(made) <= failures:
            raise ValueError(f"attempt {len(made)}")

    message = fleet.actor(task, max_retries=max_retries).send()
    fleet.drain()
    assert counts(fleet, "task") == expected
    run = fleet.monitor.get_run(message.message_id)
    assert run is not None
    assert (run.state, run.attempts) == (state, tries)
    assert run.error == (f"ValueError: attempt {len(made)}" if state is RunState.DEAD_LETTERED else "")
    assert [run.message_id for run in fleet.monitor.get_recent_runs("task")] == [message.message_id]


def test_record_of_an_old_message_is_skipped_with_the_reason(redis_url: str) -> None:
    """A run past its age limit is skipped, counted only as skipped, and its record has the reason."""
    fleet = ObservedWorker(redis_url)

    def task() -> None:
        raise AssertionError("the task must not run")

    actor = fleet.actor(task)
    message = actor.message_with_options(max_age=1)
    fleet.broker.enqueue(message)
    eventually(lambda: fleet.client.time()[0] * 1000 > message.message_timestamp + 1000)
    fleet.drain()
    run = fleet.monitor.get_run(message.message_id)
    assert run is not None
    assert run.state is RunState.SKIPPED
    assert "old" in run.error
    assert counts(fleet, "task") == {"skipped": 1}


def test_counters_of_unknown_tasks_share_one_name(redis_url: str) -> None:
    """Undeclared names are unbounded, so their dead letters share one counter with undecodable messages."""
    fleet = ObservedWorker(redis_url)
    fleet.actor(lambda: None, actor_name="known")
    for name in ("ghost_a", "ghost_b"):
        fleet.broker.enqueue(Message("high", name, (), {}, {}))
    fleet.broker.do_enqueue("high", "garbage", b"\x00")
    fleet.drain()
    assert counts(fleet, "(unknown)") == {"failed": 3, "dead_lettered": 3}
    assert set(fleet.monitor.get_all_stats()) == {"(unknown)"}
    dead = {"queue": "high", "actor": "(unknown)"}
    for reason, count in (("unknown-task", 2), ("undecodable", 1)):
        name = "financehub_messages_dead_lettered_total"
        assert fleet.metrics.registry.get_sample_value(name, dead | {"reason": reason}) == count


def test_message_with_invalid_options_is_recorded_as_a_dead_letter(redis_url: str) -> None:
    """A message whose options name no valid schedule is refused. Its dead letter and other runs are recorded."""
    fleet = ObservedWorker(redis_url)
    actor = fleet.actor(lambda: None, actor_name="task")
    fleet.broker.enqueue(actor.message_with_options(**{options.SCHEDULE: ["x"], options.SCHEDULE_UID: {"y": 1}}))
    actor.send()
    fleet.drain()
    assert counts(fleet, "task") == {"succeeded": 1}
    assert counts(fleet, "(unknown)") == {"failed": 1, "dead_lettered": 1}


def test_record_with_a_secret_masks_it(redis_url: str, redis_client: "redis.Redis") -> None:
    """A run's error and summary are masked before they are truncated, so that no part of a secret is kept."""
    secret = "finnhub-k3y-of-the-test"
    fleet = ObservedWorker(redis_url, FINANCEHUB_FINNHUB_API_KEY=secret)

    def fails() -> None:
        raise ValueError("x" * 480 + secret)

    def reports() -> TaskSummary:
        return TaskSummary(1, 0, {"X": secret}, 1)

    fleet.actor(fails, max_retries=0).send()
    reported = fleet.actor(reports).send()
    fleet.drain()
    run = fleet.monitor.get_run(reported.message_id)
    assert run is not None
    assert run.summary is not None
    assert run.summary["missing"] == {"X": "***"}
    hashes = [key for key in redis_client.keys("financehub:*") if redis_client.type(key) == b"hash"]
    records = [str(redis_client.hgetall(key)) for key in hashes]
    assert "xxx" in "".join(records)
    assert secret[:8] not in "".join(records)


def _redeliver(fleet: ObservedWorker, data: bytes, redis_id: str) -> None:
    """Put the same message back in the queue, as the janitor does if a worker died before the ack."""
    fleet.client.hset("dramatiq:high.msgs", redis_id, data)
    fleet.client.rpush("dramatiq:high", redis_id)


@pytest.mark.parametrize(("fails", "expected"), [(False, {"succeeded": 1}), (True, {"failed": 1, "dead_lettered": 1})])
def test_counters_of_a_run_redelivered_after_its_end_count_once(
    redis_url: str, fails: bool, expected: dict[str, int]
) -> None:
    """If a worker dies between the record and the ack, its run is repeated and counted once."""
    fleet = ObservedWorker(redis_url)

    def task() -> None:
        if fails:
            raise ValueError("no")

    message = fleet.actor(task, max_retries=0).send()
    redis_id = message.options["redis_message_id"]
    data = fleet.client.hget("dramatiq:high.msgs", redis_id)
    fleet.drain()
    _redeliver(fleet, data, redis_id)
    fleet = ObservedWorker(redis_url)
    fleet.actor(task, max_retries=0)
    fleet.drain()
    assert counts(fleet, "task") == expected


@pytest.mark.parametrize(
    ("losses", "expected", "state"),
    [(0, {"succeeded": 1}, RunState.SUCCEEDED), (9, {"dead_lettered": 1}, RunState.DEAD_LETTERED)],
    ids=["succeeds", "is given up"],
)
def test_record_of_a_failed_attempt_whose_redelivery_ends_the_run_shows_this_end(
    redis_url: str, losses: int, expected: dict[str, int], state: RunState
) -> None:
    """If a worker dies between the record of a failure and the retry, the redelivery of the attempt ends the run."""
    fleet = ObservedWorker(redis_url)
    is_broken = True

    def task() -> None:
        if is_broken:
            raise ValueError("no")

    message = fleet.actor(task, max_retries=1, min_backoff=60_000).send()
    redis_id = message.options["redis_message_id"]
    data = fleet.client.hget("dramatiq:high.msgs", redis_id)
    with fleet.working():
        eventually(lambda: _state(fleet, message.message_id) is RunState.RETRYING)
    fleet.client.delete("dramatiq:high.DQ", "dramatiq:high.DQ.msgs")
    is_broken = False
    for _ in range(2):  # the second one is not counted
        _redeliver(fleet, data, redis_id)
        fleet.client.hset(queue_keys.losses("high"), redis_id, losses)
        fleet = ObservedWorker(redis_url)
        fleet.actor(task, max_retries=1)
        fleet.drain()
    assert _state(fleet, message.message_id) is state
    assert counts(fleet, "task") == {"failed": 1, **expected}
    assert fleet.client.hget(keys.task_stats("task"), "attempts") == b"1"
    assert fleet.client.zcard(keys.task_recent("task")) == 1


def test_record_of_an_interrupted_attempt_shows_the_end_of_its_redelivery(redis_url: str) -> None:
    """A run that a shutdown interrupts is queued, and its redelivery to another worker is recorded."""
    interrupted = ObservedWorker(redis_url)

    def task() -> None:
        raise Shutdown

    message = interrupted.actor(task).send()
    with interrupted.working():
        eventually(lambda: _state(interrupted, message.message_id) is RunState.QUEUED)
    assert counts(interrupted, "task") == {}
    fleet = ObservedWorker(redis_url)
    fleet.actor(lambda: None, actor_name="task")
    fleet.drain()
    run = fleet.monitor.get_run(message.message_id)
    assert run is not None
    assert (run.state, run.error, run.attempts) == (RunState.SUCCEEDED, "", 1)
    assert counts(fleet, "task") == {"succeeded": 1}
    assert fleet.client.hget(keys.task_stats("task"), "attempts") == b"2"


def test_end_of_an_interrupted_attempt_that_arrives_twice_counts_once(redis_url: str) -> None:
    """If Redis's reply is lost, the recorder writes the same interruption again, and it is counted once."""
    fleet = ObservedWorker(redis_url)
    message = fleet.actor(lambda: None, actor_name="task").send()
    attempt = Attempt(MessageProxy(message), attempt_id(message), float(fleet.client.time()[0]), 0.0, 300.0)
    end = attempt_finished(attempt_started(attempt, "w-1"), RunState.QUEUED, attempt.started_at + 1, 1.0)
    writer = RecordWriter(fleet.client, time.monotonic, 86_400)
    writer.record_end(end)
    writer.record_end(end)
    assert fleet.client.hget(keys.task_stats("task"), "attempts") == b"1"


def test_counters_of_a_requeued_dead_letter_count_again(redis_url: str) -> None:
    """A requeued dead letter starts over. Its new outcome is counted, and the run ends with that outcome."""
    fleet = ObservedWorker(redis_url)
    broken = [True]

    def task() -> None:
        if broken[0]:
            raise ValueError("no")

    message = fleet.actor(task, max_retries=0).send()
    fleet.drain()
    broken[0] = False
    assert len(DeadLetterQueue(fleet.client).requeue(DeadLetterFilter())) == 1
    again = ObservedWorker(redis_url)
    again.actor(task, max_retries=0)
    again.drain()
    run = again.monitor.get_run(message.message_id)
    assert run is not None
    assert (run.state, run.error) == (RunState.SUCCEEDED, "")
    assert counts(again, "task") == {"failed": 1, "dead_lettered": 1, "succeeded": 1}


def _schedule_message(fleet: ObservedWorker, actor: Any) -> "Message[Any]":
    scheduled = {options.SCHEDULE: "ns/crypto", options.SCHEDULE_UID: "uid-1", options.DUE_AT: 1_800_000_000_000}
    message: Message[Any] = actor.message_with_options(**scheduled)
    fleet.broker.enqueue(message)
    return message


@pytest.mark.parametrize("fails", [False, True])
def test_schedule_record_after_a_run_has_its_outcome(redis_url: str, redis_client: "redis.Redis", fails: bool) -> None:
    """The schedule's hash has the outcome, duration and error of its last run, and counts of ended and failed runs."""
    fleet = ObservedWorker(redis_url)
    fleet.client.hset(keys.schedule("uid-1"), mapping={"fingerprint": "f", "runs": 7})

    def task() -> None:
        if fails:
            raise ValueError("no")

    message = _schedule_message(fleet, fleet.actor(task, max_retries=0))
    fleet.drain()
    outcome = ScheduleOutcome.from_fields(decode_hash(redis_client.hgetall(keys.schedule("uid-1"))))
    assert outcome.last_run_id == message.message_id
    assert outcome.last_run_outcome == ("dead-lettered" if fails else "succeeded")
    assert (outcome.ended, outcome.failures) == (1, int(fails))
    assert (outcome.last_success_at is None) is fails
    assert (outcome.last_failure_at is None) is not fails
    assert outcome.last_run_error == ("ValueError: no" if fails else "")
    assert fleet.client.hget(keys.schedule("uid-1"), "runs") == b"7", "the counter of the scheduler has changed"
    run = fleet.monitor.get_run(message.message_id)
    assert run is not None
    assert (run.schedule, run.schedule_uid, run.due_at) == ("ns/crypto", "uid-1", 1_800_000_000.0)


def test_run_that_ends_after_its_schedule_was_deleted_leaves_no_key(redis_url: str) -> None:
    """A run that ends after its schedule was deleted does not create a key for the schedule."""
    fleet = ObservedWorker(redis_url)
    _schedule_message(fleet, fleet.actor(lambda: None, actor_name="task"))
    fleet.drain()
    assert fleet.client.keys(keys.schedule("*")) == []


@pytest.mark.parametrize(
    ("age", "alive", "queued", "lost"),
    [
        (3_600, False, False, 1),
        (3_600, True, False, 0),  # the run is still running
        (3_600, False, True, 0),  # the janitor will redeliver the message
        (30, False, False, 0),  # too young: the worker may not have written a heartbeat yet
    ],
)
def test_declare_lost_with_a_dead_worker_and_no_message_marks_the_run(
    redis_url: str, age: float, alive: bool, queued: bool, lost: int
) -> None:
    """A run is lost if its worker is dead and no queue has its message. A second call does not change anything."""
    fleet = ObservedWorker(redis_url)
    message = _leave_unfinished_run(fleet, age)
    if not queued:
        fleet.client.delete("dramatiq:high", "dramatiq:high.msgs")
    if alive:
        fleet.client.set(keys.process("w-dead"), "{}")
    now = float(fleet.client.time()[0])
    assert counts(fleet, "task") == {"running": 1}
    assert [fleet.monitor.declare_lost(now), fleet.monitor.declare_lost(now)] == [lost, 0]
    assert counts(fleet, "task") == ({"lost": 1} if lost else {"running": 1})
    assert _state(fleet, message.message_id) is (RunState.LOST if lost else RunState.RUNNING)


def test_counters_of_a_redelivered_lost_run_have_the_new_outcome(redis_url: str) -> None:
    """A redelivered run that was declared lost is no longer counted as lost."""
    fleet = ObservedWorker(redis_url)
    message = _leave_unfinished_run(fleet, 3_600)
    redis_id = message.options["redis_message_id"]
    data = fleet.client.hget("dramatiq:high.msgs", redis_id)
    fleet.client.delete("dramatiq:high", "dramatiq:high.msgs")
    assert fleet.monitor.declare_lost(float(fleet.client.time()[0])) == 1
    _redeliver(fleet, data, redis_id)
    fleet.drain()
    assert counts(fleet, "task") == {"succeeded": 1}


def _leave_unfinished_run(fleet: ObservedWorker, age: float) -> "Message[Any]":
    """Leave what a killed worker leaves: a run that began `age` seconds ago and an unacked message."""
    message: Message[Any] = fleet.actor(lambda: None, actor_name="task").send()
    began = float(fleet.client.time()[0]) - age
    writer = RecordWriter(fleet.client, time.monotonic, 86_400)
    writer.record_start(
        attempt_started(Attempt(MessageProxy(message), attempt_id(message), began, 0.0, 300.0), "w-dead")
    )
    writer.flush()
    return message


def test_recorder_with_a_redis_outage_writes_the_record_afterwards(redis_server: Callable[..., RedisServer]) -> None:
    """While Redis is unavailable, a task continues. Later the run's end is recorded and its message acked."""
    server = redis_server()
    fleet = ObservedWorker(server.url)
    ended: list[int] = []

    def task() -> None:
        server.kill()
        ended.append(1)

    def other() -> None:
        pass

    actor = fleet.actor(task)
    fleet.actor(other)
    message = actor.send()
    with fleet.working():
        eventually(lambda: ended)
        server.start()
        eventually(lambda: _state(fleet, message.message_id) is RunState.SUCCEEDED, within=40)
    assert counts(fleet, "task")["succeeded"] == 1


def _state(fleet: ObservedWorker, message_id: str) -> RunState | None:
    try:
        run = fleet.monitor.get_run(message_id)
    except redis.RedisError:
        return None
    return run.state if run else None


def test_drop_older_with_expired_records_deletes_them(redis_url: str) -> None:
    """Every record has a time to live. The cleanup deletes runs that ended before a cutoff and keeps the counters."""
    fleet = ObservedWorker(redis_url, FINANCEHUB_RUN_RETENTION_DAYS="2")
    actor = fleet.actor(lambda: None, actor_name="task")
    messages = [actor.send() for _ in range(3)]
    fleet.drain()
    ttl = fleet.client.ttl(keys.run(messages[0].message_id))
    assert 2 * 86_400 - 60 < ttl <= 2 * 86_400
    now = float(fleet.client.time()[0])
    assert fleet.monitor.drop_older(now - 60) == 0
    assert fleet.monitor.drop_older(now + 60, dry_run=True) == 3
    assert fleet.monitor.drop_older(now + 60) == 3
    assert fleet.monitor.get_recent_runs("task") == []
    assert fleet.client.keys(keys.run("*")) == []
    assert counts(fleet, "task") == {"succeeded": 3}


def test_recorder_with_a_short_run_writes_once(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short run's start and end are written together, so each run is one event for the recorder's script."""
    # Every run is shorter than this on any machine.
    monkeypatch.setattr("financehub_shared.monitor.record_writer.LINGER_SECONDS", 60)
    fleet = ObservedWorker(redis_url)
    actor = fleet.actor(lambda: None, actor_name="task")
    for _ in range(200):
        actor.send()
    fleet.client.config_resetstat()
    fleet.drain()
    assert counts(fleet, "task") == {"succeeded": 200}
    # every RECORD event calls HMGET once, and no other script calls it
    assert fleet.client.info("commandstats")["cmdstat_hmget"]["calls"] == 200


def test_record_queued_before_the_start_shows_queued(redis_url: str) -> None:
    """`record_queued` shows a message as queued, and does not change a run that has already begun."""
    fleet = ObservedWorker(redis_url)
    actor = fleet.actor(lambda: None, actor_name="task")
    message = actor.send()
    fleet.monitor.record_queued(message)
    assert _state(fleet, message.message_id) is RunState.QUEUED
    fleet.drain()
    fleet.monitor.record_queued(message)
    assert _state(fleet, message.message_id) is RunState.SUCCEEDED


def test_get_task_monitor_needs_only_the_environment(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`get_task_monitor().get_all_stats()` needs only the environment variables."""
    from financehub_shared.monitor import get_task_monitor

    monkeypatch.setenv("REDIS_URL", redis_url)
    get_task_monitor.cache_clear()
    fleet = ObservedWorker(redis_url)
    fleet.actor(lambda: None, actor_name="task").send()
    fleet.drain()
    assert get_task_monitor().get_all_stats()["task"].succeeded == 1
    get_task_monitor.cache_clear()


def test_record_has_the_arguments_of_its_message(redis_url: str, redis_client: redis.Redis) -> None:
    """The arguments are kept through retries, with masked secrets, and too long ones are replaced by their size."""
    fleet = ObservedWorker(redis_url, FINANCEHUB_COINGECKO_API_KEY="coin-secret-1")

    def task(*args: Any, **kwargs: Any) -> None:
        if kwargs.get("fails"):
            raise ValueError("no")

    actor = fleet.actor(task, max_retries=1)
    given: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "none": ((), {}),
        "both": ((1, [None]), {"name": "\u202e<b>", "fails": True}),
        "secret": (("coin-secret-1",), {}),
        "long": (("x" * 5_000,), {}),
    }
    messages = {name: actor.send(*args, **kwargs) for name, (args, kwargs) in given.items()}
    fleet.drain()
    records = {name: fleet.monitor.get_run(message.message_id) for name, message in messages.items()}
    found = {name: record.arguments for name, record in records.items() if record and record.arguments}
    assert {name: each.problem for name, each in found.items()} == {
        "none": "",
        "both": "",
        "secret": "The arguments contain secrets, which are masked.",
        "long": "The arguments have 5,013 bytes, and at most 2,000 are stored.",
    }
    for name in ("none", "both"):
        assert (tuple(found[name].args), found[name].kwargs) == given[name]
    for message in messages.values():
        stored = redis_client.hget(keys.run(message.message_id), "arguments") or b""
        assert b"coin-secret" not in stored
        assert len(stored) < 2_100
