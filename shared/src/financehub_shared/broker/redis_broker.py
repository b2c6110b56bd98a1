"""Dramatiq's RedisBroker, mended: failures of Redis lose no message and need no restart of the process."""

import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import dq_name
from dramatiq.errors import ConnectionClosed

from financehub_shared.broker import scripts
from financehub_shared.broker.consumer import FinanceHubConsumer
from financehub_shared.redis import queue_keys as keys

log = structlog.get_logger(__name__)


class Held:
    """What this process holds of one queue: fetched and not settled, over restarts of its consumer."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        #: Set whenever something was settled, for a consumer that waits for room.
        self.freed = threading.Event()

    def settle(self, redis_id: str) -> None:
        """Forget a message that Redis no longer counts as ours."""
        self.ids.discard(redis_id)
        self.freed.set()


class FinanceHubBroker(RedisBroker):
    """The broker of every process; build it with `build_broker`.

    Args:
        client: from `redis_client.connect(url, retries=0)`: a script that ran and is run again by a hidden retry
            would enqueue twice, or strand what the first run fetched.
        middleware: in order, complete.
    """

    def __init__(
        self,
        *,
        client: "redis.Redis",
        middleware: Sequence[dramatiq.Middleware],
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=client,
            middleware=list(middleware),
            namespace=keys.NAMESPACE,
            maintenance_chance=0,  # the janitor's task, not chance's
        )
        self.draining = False
        self._held: defaultdict[str, Held] = defaultdict(Held)
        self._enqueue = client.register_script(scripts.ENQUEUE)
        self._fetch = client.register_script(scripts.FETCH)
        self._ack = client.register_script(scripts.ACK)
        self._nack = client.register_script(scripts.NACK)
        self._requeue = client.register_script(scripts.REQUEUE)
        self._requeue_others = client.register_script(scripts.REQUEUE_OTHERS)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> FinanceHubConsumer:
        """Create a consumer, after every lost connection again, and first give back what nobody here works on.

        Those are messages whose fetch was answered into a cut connection and, of a delay queue, all that a consumer
        held in memory: dramatiq forgets them while their worker lives on (dramatiq#527).
        """
        held = self._held[queue_name]
        if queue_name == dq_name(queue_name):
            held.ids.clear()
        self.give_back(queue_name)
        return FinanceHubConsumer(self, queue_name, prefetch, timeout, held)

    def give_back(self, queue_name: str, *, everything: bool = False) -> int:
        """Requeue what Redis counts as ours and we do not hold, or everything; returns how many messages."""
        kept = () if everything else tuple(self._held[queue_name].ids)
        requeued = int(
            self._run(self._requeue_others, [self._acks(queue_name), *self._queue(queue_name)], kept, queue_name)
        )
        if requeued:
            log.warning("messages_given_back", queue=queue_name, count=requeued)
        return requeued

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    # What dramatiq's `enqueue` and our consumer call, one round trip each.

    def do_enqueue(self, queue_name: str, redis_id: str, message: bytes) -> None:
        self._run(self._enqueue, self._queue(queue_name), (redis_id, message), queue_name)

    def do_fetch(self, queue_name: str, count: int) -> list[bytes]:
        names = [*self._queue(queue_name), self._acks(queue_name), keys.losses(queue_name), keys.HEARTBEATS]
        fetched: list[bytes] = self._run(self._fetch, names, (self.broker_id, count), queue_name)
        return fetched

    def do_ack(self, queue_name: str, redis_id: str) -> None:
        self._run(self._ack, self._settled(queue_name), (redis_id,), queue_name)

    def do_nack(self, queue_name: str, redis_id: str, letter: bytes) -> None:
        names = [*self._settled(queue_name), keys.dead(queue_name), keys.dead_messages(queue_name)]
        self._run(self._nack, names, (redis_id, letter), queue_name)

    def do_requeue(self, queue_name: str, *redis_ids: str) -> None:
        self._run(self._requeue, [self._acks(queue_name), *self._queue(queue_name)], redis_ids, queue_name)

    def _run(self, script: Any, names: list[str], args: Sequence[Any], queue_name: str) -> Any:
        # The scripts and their arguments are fixed, so whatever Redis raises is about Redis: away, hung, a replica
        # after a failover, full, loading. Dramatiq retries a lost connection until it is back, and drops the rest.
        try:
            return script(keys=names, args=args)
        except redis.RedisError as error:
            if "READONLY" in str(error):
                # this server was demoted: resolve the address again
                self.client.connection_pool.disconnect(inuse_connections=False)
            raise ConnectionClosed(f"queue {queue_name}: Redis: {type(error).__name__}: {error}") from error

    def _queue(self, queue_name: str) -> list[str]:
        return [keys.ready(queue_name), keys.messages(queue_name)]

    def _acks(self, queue_name: str) -> str:
        return keys.acks(self.broker_id, queue_name)

    def _settled(self, queue_name: str) -> list[str]:
        return [self._acks(queue_name), keys.messages(queue_name), keys.losses(queue_name)]
