"""Records what a broker asks of Redis. The taps are outside of the broker: they wrap its round trips."""

import json
import threading
import time
from typing import Any

from dramatiq import Middleware
from dramatiq.broker import Broker, MessageProxy

from financehub_shared.broker.redis_broker import FinanceHubBroker
from history.events import Recorder


class Taps(Middleware):
    """Records each round trip of a broker, and each skipped message.

    Args:
        broker: The broker, to which this is added as the first middleware.
        recorder: Receives the events.
    """

    def __init__(self, broker: FinanceHubBroker, recorder: Recorder) -> None:
        self._broker = broker
        self._recorder = recorder
        self._thread = threading.local()
        for name in ("enqueue", "do_enqueue", "do_fetch", "do_ack", "do_nack", "do_requeue", "requeue_unfinished"):
            original = getattr(broker, name)
            setattr(broker, name, getattr(self, f"_{name}")(original))
        broker.add_middleware(self, before=type(broker.middleware[0]))

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Note the message of this thread, which is the parent of what the thread enqueues."""
        self._thread.message = message

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Record a run that was refused before its task."""
        self._recorder.record("skip", delivery=message.options["redis_message_id"])

    def _enqueue(self, original: Any) -> Any:
        def enqueue(message: Any, *, delay: int | None = None) -> Any:
            # A move to the queue and a retry are copies of a message that was fetched.
            self._thread.parent = message.options.get("redis_message_id")
            try:
                return original(message, delay=delay)
            finally:
                self._thread.parent = None

        return enqueue

    def _do_enqueue(self, original: Any) -> Any:
        broker = self._broker

        def do_enqueue(queue_name: str, redis_id: str, data: bytes) -> None:
            fields = json.loads(data)
            current = getattr(self._thread, "message", None)
            own = current.options["redis_message_id"] if current else "-"
            parent = getattr(self._thread, "parent", None) or own
            self._recorder.record(
                "send",
                delivery=redis_id,
                message=fields["message_id"],
                task=fields["actor_name"],
                queue=queue_name,
                attempt=int(fields["options"].get("retries", 0)) + 1,
                parent=parent,
            )
            try:
                original(queue_name, redis_id, data)
            except Exception:
                self._recorder.record("unsent", delivery=redis_id)
                raise
            # What follows a message waits in memory for the acknowledgment of that message.
            waits = any(redis_id == pending[1] for pending in getattr(current, "pending", ()))
            if not waits and getattr(broker, "move_of", lambda _: None)(parent) is None:
                self._recorder.record("sent", delivery=redis_id)

        return do_enqueue

    def _do_fetch(self, original: Any) -> Any:
        def do_fetch(queue_name: str, count: int) -> Any:
            called = time.monotonic()
            reply = original(queue_name, count)
            ids = ",".join(id.decode() for id in reply[::3])
            if count and not ids:
                self._recorder.record("empty", queue=queue_name, called=f"{called:.6f}")
            self._recorder.record("fetched", queue=queue_name, called=f"{called:.6f}", ids=ids)
            return reply

        return do_fetch

    def _do_ack(self, original: Any) -> Any:
        def do_ack(queue_name: str, redis_id: str, *more: Any, **options: Any) -> Any:
            called = time.monotonic()
            self._recorder.record("ack", delivery=redis_id)
            fetched = original(queue_name, redis_id, *more, **options)
            self._recorder.record("acked", delivery=redis_id)
            if fetched:
                self._recorder.record("fetched", queue=queue_name, called=f"{called:.6f}", ids=fetched[0].decode())
            return fetched

        return do_ack

    def _do_nack(self, original: Any) -> Any:
        def do_nack(queue_name: str, redis_id: str, letter: bytes, *more: Any) -> None:
            self._recorder.record("nack", delivery=redis_id)
            original(queue_name, redis_id, letter, *more)
            self._recorder.record("nacked", delivery=redis_id)

        return do_nack

    def _do_requeue(self, original: Any) -> Any:
        def do_requeue(queue_name: str, *redis_ids: str) -> None:
            # Redis may have executed it even if its reply is lost.
            for redis_id in redis_ids:
                self._recorder.record("requeue", delivery=redis_id)
            original(queue_name, *redis_ids)

        return do_requeue

    def _requeue_unfinished(self, original: Any) -> Any:
        def requeue_unfinished(queue_name: str, *, everything: bool = False) -> Any:
            if everything or queue_name.endswith(".DQ"):
                self._recorder.record("released", queue=queue_name)
            return original(queue_name, everything=everything)

        return requeue_unfinished
