"""Tests that run every command of docs/operations.md on a release: no message is lost, and counters stay equal."""

import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from e2e.cluster import CHART, eventually
from e2e.conftest import RESEARCH_IMAGE
from e2e.images import redis_values
from e2e.operations_page import Operator, blocks_of_the_page
from e2e.release import NAME, Release
from e2e.report import timed

_REDIS_IMAGE = os.environ.get("E2E_REDIS_IMAGE", "docker.io/library/redis:7.4.7-bookworm")
#: A server that reads the data of the release's Redis, to which the documented upgrade leads in these tests.
_VALKEY_IMAGE = os.environ.get("E2E_VALKEY_IMAGE", "docker.io/valkey/valkey:8.1.9-bookworm")
_RESEARCH = {
    "image": RESEARCH_IMAGE,
    "module": "research.worker",
    "shutdownTimeoutSeconds": 10,
    "autoscaling": {"enabled": False},
    "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "192Mi"}},
}
_MESSAGES = 30
#: Enqueues work, half of which waits for some seconds, so that a worker or Redis has it when the operation begins.
_ENQUEUE = """
import dramatiq
from financehub_shared.core.settings import load_settings
from financehub_shared.worker.build import build_broker
broker = build_broker(load_settings())
for number in range({count}):
    message = dramatiq.Message("research", "work", (f"{name}-{{number}}", 0.05), {{}}, {{}})
    broker.enqueue(message, delay=20_000 + number * 100 if number % 2 else None)
"""
#: Prints the names of the work that has been done.
_FINISHED = """
from financehub_shared.core.settings import load_settings
from financehub_shared.redis.client import connect
print(*[each.decode() for each in connect(load_settings().store_url).lrange("finished", 0, -1)])
"""
#: Returns the name, type and size of every key that does not expire. Delayed messages and counters are among them.
_SIZES = """
local sizes = {}
for _, key in ipairs(redis.call("keys", "*")) do
  if redis.call("ttl", key) == -1 then
    local kind = redis.call("type", key)["ok"]
    local commands = {string = "strlen", list = "llen", hash = "hlen", set = "scard", zset = "zcard", stream = "xlen"}
    sizes[#sizes + 1] = key .. " " .. kind .. " " .. redis.call(commands[kind], key)
  end
end
table.sort(sizes)
return sizes
"""
_EXTERNAL = f"""
apiVersion: v1
kind: Service
metadata: {{name: external}}
spec: {{selector: {{app: external}}, ports: [{{port: 6379}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: external, labels: {{app: external}}}}
spec:
  securityContext: {{runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
    - name: redis
      image: {_REDIS_IMAGE}
      args: [redis-server, --requirepass, external-password, --appendonly, "yes", --dir, /data, --maxmemory, 100mb]
      securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
      volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, emptyDir: {{}}}}]
"""
_EXTERNAL_URL = {"redis://cache.example:6379/0": "redis://external.e2e-operations.svc:6379/0"}


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """A release with an added tier whose tasks record what they do. One per module. Later tests need earlier ones."""
    namespace = "e2e-operations"
    release = release_in(
        namespace,
        tiers={"research": _RESEARCH},
        scheduler={"replicas": 1, "namespaces": [namespace]},
        # The release has no resources that belong to the whole cluster.
        admissionPolicy={"enabled": False},
        rbac={"aggregateClusterRoles": False},
        # An earlier test may have installed KEDA, which would start the tiers of a stopped fleet unless it is paused.
        autoscaling={"mode": "hpa"},
    )
    release.install()
    return release


@pytest.fixture(scope="module")
def operator(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """Runs the blocks of the page."""
    return Operator(release, tmp_path_factory.mktemp("operator"))


def enqueue(release: Release, name: str) -> set[str]:
    """Enqueue work and return its names."""
    release.run_python(_ENQUEUE.format(name=name, count=_MESSAGES))
    return {f"{name}-{number}" for number in range(_MESSAGES)}


def stats(release: Release) -> dict[str, Any]:
    """Return the statistics of the tasks."""
    return {entry["task"]: entry for entry in release.cli("stats")}


def wait_until_finished(release: Release, names: set[str]) -> None:
    """Wait until all work is done, each item once, and count it in the statistics."""
    command = ("exec", "-i", f"deploy/{NAME}-scheduler", "--", "python", "-")

    def finished() -> Counter[str] | None:
        # A pod that a previous operation replaces may answer one of the questions and not the next one.
        found = Counter(release.kubectl(*command, stdin=_FINISHED, check=False).stdout.split())
        return found if names <= found.keys() else None

    done = eventually(finished, "no message is lost", 120)
    assert done is not None
    assert {name for name in names if done[name] != 1} == set()
    eventually(lambda: stats(release)["work"]["succeeded"] == done.total(), "the counter is equal to the work", 60)
    assert release.cli("dead-letters", "list") == []


def sizes(release: Release, program: str = "redis-cli") -> list[str]:
    """Return every key of the embedded Redis that does not expire, with its size."""
    command = ("exec", f"statefulset/{NAME}-redis", "--", program, "eval", _SIZES, "0")
    return sorted(filter(None, release.kubectl(*command).stdout.splitlines()))


def start(operator: Operator) -> None:
    """Start the fleet as the page says, with the one scheduler that the release has."""
    operator.run("Start the fleet", replace={"--replicas=2": "--replicas=1"})


def test_page_looks_at_the_fleet(operator: Operator) -> None:
    """The commands before and after each task succeed on a healthy fleet."""
    operator.release.wait_until_healthy()
    assert "db0:keys=" in operator.run("Look at the fleet")


def test_restore_of_a_backup_loses_nothing(operator: Operator) -> None:
    """After the data is lost, a backup brings back all messages and counters, also after another restart of Redis."""
    release = operator.release
    names = enqueue(release, "restored")
    operator.run("Stop the fleet")
    before = sizes(release)
    with timed("backup of Redis"):
        output = operator.run("Back up Redis")
    assert "RDB looks OK" in output
    release.redis_cli("flushall")
    with timed("restore of Redis"):
        operator.run("Restore Redis", 0, 1)
    assert sizes(release) == before
    operator.run("Go back to the data before the restore")
    assert sizes(release) == []
    operator.run("Restore Redis", 0, 1)
    release.redis_cli("set", "written", "after the restore")
    release.kubectl("delete", "pod", f"{NAME}-redis-0")
    release.kubectl("rollout", "status", f"statefulset/{NAME}-redis", "--timeout=120s")
    assert set(sizes(release)) - set(before) == {"written string 17"}
    start(operator)
    wait_until_finished(release, names)
    operator.run("Restore Redis", 2)


def test_change_of_the_password_loses_no_message(operator: Operator) -> None:
    """The old password is refused afterwards, and messages that were on their way are processed once."""
    release = operator.release
    old = release.get("secret", f"{NAME}-redis")["data"]["redis-password"]
    names = enqueue(release, "password")
    with timed("change of the password"):
        operator.run("Change the password of Redis")
    new = release.get("secret", f"{NAME}-redis")["data"]["redis-password"]
    assert new != old
    login = ("sh", "-c", "redis-cli --no-auth-warning -a $(echo $0 | base64 -d) ping")
    pod = ("exec", f"{NAME}-redis-0", "--")
    results = {name: release.kubectl(*pod, *login, value, check=False) for name, value in (("old", old), ("new", new))}
    assert "PONG" in results["new"].stdout
    assert "WRONGPASS" in results["old"].stdout + results["old"].stderr
    wait_until_finished(release, names)


def test_assets_of_the_values_are_added_and_removed(operator: Operator) -> None:
    """Adding one asset keeps the others, and a map that would replace a list of the release is refused."""
    release = operator.release
    before = {asset["symbol"] for asset in release.cli("assets", "list")}
    operator.run("Add or remove assets")
    assert {asset["symbol"] for asset in release.cli("assets", "list")} == before - {"VOD.L"} | {"AMD"}
    listed = json.dumps([{"symbol": "MSFT", "type": "stock"}, {"symbol": "AMD", "type": "stock"}])
    release.helm("upgrade", NAME, str(CHART), "--reuse-values", "--set-json", f"assets={listed}")
    refused = release.helm(
        *("upgrade", NAME, str(CHART), "--reuse-values", "--set", "assets.INTC.type=stock"), check=False
    )
    assert refused.returncode != 0
    assert "assets: the assets of this release were a list until now" in refused.stderr
    assert "lacks MSFT, AMD;" in refused.stderr
    # The map contains all assets of the list, so it may replace it.
    release.upgrade(assets={"AMD": {"type": "stock"}})


def test_resize_of_redis_loses_no_message(operator: Operator) -> None:
    """Redis gets its new memory. Only the claim is not changed, which the class of the test's volumes forbids."""
    release = operator.release
    names = enqueue(release, "resized")
    claim = f"pvc -n {release.namespace} data-{NAME}-redis-0"
    operator.run("Resize Redis", replace={f"patch {claim} -p": f"get {claim} -o yaml #"})
    assert release.redis_cli("config", "get", "maxmemory")[-1] == str(614 * 1024**2)
    wait_until_finished(release, names)


def test_upgrade_of_the_server_keeps_all_data(operator: Operator) -> None:
    """The documented upgrade leads to another server, which reads the append-only file of the previous one."""
    release = operator.release
    names = enqueue(release, "upgraded")
    image = redis_values(_VALKEY_IMAGE)["redis"]
    assert isinstance(image, dict)
    arguments = " ".join(f"--set-string redis.image.{name}={value}" for name, value in image["image"].items())
    with timed("upgrade of the server of Redis"):
        output = operator.run(
            "Upgrade Redis",
            replace={
                "--set redis.image.tag=7.4.8-bookworm": f"{arguments} --set redis.server=valkey",
                "redis-cli": "valkey-cli",
            },
        )
    assert "Valkey" in output or "valkey" in output
    wait_until_finished(release, names)


def test_move_to_an_external_redis_and_back_loses_no_message(operator: Operator) -> None:
    """The copy to a server of another version has all messages, and the embedded server still has its data."""
    release = operator.release
    release.kubectl("apply", "-f", "-", stdin=_EXTERNAL)
    names = enqueue(release, "moved")
    operator.run("Stop the fleet")
    before = sizes(release, "valkey-cli")
    with timed("copy to an external Redis"):
        assert "elements" in operator.run("Move to an external Redis", 0, 1, replace=_EXTERNAL_URL)
    operator.run("Move to an external Redis", 2, replace=_EXTERNAL_URL)
    start(operator)
    wait_until_finished(release, names)
    assert release.cli("version")["redis"][0]["name"] == "redis"
    operator.run("Stop the fleet")
    operator.run("Move to an external Redis", 3)
    operator.run("Stop the fleet")
    # The messages of the copy are in both servers, so the embedded one may have processed them again by now.
    kept = {entry.rpartition(" ")[0] for entry in sizes(release, "valkey-cli")}
    assert kept >= {entry.rpartition(" ")[0] for entry in before if entry.startswith(("started ", "finished "))}
    start(operator)
    release.wait_until_healthy()


def test_blocks_of_the_page_have_all_run(operator: Operator) -> None:
    """No command of the page is untested."""
    blocks = {(title, number) for title, blocks in blocks_of_the_page().items() for number in range(len(blocks))}
    assert blocks - operator.has_run == set()
