"""Middleware that counts messages, waits, busy threads, retries and dead letters for Prometheus."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache, partial
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


class _Series:
    """The series of one queue and actor.

    Args:
        metrics: Metrics of the process.
        queue, actor: Values of the labels.
    """

    def __init__(self, metrics: Metrics, queue: str, actor: str) -> None:
        labels = (queue, actor)
        self.wait = metrics.message_wait.labels(*labels)
        self.started = metrics.messages_started.labels(*labels)
        self._late: Callable[[], Any] = cache(lambda: metrics.messages_started_late.labels(*labels))
        self._ended: Callable[[str], Any] = cache(lambda outcome: metrics.attempts_ended.labels(*labels, outcome))
        self._duration: Callable[[str], Any] = cache(lambda outcome: metrics.message_duration.labels(*labels, outcome))

    def start_late(self, number: int = 1) -> None:
        """Count attempts that started late."""
        self._late().inc(number)

    def end(self, outcome: RunState, number: int = 1) -> None:
        """Count attempts that ended."""
        self._ended(outcome.value).inc(number)

    def duration(self, outcome: RunState) -> Any:
        """Return the histogram of the durations of attempts with an outcome."""
        return self._duration(outcome.value)


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
        self._series: Callable[[str, str], _Series] = cache(partial(_Series, metrics))
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
            series = self._series(actor.queue_name, name)
            series.start_late(0)
            for outcome in _OUTCOMES:
                series.end(outcome, 0)

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
        series = self._series(*self._limit(message.queue_name, message.actor_name))
        series.wait.observe(wait)
        series.started.inc()
        if wait > wait_target(message.queue_name):
            series.start_late()

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        outcome = outcome_of(message, exception)
        series = self._series(*self._limit(message.queue_name, message.actor_name))
        series.end(outcome)
        attempt = self._attempts.get(message)
        if attempt is not None:
            series.duration(outcome).observe(self._clock.monotonic() - attempt.started)
        if exception is not None:
            _, actor = self._limit(message.queue_name, message.actor_name)
            (kind,) = self._exceptions(exception_name(exception))  # a task may create classes
            self._metrics.message_failures.labels(actor, kind).inc()

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        self._series(*self._limit(message.queue_name, message.actor_name)).end(outcome_of_skip(message))

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
