"""Tests of lists with a real API server: what they cost, and that no change between a list and its watch is missed."""

import random
import threading
import time
from collections import Counter

import pytest

from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.watch import kopf_watch
from financehub_scheduler.kubernetes.watch.cluster_source import ClusterSource
from financehub_shared.core.clock import SystemClock
from support.cluster_source import connect_with, following
from support.operator import Tasks, scheduler_user
from support.waiting import eventually_async
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.tokens import User

PAGE = 3
#: Number of sources that start one after the other while resources change.
STARTS = 4


@pytest.fixture
def user(crd_installed: Cluster, namespace: str) -> User:
    """The scheduler's account."""
    return scheduler_user(crd_installed, namespace)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists have several pages although there are few resources."""
    monkeypatch.setattr(kopf_watch, "_PAGE", PAGE)


def present(cluster: Cluster, tasks: Tasks) -> dict[str, int]:
    """Return uid → generation of all resources in the API server."""
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks"
    found = (item["metadata"] for item in cluster.request("GET", path)["items"])
    return {metadata["uid"]: metadata["generation"] for metadata in found}


class Writer(threading.Thread):
    """Creates, edits and deletes resources at random until it is stopped.

    Args:
        tasks: The ScheduledTasks of the namespace.
    """

    def __init__(self, tasks: Tasks) -> None:
        super().__init__()
        self._tasks = tasks
        self._random = random.Random(16)
        #: Held during each change. A test that holds it pauses the thread.
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.count = 0

    def run(self) -> None:
        """Write."""
        names: set[str] = set()
        while not self.stopped.is_set():
            name = f"s{self._random.randrange(4 * PAGE)}"
            with self.lock:
                if name in names and self._random.random() < 0.5:
                    self._tasks.delete(name)
                    names.remove(name)
                else:
                    self._tasks.apply(name, schedule="@yearly", retries=self._random.randrange(9))
                    names.add(name)
                self.count += 1
            # Another thread that waits for the lock gets it only now.
            time.sleep(0.001)


async def check_source(cluster: Cluster, tasks: Tasks, api: KubeApi, writer: Writer) -> None:
    """Start a source while the writer works, pause the writer, and compare what the source knows with the server."""
    source = ClusterSource(api, SystemClock(), [tasks.namespace], watch_seconds=2)
    count = writer.count

    def known() -> dict[str, int]:
        return {uid: resource.generation for uid, resource in source.resources.items()}

    async with following(source):
        await eventually_async(lambda: writer.count >= count + 10, "resources have changed")
        with writer.lock:
            expected = present(cluster, tasks)
            await eventually_async(lambda: known() == expected, "the source knows the newest state")


async def test_changes_while_pages_are_listed_are_never_missed(
    crd_installed: Cluster, tasks: Tasks, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is created, edited or deleted during a list of several pages and after it, the source knows the result.

    Each source starts while a thread keeps changing the resources.
    """
    writer = Writer(tasks)
    writer.start()
    try:
        for _ in range(STARTS):
            api = await connect_with(monkeypatch, user.kubeconfig)
            await check_source(crd_installed, tasks, api, writer)
            await api.aclose()
    finally:
        writer.stopped.set()
        writer.join()


async def test_start_lists_each_page_once_and_then_only_watches(
    crd_installed: Cluster, tasks: Tasks, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start costs one request for each page. Later watches, which begin every second here, cost no list."""
    for number in range(2 * PAGE + 1):
        tasks.apply(f"s{number}", schedule="@yearly")
    api = await connect_with(monkeypatch, user.kubeconfig)
    source = ClusterSource(api, SystemClock(), [tasks.namespace], watch_seconds=1)

    def requests() -> Counter[str]:
        return Counter(record["verb"] for record in crd_installed.audit(user.name))

    async with following(source):
        assert len(source.resources) == 2 * PAGE + 1
        await eventually_async(lambda: requests()["watch"] >= 3, "the watch has begun again")
        assert requests()["list"] == 3
    await api.aclose()
