"""Tests that the rendered chart, applied as Argo CD does it, runs, keeps its password and shows no difference later."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from e2e import keda
from e2e.cluster import CHART, Cluster, eventually
from e2e.conftest import VALUES, skip_on_external_cluster
from e2e.release import NAME, PROCESSES, Release

Document = dict[str, Any]

#: Argo CD's phase for each of Helm's hooks. It leaves out the resources of other hooks, such as tests.
_PRE_SYNC = {"pre-install", "pre-upgrade"}
_APPLY = ("apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-f", "-")
_JOB_SECONDS = 120
_START_SECONDS = 180


@dataclass
class Application:
    """A release that is rendered without a cluster and synchronized in the same way as by Argo CD.

    Args:
        release: The namespace of the release, which Helm itself does not install.
        mode: The autoscaler: `hpa` or `keda`.
    """

    release: Release
    mode: str

    def rendered(self) -> list[Document]:
        """Return all resources as Argo CD renders them, without the definition of ScheduledTasks."""
        values = {
            **VALUES,
            "autoscaling": {"mode": self.mode},
            "scheduler": {"namespaces": [self.release.namespace]},
        }
        arguments = ("template", NAME, str(CHART), "--values", "-", "--skip-crds")
        text = self.release.helm(*arguments, stdin=yaml.safe_dump(values)).stdout
        return [each for each in yaml.safe_load_all(text) if each]

    def synchronized(self) -> list[Document]:
        """Return the resources of the phase Sync."""
        return [each for each in self.rendered() if not _hooks(each)]

    def synchronize(self) -> None:
        """Run the hooks wave by wave, then apply all other resources, and remove what the hooks left behind."""
        hooks = [each for each in self.rendered() if _hooks(each) & _PRE_SYNC]
        for wave in sorted({_wave(each) for each in hooks}):
            of_wave = [each for each in hooks if _wave(each) == wave]
            # The deletion policy before-hook-creation.
            self._delete(of_wave)
            self._apply(of_wave)
            for job in of_wave:
                if job["kind"] == "Job":
                    self._await_job(job["metadata"]["name"])
        self._apply(self.synchronized())
        # The deletion policy hook-succeeded.
        self._delete(hooks)

    def difference(self) -> str:
        """Return what a further synchronization would change."""
        arguments = ("diff", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-f", "-")
        done = self.release.kubectl(*arguments, stdin=_list(self.synchronized()), check=False)
        assert done.returncode in (0, 1), done.stderr
        return str(done.stdout)

    def remove(self) -> None:
        """Delete everything that was applied."""
        self._delete(self.rendered())

    def _apply(self, documents: list[Document]) -> None:
        self.release.kubectl(*_APPLY, stdin=_list(documents))

    def _delete(self, documents: list[Document]) -> None:
        self.release.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=_list(documents))

    def _await_job(self, name: str) -> None:
        condition = ("wait", f"job/{name}", "--for=condition=Complete", f"--timeout={_JOB_SECONDS}s")
        done = self.release.kubectl(*condition, check=False)
        assert done.returncode == 0, self.release.kubectl("logs", f"job/{name}", check=False).stdout or done.stderr


def _list(documents: list[Document]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})


def _hooks(document: Document) -> set[str]:
    annotations = document["metadata"].get("annotations", {})
    return {each for each in annotations.get("helm.sh/hook", "").split(",") if each}


def _wave(document: Document) -> int:
    return int(document["metadata"]["annotations"].get("helm.sh/hook-weight", "0"))


@pytest.fixture(scope="module", params=["hpa", "keda"])
def application(
    request: pytest.FixtureRequest, cluster: Cluster, release_in: Callable[..., Release]
) -> Iterator[Application]:
    """A synchronized application, with each autoscaler. Later tests need earlier ones."""
    if request.param == "keda" and not keda.is_installed(cluster):
        skip_on_external_cluster(cluster, "KEDA")
        keda.install(cluster)
    application = Application(release_in(f"e2e-gitops-{request.param}"), request.param)
    application.synchronize()
    yield application
    application.remove()


def _password(release: Release) -> str:
    return str(release.get("secret", f"{NAME}-redis")["data"]["redis-password"])


def test_synchronization_starts_a_healthy_fleet(application: Application) -> None:
    """After one synchronization, every pod is ready, data arrives, and no resource of a hook is left."""
    release = application.release
    eventually(
        lambda: all(release.ready_pods(each) for each in (*PROCESSES, "redis")), "every pod is ready", _START_SECONDS
    )
    release.wait_until_healthy()
    assert release.get("jobs")["items"] == []


def test_second_comparison_finds_no_difference(application: Application) -> None:
    """After all controllers have run, the cluster has exactly what the rendering says."""
    release = application.release

    def has_been_handled() -> bool:
        scalers = release.get("hpa")["items"]
        tasks = release.scheduled_tasks().values()
        return (
            len(scalers) == 3
            and all(each.get("status", {}).get("conditions") for each in scalers)
            and all(each.get("status", {}).get("conditions") for each in tasks)
        )

    eventually(has_been_handled, "autoscalers and schedulers have written status", 120)
    assert application.difference() == ""


def test_second_synchronization_keeps_the_password_and_the_pods(application: Application) -> None:
    """A second synchronization runs the hooks again. The password and all pods stay, and nothing differs afterward."""
    release = application.release
    password, pods = _password(release), {component: release.pod_names(component) for component in ("redis", "web")}
    application.synchronize()
    assert _password(release) == password
    assert {component: release.pod_names(component) for component in pods} == pods
    release.wait_until_healthy()
    assert application.difference() == ""
