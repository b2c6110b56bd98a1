"""Tests how a web process ends after SIGTERM."""

import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import redis

from financehub_shared.core.release import release_version
from financehub_shared.health.processes import ProcessRegistry
from support.processes import end, launch
from support.redis_server import free_port
from support.waiting import eventually

#: A request whose body never arrives, so the process waits for it while it ends.
UNFINISHED = (
    b"POST /actions/trigger HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 10\r\n\r\n"
)


def test_process_that_ends_is_alive_and_not_ready(redis_url: str, redis_client: redis.Redis) -> None:
    """After SIGTERM, Kubernetes sends no new connections, and the open request still has its time.

    While it lives, the process announces its release, and it leaves the list of processes when it ends.
    """
    port, probes = free_port(), free_port()
    settings = {
        "REDIS_URL": redis_url,
        "FINANCEHUB_WEB_HOST": "localhost",
        "FINANCEHUB_WEB_PORT": str(port),
        "FINANCEHUB_WEB_MODE": "write",
        "FINANCEHUB_HTTP_HOST": "localhost",
        "FINANCEHUB_HTTP_PORT": str(probes),
    }
    process = launch([Path(sys.executable).with_name("financehub-web")], env=os.environ | settings)

    def status(path: str) -> int:
        try:
            return httpx.get(f"http://localhost:{probes}{path}", timeout=30).status_code
        except httpx.TransportError:
            return 0

    try:
        eventually(lambda: status("/readyz") == 200, "the process is ready")
        registry = ProcessRegistry(redis_client)
        (web,) = eventually(registry.live, "the process announces itself")
        assert (web.tier, web.version, web.queues) == ("web", release_version(), ())
        assert httpx.get(f"http://localhost:{probes}/api/health/", timeout=30).json()["version"] == release_version()
        with socket.create_connection(("localhost", port)) as client:
            client.sendall(UNFINISHED)
            assert httpx.get(f"http://localhost:{port}/api/health", timeout=30).status_code in {200, 503}
            process.send_signal(signal.SIGTERM)
            eventually(lambda: status("/readyz") == 503, "the process is not ready")
            assert status("/livez") == 200
        assert process.wait(60) == 0
        assert registry.live() == []
    finally:
        end(process)
