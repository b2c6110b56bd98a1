"""Planted bugs, which the checker must find. Each changes the product in the memory of a process of the test.

    HISTORY_BUG=reclaim-loses

`site/sitecustomize.py` calls `plant` when a process starts, before the product is imported.
"""

from collections.abc import Callable, Sequence
from typing import Any


def _replace(module: Any, name: str, old: str, new: str) -> None:
    text = getattr(module, name)
    assert text.count(old) == 1, f"{name} contains {old!r} {text.count(old)} times"
    setattr(module, name, text.replace(old, new))


def _in_script(name: str, old: str, new: str) -> Callable[[], None]:
    def plant_it() -> None:
        from financehub_shared.broker import queue_scripts

        _replace(queue_scripts, name, old, new)

    return plant_it


def _ack_at_fetch() -> None:
    """Messages are acknowledged when they are fetched, as brokers that deliver at most once do."""
    from financehub_shared.broker.redis_broker import FinanceHubBroker

    fetch, ack = FinanceHubBroker.do_fetch, FinanceHubBroker.do_ack

    def do_fetch(self: FinanceHubBroker, queue_name: str, count: int) -> list[bytes]:
        reply = fetch(self, queue_name, count)
        if not queue_name.endswith(".DQ"):
            for redis_id in reply[::3]:
                ack(self, queue_name, redis_id.decode())
        return reply

    def do_ack(self: FinanceHubBroker, queue_name: str, redis_id: str, *more: Any, **options: Any) -> Sequence[bytes]:
        reply = ack(self, queue_name, redis_id, *more, **options)
        for fetched in reply[:1]:
            ack(self, queue_name, fetched.decode())
        return reply

    FinanceHubBroker.do_fetch = do_fetch  # type: ignore[method-assign]
    FinanceHubBroker.do_ack = do_ack  # type: ignore[method-assign]


def _reclaim_too_early() -> None:
    """The janitor takes messages back after a tenth of the heartbeat timeout."""
    from financehub_shared.broker.janitor import Janitor

    original = Janitor.__init__

    def init(self: Janitor, client: Any, *, heartbeat_timeout_seconds: float, **options: Any) -> None:
        original(self, client, heartbeat_timeout_seconds=heartbeat_timeout_seconds / 10, **options)

    Janitor.__init__ = init  # type: ignore[method-assign]


def _no_recovery_pause() -> None:
    """After an outage of Redis, the janitor does not wait for the heartbeats of live workers."""
    from financehub_shared.broker.janitor import Janitor

    original = Janitor.__init__

    def init(self: Janitor, client: Any, **options: Any) -> None:
        original(self, client, **options | {"recovery_seconds": 0.0})

    Janitor.__init__ = init  # type: ignore[method-assign]


def _janitor_sleeps() -> None:
    """The janitor takes no message back."""
    from financehub_shared.broker.janitor import Janitor

    Janitor._may_reclaim = lambda *_: False  # type: ignore[method-assign]


def _janitor_is_slow() -> None:
    """The janitor waits 30 times as long between two rounds as its setting says."""
    from financehub_scheduler import serving

    original = serving.janitor_step

    def janitor_step(*arguments: Any) -> Any:
        seconds, step = original(*arguments)
        return 30 * seconds, step

    serving.janitor_step = janitor_step


def _lost_fetch_stays() -> None:
    """The messages of a fetch without a reply stay with their worker (dramatiq#527), also when it ends."""
    from financehub_shared.broker.redis_broker import FinanceHubBroker

    FinanceHubBroker.requeue_unfinished = lambda *_, **__: 0  # type: ignore[method-assign]


def _check_does_not_wait() -> None:
    """The check for lost replies gives back a message that an acknowledgment is just fetching."""
    from contextlib import nullcontext

    from financehub_shared.broker.in_flight import InFlightMessages

    InFlightMessages.settled = lambda _: nullcontext()  # type: ignore[method-assign,assignment,return-value]


def _follow_up_is_dropped() -> None:
    """The acknowledgment of a run drops what follows the run."""
    from financehub_shared.broker.consumer import FinanceHubConsumer

    original = FinanceHubConsumer._follow_ups

    def follow_ups(self: FinanceHubConsumer, message: Any) -> Any:
        return original(self, message) if self._is_delay_queue else []

    FinanceHubConsumer._follow_ups = follow_ups  # type: ignore[method-assign]


def _follow_up_before_ack() -> None:
    """What follows a run is enqueued before the run is acknowledged, as in stock dramatiq."""
    from financehub_shared.broker.run_end import RunEnd

    RunEnd.keep = lambda *_: False  # type: ignore[method-assign]


def _move_before_ack() -> None:
    """A delayed message is enqueued in its queue before it leaves the delay queue, as in stock dramatiq."""
    from financehub_shared.broker.redis_broker import FinanceHubBroker

    FinanceHubBroker._id_of_moved = lambda *_: None  # type: ignore[method-assign]


def _interrupted_is_acked() -> None:
    """A run that a shutdown interrupts is acknowledged instead of requeued."""
    from financehub_shared.broker.delivery import Delivery

    Delivery.interrupted = property(lambda _: False, lambda *_: None)  # type: ignore[assignment]


def _one_retry_more() -> None:
    """A message is retried once more than its limit allows."""
    from financehub_shared.worker.middleware import retries

    stock_class: Any = retries.Retries.__mro__[1]
    stock = stock_class.after_process_message

    def after_process_message(self: Any, broker: Any, message: Any, **outcome: Any) -> None:
        options = broker.get_actor(message.actor_name).options
        before = options["max_retries"]
        options["max_retries"] = 4
        try:
            stock(self, broker, message, **outcome)
        finally:
            options["max_retries"] = before

    stock_class.after_process_message = after_process_message


def _counted_twice() -> None:
    """The end of an attempt that was recorded already is counted again."""
    from financehub_shared.monitor import record_scripts

    _replace(
        record_scripts, "RECORD", "if known[1] == 'succeeded' or is_known and not e.replaces then", "if false then"
    )


#: Name → what plants the bug, in the order of the table in docs/correctness.md.
BUGS: dict[str, Callable[[], None]] = {
    "ack-at-fetch": _ack_at_fetch,
    "reclaim-loses": _in_script(
        "RECLAIM",
        'redis.call("rpush", KEYS[2], id)\n    reclaimed',
        'redis.call("hdel", KEYS[3], id)\n    reclaimed',
    ),
    "reclaim-too-early": _reclaim_too_early,
    "no-recovery-pause": _no_recovery_pause,
    "janitor-sleeps": _janitor_sleeps,
    "janitor-is-slow": _janitor_is_slow,
    "losses-not-counted": _in_script("RECLAIM", 'string.format("%d", losses + 1)', 'string.format("%d", losses)'),
    "nack-without-letter": _in_script("NACK", 'redis.call("hset", KEYS[5], ARGV[1], ARGV[2])\n', ""),
    "lost-fetch-stays": _lost_fetch_stays,
    "check-does-not-wait": _check_does_not_wait,
    "follow-up-is-dropped": _follow_up_is_dropped,
    "follow-up-before-ack": _follow_up_before_ack,
    "move-before-ack": _move_before_ack,
    "interrupted-is-acked": _interrupted_is_acked,
    "one-retry-more": _one_retry_more,
    "counted-twice": _counted_twice,
}


def plant(name: str) -> None:
    """Plant a bug.

    Args:
        name: A key of `BUGS`.
    """
    BUGS[name]()
