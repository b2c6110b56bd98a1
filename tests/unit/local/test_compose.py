"""The compose file of Prometheus and Grafana: what it mounts is there, and what is configured is mounted."""

import re
from pathlib import Path
from typing import Any

import yaml

from monitoring.config import COMPOSE_PORT, DASHBOARDS, PORT, RULES, configuration
from monitoring.launch import CONTAINER_HOST, IMAGE

FOLDER = Path(__file__).parents[3] / "deploy" / "local" / "monitoring"


def read(name: str) -> Any:
    """A file of the folder."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


SERVICES: dict[str, Any] = read("compose.yaml")["services"]


def mounts(service: str) -> dict[str, Path]:
    """Path in a service's container → what is mounted there from the tree."""
    pairs = [each.split(":") for each in SERVICES[service]["volumes"]]
    return {target: (FOLDER / source).resolve() for source, target, *_ in pairs if source.startswith(".")}


def test_what_is_mounted_is_there():
    """Docker would make a folder of a path that does not exist, and say nothing."""
    for service in SERVICES:
        found = mounts(service)
        assert found
        assert [str(path) for path in found.values() if not path.exists()] == []


def test_what_is_mounted_is_read_only():
    """No container writes into the tree."""
    for service in SERVICES.values():
        assert [each for each in service["volumes"] if each.startswith(".") and not each.endswith(":ro")] == []


def test_prometheus_has_the_configuration_of_make_monitoring():
    """The container scrapes the default ports of `make run` on this machine, and loads the rules of the chart."""
    assert read("prometheus.yaml") == configuration(8000, CONTAINER_HOST, "/rules")
    assert mounts("prometheus")["/rules"] == RULES
    assert SERVICES["prometheus"]["extra_hosts"] == [f"{CONTAINER_HOST}:host-gateway"]
    (config,) = [each.partition("=")[2] for each in SERVICES["prometheus"]["command"] if "config.file" in each]
    assert mounts("prometheus")[config] == FOLDER / "prometheus.yaml"


def test_grafana_has_the_data_source_and_the_dashboards():
    """The data source is the other service; the provider's folder and the home page are in the mounted dashboards."""
    (source,) = read("grafana/datasources.yaml")["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    assert "prometheus" in SERVICES
    found = mounts("grafana")
    (provider,) = read("grafana/dashboards.yaml")["providers"]
    assert found[provider["options"]["path"]] == DASHBOARDS
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (DASHBOARDS / home.removeprefix(f"{provider['options']['path']}/")).is_file()
    # where Grafana looks for them
    for kind in ("datasources", "dashboards"):
        assert found[f"/etc/grafana/provisioning/{kind}/financehub.yaml"] == FOLDER / "grafana" / f"{kind}.yaml"


def test_images_are_pinned():
    """Each image has the tag of one release, and Prometheus is the one of `make monitoring`."""
    images = {name: service["image"] for name, service in SERVICES.items()}
    assert images["prometheus"] == IMAGE
    assert [image for image in images.values() if not re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", image)] == []


def test_ports_are_open_to_this_machine_alone():
    """Each published port is on loopback, and a variable moves it."""
    for service in SERVICES.values():
        (port,) = service["ports"]
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+_PORT:-\d+\}:\d+", port)


def test_compose_starts_beside_make_monitoring():
    """Prometheus is published on another port than that of `make monitoring`, and another variable moves it, because
    what `make monitoring` prints says to run the compose file while it holds its port.
    """
    (port,) = SERVICES["prometheus"]["ports"]
    assert port == f"127.0.0.1:${{GRAFANA_PROMETHEUS_PORT:-{COMPOSE_PORT}}}:9090"
    assert COMPOSE_PORT != PORT
