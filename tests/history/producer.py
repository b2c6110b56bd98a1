"""Sends the messages of a plan at a steady rate until it gets SIGTERM: `python -m history.producer`.

Environment: HISTORY_FOLDER, HISTORY_NODE, HISTORY_RATE (messages per second), HISTORY_SEED, and the URL of Redis. It
sends no message again whose result is unknown.
"""

import os
import random
import signal
import threading
import time
from pathlib import Path

from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.settings import load_settings
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from history.events import Recorder
from history.plan import KINDS, QUEUE
from history.taps import Taps


def main() -> None:
    """Send until SIGTERM."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    broker = build_broker(load_settings())
    Taps(broker, Recorder(Path(os.environ["HISTORY_FOLDER"]), os.environ["HISTORY_NODE"]))
    generator = random.Random(int(os.environ["HISTORY_SEED"]) + os.getpid())
    period = 1 / float(os.environ["HISTORY_RATE"])
    names, shares = list(KINDS), [kind.share for kind in KINDS.values()]
    due = time.monotonic()
    while not stopped.wait(max(0.0, due - time.monotonic())):
        # After an outage, it does not catch up, because the workers must keep pace.
        due = max(due + period, time.monotonic() - period)
        (name,) = generator.choices(names, shares)
        kind = KINDS[name]
        delay = generator.uniform(0.1, kind.delay) if kind.delay else None
        options = {"max_age": round(kind.max_age * 1000)} if kind.max_age else {}
        try:
            enqueue(broker, name, queue=QUEUE, delay=delay, options=options)
        except StoreUnavailableError:
            time.sleep(0.05)


if __name__ == "__main__":
    main()
