"""A real API server for the operator: one for the run, a namespace for each test; servers of one's own for faults."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from support.binaries.catalogue import API_SERVER, CONTROLLER_MANAGER, ETCD, KUBECTL, Program
from support.binaries.finder import lacking
from support.control_plane.cluster import Cluster
from support.control_plane.control_plane import ControlPlane, start_control_plane
from support.control_plane.manifests import install
from support.control_plane.shared import shared_control_plane
from support.operator import scheduler_user
from support.schedules import SchedulerProcess
from support.tunnel import Tunnel

_SCHEDULED_TASKS = "/apis/financehub.io/v1alpha1/namespaces/{}/scheduledtasks"


def _need(*programs: Program) -> None:
    """A laptop may lack what it takes to build them; the machine that decides may not."""
    if line := lacking(programs):
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"no control plane for the operator's tests: {line}")


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The run's control plane, shared by all of pytest's workers: etcd and API server, no controllers."""
    _need(ETCD, API_SERVER, KUBECTL)
    base = tmp_path_factory.getbasetemp()
    # each worker has a folder of its own in the run's
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with shared_control_plane(run / "control-plane") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def crd_installed(control_plane: Cluster) -> Cluster:
    """The run's control plane with deploy/operator in force."""
    install(control_plane)
    return control_plane


@pytest.fixture
def namespace(control_plane: Cluster) -> Iterator[str]:
    """A namespace of one's own. It stays, for nothing deletes namespaces here; its ScheduledTasks go."""
    name = control_plane.create_namespace()
    yield name
    # a test may not have needed the CRD
    with contextlib.suppress(httpx.HTTPStatusError):
        control_plane.request("DELETE", _SCHEDULED_TASKS.format(name))


@pytest.fixture
def own_control_plane(tmp_path: Path) -> Iterator[Callable[..., ControlPlane]]:
    """Start a control plane of one's own; options as `start_control_plane` takes them."""
    planes: list[ControlPlane] = []

    def start(*, controller_manager: bool = False) -> ControlPlane:
        _need(ETCD, API_SERVER, KUBECTL, *([CONTROLLER_MANAGER] if controller_manager else []))
        directory = tmp_path / f"control-plane-{len(planes)}"
        planes.append(start_control_plane(directory, controller_manager=controller_manager))
        return planes[-1]

    yield start
    for plane in planes:
        plane.stop()


@pytest.fixture
def tunnel(control_plane: Cluster) -> Iterator[Tunnel]:
    """A way to the run's API server that can be broken."""
    with Tunnel(control_plane.server) as way:
        yield way


@pytest.fixture
def operator(
    crd_installed: Cluster, namespace: str, redis_url: str, tmp_path: Path
) -> Iterator[Callable[..., SchedulerProcess]]:
    """Start a scheduler on the ScheduledTasks of the test's namespace, to be ended with the test."""
    running: list[SchedulerProcess] = []
    own = scheduler_user(crd_installed, namespace).kubeconfig

    def start(*arguments: str, kubeconfig: Path = own) -> SchedulerProcess:
        log = tmp_path / f"operator-{len(running)}.log"
        running.append(SchedulerProcess(redis_url, kubeconfig, log, "--namespace", namespace, *arguments).start())
        return running[-1]

    yield start
    for each in running:
        each.end()
