"""The consumer of one queue in one process."""

import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.common import compute_backoff
from dramatiq.errors import DecodeError

from financehub_shared.broker.dead_letter import undecodable
from financehub_shared.broker.delivery import Delivery, decode

if TYPE_CHECKING:
    from financehub_shared.broker.redis_broker import FinanceHubBroker, Held

log = structlog.get_logger(__name__)

#: How often, in seconds, a consumer compares what Redis counts as its own with what it holds: a command that was lost
#: in the network may still run after the connection it came over was replaced.
RECONCILE_SECONDS = 30.0
#: A consumer without room does not fetch; it still sends a heartbeat this often, in seconds.
HEARTBEAT_SECONDS = 1.0


class FinanceHubConsumer(Consumer):
    """Iterates over the deliveries of one queue; None when there was nothing to hand out for a while.

    Args:
        broker: runs the scripts.
        queue_name: a queue or its delay queue.
        prefetch: how many messages this process may hold of it.
        timeout: longest wait between two polls, ms.
        held: what this process holds of it, shared with the consumers before and after this one.
    """

    def __init__(self, broker: "FinanceHubBroker", queue_name: str, prefetch: int, timeout: int, held: "Held") -> None:
        self._broker = broker
        self._queue_name = queue_name
        self._prefetch = prefetch
        self._timeout = timeout
        self._held = held
        self._fetched: deque[tuple[str, bytes, int]] = deque()
        self._misses = 0
        self._beat_at = self._reconciled_at = time.monotonic()

    def __next__(self) -> MessageProxy | None:
        while not self._fetched:
            self._reconcile()
            room = 0 if self._broker.draining else self._prefetch - len(self._held.ids)
            if room > 0:
                self._fetch(room)
                if not self._fetched:
                    self._misses, wait_ms = compute_backoff(self._misses, max_backoff=self._timeout)
                    time.sleep(wait_ms / 1000)
                    return None
            else:
                # Stock sleeps here; waiting for the next ack instead is what makes prefetch = threads fast.
                self._held.freed.wait(self._timeout / 1000)
                self._held.freed.clear()
                if time.monotonic() - self._beat_at > HEARTBEAT_SECONDS:
                    self._fetch(0)
                return None
        self._misses = 0
        redis_id, data, losses = self._fetched.popleft()
        try:
            return Delivery(decode(data, redis_id, self._queue_name), losses)
        except DecodeError as error:
            log.error("undecodable_message", queue=self._queue_name, redis_id=redis_id, error=str(error))  # noqa: TRY400 — the sender is at fault, a traceback of ours says nothing
            letter = MessageProxy(undecodable(data, redis_id, self._queue_name, error))
            letter.stuff_exception(error)
            self.nack(letter)
            self._broker.emit_after("nack", letter)  # no worker thread sees it, and the observers count it
            return None

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge, after enqueueing what the message still owes (a retry that Redis did not take)."""
        if isinstance(message, Delivery):
            if message.returned:
                self.requeue([message])
                return
            while message.owed:
                follow_up, delay = message.owed[0]
                self._broker.enqueue(follow_up, delay=delay)
                message.owed.pop(0)
        redis_id = message.options["redis_message_id"]
        self._broker.do_ack(self._queue_name, redis_id)
        self._held.settle(redis_id)

    def nack(self, message: MessageProxy) -> None:
        """Move to the dead letters, as the message now is: with its history."""
        redis_id = message.options["redis_message_id"]
        self._broker.do_nack(self._queue_name, redis_id, message.encode())
        self._held.settle(redis_id)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Give messages back untouched."""
        redis_ids = [message.options["redis_message_id"] for message in messages]
        if redis_ids:
            self._broker.do_requeue(self._queue_name, *redis_ids)
            for redis_id in redis_ids:
                self._held.settle(redis_id)

    def _fetch(self, room: int) -> None:
        answer = self._broker.do_fetch(self._queue_name, room)
        self._beat_at = time.monotonic()
        for redis_id, data, losses in zip(answer[::3], answer[1::3], answer[2::3], strict=True):
            self._held.ids.add(redis_id.decode())
            self._fetched.append((redis_id.decode(), data, int(losses)))

    def _reconcile(self) -> None:
        if time.monotonic() - self._reconciled_at > RECONCILE_SECONDS:
            self._broker.give_back(self._queue_name)
            self._reconciled_at = time.monotonic()
