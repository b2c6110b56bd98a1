"""Tests of the chart's Redis probes: the rendered commands run against real servers in every state."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from support.chart_redis import PRODUCTS, ChartRedis
from support.tmpfs import fill, small_file_system
from support.waiting import eventually

_PASSWORD = "s3cret"
READY = {"startup": True, "liveness": True, "readiness": True}
#: A restart would not help, and would interrupt those who read.
ALIVE = {"startup": True, "liveness": True, "readiness": False}
GONE = {"startup": False, "liveness": False, "readiness": False}

pytestmark = [pytest.mark.faults, pytest.mark.parametrize("product", PRODUCTS)]


@pytest.fixture
def start(tmp_path: Path, product: str) -> Iterator[Callable[..., ChartRedis]]:
    """Return a function that starts a server of the product and waits until it answers PING in any way."""
    servers: list[ChartRedis] = []

    def begin(data: Path | None = None, options: str = "") -> ChartRedis:
        servers.append(ChartRedis(tmp_path, product, data=data, options=options))
        servers[-1].start(_PASSWORD)
        eventually(lambda: servers[-1].probe("liveness"), "the server answers")
        return servers[-1]

    yield begin
    for each in servers:
        each.stop()


def _client(server: ChartRedis) -> "redis.Redis":
    return redis.Redis(port=server.port, password=_PASSWORD, socket_timeout=30)


def test_probes_of_a_working_server_succeed(start: Callable[..., ChartRedis]) -> None:
    """A server that works is alive and ready."""
    assert start().probes() == READY


def test_server_with_a_full_disk_is_alive_but_not_ready(start: Callable[..., ChartRedis], tmp_path: Path) -> None:
    """While the disk is full, PING is refused with MISCONF. The server can still be read, so it is not restarted."""
    with small_file_system(tmp_path / "disk", 24) as disk:
        server = start(disk, "appendfsync everysec")
        filler = fill(disk)
        client = _client(server)

        def is_refused() -> bool:
            try:
                client.rpush("list", "x" * 10_000)
            except redis.ResponseError as error:
                return "MISCONF" in str(error)
            return False

        eventually(is_refused, "the server refuses writes")
        assert server.probes() == ALIVE
        assert client.llen("list") > 0
        filler.unlink()
        eventually(lambda: server.probes() == READY, "the server is ready again")
        server.stop()


def test_server_that_reads_its_data_is_alive_but_not_ready(start: Callable[..., ChartRedis], tmp_path: Path) -> None:
    """While the server reads its file, PING is refused with LOADING, however long it takes."""
    server = start()
    pipeline = _client(server).pipeline(transaction=False)
    for number in range(200_000):  # more than the probes need on a busy machine
        pipeline.set(f"key-{number}", "x")
    pipeline.execute()
    server.stop()
    configuration = tmp_path / "redis.conf"
    # The server answers after every 1,024 commands, which take 0.2 s with this delay in microseconds.
    configuration.write_text(configuration.read_text() + "\nkey-load-delay 100\n")
    server.start(_PASSWORD)
    eventually(lambda: server.probe("liveness"), "the server answers")
    assert server.probes() == ALIVE
    with pytest.raises(redis.BusyLoadingError):
        redis.Redis(port=server.port, password=_PASSWORD, retry=None).ping()


def test_server_in_a_long_script_is_alive_but_not_ready(start: Callable[..., ChartRedis]) -> None:
    """While a script runs longer than its limit, PING is refused with BUSY."""
    server = start(options="busy-reply-threshold 100")

    def run() -> None:
        with pytest.raises(redis.ResponseError):
            _client(server).eval("while true do end", 0)

    script = threading.Thread(target=run)
    script.start()
    try:
        eventually(lambda: not server.probe("readiness"), "the script is too long")
        assert server.probes() == ALIVE
    finally:
        _client(server).script_kill()
        script.join()
    assert server.probes() == READY


def test_server_with_another_password_is_alive_but_not_ready(start: Callable[..., ChartRedis]) -> None:
    """A server that was given another password refuses the probe's, but answers."""
    assert start().probes("another") == ALIVE


def test_server_with_too_many_clients_is_alive_but_not_ready(start: Callable[..., ChartRedis]) -> None:
    """A server that refuses further connections answers, and a restart would interrupt the others."""
    server = start()
    client = _client(server)
    client.config_set("maxclients", 1)
    assert client.ping()
    assert server.probes() == ALIVE


def test_server_that_hangs_is_restarted(start: Callable[..., ChartRedis]) -> None:
    """A process that does not answer fails its probes before the kubelet ends them, so no client is left behind."""
    server = start()
    server.send_signal(signal.SIGSTOP)
    assert server.probes() == GONE
    server.send_signal(signal.SIGCONT)
    eventually(lambda: server.probes() == READY, "the server is ready again")


def test_server_that_has_ended_is_gone(start: Callable[..., ChartRedis]) -> None:
    """A port on which nothing listens fails every probe."""
    server = start()
    server.stop()
    assert server.probes() == GONE
