"""Real worker processes with the stock or the fixed broker, which a test may kill."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import dramatiq
import redis

from financehub_shared.redis import queue_keys as keys
from support.processes import end, launch
from support.waiting import eventually

T = TypeVar("T")

TESTS = Path(__file__).parents[1]


class WorkerProcess:
    """A `dramatiq support.broker_actors` process in its own process group.

    Args:
        kind: `stock` or `fixed`, which is also the name of the queue.
        url: URL of the queue Redis.
        log: File for the output.
        environment: Additional variables for `support.broker_actors`.
    """

    def __init__(
        self, kind: str, url: str, log: Path, *, threads: int = 2, shutdown_ms: int = 5_000, **environment: str
    ) -> None:
        self.kind = kind
        self.log = log
        with log.open("ab") as output:
            self._process = launch(
                [
                    *(sys.executable, "-m", "dramatiq", "support.broker_actors", "-p", "1", "-t", str(threads)),
                    *("--worker-shutdown-timeout", str(shutdown_ms)),
                ],
                env=os.environ
                | {"PYTHONPATH": str(TESTS), "BROKER_KIND": kind, "BROKER_URL": url, "dramatiq_restart_delay": "200"}
                | environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether the parent process runs."""
        return self._process.poll() is None

    def wait_ready(self) -> "WorkerProcess":
        """Wait until the worker consumes, and return self."""
        eventually(lambda: "ready for action" in self.log.read_text(), "the worker is ready")
        return self

    def kill(self) -> None:
        """Send SIGKILL to parent and child, as the kernel does to a container that is out of memory."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self, timeout: float = 60) -> int:
        """Send SIGTERM, as the kubelet does, and return the exit code."""
        self._process.terminate()
        return self._process.wait(timeout)

    def wait(self, timeout: float = 60) -> int:
        """Wait until the process exits by itself, and return the exit code."""
        return self._process.wait(timeout)

    def stop(self) -> None:
        """Stop the process in any state."""
        end(self._process)


def eventually_despite_outage(condition: Callable[[], T], within: float = 90.0) -> T:
    """Wait like `eventually`. While Redis is unavailable, the condition does not hold."""
    return eventually(condition, within=within, ignored=redis.RedisError)


def message(kind: str, actor: str, *args: Any, **options: Any) -> "dramatiq.Message[Any]":
    """Return a message for an actor of `support.broker_actors`."""
    return dramatiq.Message(queue_name=kind, actor_name=actor, args=args, kwargs={}, options=options)


def unsettled(client: "redis.Redis", queue: str) -> int:
    """Return the current number of messages of a queue, including delayed ones."""
    with client.pipeline() as pipeline:
        return sum(pipeline.hlen(keys.messages(queue)).hlen(keys.messages(f"{queue}.DQ")).execute())


def events(client: "redis.Redis", kind: str) -> list[str]:
    """Return the events that the actors of the given kind have recorded so far."""
    return [event.decode() for event in client.lrange(f"{kind}:events", 0, -1)]
