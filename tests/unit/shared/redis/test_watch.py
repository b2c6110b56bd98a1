"""The watch of a process: one log line when a problem begins and one when it ends."""

import threading
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from financehub_shared.core.clock import ManualClock
from financehub_shared.redis import watch as module
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.server_facts import ServerFacts
from financehub_shared.redis.watch import CALM_SECONDS, LOOK_SECONDS, WRITE_CHECK_SECONDS, RedisWatch

FULL = {"SET": redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'")}
HOUR = 3_600.0
HEALTHY = {"redis_version": "7.0.15", "aof_enabled": 1}


class World:
    """A watch of one server whose replies the test chooses.

    Args:
        monkeypatch: Replaces the read of the server.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = ManualClock()
        self.refused: dict[str, redis.RedisError] = {}
        self.info: dict[str, Any] = dict(HEALTHY)
        self.error: redis.RedisError | None = None
        self.details: list[bool] = []
        #: How far the clock of Redis is behind this machine's, in seconds.
        self.skew = 0.0
        monkeypatch.setattr(module, "read_facts", self._read)
        clock = ServerClock(self.clock)
        self.server_clock = clock
        client = redis.Redis(host="localhost", port=6379)
        monkeypatch.setattr(client, "time", lambda: (int(self.clock.now() - self.skew), 0))
        self.watch = RedisWatch({"queues": client}, clock)

    def _read(self, server: str, client: object, clock: object, *, details: bool) -> ServerFacts:
        if self.error is not None:
            raise self.error
        self.details.append(details)
        return ServerFacts(
            server, "localhost:6379", info=self.info if details else {}, refused=self.refused, skew=self.skew
        )

    def look(self, seconds: float = WRITE_CHECK_SECONDS) -> list[tuple[str, str | None]]:
        """Let time pass and look. Return the logged events with their problems."""
        self.clock.advance(seconds)
        with capture_logs() as logs:
            self.watch.look()
        return [(entry["event"], entry.get("problem")) for entry in logs]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A watch whose server is healthy."""
    return World(monkeypatch)


def test_watch_at_start_describes_the_server_once(world: World) -> None:
    """The first look logs the server, its version, role, persistence and policy; later looks do not."""
    with capture_logs() as logs:
        world.watch.look()
    assert [entry["event"] for entry in logs] == ["redis_inspected"]
    assert {"server", "address", "version", "role", "persistence", "policy"} <= logs[0].keys()
    assert [world.look() for _ in range(20)] == [[]] * 20


def test_watch_reads_info_once_a_minute_and_checks_writes_more_often(world: World) -> None:
    """INFO is read once a minute. While writes are refused, it is read at each look, because it has the reason."""
    for _ in range(round(2 * LOOK_SECONDS / WRITE_CHECK_SECONDS)):
        world.look()
    assert world.details.count(True) == 2
    world.refused = FULL
    world.look()
    world.details.clear()
    world.look()
    assert world.details == [True]


def test_watch_logs_a_refusal_once_however_it_flaps(world: World) -> None:
    """A Redis near its limit accepts some writes. That is one problem, which ends after a calm time."""
    world.look()
    world.refused = FULL
    assert world.look() == [("redis_problem_detected", "full")]
    assert "is full" in world.watch.blocked()[0]
    for number in range(20):
        world.refused = {} if number % 2 else FULL
        assert world.look() == []
    world.refused = {}
    events = [event for _ in range(round(CALM_SECONDS / WRITE_CHECK_SECONDS) + 1) for event in world.look()]
    assert events == [("redis_problem_ended", "full")]
    assert world.watch.blocked() == []


def test_watch_during_an_outage_keeps_the_other_problems(world: World) -> None:
    """What INFO said before an outage is neither ended by the outage nor logged again after it."""
    world.info = HEALTHY | {"aof_enabled": 0}
    assert world.look() == [("redis_inspected", None), ("redis_problem_detected", "aof-off")]
    world.error = redis.ConnectionError("refused")
    assert world.look() == [("redis_problem_detected", "unreachable")]
    assert [world.look() for _ in range(30)] == [[]] * 30
    assert "does not answer: refused" in world.watch.blocked()[0]
    world.error = None
    events = [event for _ in range(30) for event in world.look()]
    assert events == [("redis_problem_ended", "unreachable")]
    world.info = HEALTHY
    assert [event for _ in range(30) for event in world.look()] == [("redis_problem_ended", "aof-off")]


def test_watch_with_a_denied_command_logs_it_once(world: World) -> None:
    """A missing right is one problem with its remedy, not a loop of outages."""
    world.refused = {"SET": redis.exceptions.NoPermissionError("this user has no permissions to run 'set'")}
    assert world.look()[-1] == ("redis_problem_detected", "denied")
    assert [world.look() for _ in range(30)] == [[]] * 30
    assert "docs/redis.md" in world.watch.blocked()[0]


def test_watch_with_an_unexpected_error_logs_it_once_and_continues(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply that nobody expected is logged with its traceback, and the watch looks again."""
    monkeypatch.setattr(module, "WRITE_CHECK_SECONDS", 0.01)
    errors: list[Exception] = [KeyError("a"), KeyError("b"), ValueError("c")]
    looks = threading.Event()
    read = world._read

    def damaged(*args: Any, **options: Any) -> ServerFacts:
        if errors:
            raise errors.pop(0)
        looks.set()
        return read(*args, **options)

    monkeypatch.setattr(module, "read_facts", damaged)
    with capture_logs() as logs:
        world.watch.start()
        assert looks.wait(30)
        world.watch.stop()
    failed = [entry for entry in logs if entry["event"] == "redis_watch_failed"]
    assert [type(entry["exc_info"]) for entry in failed] == [KeyError, ValueError]


def test_watch_whose_redis_sets_its_clock_follows_at_the_next_look(world: World) -> None:
    """After a jump of the clock of Redis, the process uses the new time within seconds, not only after a minute."""
    world.look()
    for skew in (HOUR, 0.0, -HOUR):
        world.skew = skew
        world.look()
        assert world.server_clock.skew() == pytest.approx(skew, abs=1.0)
