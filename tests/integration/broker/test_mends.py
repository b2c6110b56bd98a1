"""The mends of the design, each shown on a stock worker and a mended one that suffer the same fault side by side."""

import time
from collections.abc import Callable

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker

from financehub_shared.broker import DeadLetterQueue, Janitor
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.build import build_broker
from support.redis_server import RedisServer
from support.workers import WorkerProcess, events, eventually, message, unsettled

KINDS = ("stock", "mended")
StartWorker = Callable[..., WorkerProcess]
StartRedis = Callable[..., RedisServer]
# what dramatiq logs of an ack that it gives up, and of one that it goes on trying
DROPPED, RETRIED = "Unhandled error during post_process_message", "Failed to post_process_message"


def broker(kind: str, url: str) -> dramatiq.Broker:
    """The enqueueing side of a kind."""
    return RedisBroker(url=url) if kind == "stock" else build_broker(Settings(redis_url=url))


def start_both(start_worker: StartWorker, url: str, **options: object) -> dict[str, WorkerProcess]:
    """One worker of each kind, ready."""
    workers = {kind: start_worker(kind, url, **options) for kind in KINDS}
    for worker in workers.values():
        worker.wait_ready()
    return workers


def said(worker: WorkerProcess, *texts: str) -> bool:
    """Whether the log of a worker has each of these."""
    log = worker.log.read_text()
    return all(text in log for text in texts)


def held(client: "redis.Redis", queue: str) -> int:
    """How many messages of a queue lie in ack sets."""
    return sum(client.scard(key) for key in client.keys(f"{keys.NAMESPACE}:__acks__.*.{queue}"))


def test_delayed_messages_survive_an_outage_of_redis(redis_server: StartRedis, start_worker: StartWorker):
    """Mend 1: a delayed message runs after an outage; in a stock worker it stays in the ack set for good."""
    server = redis_server()
    workers = start_both(start_worker, server.url)
    for kind in KINDS:
        broker(kind, server.url).enqueue(message(kind, "record", "late"), delay=3_000)
    client = server.client()
    eventually(lambda: all(held(client, f"{kind}.DQ") == 1 for kind in KINDS))
    server.kill()
    eventually(lambda: all(said(worker, f"({kind}.DQ)] [CRITICAL]") for kind, worker in workers.items()))
    server.start()
    eventually(lambda: events(client, "mended") == ["late"])
    time.sleep(1)
    assert events(client, "stock") == []
    assert held(client, "stock.DQ") == 1
    assert all(worker.running for worker in workers.values())


def test_what_a_killed_worker_held_comes_back(redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker):
    """Mend 2: the janitor gives back what dead workers held, with no worker alive; stock workers leave it to chance."""
    workers = start_both(start_worker, redis_url, HEARTBEAT_MS="1000")
    for kind in KINDS:
        broker(kind, redis_url).enqueue(message(kind, "slow", "a", 60))
    eventually(lambda: all(events(redis_client, kind) == ["start a"] for kind in KINDS))
    for worker in workers.values():
        worker.kill()
    replacement = start_worker("stock", redis_url, HEARTBEAT_MS="1000").wait_ready()
    time.sleep(1.5)
    assert events(redis_client, "stock") == ["start a"]
    assert held(redis_client, "stock") == 1
    replacement.kill()

    janitor = Janitor(redis_client, heartbeat_timeout_seconds=1, dead_letter_retention_days=7)
    assert janitor.run() == {"stock": 1, "mended": 1}
    assert redis_client.llen(keys.ready("mended")) == 1
    assert held(redis_client, "mended") == 0
    assert janitor.run() == {"stock": 0, "mended": 0}
    start_worker("mended", redis_url).wait_ready()
    eventually(lambda: events(redis_client, "mended") == ["start a", "start a"])


def test_an_ack_that_a_hung_redis_did_not_answer_is_made_good(redis_server: StartRedis, start_worker: StartWorker):
    """Mend 3: a timeout counts as a lost connection; a stock worker drops the ack and its delay consumer dies.

    The hang outlasts the timeouts, which are scaled from 5 s to 2 s.
    """
    server = redis_server()
    aside = redis_server()  # so that the tasks can tell, and be told, while the queues' Redis hangs
    workers = start_both(start_worker, server.url, REDIS_TIMEOUT="2", EVENTS_URL=aside.url)
    client, told = server.client(), aside.client()
    for kind in KINDS:
        broker(kind, server.url).enqueue(message(kind, "until_told", "a"))
    eventually(lambda: all(events(told, kind) == ["start a"] for kind in KINDS))
    for kind in KINDS:
        broker(kind, server.url).enqueue(message(kind, "record", "delayed"), delay=6_000)
    eventually(lambda: all(held(client, f"{kind}.DQ") == 1 for kind in KINDS))
    server.hang()
    # then no connection of before is left, over which a dropped ack might still arrive
    eventually(lambda: said(workers["stock"], "(stock)] [CRITICAL]", "Exception in thread"))
    told.set("go", 1)
    eventually(lambda: said(workers["stock"], DROPPED) and said(workers["mended"], RETRIED))
    server.resume()
    eventually(lambda: client.hlen(keys.messages("mended")) == 0 and "delayed" in events(told, "mended"))
    assert events(told, "mended") == ["start a", "end a", "delayed"]
    assert client.hlen(keys.messages("stock")) == 1
    assert "delayed" not in events(told, "stock")


def test_a_demoted_redis_is_waited_for(redis_server: StartRedis, start_worker: StartWorker):
    """Mend 3: READONLY after a failover counts as a lost connection; a stock worker drops the ack."""
    server, aside, nobody = redis_server(), redis_server(), redis_server()
    nobody.kill()
    workers = start_both(start_worker, server.url, EVENTS_URL=aside.url)
    client, told = server.client(), aside.client()
    for kind in KINDS:
        broker(kind, server.url).enqueue(message(kind, "until_told", "a"))
    eventually(lambda: all(events(told, kind) == ["start a"] for kind in KINDS))
    client.replicaof("127.0.0.1", str(nobody.port))
    told.set("go", 1)
    eventually(lambda: said(workers["stock"], DROPPED) and said(workers["mended"], RETRIED))
    client.replicaof("NO", "ONE")
    eventually(lambda: client.hlen(keys.messages("mended")) == 0)
    assert client.hlen(keys.messages("stock")) == 1


def test_a_task_that_kills_its_worker_is_dead_lettered(
    redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker
):
    """Mend 4: after two deliveries (the setting) that ended with the worker's death a message is given up with that
    reason; stock workers die of it for ever.
    """
    deliveries = {"stock": 3, "mended": 2}
    janitor = Janitor(redis_client, heartbeat_timeout_seconds=0.3, dead_letter_retention_days=7)
    for kind in KINDS:
        broker(kind, redis_url).enqueue(message(kind, "kill_worker"))
    for round_number in range(1, 4):
        workers = [
            start_worker(kind, redis_url, HEARTBEAT_MS="300") for kind in KINDS if deliveries[kind] >= round_number
        ]
        for worker in workers:
            assert worker.wait() != 0
        eventually(lambda: janitor.run() and held(redis_client, "stock") + held(redis_client, "mended") == 0)
    assert events(redis_client, "stock") == ["killed"] * 3

    last = start_worker("mended", redis_url, HEARTBEAT_MS="300").wait_ready()
    [letter] = eventually(lambda: DeadLetterQueue(redis_client).find())
    assert (letter.queue, letter.task, letter.reason) == ("mended", "kill_worker", "kills-worker")
    assert "2 workers died" in letter.error
    assert events(redis_client, "mended") == ["killed"] * 2
    assert last.running


def test_ready_at_is_when_a_message_may_start(redis_url: str, redis_client: "redis.Redis"):
    """Mend 5: a delayed message says when it became ready; stock knows only when it was first enqueued."""
    before = time.time() * 1000
    stock, mended = (broker(kind, redis_url).enqueue(message(kind, "record", "a"), delay=60_000) for kind in KINDS)
    assert "ready_at" not in stock.options
    assert stock.message_timestamp < before + 1_000
    assert before + 60_000 <= mended.options["ready_at"] <= time.time() * 1000 + 60_000


def test_a_worker_holds_no_more_than_it_has_threads(
    redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker
):
    """Mend 6: what one pod cannot start stays in the queue for others; stock hides twice its threads."""
    for kind in KINDS:
        for number in range(6):
            broker(kind, redis_url).enqueue(message(kind, "slow", str(number), 30))
    start_both(start_worker, redis_url, threads=2)
    eventually(lambda: all(len(events(redis_client, kind)) == 2 for kind in KINDS))
    time.sleep(0.5)
    assert held(redis_client, "stock") == 4
    assert held(redis_client, "mended") == 2


def test_shutdown_gives_back_what_does_not_end_in_time(
    redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker
):
    """Mend 6: a task that outlasts the shutdown timeout is back in its queue at exit; stock leaves it in the ack set.

    What ends in time is drained, and nothing new is started meanwhile.
    """
    workers = start_both(start_worker, redis_url, shutdown_ms=5_000)
    for kind in KINDS:
        broker(kind, redis_url).enqueue(message(kind, "slow", "long", 60))
        broker(kind, redis_url).enqueue(message(kind, "slow", "short", 0.5))
    # one of them may be at the end of its short one before the other begins
    eventually(lambda: all({"start long", "start short"} <= {*events(redis_client, kind)} for kind in KINDS))
    for worker in workers.values():
        worker._process.terminate()
    eventually(lambda: all(said(worker, "Shutting down...") for worker in workers.values()))
    for kind in KINDS:
        broker(kind, redis_url).enqueue(message(kind, "record", "later"))
    eventually(lambda: redis_client.llen(keys.ready("stock")) == 0)  # taken by a worker that is about to end
    assert workers["mended"].running
    assert redis_client.llen(keys.ready("mended")) == 1  # for others to take
    assert [worker.wait() for worker in workers.values()] == [0, 0]
    assert "end short" in events(redis_client, "mended")
    assert "later" not in events(redis_client, "mended")
    assert held(redis_client, "mended") == 0
    assert redis_client.llen(keys.ready("mended")) == 2
    assert held(redis_client, "stock") == 1


def test_dead_letters_carry_their_history(redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker):
    """Mend 7: a dead letter tells task, arguments, exception, traceback, tries and times; stock stores the message as
    it was before its last try.
    """
    start_both(start_worker, redis_url)
    for kind in KINDS:
        broker(kind, redis_url).enqueue(message(kind, "fail", f"{kind}-x", 99))
    eventually(lambda: all(redis_client.zcard(keys.dead(kind)) for kind in KINDS))
    by_queue = {letter.queue: letter for letter in DeadLetterQueue(redis_client).find()}
    mended = by_queue["mended"]
    assert (mended.task, mended.args, mended.reason) == ("fail", ("mended-x", 99), "retries-exhausted")
    assert (mended.exception, mended.error) == ("TaskFailedError", "try 4 of mended-x")
    assert "in fail" in mended.traceback
    assert [failure["error"] for failure in mended.failures] == [f"try {n} of mended-x" for n in range(1, 5)]
    assert mended.attempts == 4
    times = [mended.enqueued_at, *(failure["at"] for failure in mended.failures), mended.died_at]
    assert times == sorted(times)
    assert by_queue["stock"].attempts == 3
    assert "try 4" not in by_queue["stock"].error


@pytest.mark.parametrize("kind", KINDS)
def test_either_kind_is_served_by_the_other(
    kind: str, redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker
):
    """A plain dramatiq can enqueue to our queues and serve them: the keys are the same, now and after a delay."""
    other = KINDS[1 - KINDS.index(kind)]
    enqueuer = broker(other, redis_url)
    enqueuer.enqueue(message(kind, "record", "now"))
    enqueuer.enqueue(message(kind, "record", "later"), delay=100)
    start_worker(kind, redis_url).wait_ready()
    eventually(lambda: sorted(events(redis_client, kind)) == ["later", "now"])
    eventually(lambda: unsettled(redis_client, kind) == 0)
