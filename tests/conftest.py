"""Fixtures of all suites: one real Redis for the run, emptied before each test; servers of one's own for faults."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import redis

from support.redis_server import RedisServer

ROOT = Path(__file__).parent.parent
REAL = ROOT.parent / "shared" / "real"
_REDIS_IMAGE = "redis:7"

# how fast a law is checked says nothing about it, least of all on a loaded machine
hypothesis.settings.register_profile(
    "financehub", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("financehub")


#: As in the Makefile.
_WORKERS = 6
#: Each takes half a minute or more, nearly all of it waiting.
_LONGEST = {
    "test_every_due_time_runs_once_despite_kills",
    "test_scheduler_during_api_outage_keeps_running_and_catches_up",
    "test_shipped_roles_grant_exactly_the_used_rights",
    "test_scheduler_follows_the_definition_without_a_restart",
}
#: Likewise: each test there starts a whole fleet.
_FLEETS = "integration/fleet/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first in what each worker gets: all the others run beside them."""
    longest = [item for item in items if item.name.partition("[")[0] in _LONGEST or _FLEETS in item.nodeid]
    # each goes in front of those before it, so that the very longest end up first
    longest.sort(key=lambda item: item.name.partition("[")[0] in _LONGEST)
    share = len(items) // _WORKERS
    for number, item in enumerate(longest):
        items.remove(item)
        items.insert(number % _WORKERS * share, item)


def _container_image() -> str | None:
    """Image of Redis if a Docker engine has it or can pull it; one that is asked for must be had."""
    if asked := os.environ.get("TEST_REDIS_IMAGE"):
        return asked
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        return None
    import docker

    try:
        client = docker.from_env(timeout=30)
        if not client.images.list(_REDIS_IMAGE):
            client.images.pull(_REDIS_IMAGE)
    except docker.errors.DockerException:
        return None
    return _REDIS_IMAGE


@pytest.fixture(scope="session")
def _shared_redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if image := _container_image():
        from testcontainers.community.redis import RedisContainer

        with RedisContainer(image) as container:
            yield f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"
        return
    server = RedisServer(tmp_path_factory.mktemp("redis"), aof=False).start()
    yield server.url
    server.stop()


@pytest.fixture
def redis_url(_shared_redis_url: str) -> str:
    """URL of a real, empty Redis."""
    redis.Redis.from_url(_shared_redis_url).flushall()
    return _shared_redis_url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator["redis.Redis"]:
    """Client of a real, empty Redis; answers are bytes."""
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Start a Redis of one's own, to be killed, hung or filled; options as redis-server takes them."""
    servers: list[RedisServer] = []

    def start(*options: str) -> RedisServer:
        directory = tmp_path / f"redis-{len(servers)}"
        directory.mkdir()
        servers.append(RedisServer(directory, *options).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def real_answers() -> Path:
    """Folder of the recorded answers of the real upstreams."""
    if not REAL.is_dir():
        pytest.skip("recorded answers of the real upstreams are not beside this checkout")
    return REAL
