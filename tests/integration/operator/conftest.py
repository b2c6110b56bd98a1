"""Fixtures with a real API server: a shared one with a namespace per test, and separate ones for faults."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from financehub_scheduler import chart_hook
from financehub_scheduler.kubernetes import lease
from support.operator import Tasks, scheduler_user
from support.schedules import SchedulerProcess
from support.tunnel import Tunnel
from test_cluster.binaries.finder import describe_missing
from test_cluster.binaries.programs import API_SERVER, CONTROLLER_MANAGER, ETCD, KUBECTL, Program
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.control_plane import ControlPlane, start_control_plane
from test_cluster.control_plane.manifests import install
from test_cluster.control_plane.shared import shared_control_plane

_SCHEDULED_TASKS = "/apis/financehub.io/v1alpha1/namespaces/{}/scheduledtasks"


def _require(*programs: Program) -> None:
    """Skip the test if programs are missing. On CI, fail it instead."""
    if line := describe_missing(programs):
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"no control plane for the operator's tests: {line}")


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hooks, and releases of a Lease, in the test's own process succeed on a busy machine too."""
    monkeypatch.setattr(lease, "_RELEASE_SECONDS", 120)
    monkeypatch.setattr(chart_hook, "LIMIT_SECONDS", 300)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The control plane that all pytest workers share: etcd and an API server, without controllers."""
    _require(ETCD, API_SERVER, KUBECTL)
    base = tmp_path_factory.getbasetemp()
    # Each worker has its own folder in the test run's folder.
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with shared_control_plane(run / "control-plane") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def crd_installed(control_plane: Cluster) -> Cluster:
    """The shared control plane after deploy/operator was applied."""
    install(control_plane)
    return control_plane


@pytest.fixture
def namespace(control_plane: Cluster) -> Iterator[str]:
    """A new namespace. Its ScheduledTasks are deleted after the test, but no controller deletes the namespace."""
    name = control_plane.create_namespace()
    yield name
    # Without the CRD, this request fails.
    with contextlib.suppress(httpx.HTTPStatusError):
        control_plane.request("DELETE", _SCHEDULED_TASKS.format(name))


@pytest.fixture
def tasks(crd_installed: Cluster, namespace: str) -> Tasks:
    """The ScheduledTasks of the test's namespace."""
    return Tasks(crd_installed, namespace)


@pytest.fixture
def own_control_plane(tmp_path: Path) -> Iterator[Callable[..., ControlPlane]]:
    """Start a control plane for this test only. It takes the options of `start_control_plane`."""
    planes: list[ControlPlane] = []

    def start(*, controller_manager: bool = False) -> ControlPlane:
        _require(ETCD, API_SERVER, KUBECTL, *([CONTROLLER_MANAGER] if controller_manager else []))
        directory = tmp_path / f"control-plane-{len(planes)}"
        planes.append(start_control_plane(directory, controller_manager=controller_manager))
        return planes[-1]

    yield start
    for plane in planes:
        plane.stop()


@pytest.fixture
def tunnel(control_plane: Cluster) -> Iterator[Tunnel]:
    """A network connection between a client and the shared API server that the test can break."""
    with Tunnel(control_plane.server) as tunnel:
        yield tunnel


@pytest.fixture
def start_operator(
    crd_installed: Cluster, namespace: str, redis_url: str, tmp_path: Path
) -> Iterator[Callable[..., SchedulerProcess]]:
    """Start a scheduler process for the ScheduledTasks of the test's namespace. It is stopped after the test."""
    running: list[SchedulerProcess] = []
    default = scheduler_user(crd_installed, namespace).kubeconfig

    def start(*arguments: str, kubeconfig: Path = default) -> SchedulerProcess:
        log = tmp_path / f"operator-{len(running)}.log"
        running.append(SchedulerProcess(redis_url, kubeconfig, log, "--namespace", namespace, *arguments).start())
        return running[-1]

    yield start
    for process in running:
        process.end()
