"""Values of egress that the chart refuses: they expose a password, contradict each other or have no effect."""

from typing import Any

from support.refused_values import Case, Values


def _egress(**values: Any) -> Values:
    return {"egress": values}


def _policy(**values: Any) -> Values:
    return {"networkPolicy": {"egress": {"enabled": True, **values}}}


_PROXY = "http://proxy.example.com:3128"
_IN_SECRET: Values = {
    "redis": {"enabled": False},
    "externalRedis": {"existingSecret": "mine", "urlKey": "url"},
    "autoscaling": {"mode": "hpa"},
}

EGRESS_CASES = {
    "egress with a password": Case(
        _egress(proxy="http://alice:hunter2@proxy.example.com:3128"),
        ("egress.proxy", "password", "egress.existingSecret"),
        (_egress(proxy=_PROXY),),
    ),
    "egress with SOCKS": Case(
        _egress(proxy="socks5://proxy.example.com:1080"),
        ("egress.proxy", "not the URL of a proxy", "http://host:port"),
        (_egress(proxy=_PROXY),),
    ),
    "egress with a proxy without a scheme": Case(
        _egress(proxy="proxy.example.com:3128"),
        ("egress.proxy", "not the URL of a proxy", "http://host:port"),
        (_egress(proxy=_PROXY),),
    ),
    "egress with two proxies": Case(
        _egress(proxy=_PROXY, existingSecret="corp"),
        ("egress.proxy", "egress.existingSecret", "set only one"),
        (_egress(proxy=""), _egress(existingSecret="")),
    ),
    "egress with exceptions only": Case(
        _egress(noProxy=["10.0.0.0/8"]),
        ("egress.noProxy", "no effect", "egress.proxy"),
        (_egress(proxy=_PROXY), _egress(existingSecret="corp")),
    ),
    "egress with several hosts in one entry": Case(
        _egress(proxy=_PROXY, noProxy=["a.example.com,b.example.com"]),
        ("egress.noProxy", "is not one host", "its own entry"),
        (_egress(noProxy=["a.example.com", "b.example.com"]),),
    ),
    **{
        f"egress with the exception {entry}": Case(
            _egress(proxy=_PROXY, noProxy=["a.example.com", entry]),
            ("egress.noProxy[1]", "is not a host", "such as 10.0.0.0/8"),
            (_egress(noProxy=["*.example.com", ".a", "10.0.0.1:8443", "::1", "10.0.0.0/32"]),),
        )
        for entry in ("10.0.0.0/99", "10.0.0/8", "10.0.0.256", ".", "-", "a..b", "2001:db8::/129", "a.example.com:port")
    },
    **{
        f"egress with the port {port} of the proxy": Case(
            _egress(proxy=f"http://proxy.example.com:{port}/"),
            ("egress.proxy", f"{port} is not the number of a port", "from 1 to 65535"),
            (_egress(proxy="http://[2001:db8::1]:65535"),),
        )
        for port in ("0", "65536", "99999")
    },
    **{
        f"egress policy without the port of the proxy in {name}": Case(
            {"tierDefaults": {"extraEnv": [{"name": name, "value": _PROXY}]}} | _policy(),
            ("networkPolicy.egress.proxyPorts", f"tiers.high.extraEnv sets {name}", "[3128]", "set egress.proxy"),
            (_policy(proxyPorts=[3128]), {"tierDefaults": {"extraEnv": []}}, {"simulator": {"enabled": True}}),
        )
        for name in ("HTTPS_PROXY", "http_proxy", "ALL_PROXY")
    },
    "egress policy without policies": Case(
        {"networkPolicy": {"enabled": False, "egress": {"enabled": True}}},
        ("networkPolicy.egress.enabled", "networkPolicy.enabled=true"),
        ({"networkPolicy": {"enabled": True}}, {"networkPolicy": {"egress": {"enabled": False}}}),
    ),
    "egress policy without the port of the proxy": Case(
        _egress(existingSecret="corp") | _policy(),
        ("networkPolicy.egress.proxyPorts", "Secret", "[3128]"),
        (_policy(proxyPorts=[3128]),),
    ),
    "egress policy without the port of Redis": Case(
        _IN_SECRET | _policy(),
        ("networkPolicy.egress.redisPorts", "external Redis", "[6379, 26379]"),
        (_policy(redisPorts=[6379]),),
    ),
}
