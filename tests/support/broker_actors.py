"""The actors of the worker processes in the broker tests (`dramatiq support.broker_actors`).

Environment: BROKER_KIND (`stock` or `fixed`, which is also the name of the queue), BROKER_URL, HEARTBEAT_MS,
REDIS_TIMEOUT, EVENTS_URL. Every actor appends to the list `<queue>:events` over a separate connection that survives
outages.
"""

import logging
import os
import signal
import threading
import time
from typing import Any

import dramatiq
import dramatiq.worker
import redis
from dramatiq.brokers.redis import RedisBroker

from financehub_shared.core.errors import TaskFailedError
from financehub_shared.core.settings import Settings
from financehub_shared.redis.client import connect
from financehub_shared.worker.build import build_broker

# Dramatiq has no setting for this interval. It is reduced like the other intervals of these tests.
dramatiq.worker.POST_PROCESS_MESSAGE_RETRY_DELAY_SECS = 0.3

KIND = os.environ["BROKER_KIND"]
URL = os.environ["BROKER_URL"]
HEARTBEAT_MS = int(os.environ.get("HEARTBEAT_MS", "60000"))
REDIS_TIMEOUT = float(os.environ.get("REDIS_TIMEOUT", "5"))

broker: dramatiq.Broker
if KIND == "stock":
    broker = RedisBroker(
        client=redis.Redis.from_url(URL, socket_timeout=REDIS_TIMEOUT),
        heartbeat_timeout=HEARTBEAT_MS,
        maintenance_chance=0,  # Otherwise one command in a thousand would reclaim messages of dead workers.
    )
else:
    broker = build_broker(
        Settings(
            redis_url=URL,
            heartbeat_timeout_seconds=HEARTBEAT_MS / 1000,
            max_deliveries=2,
            retry_min_seconds=0.2,
            dramatiq_retry_backoff=False,
        ),
        tier="high",
        client=connect(URL, retries=0, timeout=REDIS_TIMEOUT),
    )
dramatiq.set_broker(broker)
_events = connect(os.environ.get("EVENTS_URL", URL))


def record_event(event: str) -> None:
    """Record an event for the test."""
    _events.rpush(f"{KIND}:events", event)


def actor(fn: Any) -> Any:
    """Declare an actor on this broker kind's queue."""
    return dramatiq.actor(fn, queue_name=KIND, min_backoff=200, max_backoff=200, max_retries=3)


@actor
def record(tag: str) -> None:
    """Record that the task ran."""
    record_event(tag)


@actor
def slow(tag: str, seconds: float) -> None:
    """Record the start, work, and record the end."""
    record_event(f"start {tag}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.02)
    record_event(f"end {tag}")


@actor
def until_go(tag: str) -> None:
    """Record the start, work until the key `go` exists, and record the end."""
    record_event(f"start {tag}")
    while not _events.exists("go"):
        time.sleep(0.02)
    record_event(f"end {tag}")


class _Booted(logging.Handler):
    """Sets an event when dramatiq logs that its parent process knows about the boot of this process."""

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "ready for action" in record.getMessage():
            self.event.set()


_booted = _Booted()
logging.getLogger("dramatiq").addHandler(_booted)


@actor
def kill_worker() -> None:
    """Kill the worker, as the kernel does if a task uses too much memory.

    This waits until the boot is complete. A child that dies while it reports the boot to its parent holds a lock for
    which the parent would wait forever.
    """
    _booted.event.wait(20)
    record_event("killed")
    os.kill(os.getpid(), signal.SIGKILL)


@actor
def fail(tag: str, times: int) -> None:
    """Fail `times` times, then succeed."""
    attempt = _events.incr(f"attempts:{tag}")
    if attempt <= times:
        record_event(f"fail {tag}")
        raise TaskFailedError(f"attempt {attempt} of {tag}")
    record_event(f"end {tag}")
