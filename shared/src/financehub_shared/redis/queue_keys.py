"""Dramatiq's Redis keys, as its `dispatch.lua` (2.2.1) uses them, and one key that FinanceHub adds.

Plain dramatiq, KEDA and our broker share these keys. A test compares them with those of the stock broker.
"""

import re

NAMESPACE = "dramatiq"
#: Sorted set: worker id by last heartbeat in Unix milliseconds.
HEARTBEATS = f"{NAMESPACE}:__heartbeats__"
#: Pattern that matches all of the broker's keys, for SCAN.
EVERYTHING = f"{NAMESPACE}:*"
#: Parses `acks(worker, queue)`. Worker ids are UUIDs; queue names may contain dots (`high.DQ`).
ACKS_KEY = re.compile(rf"^{NAMESPACE}:__acks__\.(?P<worker>[^.]+)\.(?P<queue>.+)\Z", re.DOTALL)
#: Parses `messages(queue)` or `dead(queue)`.
QUEUE_KEY = re.compile(rf"^{NAMESPACE}:(?P<queue>.+?)(?:\.DQ|\.XQ)?(?:\.msgs|\.XQ)\Z", re.DOTALL)


def q_name(queue: str) -> str:
    """Return the name of the queue to which a queue of delayed messages or of dead letters belongs."""
    return queue[:-3] if queue.endswith((".DQ", ".XQ")) else queue


def ready(queue: str) -> str:
    """List of the ids of waiting messages, in delivery order."""
    return f"{NAMESPACE}:{queue}"


def messages(queue: str) -> str:
    """Hash id → message, for messages that wait or are in flight."""
    return f"{NAMESPACE}:{queue}.msgs"


def acks(worker: str, queue: str) -> str:
    """Set of the ids of messages that a worker has fetched and not yet finished."""
    return f"{NAMESPACE}:__acks__.{worker}.{queue}"


def dead(queue: str) -> str:
    """Sorted set of dead letters by time of death in Unix milliseconds. A queue and its delay queue share it."""
    return f"{NAMESPACE}:{q_name(queue)}.XQ"


def dead_messages(queue: str) -> str:
    """Hash id → dead letter."""
    return f"{dead(queue)}.msgs"


def losses(queue: str) -> str:
    """Hash id → number of workers that died holding the message, if any did. FinanceHub adds this key."""
    return f"{NAMESPACE}:{queue}.losses"


def types(worker: str, queue: str) -> dict[str, str]:
    """Return the keys that a worker uses for a queue or a delay queue, each with its type."""
    return {
        ready(queue): "list",
        messages(queue): "hash",
        acks(worker, queue): "set",
        losses(queue): "hash",
        dead(queue): "zset",
        dead_messages(queue): "hash",
        HEARTBEATS: "zset",
    }
