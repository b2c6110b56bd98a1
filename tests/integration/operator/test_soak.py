"""Two operators killed every second for two minutes, and Redis with them: every due time that must come comes once."""

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
from support.control_plane.cluster import Cluster
from support.control_plane.tokens import User
from support.ledger import Ledger
from support.operator import Tasks, ready, scheduler_user
from support.redis_server import RedisServer
from support.schedules import SchedulerProcess, eventually, messages

SECONDS = 120
#: When Redis is killed and when it comes back, seconds after the start.
REDIS_AWAY = [(25.3, 26.3), (60.6, 60.7), (95.9, 98.9)]
#: Schedule → seconds. A catch-up makes up for 100 due times, and on a busy machine operators that are killed each
#: second may enqueue nothing for a minute or two: even the shortest must not be due more often in all this time.
PERIODS = {"@every 2s": 2, "@every 3s": 3, "@every 5s": 5, "@every 7s": 7, "* * * * *": 60}
#: Schedules that stay, and of each kind that does not.
STEADY, FLEETING = 30, 6

Event = tuple[float, Callable[[], object]]


@pytest.fixture
def users(crd_installed: Cluster, namespace: str) -> list[User]:
    """One account for each operator, so that the audit log tells them apart."""
    return [scheduler_user(crd_installed, namespace, name) for name in ("one", "two")]


@pytest.fixture
def server(redis_server: Callable[..., RedisServer]) -> RedisServer:
    """A Redis that keeps what it has acknowledged when it is killed."""
    return redis_server()


@pytest.fixture
def operators(server: RedisServer, users: list[User], tmp_path: Path) -> Iterator[list[SchedulerProcess]]:
    """Two operators."""
    running = [
        SchedulerProcess(
            server.url, user.kubeconfig, tmp_path / f"operator-{number}.log", "--namespace", user.namespace
        ).start()
        for number, user in enumerate(users)
    ]
    yield running
    for each in running:
        each.end()


@pytest.mark.timeout(400)
def test_each_due_time_comes_once_whoever_is_killed(
    crd_installed: Cluster,
    namespace: str,
    server: RedisServer,
    users: list[User],
    operators: list[SchedulerProcess],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No due time is doubled or missing, status counts them, and only the holder of the Lease has written it."""
    chance = random.Random(4)
    tasks = Tasks(crd_installed, namespace)
    ledger = Ledger(tasks, PERIODS)
    populate(ledger)
    for each in operators:
        ready(each)
    eventually(lambda: all(tasks.status(entry.name) for entry in ledger.entries.values()), "every one has a status")
    victims = [chance.choice(operators) for _ in range(SECONDS)]
    kills = [(second + chance.random(), partial(restart, victim)) for second, victim in enumerate(victims)]
    soak([*kills, *of_redis(server), *of_users(ledger, chance)])
    client = server.client()
    during = client.llen("dramatiq:q")
    eventually(lambda: all_known(ledger, client), "the newest specs are in force", within=60)
    end = time.time() + 2
    eventually(lambda: all_done(ledger, client, end), "what was due is enqueued", within=60)
    # before the suspension, which is an edit too
    taken_over = {uid: taken_over_at(client, uid) for uid in ledger.entries}
    assert max(taken_over.values()) < end
    ledger.suspend()
    eventually(lambda: status_counts(tasks, ledger, client), "status is taken over and counts every run", within=90)
    for each in operators:
        assert each.stop() == 0
    found = Counter((each["options"]["schedule_uid"], each["options"]["due_at"] // 1000) for each in messages(client))
    expected = ledger.expected(found, taken_over, end)
    doubled, missing = found - Counter(dict.fromkeys(found, 1)), expected - found.keys()
    writers = status_writes(crd_installed, users)
    with capsys.disabled():
        print(  # noqa: T201 — figures for whoever reports of the run
            f"\nsoak: {len(ledger.entries)} schedules, {len(expected)} due times expected, {found.total()} enqueued,"
            f" {during} of them before the last kill; {doubled.total()} doubled, {len(missing)} missing;"
            f" {len(kills)} kills of operators, {len(REDIS_AWAY)} of Redis; {len(writers)} writes of status"
        )
    assert (doubled, missing, ledger.uncalled_for(found)) == (Counter(), set(), set())
    assert [(holder, writer) for holder, writer in writers if holder != writer] == []


def populate(ledger: Ledger) -> None:
    """The schedules that are there from the start."""
    for number in range(STEADY):
        ledger.create(f"steady-{number}", [*PERIODS][number % len(PERIODS)], jitterSeconds=number % 4)
    for number in range(FLEETING):
        ledger.create(f"edited-{number}", "@every 5s")
        ledger.create(f"deleted-{number}", "@every 2s")


def of_redis(server: RedisServer) -> list[Event]:
    """Redis is killed, and comes back."""
    return [event for away, back in REDIS_AWAY for event in ((away, server.kill), (back, server.start))]


def of_users(ledger: Ledger, chance: random.Random) -> list[Event]:
    """Schedules are created, edited, deleted, and created again under the same name."""
    events: list[Event] = []
    for number in range(FLEETING):
        deleted = chance.uniform(5, 80)
        events += [
            (chance.uniform(5, 90), partial(ledger.create, f"new-{number}", "@every 3s")),
            (chance.uniform(5, 90), partial(ledger.edit, f"edited-{number}", "@every 2s")),
            (deleted, partial(ledger.delete, f"deleted-{number}")),
            (deleted + chance.uniform(0, 10), partial(ledger.create, f"deleted-{number}", "@every 2s")),
        ]
    return events


def restart(operator: SchedulerProcess) -> None:
    """SIGKILL, and a new one in its place."""
    operator.kill()
    operator.start()


def soak(events: list[Event]) -> None:
    """Let things happen at their seconds from now."""
    begun = time.monotonic()
    for second, happen in sorted(events, key=lambda event: event[0]):
        time.sleep(max(0.0, begun + second - time.monotonic()))
        happen()


def all_known(ledger: Ledger, client: "redis.Redis") -> bool:
    """Whether an operator has registered the newest spec of every schedule."""
    known = {each.uid: each.spec["schedule"] for each in list_schedules(client)}
    wanted = {uid: entry.spec["schedule"] for uid, entry in ledger.present().items()}
    # one that was deleted while nobody looked is known until its claim lapses, and no longer runs
    return wanted.items() <= known.items()


def all_done(ledger: Ledger, client: "redis.Redis", until: float) -> bool:
    """Whether every schedule is past its last due time before `until`, Unix seconds."""
    present = ledger.present()
    marks: Any = client.hmget(keys.HIGH_WATER_MARKS, list(present))
    return all(
        mark and int(mark) / 1000 >= until // entry.period * entry.period
        for mark, entry in zip(marks, present.values(), strict=True)
    )


def status_counts(tasks: Tasks, ledger: Ledger, client: "redis.Redis") -> bool:
    """Whether the status of every schedule says how many of its runs are in the queue."""
    runs = Counter(each["options"]["schedule_uid"] for each in messages(client))
    return all(tasks.status(entry.name).get("runs") == runs[uid] for uid, entry in ledger.present().items())


def taken_over_at(client: "redis.Redis", uid: str) -> float:
    """When an operator took over the newest spec of a schedule, Unix seconds; 0 if it is deleted."""
    value: Any = client.hget(keys.schedule(uid), "changed_at")
    return float(value or 0)


def status_writes(cluster: Cluster, users: list[User]) -> list[tuple[str, str]]:
    """Who had last written the Lease, and who wrote, for each write of a status."""
    moments: list[tuple[str, bool, str]] = []
    for user in users:
        for record in cluster.audit(user.name):
            match record:
                case {"objectRef": {"subresource": "status"}}:
                    moments.append((record["requestReceivedTimestamp"], False, user.name))
                case {
                    "objectRef": {"resource": "leases"},
                    "verb": "create" | "update",
                    "responseStatus": {"code": code},
                }:
                    if code < 300:
                        moments.append((record["stageTimestamp"], True, user.name))
    writes, holder = [], ""
    for _, is_lease, user_name in sorted(moments):
        if is_lease:
            holder = user_name
        else:
            writes.append((holder, user_name))
    return writes
