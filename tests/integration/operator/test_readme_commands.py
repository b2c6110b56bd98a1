"""Runs the commands of the chart's README for installs and upgrades with Helm and a real API server.

Helm renders and compares with the cluster, but changes nothing (`--dry-run=server`), so no pods are needed. kubectl's
commands are run as they are. tests/e2e/test_readme.py runs other commands of the README with pods.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator

import pytest

from support.chart import CHART, NAMESPACE
from support.documented_commands import ROOT
from test_cluster.binaries.finder import describe_missing, program
from test_cluster.binaries.programs import API_SERVER, ETCD, HELM, KUBECTL
from test_cluster.control_plane.control_plane import start_control_plane

_README = (CHART / "README.md").read_text(encoding="utf-8")
_HELM = """#!/bin/sh
case $1 in
  install | upgrade) exec "{helm}" "$@" --dry-run=server ;;
  *) exec "{helm}" "$@" ;;
esac
"""
#: Commands that need running pods, or the controllers that create claims and delete orphans.
_NEEDS_PODS = ("helm test", "helm uninstall", "kubectl exec", "kubectl get st", "kubectl patch", "kubectl delete")
#: Section → its blocks with an install or upgrade, or with a command of kubectl that only tests of this file run.
_BLOCKS = [
    ("FinanceHub's chart", 0),
    ("Which Redis products work", 0),
    ("Which rights an install needs", 0),
    ("Which rights an install needs", 1),
    ("Which rights an install needs", 2),
    ("Which hosts to allow", 0),
    ("Which hosts to allow", 1),
    ("How to add an asset", 0),
    ("How to make each Secret", 0),
    ("How to upgrade Redis", 0),
    ("Two releases in one cluster", 0),
    ("Upgrade, rollback, uninstall", 0),
    ("Changing a password or key", 0),
    ("From a trial to market data", 0),
]

Shell = Callable[[str], subprocess.CompletedProcess[str]]


def _blocks(heading: str) -> list[str]:
    """Return the blocks of commands in a section, with one command per line."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^## |\Z)", _README, re.MULTILINE | re.DOTALL)
    assert section, heading
    return [each.replace("\\\n", " ") for each in re.findall(r"^```\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A function that runs commands in bash. A release without pods is in the namespace of the README."""
    if line := describe_missing((ETCD, API_SERVER, KUBECTL, HELM)):
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"no control plane for the commands of the README: {line}")
    folder = tmp_path_factory.mktemp("readme")
    (folder / "deploy").symlink_to(ROOT / "deploy")
    (folder / "ca.crt").write_text("a certificate", encoding="utf-8")
    programs = folder / "bin"
    programs.mkdir()
    (programs / "kubectl").symlink_to(program(KUBECTL))
    (programs / "helm").write_text(_HELM.format(helm=program(HELM)), encoding="utf-8")
    (programs / "helm").chmod(0o755)
    plane = start_control_plane(folder / "control-plane")
    homes = {f"HELM_{name}_HOME": str(folder / "helm") for name in ("CACHE", "CONFIG", "DATA")}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **homes, "KUBECONFIG": str(plane.kubeconfig), "PATH": path}

    def run(script: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-euo", "pipefail", "-c", script]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    prepared = run(
        "kubectl apply --server-side -f deploy/operator/crd.yaml && "
        "kubectl create namespace new && kubectl create namespace by-hand && "
        # An established resource is discoverable a moment later, and Helm refuses a kind that is not.
        "until kubectl api-resources --api-group=financehub.io -o name | grep -q scheduledtasks; do sleep 0.1; done && "
        f"{program(HELM)} install financehub deploy/helm/financehub -n {NAMESPACE} --create-namespace --no-hooks "
        "--skip-crds --set admissionPolicy.enabled=false"
    )
    assert prepared.returncode == 0, prepared.stderr
    yield run
    plane.stop()


def _script(block: str) -> str:
    """Return the commands of a block that need no pods. Installs are those of a new namespace, without a release."""
    if f"helm install financehub deploy/helm/financehub -n {NAMESPACE}" in block:
        block = re.sub(rf"\b{NAMESPACE}\b", "new", block)
    if "helm template" in block:
        # Helm refuses resources of a release that exist without it.
        block = re.sub(rf"\b{NAMESPACE}\b", "by-hand", block)
    if block.startswith("kubectl apply --server-side"):
        # A release of the README creates the same policies.
        block = f"{block.rstrip()} --dry-run=server"
    return "\n".join(line for line in block.splitlines() if not line.startswith(_NEEDS_PODS))


@pytest.mark.parametrize(("heading", "number"), _BLOCKS)
def test_commands_of_the_readme_succeed(heading: str, number: int, shell: Shell):
    """The API server knows every resource, Helm accepts the upgrade or install, and kubectl's commands succeed."""
    script = _script(_blocks(heading)[number])
    done = shell(script)
    assert done.returncode == 0, f"{script}: {done.stdout[-2000:]}{done.stderr}"
    changes = re.findall(r"^helm (?:install|upgrade)", script, re.MULTILINE)
    assert len(re.findall(r"^STATUS: pending-(?:install|upgrade)$", done.stdout, re.MULTILINE)) == len(changes)


def test_every_install_and_upgrade_of_the_readme_is_run():
    """Each block with an install or upgrade is in the list."""
    headings = re.findall(r"^#+ (.*)$", _README, re.MULTILINE)
    found = {
        (heading, number)
        for heading in headings
        for number, block in enumerate(_blocks(heading))
        if re.search(r"^helm (?:install|upgrade)", block, re.MULTILINE)
    }
    assert found <= {*_BLOCKS}


def test_second_release_with_an_admission_policy_is_refused_as_the_readme_says(shell: Shell):
    """Without the value of the README, Helm refuses a second release with the words that the README quotes."""
    *_, install = _blocks("Two releases in one cluster")[0].splitlines()
    assert shell("kubectl apply --server-side -f deploy/operator/admission-policy.yaml").returncode == 0
    try:
        done = shell(install.replace("--set admissionPolicy.enabled=false", ""))
    finally:
        shell("kubectl delete -f deploy/operator/admission-policy.yaml")
    assert done.returncode != 0
    assert "cannot be imported into the current release" in done.stderr
