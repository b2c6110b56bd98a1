"""Tests that the chart's Redis start script handles any password and any data, in a real shell with real servers."""

import subprocess
from pathlib import Path

import pytest
import redis

from financehub_shared.core.settings import load_settings
from financehub_shared.redis.client import connect
from support.chart_redis import PRODUCTS, ChartRedis
from support.waiting import eventually

PASSWORDS = ['q"uote', "back\\slash\\n", "'single' $HOME `id` %s", "p@ss/w:rd?#&", "ümlaut", " blank "]


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_server_with_any_password_accepts_only_that_password(tmp_path: Path, product: str, password: str) -> None:
    """With special characters in the password, FinanceHub connects with it, and nobody can connect without it."""
    server = ChartRedis(tmp_path, product)
    server.start(password)
    try:
        settings = load_settings({"REDIS_URL": f"redis://127.0.0.1:{server.port}/0", "REDIS_PASSWORD": password})

        def answers() -> bool:
            with connect(settings.broker_url, retries=0) as client:
                try:
                    return bool(client.ping())
                except redis.AuthenticationError:
                    raise
                except (redis.ConnectionError, redis.TimeoutError):
                    return False

        eventually(answers, "Redis answers")
        stranger = connect(f"redis://127.0.0.1:{server.port}/0", retries=0)
        with stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    finally:
        server.stop()


def _refusal(server: ChartRedis, password: str) -> str:
    """Return the one line that the start script writes before it fails."""
    environment = server.environment(password)
    ended = subprocess.run(server.command(), env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 1, ended.stdout
    (line,) = ended.stderr.splitlines()
    return line


def test_password_with_a_line_break_is_refused(tmp_path: Path) -> None:
    """If the password contains a line break, which no client would send, the pod fails with a clear message."""
    line = _refusal(ChartRedis(tmp_path), "secret\n")
    assert "Secret financehub-redis contains a line break" in line
    assert "secret\n" not in line


@pytest.mark.parametrize("product", PRODUCTS)
def test_image_of_the_other_product_is_refused(tmp_path: Path, product: str) -> None:
    """If the image does not contain the product of the values, the pod fails with a message that says what to set."""
    server = ChartRedis(tmp_path, product)
    (tmp_path / "bin" / PRODUCTS[product][1]).unlink()
    assert f"no {product}-server; set redis.server" in _refusal(server, "secret")


@pytest.mark.parametrize(
    ("product", "data"),
    [("valkey", b"REDIS0012\xfa"), ("valkey", b"REDIS0013\xfa"), ("valkey", b"REDIS0020"), ("redis", b"VALKEY080\xfa")],
)
def test_data_that_the_product_cannot_read_is_refused(tmp_path: Path, product: str, data: bytes) -> None:
    """Data in the newer format of the other product is left alone, and the message says which product to set."""
    server = ChartRedis(tmp_path, product)
    file = server.data / "appendonlydir" / "appendonly.aof.1.base.rdb"
    file.parent.mkdir()
    file.write_bytes(data)
    assert f"{product} cannot read the data on the volume, whose format is {data[:9].decode()}" in _refusal(server, "s")
    assert file.read_bytes() == data


def _write_and_stop(server: ChartRedis) -> None:
    server.start()
    client = redis.Redis(port=server.port, password="s3cret")
    eventually(lambda: client.rpush("list", "1"), "the server accepts writes", ignored=redis.RedisError)
    client.bgrewriteaof()
    eventually(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the file is rewritten")
    client.rpush("list", "2")
    server.stop()


def test_valkey_takes_over_the_data_of_an_old_redis(tmp_path: Path) -> None:
    """Data of Redis 7.0 and 7.2 is in a format that Valkey reads, so the product may change in place."""
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    before = ChartRedis(tmp_path / "before", "redis")
    _write_and_stop(before)
    after = ChartRedis(tmp_path / "after", "valkey", data=before.data)
    after.start()
    try:
        client = redis.Redis(port=after.port, password="s3cret")
        eventually(lambda: client.lrange("list", 0, -1) == [b"1", b"2"], "the data is there", ignored=redis.RedisError)
    finally:
        after.stop()
