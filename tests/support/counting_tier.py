"""A tier with one task that records every run in a file, for the counts of the fault tests.

It is started like any tier: `dramatiq support.counting_tier`. The file is outside of Redis, so it keeps the runs that a
faulty Redis forgets. Environment: RUNS_FILE.
"""

import json
import os
import time

import dramatiq
from dramatiq.middleware import CurrentMessage

from financehub_shared.worker.tier import start_tier
from support.fault_counts import QUEUE, TASK

process = start_tier(QUEUE)
# Each write of a line is atomic, because the file is open for appending.
_runs = os.open(os.environ["RUNS_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def count(tag: int | None = None, seconds: float = 0.0) -> None:
    """Record that a message ran, and work for a while.

    Args:
        tag: Number of the message, for messages that a test sends.
        seconds: Duration of the work.
    """
    message = CurrentMessage.get_current_message()
    assert message is not None
    options = message.options
    line = {
        "tag": tag,
        "id": message.message_id,
        "schedule": options.get("schedule"),
        "due_at": options.get("due_at"),
        "worker": os.getpid(),
    }
    os.write(_runs, json.dumps(line).encode() + b"\n")
    time.sleep(seconds)


dramatiq.actor(count, actor_name=TASK, queue_name=QUEUE, broker=process.broker, max_retries=3)
