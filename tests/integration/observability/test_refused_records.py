"""Run events that Redis refuses, and events that arrive twice, with every supported Redis."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from financehub_shared.monitor import RunState, TaskMonitor
from financehub_shared.monitor.event_losses import EventLosses
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.redis import keys
from financehub_shared.redis.text import decode
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer
from support.run_events import end_event, start_event

RUN_COUNT = 1_000


class Writer:
    """A record writer whose losses are counted."""

    def __init__(self, client: "redis.Redis") -> None:
        self.losses: dict[str, int] = {}
        self.client = client
        self.monitor = TaskMonitor(client)
        self.writer = RecordWriter(client, time.monotonic, 86_400, EventLosses(time.monotonic, self._count))

    def _count(self, reason: str, number: int) -> None:
        self.losses[reason] = self.losses.get(reason, 0) + number

    def stat(self, name: str, task: str = "task") -> int:
        """Return a statistic of a task."""
        return int(self.client.hget(keys.task_stats(task), name) or 0)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, redis_server: Callable[..., RedisServer]) -> RedisServer:
    """One of the supported servers."""
    return redis_server(server=request.param)


def test_refused_record_among_many_costs_only_that_record(server: RedisServer) -> None:
    """Of 1,000 events that are sent together, only those that Redis refuses are lost, and they are counted."""
    fleet = Writer(server.client())
    fleet.client.set(keys.run("r-500"), "a key of another type")
    for number in range(RUN_COUNT):
        if number == 300:
            fleet.writer.record_start(start_event("r-300", started_at="not a number"))
        else:
            fleet.writer.record_start(start_event(f"r-{number}"))
    fleet.writer.flush()
    assert fleet.client.zcard(keys.task_running("task")) == RUN_COUNT - 2
    assert fleet.losses == {"refused": 2}
    for number in range(RUN_COUNT):
        fleet.writer.record_end(end_event(f"r-{number}"))
    assert fleet.stat("succeeded") == RUN_COUNT - 1
    assert fleet.losses == {"refused": 3}
    assert fleet.client.get(keys.run("r-500")) == b"a key of another type"


@pytest.mark.parametrize("key", ["stats", "running", "recent", "tasks", "changed", "failing", "schedule_key"])
def test_key_of_another_type_costs_only_what_is_in_it(redis_url: str, key: str) -> None:
    """If a key that many runs share has another type, the record of the run and all other keys are written."""
    fleet = Writer(redis.Redis.from_url(redis_url))
    fleet.client.hset(keys.schedule("uid"), mapping={"fingerprint": "f"})
    end = end_event("r-1", outcome=RunState.DEAD_LETTERED, uid="uid", schedule="ns/s")
    shared = {"tasks": keys.TASKS, "changed": keys.SCHEDULES_CHANGED, "failing": keys.SCHEDULES_FAILING}
    name = shared.get(key) or end[key]
    fleet.client.delete(name)
    fleet.client.set(name, "x")
    fleet.writer.record_end(end)
    run = fleet.monitor.get_run("r-1")
    assert run is not None
    assert run.state is RunState.DEAD_LETTERED
    assert fleet.losses == {"refused": 1}
    if key != "stats":
        assert fleet.stat("dead_lettered") == 1
    if key != "recent":
        assert fleet.client.zcard(keys.task_recent("task")) == 1
    if key not in {"schedule_key", "failing", "changed"}:
        assert fleet.client.hget(keys.schedule("uid"), "last_run_outcome") == b"dead-lettered"


def test_command_that_the_acl_denies_costs_only_what_it_writes(server: RedisServer) -> None:
    """What the ACL allows is written, and every event of which a part is missing is counted."""
    admin = server.client()
    for command in ("hincrby", "hincrbyfloat", "zadd", "zrem", "sadd", "expire", "hset"):
        admin.flushall()
        admin.acl_setuser("limited", enabled=True, passwords=["+pw"], keys=["*"], commands=["+@all", f"-{command}"])
        fleet = Writer(redis.Redis(port=server.port, username="limited", password="pw"))
        for number in range(3):
            fleet.writer.record_end(end_event(f"r-{number}", outcome=RunState.DEAD_LETTERED))
        assert fleet.losses == {"refused": 3}, command
        admin.acl_setuser("limited", enabled=True, commands=[f"+{command}"])
        fleet.writer.record_end(end_event("next"))
        assert fleet.stat("succeeded") == 1, "the events after a denied one are recorded"
        assert fleet.losses == {"refused": 3}
        if command not in {"hset", "expire"}:  # they write the record of the run
            for number in range(3):
                run = fleet.monitor.get_run(f"r-{number}")
                assert run is not None, command
                assert run.state is RunState.DEAD_LETTERED
        if command in {"sadd", "zadd", "zrem"}:
            assert fleet.stat("dead_lettered") == 3
        fleet.client.close()


@pytest.mark.parametrize("command", ["hmget", "exists", "hexists", "zrem"])
def test_runs_are_not_declared_lost_if_redis_denies_a_question(redis_url: str, command: str) -> None:
    """A denied command is an error. It must not look like a run without a worker, or like a run that was recorded."""
    admin = redis.Redis.from_url(redis_url)
    writer = Writer(admin).writer
    writer.record_start(start_event("r-1"))
    writer.flush()
    admin.zadd(keys.task_running("task"), {"r-1": 1})
    admin.acl_setuser("limited", enabled=True, passwords=["+pw"], keys=["*"], commands=["+@all", f"-{command}"])
    limited = redis.Redis.from_url(redis_url, username="limited", password="pw")
    try:
        with pytest.raises(redis.ResponseError):
            TaskMonitor(limited).declare_lost(1_900_000_000.0)
    finally:
        admin.acl_deluser("limited")
    assert admin.zscore(keys.task_running("task"), "r-1") == 1
    assert admin.hget(keys.task_stats("task"), "lost") is None


def test_text_that_cannot_be_encoded_is_recorded_with_escapes(redis_url: str) -> None:
    """A lone surrogate in an error, an id or a schedule is escaped, and a null character is kept."""
    fleet = Writer(redis.Redis.from_url(redis_url))
    end = end_event("r-\udc80", outcome=RunState.DEAD_LETTERED, schedule="ns/\ud800", correlation_id="\0")
    fleet.writer.record_end(end | {"error": "ValueError: \udfff and \0 and é"})
    run = fleet.monitor.get_run("r-\\udc80")
    assert run is not None
    assert (run.error, run.schedule, run.correlation_id) == ("ValueError: \\udfff and \0 and é", "ns/\\ud800", "\0")
    assert fleet.losses == {}


ANY_VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=()), max_size=8),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


@given(fields=st.dictionaries(st.sampled_from(sorted(end_event("r", uid="u", schedule="s"))), ANY_VALUE, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_event_is_recorded_or_counted_and_the_next_one_is_recorded(redis_url: str, fields: dict[str, Any]) -> None:
    """Whatever an event contains, the writer does not raise, and the events after it are recorded."""
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    fleet = Writer(client)
    damaged = end_event("r-1", uid="u", schedule="s") | fields
    fleet.writer.record_end(damaged)
    fleet.writer.record_end(end_event("r-2", task="next", stats=keys.task_stats("next")))
    run = fleet.monitor.get_run("r-2")
    assert run is not None
    assert run.state is RunState.SUCCEEDED
    assert fleet.stat("succeeded", "next") == 1
    assert set(fleet.losses) <= {"refused"}


def test_end_that_is_sent_again_after_the_next_attempt_ended_counts_once(server: RedisServer) -> None:
    """If the reply to an end is lost, it is sent again later, when other workers may have ended further attempts."""
    fleet = Writer(server.client())
    ends = [
        end_event("r", 1, RunState.RETRYING),
        end_event("r", 2, RunState.QUEUED, worker="w-2"),
        end_event("r", 2, RunState.RETRYING, worker="w-3"),
        end_event("r", 3, RunState.DEAD_LETTERED),
    ]
    for end in ends:
        fleet.writer.record_end(end)
    expected = fleet.client.hgetall(keys.task_stats("task"))
    for end in [*ends, *reversed(ends)]:
        fleet.writer.record_end(end)
    assert fleet.client.hgetall(keys.task_stats("task")) == expected
    assert [fleet.stat(name) for name in ("failed", "retried", "dead_lettered", "attempts")] == [3, 2, 1, 4]
    run = fleet.monitor.get_run("r")
    assert run is not None
    assert (run.state, run.attempts) == (RunState.DEAD_LETTERED, 3)


def test_events_of_a_run_with_many_attempts_keep_a_bounded_list_of_ends(redis_url: str) -> None:
    """A run with endless retries does not let its record grow."""
    fleet = Writer(redis.Redis.from_url(redis_url))
    for attempt in range(1, 101):
        fleet.writer.record_end(end_event("r", attempt, RunState.RETRYING))
    done = decode(fleet.client.hget(keys.run("r"), "done")).split("\n")
    assert done == [f"r@{attempt}" for attempt in range(85, 101)]
    assert fleet.stat("retried") == 100


def test_event_that_cannot_be_encoded_is_named_in_the_log(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The log line names the run, its task and the reason."""
    fleet = Writer(redis.Redis.from_url(redis_url))
    fleet.writer.record_end(end_event("r-7") | {"duration": float("nan")})
    fleet.client.set(keys.run("r-8"), "x")
    fleet.writer.record_end(end_event("r-8"))
    text = capsys.readouterr().out
    assert "r-7" in text
    assert "no JSON form" in text
    assert "r-8" in text
    assert "WRONGTYPE" in text
    assert json.dumps(fleet.losses) == '{"refused": 2}'
