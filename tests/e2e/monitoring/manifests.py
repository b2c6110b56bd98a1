"""Manifests of Prometheus and Alertmanager that restricted Pod Security admits."""

from collections.abc import Mapping
from typing import Any

from test_cluster.binaries.programs import ALERTMANAGER, PROMETHEUS, Program

NAMESPACE = "e2e-prometheus"
#: Name of each program → its port.
PORTS = {PROMETHEUS.name: 9090, ALERTMANAGER.name: 9093}
#: Folder of the ConfigMap's files in a container.
CONFIGURATION = "/etc/configuration"
_DATA = "/data"
_OPTIONS = {
    PROMETHEUS.name: [f"--config.file={CONFIGURATION}/prometheus.yml", f"--storage.tsdb.path={_DATA}"],
    ALERTMANAGER.name: [
        f"--config.file={CONFIGURATION}/alertmanager.yml",
        f"--storage.path={_DATA}",
        # There is only one Alertmanager, so it must not wait for peers.
        "--cluster.listen-address=",
    ],
}


def image(server: Program) -> str:
    """Return the reference of a server's image.

    Args:
        server: The server's program.
    """
    assert server.project is not None
    return f"localhost/{server.name}:{server.project.version}"


def rights(discovered: str) -> list[dict[str, Any]]:
    """Return Prometheus's service account and the RBAC resources that let it discover pods.

    Args:
        discovered: Namespace of the pods.
    """
    account = {"kind": "ServiceAccount", "name": PROMETHEUS.name, "namespace": NAMESPACE}
    group, metadata = "rbac.authorization.k8s.io", {"name": PROMETHEUS.name, "namespace": discovered}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": account["name"], "namespace": account["namespace"]},
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": metadata["name"]},
            "subjects": [account],
        },
    ]


def server(program: Program, configuration: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return ConfigMap, Deployment and Service of one server.

    Args:
        program: The server's program.
        configuration: Content of each configuration file, by name.
    """
    name, port = program.name, PORTS[program.name]
    metadata, labels = {"name": name, "namespace": NAMESPACE}, {"app": name}
    container = {
        "name": name,
        "image": image(program),
        "imagePullPolicy": "Never",
        "args": _OPTIONS[name],
        "ports": [{"containerPort": port}],
        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": port}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "configuration", "mountPath": CONFIGURATION},
            {"name": "data", "mountPath": _DATA},
        ],
    }
    pod = {
        "serviceAccountName": name if program is PROMETHEUS else "default",
        "automountServiceAccountToken": program is PROMETHEUS,
        "securityContext": {
            "runAsNonRoot": True,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "configuration", "configMap": {"name": name}},
            {"name": "data", "emptyDir": {}},
        ],
    }
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(configuration)},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": port}]},
        },
    ]
