"""Dramatiq's RedisBroker, fixed so that Redis failures neither lose messages nor require a restart."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import dramatiq
import redis
from dramatiq.broker import MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import dq_name, q_name
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import MiddlewareError

from financehub_shared.broker import queue_scripts
from financehub_shared.broker.consumer import FinanceHubConsumer
from financehub_shared.broker.delivery import Acknowledgment, Delivery, EndRecord, PendingMessage, require_written
from financehub_shared.broker.door import HISTORY_BYTES, MAX_MESSAGE_BYTES, check_size
from financehub_shared.broker.encoding import require_json_encoder, require_short_pipeline
from financehub_shared.broker.hooks import Hooks
from financehub_shared.broker.in_flight import InFlightMessages
from financehub_shared.broker.run_end import RunEnd
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.log import get_logger
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.command_channel import CommandChannel
from financehub_shared.redis.key_types import ASIDE, set_aside_wrong_keys
from financehub_shared.redis.replies import is_wrong_type
from financehub_shared.redis.scripts import ClientScript
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.text import decode, id_bytes

log = get_logger(__name__)

#: The creation time of a message is not corrected by less than this, which no age limit notices.
TOLERATED_SKEW_SECONDS = 1.0
#: No larger queue entry leaves Redis. Reading one of 100 MB would take five times as much memory, and could kill every
#: worker that tries.
MAX_ENTRY_BYTES = 1_000_000
#: Seconds for which such an entry is kept. Its dead letter is kept as long by default.
KEPT_SECONDS = 7 * DAY_SECONDS


class FinanceHubBroker(RedisBroker):
    """The broker of every process; `build_broker` creates it.

    Args:
        client: Client from `redis.client.connect(url, retries=0)`. A hidden retry would run a script twice, which
            would enqueue a message twice or strand the first fetch's messages.
        middleware: Complete list of middleware, in order.
        max_message_bytes: Largest size of a message.
        clock: Clock of the process, which shows the time of Redis.
    """

    def __init__(
        self,
        *,
        client: "redis.Redis",
        middleware: Sequence[dramatiq.Middleware],
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        clock: ServerClock | None = None,
    ) -> None:
        self._hooks = Hooks()
        super().__init__(  # type: ignore[no-untyped-call]
            client=client,
            middleware=list(middleware),
            namespace=keys.NAMESPACE,
            maintenance_chance=0,  # the janitor runs maintenance on a schedule instead of by chance
        )
        self.draining = False
        self.max_message_bytes = max_message_bytes
        self.max_entry_bytes = max(MAX_ENTRY_BYTES, max_message_bytes + HISTORY_BYTES)
        self._clock = clock or ServerClock(SystemClock())
        self._sending = threading.local()
        self._in_flight: defaultdict[str, InFlightMessages] = defaultdict(InFlightMessages)
        #: Queue → what gives a message to its worker threads, and whether no message may be fetched now.
        self._deliveries: dict[str, tuple[Callable[[Delivery], object], Callable[[], bool]]] = {}
        self._run_end = RunEnd(self._hooks)
        #: Id of each message that moves to or from its delay queue → the message that replaces it there.
        self._moves: dict[str, PendingMessage] = {}
        channel = CommandChannel(client)
        self._enqueue = ClientScript(channel, queue_scripts.ENQUEUE)
        self._fetch = ClientScript(channel, queue_scripts.FETCH)
        self._keep = client.register_script(queue_scripts.KEEP)
        self._ack = ClientScript(channel, queue_scripts.ACK)
        self._replace = client.register_script(queue_scripts.REPLACE)
        self._nack = client.register_script(queue_scripts.NACK)
        self._requeue = client.register_script(queue_scripts.REQUEUE)
        self._requeue_unfinished = client.register_script(queue_scripts.REQUEUE_UNFINISHED)
        self._size = client.register_script(queue_scripts.SIZE)
        self._purge = client.register_script(queue_scripts.PURGE)

    def __getattr__(self, name: str) -> Any:
        """Refuse what this class does not define. Stock dramatiq would send any other `do_…` to its own script."""
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Call a hook of all middleware that has it, first to last. Its errors are logged, as in dramatiq.

        Raises:
            MiddlewareError: A middleware refuses the message.
        """
        if signal == "process_message":
            _set_running(args[0], is_running=True)
        name = "before_" + signal
        for middleware in self._hooks.active(name, self.middleware):
            try:
                getattr(middleware, name)(self, *args, **kwargs)
            except MiddlewareError:
                raise
            except Exception:
                # as in dramatiq: one middleware must not cost the message or the hooks of the others
                self.logger.critical("Unexpected failure in %s of %r.", name, middleware, exc_info=True)

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Call a hook of all middleware that has it, last to first. `RunEnd` does more at the end of a run."""
        if signal == "process_message":
            self._run_end.emit(self, *args, **kwargs)
            _set_running(args[0], is_running=False)
            return
        name = "after_" + signal
        for middleware in reversed(self._hooks.active(name, self.middleware)):
            try:
                getattr(middleware, name)(self, *args, **kwargs)
            except Exception:
                self.logger.critical("Unexpected failure in %s of %r.", name, middleware, exc_info=True)
        if signal == "skip_message":
            _set_running(args[0], is_running=False)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> FinanceHubConsumer:
        """Create a consumer, and requeue the messages that no thread of this process is working on.

        Dramatiq calls this again after each lost connection. The requeued messages are those of a fetch whose reply was
        lost with the connection and, for a delay queue, all messages that the previous consumer held in memory. Stock
        dramatiq forgets them while their worker stays alive (dramatiq#527).
        """
        in_flight = self._in_flight[queue_name]
        if queue_name == dq_name(queue_name):
            for redis_id in in_flight.ids:
                self.forget_move(redis_id)
            in_flight.clear()
        self.requeue_unfinished(queue_name)
        deliver, is_paused = self._deliveries.get(queue_name, (None, bool))
        return FinanceHubConsumer(self, queue_name, prefetch, timeout, in_flight, deliver, is_paused)

    def deliver_with(
        self, queue_name: str, deliver: Callable[[Delivery], object], is_paused: Callable[[], bool] = bool
    ) -> None:
        """Let the worker threads of a queue fetch its next message with each acknowledgment.

        Args:
            queue_name: Name of the queue. Its delay queue is not included.
            deliver: Gives a message to the worker threads.
            is_paused: Whether no message may be fetched now.
        """
        self._deliveries[queue_name] = (deliver, is_paused)

    def requeue_unfinished(self, queue_name: str, *, everything: bool = False) -> int:
        """Requeue the messages that Redis assigns to this process, and return their number.

        Args:
            queue_name: Name of a queue or of its delay queue.
            everything: Whether to include the messages that this process still holds.
        """
        in_flight = self._in_flight[queue_name]
        with in_flight.settled():
            in_flight.is_doubtful = False
            kept = () if everything else tuple(map(id_bytes, in_flight.ids))
            names = [self._acks(queue_name), *self._queue(queue_name), keys.losses(queue_name)]
            finished = [id_bytes(part) for each in in_flight.finished for part in each]
            args = (len(kept), *kept, *finished)
            requeued = int(self._run(self._requeue_unfinished, names, args, queue_name))
        if requeued:
            log.warning("messages_requeued", queue=queue_name, count=requeued)
        return requeued

    def now(self) -> float:
        """Return the time of Redis in Unix seconds, or this machine's before the first measurement."""
        return self._clock.now()

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def enqueue(self, message: "dramatiq.Message[Any]", *, delay: int | None = None) -> "dramatiq.Message[Any]":
        """Enqueue a message.

        Raises:
            ConnectionClosed: Redis did not confirm the message.
            InvalidArgumentsError: The message is too large, or begins a pipeline that is too long.
            ConfigError: The encoder of this process does not write plain JSON.
        """
        require_json_encoder()
        # A message that leaves its delay queue replaces the delayed one when dramatiq acknowledges that one, which it
        # does next.
        before = vars(self._sending).copy()  # middleware may enqueue another message meanwhile
        self._sending.moves = self._id_of_moved(message, delay)
        # A message from Redis, such as a retry, was checked when it was read. It has grown since, and must not be lost.
        self._sending.is_new = "redis_message_id" not in message.options
        try:
            if self._sending.is_new:
                # The rest of a pipeline that a worker has read is shorter than the part that it has read.
                if not self._run_end.is_current:
                    require_short_pipeline(message)
                message = self._in_server_time(message)
            return super().enqueue(message, delay=delay)
        finally:
            self._sending.is_new = before.get("is_new", False)
            self._sending.moves = before.get("moves")

    def _id_of_moved(self, message: "dramatiq.Message[Any]", delay: int | None) -> str | None:
        """Return the id of the message of this process that an enqueue moves to or from its delay queue, or None."""
        delayed: str | None = vars(self._sending).pop("delayed", None)  # messages that middleware sends are not moves
        if delayed is not None:
            return delayed
        held = self._in_flight.get(dq_name(message.queue_name)) if delay is None else None
        redis_id: str | None = message.options.get("redis_message_id")
        return redis_id if held is not None and redis_id in held else None

    def _in_server_time(self, message: "dramatiq.Message[Any]") -> "dramatiq.Message[Any]":
        """Return a message whose creation is stated in the time of Redis, because other machines compute its age."""
        self._clock.measure_if_due(self.client)
        skew = self._clock.skew() or 0.0
        if abs(skew) < TOLERATED_SKEW_SECONDS:
            return message
        return message.copy(message_timestamp=message.message_timestamp - round(skew * 1000))

    # Dramatiq's `enqueue`, `join` and `flush` and our consumer call the following methods. Each is one round trip.

    def do_enqueue(self, queue_name: str, redis_id: str, message: bytes) -> None:
        """Append a message to a queue. One that follows another one waits for the acknowledgment of that one."""
        if moved := getattr(self._sending, "moves", None):
            self._moves[moved] = (queue_name, redis_id, message)
            return
        self._run_end.note_enqueue()
        if len(message) > self.max_message_bytes and getattr(self._sending, "is_new", False):
            check_size(json.loads(message), self.max_message_bytes)
        if not self._run_end.keep((queue_name, redis_id, message)):
            self._run(self._enqueue, self._queue(queue_name), (redis_id, message), queue_name)

    def do_fetch(self, queue_name: str, count: int) -> list[bytes]:
        """Take up to `count` messages and send a heartbeat. Return a flat list: id, message, losses, id, and so on."""
        names = [*self._queue(queue_name), self._acks(queue_name), keys.losses(queue_name), keys.HEARTBEATS]
        args = (self.broker_id, count, self.max_entry_bytes, queue_scripts.REPLY_BYTES)
        fetched: list[bytes] = self._run(self._fetch, names, args, queue_name)
        return fetched

    def do_keep(self, queue_name: str, redis_id: str) -> str:
        """Copy a message to a separate key for the time for which dead letters are kept, and return the key."""
        key = f"{ASIDE}{keys.messages(queue_name)}:".encode() + id_bytes(redis_id)
        names: list[str | bytes] = [keys.messages(queue_name), key]
        self._run(self._keep, names, (id_bytes(redis_id), KEPT_SECONDS), queue_name)
        return decode(key)

    def do_ack(
        self,
        queue_name: str,
        redis_id: str,
        end: EndRecord | None = None,
        follow_ups: Sequence[PendingMessage] = (),
        *,
        fetch: bool = False,
    ) -> Sequence[bytes]:
        """Delete a finished message, and enqueue what follows it or fetch the next message in the same step.

        Args:
            queue_name: Name of a queue or of its delay queue.
            redis_id: Id of the message in Redis.
            end: The end of its attempt, if it is not recorded yet.
            follow_ups: Messages that follow it.
            fetch: Whether to fetch the next message if none follows it.

        Returns:
            Id, message and losses of the fetched message, or nothing.
        """
        names, id = self._held_keys(queue_name), id_bytes(redis_id)
        if follow_ups:
            if end is not None:
                end.write()
                require_written(end)
            args = (id, *_contents(follow_ups))
            self._run(self._replace, [*names, *self._queues(follow_ups)], args, queue_name, follow_ups)
            return ()
        ready = keys.ready(queue_name) if fetch else ""
        acknowledgment = Acknowledgment(names, (id, ready, self.broker_id, self.max_entry_bytes))
        if end is not None and end.is_pending:
            if end.write_and_acknowledge(acknowledgment):
                return acknowledgment.fetched
            if fetch:
                self._in_flight[queue_name].doubt()  # Redis may have executed a step whose reply was lost
        require_written(end)
        fetched: list[bytes] = self._run(self._ack, names, acknowledgment.arguments, queue_name)
        return fetched[1:]

    def do_delay(self, queue_name: str, redis_id: str, message: "dramatiq.Message[Any]", delay: int) -> None:
        """Move a message that this process holds to its delay queue, in one step. The middleware sees an enqueue.

        Args:
            queue_name: Name of the queue from which it was fetched.
            redis_id: Id of the message in Redis.
            message: The message.
            delay: Time until it is due in milliseconds.
        """
        self._sending.delayed = redis_id
        try:
            self.enqueue(message, delay=delay)
        finally:
            vars(self._sending).pop("delayed", None)
        move = self._moves.pop(redis_id)
        self.do_ack(queue_name, redis_id, None, [move])

    def do_nack(self, queue_name: str, redis_id: str, letter: bytes, follow_ups: Sequence[PendingMessage] = ()) -> None:
        """Replace a message with a dead letter, and enqueue what follows it in the same step.

        Args:
            queue_name: Name of a queue or of its delay queue.
            redis_id: Id of the message in Redis.
            letter: The dead letter.
            follow_ups: Messages that follow it, such as callbacks.
        """
        names = [*self._held_keys(queue_name), keys.dead(queue_name), keys.dead_messages(queue_name)]
        args = (id_bytes(redis_id), letter, *_contents(follow_ups))
        self._run(self._nack, [*names, *self._queues(follow_ups)], args, queue_name, follow_ups)

    def move_of(self, redis_id: str) -> PendingMessage | None:
        """Return the message that replaces a delayed one in its own queue, or None."""
        return self._moves.get(redis_id)

    def forget_move(self, redis_id: str) -> None:
        """Forget the move of a delayed message after its acknowledgment."""
        self._moves.pop(redis_id, None)

    def do_requeue(self, queue_name: str, *redis_ids: str) -> None:
        """Put messages that this process holds back in their queue."""
        ids = tuple(map(id_bytes, redis_ids))
        self._run(self._requeue, [self._acks(queue_name), *self._queue(queue_name)], ids, queue_name)

    def do_qsize(self, queue_name: str) -> int:
        """Return the number of messages in a queue and its delay queue, plus those that this process has fetched."""
        queues = (q_name(queue_name), dq_name(queue_name))
        names = [key for queue in queues for key in (keys.messages(queue), self._acks(queue))]
        return int(self._run(self._size, names, (), queue_name))

    def do_purge(self, queue_name: str) -> None:
        """Delete a queue's messages and dead letters."""
        names = [*self._queue(queue_name), *self._held_keys(queue_name)]
        names += [keys.dead(queue_name), keys.dead_messages(queue_name)]
        self._run(self._purge, names, (), queue_name)

    def _run(
        self,
        script: Any,
        names: Sequence[str | bytes],
        args: Sequence[Any],
        queue_name: str,
        follow_ups: Sequence[PendingMessage] = (),
    ) -> Any:
        # The scripts and their argument types are fixed, so every error comes from the state of Redis: unreachable,
        # hung, a replica after a failover, full or loading. All of them are raised as a lost connection, because
        # dramatiq retries a lost connection until it is back, but does not retry other errors.
        try:
            try:
                return script(keys=names, args=args)
            except redis.ResponseError as error:
                if not is_wrong_type(error):
                    raise
                queues = (queue_name, *(queue for queue, _, _ in follow_ups))
                types = {key: kind for queue in queues for key, kind in keys.types(self.broker_id, queue).items()}
                set_aside_wrong_keys(self.client, types)  # or another process did
                return script(keys=names, args=args)
        except redis.RedisError as error:
            raise ConnectionClosed(f"queue {queue_name}: Redis: {type(error).__name__}: {error}") from error

    def _queue(self, queue_name: str) -> list[str]:
        return [keys.ready(queue_name), keys.messages(queue_name)]

    def _queues(self, messages: Sequence[PendingMessage]) -> list[str]:
        return [name for queue_name, _, _ in messages for name in self._queue(queue_name)]

    def _acks(self, queue_name: str) -> str:
        return keys.acks(self.broker_id, queue_name)

    def _held_keys(self, queue_name: str) -> list[str]:
        return [self._acks(queue_name), keys.messages(queue_name), keys.losses(queue_name)]


def _contents(messages: Sequence[PendingMessage]) -> list[bytes]:
    return [part for _, redis_id, data in messages for part in (id_bytes(redis_id), data)]


def _set_running(message: MessageProxy, *, is_running: bool) -> None:
    if isinstance(message, Delivery):
        message.is_running = is_running
