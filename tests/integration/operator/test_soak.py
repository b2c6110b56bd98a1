"""Soak test: two schedulers are killed every second for two minutes, and every due time must run exactly once."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from financehub_shared.redis import keys
from financehub_shared.schedules import list_schedules
from support.expected_runs import ExpectedRuns
from support.operator import Tasks, scheduler_user, wait_until_ready
from support.redis_server import RedisServer
from support.schedules import SchedulerProcess, messages
from support.waiting import eventually
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.tokens import User

pytestmark = pytest.mark.faults

SECONDS = 120
#: Seconds after the start at which Redis is killed and started again.
REDIS_OUTAGES = [(25.3, 26.3), (60.6, 60.7), (95.9, 98.9)]
#: `spec.schedule` → seconds between due times. A catch-up covers at most 100 due times. On a busy machine, schedulers
#: that are killed every second may enqueue nothing for a minute or two, so the shortest period must not have more due
#: times than that in the whole test.
PERIODS = {"@every 2s": 2, "@every 3s": 3, "@every 5s": 5, "@every 7s": 7, "* * * * *": 60}
#: Number of schedules that stay unchanged, and number of schedules for each kind of change.
STEADY, CHANGING = 30, 6

#: Seconds after the start, and the action.
Event = tuple[float, Callable[[], object]]


@pytest.fixture
def users(crd_installed: Cluster, namespace: str) -> list[User]:
    """One service account per scheduler, so that the audit log distinguishes them."""
    return [scheduler_user(crd_installed, namespace, name) for name in ("one", "two")]


@pytest.fixture
def server(redis_server: Callable[..., RedisServer]) -> RedisServer:
    """A Redis that loses no acknowledged write when it is killed."""
    return redis_server()


@pytest.fixture
def operators(server: RedisServer, users: list[User], tmp_path: Path) -> Iterator[list[SchedulerProcess]]:
    """Two schedulers."""
    running = [
        SchedulerProcess(
            server.url, user.kubeconfig, tmp_path / f"operator-{number}.log", "--namespace", user.namespace
        ).start()
        for number, user in enumerate(users)
    ]
    yield running
    for process in running:
        process.end()


@pytest.mark.timeout(900)
def test_every_due_time_runs_once_despite_kills(
    crd_installed: Cluster,
    namespace: str,
    server: RedisServer,
    users: list[User],
    operators: list[SchedulerProcess],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No due time runs twice or is missing, the status counts all runs, and only the leader has written status."""
    generator = random.Random(4)
    tasks = Tasks(crd_installed, namespace)
    runs = ExpectedRuns(tasks, PERIODS)
    create_initial_schedules(runs)
    for process in operators:
        wait_until_ready(process)
    eventually(lambda: all(tasks.status(entry.name) for entry in runs.entries.values()), "each one has a status")
    victims = [generator.choice(operators) for _ in range(SECONDS)]
    kills = [(second + generator.random(), partial(restart, victim)) for second, victim in enumerate(victims)]
    execute([*kills, *redis_events(server), *user_events(runs, generator)])
    client = server.client()
    before_last_kill = client.llen("dramatiq:q")
    eventually(lambda: newest_specs_registered(runs, client), "the newest specs are registered", within=150)
    end = time.time() + 2
    eventually(lambda: all_settled(runs, client, end), "all due times are settled", within=150)
    # Read before the suspension, which is an edit as well.
    registered_at = {uid: spec_registered_at(client, uid) for uid in runs.entries}
    assert max(registered_at.values()) < end
    runs.suspend()
    eventually(lambda: status_counts_all_runs(tasks, runs, client), "status counts every run", within=150)
    for process in operators:
        assert process.stop() == 0
    found = Counter(
        (message["options"]["schedule_uid"], message["options"]["due_at"] // 1000) for message in messages(client)
    )
    expected = runs.expected(found, registered_at, end)
    duplicates, missing = found - Counter(dict.fromkeys(found, 1)), expected - found.keys()
    writers = status_writes(crd_installed, users)
    with capsys.disabled():
        print(  # noqa: T201 — statistics for a report about the run
            f"\nsoak: {len(runs.entries)} schedules, {len(expected)} due times expected, {found.total()} enqueued,"
            f" {before_last_kill} of them before the last kill; {duplicates.total()} duplicates,"
            f" {len(missing)} missing; {len(kills)} kills of schedulers, {len(REDIS_OUTAGES)} of Redis;"
            f" {len(writers)} writes of status"
        )
    assert (duplicates, missing, runs.unexpected(found)) == (Counter(), set(), set())
    assert [(leader, writer) for leader, writer in writers if leader != writer] == []


def create_initial_schedules(runs: ExpectedRuns) -> None:
    """Create the schedules that exist from the start."""
    for number in range(STEADY):
        runs.create(f"steady-{number}", [*PERIODS][number % len(PERIODS)], jitterSeconds=number % 4)
    for number in range(CHANGING):
        runs.create(f"edited-{number}", "@every 5s")
        runs.create(f"deleted-{number}", "@every 2s")


def redis_events(server: RedisServer) -> list[Event]:
    """Return the events that kill Redis and start it again."""
    return [event for killed, started in REDIS_OUTAGES for event in ((killed, server.kill), (started, server.start))]


def user_events(runs: ExpectedRuns, generator: random.Random) -> list[Event]:
    """Return the events that create, edit and delete schedules, and create deleted ones again."""
    events: list[Event] = []
    for number in range(CHANGING):
        deleted_at = generator.uniform(5, 80)
        events += [
            (generator.uniform(5, 90), partial(runs.create, f"new-{number}", "@every 3s")),
            (generator.uniform(5, 90), partial(runs.edit, f"edited-{number}", "@every 2s")),
            (deleted_at, partial(runs.delete, f"deleted-{number}")),
            (deleted_at + generator.uniform(0, 10), partial(runs.create, f"deleted-{number}", "@every 2s")),
        ]
    return events


def restart(operator: SchedulerProcess) -> None:
    """Kill a scheduler and start it again."""
    operator.kill()
    operator.start()


def execute(events: list[Event]) -> None:
    """Execute each event at its time."""
    start = time.monotonic()
    for second, action in sorted(events, key=lambda event: event[0]):
        time.sleep(max(0.0, start + second - time.monotonic()))
        action()


def newest_specs_registered(runs: ExpectedRuns, client: "redis.Redis") -> bool:
    """Whether the newest spec of every schedule is registered."""
    registered = {info.uid: info.spec["schedule"] for info in list_schedules(client)}
    newest = {uid: entry.spec["schedule"] for uid, entry in runs.present().items()}
    # A schedule that was deleted while no scheduler ran stays registered until its claim expires, but does not run.
    return newest.items() <= registered.items()


def all_settled(runs: ExpectedRuns, client: "redis.Redis", until: float) -> bool:
    """Whether every schedule has settled its last due time before `until`, in Unix seconds."""
    present = runs.present()
    marks: Any = client.hmget(keys.HIGH_WATER_MARKS, list(present))
    return all(
        mark and int(mark) / 1000 >= until // entry.period * entry.period
        for mark, entry in zip(marks, present.values(), strict=True)
    )


def status_counts_all_runs(tasks: Tasks, runs: ExpectedRuns, client: "redis.Redis") -> bool:
    """Whether each schedule's status has the number of the schedule's messages in the queue."""
    enqueued = Counter(message["options"]["schedule_uid"] for message in messages(client))
    return all(tasks.status(entry.name).get("runs") == enqueued[uid] for uid, entry in runs.present().items())


def spec_registered_at(client: "redis.Redis", uid: str) -> float:
    """Return the Unix time at which a schedule's newest spec was registered, or 0 if the schedule is deleted."""
    value: Any = client.hget(keys.schedule(uid), "changed_at")
    return float(value or 0)


def status_writes(cluster: Cluster, users: list[User]) -> list[tuple[str, str]]:
    """Return (leader at that time, writer) for every write of a status."""
    requests: list[tuple[str, bool, str]] = []
    for user in users:
        for record in cluster.audit(user.name):
            match record:
                case {"objectRef": {"subresource": "status"}}:
                    requests.append((record["requestReceivedTimestamp"], False, user.name))
                case {
                    "objectRef": {"resource": "leases"},
                    "verb": "create" | "update",
                    "responseStatus": {"code": code},
                }:
                    if code < 300:
                        requests.append((record["stageTimestamp"], True, user.name))
    writes, leader = [], ""
    for _, is_lease, user_name in sorted(requests):
        if is_lease:
            leader = user_name
        else:
            writes.append((leader, user_name))
    return writes
