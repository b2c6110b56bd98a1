"""Tests that processes accept the settings, arguments and files that the chart gives them."""

import signal
import socket
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dramatiq.cli
import pytest
import yaml

from financehub_scheduler import __main__ as scheduler_main
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.redis_url_parser import parse_redis_url
from financehub_shared.core.settings import Settings, load_settings
from financehub_shared.spec.documents import parse, split
from financehub_simulator import __main__ as simulator_main
from financehub_simulator.client_settings import settings_for
from financehub_web import __main__ as web_main
from support.chart import Manifests, render

LOCAL = Path(__file__).parents[3] / "deploy" / "local"
TIERS = ("high", "medium", "low")
PROCESSES = (*TIERS, "scheduler", "web")
_SIMULATED = {"simulator": {"enabled": True}}


def settings_of(manifests: Manifests, component: str) -> Settings:
    """Return a process's settings in the release, with a password in place of each Secret."""
    environment = manifests.environment(component)
    return load_settings({name: value if isinstance(value, str) else "s3cret" for name, value in environment.items()})


def command(manifests: Manifests, component: str) -> list[str]:
    """Return a process's command in the release, without the program that blocks SIGTERM and executes it."""
    (container,) = manifests.deployment(component)["spec"]["template"]["spec"]["containers"]
    return without_env(container["command"])


def without_env(words: list[Any]) -> list[str]:
    """Return the rest of a command that must begin with the program that blocks SIGTERM."""
    assert words[:2] == ["env", "--block-signal=TERM"]
    return [str(word) for word in words[2:]]


@pytest.mark.parametrize("component", PROCESSES)
def test_settings_of_the_chart_are_accepted(component: str):
    """Each process accepts its environment, which refers to the release's Redis with a password."""
    settings = settings_of(render(), component)
    assert settings.store_url == parse_redis_url("redis://:s3cret@financehub-redis.market.svc:6379/0")
    assert settings.broker_url == settings.store_url
    assert (settings.http_port, settings.log_format, settings.simulated) == (8000, "json", False)


@pytest.mark.parametrize("component", PROCESSES)
@pytest.mark.parametrize("release", ["financehub", "2024-prices"])
def test_processes_know_the_name_of_the_release(component: str, release: str):
    """Each process has the release name in its settings, because it is a label of every metric."""
    manifests = render({"fullnameOverride": "financehub"}, release=release)
    assert settings_of(manifests, component).release == release


def test_scheduler_knows_the_maximum_workers_of_each_tier():
    """The variable has the autoscaler's maximum, or the replicas without an autoscaler. Workers do not have it."""
    tiers: dict[str, Any] = {
        "high": {"autoscaling": {"maxReplicas": 9}},
        "low": {"replicas": 3, "autoscaling": {"enabled": False}},
        "research": {"image": {"repository": "a/b"}, "module": "research", "queue": "night"},
    }
    manifests = render({"tiers": tiers})
    maximums = settings_of(manifests, "scheduler").max_workers
    assert maximums == {"high": 9, "medium": 5, "low": 3, "night": 5}
    assert "FINANCEHUB_MAX_WORKERS" not in manifests.environment("high")


def test_settings_in_the_values_reach_the_process_unchanged():
    """Numbers of any size, booleans and strings in `settings` keep their value."""
    values = {
        "DRAMATIQ_TASK_TIMEOUT": 3_600_000,
        "DRAMATIQ_RETRY_BACKOFF": False,
        "FINANCEHUB_BREAKER_FAILURE_RATIO": 0.25,
        "FINANCEHUB_LOG_LEVEL": "DEBUG",
        "FINANCEHUB_RSS_FEEDS": 'https://example.org/a?b="c",https://example.org/d',
    }
    settings = settings_of(render({"settings": values}), "high")
    assert settings.dramatiq_task_timeout == 3_600_000
    assert settings.dramatiq_retry_backoff is False
    assert settings.breaker_failure_ratio == 0.25
    assert settings.log_level == "DEBUG"
    assert settings.rss_feeds == ['https://example.org/a?b="c"', "https://example.org/d"]


def test_simulator_replaces_every_upstream():
    """With the simulator, a tier has the settings that the simulator's own helper defines."""
    environment = render(_SIMULATED).environment("high")
    wanted = settings_for("http://financehub-simulator:8099")
    assert {name: environment[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("url", "ca", "expected"),
    [
        ("redis://cache.example:6380/2", "", "redis://:s3cret@cache.example:6380/2"),
        ("redis://reader@cache.example/2", "", "redis://reader:s3cret@cache.example/2"),
        ("rediss://cache.example", "", "rediss://:s3cret@cache.example"),
        (
            "rediss://cache.example/3",
            "ca",
            "rediss://:s3cret@cache.example/3?ssl_ca_certs=/etc/financehub/redis/ca.crt",
        ),
        (
            "rediss://cache.example/3?ssl_check_hostname=false",
            "ca",
            "rediss://:s3cret@cache.example/3?ssl_check_hostname=false&ssl_ca_certs=/etc/financehub/redis/ca.crt",
        ),
    ],
)
def test_url_of_an_external_redis_is_complete(url: str, ca: str, expected: str):
    """The URL of an external Redis contains the password from the Secret and the CA certificate."""
    external: dict[str, Any] = {"url": url, "existingSecret": "mine"}
    if ca:
        external["tls"] = {"caSecret": ca}
    manifests = render({"redis": {"enabled": False}, "externalRedis": external})
    assert settings_of(manifests, "high").store_url == parse_redis_url(expected)
    assert not manifests.all("StatefulSet")


def test_url_in_a_secret_is_not_in_a_config_map():
    """With `urlKey`, the Redis URL is only in the Secret."""
    values = {"redis": {"enabled": False}, "externalRedis": {"existingSecret": "mine", "urlKey": "url"}}
    environment = render(values).environment("high")
    assert environment["REDIS_URL"] == {"secretKeyRef": {"name": "mine", "key": "url"}}
    assert "REDIS_PASSWORD" not in environment


def test_provider_keys_are_mounted_from_the_secret():
    """The Secret with provider keys is mounted at the path that the settings name."""
    manifests = render({"providerKeys": {"existingSecret": "keys"}})
    for component in (*TIERS, "scheduler"):
        spec = manifests.deployment(component)["spec"]["template"]["spec"]
        (volume,) = [each["name"] for each in spec["volumes"] if each.get("secret") == {"secretName": "keys"}]
        (place,) = [each["mountPath"] for each in spec["containers"][0]["volumeMounts"] if each["name"] == volume]
        assert manifests.environment(component)["FINANCEHUB_SECRETS_DIR"] == place


@pytest.mark.parametrize("tier", TIERS)
def test_dramatiq_accepts_the_command_of_a_tier(tier: str):
    """A worker's command has an existing module, one process, the number of threads and the shutdown timeout."""
    program, *arguments = command(render({"tiers": {tier: {"threads": 7, "shutdownTimeoutSeconds": 3600}}}), tier)
    assert program == "dramatiq"
    parsed = dramatiq.cli.make_argument_parser().parse_args(arguments)
    assert find_spec(parsed.broker) is not None
    assert (parsed.processes, parsed.threads, parsed.skip_logging) == (1, 7, True)
    assert parsed.worker_shutdown_timeout == 3_600_000


def test_scheduler_accepts_its_command(monkeypatch: pytest.MonkeyPatch):
    """The scheduler's command is valid and has the namespaces and assets of the values."""
    manifests = render({"scheduler": {"namespaces": ["market", "research"]}})
    monkeypatch.setattr(sys, "argv", command(manifests, "scheduler"))
    arguments = scheduler_main._arguments()
    assert arguments.kubernetes
    assert arguments.namespace == ["market", "research"]
    folder, _, file = arguments.assets.rpartition("/")
    spec = manifests.deployment("scheduler")["spec"]["template"]["spec"]
    (mount,) = [each for each in spec["containers"][0]["volumeMounts"] if each["mountPath"] == folder]
    # Kubernetes does not update a subPath mount when its ConfigMap changes.
    assert "subPath" not in mount
    (volume,) = [each for each in spec["volumes"] if each["name"] == mount["name"]]
    assert file in manifests.one("ConfigMap", volume["configMap"]["name"])["data"]


def test_console_has_a_command_of_its_distribution():
    """The console's command is the program that its distribution installs, without arguments."""
    (program,) = command(render(), "web")
    (entry,) = [each for each in entry_points(group="console_scripts") if each.name == program]
    assert entry.load() is web_main.main


@pytest.mark.parametrize("tier", TIERS)
def test_workers_wait_for_the_simulator(tier: str):
    """With the simulator, a worker starts once the simulator listens, because failed fetches would open breakers.

    A pod that is deleted while it waits, or while Python starts, exits immediately.
    """
    (wait,) = render(_SIMULATED).deployment(tier)["spec"]["template"]["spec"]["initContainers"]
    _, *options, script = without_env(wait["command"])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        here = script.replace('"financehub-simulator", 8099', repr(listener.getsockname())[1:-1])
        # The script prints a line once it waits, because its signal handler is installed only then.
        announced = here.replace("while True:", "print('waits', flush=True)\nwhile True:")
        assert len({script, here, announced}) == 3
        arguments = [sys.executable, *options, announced]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as gone:
            assert gone.stdout is not None
            assert gone.stdout.readline() == "waits\n"
            with pytest.raises(subprocess.TimeoutExpired):
                gone.wait(1)
            gone.terminate()
            assert gone.wait(60) == 143
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            early = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        with early:
            early.terminate()
            assert early.wait(60) == 143
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as served:
            listener.listen()
            assert served.wait(60) == 0
    assert "initContainers" not in render().deployment(tier)["spec"]["template"]["spec"]


def test_simulator_accepts_its_command():
    """The simulator listens on all addresses on its Service's port, with exchanges that are always open."""
    manifests = render(_SIMULATED)
    options = simulator_main.parse_options(command(manifests, "simulator")[1:])
    (port,) = manifests.one("Service", "financehub-simulator")["spec"]["ports"]
    assert (options.host, options.port, options.always_open) == ("::", port["port"], True)


def test_default_schedules_are_those_of_make_run():
    """The default ScheduledTasks are the same as in `make run`, and the scheduler accepts each of them."""
    rendered = {each["metadata"]["name"]: each for each in render().all("ScheduledTask")}
    local = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (LOCAL / "schedules").glob("*.yaml")]
    assert {name: (each["spec"], each["metadata"].get("annotations")) for name, each in rendered.items()} == {
        each["metadata"]["name"]: (each["spec"], each["metadata"].get("annotations")) for each in local
    }
    for each in rendered.values():
        (document,) = split(yaml.safe_dump(each))
        task = parse(document)
        assert task is not None
        assert task.spec.task in CATALOG


def test_changed_value_of_a_schedule_leaves_the_others():
    """Changing one value of a schedule does not affect its other values."""
    before = render().one("ScheduledTask", "fetch-stock-prices")["spec"]
    after = render({"schedules": {"fetch-stock-prices": {"spec": {"schedule": "@every 1m"}}}})
    assert after.one("ScheduledTask", "fetch-stock-prices")["spec"] == before | {"schedule": "@every 1m"}


def test_schedule_without_enabled_is_rendered():
    """An added schedule needs only a spec, and `enabled: false` removes it."""
    mine = {"spec": {"task": "health_check_task", "schedule": "@hourly"}}
    assert render({"schedules": {"mine": mine}}).has("ScheduledTask", "mine")
    assert not render({"schedules": {"mine": mine | {"enabled": False}}}).has("ScheduledTask", "mine")
