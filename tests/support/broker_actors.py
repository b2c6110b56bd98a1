"""What the worker processes of the broker's tests run: `dramatiq support.broker_actors`.

Environment: BROKER_KIND `stock` or `mended`, which also names the queue; BROKER_URL; HEARTBEAT_MS; REDIS_TIMEOUT.
Every actor appends to the list `<queue>:events`, over a connection of its own that outlasts outages.
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

# dramatiq has no setting for it; scaled down with the other times of these tests
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
        maintenance_chance=0,  # one command in a thousand would give back what dead workers held
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


def note(event: str) -> None:
    """Tell the test."""
    _events.rpush(f"{KIND}:events", event)


def actor(fn: Any) -> Any:
    """An actor on the queue of this kind."""
    return dramatiq.actor(fn, queue_name=KIND, min_backoff=200, max_backoff=200, max_retries=3)


@actor
def record(tag: str) -> None:
    """Tell that it ran."""
    note(tag)


@actor
def slow(tag: str, seconds: float) -> None:
    """Tell the start, work, tell the end."""
    note(f"start {tag}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.02)
    note(f"end {tag}")


@actor
def until_told(tag: str) -> None:
    """Tell the start, work until the key `go` is there, tell the end."""
    note(f"start {tag}")
    while not _events.exists("go"):
        time.sleep(0.02)
    note(f"end {tag}")


class _Booted(logging.Handler):
    """Notices the line that dramatiq's command line logs once its parent process knows that this one has booted."""

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
    """What the kernel does to a task that takes all memory.

    Not before the boot is over: a child killed while it tells its parent so leaves a lock taken, and the parent waits
    for that lock for good.
    """
    _booted.event.wait(20)
    note("killed")
    os.kill(os.getpid(), signal.SIGKILL)


@actor
def fail(tag: str, times: int) -> None:
    """Fail so many times, then succeed."""
    tries = _events.incr(f"tries:{tag}")
    if tries <= times:
        note(f"fail {tag}")
        raise TaskFailedError(f"try {tries} of {tag}")
    note(f"end {tag}")
