"""Tests that every process and KEDA connect to the external Redis that the values describe."""

from typing import Any

import pytest

from financehub_shared.core.redis_url_parser import parse_redis_url
from financehub_shared.core.settings import load_settings
from support.chart import Document, Manifests, render

_CA = "/etc/financehub/redis/ca.crt"
#: Values of externalRedis, and the URL with the passwords that each process must use. The password of the server is `p`
#: and that of the Sentinels is `s`.
SHAPES: dict[str, tuple[dict[str, Any], str]] = {
    "host": ({"host": "cache.example"}, "redis://cache.example:6379/0"),
    "host and port": ({"host": "10.0.0.5", "port": 6380, "database": 3}, "redis://10.0.0.5:6380/3"),
    "IPv6": ({"host": "fd00::5"}, "redis://[fd00::5]:6379/0"),
    "IPv6 in brackets": ({"host": "[fd00::5]", "port": 1}, "redis://[fd00::5]:1/0"),
    "password": ({"host": "cache.example", "existingSecret": "mine"}, "redis://:p@cache.example:6379/0"),
    "ACL user": (
        {"host": "cache.example", "username": "u@ :/?#%ü", "existingSecret": "mine"},
        "redis://u%40%20%3A%2F%3F%23%25%C3%BC:p@cache.example:6379/0",
    ),
    "TLS": ({"host": "cache.example", "tls": {"enabled": True}}, "rediss://cache.example:6379/0"),
    "private authority": (
        {"host": "cache.example", "tls": {"enabled": True, "caSecret": "authority"}},
        f"rediss://cache.example:6379/0?ssl_ca_certs={_CA}",
    ),
    "no check of the host name": (
        {"host": "10.0.0.5", "tls": {"enabled": True, "caSecret": "authority", "checkHostname": False}},
        f"rediss://10.0.0.5:6379/0?ssl_check_hostname=false&ssl_ca_certs={_CA}",
    ),
    "Sentinels": (
        {"sentinel": {"nodes": ["a.example", "b.example:1", "fd00::1", "[fd00::2]:3"], "master": "mymaster"}},
        "redis+sentinel://a.example:26379,b.example:1,[fd00::1]:26379,[fd00::2]:3/mymaster/0",
    ),
    "Sentinels with logins and TLS": (
        {
            "sentinel": {"nodes": ["a.example"], "master": "my/m", "username": "s&=", "existingSecret": "watchers"},
            "username": "u",
            "existingSecret": "mine",
            "database": 2,
            "tls": {"enabled": True, "caSecret": "authority", "checkHostname": False},
        },
        (
            "rediss+sentinel://u:p@a.example:26379/my%2Fm/2"
            f"?sentinel_username=s%26%3D&sentinel_password=s&ssl_check_hostname=false&ssl_ca_certs={_CA}"
        ),
    ),
    "Sentinels in a URL": (
        {"url": "redis+sentinel://u@a.example/m/1?sentinel_username=w", "sentinel": {"existingSecret": "watchers"}},
        "redis+sentinel://u@a.example:26379/m/1?sentinel_username=w&sentinel_password=s",
    ),
    "TLS in a URL": ({"url": "rediss://cache.example", "tls": {"enabled": True}}, "rediss://cache.example:6379/0"),
}
_shapes = pytest.mark.parametrize(("external", "url"), SHAPES.values(), ids=SHAPES)


def _render(external: dict[str, Any]) -> Manifests:
    return render({"redis": {"enabled": False}, "externalRedis": external, "autoscaling": {"mode": "keda"}})


@_shapes
def test_processes_use_the_redis_of_the_values(external: dict[str, Any], url: str) -> None:
    """Each process parses what the chart prints, and connects to the server, database and user of the values."""
    manifests = _render(external)
    secrets = {"redis-password": "p", "redis-sentinel-password": "s"}
    for component in ("high", "scheduler", "web"):
        environment = {
            name: value if isinstance(value, str) else secrets[value["secretKeyRef"]["key"]]
            for name, value in manifests.environment(component).items()
        }
        assert load_settings(environment).store_url == parse_redis_url(url)


def _trigger(manifests: Manifests) -> Document:
    trigger: Document = manifests.all("ScaledObject")[0]["spec"]["triggers"][0]
    return trigger


@_shapes
def test_keda_uses_the_redis_of_the_processes(external: dict[str, Any], url: str) -> None:
    """KEDA has the same addresses, master, database, users, passwords, encryption and authority as the processes."""
    manifests = _render(external)
    trigger, expected = _trigger(manifests), parse_redis_url(url)
    found = trigger["metadata"]
    addresses = found["addresses" if expected.is_sentinel else "address"]
    # KEDA writes addresses as Go does
    parsed = parse_redis_url(f"redis+sentinel://{addresses}/m" if expected.is_sentinel else f"redis://{addresses}")
    assert parsed.hosts == expected.hosts
    assert trigger["type"] == ("redis-sentinel" if expected.is_sentinel else "redis")
    assert found.get("sentinelMaster", "") == expected.service
    assert found["databaseIndex"] == str(expected.db)
    assert found.get("username") == expected.login.username
    assert found.get("sentinelUsername") == expected.sentinel_login.username
    assert (found.get("enableTLS") == "true") is (expected.tls is not None)
    assert (found.get("unsafeSsl") == "true") is (expected.tls is not None and not expected.tls.check_hostname)
    authentications = manifests.all("TriggerAuthentication")
    targets = authentications[0]["spec"]["secretTargetRef"] if authentications else []
    assert {target["parameter"] for target in targets} == {
        name
        for name, needed in (
            ("password", expected.login.password),
            ("sentinelPassword", expected.sentinel_login.password),
            ("ca", expected.tls and expected.tls.ca_certs),
        )
        if needed
    }
    assert ("authenticationRef" in trigger) is bool(targets)


@pytest.mark.parametrize("option", ["ssl_check_hostname=False", "ssl_check_hostname=0", "ssl_cert_reqs=none"])
def test_keda_skips_the_check_that_a_url_skips(option: str) -> None:
    """If a URL turns off a check of the certificate, KEDA, which has only one switch, can connect as well."""
    url = f"rediss://10.0.0.5/0?{option}"
    assert _trigger(_render({"url": url}))["metadata"]["unsafeSsl"] == "true"


def test_values_of_an_older_chart_describe_the_same_redis() -> None:
    """With --reuse-values, values that an older chart did not have are absent. A URL still works."""
    absent = dict.fromkeys(("host", "port", "database", "username", "sentinel"))
    external = {"url": "redis://cache.example/2", **absent, "tls": {"enabled": None, "checkHostname": None}}
    data = _render(external).one("ConfigMap", "financehub-settings")["data"]
    assert data["REDIS_URL"] == "redis://cache.example/2"
