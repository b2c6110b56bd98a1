"""Runs the Jobs of the chart's hooks, with the rights of their accounts, in a control plane that has no nodes."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx

from support.waiting import eventually
from test_cluster.control_plane.cluster import Cluster

_POLL_SECONDS = 0.1
_PROGRAM_SECONDS = 240
#: The API server refuses the end of a Job with pods, which only a controller creates.
_NO_PODS = {"active": 0, "ready": 0, "terminating": 0}


class HookJobs:
    """The Jobs that have run so far.

    Args:
        cluster: The control plane.
        namespace: The namespace of the release.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._stop = threading.Event()
        #: The name of each Job that has ended, with what it printed.
        self.ended: list[tuple[str, str]] = []

    def serve(self) -> None:
        """Run each new Job of the namespace until `stop`."""
        done: set[str] = set()
        while not self._stop.wait(_POLL_SECONDS):
            for job in self._cluster.request("GET", self._path())["items"]:
                if job["metadata"]["uid"] not in done:
                    done.add(job["metadata"]["uid"])
                    self._run(job)

    def stop(self) -> None:
        """End `serve`."""
        self._stop.set()

    def _path(self, name: str = "") -> str:
        return f"/apis/batch/v1/namespaces/{self._namespace}/jobs" + (f"/{name}/status" if name else "")

    def _run(self, job: dict[str, Any]) -> None:
        name, pod = job["metadata"]["name"], job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        program, *arguments = container["command"]
        assert program == "python", container["command"]
        user = self._cluster.user(self._namespace, pod["serviceAccountName"])
        ended = subprocess.run(
            [sys.executable, *arguments],
            env={"PATH": os.environ.get("PATH", os.defpath), "KUBECONFIG": str(user.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=_PROGRAM_SECONDS,
            check=False,
        )
        self.ended.append((name, ended.stdout + ended.stderr))
        eventually(lambda: self._end(name, succeeded=ended.returncode == 0), f"Job {name} has ended")

    def _end(self, name: str, *, succeeded: bool) -> bool:
        """Write the end of a Job, and return whether its status has not changed in between."""
        job = self._cluster.request("GET", self._path(name))
        job["status"] = _status(job.get("status", {}).get("startTime"), succeeded=succeeded)
        try:
            self._cluster.request("PUT", self._path(name), job)
        except httpx.HTTPStatusError as error:
            # A controller has written the status.
            if error.response.status_code != HTTPStatus.CONFLICT:
                raise
            return False
        return True


def _status(started: str | None, *, succeeded: bool) -> dict[str, Any]:
    """Return the status that Kubernetes would write."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kinds = ("SuccessCriteriaMet", "Complete") if succeeded else ("FailureTarget", "Failed")
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now, "reason": "Test"}
        for kind in kinds
    ]
    common = {**_NO_PODS, "startTime": started or now, "conditions": conditions}
    return common | ({"completionTime": now, "succeeded": 1} if succeeded else {"failed": 1})


@contextlib.contextmanager
def hook_jobs(cluster: Cluster, namespace: str) -> Iterator[HookJobs]:
    """Run the Jobs of a namespace's hooks while the block runs.

    Args:
        cluster: The control plane.
        namespace: The namespace of the release.
    """
    jobs = HookJobs(cluster, namespace)
    thread = threading.Thread(target=jobs.serve, name="hook-jobs")
    thread.start()
    try:
        yield jobs
    finally:
        jobs.stop()
        thread.join()
