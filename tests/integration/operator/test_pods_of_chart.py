"""Tests of the chart's pods with a real API server: numeric namespaces, all capabilities and repeated names."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from support.chart import Document, render
from test_cluster.control_plane.cluster import Cluster

#: Namespaces that YAML reads as numbers if they are not quoted.
_NAMESPACES = ("digits", "exponent")
_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_VARIABLES = [
    {"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "password"}}},
    *({"name": "HTTPS_PROXY", "value": value} for value in ("http://a:1", "http://b:2")),
]
_EVERY_POD: dict[str, Any] = {
    "podSecurityContext": {"supplementalGroups": [5]},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway"}
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ],
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": [name]} for name in ("a.example", "b.example")],
    "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
    "extraEnv": _VARIABLES,
    "extraEnvFrom": [{"secretRef": {"name": "mine", "optional": True}}],
    "extraVolumes": [{"name": "tmp", "emptyDir": {}}, {"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}, {"name": "more", "mountPath": "/more/"}],
    "initContainers": [{"name": "before", "image": "team/before:1", "securityContext": _SECURITY}],
    "sidecars": [{"name": "beside", "image": "team/beside:1", "securityContext": _SECURITY}],
    "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
}
#: Both levels repeat each name, so that joining within a list and across lists is tested.
_VALUES: dict[str, Any] = {
    "simulator": {"enabled": True},
    "podDefaults": _EVERY_POD,
    "tierDefaults": {"extraEnv": _VARIABLES, "hostAliases": _EVERY_POD["hostAliases"]},
    "redis": {"extraEnv": _VARIABLES},
    "openshift": {"enabled": True},
}


@pytest.fixture(params=_NAMESPACES)
def numeric(request: pytest.FixtureRequest, crd_installed: Cluster) -> Iterator[str]:
    """A namespace whose name looks like a number, with restricted Pod Security."""
    digits = str(Random().randrange(10**8, 10**9))
    name = digits if request.param == "digits" else f"{digits}e5"
    crd_installed.kubectl("create", "namespace", name)
    security = (f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn"))
    crd_installed.kubectl("label", "namespace", name, *security)
    yield name
    crd_installed.kubectl("delete", "namespace", name, "--wait=false")


def _pods(documents: list[Document]) -> list[Document]:
    """Return a pod for each pod template, as the controllers would create it."""
    found = []
    for each in documents:
        if each["kind"] in {"Deployment", "StatefulSet", "Job"}:
            template = each["spec"]["template"]
            claims = [claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])]
            volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
            spec = template["spec"] | {"volumes": template["spec"]["volumes"] + volumes}
            metadata = template["metadata"] | {"name": each["metadata"]["name"]}
            found.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        elif each["kind"] == "Pod":
            found.append(each)
    return found


def _list(items: list[Document]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def test_pods_with_every_capability_are_accepted_in_a_numeric_namespace(crd_installed: Cluster, numeric: str):
    """Under restricted Pod Security and server-side apply, the API server accepts all resources and all pods.

    The values name every variable, volume, mount and alias twice, and leave the ids to the cluster.
    """
    rendered = render(_VALUES, namespace=numeric)
    apply = ("apply", "--server-side", "--force-conflicts", "--namespace", numeric, "-f", "-")
    crd_installed.kubectl(*apply, stdin=_list(rendered.all("ServiceAccount")))
    items = rendered.documents + [each for each in _pods(rendered.documents) if each not in rendered.documents]
    done = crd_installed.kubectl(*apply, "--dry-run=server", "--validate=strict", stdin=_list(items), check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(items)


def test_repeated_name_would_be_refused(crd_installed: Cluster, numeric: str):
    """The API server refuses the same variable twice under server-side apply, so the test above can fail."""
    (pod, *_) = [each for each in _pods(render(_VALUES, namespace=numeric).documents) if each["kind"] == "Pod"]
    pod["spec"]["containers"][0]["env"] += _VARIABLES
    apply = ("apply", "--server-side", "--namespace", numeric, "--dry-run=server", "-f", "-")
    assert "duplicate entries for key" in crd_installed.kubectl(*apply, stdin=_list([pod]), check=False).stderr
