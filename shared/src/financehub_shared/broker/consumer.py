"""The consumer of one queue in one process."""

import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

import structlog
from dramatiq import Message
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.common import compute_backoff
from dramatiq.errors import DecodeError

from financehub_shared.broker.dead_letter import undecodable_letter
from financehub_shared.broker.delivery import Delivery, decode
from financehub_shared.broker.in_flight import InFlightMessages

log = structlog.get_logger(__name__)

#: Seconds between checks that this process holds every message that Redis assigns to it. The two can diverge, because a
#: command that seemed lost in the network may still run after its connection was replaced.
RECONCILE_SECONDS = 30.0
#: A consumer without room does not fetch, but it still sends a heartbeat at this interval, in seconds.
HEARTBEAT_SECONDS = 1.0


class ConsumerBroker(Protocol):
    """The broker operations that a consumer uses. Each `do_…` method is one round trip to Redis."""

    draining: bool

    def enqueue(self, message: "Message[Any]", *, delay: int | None = None) -> "Message[Any]": ...
    def emit_after(self, signal: str, *args: Any) -> None: ...
    def do_fetch(self, queue_name: str, count: int) -> list[bytes]: ...
    def do_ack(self, queue_name: str, redis_id: str) -> None: ...
    def do_nack(self, queue_name: str, redis_id: str, letter: bytes) -> None: ...
    def do_requeue(self, queue_name: str, *redis_ids: str) -> None: ...
    def requeue_unfinished(self, queue_name: str) -> int: ...


class FinanceHubConsumer(Consumer):
    """Iterates over one queue's deliveries, and yields None after a poll that finds no message.

    Args:
        broker: Broker of the process, which runs the scripts.
        queue_name: Name of a queue or of its delay queue.
        prefetch: Maximum number of messages of the queue that this process may hold.
        timeout: Longest wait between two polls, in milliseconds.
        in_flight: Messages of the queue that this process holds, shared with earlier and later consumers.
    """

    def __init__(
        self, broker: ConsumerBroker, queue_name: str, prefetch: int, timeout: int, in_flight: InFlightMessages
    ) -> None:
        self._broker = broker
        self._queue_name = queue_name
        self._prefetch = prefetch
        self._timeout = timeout
        self._in_flight = in_flight
        self._fetched: deque[tuple[str, bytes, int]] = deque()
        self._misses = 0
        self._heartbeat_at = self._reconciled_at = time.monotonic()

    def __next__(self) -> MessageProxy | None:
        while not self._fetched:
            self._reconcile()
            room = 0 if self._broker.draining else self._prefetch - len(self._in_flight.ids)
            if room > 0:
                self._fetch(room)
                if not self._fetched:
                    self._misses, wait_ms = compute_backoff(self._misses, max_backoff=self._timeout)
                    time.sleep(wait_ms / 1000)
                    return None
            else:
                # Stock dramatiq sleeps here. Waiting for the next ack keeps a worker with prefetch = threads fast.
                self._in_flight.freed.wait(self._timeout / 1000)
                self._in_flight.freed.clear()
                if time.monotonic() - self._heartbeat_at > HEARTBEAT_SECONDS:
                    self._fetch(0)
                return None
        self._misses = 0
        redis_id, data, losses = self._fetched.popleft()
        try:
            return Delivery(decode(data, redis_id, self._queue_name), losses)
        except DecodeError as error:
            log.error("message_refused", queue=self._queue_name, redis_id=redis_id, error=str(error))  # noqa: TRY400 — the sender is at fault, so our traceback does not help
            letter = MessageProxy(undecodable_letter(data, redis_id, self._queue_name, error))
            letter.stuff_exception(error)
            self.nack(letter)
            self._broker.emit_after("nack", letter)  # no worker thread handles it, but the observers count it
            return None

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge a message after its pending retries are enqueued, or requeue it if it was interrupted."""
        if isinstance(message, Delivery):
            if message.interrupted:
                self.requeue([message])
                return
            while message.pending_retries:
                retry, delay = message.pending_retries[0]
                self._broker.enqueue(retry, delay=delay)
                message.pending_retries.pop(0)
        redis_id = message.options["redis_message_id"]
        self._broker.do_ack(self._queue_name, redis_id)
        self._in_flight.remove(redis_id)

    def nack(self, message: MessageProxy) -> None:
        """Dead-letter a message in its current form, which includes its history."""
        redis_id = message.options["redis_message_id"]
        self._broker.do_nack(self._queue_name, redis_id, message.encode())
        self._in_flight.remove(redis_id)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Put messages back in their queue unchanged."""
        redis_ids = [message.options["redis_message_id"] for message in messages]
        if redis_ids:
            self._broker.do_requeue(self._queue_name, *redis_ids)
            for redis_id in redis_ids:
                self._in_flight.remove(redis_id)

    def _fetch(self, room: int) -> None:
        reply = self._broker.do_fetch(self._queue_name, room)
        self._heartbeat_at = time.monotonic()
        for redis_id, data, losses in zip(reply[::3], reply[1::3], reply[2::3], strict=True):
            self._in_flight.ids.add(redis_id.decode())
            self._fetched.append((redis_id.decode(), data, int(losses)))

    def _reconcile(self) -> None:
        if time.monotonic() - self._reconciled_at > RECONCILE_SECONDS:
            self._broker.requeue_unfinished(self._queue_name)
            self._reconciled_at = time.monotonic()
