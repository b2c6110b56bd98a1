"""A dramatiq worker with the benchmark's task.

BENCH_KIND is `bare` for dramatiq's own broker, `broker` for FinanceHub's broker without observers, and `all` for
FinanceHub's broker with all observers, like a tier in production.
"""

import os

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from financehub_shared.core.settings import Settings
from financehub_shared.logging import configure_logging
from financehub_shared.metrics import Metrics
from financehub_shared.worker.build import build_broker
from financehub_shared.worker.observers import build_observers

KIND = os.environ["BENCH_KIND"]
URL = os.environ["BENCH_URL"]

settings = Settings(redis_url=URL, http_host="127.0.0.1", http_port=0)
broker: dramatiq.Broker
if KIND == "bare":
    broker = RedisBroker(url=URL)
elif KIND == "broker":
    broker = build_broker(settings, tier="high")
else:
    configure_logging(settings, "high")
    metrics = Metrics("high")
    observers = build_observers(settings, "high", metrics)
    broker = build_broker(settings, tier="high", observers=observers)
dramatiq.set_broker(broker)
_client = redis.Redis.from_url(URL)


@dramatiq.actor(queue_name="bench")
def noop() -> None:
    """Count this run."""
    _client.incr("bench:done")
