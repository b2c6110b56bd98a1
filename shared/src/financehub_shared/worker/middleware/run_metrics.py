"""Middleware that counts messages, waits, busy threads, retries and dead letters for Prometheus."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from dramatiq import Broker, Message, MessageProxy, Middleware, Worker
from dramatiq.common import q_name

from financehub_shared.broker import options
from financehub_shared.broker.message import ready_at
from financehub_shared.core.catalog import wait_target
from financehub_shared.core.clock import Clock
from financehub_shared.core.exception_text import exception_name
from financehub_shared.metrics import Metrics
from financehub_shared.metrics.label_limit import LabelLimit
from financehub_shared.monitor.run_outcome import is_of_unknown_task, outcome_of, outcome_of_skip
from financehub_shared.monitor.run_state import UNKNOWN_TASK, RunState
from financehub_shared.worker.middleware.attempt_tracker import AttemptTracker
from financehub_shared.worker.middleware.stamps import is_move

#: Possible outcomes of an attempt in a worker. Their series exist from the start, because `rate()` misses the event
#: that creates a series.
_OUTCOMES = (RunState.SUCCEEDED, RunState.RETRYING, RunState.SKIPPED, RunState.DEAD_LETTERED, RunState.QUEUED)


class RunMetrics(Middleware):
    """Counts in the `Metrics` registry; gauges are computed when Prometheus scrapes.

    Args:
        metrics: Metrics of the process.
        attempts: Attempts in progress in this process.
        clock: Measures durations and waits.
    """

    def __init__(self, metrics: Metrics, attempts: AttemptTracker, clock: Clock) -> None:
        self._metrics = metrics
        self._attempts = attempts
        self._clock = clock
        #: Queues and tasks with their own series. Names in messages come from anyone who can write to Redis.
        self._limit = LabelLimit()
        self._exceptions = LabelLimit()
        # Each call to `labels` costs a lock and a lookup, so the children are cached.
        self._wait: Callable[..., Any] = cache(metrics.message_wait.labels)
        self._duration: Callable[..., Any] = cache(metrics.message_duration.labels)
        self._ended: Callable[..., Any] = cache(metrics.attempts_ended.labels)
        self._started: Callable[..., Any] = cache(metrics.messages_started.labels)
        self._started_late: Callable[..., Any] = cache(metrics.messages_started_late.labels)
        self._enqueued: Callable[..., Any] = cache(metrics.messages_enqueued.labels)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self._metrics.worker_draining.set_function(lambda: float(self._attempts.draining))
        for queue in self._attempts.queues:
            self._metrics.worker_slots.labels(queue).set(self._attempts.threads)
            self._metrics.worker_slots_busy.labels(queue).set_function(_busy(self._attempts, queue))
        for name, actor in broker.actors.items():
            self._metrics.longest_running.labels(name).set_function(_longest(self._attempts, name, self._clock))
            self._metrics.message_time_limit.labels(name).set(self._attempts.time_limit_of(actor))
            self._limit.reserve(actor.queue_name, name)
            self._started(actor.queue_name, name)
            self._started_late(actor.queue_name, name)
            for outcome in _OUTCOMES:
                self._ended(actor.queue_name, name, outcome.value)

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:
        if is_move(message, delay):
            return  # it was counted when it was first enqueued
        labels = self._limit(q_name(message.queue_name), message.actor_name)
        if message.options.get("retries"):
            self._metrics.message_retries.labels(*labels).inc()
        else:
            self._enqueued(*labels).inc()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        wait = max(0.0, self._clock.now() - ready_at(message))
        labels = self._limit(message.queue_name, message.actor_name)
        self._wait(*labels).observe(wait)
        self._started(*labels).inc()
        if wait > wait_target(message.queue_name):
            self._started_late(*labels).inc()

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        outcome = outcome_of(message, exception)
        self._count(message, outcome)
        attempt = self._attempts.get(message)
        if attempt is not None:
            labels = self._limit(message.queue_name, message.actor_name)
            self._duration(*labels, outcome.value).observe(self._clock.monotonic() - attempt.started)
        if exception is not None:
            _, actor = self._limit(message.queue_name, message.actor_name)
            (kind,) = self._exceptions(exception_name(exception))  # a task may create classes
            self._metrics.message_failures.labels(actor, kind).inc()

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        self._count(message, outcome_of_skip(message))

    def _count(self, message: MessageProxy, outcome: RunState) -> None:
        self._ended(*self._limit(message.queue_name, message.actor_name), outcome.value).inc()

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        actor = UNKNOWN_TASK if is_of_unknown_task(message) else message.actor_name
        reason = message.options[options.DEAD_LETTER]["reason"]  # written by FailureHistory in `before_nack`
        self._metrics.messages_dead_lettered.labels(*self._limit(message.queue_name, actor), reason).inc()


def _busy(attempts: AttemptTracker, queue: str) -> Callable[[], float]:
    return lambda: float(Counter(attempt.queue for attempt in attempts.running())[queue])


def _longest(attempts: AttemptTracker, actor: str, clock: Clock) -> Callable[[], float]:
    def longest() -> float:
        now = clock.monotonic()
        ages: Iterable[float] = (now - attempt.started for attempt in attempts.running() if attempt.task == actor)
        return max(ages, default=0.0)

    return longest
