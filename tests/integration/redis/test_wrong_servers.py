"""Servers that FinanceHub cannot use: a Redis Cluster, and a Sentinel in place of a server."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.redis_url_parser import parse_redis_url
from financehub_shared.redis.client import connect, connect_async
from financehub_shared.redis.server_check import WrongServerError
from financehub_shared.redis.startup import refuse_wrong_servers
from support.processes import end, launch
from support.redis_binaries import SERVERS, redis_server_binary
from support.redis_server import RedisServer, free_port
from support.waiting import eventually

BIN = Path(sys.executable).parent
ENTRY_POINTS = {
    "worker": [str(BIN / "dramatiq"), "financehub_high_priority.worker", "-p", "1", "-t", "1"],
    "scheduler": [str(BIN / "financehub-scheduler"), "--schedules", "."],
    "cli": [str(BIN / "financehub"), "quotes"],
}
StartCluster = Callable[..., RedisServer]


@pytest.fixture
def start_cluster(tmp_path: Path) -> Iterator[StartCluster]:
    """Return a function that starts a server in cluster mode."""
    servers: list[RedisServer] = []

    def start(server: str | None = None) -> RedisServer:
        while True:
            directory = tmp_path / f"cluster-{len(servers)}"
            directory.mkdir()
            servers.append(RedisServer(directory, "--cluster-enabled", "yes", server=server))
            try:
                return servers[-1].start()
            except AssertionError:
                # a cluster also listens on a port that is 10,000 higher, which an outgoing connection may have
                if len(servers) == 9:
                    raise

    yield start
    for each in servers:
        each.stop()


@pytest.mark.parametrize("server", SERVERS)
def test_cluster_is_refused_by_every_client(server: str, start_cluster: StartCluster):
    """The error of a blocking client, of one for coroutines and of the check at the start says what to use."""
    cluster = start_cluster(server)
    with pytest.raises(WrongServerError, match=r"is a Redis Cluster, which.*redis\+sentinel://"):
        connect(cluster.url).get("key")
    with pytest.raises(ConfigError, match="is a Redis Cluster"):
        refuse_wrong_servers([parse_redis_url(cluster.url)])


def test_cluster_is_refused_by_client_for_coroutines(start_cluster: StartCluster):
    """A client for coroutines raises the same error."""
    cluster = start_cluster()

    async def get() -> None:
        client = connect_async(cluster.url)
        try:
            await client.get("key")
        finally:
            await client.aclose()

    with pytest.raises(WrongServerError, match="is a Redis Cluster"):
        asyncio.run(get())


@pytest.mark.parametrize("command", ENTRY_POINTS.values(), ids=ENTRY_POINTS)
def test_process_with_cluster_exits_with_one_line(command: list[str], start_cluster: StartCluster):
    """Every process exits with code 2 and one line that says what to use."""
    cluster = start_cluster()
    environment = {"PATH": os.environ["PATH"], "REDIS_URL": cluster.url, "FINANCEHUB_HTTP_PORT": "0"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    lines = [line for line in result.stderr.splitlines() if line.startswith("financehub: ")]
    assert result.returncode == 2
    assert len(lines) == 1
    assert f"127.0.0.1:{cluster.port} is a Redis Cluster, which is not supported" in lines[0]
    assert "Traceback" not in result.stdout + result.stderr


def test_sentinel_in_place_of_a_server_is_refused(tmp_path: Path):
    """A URL that leads to a Sentinel is refused, and the error gives the form of the URL for Sentinels."""
    port, file = free_port(), tmp_path / "sentinel.conf"
    file.write_text(f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n")
    with (tmp_path / "log").open("wb") as log:
        process = launch([redis_server_binary(), str(file), "--sentinel"], stdout=log, stderr=log)
    try:
        eventually(redis.Redis(port=port).ping, "the Sentinel answers", 60, ignored=redis.RedisError)
        with pytest.raises(WrongServerError, match=r"is a Sentinel and not a server; use redis\+sentinel://"):
            connect(f"redis://127.0.0.1:{port}").get("key")
    finally:
        end(process)


def test_absent_server_is_not_refused_at_start(tmp_path: Path):
    """A process starts without Redis. A TLS file that does not exist is refused, because it will not come back."""
    url = f"127.0.0.1:{free_port()}"
    refuse_wrong_servers([parse_redis_url(f"redis://{url}")])
    with pytest.raises(ConfigError, match=f"option ssl_ca_certs of the Redis URL: {tmp_path}/ca.crt: No such file"):
        refuse_wrong_servers([parse_redis_url(f"rediss://{url}?ssl_ca_certs={tmp_path}/ca.crt")])
