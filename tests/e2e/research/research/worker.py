"""Composition root of the tier: `dramatiq research.worker`; what runs is in the lists began, ended and ran of Redis."""

import time
from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage

from financehub_shared.redis.client import connect
from financehub_shared.worker.tier import start_tier

process = start_tier("research")
_told = connect(process.settings.store_url)
_MEBIBYTE = 1 << 20


def task(fn: Any) -> Any:
    """An actor on this tier's queue."""
    return dramatiq.actor(fn, queue_name="research", broker=process.broker, time_limit=600_000)


@task
def work(name: str, seconds: float) -> None:
    """Take some time.

    Args:
        name: of this piece of work.
        seconds: how long it takes.
    """
    _told.rpush("began", name)
    time.sleep(seconds)
    _told.rpush("ended", name)


@task
def tell() -> None:
    """Say which run this is."""
    message = CurrentMessage.get_current_message()
    assert message is not None
    _told.rpush("ran", message.message_id)


@task
def swell(mebibytes: int) -> None:
    """Take memory the first time it runs, as a leak would; each further time nothing.

    Args:
        mebibytes: how much.
    """
    _told.rpush("began", "swell")
    if _told.incr("swollen") == 1:
        held = [bytearray(b"x" * _MEBIBYTE) for _ in range(mebibytes)]
        raise MemoryError(f"{len(held)} MiB fit into the limit")
    _told.rpush("ended", "swell")
