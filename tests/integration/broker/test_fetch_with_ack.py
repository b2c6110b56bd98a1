"""A worker thread that acknowledges a message fetches the next one in the same step."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.common import dq_name
from dramatiq.errors import ConnectionClosed

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.broker.janitor import Janitor
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.build import build_broker
from financehub_shared.worker.middleware.run_recorder import _End
from support.observed import ObservedWorker
from support.run_events import end_event
from support.waiting import eventually

QUEUE = "high"
Serve = Callable[..., AbstractContextManager[dramatiq.Worker]]
#: With observers, the script that records the end of the run acknowledges and fetches; otherwise, a script of its own.
KINDS = ("plain", "observed")


class Case:
    """A worker whose only actor notes its argument, and the messages that were fetched with an acknowledgment.

    Args:
        kind: `plain` for a worker without observers, or `observed`.
        url: URL of Redis.
    """

    def __init__(self, kind: str, url: str) -> None:
        observed = ObservedWorker(url) if kind == "observed" else None
        self.broker: FinanceHubBroker = observed.broker if observed else build_broker(Settings(redis_url=url))
        self.writer: Any = observed.observers.run_recorder._writer if observed else None  # type: ignore[attr-defined]
        self.runs: list[int] = []
        self.blocked, self.go = threading.Event(), threading.Event()
        self.fetched: list[str] = []
        self.client = redis.Redis.from_url(url)
        self.actor = dramatiq.actor(self._run, actor_name="task", broker=self.broker, queue_name=QUEUE)
        self.ack = self.broker.do_ack
        self.broker.do_ack = self._note_ack  # type: ignore[method-assign]

    def _run(self, number: int, blocks: bool = False) -> None:
        self.runs.append(number)
        if blocks:
            self.blocked.set()
            self.go.wait(60)

    def _note_ack(self, *args: Any, **options: Any) -> Sequence[bytes]:
        fetched = self.ack(*args, **options)
        self.fetched += [id.decode() for id in fetched[:1]]
        return fetched

    def send(self, *numbers: int) -> list[str]:
        """Enqueue messages and return their ids."""
        return [self.actor.send(number).options["redis_message_id"] for number in numbers]

    def hold(self, *numbers: int) -> list[str]:
        """Enqueue messages, fetch them and return their ids."""
        sent = self.send(*numbers)
        reply = self.broker.do_fetch(QUEUE, len(numbers))
        assert [id.decode() for id in reply[::3]] == sent
        return sent

    def end(self, redis_id: str) -> Sequence[bytes]:
        """Acknowledge a message, and return what was fetched with the acknowledgment."""
        end = _End(self.writer, end_event(redis_id)) if self.writer is not None else None
        return list(self.ack(QUEUE, redis_id, end, fetch=True))

    def held(self) -> set[bytes]:
        """Return the ids that Redis assigns to this process."""
        return set(self.client.smembers(keys.acks(self.broker.broker_id, QUEUE)))

    def waiting(self) -> list[bytes]:
        """Return the ids that wait in the queue."""
        return list(self.client.lrange(keys.ready(QUEUE), 0, -1))

    def is_settled(self) -> bool:
        """Whether no message waits or is held."""
        return not self.client.hlen(keys.messages(QUEUE)) and not self.held()


@pytest.fixture(params=KINDS)
def case(request: pytest.FixtureRequest, redis_url: str) -> Case:
    return Case(request.param, redis_url)


def test_waiting_messages_are_fetched_with_acks_and_run_once(case: Case, serving: Serve):
    """With 200 waiting messages, a worker with two threads fetches nearly all of them with acknowledgments, and its
    consumer seldom asks Redis. Each message runs once.
    """
    case.send(*range(200))
    with serving(case.broker):
        eventually(case.is_settled)
    assert Counter(case.runs) == dict.fromkeys(range(200), 1)
    assert len(case.fetched) > 150


@pytest.mark.parametrize("where", ["before the writer knows", "after"])
def test_message_whose_fetch_reply_is_lost_runs_once_and_soon(
    case: Case, where: str, serving: Serve, monkeypatch: pytest.MonkeyPatch
):
    """If the reply of an acknowledgment is lost after Redis has assigned the next message to this process, the message
    is given back at once, and not after the 30 s of the periodic check.
    """
    cut: list[str] = []
    if case.writer is not None and where == "before the writer knows":
        send = case.writer._script

        def cut_once(names: Any, args: Any) -> Any:
            reply = send(names, args)
            if reply[2] and not cut:
                cut.append(reply[2][1].decode())
                raise redis.ConnectionError("cut")
            return reply

        monkeypatch.setattr(case.writer, "_script", cut_once)
    else:
        ack = case.ack

        def cut_ack_once(*args: Any, **options: Any) -> Sequence[bytes]:
            fetched = ack(*args, **options)
            if fetched and not cut:
                cut.append(fetched[0].decode())
                raise ConnectionClosed("cut")
            return fetched

        case.ack = cut_ack_once
    case.send(*range(20))
    with serving(case.broker, threads=1):
        eventually(lambda: cut)
        eventually(case.is_settled, within=25)
    assert Counter(case.runs) == dict.fromkeys(range(20), 1)


def test_check_for_lost_replies_waits_for_a_fetch_in_progress(case: Case, serving: Serve):
    """The check does not give back a message that Redis has assigned and whose reply is still on its way."""
    first, second = case.send(1, 2)
    executed, may_reply = threading.Event(), threading.Event()
    ack = case.ack

    def slow_ack(*args: Any, **options: Any) -> Sequence[bytes]:
        fetched = ack(*args, **options)
        if fetched:
            executed.set()
            assert may_reply.wait(60)
        return fetched

    case.ack = slow_ack
    requeued: list[int] = []
    with serving(case.broker, threads=1):
        assert executed.wait(40)
        check = threading.Thread(target=lambda: requeued.append(case.broker.requeue_unfinished(QUEUE)))
        check.start()
        eventually(lambda: case.broker._in_flight[QUEUE]._comparing)
        assert case.held() == {second.encode()}
        assert not requeued
        may_reply.set()
        check.join(40)
        assert requeued == [0]
        eventually(case.is_settled)
    assert case.runs == [1, 2]
    assert case.fetched == [second]
    assert first != second


def test_skipped_messages_are_acknowledged_without_checks(case: Case, serving: Serve, monkeypatch: pytest.MonkeyPatch):
    """The end of a skipped run is recorded before the acknowledgment, so no reply to a fetch is missing."""
    checks: list[str] = []
    check = case.broker.requeue_unfinished

    def count(queue_name: str, **options: Any) -> int:
        checks.append(queue_name)
        return check(queue_name, **options)

    monkeypatch.setattr(case.broker, "requeue_unfinished", count)
    for number in range(50):
        case.actor.send_with_options(args=(number,), max_age=1)
    with serving(case.broker, threads=1):
        eventually(case.is_settled)
        assert checks.count(QUEUE) == 1  # when the consumer begins
    assert not case.runs
    assert len(case.fetched) > 30


def test_no_fetch_begins_during_a_check(case: Case, serving: Serve):
    """An acknowledgment during a check does not fetch. The consumer fetches afterwards."""
    case.actor.send(0, blocks=True)
    with serving(case.broker, threads=1):
        assert case.blocked.wait(40)
        case.send(1)
        with case.broker._in_flight[QUEUE].settled():
            case.go.set()
            eventually(lambda: case.client.hlen(keys.messages(QUEUE)) == 1 or case.runs == [0, 1])
            assert case.fetched == []
        eventually(case.is_settled)
    assert case.runs == [0, 1]


def test_worker_that_stops_fetches_no_more_and_strands_nothing(case: Case, serving: Serve):
    """After a shutdown in the middle of the work, each message has run once or waits, and none is held."""
    sent = case.send(*range(500))
    with serving(case.broker):
        eventually(lambda: len(case.runs) > 20)
    assert case.held() == set()
    waiting = {sent.index(id.decode()) for id in case.waiting()}
    assert len(case.waiting()) == len(waiting)
    assert waiting.isdisjoint(case.runs)
    assert Counter(case.runs) == dict.fromkeys(set(range(500)) - waiting, 1)


def test_draining_worker_does_not_fetch_with_acks(case: Case, serving: Serve):
    """A task that ends during the drain is acknowledged, and the next message is left to other workers."""
    case.actor.send(0, blocks=True)
    with serving(case.broker, threads=1) as worker:
        assert case.blocked.wait(40)
        (waiting,) = case.send(1)
        case.broker.emit_before("worker_shutdown", worker)
        case.go.set()
        eventually(lambda: case.client.hlen(keys.messages(QUEUE)) == 1)
        assert case.waiting() == [waiting.encode()]
    assert case.runs == [0]


@pytest.mark.parametrize("entry", ["garbage", "unknown task", "not due"])
def test_message_that_cannot_be_delivered_is_treated_as_usual(case: Case, entry: str, serving: Serve):
    """An entry that the door refuses, a task without an actor and a message that is not due can be fetched with an
    acknowledgment.
    """
    later = {"eta": round(time.time() * 1000) + 3_600_000} if entry == "not due" else {}
    message = case.actor.message(9).copy(options=later)
    data = {"garbage": b"\xff{", "unknown task": message.copy(actor_name="no_such_task").encode()}
    with serving(case.broker, threads=1):
        case.actor.send(0, blocks=True)
        assert case.blocked.wait(40)
        case.client.hset(keys.messages(QUEUE), "special", data.get(entry, message.encode()))
        case.client.rpush(keys.ready(QUEUE), "special")
        case.send(1)
        case.go.set()
        eventually(case.is_settled)
    assert case.runs == [0, 1]
    assert case.fetched[0] == "special"
    reasons = {"garbage": ["undecodable"], "unknown task": ["unknown-task"], "not due": []}
    assert [letter.reason for letter in DeadLetterQueue(case.client).find()] == reasons[entry]
    assert case.client.hlen(keys.messages(dq_name(QUEUE))) == (entry == "not due")


def test_fetch_with_an_ack_sends_a_heartbeat(case: Case, serving: Serve):
    """A worker that was suspended beyond the heartbeat timeout keeps what it fetches with its first acknowledgment."""
    case.actor.send(0, blocks=True)
    with serving(case.broker, threads=1):
        assert case.blocked.wait(40)
        janitor = Janitor(case.client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7, recovery_seconds=0)
        case.send(1)
        ack = case.ack

        def ack_after_a_pause(*args: Any, **options: Any) -> Sequence[bytes]:
            case.client.zadd(keys.HEARTBEATS, {case.broker.broker_id: 0})
            fetched = ack(*args, **options)
            assert sum(janitor.run().values()) == 0
            return fetched

        case.ack = ack_after_a_pause
        case.go.set()
        eventually(lambda: case.runs == [0, 1])
    assert len(case.fetched) == 1


@pytest.mark.parametrize("key", ["ready", "heartbeats"])
def test_key_of_another_type_costs_no_message(case: Case, key: str, serving: Serve):
    """If another program replaces a key that only the fetch needs, the message is acknowledged and nothing is fetched.
    The consumer sets the key aside with its next fetch.
    """
    name = keys.ready(QUEUE) if key == "ready" else keys.HEARTBEATS
    case.actor.send(0, blocks=True)
    with serving(case.broker, threads=1):
        assert case.blocked.wait(40)
        case.client.delete(name)
        case.client.set(name, "of another program")
        case.go.set()
        eventually(lambda: not case.held() and not case.client.hlen(keys.messages(QUEUE)))
        eventually(lambda: case.client.type(name) != b"string")
        case.send(1)
        eventually(case.is_settled)
    assert case.runs == [0, 1]


def test_full_redis_lets_acks_fetch(case: Case, redis_server: Callable[..., Any], serving: Serve):
    """If Redis is out of memory, messages are still fetched with acknowledgments, which frees memory."""
    full = Case("plain" if case.writer is None else "observed", redis_server().url)
    full.actor.send(0, blocks=True)
    with serving(full.broker, threads=1):
        assert full.blocked.wait(40)
        full.send(*range(1, 10))
        full.client.config_set("maxmemory", 1)
        full.go.set()
        eventually(full.is_settled)
    assert full.runs == list(range(10))
    assert len(full.fetched) == 9


def test_message_that_is_too_large_is_cut_off(case: Case, serving: Serve):
    """An entry of any size that another program wrote reaches no worker as a whole, and becomes a dead letter."""
    case.actor.send(0, blocks=True)
    with serving(case.broker, threads=1):
        assert case.blocked.wait(40)
        size = case.broker.max_entry_bytes
        case.client.hset(keys.messages(QUEUE), "large", b"x" * (size + 1_000_000))
        case.client.rpush(keys.ready(QUEUE), "large")
        case.go.set()
        eventually(case.is_settled)
    assert case.fetched == ["large"]
    (letter,) = DeadLetterQueue(case.client).find()
    assert letter.id == "large"


def test_losses_of_a_message_are_known_when_it_is_fetched_with_an_ack(case: Case, serving: Serve):
    """A message that killed too many workers is dead-lettered, however it was fetched."""
    case.actor.send(0, blocks=True)
    with serving(case.broker, threads=1):
        assert case.blocked.wait(40)
        (deadly,) = case.send(1)
        case.client.hset(keys.losses(QUEUE), deadly, 100)
        case.go.set()
        eventually(case.is_settled)
    assert (case.runs, case.fetched) == ([0], [deadly])
    (letter,) = DeadLetterQueue(case.client).find()
    assert (letter.id, letter.reason) == (deadly, "kills-worker")


def test_messages_of_a_higher_priority_run_first_however_they_were_fetched(case: Case, serving: Serve):
    """A message that is fetched with an acknowledgment takes its place in the queue of the worker threads."""
    order: list[str] = []
    release = threading.Event()

    def urgent() -> None:
        order.append("urgent")

    def usual() -> None:
        order.append("usual")

    def blocks() -> None:
        case.blocked.set()
        assert release.wait(60)

    dramatiq.actor(urgent, broker=case.broker, queue_name=QUEUE, priority=1)
    dramatiq.actor(usual, broker=case.broker, queue_name=QUEUE, priority=5)
    dramatiq.actor(blocks, broker=case.broker, queue_name=QUEUE, priority=0)
    for name in ("blocks", "usual", "usual", "urgent"):
        case.broker.enqueue(dramatiq.Message(QUEUE, name, (), {}, {}))
    worker = dramatiq.Worker(case.broker, worker_threads=1, worker_timeout=100)
    worker.queue_prefetch = 3
    worker.start()
    try:
        assert case.blocked.wait(40)
        eventually(lambda: worker.work_queue.qsize() == 2)  # the two usual ones
        release.set()
        eventually(case.is_settled)
    finally:
        worker.stop(timeout=5_000)
    assert order == ["urgent", "usual", "usual"]


def test_threads_whose_runs_end_together_each_get_the_next_message(redis_url: str):
    """One call records several ends, and each of their messages is replaced by the next one of its queue."""
    case = Case("observed", redis_url)
    first, later = case.hold(*range(3)), case.send(*range(3, 6))
    fetched: list[str] = []

    def end(redis_id: str) -> None:
        fetched.append(case.end(redis_id)[0].decode())

    threads = [threading.Thread(target=end, args=(redis_id,)) for redis_id in first]
    with case.writer._sending:
        for thread in threads:
            thread.start()
        eventually(lambda: len(case.writer._settlements) == 3)
    for thread in threads:
        thread.join()
    assert sorted(fetched) == sorted(later)
    assert case.held() == {id.encode() for id in later}


@pytest.mark.parametrize("name", [keys.ready(QUEUE), keys.HEARTBEATS])
def test_fetch_that_fails_costs_no_ack(case: Case, name: str):
    """The acknowledgment is done in the same step, although Redis refuses a command of the fetch."""
    (held,) = case.hold(0)
    case.send(1)
    case.client.rename(name, "moved")
    case.client.set(name, "of another program")
    assert case.end(held) == []
    assert case.client.get(name) == b"of another program"
    assert case.client.hexists(keys.messages(QUEUE), held) is False
    assert case.held() == set()


def test_paused_worker_does_not_fetch_with_acks(case: Case, serving: Serve):
    """A task that ends while its worker is paused is acknowledged, and the next message waits until it is resumed."""
    case.actor.send(0, blocks=True)
    with serving(case.broker, threads=1) as worker:
        assert case.blocked.wait(40)
        (waiting,) = case.send(1)
        for thread in worker.consumers.values():
            thread.pause()
        case.go.set()
        eventually(lambda: case.client.hlen(keys.messages(QUEUE)) == 1)
        assert (case.fetched, case.waiting()) == ([], [waiting.encode()])
        for thread in worker.consumers.values():
            thread.resume()
        eventually(case.is_settled)
    assert case.runs == [0, 1]


def test_running_message_whose_fetch_is_undone_is_not_delivered_again(case: Case, serving: Serve):
    """If a failover has undone a fetch, an acknowledgment fetches a message whose run goes on. It runs once."""
    case.actor.send(0, blocks=True)
    with serving(case.broker, threads=2):
        assert case.blocked.wait(40)
        (held,) = case.held()
        case.client.srem(keys.acks(case.broker.broker_id, QUEUE), held)
        case.client.rpush(keys.ready(QUEUE), held)
        case.send(1, 2)
        eventually(lambda: len(case.runs) == 3)
        case.go.set()
        eventually(case.is_settled)
    assert sorted(case.runs) == [0, 1, 2]


def test_finished_message_whose_fetch_is_undone_is_deleted(case: Case, serving: Serve):
    """If a failover has undone a fetch, an acknowledgment fetches a message that has run. The consumer deletes it."""
    (finished,) = case.send(1)
    entry = case.client.hget(keys.messages(QUEUE), finished)
    assert entry is not None
    with serving(case.broker, threads=1):
        eventually(case.is_settled)
        case.actor.send(0, blocks=True)
        assert case.blocked.wait(40)
        case.client.hset(keys.messages(QUEUE), finished, entry)
        case.client.rpush(keys.ready(QUEUE), finished)
        case.go.set()
        eventually(case.is_settled)
    assert case.runs == [1, 0]
    assert case.fetched == [finished]


def test_entry_that_a_client_wrote_is_fetched_like_any_other(case: Case, serving: Serve):
    """A message without our options runs, however it was fetched."""
    case.actor.send(0, blocks=True)
    with serving(case.broker, threads=1):
        assert case.blocked.wait(40)
        fields = json.loads(case.actor.message(1).encode()) | {"queue_name": "elsewhere", "options": {}}
        case.client.hset(keys.messages(QUEUE), "foreign", json.dumps(fields))
        case.client.rpush(keys.ready(QUEUE), "foreign")
        case.go.set()
        eventually(case.is_settled)
    assert (case.runs, case.fetched) == ([0, 1], ["foreign"])
