"""A tier whose tasks do what the plan says, as a real worker process: `dramatiq history.tier`.

Environment: HISTORY_FOLDER, HISTORY_NODE, and the settings of any worker.
"""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage

from financehub_shared.core.errors import TaskFailedError
from financehub_shared.worker.tier import start_tier
from history.events import Recorder
from history.plan import KINDS, MAX_RETRIES, QUEUE, RETRY_SECONDS, Kind
from history.taps import Taps

process = start_tier(QUEUE)
recorder = Recorder(Path(os.environ["HISTORY_FOLDER"]), os.environ["HISTORY_NODE"])
taps = Taps(process.broker, recorder)
#: A child process that dies while it reports its start leaves a lock behind for which dramatiq's parent process waits.
_SAFE_SECONDS = 3.0
_started = time.monotonic()


def _work(kind: Kind) -> None:
    message = CurrentMessage.get_current_message()
    assert message is not None
    delivery, attempt = message.options["redis_message_id"], int(message.options.get("retries", 0)) + 1
    recorder.record("start", delivery=delivery, message=message.message_id, attempt=attempt)
    result = "interrupted"
    try:
        if kind.kills:
            time.sleep(max(0.0, _started + _SAFE_SECONDS - time.monotonic()))
            recorder.record("dies")
            os.kill(os.getpid(), signal.SIGKILL)
        end = time.monotonic() + random.uniform(0, kind.seconds)
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))  # an interrupt reaches the thread between two sleeps
        result = "error" if attempt <= kind.fails else "ok"
    finally:
        recorder.record("end", delivery=delivery, result=result)
    if result == "error":
        raise TaskFailedError(f"attempt {attempt} fails as planned")


def _declare(name: str, kind: Kind) -> None:
    def run() -> None:
        _work(kind)

    def run_after(message: object, result: object) -> None:
        _work(kind)

    options: dict[str, Any] = {"on_success": kind.follower} if kind.follower else {}
    decorate = dramatiq.actor(
        actor_name=name,
        queue_name=QUEUE,
        broker=process.broker,
        max_retries=MAX_RETRIES,
        min_backoff=round(RETRY_SECONDS * 1000),
        max_backoff=round(RETRY_SECONDS * 1000),
        notify_shutdown=True,
        **options,
    )
    decorate(run_after if name == "follower" else run)


for _name, _kind in KINDS.items():
    _declare(_name, _kind)
