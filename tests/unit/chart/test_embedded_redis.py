"""Tests of the embedded server: its product, image, resources and claim, and that an upgrade keeps its identity."""

from typing import Any

import pytest

from support.chart import Document, render

_SIZE = {"persistence": {"size": "1Ti"}}


def _set(redis: dict[str, Any] | None = None, **values: Any) -> tuple[Document, Document]:
    """Return the StatefulSet and the container of the embedded server."""
    stateful_set = render({"redis": redis or {}, **values}).one("StatefulSet", "financehub-redis")
    (container,) = stateful_set["spec"]["template"]["spec"]["containers"]
    return stateful_set, container


@pytest.mark.parametrize(
    ("redis", "values", "image"),
    [
        ({}, {}, "docker.io/library/redis:7.4.7-bookworm"),
        ({"server": "valkey"}, {}, "docker.io/valkey/valkey:8.1.9-bookworm"),
        ({}, {"global": {"imageRegistry": "mirror.example"}}, "mirror.example/library/redis:7.4.7-bookworm"),
        (
            {"server": "valkey"},
            {"global": {"imageRegistry": "mirror.example"}, "image": {"registry": "own.example"}},
            "mirror.example/valkey/valkey:8.1.9-bookworm",
        ),
        ({"image": {"registry": "mirror.example/library"}}, {}, "mirror.example/library/redis:7.4.7-bookworm"),
        # as an older chart wrote them, with --reuse-values
        (
            {
                "server": None,
                "image": {
                    "registry": "docker.io/library",
                    "repository": "redis",
                    "tag": "7.4.7-bookworm",
                    "digest": "",
                },
            },
            {},
            "docker.io/library/redis:7.4.7-bookworm",
        ),
        (
            {"server": "valkey", "image": {"digest": f"sha256:{'0' * 64}"}},
            {},
            f"docker.io/valkey/valkey@sha256:{'0' * 64}",
        ),
    ],
)
def test_image_is_that_of_the_product(redis: dict[str, Any], values: dict[str, Any], image: str) -> None:
    """What redis.image leaves empty comes from the product, and a mirror has the paths of the public registry."""
    assert _set(redis, **values)[1]["image"] == image


@pytest.mark.parametrize(
    ("redis", "requests", "limits", "maxmemory"),
    [
        ({}, {"cpu": "100m", "memory": "512Mi"}, {"memory": "512Mi"}, "307mb"),
        (
            {"resources": {"limits": {"cpu": "1"}}},
            {"cpu": "100m", "memory": "512Mi"},
            {"cpu": "1", "memory": "512Mi"},
            "307mb",
        ),
        (
            {"resources": {"limits": {"memory": "1.5Gi"}}},
            {"cpu": "100m", "memory": "1.5Gi"},
            {"memory": "1.5Gi"},
            "921mb",
        ),
        (
            {"resources": {"requests": {"memory": "256Mi"}, "limits": {"memory": "2G"}}},
            {"cpu": "100m", "memory": "256Mi"},
            {"memory": "2G"},
            "1144mb",
        ),
        ({"resources": {"limits": {"memory": None}}}, {"cpu": "100m", "memory": "512Mi"}, None, "307mb"),
        (
            {"memory": "1Gi", "cpu": 2, "resources": {"limits": {"memory": "1073741824"}}},
            {"cpu": 2, "memory": "1073741824"},
            {"memory": "1073741824"},
            "614mb",
        ),
    ],
)
def test_redis_uses_sixty_percent_of_its_effective_memory(
    redis: dict[str, Any], requests: dict[str, Any], limits: dict[str, Any] | None, maxmemory: str
) -> None:
    """`resources` is merged over the short forms, and maxmemory follows the limit in every form of a quantity."""
    manifests = render({"redis": redis | _SIZE})
    (container,) = manifests.one("StatefulSet", "financehub-redis")["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == requests
    assert (container["resources"].get("limits") or None) == limits
    configuration = manifests.one("ConfigMap", "financehub-redis")["data"]["redis.conf"]
    assert f"maxmemory {maxmemory}" in configuration.splitlines()


def test_resources_of_all_pods_do_not_change_the_memory_of_redis() -> None:
    """What a quota requires is added, while the memory stays that of `redis`, on which its data depends."""
    container = _set(podDefaults={"resources": {"limits": {"cpu": "500m", "memory": "64Mi"}}})[1]
    assert container["resources"]["limits"] == {"cpu": "500m", "memory": "512Mi"}


@pytest.mark.parametrize("server", ["redis", "valkey"])
def test_identity_of_the_data_is_that_of_the_first_release(server: str) -> None:
    """Names, selector, claim and Secret never change, because an upgrade would otherwise start with empty data."""
    stateful_set, container = _set({"server": server})
    labels = {"name": "financehub", "instance": "financehub", "component": "redis"}
    selector = {f"app.kubernetes.io/{name}": value for name, value in labels.items()}
    assert stateful_set["spec"]["selector"] == {"matchLabels": selector}
    assert stateful_set["spec"]["serviceName"] == "financehub-redis"
    assert stateful_set["spec"]["podManagementPolicy"] == "Parallel"
    (claim,) = stateful_set["spec"]["volumeClaimTemplates"]
    assert claim == {
        "metadata": {"name": "data", "labels": selector},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}},
    }
    assert {"name": "data", "mountPath": "/data"} in container["volumeMounts"]
    (password,) = [each for each in container["env"] if each["name"] == "REDISCLI_AUTH"]
    assert password["valueFrom"]["secretKeyRef"] == {"name": "financehub-redis", "key": "redis-password"}


def test_claim_and_service_have_the_metadata_of_the_values() -> None:
    """Annotations, labels and access modes of the values reach the claim and the Service."""
    persistence = {"annotations": {"a": "1"}, "labels": {"b": "2"}, "accessModes": ["ReadWriteOncePod"]}
    manifests = render(
        {"redis": {"persistence": persistence, "service": {"annotations": {"c": "3"}, "labels": {"d": "4"}}}}
    )
    (claim,) = manifests.one("StatefulSet", "financehub-redis")["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["annotations"] == {"a": "1"}
    assert claim["metadata"]["labels"]["b"] == "2"
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    service = manifests.one("Service", "financehub-redis")["metadata"]
    assert service["annotations"] == {"c": "3"}
    assert service["labels"]["d"] == "4"
