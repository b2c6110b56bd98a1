"""Tests of the fixes of ADR 0006. Each exposes a stock worker and a fixed worker to the same fault."""

import time
from collections.abc import Callable

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.broker.janitor import Janitor
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.build import build_broker
from support.redis_server import RedisServer
from support.workers import WorkerProcess, events, eventually_despite_outage, message, unsettled

pytestmark = pytest.mark.faults

KINDS = ("stock", "fixed")
StartWorker = Callable[..., WorkerProcess]
StartRedis = Callable[..., RedisServer]
# Dramatiq's log lines for an ack that it gives up, and for one that it repeats.
DROPPED, RETRIED = "Unhandled error during post_process_message", "Failed to post_process_message"


def broker(kind: str, url: str) -> dramatiq.Broker:
    """Return a broker of the given kind for enqueueing."""
    return RedisBroker(url=url) if kind == "stock" else build_broker(Settings(redis_url=url))


def start_both(start_worker: StartWorker, url: str, **options: object) -> dict[str, WorkerProcess]:
    """Start one worker of each kind and wait until both are ready."""
    workers = {kind: start_worker(kind, url, **options) for kind in KINDS}
    for worker in workers.values():
        worker.wait_ready()
    return workers


def logged(worker: WorkerProcess, *texts: str) -> bool:
    """Whether a worker's log contains all of these strings."""
    log = worker.log.read_text()
    return all(text in log for text in texts)


def held(client: "redis.Redis", queue: str) -> int:
    """Return the number of a queue's messages in ack sets."""
    return sum(client.scard(key) for key in client.keys(f"{keys.NAMESPACE}:__acks__.*.{queue}"))


def test_delayed_message_survives_an_outage_of_redis(redis_server: StartRedis, start_worker: StartWorker):
    """Fix 1: a delayed message runs after an outage. In a stock worker it stays in the ack set forever."""
    server = redis_server()
    workers = start_both(start_worker, server.url)
    for kind in KINDS:
        broker(kind, server.url).enqueue(message(kind, "record", "late"), delay=12_000)
    client = server.client()
    eventually_despite_outage(lambda: all(held(client, f"{kind}.DQ") == 1 for kind in KINDS))
    server.kill()
    eventually_despite_outage(
        lambda: all(logged(worker, f"({kind}.DQ)] [CRITICAL]") for kind, worker in workers.items())
    )
    server.start()
    eventually_despite_outage(lambda: events(client, "fixed") == ["late"])
    time.sleep(1)
    assert events(client, "stock") == []
    assert held(client, "stock.DQ") == 1
    assert all(worker.running for worker in workers.values())


def test_messages_of_a_killed_worker_are_reclaimed(
    redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker
):
    """Fix 2: the janitor reclaims the messages of dead workers, even with no worker alive. Stock workers do this only
    by chance.
    """
    workers = start_both(start_worker, redis_url, HEARTBEAT_MS="1000")
    for kind in KINDS:
        broker(kind, redis_url).enqueue(message(kind, "slow", "a", 60))
    eventually_despite_outage(lambda: all(events(redis_client, kind) == ["start a"] for kind in KINDS))
    for worker in workers.values():
        worker.kill()
    replacement = start_worker("stock", redis_url, HEARTBEAT_MS="1000").wait_ready()
    time.sleep(1.5)
    assert events(redis_client, "stock") == ["start a"]
    assert held(redis_client, "stock") == 1
    replacement.kill()

    janitor = Janitor(redis_client, heartbeat_timeout_seconds=1, dead_letter_retention_days=7, recovery_seconds=0)
    assert janitor.run() == {"stock": 1, "fixed": 1}
    assert redis_client.llen(keys.ready("fixed")) == 1
    assert held(redis_client, "fixed") == 0
    assert janitor.run() == {"stock": 0, "fixed": 0}
    start_worker("fixed", redis_url).wait_ready()
    eventually_despite_outage(lambda: events(redis_client, "fixed") == ["start a", "start a"])


def test_ack_without_a_reply_of_a_hung_redis_is_repeated(redis_server: StartRedis, start_worker: StartWorker):
    """Fix 3: a timeout counts as a lost connection. A stock worker drops the ack and its delay consumer dies. The hang
    outlasts the timeouts, which are reduced from 5 s to 2 s.
    """
    server = redis_server()
    events_server = redis_server()  # The tasks and the test communicate through this Redis while the queue Redis hangs.
    workers = start_both(start_worker, server.url, REDIS_TIMEOUT="2", EVENTS_URL=events_server.url)
    client, events_client = server.client(), events_server.client()
    for kind in KINDS:
        broker(kind, server.url).enqueue(message(kind, "until_go", "a"))
    eventually_despite_outage(lambda: all(events(events_client, kind) == ["start a"] for kind in KINDS))
    for kind in KINDS:
        broker(kind, server.url).enqueue(message(kind, "record", "delayed"), delay=12_000)
    eventually_despite_outage(lambda: all(held(client, f"{kind}.DQ") == 1 for kind in KINDS))
    server.hang()
    # This closes earlier connections, over which a dropped ack might still arrive.
    eventually_despite_outage(lambda: logged(workers["stock"], "(stock)] [CRITICAL]", "Exception in thread"))
    events_client.set("go", 1)
    eventually_despite_outage(lambda: logged(workers["stock"], DROPPED) and logged(workers["fixed"], RETRIED))
    server.resume()
    eventually_despite_outage(
        lambda: client.hlen(keys.messages("fixed")) == 0 and "delayed" in events(events_client, "fixed")
    )
    assert events(events_client, "fixed") == ["start a", "end a", "delayed"]
    assert client.hlen(keys.messages("stock")) == 1
    assert "delayed" not in events(events_client, "stock")


def test_ack_to_a_demoted_redis_is_repeated(redis_server: StartRedis, start_worker: StartWorker):
    """Fix 3: READONLY after a failover counts as a lost connection. A stock worker drops the ack."""
    server, events_server, dead_primary = redis_server(), redis_server(), redis_server()
    dead_primary.kill()
    workers = start_both(start_worker, server.url, EVENTS_URL=events_server.url)
    client, events_client = server.client(), events_server.client()
    for kind in KINDS:
        broker(kind, server.url).enqueue(message(kind, "until_go", "a"))
    eventually_despite_outage(lambda: all(events(events_client, kind) == ["start a"] for kind in KINDS))
    client.replicaof("127.0.0.1", str(dead_primary.port))
    events_client.set("go", 1)
    eventually_despite_outage(lambda: logged(workers["stock"], DROPPED) and logged(workers["fixed"], RETRIED))
    client.replicaof("NO", "ONE")
    eventually_despite_outage(lambda: client.hlen(keys.messages("fixed")) == 0)
    assert client.hlen(keys.messages("stock")) == 1


def test_task_that_kills_its_worker_is_dead_lettered(
    redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker
):
    """Fix 4: after two deliveries (the setting) during which the worker died, a message is dead-lettered with that
    reason. Without the fix it keeps killing stock workers.
    """
    deliveries = {"stock": 3, "fixed": 2}
    janitor = Janitor(redis_client, heartbeat_timeout_seconds=0.3, dead_letter_retention_days=7, recovery_seconds=0)
    for kind in KINDS:
        broker(kind, redis_url).enqueue(message(kind, "kill_worker"))
    for round_number in range(1, 4):
        workers = [
            start_worker(kind, redis_url, HEARTBEAT_MS="300") for kind in KINDS if deliveries[kind] >= round_number
        ]
        for worker in workers:
            assert worker.wait() != 0
        eventually_despite_outage(
            lambda: janitor.run() and held(redis_client, "stock") + held(redis_client, "fixed") == 0
        )
    assert events(redis_client, "stock") == ["killed"] * 3

    last = start_worker("fixed", redis_url, HEARTBEAT_MS="300").wait_ready()
    [letter] = eventually_despite_outage(lambda: DeadLetterQueue(redis_client).find())
    assert (letter.queue, letter.task, letter.reason) == ("fixed", "kill_worker", "kills-worker")
    assert "2 workers died" in letter.error
    assert events(redis_client, "fixed") == ["killed"] * 2
    assert last.running


def test_ready_at_of_a_delayed_message_is_when_it_may_start(redis_url: str, redis_client: "redis.Redis"):
    """Fix 5: a delayed message carries the time at which it became ready. Stock messages carry only their first enqueue
    time.
    """
    before = time.time() * 1000
    stock, fixed = (broker(kind, redis_url).enqueue(message(kind, "record", "a"), delay=60_000) for kind in KINDS)
    assert "ready_at" not in stock.options
    assert stock.message_timestamp < before + 30_000
    # the time is that of Redis, which is measured to a few milliseconds
    assert before + 59_000 <= fixed.options["ready_at"] <= time.time() * 1000 + 61_000


def test_worker_holds_at_most_one_message_per_thread(
    redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker
):
    """Fix 6: messages that one pod cannot start stay in the queue for others. A stock worker holds twice its
    threads.
    """
    for kind in KINDS:
        for number in range(6):
            broker(kind, redis_url).enqueue(message(kind, "slow", str(number), 30))
    start_both(start_worker, redis_url, threads=2)
    eventually_despite_outage(lambda: all(len(events(redis_client, kind)) == 2 for kind in KINDS))
    eventually_despite_outage(lambda: held(redis_client, "stock") == 4)
    time.sleep(0.5)
    assert held(redis_client, "fixed") == 2


def test_shutdown_requeues_unfinished_messages(redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker):
    """Fix 6: a task that outlasts the shutdown timeout is requeued at exit. Stock dramatiq leaves it in the ack set.
    Tasks that end in time are drained, and no new task starts meanwhile.
    """
    workers = start_both(start_worker, redis_url, shutdown_ms=15_000)
    for kind in KINDS:
        broker(kind, redis_url).enqueue(message(kind, "slow", "long", 60))
        broker(kind, redis_url).enqueue(message(kind, "slow", "short", 0.5))
    # One worker may have ended its short task before the other starts.
    eventually_despite_outage(
        lambda: all({"start long", "start short"} <= {*events(redis_client, kind)} for kind in KINDS)
    )
    for worker in workers.values():
        worker._process.terminate()
    eventually_despite_outage(lambda: all(logged(worker, "Shutting down...") for worker in workers.values()))
    for kind in KINDS:
        broker(kind, redis_url).enqueue(message(kind, "record", "later"))
    # The worker that fetches the message is about to exit.
    eventually_despite_outage(lambda: redis_client.llen(keys.ready("stock")) == 0)
    assert workers["fixed"].running
    assert redis_client.llen(keys.ready("fixed")) == 1  # left for other workers
    assert [worker.wait() for worker in workers.values()] == [0, 0]
    assert "end short" in events(redis_client, "fixed")
    assert "later" not in events(redis_client, "fixed")
    assert held(redis_client, "fixed") == 0
    assert redis_client.llen(keys.ready("fixed")) == 2
    assert held(redis_client, "stock") == 1


def test_dead_letter_carries_its_history(redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker):
    """Fix 7: a dead letter contains the task, arguments, exception, attempts and timestamps. Stock dramatiq stores the
    message as it was before its last attempt.
    """
    start_both(start_worker, redis_url)
    for kind in KINDS:
        broker(kind, redis_url).enqueue(message(kind, "fail", f"{kind}-x", 99))
    eventually_despite_outage(lambda: all(redis_client.zcard(keys.dead(kind)) for kind in KINDS))
    by_queue = {letter.queue: letter for letter in DeadLetterQueue(redis_client).find()}
    fixed = by_queue["fixed"]
    assert (fixed.task, fixed.args, fixed.reason) == ("fail", ("fixed-x", 99), "retries-exhausted")
    assert (fixed.exception, fixed.error) == ("TaskFailedError", "attempt 4 of fixed-x")
    # a FinanceHubError says everything in its message
    assert fixed.traceback == "TaskFailedError: attempt 4 of fixed-x"
    assert [failure["error"] for failure in fixed.failures] == [f"attempt {n} of fixed-x" for n in range(1, 5)]
    assert fixed.attempts == 4
    # The time of the enqueue comes from another process, which measures the time of Redis by itself.
    times = [fixed.enqueued_at - 5, *(failure["at"] for failure in fixed.failures), fixed.died_at]
    assert times == sorted(times)
    assert by_queue["stock"].attempts == 3
    assert "attempt 4" not in by_queue["stock"].error


@pytest.mark.parametrize("kind", KINDS)
def test_stock_and_fixed_processes_serve_each_other(
    kind: str, redis_url: str, redis_client: "redis.Redis", start_worker: StartWorker
):
    """Plain dramatiq can enqueue to our queues and serve them, because the keys are the same, even after a delay."""
    other = KINDS[1 - KINDS.index(kind)]
    enqueuer = broker(other, redis_url)
    enqueuer.enqueue(message(kind, "record", "now"))
    enqueuer.enqueue(message(kind, "record", "later"), delay=100)
    start_worker(kind, redis_url).wait_ready()
    eventually_despite_outage(lambda: sorted(events(redis_client, kind)) == ["later", "now"])
    eventually_despite_outage(lambda: unsettled(redis_client, kind) == 0)
