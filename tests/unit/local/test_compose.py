"""Tests of the compose file of Prometheus and Grafana: mounted files exist, and configured paths are mounted."""

import re
from pathlib import Path
from typing import Any

import yaml

from monitoring.config import COMPOSE_PORT, DASHBOARDS, PORT, RULES, configuration
from monitoring.launch import CONTAINER_HOST, IMAGE

FOLDER = Path(__file__).parents[3] / "deploy" / "local" / "monitoring"


def read(name: str) -> Any:
    """Read a YAML file of the folder."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


SERVICES: dict[str, Any] = read("compose.yaml")["services"]


def mounts(service: str) -> dict[str, Path]:
    """Return path in the container → path in the repository for each mount of a service."""
    pairs = [volume.split(":") for volume in SERVICES[service]["volumes"]]
    return {target: (FOLDER / source).resolve() for source, target, *_ in pairs if source.startswith(".")}


def test_mounted_paths_exist():
    """Every mounted path exists. Docker would silently create a folder for a missing path."""
    for service in SERVICES:
        found = mounts(service)
        assert found
        assert [str(path) for path in found.values() if not path.exists()] == []


def test_mounts_are_read_only():
    """No container can write to the repository."""
    for service in SERVICES.values():
        assert [volume for volume in service["volumes"] if volume.startswith(".") and not volume.endswith(":ro")] == []


def test_prometheus_configuration_is_that_of_make_monitoring():
    """The container scrapes the default ports of `make run` on this machine and loads the chart's rules."""
    assert read("prometheus.yaml") == configuration(8000, CONTAINER_HOST, "/rules")
    assert mounts("prometheus")["/rules"] == RULES
    assert SERVICES["prometheus"]["extra_hosts"] == [f"{CONTAINER_HOST}:host-gateway"]
    (config,) = [option.partition("=")[2] for option in SERVICES["prometheus"]["command"] if "config.file" in option]
    assert mounts("prometheus")[config] == FOLDER / "prometheus.yaml"


def test_grafana_provisioning_has_the_data_source_and_the_dashboards():
    """The data source is the other service, and the dashboards and the home page are mounted."""
    (source,) = read("grafana/datasources.yaml")["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    assert "prometheus" in SERVICES
    found = mounts("grafana")
    (provider,) = read("grafana/dashboards.yaml")["providers"]
    assert found[provider["options"]["path"]] == DASHBOARDS
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (DASHBOARDS / home.removeprefix(f"{provider['options']['path']}/")).is_file()
    # Grafana reads its provisioning files from these paths.
    for kind in ("datasources", "dashboards"):
        assert found[f"/etc/grafana/provisioning/{kind}/financehub.yaml"] == FOLDER / "grafana" / f"{kind}.yaml"


def test_images_have_fixed_tags():
    """Each image has a fixed release tag, and the Prometheus image is the one that `make monitoring` uses."""
    images = {name: service["image"] for name, service in SERVICES.items()}
    assert images["prometheus"] == IMAGE
    assert [image for image in images.values() if not re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", image)] == []


def test_ports_are_published_on_loopback_only():
    """Each port is published on loopback, and a variable can change it."""
    for service in SERVICES.values():
        (port,) = service["ports"]
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+_PORT:-\d+\}:\d+", port)


def test_compose_port_differs_from_that_of_make_monitoring():
    """Prometheus has a different port and variable than in `make monitoring`, whose output says to start the compose
    file while `make monitoring` still uses its port.
    """
    (port,) = SERVICES["prometheus"]["ports"]
    assert port == f"127.0.0.1:${{GRAFANA_PROMETHEUS_PORT:-{COMPOSE_PORT}}}:9090"
    assert COMPOSE_PORT != PORT
