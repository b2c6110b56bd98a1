"""Starts the cluster components that are not part of Kubernetes: DNS, pod metrics, and volumes."""

import json
import shutil

from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import COREDNS, METRICS_SERVER
from test_cluster.node.kubectl import answers, kubectl
from test_cluster.node.layout import NAME, NODE, Layout
from test_cluster.node.processes import StartError, start

_DNS_READY = "http://127.0.0.1:8181/ready"
_METRICS_PORT = 4443
_VOLUMES = [f"folder-{number}" for number in range(20)]


def start_dns(layout: Layout) -> None:
    """Start the cluster's DNS server."""
    corefile = layout.root / "Corefile"
    corefile.write_text(
        f"""\
.:53 {{
  bind {NODE}
  errors
  ready 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {layout.kubeconfig}
  }}
  cache 5
}}
""",
        encoding="utf-8",
    )
    start(layout, "coredns", [program(COREDNS), "-conf", corefile], lambda: answers(_DNS_READY))


def start_metrics(layout: Layout) -> None:
    """Start metrics-server and register its API."""
    if kubectl(layout, "apply", "--server-side", "-f", "-", stdin=json.dumps(_metrics_api())) is None:
        raise StartError("metrics-server: the API server refuses its registration")
    kubeconfig = layout.kubeconfig
    options = {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "kubelet-preferred-address-types": "InternalIP",
        "kubelet-certificate-authority": layout.pki / "ca.crt",
        "secure-port": _METRICS_PORT,
        "tls-cert-file": layout.pki / "api-server.crt",
        "tls-private-key-file": layout.pki / "api-server.key",
        # It refuses values of 10 s and less.
        "metric-resolution": "15s",
    }
    command = [program(METRICS_SERVER), *(f"--{name}={value}" for name, value in options.items())]
    start(layout, "metrics-server", command, lambda: answers(f"https://{NODE}:{_METRICS_PORT}/livez"))


def provide_volumes(layout: Layout) -> None:
    """Register folders as volumes of the default storage class, and clear those whose claim was deleted."""
    folders = layout.root / "volumes"
    for volume in json.loads(kubectl(layout, "get", "persistentvolumes", "-o", "json") or '{"items": []}')["items"]:
        if volume["status"].get("phase") == "Released":
            kubectl(layout, "delete", "persistentvolume", volume["metadata"]["name"])
            shutil.rmtree(folders / volume["metadata"]["name"])
    for name in _VOLUMES:
        (folders / name).mkdir(parents=True, exist_ok=True)
    if kubectl(layout, "apply", "--server-side", "-f", "-", stdin=json.dumps(_volumes(layout))) is None:
        raise StartError("volumes: the API server refuses them")


def _volumes(layout: Layout) -> dict[str, object]:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    storage_class = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "folders", "annotations": default},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    this_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NAME]}
    volumes = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "storageClassName": "folders",
                "capacity": {"storage": "10Gi"},
                "accessModes": ["ReadWriteOnce"],
                # Unlike with hostPath, the pod's group becomes the owner.
                "local": {"path": str(layout.root / "volumes" / name)},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [this_node]}]}},
            },
        }
        for name in _VOLUMES
    ]
    return {"apiVersion": "v1", "kind": "List", "items": [storage_class, *volumes]}


def _metrics_api() -> dict[str, object]:
    name, namespace = "metrics-server", "kube-system"
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [{"port": 443, "targetPort": _METRICS_PORT}]},
    }
    # The Service has no selector, so Kubernetes does not write its addresses.
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [str(NODE)]}],
        "ports": [{"name": "", "port": _METRICS_PORT}],
    }
    api = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": name, "namespace": namespace},
        },
    }
    return {"apiVersion": "v1", "kind": "List", "items": [service, endpoints, api]}
