"""Dramatiq's keys in Redis, as its `dispatch.lua` (2.2.1) lays them out, and the one that we add.

A plain dramatiq, KEDA and our broker meet in these keys; a test compares them with the stock broker's.
"""

import re

from dramatiq.common import q_name

NAMESPACE = "dramatiq"
#: Sorted set worker id → last heartbeat, Unix milliseconds.
HEARTBEATS = f"{NAMESPACE}:__heartbeats__"
#: Every key of the broker, for SCAN.
EVERYTHING = f"{NAMESPACE}:*"
#: `acks(worker, queue)`, read backwards. Worker ids are UUIDs; queue names may hold dots (`high.DQ`).
ACKS_KEY = re.compile(rf"^{NAMESPACE}:__acks__\.(?P<worker>[^.]+)\.(?P<queue>.+)$")
#: `messages(queue)` or `dead(queue)`, read backwards.
QUEUE_KEY = re.compile(rf"^{NAMESPACE}:(?P<queue>.+?)(?:\.DQ|\.XQ)?(?:\.msgs|\.XQ)$")


def ready(queue: str) -> str:
    """List of ids, in the order of delivery."""
    return f"{NAMESPACE}:{queue}"


def messages(queue: str) -> str:
    """Hash id → message: ready and in flight."""
    return f"{NAMESPACE}:{queue}.msgs"


def acks(worker: str, queue: str) -> str:
    """Set of ids that a worker holds: fetched and not settled."""
    return f"{NAMESPACE}:__acks__.{worker}.{queue}"


def dead(queue: str) -> str:
    """Sorted set of dead letters by time of death, Unix milliseconds; a queue and its delay queue share it."""
    return f"{NAMESPACE}:{q_name(queue)}.XQ"


def dead_messages(queue: str) -> str:
    """Hash id → dead letter."""
    return f"{dead(queue)}.msgs"


def losses(queue: str) -> str:
    """Ours: hash id → how many workers died holding the message; ids that never lost one are absent."""
    return f"{NAMESPACE}:{queue}.losses"
