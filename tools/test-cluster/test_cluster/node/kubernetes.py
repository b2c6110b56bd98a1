"""Starts the Kubernetes processes, with their options and readiness checks."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import API_SERVER, CONTROLLER_MANAGER, ETCD, KUBE_PROXY, KUBELET, SCHEDULER
from test_cluster.control_plane.kubeconfig import write_kubeconfig
from test_cluster.control_plane.pki import Authority, write_key, write_public_key
from test_cluster.control_plane.tokens import ISSUER
from test_cluster.node.kubectl import answers, kubectl
from test_cluster.node.layout import API_SERVICE, API_URL, NAME, NODE, PODS, SERVICES, Layout
from test_cluster.node.processes import start

_ETCD = "http://127.0.0.1:2379"
#: Name of each client certificate → its Kubernetes user and group.
_USERS = {
    "admin": ("admin", "system:masters"),
    "kubelet": (f"system:node:{NAME}", "system:nodes"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
}
_API_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", str(NODE), str(API_SERVICE))


def write_credentials(layout: Layout) -> None:
    """Write keys, certificates and kubeconfigs of all components unless they exist."""
    if layout.kubeconfig.exists():
        return
    authority = Authority(layout.pki)
    authority.issue("api-server", "kube-apiserver", hosts=_API_NAMES)
    write_public_key(write_key(layout.pki / "sa.key"), layout.pki / "sa.pub")
    for name, (user, group) in _USERS.items():
        authority.issue(name, user, group, hosts=[NAME, str(NODE)] if name == "kubelet" else ())
        certificate = {
            "client-certificate": str(layout.pki / f"{name}.crt"),
            "client-key": str(layout.pki / f"{name}.key"),
        }
        write_kubeconfig(layout.kubeconfig_of(name), API_URL, authority.certificate, certificate, "default")


def start_control_plane(layout: Layout) -> None:
    """Start etcd, API server, controller manager and scheduler."""
    etcd = {
        "data-dir": layout.root / "etcd",
        "listen-client-urls": _ETCD,
        "advertise-client-urls": _ETCD,
        # A node that crashes is recreated, so its data need not be durable.
        "unsafe-no-fsync": "true",
    }
    start(layout, "etcd", _command(program(ETCD), etcd), lambda: answers(f"{_ETCD}/health"))
    start_api_server(layout)
    _start_client(
        layout,
        program(CONTROLLER_MANAGER),
        "controller-manager",
        {
            "service-account-private-key-file": layout.pki / "sa.key",
            "root-ca-file": layout.pki / "ca.crt",
            "use-service-account-credentials": "true",
            # This is a third of the default, because tests wait for autoscaling.
            "horizontal-pod-autoscaler-sync-period": "5s",
            "horizontal-pod-autoscaler-initial-readiness-delay": "5s",
        },
    )
    _start_client(layout, program(SCHEDULER), "scheduler", {})


def start_api_server(layout: Layout) -> None:
    """Start the API server. This is a separate function because tests restart it."""
    pki = layout.pki
    options = {
        "etcd-servers": _ETCD,
        "advertise-address": NODE,
        "secure-port": 6443,
        "service-cluster-ip-range": SERVICES,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "client-ca-file": pki / "ca.crt",
        "tls-cert-file": pki / "api-server.crt",
        "tls-private-key-file": pki / "api-server.key",
        "service-account-key-file": pki / "sa.pub",
        "service-account-signing-key-file": pki / "sa.key",
        "service-account-issuer": ISSUER,
        # For logs and exec, because no DNS server knows the node's name.
        "kubelet-preferred-address-types": "InternalIP",
        "kubelet-client-certificate": pki / "admin.crt",
        "kubelet-client-key": pki / "admin.key",
        # For aggregated APIs, such as metrics.
        "enable-aggregator-routing": "true",
        "proxy-client-cert-file": pki / "admin.crt",
        "proxy-client-key-file": pki / "admin.key",
        "requestheader-client-ca-file": pki / "ca.crt",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    }
    command = _command(program(API_SERVER), options)
    start(layout, "api-server", command, lambda: kubectl(layout, "get", "--raw", "/readyz") is not None)


def start_node(layout: Layout) -> None:
    """Start kubelet and kube-proxy and wait until pods can be scheduled."""
    configuration = layout.root / "kubelet.json"
    configuration.write_text(json.dumps(_kubelet(layout)), encoding="utf-8")
    kubelet = {
        "config": configuration,
        "kubeconfig": layout.kubeconfig_of("kubelet"),
        "hostname-override": NAME,
        "node-ip": NODE,
        "root-dir": layout.root / "kubelet",
    }
    start(layout, "kubelet", _command(program(KUBELET), kubelet), lambda: _node_ready(layout))
    proxy = {
        "kubeconfig": layout.kubeconfig_of("proxy"),
        "hostname-override": NAME,
        "proxy-mode": "iptables",
        "cluster-cidr": PODS,
        # Zero leaves the kernel's settings unchanged, because /proc/sys/net/netfilter may be read-only.
        "conntrack-max-per-core": 0,
        "conntrack-min": 0,
        "conntrack-tcp-timeout-established": "0s",
        "conntrack-tcp-timeout-close-wait": "0s",
    }
    health = "http://127.0.0.1:10256/healthz"
    start(layout, "kube-proxy", _command(program(KUBE_PROXY), proxy), lambda: answers(health))


def _kubelet(layout: Layout) -> dict[str, Any]:
    pki = layout.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "failSwapOn": False,
        "clusterDomain": "cluster.local",
        "clusterDNS": [str(NODE)],
        "containerRuntimeEndpoint": f"unix://{layout.containerd}",
        "tlsCertFile": str(pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet.key"),
        # The disk is shared with the machine, so its usage should hardly ever evict pods.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
    }


def _start_client(layout: Layout, binary: Path, name: str, options: Mapping[str, object]) -> None:
    kubeconfig = layout.kubeconfig_of(name)
    common = {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
    }
    port = {"controller-manager": 10257, "scheduler": 10259}[name]
    command = _command(binary, {**common, **options})
    start(layout, name, command, lambda: answers(f"https://127.0.0.1:{port}/healthz"))


def _node_ready(layout: Layout) -> bool:
    condition = '{.status.conditions[?(@.type=="Ready")].status}'
    return kubectl(layout, "get", "node", NAME, "-o", f"jsonpath={condition}") == "True"


def _command(binary: Path, options: Mapping[str, object]) -> list[str]:
    return [str(binary), *(f"--{name}={value}" for name, value in options.items())]
