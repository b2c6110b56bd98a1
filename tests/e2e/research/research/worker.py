"""Composition root of the tier (`dramatiq research.worker`).

The tasks record their runs in lists of the data Redis: `started` and `finished` contain names of work items, and
`run_ids` contains run ids. The stream `attempts` contains each attempt of `record_attempt`, for `make soak`.
"""

import os
import socket
import time
import uuid
from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage

from financehub_shared.redis.client import connect
from financehub_shared.worker.tier import start_tier
from research.planted import PlantedBugs

process = start_tier("research")
_redis = connect(process.settings.store_url)
_MEBIBYTE = 1 << 20
_bugs = PlantedBugs(os.environ.get("RESEARCH_BUGS", ""), _redis, process.metrics.registry)


def task(fn: Any) -> Any:
    """Declare an actor of this tier's queue."""
    return dramatiq.actor(fn, queue_name="research", broker=process.broker, time_limit=600_000)


@task
def work(name: str, seconds: float) -> None:
    """Sleep and record the start and end.

    Args:
        name: Name of this work item.
        seconds: Duration in seconds.
    """
    _redis.rpush("started", name)
    time.sleep(seconds)
    _redis.rpush("finished", name)


@task
def record_run() -> None:
    """Record the id of this run."""
    message = CurrentMessage.get_current_message()
    assert message is not None
    _redis.rpush("run_ids", message.message_id)


@task
def record_attempt() -> None:
    """Append this attempt to the stream `attempts`.

    The token shows that two entries are of the same attempt: a command whose reply is lost is sent again.
    """
    message = CurrentMessage.get_current_message()
    assert message is not None
    if _bugs.strike(message.message_id):
        fields = {"run": message.message_id, "pod": socket.gethostname(), "token": uuid.uuid4().hex}
        _redis.xadd("attempts", fields)  # type: ignore[arg-type]


@task
def allocate(mebibytes: int) -> None:
    """Allocate memory in the first attempt, like a leak. Later attempts allocate nothing and succeed.

    Args:
        mebibytes: Size in MiB.
    """
    _redis.rpush("started", "allocate")
    if _redis.incr("allocations") == 1:
        # `make soak` reads which pod had too little memory.
        _redis.rpush("allocated_on", socket.gethostname())
        chunks = [bytearray(b"x" * _MEBIBYTE) for _ in range(mebibytes)]
        raise MemoryError(f"{len(chunks)} MiB fit within the limit")
    _redis.rpush("finished", "allocate")
