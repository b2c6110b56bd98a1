"""One release of the chart, with the operations that users perform on it."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from e2e import namespaces
from e2e.cluster import CHART, Cluster, eventually

#: Name of the release. The names of all its resources begin with it.
NAME = "financehub"
TIERS = ("high", "medium", "low")
#: The components with processes of FinanceHub, except for the simulator.
PROCESSES = (*TIERS, "scheduler", "web")
#: The timeout is far longer than an install takes, even while pods of another release drain.
_WAIT = ("--wait", "--timeout", "240s")


class Release:
    """A release in its own namespace, in which restricted Pod Security is enforced.

    Args:
        cluster: The cluster.
        namespace: Name of the namespace, which is created unless the tests have created it before.
        values: Values of every install and upgrade.
    """

    def __init__(self, cluster: Cluster, namespace: str, values: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.values = values
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        namespaces.create(cluster, namespace, labels)

    def install(self, *arguments: str, **values: Any) -> str:
        """Run `helm install --wait` and return its output.

        Args:
            arguments: Additional Helm arguments.
            values: Top-level values that override those of the release.
        """
        return self._helm("install", arguments, values)

    def upgrade(self, *arguments: str, **values: Any) -> str:
        """Run `helm upgrade --wait` and return its output.

        Args:
            arguments: Additional Helm arguments.
            values: Top-level values that override those of the release.
        """
        return self._helm("upgrade", arguments, values)

    def rollback(self) -> None:
        """Run `helm rollback --wait` to the previous revision."""
        self.helm("rollback", NAME, *_WAIT)

    def uninstall(self) -> str:
        """Run `helm uninstall --wait` and return its output. Does nothing if there is no release."""
        return self.helm("uninstall", NAME, "--ignore-not-found", *_WAIT).stdout

    def helm(self, *arguments: str, stdin: str | None = None, check: bool = True) -> Any:
        """Run Helm in this namespace."""
        return self.cluster.helm("--namespace", self.namespace, *arguments, stdin=stdin, check=check)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> Any:
        """Run kubectl in this namespace."""
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin, check=check)

    def get(self, *arguments: str) -> Any:
        """Return the JSON of `kubectl get` in this namespace."""
        return self.cluster.get("--namespace", self.namespace, *arguments)

    def pods(self, component: str, *, include_terminating: bool = False) -> list[dict[str, Any]]:
        """Return the pods of one component, oldest first.

        Args:
            component: `high`, `scheduler`, `redis`, and so on.
            include_terminating: Whether to include pods that are being deleted.
        """
        found = self.get("pods", "--selector", f"app.kubernetes.io/component={component}")["items"]
        pods = [pod for pod in found if include_terminating or "deletionTimestamp" not in pod["metadata"]]
        return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def pod_names(self, component: str) -> list[str]:
        """Return the names of a component's pods, whether they are ready or not."""
        return [pod["metadata"]["name"] for pod in self.pods(component)]

    def ready_pods(self, component: str) -> list[str]:
        """Return the names of a component's ready pods."""
        return [pod["metadata"]["name"] for pod in self.pods(component) if _is_ready(pod)]

    def cli(self, *arguments: str) -> Any:
        """Run the command line in the scheduler's pod, as users do, and return its JSON.

        Args:
            arguments: Arguments of `financehub`.
        """
        command = ("exec", f"deploy/{NAME}-scheduler", "--", "financehub", *arguments, "--json")
        return json.loads(self.kubectl(*command).stdout)

    def run_python(self, script: str) -> str:
        """Run a Python script in the scheduler's pod, with the pod's packages and settings, and return its output.

        Args:
            script: Python source code.
        """
        output: str = self.kubectl("exec", "-i", f"deploy/{NAME}-scheduler", "--", "python", "-", stdin=script).stdout
        return output

    def request(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """Send a request to the Service of the console from the scheduler's pod, and return its status and body.

        Args:
            path: The path, with its query.
            method: The HTTP method.
            headers: The headers of the request, with underscores in place of hyphens.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        script = f"""
import http.client, json
connection = http.client.HTTPConnection("{NAME}-web", timeout=30)
connection.request({method!r}, {path!r}, headers={named!r})
answer = connection.getresponse()
print(json.dumps([answer.status, answer.read().decode()]))
"""
        status, body = json.loads(self.run_python(script))
        return status, body

    def redis_cli(self, *arguments: str) -> list[str]:
        """Run redis-cli in the Redis pod and return the lines of its output.

        Args:
            arguments: Arguments of redis-cli.
        """
        output: str = self.kubectl("exec", f"statefulset/{NAME}-redis", "--", "redis-cli", *arguments).stdout
        return output.splitlines()

    def logs(self, component: str) -> list[str]:
        """Return the lines of the logs of all pods of a component, which may have been scaled up."""
        output: str = self.kubectl("logs", f"--selector=app.kubernetes.io/component={component}", "--tail=-1").stdout
        return output.splitlines()

    def apply(self, name: str, *, annotations: Mapping[str, str] | None = None, **spec: Any) -> dict[str, Any]:
        """Apply a ScheduledTask with kubectl and return the resource as stored by the API server.

        Args:
            name: Name of the ScheduledTask.
            annotations: Its annotations.
            spec: Its spec.
        """
        document = {
            "apiVersion": "financehub.io/v1alpha1",
            "kind": "ScheduledTask",
            "metadata": {"name": name, "annotations": dict(annotations or {})},
            "spec": spec,
        }
        stored = self.kubectl("apply", "-f", "-", "-o", "json", stdin=json.dumps(document)).stdout
        return dict(json.loads(stored))

    def scheduled_tasks(self) -> dict[str, dict[str, Any]]:
        """Return all ScheduledTasks by name."""
        return {item["metadata"]["name"]: item for item in self.get("scheduledtasks")["items"]}

    def wait_until_empty(self) -> None:
        """Wait until the last pod is gone. A worker that drains without its Redis uses its whole grace period."""
        grace = max((pod["spec"]["terminationGracePeriodSeconds"] for pod in self.get("pods")["items"]), default=0)
        eventually(lambda: not self.get("pods")["items"], "no pods are left", grace + 60)

    def wait_until_healthy(self, seconds: float = 120) -> None:
        """Wait until the health report of the fleet is ok.

        Args:
            seconds: Timeout in seconds.
        """
        status = ("exec", f"deploy/{NAME}-scheduler", "--", "financehub", "status", "--json")
        try:
            eventually(lambda: self.kubectl(*status, check=False).returncode == 0, "the fleet is healthy", seconds)
        except AssertionError as error:
            last = self.kubectl(*status, check=False)
            raise AssertionError(f"{error}: {last.stdout or last.stderr}") from None

    def _helm(self, verb: str, arguments: tuple[str, ...], values: Mapping[str, Any]) -> str:
        document = yaml.safe_dump({**self.values, **values})
        output: str = self.helm(verb, NAME, str(CHART), "--values", "-", *_WAIT, *arguments, stdin=document).stdout
        return output


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
