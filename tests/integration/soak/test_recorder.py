"""The recorder of a soak on a real Redis: it loses no attempt and counts none twice."""

import uuid
from pathlib import Path
from typing import Any

import redis

from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.schedule_record import ScheduleField
from soak import redis_view
from soak.accounts import ScheduleCounts
from soak.recorder import Recorder
from support.redis_server import RedisServer


def _record(client: Any, run: str, token: str = "") -> None:
    client.xadd(redis_view.ATTEMPTS, {"run": run, "pod": "research-a", "token": token or uuid.uuid4().hex})


def test_recorder_moves_all_attempts_to_its_file(redis_client: Any, tmp_path: Path) -> None:
    """More attempts than one reading returns are read, and the stream keeps almost nothing."""
    for number in range(7_000):
        _record(redis_client, f"run-{number}")
    recorder = Recorder(lambda: _text(redis_client), tmp_path / "attempts.txt")
    assert recorder.read() == 7_000
    assert recorder.read() == 0
    assert redis_client.xlen(redis_view.ATTEMPTS) <= 1
    assert [each.run for each in recorder.attempts()] == [f"run-{number}" for number in range(7_000)]
    assert recorder.missing({"run-6999", "run-7000"}) == {"run-7000"}


def test_attempt_whose_command_was_sent_twice_counts_once(redis_client: Any, tmp_path: Path) -> None:
    """A lost reply makes a worker send the entry again, which is not a second attempt. Two tokens are two attempts."""
    for token in ("a", "a", "b"):
        _record(redis_client, "run-1", token)
    recorder = Recorder(lambda: _text(redis_client), tmp_path / "attempts.txt")
    recorder.read()
    assert [each.run for each in recorder.attempts()] == ["run-1", "run-1"]


def test_recorder_continues_after_an_outage(tmp_path: Path) -> None:
    """What is recorded while the recorder cannot reach Redis, or does not know its address, is read afterwards."""
    server = RedisServer(tmp_path, aof=False).start()
    try:
        client = server.client()
        recorder = Recorder(lambda: _text(client), tmp_path / "attempts.txt")
        lost = Recorder(lambda: redis.Redis(port=1), tmp_path / "nothing.txt")
        unknown = Recorder(lambda: None, tmp_path / "nothing.txt")
        _record(client, "run-1")
        assert (recorder.read(), lost.read(), unknown.read()) == (1, 0, 0)
        _record(client, "run-2")
        assert recorder.read() == 1
        assert [each.run for each in recorder.attempts()] == ["run-1", "run-2"]
    finally:
        server.stop()


def test_view_reads_counters_keys_and_queues(redis_client: Any) -> None:
    """The names of keys and fields are those of the product."""
    uid = str(uuid.uuid4())
    redis_client.hset(keys.HIGH_WATER_MARKS, uid, 1_700_000_000_000)
    fields = {ScheduleField.RUNS: 9, ScheduleField.MISSED: 2, ScheduleField.SKIPPED_BACKLOG: 3}
    redis_client.hset(keys.schedule(uid), mapping={str(name): value for name, value in fields.items()})
    redis_client.rpush(queue_keys.ready("high"), "a", "b")
    redis_client.hset(queue_keys.messages("high"), mapping={"a": "", "b": "", "c": ""})
    client = _text(redis_client)
    assert redis_view.schedule_counts(client, [uid, "unknown"]) == [ScheduleCounts(uid, 1_700_000_000.0, 9, 2, 3)]
    assert redis_view.queues(client, ["high", "low"]) == {
        "high": {"ready": 2, "held": 3, "delayed": 0, "dead": 0},
        "low": {"ready": 0, "held": 0, "delayed": 0, "dead": 0},
    }
    assert redis_view.kinds(client)["financehub:schedule:*"] == 1
    assert redis_view.figures(client)["keys"] == 4


def _text(client: Any) -> "redis.Redis":
    """Return a client of the same server as the recorder uses it."""
    options = client.get_connection_kwargs()
    address = {name: options[name] for name in ("host", "port", "path", "db") if name in options}
    if "path" in address:
        return redis.Redis(unix_socket_path=address["path"], db=address.get("db", 0), decode_responses=True)
    return redis.Redis(**address, decode_responses=True)
