"""Messages, queues and workers behave as in dramatiq."""

import time
from datetime import timedelta
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import QueueJoinTimeout
from dramatiq.middleware import Shutdown

from financehub_shared.redis import queue_keys as keys
from support.waiting import eventually


def test_actor_can_be_called_sent_and_described(broker: RedisBroker):
    """A declared actor is a function, and `send` returns the message that is stored."""
    add = dramatiq.actor(lambda x, y=2: x + y, actor_name="add", queue_name="sums", priority=3)
    assert (add(1), add.queue_name, add.priority, str(add)) == (3, "sums", 3, "Actor(add)")
    message = add.send(1, y=5)
    assert (message.queue_name, message.actor_name, message.args, message.kwargs) == ("sums", "add", (1,), {"y": 5})
    assert broker.get_declared_queues() == {"sums"}
    assert broker.get_declared_actors() == {"add"}
    assert broker.get_declared_delay_queues() == {"sums.DQ"}
    [data] = broker.client.hvals(keys.messages("sums"))
    assert dramatiq.Message.decode(data) == message


def test_actor_with_a_taken_name_or_an_invalid_queue_is_refused(broker: RedisBroker):
    """As in dramatiq, both are errors at the declaration."""
    dramatiq.actor(lambda: None, actor_name="task")
    with pytest.raises(ValueError, match="already registered"):
        dramatiq.actor(lambda: None, actor_name="task")
    with pytest.raises(ValueError, match="Queue names must"):
        dramatiq.actor(lambda: None, actor_name="other", queue_name="$2@!@#")


@pytest.mark.parametrize("delay", [200, timedelta(milliseconds=200)], ids=["ms", "timedelta"])
def test_delayed_message_runs_when_it_is_due(broker: RedisBroker, working: Any, delay: Any):
    """A delayed message waits in its delay queue until its time."""
    runs: list[float] = []
    task = dramatiq.actor(lambda: runs.append(time.monotonic()), actor_name="task")
    with working(broker):
        start = time.monotonic()
        assert task.send_with_options(delay=delay).queue_name == "default.DQ"
    (run,) = runs
    assert run - start >= 0.195  # due times are whole milliseconds


def test_delayed_message_delays_no_other(broker: RedisBroker):
    """A message that is sent later runs while a delayed one waits."""
    runs: list[str] = []
    task = dramatiq.actor(runs.append, actor_name="task")
    worker = dramatiq.Worker(broker, worker_timeout=20, worker_threads=2)
    worker.start()
    try:
        task.send_with_options(args=("late",), delay=3_600_000)
        task.send("now")
        eventually(lambda: runs)
    finally:
        worker.stop()
    assert runs == ["now"]


def test_fetched_messages_run_by_priority(broker: RedisBroker, working: Any):
    """Of the messages that a worker has fetched, those with the lower number run first."""
    runs: list[str] = []
    dramatiq.actor(lambda: runs.append("high"), actor_name="high", priority=0)
    dramatiq.actor(lambda: runs.append("low"), actor_name="low", priority=10)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=20)
    worker.queue_prefetch = 6
    worker.start()
    try:
        for thread in worker.workers:
            thread.pause()
            thread.paused_event.wait()
        for _ in range(3):
            broker.get_actor("low").send()
            broker.get_actor("high").send()
        eventually(lambda: worker.work_queue.qsize() == 6)
        worker.resume()
        broker.join("default", timeout=30_000)
    finally:
        worker.stop()
    assert runs == ["high"] * 3 + ["low"] * 3


def test_join_waits_for_delayed_and_running_messages(broker: RedisBroker):
    """`join` returns when a queue and its delay queue are empty, or raises after its timeout."""
    task = dramatiq.actor(lambda: None, actor_name="task")
    broker.join("default", timeout=100)
    task.send_with_options(delay=60_000)
    with pytest.raises(QueueJoinTimeout):
        broker.join("default", timeout=150)


@pytest.mark.parametrize("everything", [False, True])
def test_flush_drops_messages_and_dead_letters(
    broker: RedisBroker, working: Any, redis_client: "redis.Redis", everything: bool
):
    """`flush` empties a queue with its delay queue and dead letters, and `flush_all` all declared queues."""

    def fail() -> None:
        raise ValueError("broken")

    task = dramatiq.actor(fail, max_retries=0)
    other = dramatiq.actor(lambda: None, actor_name="other", queue_name="other")
    with working(broker):
        task.send()
    task.send()
    task.send_with_options(delay=60_000)
    other.send()
    broker.flush_all() if everything else broker.flush("default")
    left = {key for key in redis_client.keys("*") if key != keys.HEARTBEATS.encode()}
    assert left == (set() if everything else {b"dramatiq:other", b"dramatiq:other.msgs"})


def test_unknown_actor_is_dead_lettered(broker: RedisBroker, working: Any, redis_client: "redis.Redis"):
    """A message for which no actor is declared becomes a dead letter, and others run."""
    runs: list[int] = []
    dramatiq.actor(lambda: runs.append(1), actor_name="task")
    with working(broker):
        broker.enqueue(dramatiq.Message("default", "gone", (), {}, {}))
        broker.get_actor("task").send()
    assert (runs, redis_client.zcard(keys.dead("default"))) == ([1], 1)


def test_workers_may_follow_each_other_on_one_broker(broker: RedisBroker, working: Any):
    """A test suite may start a worker for each test, with one broker for all of them."""
    runs: list[int] = []
    task = dramatiq.actor(runs.append, actor_name="task")
    for number in range(3):
        with working(broker):
            task.send(number)
    assert runs == [0, 1, 2]


def test_worker_of_some_queues_leaves_the_others(broker: RedisBroker):
    """A worker that is limited to one queue does not fetch from another that its process declares."""
    runs: list[str] = []
    mine = dramatiq.actor(lambda: runs.append("mine"), actor_name="mine", queue_name="mine")
    dramatiq.actor(lambda: runs.append("other"), actor_name="other", queue_name="other").send()
    worker = dramatiq.Worker(broker, queues={"mine"}, worker_timeout=20, worker_threads=2)
    worker.start()
    try:
        mine.send()
        broker.join("mine", timeout=30_000)
    finally:
        worker.stop()
    assert (runs, broker.do_qsize("other")) == (["mine"], 1)


def test_paused_worker_fetches_nothing(broker: RedisBroker):
    """A paused worker leaves messages in their queue until it is resumed."""
    runs: list[int] = []
    task = dramatiq.actor(lambda: runs.append(1), actor_name="task")
    worker = dramatiq.Worker(broker, worker_timeout=20, worker_threads=2)
    worker.start()
    try:
        worker.pause()
        task.send()
        with pytest.raises(QueueJoinTimeout):
            broker.join("default", timeout=200)
        assert runs == []
        worker.resume()
        broker.join("default", timeout=30_000)
    finally:
        worker.stop()
    assert runs == [1]


def test_shutdown_interrupts_tasks_that_ask_for_it(broker: RedisBroker, redis_client: "redis.Redis"):
    """A task with `notify_shutdown` gets `Shutdown` when its worker stops, and its message runs again later."""
    seen: list[str] = []

    def task() -> None:
        try:
            seen.append("started")
            for _ in range(3_000):
                time.sleep(0.01)
        except Shutdown:
            seen.append("interrupted")
            raise

    dramatiq.actor(task, notify_shutdown=True, max_retries=1, min_backoff=1, max_backoff=1).send()
    worker = dramatiq.Worker(broker, worker_timeout=20, worker_threads=1)
    worker.start()
    eventually(lambda: seen)
    worker.stop(timeout=10_000)
    assert seen == ["started", "interrupted"]
    assert redis_client.llen(keys.ready("default")) + redis_client.llen(keys.ready("default.DQ")) == 1
