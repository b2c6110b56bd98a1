"""Runs the commands of the chart's README in a real cluster, as people do: with bash, outside the cluster's network.

tests/integration/operator/test_readme_commands.py runs those for installs and upgrades with an API server and no pods.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from e2e import access, namespaces, pasted
from e2e.cluster import CHART, Cluster, eventually
from e2e.conftest import VALUES, skip_on_external_cluster
from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import HELM

_ROOT = Path(__file__).parents[2]
_README = (CHART / "README.md").read_text(encoding="utf-8")
_NAMESPACE = "e2e-readme"
#: Stands for Helm. The images of the tests are not those of a registry, so it adds the values that select them.
_HELM = """#!/bin/sh
case $1 in
  install | upgrade | template) exec "{helm}" "$@" --values "{values}" ;;
  *) exec "{helm}" "$@" ;;
esac
"""

Shell = Callable[[str], str]


def _blocks(heading: str) -> list[str]:
    """Return the blocks of commands in a section of the README."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^## |\Z)", _README, re.MULTILINE | re.DOTALL)
    assert section, heading
    blocks = re.findall(r"^```([a-z]*)\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    return [block for language, block in blocks if not language]


@pytest.fixture(scope="module")
def shell(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A function that runs commands of the README in bash, in a namespace of the tests, and returns their output."""
    skip_on_external_cluster(cluster, "the roles")
    namespaces.create(cluster, _NAMESPACE)
    folder = tmp_path_factory.mktemp("readme")
    (folder / "values.yaml").write_text(yaml.safe_dump(VALUES), encoding="utf-8")
    (folder / "helm").write_text(_HELM.format(helm=program(HELM), values=folder / "values.yaml"), encoding="utf-8")
    (folder / "helm").chmod(0o755)
    environment = access.environment(cluster.target)
    environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"

    def run(documented: str) -> str:
        script = pasted.elsewhere(documented, _NAMESPACE)
        command = [*pasted.outside(), "bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(
            command, cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    yield run
    cluster.helm("uninstall", "financehub", "--namespace", _NAMESPACE, "--ignore-not-found", "--wait")
    cluster.kubectl("delete", "namespace", _NAMESPACE, "--ignore-not-found", "--wait=false")


def test_first_block_installs_and_tests_a_release(shell: Shell) -> None:
    """The first lines of the README install the chart into a new namespace, test it, and list its schedules."""
    output = shell(_blocks("FinanceHub's chart")[0])
    assert "STATUS: deployed" in output
    assert output.count("Phase:          Succeeded") == 2
    assert "fetch-crypto-prices" in output


def test_users_with_edit_may_create_scheduled_tasks(shell: Shell) -> None:
    """The commands give a group the ClusterRole, and Kubernetes says that a user of the group may create resources."""
    (block,) = _blocks("Which rights users need")
    assert shell(block).endswith("yes\n")


def test_roles_that_an_administrator_creates_are_applied(shell: Shell) -> None:
    """The commands for an install without any roles create the Roles of the scheduler and the Secret of Redis."""
    *_, block = _blocks("Which rights an install needs")
    output = shell(block.replace("financehub deploy", "other deploy"))
    assert "role.rbac.authorization.k8s.io/other-financehub-scheduler-tasks created" in output


def test_added_asset_is_declared_along_with_the_others(shell: Shell) -> None:
    """The command adds an asset to those of the chart; tests/e2e/test_operations.py waits for the fleet."""
    (block,) = _blocks("How to add an asset")
    upgrade, listing = block.replace("\\\n", " ").splitlines()
    shell(upgrade)
    declared = shell(f"kubectl get configmap -n {_NAMESPACE} financehub-assets -o yaml")
    assert "NVDA" in declared
    assert "BTC-USD" in declared
    assert "BTC-USD" in shell(listing)


@pytest.fixture
def healthy_shell(shell: Shell, cluster: Cluster) -> Shell:
    """The same after the fleet has become healthy, because an earlier test upgrades the release without waiting."""
    status = ("exec", "--namespace", _NAMESPACE, "deploy/financehub-scheduler", "--", "financehub", "status")
    eventually(lambda: cluster.kubectl(*status, check=False).returncode == 0, "the fleet is healthy", 180)
    return shell


def test_status_and_metrics_can_be_reached_from_outside(healthy_shell: Shell) -> None:
    """The commands print the health report and the metrics of a process on this machine."""
    shell = healthy_shell
    (status,) = _blocks("How to reach the status from outside")
    report, forward, request = status.splitlines()
    assert shell(report)
    answer = shell(
        f"{forward} >&2 & trap 'kill $!' EXIT; for try in $(seq 300); do {request} && exit; sleep 0.2; done; false"
    )
    assert json.loads(answer)["status"] == "ok"
    (metrics,) = _blocks("How to reach the metrics from outside")
    forward, request = metrics.splitlines()
    answer = shell(
        f"{forward} >&2 & trap 'kill $!' EXIT; for try in $(seq 300); do {request} && exit; sleep 0.2; done; false"
    )
    assert "financehub_" in answer


def test_backup_is_a_valid_file(shell: Shell, tmp_path: Path) -> None:
    """The commands leave a snapshot of Redis on this machine, and nothing on its volume."""
    (block,) = _blocks("How to back up")
    assert "RDB looks OK" in shell(f"cd {tmp_path}\n{block}")
    assert (tmp_path / "backup.rdb").read_bytes().startswith(b"REDIS")
    (block,) = _blocks("How to restore")
    assert "db0:keys=" in shell(block)


def test_secrets_of_the_table_can_be_created(shell: Shell, tmp_path: Path) -> None:
    """The API server accepts each Secret of the table, and the one of the registry."""
    for name in ("ca.crt", "feeds.txt", "tokens.yaml"):
        (tmp_path / name).write_text("content", encoding="utf-8")
    options = re.findall(r"^\| .*? \| `(--from.*?)`.*? \| `[a-zA-Z.]+`.*? \|$", _README, re.MULTILINE)
    for number, each in enumerate(options):
        assert "created" in shell(
            f"cd {tmp_path} && kubectl create secret generic trial-{number} -n {_NAMESPACE} {each} --dry-run=server"
        )
    (block,) = _blocks("How to make each Secret")
    (command, *_) = block.replace("\\\n", " ").splitlines()
    assert "created" in shell(f"{command} --dry-run=server")


def test_sizes_and_events_are_shown(healthy_shell: Shell) -> None:
    """The commands that look at the use of memory and at refused pods work."""
    shell = healthy_shell
    (block,) = _blocks("How large must it be")
    usage, report = block.splitlines()

    def is_measured() -> bool:
        try:
            return "financehub-scheduler-" in shell(usage)
        except AssertionError:  # the pods are so new that nothing has measured them yet
            return False

    eventually(is_measured, "the use of memory of the scheduler is shown", 120)
    assert json.loads(shell(f"{report} --json"))["status"] == "ok"
    (command,) = re.findall(r"`(kubectl get events .*?)`", " ".join(_README.split()))
    shell(command)
