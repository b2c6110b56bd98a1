"""The consumer of one queue in one process."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dramatiq import Message
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.common import compute_backoff, dq_name

from financehub_shared.broker.consumer_broker import ConsumerBroker
from financehub_shared.broker.dead_letter import refused_letter
from financehub_shared.broker.dead_letter_reason import MessageRefusedError
from financehub_shared.broker.delivery import Delivery, PendingMessage, require_written
from financehub_shared.broker.door import read_message
from financehub_shared.broker.in_flight import Fetched, InFlightMessages
from financehub_shared.broker.message import attempt_id
from financehub_shared.core.log import get_logger
from financehub_shared.redis.text import decode, id_text

log = get_logger(__name__)

#: Seconds between checks that this process holds every message that Redis assigns to it. The two can diverge, because a
#: command that seemed lost in the network may still run after its connection was replaced.
RECONCILE_SECONDS = 30.0
#: Number of first bytes that the dead letter of an entry contains if the entry is too large to read.
SHOWN_BYTES = 1_000
#: Number of bytes of a queue's messages from which a process that holds them fetches no further one. Dramatiq fetches
#: 1,000 delayed messages per thread, which could otherwise take several GB. Usual retries have less than 10 kB.
HELD_BYTES = 32_000_000
#: Once a process holds half of the delayed messages that it may, it gives back those that are due later than this, in
#: seconds. Otherwise, thousands of them would block the retries that are due in the meantime.
FAR_SECONDS = 600.0
#: Number of delayed messages that it then fetches at once. After it has given some back, it waits for its timeout.
FAR_BATCH = 100
#: A consumer without room does not fetch, but it still sends a heartbeat at this interval, in seconds.
HEARTBEAT_SECONDS = 1.0


class FinanceHubConsumer(Consumer):
    """Iterates over one queue's deliveries, and yields None after a poll that finds no message.

    Args:
        broker: Broker of the process, which runs the scripts.
        queue_name: Name of a queue or of its delay queue.
        prefetch: Maximum number of messages of the queue that this process may hold.
        timeout: Longest wait between two polls, in milliseconds.
        in_flight: Messages of the queue that this process holds, shared with earlier and later consumers.
        deliver: Gives a message to the worker threads. Without it, no message is fetched with an acknowledgment.
        is_paused: Whether no message may be fetched with an acknowledgment now.
    """

    def __init__(
        self,
        broker: ConsumerBroker,
        queue_name: str,
        prefetch: int,
        timeout: int,
        in_flight: InFlightMessages,
        deliver: Callable[[Delivery], object] | None = None,
        is_paused: Callable[[], bool] = bool,
    ) -> None:
        self._broker = broker
        self._queue_name = queue_name
        self._is_delay_queue = queue_name == dq_name(queue_name)
        self._prefetch = prefetch
        self._timeout = timeout
        self._in_flight = in_flight
        self._deliver = deliver
        self._is_paused = is_paused
        self._fetched: deque[Fetched] = deque()
        self._misses = 0
        self._heartbeat_at = self._reconciled_at = time.monotonic()
        self._is_full_logged = False
        self._has_given_back = False

    def __next__(self) -> MessageProxy | None:
        while not self._fetched:
            self._reconcile()
            if self._in_flight.handed_over:
                self._fetched.append(self._in_flight.handed_over.popleft())
                break
            if self._has_given_back:
                self._has_given_back = False
                time.sleep(self._timeout / 1000)
                return None
            room = self._room()
            if room > 0:
                self._fetch(room)
                if not self._fetched:
                    self._misses, wait_ms = compute_backoff(self._misses, max_backoff=self._timeout)
                    time.sleep(wait_ms / 1000)
                    return None
            else:
                # Stock dramatiq sleeps here. Waiting for the next ack keeps a worker with prefetch = threads fast.
                self._in_flight.freed.wait(self._timeout / 1000)
                if time.monotonic() - self._heartbeat_at > HEARTBEAT_SECONDS:
                    self._fetch(0)
                return None
        self._misses = 0
        redis_id, data, losses = self._fetched.popleft()
        try:
            return self._admit(redis_id, data, losses)
        except BaseException:
            # Without this, a message that is not delivered would take up room until the process ends.
            self._in_flight.remove(redis_id)
            raise

    def close(self) -> None:
        """Forget the messages that were fetched but not delivered, so that the next consumer requeues them."""
        while self._fetched:
            self._in_flight.remove(self._fetched.popleft()[0])

    def _admit(self, redis_id: str, data: bytes, losses: int) -> Delivery | None:
        """Return the delivery of a message, or None if it was refused or is not due yet."""
        try:
            now = self._broker.now()
            message = self._read(redis_id, data, now)
        except MessageRefusedError as error:
            self._refuse(redis_id, data, error)
            return None
        if "eta" in message.options and not self._is_delay_queue:
            # Only a delay queue has room for messages that are not due. Here, they would block the ones that are.
            wait = message.options.pop("eta") - now * 1000
            if wait > 0:
                self._broker.do_delay(self._queue_name, redis_id, message, round(wait))
                self._in_flight.remove(redis_id)
                return None
        elif self._is_crowded() and message.options["eta"] > (now + FAR_SECONDS) * 1000:
            self._broker.do_requeue(self._queue_name, redis_id)
            self._in_flight.remove(redis_id)
            self._has_given_back = True
            return None
        return Delivery(message, losses)

    def _refuse(self, redis_id: str, data: bytes, error: MessageRefusedError) -> None:
        if len(data) > self._broker.max_entry_bytes:
            kept = self._broker.do_keep(self._queue_name, redis_id)
            problem = f"the message has more than {self._broker.max_entry_bytes:,} bytes, which are kept in {kept}"
            data = data[:SHOWN_BYTES]
            error = MessageRefusedError(error.reason, problem, data)
        shown = decode(redis_id.encode(errors="surrogateescape"))
        log.error("message_refused", queue=self._queue_name, redis_id=shown, reason=str(error.reason), error=str(error))
        letter = MessageProxy(refused_letter(data, redis_id, self._queue_name, error, self._broker.now()))
        letter.stuff_exception(error)
        self.nack(letter)
        self._broker.emit_after("nack", letter)  # no worker thread handles it, but the observers count it

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge a message and enqueue what follows it, or requeue it if it was interrupted."""
        if isinstance(message, Delivery) and (message.interrupted or message.is_running):
            if message.is_running:
                message.pending.clear()  # the next run has follow-ups too
            _write_end(message)
            self._enqueue_pending(message)
            self.requeue([message])
            return
        redis_id, follow_ups = message.options["redis_message_id"], self._follow_ups(message)
        if follow_ups or not self._may_fetch_with_ack() or not self._in_flight.begin_fetch():
            self._acknowledge(message, follow_ups)
            self._in_flight.remove(redis_id)
            return
        try:
            fetched = self._note_successor(redis_id, self._acknowledge(message, fetch=True))
        except BaseException:
            self._in_flight.doubt()
            raise
        finally:
            self._in_flight.end_fetch()
        if fetched is not None:
            self._hand_over(*fetched)

    def _acknowledge(
        self, message: MessageProxy, follow_ups: Sequence[PendingMessage] = (), *, fetch: bool = False
    ) -> Sequence[bytes]:
        """Acknowledge a message in Redis, and return the one that was fetched in the same step.

        Args:
            message: The message.
            follow_ups: Messages that follow it.
            fetch: Whether to fetch the next message of the queue.

        Returns:
            Id, message and losses, or nothing.
        """
        redis_id = message.options["redis_message_id"]
        end = message.end if isinstance(message, Delivery) else None
        fetched = self._broker.do_ack(self._queue_name, redis_id, end, follow_ups, fetch=fetch)
        self._broker.forget_move(redis_id)
        # The acknowledgment of a delayed message moves it to its own queue. A failover may undo both.
        if isinstance(message, Delivery) and not message.has_follow_ups and not self._is_delay_queue:
            self._in_flight.finish(redis_id, message.attempt_id)
        return fetched

    def _note_successor(self, redis_id: str, fetched: Sequence[bytes]) -> Fetched | None:
        """Note that a message has left this process, and which one was fetched in its place.

        Args:
            redis_id: Id of the acknowledged message.
            fetched: Id, message and losses of the fetched one, or nothing.

        Returns:
            The fetched message, if it is to be delivered.
        """
        if not fetched:
            self._in_flight.remove(redis_id)
            return None
        successor, data, losses = id_text(fetched[0]), fetched[1], _losses(fetched[2])
        is_finished = self._is_finished(successor, data)
        if not is_finished and not self._in_flight.note_repeated_fetch(successor):
            self._in_flight.replace(redis_id, successor, len(data))
            return successor, data, losses
        # A failover has undone the first fetch of that one, or the janitor has taken it back. Its run goes on, or it
        # has ended, and the consumer deletes the message or gives it back.
        self._in_flight.remove(redis_id)
        if is_finished:
            self._in_flight.doubt()
        return None

    def _may_fetch_with_ack(self) -> bool:
        """Whether the next message of the queue may take the place of one that is acknowledged."""
        return (
            self._deliver is not None
            and not self._broker.draining
            and not self._is_paused()
            and len(self._in_flight) <= self._prefetch
            and self._in_flight.bytes < HELD_BYTES
        )

    def _hand_over(self, redis_id: str, data: bytes, losses: int) -> None:
        """Deliver a message from a worker thread. One that needs more than this is left to the thread of the consumer.

        Args:
            redis_id: Id of the message in Redis.
            data: The queue entry.
            losses: Number of workers that died while they held the message.
        """
        message = None
        try:
            message = self._read(redis_id, data, self._broker.now())
        except MessageRefusedError:
            pass
        finally:
            if message is None or "eta" in message.options or self._deliver is None:
                self._in_flight.handed_over.append((redis_id, data, losses))
                self._in_flight.freed.set()
            else:
                self._deliver(Delivery(message, losses))

    def _read(self, redis_id: str, data: bytes, now: float) -> "Message[Any]":
        return read_message(data, redis_id, self._queue_name, self._broker.max_message_bytes, now)

    def nack(self, message: MessageProxy) -> None:
        """Dead-letter a message in its current form, which includes its history."""
        _write_end(message)
        require_written(message.end if isinstance(message, Delivery) else None)
        redis_id = message.options["redis_message_id"]
        self._broker.do_nack(self._queue_name, redis_id, message.encode(), self._follow_ups(message))
        self._in_flight.remove(redis_id)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Put messages back in their queue unchanged."""
        redis_ids = [message.options["redis_message_id"] for message in messages]
        if redis_ids:
            self._broker.do_requeue(self._queue_name, *redis_ids)
            for redis_id in redis_ids:
                self._in_flight.remove(redis_id)

    def _enqueue_pending(self, message: Delivery) -> None:
        """Enqueue what middleware has enqueued at the end of a run that is repeated."""
        while message.pending:
            self._broker.do_enqueue(*message.pending[0])
            message.pending.pop(0)

    def _follow_ups(self, message: MessageProxy) -> list[PendingMessage]:
        """Return the messages that follow one: its own move, and what the end of its run has enqueued."""
        move = self._broker.move_of(message.options["redis_message_id"]) if self._is_delay_queue else None
        return [*([move] if move else []), *(message.pending if isinstance(message, Delivery) else ())]

    def _room(self) -> int:
        """Return the number of messages that may be fetched now."""
        if self._broker.draining or self._is_full():
            return 0
        room = self._prefetch - len(self._in_flight)
        return min(room, FAR_BATCH) if self._is_crowded() else room

    def _is_crowded(self) -> bool:
        """Whether this process holds half of the delayed messages that it may, without the one that it looks at."""
        if not self._is_delay_queue:
            return False
        return 2 * (len(self._in_flight) - 1) >= self._prefetch or 2 * self._in_flight.bytes >= HELD_BYTES

    def _is_full(self) -> bool:
        """Whether this process holds as many bytes of the queue as it may."""
        if self._in_flight.bytes < HELD_BYTES:
            return False
        if not self._is_full_logged:
            self._is_full_logged = True
            log.warning(
                "prefetch_limited",
                queue=self._queue_name,
                messages=len(self._in_flight),
                bytes=self._in_flight.bytes,
                consequence="further messages wait in Redis until this process has finished some of these",
            )
        return True

    def _fetch(self, room: int) -> None:
        reply = self._broker.do_fetch(self._queue_name, room)
        self._heartbeat_at = time.monotonic()
        for redis_id, data, losses in zip(reply[::3], reply[1::3], reply[2::3], strict=True):
            text = id_text(redis_id)
            if self._in_flight.note_repeated_fetch(text):
                continue  # a failover has undone its first fetch, and its run goes on
            if self._is_finished(text, data):
                self._broker.do_ack(self._queue_name, text)  # a failover has undone its first fetch
                continue
            self._in_flight.add(text, len(data))
            self._fetched.append((text, data, _losses(losses)))

    def _is_finished(self, redis_id: str, data: bytes) -> bool:
        """Whether this process has run the same attempt of a fetched message before.

        A message that was enqueued again under its id, such as a requeued dead letter, is another attempt.
        """
        finished = self._in_flight.finished_attempt(redis_id)
        if finished is None:
            return False
        try:
            return attempt_id(self._read(redis_id, data, self._broker.now())) == finished
        except MessageRefusedError:
            return False

    def _reconcile(self) -> None:
        if self._in_flight.is_doubtful or time.monotonic() - self._reconciled_at > RECONCILE_SECONDS:
            self._broker.requeue_unfinished(self._queue_name)
            self._reconciled_at = time.monotonic()


def _losses(text: bytes) -> int:
    """Return a number of losses. Anyone may have changed it."""
    return int(text) if text.isdigit() and len(text) < 10 else 0


def _write_end(message: MessageProxy) -> None:
    """Record the end of an attempt whose message is not acknowledged."""
    if isinstance(message, Delivery) and message.end is not None:
        message.end.write()
