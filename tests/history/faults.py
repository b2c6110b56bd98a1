"""The faults of a history, and how often each is drawn."""

from collections.abc import Callable
from typing import Any

from history import node_faults, redis_faults
from history.node_faults import on
from history.redis_faults import of_redis
from history.world import Fault, World

_workers: Any = lambda world: world.workers  # noqa: E731 — a name for a parameter of the table below
_producers: Any = lambda world: world.producers  # noqa: E731
#: The last scheduler is never disturbed, so the deadline of a redelivery does not depend on schedulers.
_schedulers: Any = lambda world: world.schedulers[:-1]  # noqa: E731

#: Name → fault and its weight.
COMMON: dict[str, tuple[Callable[[World], Fault], float]] = {
    "worker killed": (on(_workers, node_faults.kill), 6),
    "worker terminated": (on(_workers, node_faults.terminate), 3),
    "worker stopped for a moment": (on(_workers, node_faults.hang(0.5, 4)), 2),
    "worker stopped beyond the timeout": (on(_workers, node_faults.hang(12, 15)), 2),
    "worker cut off for a moment": (on(_workers, node_faults.cut(1, 6)), 2),
    "worker cut off beyond the timeout": (on(_workers, node_faults.cut(12, 16)), 2),
    "worker gets no replies": (on(_workers, node_faults.cut(1, 7, outgoing=False)), 2),
    "worker cannot send": (on(_workers, node_faults.cut(1, 7, incoming=False)), 1),
    "slow link of a worker": (on(_workers, node_faults.slow), 2),
    "producer killed": (on(_producers, node_faults.kill), 1),
    "producer gets no replies": (on(_producers, node_faults.cut(1, 7, outgoing=False)), 1),
    "scheduler killed": (on(_schedulers, node_faults.kill), 1),
    "scheduler stopped": (on(_schedulers, node_faults.hang(2, 14)), 1),
    "connections reset": (of_redis(redis_faults.reset_connections), 2),
    "Redis full": (of_redis(redis_faults.fill), 2),
    "Redis slow": (of_redis(redis_faults.slow), 1),
}
#: Additional faults of one server.
SINGLE = {
    "Redis killed": (of_redis(redis_faults.kill), 3),
    "Redis stopped": (of_redis(redis_faults.hang), 2),
    "Redis cut off": (of_redis(redis_faults.cut), 2),
}
#: Additional faults of a master with replicas and Sentinels.
REPLICATED = {
    "master killed": (of_redis(redis_faults.kill_master), 3),
    "master stopped": (of_redis(redis_faults.hang_master), 1.5),
    "master cut off from its replicas": (of_redis(redis_faults.split_master), 1.5),
    "master cut off": (of_redis(redis_faults.isolate_master), 1.5),
    "failover ordered": (of_redis(redis_faults.order_failover), 1.5),
}
