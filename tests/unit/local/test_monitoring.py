"""Tests of `make monitoring`: its configuration, its command and its error messages."""

import itertools
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from monitoring import __main__ as command
from monitoring.config import DASHBOARDS, PORT, PROCESSES, ROOT, RULES, configuration, to_yaml
from monitoring.launch import IMAGE, MissingPrometheusError, find, from_docker, from_path
from support.promtool import promtool_path

FOLDER = ROOT / ".data" / "prometheus"


def run(**environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `make monitoring` with this environment until it exits by itself."""
    return subprocess.run(
        [sys.executable, "-m", "monitoring"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "deploy/local")} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_configuration_with_the_rules_of_the_chart_is_valid(tmp_path: Path):
    """Promtool accepts the configuration and reads every rule file of the chart."""
    path = tmp_path / "prometheus.yaml"
    path.write_text(to_yaml(configuration(8000, "localhost", str(RULES))), encoding="utf-8")
    done = subprocess.run([promtool_path(), "check", "config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    files = sorted(RULES.glob("*.yaml"))
    assert files
    assert [path.name for path in files if str(path) not in done.stdout] == []


@pytest.mark.parametrize("first", [8000, 18000])
def test_configuration_scrapes_every_process_of_make_run(first: int):
    """Each process of the Procfile that serves metrics is a target, with the port from the Procfile."""
    (job,) = configuration(first, "localhost", str(RULES))["scrape_configs"]
    served = [
        line
        for line in (ROOT / "deploy/local/Procfile").read_text(encoding="utf-8").splitlines()
        if "FINANCEHUB_HTTP_PORT" in line
    ]
    assert {line.partition(":")[0] for line in served} == set(PROCESSES)
    ports = [
        subprocess.run(
            ["bash", "-c", f"{line.partition(': ')[2].partition(' exec ')[0]}; echo $FINANCEHUB_HTTP_PORT"],
            env=os.environ | {"HTTP_PORT": str(first)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for line in served
    ]
    assert job["static_configs"] == [{"targets": [f"localhost:{port}" for port in sorted(ports)]}]


def test_from_path_listens_on_loopback_only():
    """A Prometheus program from PATH listens on the given port of the loopback address."""
    launch = from_path("/usr/bin/prometheus", FOLDER, 9191, 8000)
    assert "--web.listen-address=127.0.0.1:9191" in launch.command
    assert f"--config.file={FOLDER}/prometheus.yaml" in launch.command


def test_from_docker_maps_rules_data_and_host():
    """The container's command provides every path and host in its configuration, and publishes the port on loopback."""
    launch = from_docker("/usr/bin/docker", FOLDER, 9191, 8000, shares_network=False)
    options, flags = launch.command[: launch.command.index(IMAGE)], launch.command[launch.command.index(IMAGE) + 1 :]
    pairs = list(itertools.pairwise(options))
    mounts = dict(value.split(":")[:2][::-1] for option, value in pairs if option == "--volume")
    assert mounts["/rules"] == str(RULES)
    assert launch.configuration["rule_files"] == ["/rules/*.yaml"]
    assert mounts["/financehub"] == str(FOLDER)
    assert flags[0] == "--config.file=/financehub/prometheus.yaml"
    assert ("--publish", "127.0.0.1:9191:9090") in pairs
    (host,) = [value.partition(":")[0] for option, value in pairs if option == "--add-host"]
    (targets,) = launch.configuration["scrape_configs"][0]["static_configs"]
    assert {target.partition(":")[0] for target in targets["targets"]} == {host}


def test_from_docker_on_linux_reaches_loopback():
    """On Linux, the container uses the network of the machine, whose processes and Prometheus listen on loopback."""
    launch = from_docker("/usr/bin/docker", FOLDER, 9191, 8000, shares_network=True)
    assert ("--network", "host") in itertools.pairwise(launch.command)
    assert "--publish" not in launch.command
    assert "--web.listen-address=127.0.0.1:9191" in launch.command
    (targets,) = launch.configuration["scrape_configs"][0]["static_configs"]
    assert {target.partition(":")[0] for target in targets["targets"]} == {"localhost"}


def _program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def test_find_with_both_prefers_the_program_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A program on PATH is preferred to Docker. Without a program, a responding Docker engine is used."""
    monkeypatch.setenv("PATH", str(tmp_path))
    _program(tmp_path, "docker", "exit 0")
    assert find(FOLDER, 9090, 8000).command[:2] == [str(tmp_path / "docker"), "run"]
    _program(tmp_path, "prometheus", "exit 0")
    assert find(FOLDER, 9090, 8000).command[0] == str(tmp_path / "prometheus")


def test_find_without_program_and_engine_names_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without a program and without a responding engine, one line names both ways to get Prometheus."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for script in (None, "echo 'Cannot connect to the Docker daemon' >&2; exit 1"):
        if script is not None:
            _program(tmp_path, "docker", script)
        with pytest.raises(MissingPrometheusError, match=r"apt install prometheus.*start Docker"):
            find(FOLDER, 9090, 8000)
        done = run(PATH=str(tmp_path), PROMETHEUS_PORT=str(_free_port()))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("make monitoring: there is no prometheus on PATH")
        assert done.stderr.count("\n") == 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_make_monitoring_with_a_used_port_names_port_and_variable():
    """If another process listens on the port, one line names the port and how to use another one."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        done = run(PROMETHEUS_PORT=str(port))
    assert done.returncode == 2
    assert done.stderr == (
        f"make monitoring: port {port} (Prometheus) is in use; stop the process that uses it, or set PROMETHEUS_PORT "
        "to another port\n"
    )


@pytest.mark.parametrize(
    ("variable", "value", "last"),
    [("PROMETHEUS_PORT", "nine", 65_535), ("PROMETHEUS_PORT", "65536", 65_535), ("HTTP_PORT", "65531", 65_530)],
)
def test_make_monitoring_with_an_invalid_port_refuses_it(variable: str, value: str, last: int):
    """Non-numeric ports and ports above the maximum are refused. `make run` needs six consecutive ports."""
    done = run(**{variable: value})
    assert (done.returncode, done.stderr) == (
        2,
        f"make monitoring: {variable}={value!r} is not a valid port; use a number from 1 to {last}\n",
    )


@pytest.mark.parametrize("free", [True, False])
def test_readme_shows_the_output_of_make_monitoring(monkeypatch: pytest.MonkeyPatch, free: bool):
    """The README shows the output of `make monitoring` for the default ports while `make run` runs."""
    monkeypatch.setattr(command, "FOLDER", FOLDER)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if not free:
            listener.listen()
        printed = command.hints(PORT, port)
    missing = command.MISSING.format(port=port)
    assert printed.endswith(missing) is free
    shown = printed.removesuffix(missing).replace(f"{port + 1} to {port + 5}", "8001 to 8005")
    assert f"$ make monitoring\n{shown}```\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_dashboards_folder_contains_dashboards():
    """The folder that the output names contains dashboards."""
    assert list(DASHBOARDS.glob("*.json"))


def test_scrape_interval_is_the_same_in_grafana():
    """Grafana's data source has Prometheus's scrape interval. Otherwise `$__rate_interval` would be too short."""
    source = yaml.safe_load((ROOT / "deploy/local/monitoring/grafana/datasources.yaml").read_text(encoding="utf-8"))
    interval = configuration(8000, "localhost", str(RULES))["global"]["scrape_interval"]
    assert [item["jsonData"]["timeInterval"] for item in source["datasources"]] == [interval]
