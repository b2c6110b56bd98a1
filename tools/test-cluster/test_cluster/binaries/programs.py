"""Defines the programs and how each of them is built: one entry per program, one Go module per project.

The folder of each module is next to this file. Its `go.mod` and `go.sum` pin every line of code, and its `tools.go`
names the commands, so that `go mod tidy` keeps their dependencies. CoreDNS has a `main.go` instead.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Project:
    """A Go module whose commands are built.

    Args:
        folder: Folder of its go.mod. The folder's name is part of the cache key.
        module: Go path of the module.
        stamps: String variables that the linker sets. `{version}`, `{major}` and `{minor}` are replaced.
        tags: Build tags.
        placeholders: Files that the module embeds but does not publish, such as a compiled web interface. Each of them
            is replaced by an empty file.
    """

    folder: Path
    module: str
    stamps: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The version that go.mod pins, without the `v`."""
        text = (self.folder / "go.mod").read_text(encoding="utf-8")
        found = re.search(rf"^(?:require)?\s+{re.escape(self.module)} v(\S+)", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.folder / 'go.mod'} does not require {self.module}")
        return found[1]

    @property
    def key(self) -> str:
        """Name of the folder in the cache. Each version has its own folder."""
        return f"{self.folder.name}-{self.version}"

    @property
    def linker_flags(self) -> str:
        """Value of `-ldflags`, which omits the debug symbols and sets the version."""
        major, minor, *_ = self.version.split(".")
        stamps = (value.format(version=self.version, major=major, minor=minor) for value in self.stamps.values())
        return " ".join(["-s -w", *(f"-X {name}={value}" for name, value in zip(self.stamps, stamps, strict=True))])


@dataclass(frozen=True)
class Program:
    """One executable.

    Args:
        name: Name of the file.
        project: The project that publishes it. None if it comes from a system package and is never built.
        package: Path of the package inside the project's module. `.` is a package next to go.mod, which contains only
            the parts of the project that the tests use.
        hint: Instructions to install a program that is never built.
    """

    name: str
    project: Project | None = None
    package: str = ""
    hint: str = ""


_COMPONENT = "k8s.io/component-base/version"
KUBERNETES = Project(
    _HERE / "kubernetes",
    "k8s.io/kubernetes",
    # Without them, the API server reports the version v0.0.0, and clients refuse to use it.
    {
        f"{_COMPONENT}.gitVersion": "v{version}",
        f"{_COMPONENT}.gitMajor": "{major}",
        f"{_COMPONENT}.gitMinor": "{minor}",
    },
)

HELM_PROJECT = Project(
    _HERE / "helm",
    "helm.sh/helm/v3",
    {
        "helm.sh/helm/v3/internal/version.version": "v{version}",
        # Without them, `helm template` and `helm lint` assume a Kubernetes that is years old.
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "1",
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": "34",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": "1",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": "34",
    },
)
COREDNS_PROJECT = Project(_HERE / "coredns", "github.com/coredns/coredns")
METRICS_SERVER_PROJECT = Project(_HERE / "metrics-server", "sigs.k8s.io/metrics-server")
KEDA = Project(_HERE / "keda", "github.com/kedacore/keda/v2")
PROMETHEUS_PROJECT = Project(
    _HERE / "prometheus",
    "github.com/prometheus/prometheus",
    # These tags omit service discovery for two dozen clouds, whose SDKs are most of the code to compile.
    tags=("remove_all_sd", "enable_kubernetes_sd"),
)
ALERTMANAGER_PROJECT = Project(
    _HERE / "alertmanager", "github.com/prometheus/alertmanager", placeholders=("ui/app/dist/index.html",)
)
CONTROLLER_GEN_PROJECT = Project(_HERE / "controller-gen", "sigs.k8s.io/controller-tools")

ETCD = Program("etcd", hint="install Debian's etcd-server or set KUBEBUILDER_ASSETS")
API_SERVER = Program("kube-apiserver", KUBERNETES, "cmd/kube-apiserver")
CONTROLLER_MANAGER = Program("kube-controller-manager", KUBERNETES, "cmd/kube-controller-manager")
KUBECTL = Program("kubectl", KUBERNETES, "cmd/kubectl")
SCHEDULER = Program("kube-scheduler", KUBERNETES, "cmd/kube-scheduler")
KUBELET = Program("kubelet", KUBERNETES, "cmd/kubelet")
KUBE_PROXY = Program("kube-proxy", KUBERNETES, "cmd/kube-proxy")
HELM = Program("helm", HELM_PROJECT, "cmd/helm")
COREDNS = Program("coredns", COREDNS_PROJECT, ".")
METRICS_SERVER = Program("metrics-server", METRICS_SERVER_PROJECT, "cmd/metrics-server")
KEDA_OPERATOR = Program("keda", KEDA, "cmd/operator")
KEDA_ADAPTER = Program("keda-adapter", KEDA, "cmd/adapter")
PROMETHEUS = Program("prometheus", PROMETHEUS_PROJECT, "cmd/prometheus")
ALERTMANAGER = Program("alertmanager", ALERTMANAGER_PROJECT, "cmd/alertmanager")
CONTROLLER_GEN = Program("controller-gen", CONTROLLER_GEN_PROJECT, "cmd/controller-gen")

#: Programs for the operator tests.
CONTROL_PLANE = (ETCD, API_SERVER, CONTROLLER_MANAGER, KUBECTL)
#: Additional programs for the node of the end-to-end tests.
NODE = (SCHEDULER, KUBELET, KUBE_PROXY, COREDNS, METRICS_SERVER)
#: Programs for the end-to-end tests in any cluster.
TOOLS = (KUBECTL, HELM, KEDA_OPERATOR, KEDA_ADAPTER, PROMETHEUS, ALERTMANAGER, CONTROLLER_GEN)
