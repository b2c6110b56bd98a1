"""What the chart tells our processes, they understand: settings, arguments, files."""

import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dramatiq.cli
import pytest
import yaml

from financehub_scheduler import __main__ as scheduler_main
from financehub_scheduler.sources.documents import parse, split
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.settings import Settings, load_settings
from financehub_shared.market.assets_file import load_assets, parse_assets
from financehub_simulator import __main__ as simulator_main
from financehub_simulator.testing import settings_for
from support.chart import Manifests, render

LOCAL = Path(__file__).parents[3] / "deploy" / "local"
TIERS = ("high", "medium", "low")
_SIMULATED = {"simulator": {"enabled": True}}


def settings_of(manifests: Manifests, component: str) -> Settings:
    """The settings of a process in the release, with a password where it is in a Secret."""
    environment = manifests.environment(component)
    # what a user adds by hand is the user's
    return load_settings({name: value if isinstance(value, str) else "s3cret" for name, value in environment.items()})


def command(manifests: Manifests, component: str) -> list[str]:
    """The command of a process in the release."""
    (container,) = manifests.deployment(component)["spec"]["template"]["spec"]["containers"]
    return [str(each) for each in container["command"]]


@pytest.mark.parametrize("component", [*TIERS, "scheduler"])
def test_settings_are_accepted(component: str):
    """Each process' environment is one that it starts with, and leads to the release's Redis with a password."""
    settings = settings_of(render(), component)
    assert settings.store_url == "redis://:s3cret@financehub-redis.market.svc:6379/0"
    assert settings.broker_url == settings.store_url
    assert (settings.http_port, settings.log_format, settings.simulated) == (8000, "json", False)


@pytest.mark.parametrize("component", [*TIERS, "scheduler"])
@pytest.mark.parametrize("release", ["financehub", "2024-prices"])
def test_the_release_labels_every_metric(component: str, release: str):
    """Each process knows the name of its release, which is a label of all that it serves."""
    manifests = render({"fullnameOverride": "financehub"}, release=release)
    assert settings_of(manifests, component).release == release


def test_the_scheduler_knows_how_far_each_tier_may_grow():
    """By queue: the maximum of an autoscaler, or the replicas where nothing scales; a change restarts no worker."""
    tiers: dict[str, Any] = {
        "high": {"autoscaling": {"maxReplicas": 9}},
        "low": {"replicas": 3, "autoscaling": {"enabled": False}},
        "research": {"image": {"repository": "a/b"}, "module": "research", "queue": "night"},
    }
    manifests = render({"tiers": tiers})
    most = settings_of(manifests, "scheduler").max_workers
    assert most == {"high": 9, "medium": 5, "low": 3, "night": 5}
    assert "FINANCEHUB_MAX_WORKERS" not in manifests.environment("high")


def test_settings_of_the_user_arrive():
    """Values of `settings` arrive as they are written: numbers of any size, booleans, texts."""
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


def test_the_simulator_stands_in_for_every_upstream():
    """With the simulator, a tier has the settings that the simulator itself says it needs."""
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
            "rediss://cache.example/3?protocol=3",
            "ca",
            "rediss://:s3cret@cache.example/3?protocol=3&ssl_ca_certs=/etc/financehub/redis/ca.crt",
        ),
    ],
)
def test_a_redis_of_ones_own_is_found(url: str, ca: str, expected: str):
    """URL, password from a Secret and certificate authority of an external Redis come together."""
    external: dict[str, Any] = {"url": url, "existingSecret": "mine"}
    if ca:
        external["tls"] = {"caSecret": ca}
    manifests = render({"redis": {"enabled": False}, "externalRedis": external})
    assert settings_of(manifests, "high").store_url == expected
    assert not manifests.all("StatefulSet")


def test_a_url_may_be_in_a_secret_as_a_whole():
    """With `urlKey` nothing of where Redis is stands in a ConfigMap."""
    values = {"redis": {"enabled": False}, "externalRedis": {"existingSecret": "mine", "urlKey": "url"}}
    environment = render(values).environment("high")
    assert environment["REDIS_URL"] == {"secretKeyRef": {"name": "mine", "key": "url"}}
    assert "REDIS_PASSWORD" not in environment


def test_keys_of_providers_are_read_from_the_secret():
    """Keys reach a process as files of the Secret that the values name, in the folder that the settings name."""
    manifests = render({"providerKeys": {"existingSecret": "keys"}})
    for component in (*TIERS, "scheduler"):
        spec = manifests.deployment(component)["spec"]["template"]["spec"]
        (volume,) = [each["name"] for each in spec["volumes"] if each.get("secret") == {"secretName": "keys"}]
        (place,) = [each["mountPath"] for each in spec["containers"][0]["volumeMounts"] if each["name"] == volume]
        assert manifests.environment(component)["FINANCEHUB_SECRETS_DIR"] == place


@pytest.mark.parametrize("tier", TIERS)
def test_dramatiq_takes_the_command(tier: str):
    """A worker's command is one of dramatiq: a module that is there, one process, the threads, the shutdown timeout."""
    program, *arguments = command(render({"tiers": {tier: {"threads": 7, "shutdownTimeoutSeconds": 3600}}}), tier)
    assert program == "dramatiq"
    parsed = dramatiq.cli.make_argument_parser().parse_args(arguments)
    assert find_spec(parsed.broker) is not None
    assert (parsed.processes, parsed.threads, parsed.skip_logging) == (1, 7, True)
    assert parsed.worker_shutdown_timeout == 3_600_000


def test_the_scheduler_takes_its_command(monkeypatch: pytest.MonkeyPatch):
    """The scheduler's command is one that it understands, with the namespaces and the assets of the values."""
    manifests = render({"scheduler": {"namespaces": ["market", "research"]}})
    monkeypatch.setattr(sys, "argv", command(manifests, "scheduler"))
    arguments = scheduler_main._arguments()
    assert arguments.kubernetes
    assert arguments.namespace == ["market", "research"]
    folder, _, file = arguments.assets.rpartition("/")
    spec = manifests.deployment("scheduler")["spec"]["template"]["spec"]
    (mount,) = [each for each in spec["containers"][0]["volumeMounts"] if each["mountPath"] == folder]
    # what is mounted by subPath does not change with its ConfigMap
    assert "subPath" not in mount
    (volume,) = [each for each in spec["volumes"] if each["name"] == mount["name"]]
    assert file in manifests.one("ConfigMap", volume["configMap"]["name"])["data"]


@pytest.mark.parametrize("tier", TIERS)
def test_workers_await_the_simulator(tier: str):
    """A worker of a trial begins once the simulator listens: first fetches that met nobody would open breakers.

    A pod that goes meanwhile does not wait for it.
    """
    (wait,) = render(_SIMULATED).deployment(tier)["spec"]["template"]["spec"]["initContainers"]
    script = wait["command"][-1]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        here = script.replace('"financehub-simulator", 8099', repr(listener.getsockname())[1:-1])
        # a word when it begins to wait: before that a signal would find no handler
        told = here.replace("while True:", "print('waits', flush=True)\nwhile True:")
        assert len({script, here, told}) == 3
        arguments = [sys.executable, *wait["command"][1:-1], told]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as gone:
            assert gone.stdout is not None
            assert gone.stdout.readline() == "waits\n"
            with pytest.raises(subprocess.TimeoutExpired):
                gone.wait(1)
            gone.terminate()
            assert gone.wait(20) == 143
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as served:
            listener.listen()
            assert served.wait(20) == 0
    assert "initContainers" not in render().deployment(tier)["spec"]["template"]["spec"]


def test_the_simulator_takes_its_command():
    """The simulator listens for the whole cluster, on the port of its Service, with exchanges that are always open."""
    manifests = render(_SIMULATED)
    options = simulator_main._options(command(manifests, "simulator")[1:])
    (port,) = manifests.one("Service", "financehub-simulator")["spec"]["ports"]
    assert (options.host, options.port, options.always_open) == ("0.0.0.0", port["port"], True)  # noqa: S104 — in a pod


def test_assets_are_those_of_the_values():
    """The default assets are those of `make run`; others, and none at all, are files that the scheduler reads."""
    written = render().one("ConfigMap", "financehub-assets")["data"]["assets.yaml"]
    assert parse_assets(written, "assets.yaml") == load_assets(LOCAL / "assets.yaml")
    mine = [{"symbol": "ON", "type": "stock", "name": 'say "no": {a}'}]
    for assets, names in ((mine, ['say "no": {a}']), ([], [])):
        written = render({"assets": assets}).one("ConfigMap", "financehub-assets")["data"]["assets.yaml"]
        assert [asset.name for asset in parse_assets(written, "assets.yaml")] == names


def test_schedules_are_those_of_make_run():
    """The default ScheduledTasks are those of `make run`, and each is one that the scheduler takes."""
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


def test_one_schedule_is_changed_by_what_changes():
    """A value of a schedule is changed alone; the rest of it stays."""
    before = render().one("ScheduledTask", "fetch-stock-prices")["spec"]
    after = render({"schedules": {"fetch-stock-prices": {"spec": {"schedule": "@every 1m"}}}})
    assert after.one("ScheduledTask", "fetch-stock-prices")["spec"] == before | {"schedule": "@every 1m"}


def test_a_schedule_needs_no_more_than_a_spec():
    """A schedule of one's own is there without `enabled`, and gone with `enabled: false`."""
    mine = {"spec": {"task": "health_check_task", "schedule": "@hourly"}}
    assert render({"schedules": {"mine": mine}}).has("ScheduledTask", "mine")
    assert not render({"schedules": {"mine": mine | {"enabled": False}}}).has("ScheduledTask", "mine")
