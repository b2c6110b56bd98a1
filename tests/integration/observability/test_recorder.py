"""The monitor's figures under everything that can happen to a run, on a real Redis with real workers."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import redis
from dramatiq import Message, MessageProxy

from financehub_shared.broker import options
from financehub_shared.broker.dead_letters import DeadLetters, Filter
from financehub_shared.broker.message import delivery_of
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.monitor import RunState
from financehub_shared.monitor.attempt import Flight
from financehub_shared.monitor.events import started
from financehub_shared.monitor.records import ScheduleOutcome, fields_of
from financehub_shared.monitor.writer import RecordWriter
from financehub_shared.redis import keys
from support.observed import Fleet, eventually
from support.redis_server import RedisServer

COUNTERS = ("running", "succeeded", "failed", "retried", "skipped", "dead_lettered", "lost")


def counts(fleet: Fleet, task: str) -> dict[str, int]:
    """The counters of a task that are not 0."""
    stats = asdict(fleet.monitor.get_all_stats()[task])
    return {name: stats[name] for name in COUNTERS if stats[name]}


def test_a_success_is_recorded_with_its_summary(redis_url: str) -> None:
    """A run that succeeds has its times, its worker, one try and the task's own summary."""
    fleet = Fleet(redis_url)

    def task() -> TaskSummary:
        return TaskSummary(asked=2, stored=1, missing={"X": "not-found"}, missing_count=1)

    message = fleet.actor(task).send()
    fleet.drain()
    run = fleet.monitor.run(message.message_id)
    assert run is not None
    assert (run.state, run.tries, run.task, run.queue) == (RunState.SUCCEEDED, 1, "task", "high")
    assert run.summary == {**TaskSummary(2, 1, {"X": "not-found"}, 1).as_dict()}
    assert run.enqueued_at is not None
    assert run.started_at is not None
    assert run.finished_at is not None
    assert run.enqueued_at <= run.started_at + 0.001 <= run.finished_at + 0.002
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
def test_tries_and_ends_are_counted_apart(
    redis_url: str, failures: int, max_retries: int, expected: dict[str, int], state: RunState, tries: int
) -> None:
    """Each try that raises is a failed one, each but the last of a message a retried one, and a run ends once."""
    fleet = Fleet(redis_url)
    made: list[int] = []

    def task() -> None:
        made.append(1)
        if len(made) <= failures:
            raise ValueError(f"try {len(made)}")

    message = fleet.actor(task, max_retries=max_retries).send()
    fleet.drain()
    assert counts(fleet, "task") == expected
    run = fleet.monitor.run(message.message_id)
    assert run is not None
    assert (run.state, run.tries) == (state, tries)
    assert run.error == (f"ValueError: try {len(made)}" if state is RunState.DEAD_LETTERED else "")
    assert [one.message_id for one in fleet.monitor.recent("task")] == [message.message_id]


def test_a_message_that_is_too_old_is_skipped_with_the_reason(redis_url: str) -> None:
    """A run past its age limit is skipped, counted as that alone, and says why."""
    fleet = Fleet(redis_url)

    def task() -> None:
        raise AssertionError("it must not run")

    actor = fleet.actor(task)
    message = actor.message_with_options(max_age=1)
    fleet.broker.enqueue(message)
    eventually(lambda: fleet.client.time()[0] * 1000 > message.message_timestamp + 1000)
    fleet.drain()
    run = fleet.monitor.run(message.message_id)
    assert run is not None
    assert run.state is RunState.SKIPPED
    assert "old" in run.error
    assert counts(fleet, "task") == {"skipped": 1}


def test_a_message_of_an_unknown_task_is_counted_under_one_name(redis_url: str) -> None:
    """Names that nobody declared are without bound: their dead letters share one counter, with what is no message."""
    fleet = Fleet(redis_url)
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


def test_options_of_a_foreign_client_do_not_stop_the_records(redis_url: str) -> None:
    """A schedule's name that is none is left out of the record; this run and those beside it are recorded."""
    fleet = Fleet(redis_url)
    actor = fleet.actor(lambda: None, actor_name="task")
    fleet.broker.enqueue(actor.message_with_options(**{options.SCHEDULE: ["x"], options.SCHEDULE_UID: {"y": 1}}))
    actor.send()
    fleet.drain()
    assert counts(fleet, "task") == {"succeeded": 2}


def test_no_secret_is_in_a_record(redis_url: str, redis_client: "redis.Redis") -> None:
    """Error and summary of a run are masked before they are cut, so that no part of a secret is kept."""
    secret = "finnhub-k3y-of-the-test"
    fleet = Fleet(redis_url, FINANCEHUB_FINNHUB_API_KEY=secret)

    def fails() -> None:
        raise ValueError("x" * 480 + secret)

    def tells() -> TaskSummary:
        return TaskSummary(1, 0, {"X": secret}, 1)

    fleet.actor(fails, max_retries=0).send()
    told = fleet.actor(tells).send()
    fleet.drain()
    run = fleet.monitor.run(told.message_id)
    assert run is not None
    assert run.summary is not None
    assert run.summary["missing"] == {"X": "***"}
    hashes = [key for key in redis_client.keys("financehub:*") if redis_client.type(key) == b"hash"]
    records = [str(redis_client.hgetall(key)) for key in hashes]
    assert "xxx" in "".join(records)
    assert secret[:8] not in "".join(records)


def _redeliver(fleet: Fleet, data: bytes, redis_id: str) -> None:
    """Put the same message back, as the janitor does with one whose worker died before the ack."""
    fleet.client.hset("dramatiq:high.msgs", redis_id, data)
    fleet.client.rpush("dramatiq:high", redis_id)


@pytest.mark.parametrize(("fails", "expected"), [(False, {"succeeded": 1}), (True, {"failed": 1, "dead_lettered": 1})])
def test_a_run_that_is_redelivered_after_its_end_counts_once(
    redis_url: str, fails: bool, expected: dict[str, int]
) -> None:
    """A worker that dies between the record and the ack has its run done again, and counted once."""
    fleet = Fleet(redis_url)

    def task() -> None:
        if fails:
            raise ValueError("no")

    message = fleet.actor(task, max_retries=0).send()
    redis_id = message.options["redis_message_id"]
    data = fleet.client.hget("dramatiq:high.msgs", redis_id)
    fleet.drain()
    _redeliver(fleet, data, redis_id)
    fleet = Fleet(redis_url)
    fleet.actor(task, max_retries=0)
    fleet.drain()
    assert counts(fleet, "task") == expected


def test_a_dead_letter_that_is_requeued_counts_anew(redis_url: str) -> None:
    """A dead letter put back by hand is a new chance: what becomes of it is counted, and the run ends as that."""
    fleet = Fleet(redis_url)
    broken = [True]

    def task() -> None:
        if broken[0]:
            raise ValueError("no")

    message = fleet.actor(task, max_retries=0).send()
    fleet.drain()
    broken[0] = False
    assert len(DeadLetters(fleet.client).requeue(Filter())) == 1
    again = Fleet(redis_url)
    again.actor(task, max_retries=0)
    again.drain()
    run = again.monitor.run(message.message_id)
    assert run is not None
    assert (run.state, run.error) == (RunState.SUCCEEDED, "")
    assert counts(again, "task") == {"failed": 1, "dead_lettered": 1, "succeeded": 1}


def _schedule_message(fleet: Fleet, actor: Any) -> "Message[Any]":
    scheduled = {options.SCHEDULE: "ns/crypto", options.SCHEDULE_UID: "uid-1", options.DUE_AT: 1_800_000_000_000}
    message: Message[Any] = actor.message_with_options(**scheduled)
    fleet.broker.enqueue(message)
    return message


@pytest.mark.parametrize("fails", [False, True])
def test_a_schedule_learns_what_became_of_its_runs(redis_url: str, redis_client: "redis.Redis", fails: bool) -> None:
    """The schedule's hash has outcome, duration and error of its last run, and counts ends and failures."""
    fleet = Fleet(redis_url)
    fleet.client.hset(keys.schedule("uid-1"), "runs", 7)

    def task() -> None:
        if fails:
            raise ValueError("no")

    message = _schedule_message(fleet, fleet.actor(task, max_retries=0))
    fleet.drain()
    outcome = ScheduleOutcome.from_fields(fields_of(redis_client.hgetall(keys.schedule("uid-1"))))
    assert outcome.last_run_id == message.message_id
    assert outcome.last_run_outcome == ("dead-lettered" if fails else "succeeded")
    assert (outcome.ended, outcome.failures) == (1, int(fails))
    assert (outcome.last_success_at is None) is fails
    assert (outcome.last_failure_at is None) is not fails
    assert outcome.last_run_error == ("ValueError: no" if fails else "")
    assert fleet.client.hget(keys.schedule("uid-1"), "runs") == b"7", "the scheduler's own counter"
    run = fleet.monitor.run(message.message_id)
    assert run is not None
    assert (run.schedule, run.schedule_uid, run.due_at) == ("ns/crypto", "uid-1", 1_800_000_000.0)


def test_a_deleted_schedule_is_not_brought_back(redis_url: str) -> None:
    """A run that ends after its schedule was deleted leaves no key of the schedule."""
    fleet = Fleet(redis_url)
    _schedule_message(fleet, fleet.actor(lambda: None, actor_name="task"))
    fleet.drain()
    assert fleet.client.keys(keys.schedule("*")) == []


@pytest.mark.parametrize(
    ("age", "beats", "queued", "lost"),
    [
        (3_600, False, False, 1),
        (3_600, True, False, 0),  # it still runs
        (3_600, False, True, 0),  # the janitor will redeliver it
        (30, False, False, 0),  # too young: its worker may not have beaten yet
    ],
)
def test_a_run_is_lost_when_nobody_can_end_it(redis_url: str, age: float, beats: bool, queued: bool, lost: int) -> None:
    """A run is lost when its worker no longer beats and no queue holds its message; saying so twice changes nothing."""
    fleet = Fleet(redis_url)
    message = _begin_and_die(fleet, age)
    if not queued:
        fleet.client.delete("dramatiq:high", "dramatiq:high.msgs")
    if beats:
        fleet.client.set(keys.process("w-dead"), "{}")
    now = float(fleet.client.time()[0])
    assert counts(fleet, "task") == {"running": 1}
    assert [fleet.monitor.reap_lost(now), fleet.monitor.reap_lost(now)] == [lost, 0]
    assert counts(fleet, "task") == ({"lost": 1} if lost else {"running": 1})
    assert _state(fleet, message.message_id) is (RunState.LOST if lost else RunState.RUNNING)


def test_a_lost_run_that_comes_back_is_counted_as_what_it_becomes(redis_url: str) -> None:
    """A redelivery of a run that was declared lost takes it out of the lost ones."""
    fleet = Fleet(redis_url)
    message = _begin_and_die(fleet, 3_600)
    redis_id = message.options["redis_message_id"]
    data = fleet.client.hget("dramatiq:high.msgs", redis_id)
    fleet.client.delete("dramatiq:high", "dramatiq:high.msgs")
    assert fleet.monitor.reap_lost(float(fleet.client.time()[0])) == 1
    _redeliver(fleet, data, redis_id)
    fleet.drain()
    assert counts(fleet, "task") == {"succeeded": 1}


def _begin_and_die(fleet: Fleet, age: float) -> "Message[Any]":
    """Leave what a killed worker leaves: a run that began `age` seconds ago and a message nobody acked."""
    message: Message[Any] = fleet.actor(lambda: None, actor_name="task").send()
    began = float(fleet.client.time()[0]) - age
    writer = RecordWriter(fleet.client, time.monotonic, 86_400)
    writer.begin(started(Flight(MessageProxy(message), delivery_of(message), began, 0.0, 300.0), "w-dead"))
    writer.flush()
    return message


def test_redis_away_stops_no_task_and_loses_no_record(redis_server: Callable[..., RedisServer]) -> None:
    """While Redis is gone a task runs on; when it is back, its end is recorded and the message acked."""
    server = redis_server()
    fleet = Fleet(server.url)
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
        eventually(lambda: _state(fleet, message.message_id) is RunState.SUCCEEDED, 40)
    assert counts(fleet, "task")["succeeded"] == 1


def _state(fleet: Fleet, message_id: str) -> RunState | None:
    try:
        run = fleet.monitor.run(message_id)
    except redis.RedisError:
        return None
    return run.state if run else None


def test_records_expire_and_the_oldest_can_be_dropped(redis_url: str) -> None:
    """Every record has a time to live, and the clean-up drops what ended before a time; counters stay."""
    fleet = Fleet(redis_url, FINANCEHUB_RUN_RETENTION_DAYS="2")
    actor = fleet.actor(lambda: None, actor_name="task")
    messages = [actor.send() for _ in range(3)]
    fleet.drain()
    ttl = fleet.client.ttl(keys.run(messages[0].message_id))
    assert 2 * 86_400 - 60 < ttl <= 2 * 86_400
    now = float(fleet.client.time()[0])
    assert fleet.monitor.drop_older(now - 60) == 0
    assert fleet.monitor.drop_older(now + 60, dry_run=True) == 3
    assert fleet.monitor.drop_older(now + 60) == 3
    assert fleet.monitor.recent("task") == []
    assert fleet.client.keys(keys.run("*")) == []
    assert counts(fleet, "task") == {"succeeded": 3}


def test_a_short_run_costs_one_round_trip(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The beginning of a short run travels with its end: one event of the recorder's script a run."""
    # on any machine every run is shorter than this
    monkeypatch.setattr("financehub_shared.monitor.writer.LINGER_SECONDS", 60)
    fleet = Fleet(redis_url)
    actor = fleet.actor(lambda: None, actor_name="task")
    for _ in range(200):
        actor.send()
    fleet.client.config_resetstat()
    fleet.drain()
    assert counts(fleet, "task") == {"succeeded": 200}
    # LPOS and HSETNX … tell nothing; every RECORD event asks for HMGET once, and no other script does
    assert fleet.client.info("commandstats")["cmdstat_hmget"]["calls"] == 200


def test_a_message_followed_by_hand_is_queued_until_it_begins(redis_url: str) -> None:
    """`record_queued` shows a message as queued, and never takes a run back that already began."""
    fleet = Fleet(redis_url)
    actor = fleet.actor(lambda: None, actor_name="task")
    message = actor.send()
    fleet.monitor.record_queued(message)
    assert _state(fleet, message.message_id) is RunState.QUEUED
    fleet.drain()
    fleet.monitor.record_queued(message)
    assert _state(fleet, message.message_id) is RunState.SUCCEEDED


def test_the_accessor_works_as_in_the_seed(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`get_task_monitor().get_all_stats()` needs nothing but the environment."""
    from financehub_shared.monitor import get_task_monitor

    monkeypatch.setenv("REDIS_URL", redis_url)
    get_task_monitor.cache_clear()
    fleet = Fleet(redis_url)
    fleet.actor(lambda: None, actor_name="task").send()
    fleet.drain()
    assert get_task_monitor().get_all_stats()["task"].succeeded == 1
    get_task_monitor.cache_clear()
