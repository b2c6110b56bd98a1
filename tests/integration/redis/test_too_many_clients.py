"""A Redis that accepts no further connection, as when a pool of another program leaks."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from financehub_shared.core.settings import Settings
from financehub_shared.redis.client import connect
from financehub_shared.worker.build import build_broker
from support.redis_server import RedisServer
from support.workers import WorkerProcess, events, eventually_despite_outage, message

pytestmark = pytest.mark.faults


def fill(server: RedisServer) -> "redis.Redis":
    """Close all connections except one, which takes the only remaining place, and return its client."""
    client = redis.Redis(port=server.port)
    client.config_set("maxclients", 1)
    own = client.client_id()
    for other in client.client_list():
        if int(other["id"]) != own:
            client.client_kill_filter(_id=other["id"])
    return client


def test_worker_without_a_connection_recovers_and_ends_at_sigterm(
    redis_server: Callable[..., RedisServer], redis_url: str, redis_client: "redis.Redis", tmp_path: Path
):
    """A worker that cannot connect names the reason, works again when it can, and ends in time at SIGTERM without."""
    server = redis_server()
    log = tmp_path / "worker.log"
    worker = WorkerProcess("fixed", server.url, log, shutdown_ms=2_000, EVENTS_URL=redis_url)
    try:
        worker.wait_ready()
        broker = build_broker(Settings(redis_url=server.url), tier="high", client=connect(server.url, retries=0))
        broker.enqueue(message("fixed", "slow", "a", 1.0))
        eventually_despite_outage(lambda: "start a" in events(redis_client, "fixed"))
        full = fill(server)
        eventually_despite_outage(lambda: "max number of clients reached" in log.read_text())
        full.config_set("maxclients", 1_000)
        broker.enqueue(message("fixed", "record", "b"))
        eventually_despite_outage(lambda: "b" in events(redis_client, "fixed"))
        # once more, with a finished message that cannot be acknowledged
        broker.enqueue(message("fixed", "slow", "c", 1.0))
        eventually_despite_outage(lambda: "start c" in events(redis_client, "fixed"))
        broker.close()
        full = fill(server)
        eventually_despite_outage(lambda: "end c" in events(redis_client, "fixed"))
        started = time.monotonic()
        assert worker.terminate(timeout=60) == 0
        assert time.monotonic() - started < 50
        full.close()
    finally:
        worker.stop()
