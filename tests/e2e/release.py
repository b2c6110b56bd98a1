"""One release of the chart, and what users do with it."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from e2e.cluster import CHART, Cluster, eventually

#: Under which the chart names everything.
NAME = "financehub"
TIERS = ("high", "medium", "low")
#: Far beyond what an install takes beside pods of another release that drain.
_WAIT = ("--wait", "--timeout", "240s")


class Release:
    """A release in a namespace of its own, on which restricted Pod Security is enforced.

    Args:
        cluster: where.
        namespace: made if it is not there.
        values: of every install and upgrade.
    """

    def __init__(self, cluster: Cluster, namespace: str, values: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._values = values
        # that of an earlier run may be on its way out
        eventually(lambda: not self._is_going(), 360, f"an earlier namespace {namespace} is gone")
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def install(self, *arguments: str, **values: Any) -> str:
        """`helm install --wait`; what it says.

        Args:
            arguments: further ones of Helm.
            values: top-level values over those of the release.
        """
        return self._helm("install", arguments, values)

    def upgrade(self, *arguments: str, **values: Any) -> str:
        """`helm upgrade --wait`; likewise."""
        return self._helm("upgrade", arguments, values)

    def rollback(self) -> None:
        """`helm rollback --wait` to the revision before."""
        self.helm("rollback", NAME, *_WAIT)

    def uninstall(self) -> str:
        """`helm uninstall --wait`, nothing where there is no release; what it says."""
        return self.helm("uninstall", NAME, "--ignore-not-found", *_WAIT).stdout

    def helm(self, *arguments: str, stdin: str | None = None, check: bool = True) -> Any:
        """Helm in this namespace."""
        return self.cluster.helm("--namespace", self.namespace, *arguments, stdin=stdin, check=check)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> Any:
        """Kubectl in this namespace."""
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin, check=check)

    def get(self, *arguments: str) -> Any:
        """The JSON of `kubectl get` in this namespace."""
        return self.cluster.get("--namespace", self.namespace, *arguments)

    def pods(self, component: str, *, running: bool = True) -> list[dict[str, Any]]:
        """Pods of one component, oldest first.

        Args:
            component: `high`, `scheduler`, `redis`, ….
            running: only those that are not on their way out.
        """
        found = self.get("pods", "--selector", f"app.kubernetes.io/component={component}")["items"]
        kept = [pod for pod in found if not running or "deletionTimestamp" not in pod["metadata"]]
        return sorted(kept, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def ready(self, component: str) -> list[str]:
        """Names of the pods of a component that are ready."""
        return [pod["metadata"]["name"] for pod in self.pods(component) if _is_ready(pod)]

    def cli(self, *arguments: str) -> Any:
        """JSON of the command line, run where users run it.

        Args:
            arguments: of `financehub`.
        """
        command = ("exec", f"deploy/{NAME}-scheduler", "--", "financehub", *arguments, "--json")
        return json.loads(self.kubectl(*command).stdout)

    def python(self, script: str) -> str:
        """What a script prints that runs in the scheduler's pod, beside its code and with its settings.

        Args:
            script: in Python.
        """
        said: str = self.kubectl("exec", "-i", f"deploy/{NAME}-scheduler", "--", "python", "-", stdin=script).stdout
        return said

    def redis(self, *arguments: str) -> list[str]:
        """Lines that redis-cli prints.

        Args:
            arguments: of it.
        """
        said: str = self.kubectl("exec", f"statefulset/{NAME}-redis", "--", "redis-cli", *arguments).stdout
        return said.splitlines()

    def logs(self, component: str) -> list[str]:
        """Lines of a Deployment's logs."""
        said: str = self.kubectl("logs", f"deploy/{NAME}-{component}", "--tail=-1").stdout
        return said.splitlines()

    def apply(self, name: str, *, annotations: Mapping[str, str] | None = None, **spec: Any) -> dict[str, Any]:
        """`kubectl apply` of a ScheduledTask; what the API server made of it.

        Args:
            name: of the resource.
            annotations: of it.
            spec: of it.
        """
        document = {
            "apiVersion": "financehub.io/v1alpha1",
            "kind": "ScheduledTask",
            "metadata": {"name": name, "annotations": dict(annotations or {})},
            "spec": spec,
        }
        made = self.kubectl("apply", "-f", "-", "-o", "json", stdin=json.dumps(document)).stdout
        return dict(json.loads(made))

    def scheduled_tasks(self) -> dict[str, dict[str, Any]]:
        """Name → ScheduledTask."""
        return {item["metadata"]["name"]: item for item in self.get("scheduledtasks")["items"]}

    def emptied(self) -> None:
        """Wait until the last pod is gone: a worker that drains without its Redis takes all of its grace."""
        grace = max((pod["spec"]["terminationGracePeriodSeconds"] for pod in self.get("pods")["items"]), default=0)
        eventually(lambda: not self.get("pods")["items"], grace + 60, "no pods")

    def settled(self, seconds: float = 120) -> None:
        """Wait until the fleet says that all is well.

        Args:
            seconds: when to give up.
        """
        status = ("exec", f"deploy/{NAME}-scheduler", "--", "financehub", "status", "--json")
        try:
            eventually(lambda: self.kubectl(*status, check=False).returncode == 0, seconds, "the fleet is well")
        except AssertionError as error:
            seen = self.kubectl(*status, check=False)
            raise AssertionError(f"{error}: {seen.stdout or seen.stderr}") from None

    def _is_going(self) -> bool:
        found = self.cluster.kubectl("get", "namespace", self.namespace, "-o", "jsonpath={.status.phase}", check=False)
        return found.stdout == "Terminating"

    def _helm(self, verb: str, arguments: tuple[str, ...], values: Mapping[str, Any]) -> str:
        given = yaml.safe_dump({**self._values, **values})
        said: str = self.helm(verb, NAME, str(CHART), "--values", "-", *_WAIT, *arguments, stdin=given).stdout
        return said


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
