"""What goes wrong at a first install: kubectl and the logs say in one line what it is."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from e2e.cluster import eventually
from e2e.conftest import VALUES
from e2e.release import NAME, Release

#: Helm need not wait for what cannot come up.
_AT_ONCE = "--wait=false"


def described(release: Release, component: str) -> str:
    """`kubectl describe` of a component's pods."""
    said: str = release.kubectl("describe", "pods", f"--selector=app.kubernetes.io/component={component}").stdout
    return said


def events(release: Release, word: str) -> list[str]:
    """Messages of Events that have a word."""
    return [one["message"] for one in release.get("events")["items"] if word in one["message"]]


@pytest.fixture(scope="module")
def mistaken(release_in: Callable[..., Release]) -> Release:
    """A release that is installed anew with each mistake."""
    return release_in("e2e-mistakes")


@pytest.fixture
def release(mistaken: Release) -> Any:
    """Not installed; uninstalled afterwards, with its secret, so that no mistake lives on."""
    yield mistaken
    mistaken.uninstall()
    mistaken.kubectl("delete", "secret,pvc", "--all", "--wait=false")
    mistaken.emptied()


def test_an_image_that_does_not_exist(release: Release) -> None:
    """`kubectl describe` names the image that cannot be had."""
    release.install(_AT_ONCE, tiers={"low": {"image": {"repository": "financehub/nowhere", "tag": "0.0.0"}}})
    eventually(lambda: "financehub/nowhere:0.0.0" in " ".join(events(release, "pull")), 60, "the event")
    assert "financehub/nowhere:0.0.0" in described(release, "low")


def test_a_secret_that_is_missing(release: Release) -> None:
    """`kubectl describe` names the Secret that is not there."""
    release.install(_AT_ONCE, providerKeys={"existingSecret": "keys-of-nobody"})
    eventually(lambda: events(release, '"keys-of-nobody" not found'), 60, "the event")
    # the kubelet says it in other words until it has asked
    eventually(lambda: 'secret "keys-of-nobody" not found' in described(release, "high"), 120, "describe says so")


def test_a_wrong_password_of_redis(release: Release) -> None:
    """Workers and schedulers are not ready, and their logs say that Redis refuses the password."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wrong"}, "stringData": {"password": "wrong"}}
    release.install()
    before = {one["metadata"]["name"] for component in ("low", "scheduler") for one in release.pods(component)}
    release.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    for component in ("low", "scheduler"):
        container = {"low": "worker", "scheduler": "scheduler"}[component]
        variable = {"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "wrong", "key": "password"}}}
        patch = {"spec": {"template": {"spec": {"containers": [{"name": container, "env": [variable]}]}}}}
        release.kubectl("patch", "deployment", f"{NAME}-{component}", "-p", json.dumps(patch))
    for component in ("low", "scheduler"):

        def new(component: str = component) -> list[str]:
            return [name for one in release.pods(component) if (name := one["metadata"]["name"]) not in before]

        (newest, *_) = eventually(new, 60, f"a new pod of {component}")

        def lines(pod: str = newest) -> list[dict[str, Any]]:
            said = release.kubectl("logs", pod, check=False).stdout.splitlines()
            return [
                json.loads(line) for line in said if "invalid username-password pair" in line or "WRONGPASS" in line
            ]

        assert eventually(lines, 60, f"{component} says why")
        assert "redis_back" not in release.kubectl("logs", newest).stdout
        assert newest not in release.ready(component)

        def probed(pod: str = newest) -> bool:
            told = release.get("events", f"--field-selector=involvedObject.name={pod}")["items"]
            return any("statuscode: 503" in one["message"] for one in told)

        eventually(probed, 60, f"kubectl describe says that {newest} is not ready")


def test_a_redis_that_cannot_be_reached(release: Release) -> None:
    """Workers and schedulers are not ready, and their logs name the address."""
    release.install(
        _AT_ONCE, redis={"enabled": False}, externalRedis={"url": "redis://nowhere.e2e-mistakes.svc:6379/0"}
    )
    for component in ("high", "scheduler"):

        def told(deployment: str = f"deploy/{NAME}-{component}") -> bool:
            return "nowhere.e2e-mistakes.svc:6379" in release.kubectl("logs", deployment, check=False).stdout

        eventually(told, 90, f"{component} says why")
        assert not release.ready(component)


def test_a_wrong_image_of_redis_is_mended_by_an_upgrade(release: Release) -> None:
    """Redis' pod never comes up with a tag that is not there, and does after an upgrade with one that is."""
    image = VALUES.get("redis", {}).get("image", {})
    release.install(_AT_ONCE, redis={"image": {**image, "tag": "none-such"}})
    eventually(lambda: "none-such" in " ".join(events(release, "pull")), 60, "the event")
    release.upgrade()
    assert release.ready("redis") == [f"{NAME}-redis-0"]
