"""Tests of mistakes in a first install: kubectl and the logs name the cause."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from e2e.cluster import eventually
from e2e.conftest import VALUES
from e2e.release import NAME, Release

#: Helm must not wait for pods that cannot become ready.
_NO_WAIT = "--wait=false"


def describe_pods(release: Release, component: str) -> str:
    """Return the output of `kubectl describe` for a component's pods."""
    output: str = release.kubectl("describe", "pods", f"--selector=app.kubernetes.io/component={component}").stdout
    return output


def event_messages(release: Release, word: str) -> list[str]:
    """Return the messages of all Events that contain a string."""
    return [event["message"] for event in release.get("events")["items"] if word in event["message"]]


@pytest.fixture(scope="module")
def mistaken(release_in: Callable[..., Release]) -> Release:
    """A release that each test installs with a different mistake."""
    return release_in("e2e-mistakes")


@pytest.fixture
def release(mistaken: Release) -> Any:
    """The release before it is installed. It is uninstalled afterwards with its Secret, so that no mistake remains."""
    yield mistaken
    mistaken.uninstall()
    mistaken.kubectl("delete", "secret,pvc", "--all", "--wait=false")
    mistaken.wait_until_empty()


def test_missing_image_is_named_by_kubectl_describe(release: Release) -> None:
    """`kubectl describe` names the image that cannot be pulled."""
    release.install(_NO_WAIT, tiers={"low": {"image": {"repository": "financehub/nowhere", "tag": "0.0.0"}}})
    eventually(lambda: "financehub/nowhere:0.0.0" in " ".join(event_messages(release, "pull")), "the event", 180)
    assert "financehub/nowhere:0.0.0" in describe_pods(release, "low")


def test_missing_secret_is_named_by_kubectl_describe(release: Release) -> None:
    """`kubectl describe` names the Secret that does not exist."""
    release.install(_NO_WAIT, providerKeys={"existingSecret": "keys-of-nobody"})
    eventually(lambda: event_messages(release, '"keys-of-nobody" not found'), "the event", 180)
    # The kubelet words the error differently until it has queried the API server.
    eventually(
        lambda: 'secret "keys-of-nobody" not found' in describe_pods(release, "high"),
        "the name in kubectl describe",
        120,
    )


def test_wrong_redis_password_is_logged(release: Release) -> None:
    """Workers and schedulers are not ready, and their logs report that Redis refuses the password."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wrong"}, "stringData": {"password": "wrong"}}
    release.install()
    before = {pod["metadata"]["name"] for component in ("low", "scheduler") for pod in release.pods(component)}
    release.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    for component in ("low", "scheduler"):
        container = {"low": "worker", "scheduler": "scheduler"}[component]
        variable = {"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "wrong", "key": "password"}}}
        patch = {"spec": {"template": {"spec": {"containers": [{"name": container, "env": [variable]}]}}}}
        release.kubectl("patch", "deployment", f"{NAME}-{component}", "-p", json.dumps(patch))
    for component in ("low", "scheduler"):

        def new_pods(component: str = component) -> list[str]:
            return [name for pod in release.pods(component) if (name := pod["metadata"]["name"]) not in before]

        (newest, *_) = eventually(new_pods, f"a new pod of {component}", 120)

        def refusals(pod: str = newest) -> list[dict[str, Any]]:
            output = release.kubectl("logs", pod, check=False).stdout.splitlines()
            return [
                json.loads(line) for line in output if "invalid username-password pair" in line or "WRONGPASS" in line
            ]

        assert eventually(refusals, f"the reason in the log of {component}", 120)
        assert "redis_available_again" not in release.kubectl("logs", newest).stdout
        assert newest not in release.ready_pods(component)

        def probed(pod: str = newest) -> bool:
            found = release.get("events", f"--field-selector=involvedObject.name={pod}")["items"]
            return any("statuscode: 503" in event["message"] for event in found)

        eventually(probed, f"the failed readiness probe of {newest} in kubectl describe", 120)


def test_unreachable_redis_is_named_in_the_logs(release: Release) -> None:
    """Workers and schedulers are not ready, and their logs contain the address."""
    release.install(
        _NO_WAIT, redis={"enabled": False}, externalRedis={"url": "redis://nowhere.e2e-mistakes.svc:6379/0"}
    )
    for component in ("high", "scheduler"):

        def logged(deployment: str = f"deploy/{NAME}-{component}") -> bool:
            return "nowhere.e2e-mistakes.svc:6379" in release.kubectl("logs", deployment, check=False).stdout

        eventually(logged, f"the address in the log of {component}", 120)
        assert not release.ready_pods(component)


def test_upgrade_corrects_a_wrong_redis_image(release: Release) -> None:
    """With a nonexistent tag the Redis pod does not start. It starts after an upgrade with a valid tag."""
    image = VALUES.get("redis", {}).get("image", {})
    release.install(_NO_WAIT, redis={"image": {**image, "tag": "none-such"}})
    eventually(lambda: "none-such" in " ".join(event_messages(release, "pull")), "the event", 180)
    release.upgrade()
    assert release.ready_pods("redis") == [f"{NAME}-redis-0"]
