"""A worker with all observers, whose task waits like one that calls an upstream."""

import os
import time

import dramatiq

from financehub_shared.core.settings import Settings
from financehub_shared.logging import configure_logging
from financehub_shared.metrics import Metrics
from financehub_shared.worker.build import build_broker
from financehub_shared.worker.observers import build_observers

settings = Settings(redis_url=os.environ["BENCH_URL"], http_host="127.0.0.1", http_port=0)
configure_logging(settings, "high")
broker = build_broker(settings, tier="high", observers=build_observers(settings, "high", Metrics("high")))
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench")
def wait() -> None:
    """Wait for a made-up upstream."""
    time.sleep(float(os.environ["BENCH_SECONDS"]))
