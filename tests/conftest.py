"""Fixtures for all test suites: a shared real Redis, and separate Redis servers for tests that cause faults."""

import gc
import os
import re
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
import redis
from dramatiq.middleware import CurrentMessage

from financehub_shared.logging.run_context import clear_run, run_fields
from support.fault_counts import PROPERTY, write_table
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer
from support.renderings import FOLDER_VARIABLE

ROOT = Path(__file__).parent.parent
RECORDED_ANSWERS = ROOT.parent / "shared" / "real"
_REDIS_IMAGE = "redis:7"
_FAULT_TABLE = ROOT / "build" / "fault-table.txt"

# A slow example is not a failure, because the machine may be busy.
hypothesis.settings.register_profile(
    "financehub", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("financehub")


def _import_helm() -> None:
    """Import the library of Helm with a heap that grows more between two collections of garbage.

    A rendering then takes a quarter less time. Go reads the variable once, and other programs keep their default.
    """
    was_set = "GOGC" in os.environ
    os.environ.setdefault("GOGC", "400")
    import helm_python  # noqa: F401

    if not was_set:
        del os.environ["GOGC"]


_import_helm()

# Processes inherit ignored signals. `nohup` and background jobs of a shell ignore some with which tests end processes.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


#: Number of pytest workers.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
#: Tests that take half a minute or more, mostly spent waiting.
_LONGEST_TESTS = {
    "test_every_due_time_runs_once_despite_kills",
    "test_scheduler_during_api_outage_keeps_running_and_catches_up",
    "test_shipped_roles_grant_exactly_the_used_rights",
    "test_scheduler_follows_the_definition_without_a_restart",
    "test_quota_refuses_the_next_resource_and_the_scheduler_goes_on",
    "test_status_after_a_loss_shows_the_runs_since",
    "test_master_that_is_killed_ten_times_under_sentinel_is_replaced",
}
#: Each test in these folders starts a whole fleet, which also takes long.
_FLEET_TESTS = re.compile("integration/(fleet|faults)/")


def pytest_configure(config: pytest.Config) -> None:
    """Create the folder for renderings of the chart, which all processes of this run share."""
    if FOLDER_VARIABLE not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="renderings-")
        os.environ[FOLDER_VARIABLE] = folder.name
        config.add_cleanup(folder.cleanup)
        config.add_cleanup(lambda: os.environ.pop(FOLDER_VARIABLE))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without searches for garbage, which take two fifths of the time, because all of it is in use."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test that uses the session's Redis. `make test-docker` runs only these tests."""
    if isinstance(item, pytest.Function) and "_shared_redis_url" in item.fixturenames:
        item.add_marker("shared_redis")


# Last, because the shares consist of the tests that the options have selected.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the longest tests to the start of each worker's share, so that all other tests run at the same time."""
    longest = [
        item for item in items if item.name.partition("[")[0] in _LONGEST_TESTS or _FLEET_TESTS.search(item.nodeid)
    ]
    # Each is inserted in front of the previous ones, so the longest of all are the first to run.
    longest.sort(key=lambda item: item.name.partition("[")[0] in _LONGEST_TESTS)
    share = len(items) // _WORKERS
    for number, item in enumerate(longest):
        items.remove(item)
        items.insert(number % _WORKERS * share, item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the counts of the fault tests, and write them to a file."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    rows = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    if rows:
        terminalreporter.section(f"counts of the faults (in {_FAULT_TABLE.relative_to(ROOT)})")
        terminalreporter.write_line(write_table(rows, _FAULT_TABLE))


def _container_image() -> str | None:
    """Return the image of Redis if a Docker engine has it or can pull it. `TEST_REDIS_IMAGE` is used unchecked."""
    if image := os.environ.get("TEST_REDIS_IMAGE"):
        return image
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
    """URL of the session's Redis: a container if there is a Docker engine, and otherwise a local process."""
    if image := _container_image():
        from testcontainers.community.redis import RedisContainer

        with RedisContainer(image) as container:
            url = f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"
            _write_to_disk(url)
            yield url
        return
    server = RedisServer(tmp_path_factory.mktemp("redis"), aof=False).start()
    _write_to_disk(server.url)
    yield server.url
    server.stop()


def _write_to_disk(url: str) -> None:
    """Switch the append-only file on, because a Redis without one is a problem. No test needs the data on the disk."""
    with redis.Redis.from_url(url) as client:
        client.config_set("appendfsync", "no")
        client.config_set("appendonly", "yes")


@pytest.fixture(autouse=True)
def _no_run_is_left_in_the_context() -> Iterator[None]:
    """Fail a test that leaves its run in the context of this thread, because later messages would inherit its ids."""
    yield
    left = [found for found in (CurrentMessage.get_current_message(), run_fields()) if found]
    CurrentMessage._MESSAGE.set(None)
    clear_run()
    assert not left, "run the hooks of dramatiq in a context of their own: contextvars.copy_context().run(…)"


@pytest.fixture
def redis_url(_shared_redis_url: str) -> str:
    """URL of the session's Redis, which is emptied before each test. Most integration tests use it."""
    redis.Redis.from_url(_shared_redis_url).flushall()
    return _shared_redis_url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator["redis.Redis"]:
    """Client of the session's Redis, which is emptied before each test. It returns replies as bytes."""
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests marked `each_server` that start a Redis on Redis 6.2, Redis 7 and Valkey."""
    if "server_name" in metafunc.fixturenames and metafunc.definition.get_closest_marker("each_server"):
        metafunc.parametrize("server_name", SERVERS, indirect=True)


@pytest.fixture
def server_name(request: pytest.FixtureRequest) -> str | None:
    """Name of the server that the test starts by default; None for `$TEST_REDIS_SERVER` or the one of `make run`."""
    return getattr(request, "param", None)


@pytest.fixture
def redis_server(tmp_path: Path, server_name: str | None) -> Iterator[Callable[..., RedisServer]]:
    """A function that starts a Redis that the test may kill, hang or fill. It takes redis-server options.

    The keyword argument `server` chooses Redis 6.2, Redis 7 or Valkey (`support.redis_binaries.SERVERS`).
    """
    servers: list[RedisServer] = []

    def start(*options: str, server: str | None = None) -> RedisServer:
        directory = tmp_path / f"redis-{len(servers)}"
        directory.mkdir()
        servers.append(RedisServer(directory, *options, server=server or server_name).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def real_answers() -> Path:
    """Folder of recorded responses of the real upstreams, for provider and simulator tests. Skips if there is none."""
    if not RECORDED_ANSWERS.is_dir():
        pytest.skip(f"there are no recorded answers of the real upstreams in {RECORDED_ANSWERS}")
    return RECORDED_ANSWERS
