"""Messages that follow a run are not lost while Redis is away at the end of the run."""

import threading
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends import StubBackend

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.build import build_broker
from support.redis_server import RedisServer
from support.waiting import eventually

pytestmark = pytest.mark.faults

Serve = Callable[..., Any]


@pytest.mark.parametrize("follow_up", ["on_success", "on_failure", "on_retry_exhausted", "retry", "pipeline", "group"])
def test_follow_up_of_a_run_survives_an_outage_at_its_end(
    redis_server: Callable[..., RedisServer], serving: Serve, follow_up: str
):
    """Redis dies while the task runs. What follows the run is enqueued when it is back, and the run is not repeated
    (F20).
    """
    server = redis_server()
    broker = build_broker(Settings(redis_url=server.url, retry_min_seconds=0.1, retry_max_seconds=0.2), tier="high")
    broker.add_middleware(GroupCallbacks(StubBackend()))
    runs: list[int] = []
    followed: list[int] = []
    killed = threading.Event()

    def task() -> None:
        runs.append(1)
        if len(runs) == 1:
            server.kill()
            killed.set()
        if follow_up in {"on_failure", "on_retry_exhausted"} or (follow_up == "retry" and len(runs) == 1):
            raise ValueError("broken")

    first = dramatiq.actor(task, broker=broker, queue_name="high", max_retries=1 if follow_up == "retry" else 0)
    after = dramatiq.actor(lambda *_: followed.append(1), actor_name="after", broker=broker, queue_name="high")
    if follow_up == "pipeline":
        dramatiq.pipeline([first.message(), after.message()], broker=broker).run()
    elif follow_up == "group":
        jobs = dramatiq.group([first.message()], broker=broker)
        jobs.add_completion_callback(after.message())
        jobs.run()
    else:
        first.send_with_options(**({} if follow_up == "retry" else {follow_up: "after"}))
    with serving(broker):
        assert killed.wait(30)
        server.start()
        eventually(lambda: runs[1:] if follow_up == "retry" else followed)
        eventually(lambda: broker.do_qsize("high") == 0, ignored=(dramatiq.ConnectionClosed,))
    with server.client() as client:
        assert (len(runs), len(followed)) == ((2, 0) if follow_up == "retry" else (1, 1))
        failed = follow_up in {"on_failure", "on_retry_exhausted"}
        assert len(DeadLetterQueue(client).find()) == (1 if failed else 0)
        assert client.hlen(keys.messages("high")) == 0
