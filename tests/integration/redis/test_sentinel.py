"""Clients of a Redis with Sentinels: failovers under load, and errors that say what is wrong."""

import asyncio
import itertools
import threading
from collections import Counter
from pathlib import Path

import pytest
import redis
from dramatiq.errors import ConnectionClosed
from typer.testing import CliRunner

from financehub_cli.app import app
from financehub_cli.exit_codes import ExitCode
from financehub_shared.core.redis_url_parser import parse_redis_url
from financehub_shared.core.settings import Settings
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import server_check
from financehub_shared.redis.client import connect, connect_async
from financehub_shared.redis.sentinel import NoMasterError
from financehub_shared.worker.build import build_broker
from support.redis_binaries import SERVERS
from support.redis_server import PATIENT_SECONDS, free_port
from support.sentinel import SERVICE, SentinelSet
from support.waiting import eventually
from support.workers import WorkerProcess, events, eventually_despite_outage, message, unsettled

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("server", SERVERS)
def test_clients_follow_the_master(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """When the master is killed or hangs, clients of every kind use the new one. A password is used everywhere."""
    monkeypatch.setattr(server_check, "CHECK_SECONDS", 0.5)
    with SentinelSet(tmp_path, password="s3cret", server=server) as redis_set:
        url = redis_set.url
        reader, writer = connect(url, timeout=2), connect(url, timeout=2)
        store = RedisStore(connect(url, timeout=2))

        async def read() -> bytes:
            client = connect_async(url, timeout=2)
            try:
                return await client.get("round")
            finally:
                await client.aclose()

        def add_asset(symbol: str) -> None:
            environment = {"REDIS_URL": url, "FINANCEHUB_SIMULATED": "true"}
            result = CliRunner().invoke(app, ["assets", "add", symbol, "--type", "crypto"], env=environment)
            assert result.exit_code == ExitCode.OK, result.output

        writer.set("round", "0")
        assert reader.get("round") == asyncio.run(read()) == b"0"
        for number, lose in enumerate((redis_set.kill_master, redis_set.hang_master), 1):
            old = lose()
            eventually(
                lambda number=number: writer.set("round", str(number)),
                "the new master accepts writes",
                PATIENT_SECONDS,
                ignored=redis.RedisError,
            )
            eventually(
                lambda number=number: reader.get("round") == str(number).encode(),
                "the reader follows",
                PATIENT_SECONDS,
                ignored=redis.RedisError,
            )
            assert asyncio.run(read()) == str(number).encode()
            add_asset(f"COIN{number}-USD")
            assert [asset.symbol for asset in store.assets()] == [f"COIN{each + 1}-USD" for each in range(number)]
            if lose == redis_set.hang_master:
                old.kill()
            redis_set.rejoin(old)
        # the loss of Sentinels is noticed only when the last one is gone
        for port in redis_set.ports[:2]:
            redis_set.kill_sentinel(port)
        assert connect(url, timeout=2).get("round") == b"2"


def test_master_killed_under_load_loses_and_doubles_no_message(
    tmp_path: Path, redis_url: str, redis_client: "redis.Redis"
):
    """Messages are sent and run while the master is killed twice. Each one that its replica has runs exactly once."""
    with SentinelSet(tmp_path / "set") as redis_set:
        worker = WorkerProcess("fixed", redis_set.url, tmp_path / "worker.log", EVENTS_URL=redis_url, REDIS_TIMEOUT="2")
        try:
            worker.wait_ready()
            load = _Load(redis_set.url)
            with load:
                for _ in range(2):
                    load.wait_for_more(200)
                    redis_set.rejoin(redis_set.kill_replicated_master())
                load.wait_for_more(200)
            eventually_despite_outage(lambda: unsettled(connect(redis_set.url), "fixed") == 0, PATIENT_SECONDS)
            runs = Counter(events(redis_client, "fixed"))
            assert [tag for tag in load.confirmed if runs[tag] != 1] == []
            # a message without a reply may have arrived, but it does not run twice either
            assert [tag for tag in load.unconfirmed if runs[tag] > 1] == []
            assert len(load.confirmed) >= 600
        finally:
            worker.stop()


class _Load:
    """A thread that sends messages until the block ends."""

    def __init__(self, url: str) -> None:
        self._broker = build_broker(Settings(redis_url=url), tier="high", client=connect(url, retries=0, timeout=2))
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.confirmed: list[str] = []
        self.unconfirmed: list[str] = []

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._ends.set()
        self._thread.join(PATIENT_SECONDS)

    def wait_for_more(self, count: int) -> None:
        """Wait until this number of further messages is confirmed."""
        limit = len(self.confirmed) + count
        eventually(lambda: len(self.confirmed) >= limit, "messages are confirmed", 60)

    def _send(self) -> None:
        for number in itertools.count():
            if self._ends.wait(0.002):
                return
            try:
                self._broker.enqueue(message("fixed", "record", str(number)))
                self.confirmed.append(str(number))
            except ConnectionClosed:
                self.unconfirmed.append(str(number))
                self._ends.wait(0.05)


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "coroutine"])
def test_open_connection_serves_without_sentinels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocking: bool):
    """While no Sentinel answers, an open connection is used, and its checks do not ask them before every command."""
    monkeypatch.setattr(server_check, "CHECK_SECONDS", 0.0)
    with SentinelSet(tmp_path, replicas=0) as redis_set:
        client = connect(redis_set.url, retries=0)

        async def run() -> None:
            client = connect_async(redis_set.url, retries=0)
            await client.set("key", "1")
            for port in redis_set.ports:
                redis_set.kill_sentinel(port)
            for _ in range(5):
                assert await client.get("key") == b"1"
            with pytest.raises(NoMasterError, match="Connect call failed"):
                await connect_async(redis_set.url, retries=0).get("key")
            await client.aclose()

        if not blocking:
            asyncio.run(run())
            return
        client.set("key", "1")
        for port in redis_set.ports:
            redis_set.kill_sentinel(port)
        assert [client.get("key") for _ in range(5)] == [b"1"] * 5
        with pytest.raises(NoMasterError, match="Connection refused"):
            connect(redis_set.url, retries=0).get("key")


@pytest.mark.parametrize("password", ["", "sentinel-s3cret"])
def test_sentinel_login_is_an_option(tmp_path: Path, password: str):
    """Sentinels with a password need the options. Without them, the error says so."""
    with SentinelSet(tmp_path, sentinel_password=password) as redis_set:
        if password:
            with pytest.raises(NoMasterError, match="add the options sentinel_username and sentinel_password"):
                connect(redis_set.url, retries=0).ping()
            assert connect(f"{redis_set.url}?sentinel_password={password}").ping()
        else:
            assert connect(redis_set.url).ping()


def test_error_names_what_each_sentinel_says(tmp_path: Path):
    """An unknown service, a port without a Sentinel and a server in place of a Sentinel are named in one error."""
    with SentinelSet(tmp_path, replicas=0) as redis_set:
        nobody, server = free_port(), redis_set.servers[0].port
        hosts = f"127.0.0.1:{nobody},127.0.0.1:{server},127.0.0.1:{redis_set.ports[0]}"
        with pytest.raises(NoMasterError) as caught:
            connect(f"redis+sentinel://{hosts}/unknown/0", retries=0).ping()
        text = str(caught.value)
        assert "no Sentinel knows the master of 'unknown'" in text
        assert f"127.0.0.1:{nobody}: Error 111" in text
        assert f"127.0.0.1:{server} is a Redis server and not a Sentinel" in text
        assert f"127.0.0.1:{redis_set.ports[0]} does not monitor it" in text
        # two that do not help do no harm
        assert connect(f"redis+sentinel://{hosts}/{SERVICE}/0").ping()
        assert parse_redis_url(redis_set.url).service == SERVICE
