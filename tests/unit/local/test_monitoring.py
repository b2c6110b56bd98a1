"""`make monitoring`: what Prometheus is told, and what is said when it cannot start."""

import itertools
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from monitoring import __main__ as command
from monitoring.config import DASHBOARDS, PORT, PROCESSES, ROOT, RULES, configuration, text
from monitoring.launch import IMAGE, MissingPrometheusError, find, from_docker, from_path
from support.promtool import promtool_path

FOLDER = ROOT / ".data" / "prometheus"


def run(**environment: str) -> "subprocess.CompletedProcess[str]":
    """`make monitoring` with this environment, where it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "monitoring"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "deploy/local")} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_prometheus_takes_the_configuration_with_the_rules_of_the_chart(tmp_path: Path):
    """The checker finds no fault, and it has looked into every rule file of the chart."""
    path = tmp_path / "prometheus.yaml"
    path.write_text(text(configuration(8000, "localhost", str(RULES))), encoding="utf-8")
    done = subprocess.run([promtool_path(), "check", "config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    files = sorted(RULES.glob("*.yaml"))
    assert files
    assert [each.name for each in files if str(each) not in done.stdout] == []


@pytest.mark.parametrize("first", [8000, 18000])
def test_every_process_of_make_run_is_scraped(first: int):
    """There is one target for each process of the Procfile that serves metrics, on the ports that it gives them."""
    (job,) = configuration(first, "localhost", str(RULES))["scrape_configs"]
    served = [
        line
        for line in (ROOT / "deploy/local/Procfile").read_text(encoding="utf-8").splitlines()
        if "FINANCEHUB_HTTP_PORT" in line
    ]
    assert [line.partition(":")[0] for line in served] == list(PROCESSES)
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
    assert job["static_configs"] == [{"targets": [f"localhost:{port}" for port in ports]}]


def test_a_program_listens_on_loopback_alone():
    """Prometheus of this machine is reached from this machine, on the port that was asked for."""
    launch = from_path("/usr/bin/prometheus", FOLDER, 9191, 8000)
    assert "--web.listen-address=127.0.0.1:9191" in launch.command
    assert f"--config.file={FOLDER}/prometheus.yaml" in launch.command


def test_a_container_sees_the_rules_and_the_processes_of_the_machine():
    """Each path and host in a container's configuration is one that its command brings; its port is on loopback."""
    launch = from_docker("/usr/bin/docker", FOLDER, 9191, 8000)
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


def _program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def test_a_program_on_path_goes_before_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where both are there, the program is started; without it, a container if an engine answers."""
    monkeypatch.setenv("PATH", str(tmp_path))
    _program(tmp_path, "docker", "exit 0")
    assert find(FOLDER, 9090, 8000).command[:2] == [str(tmp_path / "docker"), "run"]
    _program(tmp_path, "prometheus", "exit 0")
    assert find(FOLDER, 9090, 8000).command[0] == str(tmp_path / "prometheus")


def test_without_a_prometheus_the_message_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With neither a program nor an engine that answers, one line names both ways."""
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


def test_a_taken_port_is_named_with_the_variable_that_moves_it():
    """Where somebody listens on the port, one line says which it is and how to use another."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        done = run(PROMETHEUS_PORT=str(port))
    assert done.returncode == 2
    assert done.stderr == (
        f"make monitoring: port {port} (Prometheus) is in use; stop the process that uses it, or set PROMETHEUS_PORT to "
        "another port\n"
    )


@pytest.mark.parametrize(
    ("variable", "value", "last"),
    [("PROMETHEUS_PORT", "nine", 65_535), ("PROMETHEUS_PORT", "65536", 65_535), ("HTTP_PORT", "65533", 65_532)],
)
def test_a_port_that_cannot_be_is_refused(variable: str, value: str, last: int):
    """Neither a word nor a number beyond the last port; `make run` needs four in a row."""
    done = run(**{variable: value})
    assert (done.returncode, done.stderr) == (
        2,
        f"make monitoring: {variable}={value!r} is not a valid port; use a number from 1 to {last}\n",
    )


@pytest.mark.parametrize("free", [True, False])
def test_readme_shows_what_is_printed(monkeypatch: pytest.MonkeyPatch, free: bool):
    """The README's output of `make monitoring` is what it prints for the default ports while `make run` runs."""
    monkeypatch.setattr(command, "FOLDER", FOLDER)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if not free:
            listener.listen()
        printed = command.hints(PORT, port)
    missing = command.MISSING.format(port=port)
    assert printed.endswith(missing) is free
    shown = printed.removesuffix(missing).replace(f"{port} to {port + 3}", "8000 to 8003")
    assert f"$ make monitoring\n{shown}```\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_dashboards_that_are_to_be_imported_are_there():
    """The folder that the hints name has dashboards in it."""
    assert list(DASHBOARDS.glob("*.json"))


def test_the_interval_is_one_for_prometheus_and_grafana():
    """Grafana's data source has Prometheus's interval, or `$__rate_interval` would see too few samples."""
    source = yaml.safe_load((ROOT / "deploy/local/monitoring/grafana/datasources.yaml").read_text(encoding="utf-8"))
    interval = configuration(8000, "localhost", str(RULES))["global"]["scrape_interval"]
    assert [each["jsonData"]["timeInterval"] for each in source["datasources"]] == [interval]
