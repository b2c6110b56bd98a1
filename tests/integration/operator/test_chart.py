"""Tests of the Helm chart with a real API server: rendered resources are accepted, and kept resources survive."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest

from financehub_shared.core.catalog import CATALOG
from support.chart import CHART, RELEASE, Document, render
from support.chart_values import choice, merged
from support.hook_jobs import hook_jobs
from test_cluster.binaries.finder import describe_missing, program
from test_cluster.binaries.programs import HELM
from test_cluster.control_plane.cluster import Cluster

#: Kinds whose CRDs are not installed in the test control plane.
_FOREIGN = {"ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule", "GrafanaDashboard", "HTTPRoute"}
#: Together, they contain every kind and every optional part.
_CHOICES = {
    "defaults": choice(),
    "everything": choice(
        pods="everything",
        web="for operators",
        simulator="on",
        keys="given",
        network="named",
        definition="removed",
        tiers="four",
    ),
    "external": choice(redis="external with TLS", rights="namespaces", disruption="none", scaling="fixed"),
}
#: The CRD comes from deploy/operator, and all tests of a run share it.
EARLIER = Path(__file__).parents[2] / "fixtures" / "releases" / "financehub-0.1.0.tgz"
_WITHOUT_DEFINITION: dict[str, Any] = {"crds": {"enabled": False}, "admissionPolicy": {"enabled": False}}


@pytest.mark.parametrize("name", _CHOICES)
def test_rendered_resources_are_accepted(name: str, crd_installed: Cluster, namespace: str):
    """Each resource is accepted by strict validation under restricted Pod Security, without a warning."""
    security = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    crd_installed.kubectl("label", "namespace", namespace, *(f"{key}={value}" for key, value in security.items()))
    values = _CHOICES[name]
    if "namespaces" in values.get("scheduler", {}):
        values = merged(values, {"scheduler": {"namespaces": [namespace]}})
    rendered = render(values, namespace=namespace)
    items = [document for document in rendered.documents if document["kind"] not in _FOREIGN]
    apply = ("apply", "--server-side", "--force-conflicts", "--namespace", namespace, "-f", "-")
    # A pod whose service account does not exist is refused.
    crd_installed.kubectl(*apply, stdin=_list(rendered.all("ServiceAccount")))
    done = crd_installed.kubectl(*apply, "--dry-run=server", "--validate=strict", stdin=_list(items), check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(items)


@pytest.mark.parametrize("name", _CHOICES)
def test_second_application_changes_nothing(name: str, crd_installed: Cluster, namespace: str):
    """A second server-side apply finds no difference, so the API server stores each field as it is rendered."""
    values = _CHOICES[name]
    if "namespaces" in values.get("scheduler", {}):
        values = merged(values, {"scheduler": {"namespaces": [namespace]}})
    documents = render(values, namespace=namespace).documents
    items = [each for each in documents if each["kind"] not in _FOREIGN and "helm.sh/hook" not in json.dumps(each)]
    elsewhere = {each["metadata"].get("namespace", namespace) for each in items} - {namespace}
    for other in elsewhere:
        # All choices share this namespace.
        crd_installed.kubectl("create", "namespace", other, check=False)
    options = ("--server-side", "--force-conflicts", "--namespace", namespace, "-f", "-")
    crd_installed.kubectl("apply", *options, stdin=_list(items))
    assert crd_installed.kubectl("diff", *options, stdin=_list(items), check=False).stdout == ""


def _list(items: list[Document]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


@pytest.fixture
def helm(crd_installed: Cluster, namespace: str) -> Iterator[helm_python.Config]:
    """Helm with administrator rights, in the test's namespace, where the Jobs of hooks run."""
    with (
        hook_jobs(crd_installed, namespace),
        helm_python.Config(kubeconfig_path=crd_installed.kubeconfig, namespace=namespace) as config,
    ):
        yield config


def _get(cluster: Cluster, namespace: str, kind: str) -> dict[str, Document]:
    found = json.loads(cluster.kubectl("get", kind, "--namespace", namespace, "-o", "json").stdout)["items"]
    return {item["metadata"]["name"]: item for item in found}


def _password(cluster: Cluster, namespace: str) -> str:
    password: str = _get(cluster, namespace, "secret")["financehub-redis"]["data"]["redis-password"]
    return password


def test_release_lifecycle_keeps_the_password_and_foreign_schedules(
    crd_installed: Cluster, namespace: str, helm: helm_python.Config
):
    """The password survives upgrade, uninstall and reinstall. A schedule exists as long as it is in the values."""
    mine = {"apiVersion": "financehub.io/v1alpha1", "kind": "ScheduledTask", "metadata": {"name": "mine"}}
    spec = {"task": "health_check_task", "schedule": "@hourly"}
    helm.install(CHART, RELEASE, _WITHOUT_DEFINITION)
    crd_installed.kubectl("apply", "--namespace", namespace, "-f", "-", stdin=json.dumps(mine | {"spec": spec}))
    password = _password(crd_installed, namespace)
    default = _get(crd_installed, namespace, "scheduledtask").keys() - {"mine"}
    assert len(default) == len(CATALOG)

    changed = choice(pods="everything", simulator="on", network="named", scaling="fixed", images="mirror", tiers="four")
    schedules = {"fetch-news": {"enabled": False}, "nightly": {"spec": spec}}
    helm.upgrade(CHART, RELEASE, merged(_WITHOUT_DEFINITION, changed, {"schedules": schedules}))
    assert _password(crd_installed, namespace) == password
    after = _get(crd_installed, namespace, "scheduledtask").keys()
    assert after == default - {"fetch-news"} | {"nightly", "mine"}
    assert "financehub-research" in _get(crd_installed, namespace, "deployment")

    helm.rollback(RELEASE)
    assert _get(crd_installed, namespace, "scheduledtask").keys() == default | {"mine"}
    assert "financehub-research" not in _get(crd_installed, namespace, "deployment")

    helm.uninstall(RELEASE)
    kinds = "deployment,statefulset,service,configmap,networkpolicy,role,rolebinding,horizontalpodautoscaler,pdb"
    assert _get(crd_installed, namespace, kinds).keys() <= {"kube-root-ca.crt"}
    assert _get(crd_installed, namespace, "scheduledtask").keys() == {"mine"}
    assert _get(crd_installed, namespace, "secret").keys() == {"financehub-redis"}

    helm.install(CHART, RELEASE, _WITHOUT_DEFINITION)
    assert _password(crd_installed, namespace) == password


def test_upgrade_from_a_release_with_a_rendered_password_keeps_it(
    crd_installed: Cluster, namespace: str, helm: helm_python.Config
):
    """The Secret that the chart 0.1.0 rendered survives the upgrade, a rollback to it, and an uninstall, unchanged."""
    helm.install(EARLIER, RELEASE, _WITHOUT_DEFINITION)
    secret = _get(crd_installed, namespace, "secret")["financehub-redis"]
    assert secret["data"]["redis-password"]

    def is_kept() -> bool:
        found = _get(crd_installed, namespace, "secret")["financehub-redis"]
        return found["metadata"]["uid"] == secret["metadata"]["uid"] and found["data"] == secret["data"]

    for values in (_WITHOUT_DEFINITION, merged(_WITHOUT_DEFINITION, {"scheduler": {"replicas": 1}})):
        helm.upgrade(CHART, RELEASE, values)
        assert is_kept()
    helm.rollback(RELEASE, version=1)
    assert is_kept()
    helm.upgrade(CHART, RELEASE, _WITHOUT_DEFINITION)
    assert is_kept()
    helm.uninstall(RELEASE)
    assert is_kept()


class _Helm3:
    """The program Helm 3, in the test's namespace.

    Args:
        cluster: The control plane.
        namespace: The namespace of the release.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._options = ["--kubeconfig", str(cluster.kubeconfig), "--namespace", namespace]

    def upgrade(self, chart: Path, values: dict[str, Any]) -> None:
        """Install or upgrade the release."""
        self._run("upgrade", "--install", RELEASE, str(chart), "--values", "-", stdin=json.dumps(values))

    def rollback(self, revision: int) -> None:
        """Return to a revision of the release."""
        self._run("rollback", RELEASE, str(revision))

    def _run(self, *arguments: str, stdin: str = "") -> None:
        command = [str(program(HELM)), *arguments, *self._options]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr


class _Helm4:
    """The library of Helm 4, with the same methods."""

    def __init__(self, config: helm_python.Config) -> None:
        self._config = config
        self._installed = False

    def upgrade(self, chart: Path, values: dict[str, Any]) -> None:
        """Install or upgrade the release."""
        (self._config.upgrade if self._installed else self._config.install)(chart, RELEASE, values)
        self._installed = True

    def rollback(self, revision: int) -> None:
        """Return to a revision of the release."""
        self._config.rollback(RELEASE, version=revision)


@pytest.mark.parametrize("version", [3, 4])
def test_rollback_of_a_release_that_began_as_an_earlier_one_keeps_a_changed_password(
    version: int, crd_installed: Cluster, namespace: str, helm: helm_python.Config
):
    """An upgrade after the change lets the Secret leave the release. Until then, a rollback to 0.1.0 works."""
    if version == 3 and (line := describe_missing([HELM])):
        pytest.skip(line)
    of_version = _Helm3(crd_installed, namespace) if version == 3 else _Helm4(helm)
    of_version.upgrade(EARLIER, _WITHOUT_DEFINITION)
    first = _password(crd_installed, namespace)
    for replicas in (1, 2):
        of_version.upgrade(CHART, merged(_WITHOUT_DEFINITION, {"scheduler": {"replicas": replicas}}))
    of_version.rollback(1)
    of_version.upgrade(CHART, _WITHOUT_DEFINITION)
    assert _password(crd_installed, namespace) == first

    changed = base64.b64encode(b"changed").decode()
    patch = json.dumps({"data": {"redis-password": changed}})
    crd_installed.kubectl("patch", "secret", "financehub-redis", "--namespace", namespace, "--patch", patch)
    for replicas in (1, 2):
        of_version.upgrade(CHART, merged(_WITHOUT_DEFINITION, {"scheduler": {"replicas": replicas}}))
    of_version.rollback(6)
    assert _get(crd_installed, namespace, "deployment")["financehub-scheduler"]["spec"]["replicas"] == 1
    assert _password(crd_installed, namespace) == changed


def test_upgrade_with_reused_values_keeps_removed_tiers_and_schedules_removed(
    crd_installed: Cluster, namespace: str, helm: helm_python.Config
):
    """An upgrade with `--reuse-values` keeps every earlier `null`, so removed tiers and schedules do not come back."""
    of_medium_tier = ("fetch-news", "calculate-indicators")
    helm.install(
        CHART,
        RELEASE,
        merged(_WITHOUT_DEFINITION, {"tiers": {"medium": None}, "schedules": dict.fromkeys(of_medium_tier)}),
    )
    before = [_get(crd_installed, namespace, kind).keys() for kind in ("deployment", "scheduledtask")]
    helm.upgrade(CHART, RELEASE, {"scheduler": {"replicas": 1}}, reuse_values=True)
    deployments = _get(crd_installed, namespace, "deployment")
    assert deployments["financehub-scheduler"]["spec"]["replicas"] == 1
    assert [deployments.keys(), _get(crd_installed, namespace, "scheduledtask").keys()] == before
    assert "financehub-high" in deployments
    assert "financehub-medium" not in deployments
