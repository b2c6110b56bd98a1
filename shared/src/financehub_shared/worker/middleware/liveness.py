"""Middleware that decides whether a worker process makes progress and whether it is ready.

A worker whose Redis is unavailable is not ready. That is not a reason to restart it, so it stays live.

Probes read without locks, so that no other thread can delay them. Each read copies a collection in one operation of the
interpreter, which no other thread interrupts.
"""

import logging
import math
from collections.abc import Callable

from dramatiq import Broker, Middleware, Worker
from dramatiq.worker import ConsumerThread

from financehub_shared.core.clock import Clock
from financehub_shared.worker.middleware.attempt_tracker import AttemptTracker

#: Added to a task's time limit, because dramatiq's interrupt comes up to 1 s late and takes effect when C code returns.
LIMIT_MARGIN_SECONDS = 30.0
#: A consumer polls its queue every second or, while Redis hangs, once per socket timeout.
STALL_SECONDS = 60.0
#: How the lines begin that dramatiq logs at every attempt to reach Redis again.
_REPEATED = ("Consumer encountered a connection error", "Restarting consumer in", "Failed to post_process_message")


class Liveness(Middleware):
    """Watches the consumer loops and the tasks of one dramatiq worker.

    Dramatiq has no hook for an iteration of the consumer loop. This class therefore replaces two methods of every
    `ConsumerThread`. It relies on dramatiq 2.2.1, where `run` calls `handle_delayed_messages` in every iteration of its
    loop and `close` in its error path. tests/integration/observability/test_progress.py fails if that changes.

    Args:
        attempts: Attempts in progress in this process.
        clock: Measures the time between iterations.
        redis_problems: Returns the reasons why Redis cannot be used, which a restart does not change.
    """

    def __init__(self, attempts: AttemptTracker, clock: Clock, redis_problems: Callable[[], list[str]] = list) -> None:
        self._attempts = attempts
        self._clock = clock
        self._redis_problems = redis_problems
        self._worker: Worker | None = None
        self._last_turns: dict[str, float] = {}
        #: Monotonic time at which a probe last found that Redis could not be used.
        self._blocked_at = -math.inf
        #: Queues whose consumer has not received a reply from Redis since it was opened.
        self._disconnected: set[str] = set()
        #: Logger and beginning of the lines of an outage that are logged.
        self._logged: set[tuple[str, str]] = set()

    def after_consumer_thread_boot(self, broker: Broker, thread: ConsumerThread) -> None:
        queue = thread.queue_name
        thread.logger.addFilter(self._is_news)
        thread.handle_delayed_messages = self._recording(queue, thread.handle_delayed_messages, connected=True)  # type: ignore[method-assign]
        thread.close = self._recording(queue, thread.close, connected=False)  # type: ignore[method-assign]
        self.record_turn(queue, connected=False)

    def _recording(self, queue: str, method: Callable[[], None], *, connected: bool) -> Callable[[], None]:
        def wrapper() -> None:
            self.record_turn(queue, connected=connected)
            method()

        return wrapper

    def _is_news(self, record: logging.LogRecord) -> bool:
        """Whether to log a line of a consumer thread. During an outage, dramatiq repeats some every few seconds."""
        line = next((begin for begin in _REPEATED if str(record.msg).startswith(begin)), None)
        if line is None:
            return True
        is_news = (record.name, line) not in self._logged
        self._logged.add((record.name, line))
        return is_news

    def record_turn(self, queue: str, *, connected: bool) -> None:
        """Record one iteration of a consumer's loop.

        Args:
            queue: Name of its queue.
            connected: Whether Redis replied in this iteration.
        """
        self._last_turns[queue] = self._clock.monotonic()
        (self._disconnected.discard if connected else self._disconnected.add)(queue)
        if connected:
            # Other consumers add to the set meanwhile, so it is copied first and never replaced.
            for key in tuple(self._logged):
                if key[0].endswith(f"({queue})"):
                    self._logged.discard(key)

    def last_turns(self) -> dict[str, float]:
        """Return queue → time of its consumer loop's last iteration, in monotonic seconds."""
        return dict(self._last_turns)

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self._worker = worker

    def ready(self) -> list[str]:
        """Return the reasons why the worker does not take messages; empty if it does."""
        if self._attempts.draining:
            return ["draining: the worker finishes its messages and does not take new ones"]
        if self._worker is None:
            return ["starting: the worker has not booted"]
        if reasons := self._redis_problems():
            return reasons
        return [
            f"the consumer of {queue} has no connection to Redis; see the log for the reason"
            for queue in sorted(self._disconnected)
        ]

    def live(self) -> list[str]:
        """Return the reasons why the process should be restarted; empty if it should not."""
        now = self._clock.monotonic()
        problems = [
            f"{attempt.task} has run for {now - attempt.started:.0f} s; its limit is {attempt.time_limit:.0f} s"
            for attempt in self._attempts.running()
            if now - attempt.started > attempt.time_limit + LIMIT_MARGIN_SECONDS
        ]
        if self._worker is None or self._attempts.draining:
            return problems
        # A consumer that acknowledges a message repeats that until Redis can be used, without another iteration.
        if self._redis_problems():
            self._blocked_at = now
        problems += [
            f"the consumer of {queue} has been stalled for {now - at:.0f} s"
            for queue, at in self.last_turns().items()
            if now - max(at, self._blocked_at) > STALL_SECONDS
        ]
        threads = [*self._worker.workers, *self._worker.consumers.values()]
        problems += [f"thread {thread.name} has died" for thread in threads if not thread.is_alive()]
        return problems
