"""Tests of the Helm chart with a real API server: rendered resources are accepted, and kept resources survive."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest

from financehub_shared.core.catalog import CATALOG
from support.chart import CHART, RELEASE, Document, render
from support.chart_values import choice, merged
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
#: The CRD comes from deploy/operator, and there is no controller that would run a hook's Job.
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


def _list(items: list[Document]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


@pytest.fixture
def helm(crd_installed: Cluster, namespace: str) -> Iterator[helm_python.Config]:
    """Helm with administrator rights, in the test's namespace."""
    with helm_python.Config(kubeconfig_path=crd_installed.kubeconfig, namespace=namespace) as config:
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


def test_upgrade_with_reused_values_of_an_older_chart_adds_no_console(
    crd_installed: Cluster, namespace: str, helm: helm_python.Config, tmp_path: Path
):
    """With `--reuse-values`, a release from before the console stays without one. With the new values, it has one."""
    helm.install(_without_console(tmp_path), RELEASE, _WITHOUT_DEFINITION)
    before = _get(crd_installed, namespace, "deployment").keys()
    assert "financehub-web" not in before
    helm.upgrade(CHART, RELEASE, {"scheduler": {"replicas": 1}}, reuse_values=True)
    assert _get(crd_installed, namespace, "deployment").keys() == before
    helm.upgrade(CHART, RELEASE, _WITHOUT_DEFINITION)
    assert _get(crd_installed, namespace, "deployment").keys() == before | {"financehub-web"}
    assert "financehub-web" in _get(crd_installed, namespace, "service")


def _without_console(folder: Path) -> Path:
    """Return a copy of the chart as it was before it contained the console."""
    older = folder / "financehub"
    shutil.copytree(CHART, older)
    values = older / "values.yaml"
    before, section, after = re.split(r"(?ms)(^# -- Console -.*?)(?=^# -- Redis -)", values.read_text(encoding="utf-8"))
    assert "\nweb:\n" in section
    values.write_text(re.sub(r"(?m)^  ingressFrom: .*\n", "", before + after), encoding="utf-8")
    return older
