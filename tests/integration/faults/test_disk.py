"""The disk of Redis becomes full, and has space again."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.faults.conftest import Count, StartRig, assert_exactly_once
from support.fault_rig import SILENT_SECONDS
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer
from support.tmpfs import fill, small_file_system
from support.waiting import eventually

pytestmark = pytest.mark.faults

#: Enough for the append-only file of a test that takes minutes.
_MEGABYTES = 64


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system."""
    with small_file_system(tmp_path / "disk", _MEGABYTES) as folder:
        yield folder


@pytest.fixture
def start(disk: Path) -> Iterator[Callable[..., RedisServer]]:
    """Return a function that starts a Redis on the small file system."""
    servers: list[RedisServer] = []

    def begin(*options: str, server: str) -> RedisServer:
        servers.append(RedisServer(disk, *options, server=server).start())
        return servers[-1]

    yield begin
    for each in servers:
        each.stop()


def write_fails(server: RedisServer) -> bool:
    """Whether Redis has noticed that it cannot write its append-only file."""
    with server.client() as client:
        return client.info("persistence")["aof_last_write_status"] == "err"


@pytest.mark.parametrize("server", SERVERS)
def test_full_disk_of_redis_neither_loses_nor_doubles(
    server: str, disk: Path, start: Callable[..., RedisServer], start_rig: StartRig, count: Count
) -> None:
    """While the disk is full, Redis refuses writes (MISCONF). With space, everything continues by itself."""
    redis = start("--appendfsync", "everysec", server=server)
    rig = start_rig(redis.url)
    filler = fill(disk)
    eventually(lambda: write_fails(redis), "Redis notices the full disk")
    time.sleep(SILENT_SECONDS + 2)
    filler.unlink()
    rig.wait_for_runs()
    assert_exactly_once(count(rig, "disk full, appendfsync everysec", server))


@pytest.mark.parametrize("server", SERVERS)
def test_redis_that_ends_because_its_disk_is_full_loses_nothing(
    server: str, disk: Path, start: Callable[..., RedisServer], start_rig: StartRig, count: Count
) -> None:
    """With `appendfsync always`, Redis ends instead of refusing writes. Started again with space, it has everything."""
    redis = start("--appendfsync", "always", server=server)
    rig = start_rig(redis.url)
    filler = fill(disk)
    eventually(lambda: not redis.running, "Redis ends")
    time.sleep(2)
    filler.unlink()
    redis.start()
    rig.wait_for_runs()
    assert_exactly_once(count(rig, "disk full, appendfsync always", server))
