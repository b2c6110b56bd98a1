"""Tests of the console across upgrades: from a release without it, without a lost request, and to the mode `write`."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from e2e.cluster import eventually
from e2e.release import NAME, PROCESSES, Release
from e2e.report import note, timed

_TOKEN = "the-token-of-the-operator-0123456789"
_STOP = "/tmp/stop"  # noqa: S108 — it is the container's
#: Sends many requests, each on its own connection, until a file exists, and prints their number and the failures.
_REQUESTS = f"""
import http.client, json, pathlib, time
paths = ["/", "/api/v1/quotes?limit=1"]
sent, failures = 0, []
while sent <= 100 or not pathlib.Path("{_STOP}").exists():
    path = paths[sent % len(paths)]
    sent += 1
    try:
        connection = http.client.HTTPConnection("{NAME}-web", timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            failures.append([path, answer.status])
    except (OSError, http.client.HTTPException) as error:
        failures.append([path, repr(error)])
    connection.close()
    # Fewer than the limit of requests for one client.
    time.sleep(0.05)
print(json.dumps([sent, failures]))
"""


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """A release that was installed without a console, as by a chart that has none. Later tests need earlier ones."""
    # The tests compare pods, so no tier may be scaled up or down in the meantime.
    one = {"autoscaling": {"maxReplicas": 1}}
    release = release_in("e2e-web", tierDefaults=one, tiers={"low": one})
    release.install(web={"enabled": False})
    return release


def test_upgrade_from_a_release_without_a_console_adds_it(release: Release) -> None:
    """An upgrade adds the console, which opens at once, and restarts no other process."""
    others = [component for component in (*PROCESSES, "redis") if component != "web"]
    assert release.pods("web") == []
    assert f"{NAME}-web" not in [item["metadata"]["name"] for item in release.get("services")["items"]]
    before = {component: release.pod_names(component) for component in others}
    with timed("helm upgrade --wait, which adds the console"):
        release.upgrade()
    assert release.request("/")[0] == 200
    assert {component: release.pod_names(component) for component in others} == before


def test_update_of_the_console_drops_no_request(release: Release) -> None:
    """While an upgrade replaces the console's only pod, each of many requests through the Service is answered."""
    (before,) = release.ready_pods("web")
    client = release.ready_pods("scheduler")[0]
    release.kubectl("exec", client, "--", "rm", "-f", _STOP)
    with ThreadPoolExecutor(1) as executor:
        command = ("exec", "-i", client, "--", "python", "-")
        requests = executor.submit(release.kubectl, *command, stdin=_REQUESTS)
        try:
            with timed("helm upgrade --wait, another pod for the console"):
                release.upgrade(web={"podAnnotations": {"example.com/change": "1"}})

            def names() -> list[str]:
                return [pod["metadata"]["name"] for pod in release.pods("web", include_terminating=True)]

            eventually(lambda: before not in names(), "the old pod is gone", 180)
        finally:
            release.kubectl("exec", client, "--", "touch", _STOP)
        sent, failures = json.loads(requests.result(180).stdout)
    note("requests to the console during its update", f"{sent}")
    assert failures == []
    assert len(release.ready_pods("web")) == 1


def test_console_with_tokens_asks_for_a_user(release: Release) -> None:
    """In the mode `write`, with tokens in a Secret, only a request with a token is answered, and `helm test` passes."""
    digest = hashlib.sha256(_TOKEN.encode()).hexdigest()
    users = json.dumps([{"name": "alice", "role": "operator", "sha256": digest}])
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "console-users"},
        "stringData": {"tokens.yaml": users},
    }
    release.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    values: dict[str, Any] = {"mode": "write", "auth": {"existingSecret": "console-users"}, "prefix": "/financehub"}
    output = release.upgrade(web=values)
    assert "any name, and a token whose hash is in the Secret console-users" in output
    status, body = release.request("/financehub/api/v1/quotes")
    assert (status, json.loads(body)["code"]) == (401, "user-required")
    assert release.request("/financehub/", Authorization=f"Bearer {_TOKEN}")[0] == 200
    assert release.helm("test", NAME, "--timeout", "180s").stdout.count("Succeeded") == 2
